"""Loads and databases that the benchmarks share: the base and ours side by side, under pgbench."""

from __future__ import annotations

import os
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scripts"))

from pooler import pooling
from rubi import connecting
from rubi.cli import Failure
from rubi.deploying import applying, history, sqlfiles
from server import Server, running

# The API's mix: script and its share in percent.
MIX = {
    "position_update": 50,
    "open_positions": 20,
    "pending_signals": 15,
    "signal_insert": 10,
    "snapshot_insert": 5,
}
ORDERS = 20_000


class Figures(NamedTuple):
    """What a round gave."""

    rate: float
    """Transactions a second."""
    cpu: float
    """Processor time of the server for a transaction, in microseconds; 0 where unknown."""


def copy_database(server: Server, name: str, template: str, locale: str = "") -> None:
    """A database copied from another one; of template0 in another locale, given in words of SQL."""
    with server.connect() as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" {locale}')


def execute_file(server: Server, database: str, path: Path) -> None:
    """Run a plain SQL file in one transaction, as superuser."""
    with server.connect(database) as connection, connection.transaction():
        connection.execute("SET LOCAL client_min_messages = error")
        connection.execute(path.read_text())


def make_pair(server: Server) -> None:
    """The databases base and ours, installed and with the same rows."""
    make_administrator(server)
    for name in ("ours", "base"):
        make_empty(server, name)
    install_ours(server, "ours")
    execute_file(server, "base", HERE / "base.sql")
    for name in ("base", "ours"):
        execute_file(server, name, HERE / "data.sql")
        vacuum(server, name)


def make_administrator(server: Server) -> None:
    """rubi_admin as a managed service makes it: no superuser, may hand on pg_monitor."""
    with server.connect() as connection:
        connection.execute("CREATE ROLE rubi_admin LOGIN CREATEDB CREATEROLE")
        connection.execute("GRANT pg_monitor TO rubi_admin WITH ADMIN OPTION")


def make_empty(server: Server, name: str, locale: str = "") -> None:
    """A database as a provider makes it: with the extensions, owned by the administrator."""
    copy_database(server, name, "template0", locale)
    with server.connect(name) as connection:
        connection.execute("SET client_min_messages = error")
        for extension in ("timescaledb", "uuid-ossp", "pg_stat_statements"):
            connection.execute(f'CREATE EXTENSION "{extension}"')
        connection.execute(f'ALTER DATABASE "{name}" OWNER TO rubi_admin')


def install_ours(server: Server, name: str) -> None:
    """Deploy the repository's files."""
    with connecting.connect(server.dsn(name, "rubi_admin")) as connection:
        for file, _ in history.due(sqlfiles.read_files(), history.applied(connection)):
            applying.apply_file(connection, file)


@contextmanager
def deployed(major: int, settings: dict[str, str] | None = None) -> Iterator[Server]:
    """A server with our files in its database ours, on a disk and with fsync as users have it."""
    with running(major, settings or {}) as server:
        make_administrator(server)
        make_empty(server, "ours")
        install_ours(server, "ours")
        yield server


def vacuum(server: Server, name: str) -> None:
    """Statistics and visibility as autovacuum would leave them."""
    with server.connect(name) as connection:
        connection.execute("VACUUM ANALYZE")


def pgbench(
    server: Server,
    database: str,
    clients: int,
    *arguments: str,
    warming: int = 0,
    through_pool: bool = False,
    settings: str = "",
) -> Figures:
    """Run as rubi_app, directly or through PgBouncer; the rate is without connecting.

    The first seconds may be left out of the rate as warming, not out of processor time. settings
    are the server's for these connections, as PGOPTIONS takes them.
    """
    before = server.cpu_seconds()
    direct = nullcontext({"PGHOST": str(server.folder), "PGUSER": "rubi_app"})
    with pooling(str(server.folder), 5432, database) if through_pool else direct as variables:
        done = subprocess.run(
            [server.programs / "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2",
             *(["-P", "1"] if warming else []), *arguments, database],
            capture_output=True, text=True,
            env=os.environ | {"LC_ALL": "C.UTF-8", "PGOPTIONS": settings} | variables,
        )  # fmt: skip
    rate = re.search(r"^tps = ([\d.]+) ", done.stdout, flags=re.MULTILINE)
    count = re.search(r"transactions actually processed: (\d+)", done.stdout)
    if done.returncode or not rate or not count:
        raise Failure(
            f"pgbench on {database}: {(done.stderr.strip() or 'no rate').splitlines()[0]}"
        )
    cpu = (server.cpu_seconds() - before) * 1e6 / int(count[1])
    if not warming:
        return Figures(float(rate[1]), cpu)
    every_second = re.findall(r"^progress: ([\d.]+) s, ([\d.]+) tps", done.stderr, re.MULTILINE)
    warm = [float(tps) for second, tps in every_second if float(second) > warming + 0.5]
    return Figures(statistics.mean(warm), cpu)


def mix_scripts() -> list[str]:
    """Arguments of pgbench for the API's mix."""
    return [f"-f{HERE / name}.sql@{share}" for name, share in MIX.items()]


def run_mix(
    server: Server,
    database: str,
    clients: int,
    seconds: int,
    *,
    warming: int = 0,
    through_pool: bool = False,
) -> Figures:
    """Rate of the API's mix over some seconds after warming."""
    return pgbench(
        server, database, clients, "-T", str(warming + seconds), *mix_scripts(),
        warming=warming, through_pool=through_pool,
    )  # fmt: skip


def run_closing(server: Server, database: str, clients: int, seconds: int) -> Figures:
    """Rate of closing orders: about a thousand for each second asked for, at most all."""
    execute_file(server, database, HERE / "reopen_orders.sql")
    with server.connect(database) as connection:
        connection.execute("VACUUM trading_orders")
    share = min(ORDERS, 1000 * seconds) // clients
    return pgbench(
        server, database, clients, "-t", str(share),
        "-D", f"share={share}", "-D", "done=0", "-f", str(HERE / "order_close.sql"),
    )  # fmt: skip


def in_turn(names: tuple[str, ...], rounds: int) -> Iterator[str]:
    """Each database once a round, every second round backwards."""
    for number in range(rounds):
        yield from names if number % 2 == 0 else reversed(names)


def ratio(figures: list[Figures], others: list[Figures]) -> float:
    """Median of the ratios of the rounds' rates."""
    return statistics.median(a.rate / b.rate for a, b in zip(figures, others, strict=True))
