"""What goes on beside the mix: snapshot, backup, changes of the schema, chunks, reports, prices."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psycopg

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

from rubi import ROOT
from rubi.cli import Failure
from rubi.deploying import locks
from server import Server

BARS, TICKS = 500, 5000
CHANGED = ("trading_positions", "trading_signals", "trading_orders", "users", "trading_strategies")
# what a change may meet: tried again, as the runner does
PASSING = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)
Work = Callable[[Server, str, threading.Event], None]


def hold_snapshot(server: Server, db: str, stop: threading.Event) -> None:
    """A report that somebody began and left open."""
    with server.connect(db) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT count(*) FROM trading_positions")
        stop.wait()
        connection.execute("ROLLBACK")


def back_up(server: Server, db: str, stop: threading.Event) -> None:
    """What backup.py takes: pg_dump's directory format, again and again."""
    while not stop.is_set():
        # a chunk that goes between pg_dump's list and its locks ends the dump: the next one begins
        with tempfile.TemporaryDirectory(dir=server.folder) as folder, suppress(Failure):
            dump(server, db, f"{folder}/dump")
        stop.wait(1)


def dump(server: Server, db: str, target: str) -> None:
    """One dump, by the superuser of the benchmark's server."""
    done = subprocess.run(
        [server.programs / "pg_dump", "-Fd", "-Z1", "-f", target, server.dsn(db)],
        capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode:
        raise Failure(f"pg_dump of {db}: {done.stderr.strip().splitlines()[-1]}")


def change_schema(server: Server, db: str, stop: threading.Event) -> None:
    """Thirty changes as deployments bring them, one a transaction, tried as the runner tries."""
    with server.connect(db) as connection:
        for number in range(30):
            table = CHANGED[number % len(CHANGED)]
            column = f"changed_{number}"
            statement = (
                f"ALTER TABLE {table} ADD COLUMN {column} integer",
                f"ALTER TABLE {table} ADD CONSTRAINT {column} CHECK (id > 0) NOT VALID",
                f"COMMENT ON TABLE {table} IS 'change {number}'",
            )[number // 10]
            for pause in (*locks.PAUSES, None):
                try:
                    with connection.transaction():
                        milliseconds = int(locks.LOCK_TIMEOUT * 1000)
                        connection.execute(f"SET LOCAL lock_timeout = {milliseconds}")
                        connection.execute(statement)
                    break
                except PASSING:
                    if pause is None or stop.wait(pause):
                        break
            if stop.wait(0.5):
                break
        for table in CHANGED:
            columns = connection.execute(
                "SELECT format('DROP COLUMN %%I CASCADE', attname) FROM pg_attribute"
                " WHERE attrelid = %s::regclass AND attname LIKE 'changed%%' AND NOT attisdropped",
                [table],
            ).fetchall()
            if columns:
                connection.execute(f"ALTER TABLE {table} {', '.join(part for (part,) in columns)}")
            for number in range(10, 20):
                connection.execute(
                    f"ALTER TABLE {table} DROP CONSTRAINT IF EXISTS changed_{number}"
                )


def change_chunks(server: Server, db: str, stop: threading.Event) -> None:
    """Weeks of bars that come, are clustered and go; a deadlock with a dump leaves a week to the
    next.
    """
    week = 0
    with server.connect(db) as connection:
        while not stop.is_set():
            week = (week + 1) % 100
            with suppress(*PASSING):
                turn_over_week(connection, week)
            stop.wait(0.5)


def turn_over_week(connection: psycopg.Connection, week: int) -> None:
    """A week of 2015 and later: its bars, their order by the key, its end."""
    connection.execute(
        "INSERT INTO market_data (timestamp, symbol, timeframe, open, high, low, close,"
        " volume) SELECT timestamptz '2015-01-05 UTC'"
        " + make_interval(weeks => %s, mins => n), 'CHUNK', 'M1', 1, 1, 1, 1, 1"
        " FROM generate_series(0, 4999) AS n"
        " ON CONFLICT DO NOTHING",
        [week],
    )
    chunks = connection.execute(
        "SELECT show_chunks('market_data', older_than => interval '9 years')"
    ).fetchall()
    for (chunk,) in chunks:
        (index,) = connection.execute(
            "SELECT indexrelid::regclass::text FROM pg_index"
            " WHERE indrelid = %s::regclass ORDER BY indisunique DESC LIMIT 1",
            [chunk],
        ).fetchone()
        connection.execute(f"CLUSTER {chunk} USING {index.rpartition('.')[2]}")
    connection.execute("SELECT drop_chunks('market_data', older_than => interval '9 years')")


def report(server: Server, db: str, stop: threading.Event) -> None:
    """All metrics measured again and a report drawn; of the base its one view of results."""
    while not stop.is_set():
        with server.connect(db) as connection:
            if db == "base":
                # after the mix it takes half a minute
                connection.execute("SET statement_timeout = '10s'")
                with suppress(psycopg.errors.QueryCanceled):
                    connection.execute("SELECT * FROM user_trading_stats").fetchall()
            else:
                connection.execute(
                    "SELECT refresh_performance_metrics(now() - interval '1 year', now())"
                )
        if db != "base":
            subprocess.run(
                [sys.executable, ROOT / "scripts/report.py", "--user", "1001",
                 "--out", server.folder / "report.html", "--dsn", server.dsn(db)],
                capture_output=True, check=True,
            )  # fmt: skip
        stop.wait(1)


def bring_prices(server: Server, db: str, stop: threading.Event) -> None:
    """500 bars a second, and of ours 5,000 ticks: the base has no place for ticks."""
    number = 0
    with server.connect(db) as connection:
        while not stop.is_set():
            began = time.monotonic()
            connection.execute(
                "INSERT INTO market_data (timestamp, symbol, timeframe, open, high, low, close,"
                " volume) SELECT date_trunc('minute', now()) - %(n)s * interval '1 minute',"
                " 'S' || n, 'M1', 1, 1, 1, 1, 1 FROM generate_series(1, %(bars)s) AS n"
                " ON CONFLICT DO NOTHING",
                {"n": number % 10000, "bars": BARS},
            )
            if db == "ours":
                connection.execute(
                    "INSERT INTO market_ticks (symbol, timestamp, bid, ask)"
                    " SELECT 'S' || n %% 50, clock_timestamp() + n * interval '1 microsecond', 1, 1"
                    " FROM generate_series(1, %s) AS n",
                    [TICKS],
                )
            number += 1
            stop.wait(max(0, began + 1 - time.monotonic()))


TROUBLES: dict[str, tuple[Work, ...]] = {
    "nothing": (),
    "an old snapshot": (hold_snapshot,),
    "a dump": (back_up,),
    "30 changes of the schema": (change_schema,),
    "chunks made, clustered, dropped": (change_chunks,),
    "metrics and a report": (report,),
    "500 bars and 5,000 ticks a second": (bring_prices,),
}
TROUBLES["all together"] = tuple(work for works in TROUBLES.values() for work in works)


@contextmanager
def beside(server: Server, db: str, works: tuple[Work, ...], after: float) -> Iterator[None]:
    """The works in threads of their own, begun after so many seconds and all told to end together:
    a change may wait for the snapshot beside it. An error of one is the benchmark's.
    """
    stop, failed = threading.Event(), []

    def go(work: Work) -> None:
        try:
            if not stop.wait(after):
                work(server, db, stop)
        except Exception as error:
            failed.append(f"{work.__name__} on {db}: {str(error).splitlines()[0]}")

    threads = [threading.Thread(target=go, args=[work]) for work in works]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    if failed:
        raise Failure(failed[0])
