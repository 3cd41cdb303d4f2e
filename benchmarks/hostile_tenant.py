"""Others' latency while one tenant does what it may as often and as dearly as it can.

One server of 2 cores: 8 connections do the API's mix at 200 requests a second, first alone, then
beside a tenant that reads all its views, measures twenty years, writes and deletes signals in
thousands and changes all its rows; at last beside one that sends SQL of its own and locks a table,
which DELETE brings (docs/guides/security.md). Prints milliseconds; wanted is a p99 below 50.

The tenant works for a while before anything is measured, and a checkpoint follows: on a server just
made each 16 MB of WAL are a new file that is filled and flushed first (wait event WalInitSync),
which stops everybody's commits; a server that has run for a day writes into its old files again.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated

import psycopg
import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

from loads import execute_file, install_ours, make_empty, mix_scripts, vacuum
from rubi.cli import Failure, console, new_app, run, step
from rubi.deploying import open_rights
from rubi.servers import embedded
from server import Server, running

USER = 2001
DEAR = (
    "SELECT * FROM closed_trades",
    "SELECT * FROM trade_series",
    "SELECT * FROM account_risk",
    "SELECT count(*) FROM my_account_snapshots AS a, my_account_snapshots AS b",
    "SELECT * FROM calculate_performance_metrics(app_user_id(), NULL, '2006-01-01', '2026-01-01')",
    "SELECT o.* FROM trading_orders AS o, trading_signals AS s ORDER BY random() LIMIT 10",
    "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time, indicators)"
    " SELECT app_user_id(), 'EURUSD', 'BUY', 1, now(), jsonb_build_object('x', repeat('x', 1000))"
    " FROM generate_series(1, 5000)",
    "UPDATE trading_signals SET confidence = 0.5",
    "UPDATE trading_positions SET profit = profit + 1",
    "DELETE FROM trading_signals WHERE indicators ? 'x'",
)
LOCKS = ("LOCK TABLE trading_signals IN ACCESS EXCLUSIVE MODE", "SELECT pg_sleep(0.5)")
# how a statement of its own may end: others are not to notice
ENDED = (
    psycopg.errors.QueryCanceled, psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected,
)  # fmt: skip

app = new_app(__doc__)
app.info.no_args_is_help = False


def attack(dsn: str, statements: tuple[str, ...], stop: threading.Event, alone: bool) -> None:
    """As the tenant, one statement a transaction or all in one, until told to stop."""
    groups = [[each] for each in statements] if alone else [statements]
    with psycopg.connect(dsn, autocommit=True) as connection:
        while not stop.is_set():
            for group in groups:
                with (
                    suppress(*ENDED),
                    connection.transaction(),
                ):
                    connection.execute("SET LOCAL ROLE rubi_tenant")
                    connection.execute(f"SELECT set_config('app.user_id', '{USER}', TRUE)")
                    for statement in group:
                        connection.execute(statement)
                if stop.is_set():
                    return


@contextmanager
def attacked(server: Server, connections: int, statements: tuple[str, ...]) -> Iterator[None]:
    """The tenant at work, on so many connections."""
    stop = threading.Event()
    dsn = server.dsn("ours", "rubi_app")
    threads = [
        threading.Thread(target=attack, args=[dsn, statements, stop, statements is DEAR])
        for _ in range(connections)
    ]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def measured(server: Server, seconds: int) -> list[float]:
    """Milliseconds of each request from when it was due, sorted."""
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            [server.programs / "pgbench", "-n", "-M", "prepared", "-c", "8", "-j", "2",
             "-T", str(seconds), "-R", "200", "-l", f"--log-prefix={folder}/log",
             *mix_scripts(), "ours"],
            env=os.environ | {"PGHOST": str(server.folder), "PGUSER": "rubi_app"},
            capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            raise Failure(f"pgbench: {done.stderr.strip().splitlines()[-1]}")
        lines = [line for path in Path(folder).iterdir() for line in path.open()]
    return sorted(int(line.split()[2]) / 1000 for line in lines)


def say(name: str, times: list[float]) -> None:
    """A line of the table."""
    p50, p95, p99 = (times[int(len(times) * share)] for share in (0.5, 0.95, 0.99))
    console.print(
        f"| {name} | {p50:.1f} | {p95:.1f} | {p99:.1f} | {times[-1]:.0f} | {len(times):,} |",
        soft_wrap=True,
    )


@app.callback(invoke_without_command=True)
def main(
    seconds: Annotated[int, typer.Option(min=1, help="Of each of the loads")] = 60,
    connections: Annotated[int, typer.Option(min=1, help="Of the tenant")] = 2,
    major: Annotated[int, typer.Option(help="PostgreSQL")] = embedded.DEFAULT_MAJOR,
) -> None:
    """Measure and print."""
    with running(major, {}) as server:
        with step("database with 50 users"):
            with server.connect() as connection:
                connection.execute("CREATE ROLE rubi_admin LOGIN CREATEDB CREATEROLE")
            make_empty(server, "ours")
            install_ours(server, "ours")
            with server.connect("ours") as connection:
                open_rights.close(connection)
            execute_file(server, "ours", HERE / "data.sql")
            execute_file(server, "ours", HERE / "hostile_tenant.sql")
            vacuum(server, "ours")
        with step("files of WAL, as a server has them that has run for a day"):
            with attacked(server, connections, DEAR):
                measured(server, seconds)
            with server.connect() as connection:
                connection.execute("CHECKPOINT")
        console.print("| beside | p50 | p95 | p99 | longest | requests |")
        console.print("| --- | --- | --- | --- | --- | --- |")
        say("nobody", measured(server, seconds))
        with attacked(server, connections, DEAR):
            say(f"a tenant's {connections} connections", measured(server, seconds))
        with attacked(server, 1, LOCKS):
            say("a tenant that locks a table", measured(server, seconds))


if __name__ == "__main__":
    run(app)
