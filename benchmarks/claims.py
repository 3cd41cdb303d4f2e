"""Signals claimed by many workers, while nobody and while somebody holds a snapshot.

Starts a server of its own. pgbench's clients are the workers, each with an account of its own; all
accounts are of one user, so that all workers take from one lane. A producer stores signals as they
are taken. Each load runs twice, with and without a session that holds a snapshot from before the
first claim; the figures are claims by their own times. Writes benchmarks/results/claims.md and
claims.json.
"""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import psycopg
import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import pages
from loads import deployed
from rubi.cli import new_app, run, step
from rubi.servers import embedded
from server import Server

BACKLOG, STORED, PRODUCERS = 20_000, 1_000, 2
PARTS = 6
ACCOUNT = "\\set account :first + :client_id\n"
# a worker that finds nothing looks again a moment later, as workers do
WAIT = "\\gset\n\\if :found = 0\n\\sleep 100 ms\n\\endif\n"
CLAIMED = "SELECT count(*) AS found FROM claim_signals(:account, 'worker', {limit}, '1 hour')\n"
SETTLED = (
    "SELECT count(settle_signal(claim_id, 'REJECTED')) AS found"
    " FROM claim_signals(:account, 'worker', {limit}, '1 hour')\n"
)
# name: limit of a call, statement
LOADS = {
    "claims, 50 a call": (50, CLAIMED),
    "claims, 1 a call": (1, CLAIMED),
    "claimed and settled, 50 a call": (50, SETTLED),
}
STORE = (
    "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time)"
    " SELECT %s, 'EURUSD', 'BUY', 0.1, now() FROM generate_series(1, %s)"
)


def make_users(connection: psycopg.Connection, workers: int) -> tuple[int, int]:
    """A user with an account for each worker; answers the user and the first account."""
    (user,) = connection.execute(
        "INSERT INTO users (email, username, hashed_password) SELECT n || '@example.com',"
        " 'trader' || n, '!' FROM (SELECT count(*) AS n FROM users) AS u RETURNING id"
    ).fetchone()
    accounts = connection.execute(
        "INSERT INTO mt5_accounts (user_id, server, account_number, broker)"
        " SELECT %s, 'Server', n, 'Broker' FROM generate_series(1, %s) AS n RETURNING id",
        [user, workers],
    ).fetchall()
    return user, min(id for (id,) in accounts)


@contextmanager
def producer(server: Server, database: str, user: int) -> Iterator[None]:
    """Keeps signals waiting for the workers, and lets the schedule's procedure run each minute."""
    ended = threading.Event()

    def store() -> None:
        with server.connect(database) as connection:
            while not ended.is_set():
                (waits,) = connection.execute(
                    "SELECT count(*) FROM (SELECT FROM internal.find_signal_mark(-%(user)s) AS m"
                    " JOIN internal.signal_queue AS q ON q.lane = -%(user)s AND q.attempt = 1"
                    " AND (q.ready_at, q.id) > (m.ready_at, m.entry_id)"
                    # not the chances that come when leases end: one for each claim made so far
                    " AND q.ready_at <= statement_timestamp() LIMIT %(most)s) AS t",
                    {"user": user, "most": BACKLOG},
                ).fetchone()
                if waits < BACKLOG:
                    connection.execute(STORE, [user, STORED])
                else:
                    ended.wait(0.05)

    def expire() -> None:
        with server.connect(database) as connection:
            while not ended.wait(60):
                connection.execute("CALL expire_signals()")

    with server.connect(database) as connection:
        connection.execute(STORE, [user, BACKLOG])
        connection.execute("ANALYZE")
    threads = [threading.Thread(target=work) for work in (expire, *[store] * PRODUCERS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join(60)


@contextmanager
def held_snapshot(server: Server, database: str) -> Iterator[None]:
    """A session that has read and goes on reading what was there."""
    with server.connect(database) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        connection.execute("SELECT count(*) FROM users")
        yield
        connection.execute("COMMIT")


def measure(
    server: Server, database: str, load: str, workers: int, seconds: int, held: bool
) -> dict[str, object]:
    """Claims a second in each part of the run, and processor time of the server for each."""
    limit, statement = LOADS[load]
    with server.connect(database) as connection:
        user, first = make_users(connection, workers)
    script = server.folder / "claims.sql"
    script.write_text(ACCOUNT + statement.format(limit=limit) + WAIT)
    before = server.cpu_seconds()
    with (
        held_snapshot(server, database) if held else nullcontext(),
        producer(server, database, user),
    ):
        start = time.time()
        done = subprocess.run(
            [server.programs / "pgbench", "-n", "-M", "prepared", "-j", "2", "-c", str(workers),
             "-T", str(seconds), "-D", f"first={first}", "-f", script,
             server.dsn(database, "rubi_ingest")],
            capture_output=True, text=True,
        )  # fmt: skip
    if done.returncode:
        raise SystemExit(done.stderr)
    with server.connect(database) as connection:
        counts = connection.execute(
            "SELECT n.part, count(c.id) FROM generate_series(0, %(parts)s - 1) AS n (part)"
            " LEFT JOIN signal_claims AS c ON c.lane = -%(user)s AND n.part = floor("
            " (extract(epoch FROM c.claimed_at) - %(start)s) * %(parts)s / %(seconds)s)"
            " GROUP BY n.part ORDER BY n.part",
            {"parts": PARTS, "user": user, "start": start, "seconds": seconds},
        ).fetchall()
        twice = connection.execute(
            "SELECT count(*) FROM (SELECT FROM signal_claims WHERE lane = -%s"
            " GROUP BY signal_id, attempt HAVING count(*) > 1) AS t",
            [user],
        ).fetchone()[0]
    rates = [round(count * PARTS / seconds) for _, count in counts]
    claims = sum(count for _, count in counts)
    return {
        "load": load, "held": held, "rates": rates, "claims": claims, "twice": twice,
        "cpu": round((server.cpu_seconds() - before) / max(claims, 1) * 1e6),
    }  # fmt: skip


def report(result: dict) -> str:
    """The page."""
    part = result["seconds"] / PARTS
    lines = [
        "# Claims of signals",
        "",
        f"Made by `benchmarks/claims.py`: {result['workers']} workers on accounts of one user,"
        f" {result['seconds']} seconds a row, {part:.0f} a part; a producer stores signals as they"
        " are taken, on the same cores. With a snapshot held since before the first claim no dead"
        " row can be removed: the parts would fall one after the other if anything read them.",
        "",
        pages.said(result["facts"]),
        *pages.heading(
            "Claims a second", "load", "snapshot", "by part", "claims", "claimed twice",
            "server's CPU a claim with the signal's storing, µs",
        ),
    ]  # fmt: skip
    lines += [
        f"| {row['load']} | {'held' if row['held'] else 'none'}"
        f" | {', '.join(f'{rate:,}' for rate in row['rates'])} | {row['claims']:,}"
        f" | {row['twice']} | {row['cpu']} |"
        for row in result["rows"]
    ]
    return "\n".join([*lines, ""])


app = new_app(__doc__)


@app.command()
def measure_claims(
    quick: Annotated[bool, typer.Option(help="Two seconds a row: does it run?")] = False,
    seconds: Annotated[int, typer.Option(min=2, max=3600, help="Length of a row.")] = 60,
    workers: Annotated[int, typer.Option(min=1, max=90)] = 50,
    only: Annotated[str, typer.Option(help="This load only.")] = "",
    held_only: Annotated[bool, typer.Option(help="Only with the snapshot.")] = False,
    output: Annotated[Path, typer.Option(help="Folder of the page.")] = pages.RESULTS,
) -> None:
    """Measure each load with and without a snapshot."""
    seconds = 2 if quick else seconds
    with deployed(embedded.DEFAULT_MAJOR, {"max_connections": "120"}) as server:
        with server.connect("ours") as connection:
            facts = pages.facts(connection)
        rows = []
        for load in LOADS:
            for held in (True,) if held_only else (False, True):
                if only in load:
                    with step(f"{load}, {'with' if held else 'without'} a snapshot"):
                        rows.append(measure(server, "ours", load, workers, seconds, held))
    result = {"facts": facts, "seconds": seconds, "workers": workers, "rows": rows}
    page = report(result)
    pages.write(output, "claims", page, result)


if __name__ == "__main__":
    run(app)
