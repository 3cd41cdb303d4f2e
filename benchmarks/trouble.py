"""The API's mix while something else goes on, on the base and on ours in turn.

1,000 requests a second from 180 connections, direct and through PgBouncer, beside each trouble:
an old snapshot, a backup, thirty changes of the schema, chunks made, clustered and dropped, metrics
and a report, bars and ticks coming in, all of these together. Milliseconds of a request count from
when it was due. Writes benchmarks/results/trouble.md and trouble.json.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NamedTuple

import psycopg
import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import pages
from loads import make_pair, mix_scripts, pgbench, vacuum
from rubi import ROOT
from rubi.cli import Failure, new_app, run, step
from rubi.deploying import locks
from rubi.servers import embedded
from server import Server, running

PAIR = ("base", "ours")
# Until 180 connections have read the catalog and prepared the mix, and until they have ended, s.
WARMING, LEAVING = 20, 3
BARS, TICKS = 500, 5000
CHANGED = ("trading_positions", "trading_signals", "trading_orders", "users", "trading_strategies")
WATCHED = ("trading_positions", "mt5_sessions")
# what a change may meet: tried again, as the runner does
PASSING = (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected)


class Round(NamedTuple):
    """Of one load: milliseconds, and pages of the tables that are updated all the time."""

    p50: float
    p95: float
    p99: float
    p999: float
    longest: float
    requests: int
    growth: float
    """Pages after to pages before, the larger of both tables."""


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


def pages_of(server: Server, db: str) -> list[int]:
    """Pages of the tables that are updated all the time."""
    with server.connect(db) as connection:
        return [
            connection.execute("SELECT pg_relation_size(%s) / 8192", [name]).fetchone()[0]
            for name in WATCHED
        ]


def measure(
    server: Server,
    db: str,
    works: tuple[Work, ...],
    seconds: int,
    clients: int,
    through_pool: bool,
    warming: int,
) -> Round:
    """One load beside the works, which begin after warming; vacuumed before."""
    vacuum(server, db)
    before = pages_of(server, db)
    with tempfile.TemporaryDirectory() as folder, beside(server, db, works, warming):
        pgbench(
            server, db, clients, "-T", str(warming + seconds + LEAVING), "-R", "1000", "-l",
            "--log-prefix", f"{folder}/log", *mix_scripts(), through_pool=through_pool,
        )  # fmt: skip
        # client, transaction, latency from when it was due in microseconds, script, second, ...
        requests = [
            (int(second), int(latency) / 1000)
            for path in Path(folder).iterdir()
            for _, _, latency, _, second, *_ in map(str.split, path.read_text().splitlines())
        ]
    first = min(second for second, _ in requests) + warming
    times = sorted(t for second, t in requests if first <= second < first + seconds)
    shares = [times[int(len(times) * share)] for share in (0.5, 0.95, 0.99, 0.999)]
    after = pages_of(server, db)
    growth = max(b / max(a, 1) for a, b in zip(before, after, strict=True))
    return Round(*shares, times[-1], len(times), growth)


app = new_app(__doc__)


@app.command()
def measure_trouble(
    quick: Annotated[bool, typer.Option(help="Small and short: does it run?")] = False,
    only: Annotated[str, typer.Option(help="Those whose names hold one of these, by commas")] = "",
    seconds: Annotated[int, typer.Option(min=1, help="Of each load, after 20 s of warming")] = 60,
    clients: Annotated[int, typer.Option(min=1, help="Connections")] = 180,
    pg: Annotated[int, typer.Option(help="Major version")] = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="Folder for the page and JSON")] = pages.RESULTS,
) -> None:
    """Measure, show the table, write it."""
    chosen = {
        name: works
        for name, works in TROUBLES.items()
        if not only or any(part in name for part in only.split(","))
    }
    if not chosen:
        raise typer.BadParameter(f"no such trouble: {only}")
    warming = WARMING
    if quick:
        seconds, clients, warming = 3, 16, 1
    lines = pages.heading(
        f"Milliseconds, {clients} connections, {seconds} s",
        "beside", "database", "p50", "p95", "p99", "p99.9", "longest", "requests", "pages grew",
    )  # fmt: skip
    result: dict = {"rounds": []}
    with running(pg, {}) as server:
        with step("base and ours made"):
            make_pair(server)
        with server.connect("ours") as connection:
            result["facts"] = pages.facts(connection)
        with step("files of WAL, as a server has them that has run for a day"):
            for db in PAIR:
                pgbench(server, db, 16, "-T", str(seconds), *mix_scripts())
            with server.connect() as connection:
                connection.execute("CHECKPOINT")
        try:
            for name, works in chosen.items():
                with step(name):
                    for through_pool in (False, True):
                        for db in PAIR:
                            found = measure(
                                server, db, works, seconds, clients, through_pool, warming
                            )
                            said = f"{db}, through PgBouncer" if through_pool else db
                            lines.append(row(name, said, found))
                            result["rounds"].append([name, said, *found])
        finally:
            # half an hour of rounds is not lost with the one that fails
            write_page(output, lines, result)


def row(name: str, said: str, found: Round) -> str:
    """A round as a line of the table."""
    return (
        f"| {name} | {said} | {found.p50:.1f} | {found.p95:.1f} | {found.p99:.1f}"
        f" | {found.p999:.1f} | {found.longest:.0f} | {found.requests:,} | {found.growth:.1f} |"
    )


def write_page(output: Path, lines: list[str], result: dict) -> None:
    """The page and its JSON."""
    page = [
        "# The API's mix beside trouble",
        "",
        "Made by `benchmarks/trouble.py`: 1,000 requests a second, base and ours on one server, "
        "in turn. Wanted of ours: p99 below 10 ms beside each, 25 ms beside all together, "
        "nothing longer than 500 ms.",
        "",
        pages.said(result["facts"]),
        *lines,
        "",
    ]
    pages.write(output, "trouble", "\n".join(page), result)


if __name__ == "__main__":
    run(app)
