"""What the rules cost: the API's mix and the closing of orders, with and without each kind.

Starts a server of its own, measures the base, ours, and ours without each kind of rule in turn, in
alternating rounds, and writes benchmarks/results/rules.md and rules.json.
"""

from __future__ import annotations

import json
import os
import platform
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "scripts"))

import deploy
import embedded
from cli import Failure, console, new_app, run, step
from server import Server, running

# The API's mix: script and its share in percent.
MIX = {
    "position_update": 50,
    "open_positions": 20,
    "pending_signals": 15,
    "signal_insert": 10,
    "snapshot_insert": 5,
}
KINDS = ("checks", "audit", "counters", "ownership", "status", "notify")
ORDERS = 20_000
# Database: the kinds of rules taken out of ours.
DATABASES: dict[str, tuple[str, ...]] = {
    "base": (),
    "ours": (),
    **{f"without_{kind}": (kind,) for kind in KINDS},
    "without_any": KINDS,
}
# Rules that closing an order touches.
CLOSING = ("base", "ours", "without_audit", "without_counters", "without_checks", "without_any")


class Figures(NamedTuple):
    """What a round gave."""

    rate: float
    """Transactions a second."""
    cpu: float
    """Processor time of the server for a transaction, in microseconds; 0 where unknown."""


def prepare_database(server: Server, name: str, template: str) -> None:
    """A database copied from another one."""
    with server.connect() as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"')


def execute_file(server: Server, database: str, path: Path) -> None:
    """Run a plain SQL file in one transaction, as superuser."""
    with server.connect(database) as connection, connection.transaction():
        connection.execute("SET LOCAL client_min_messages = error")
        connection.execute(path.read_text())


def make_databases(server: Server) -> None:
    """Base and ours with the same rows, and copies of ours without a kind of rule."""
    with server.connect() as connection:
        connection.execute("CREATE ROLE rubi_admin LOGIN CREATEDB CREATEROLE")
        connection.execute("GRANT pg_monitor TO rubi_admin WITH ADMIN OPTION")
    for name in ("ours", "base"):
        prepare_database(server, name, "template0")
        with server.connect(name) as connection:
            connection.execute("SET client_min_messages = error")
            for extension in ("timescaledb", "uuid-ossp", "pg_stat_statements"):
                connection.execute(f'CREATE EXTENSION "{extension}"')
            if name == "ours":
                connection.execute("ALTER DATABASE ours OWNER TO rubi_admin")
    with deploy.connect(server.dsn("ours", "rubi_admin")) as connection:
        for file, _ in deploy.due(deploy.read_files(), deploy.applied(connection)):
            deploy.apply_file(connection, file)
    execute_file(server, "base", HERE / "base.sql")
    for name in ("base", "ours"):
        execute_file(server, name, HERE / "data.sql")
    for name, kinds in DATABASES.items():
        if kinds:
            prepare_database(server, name, "ours")
            for kind in kinds:
                execute_file(server, name, HERE / f"without/{kind}.sql")
    for name in DATABASES:
        with server.connect(name) as connection:
            connection.execute("VACUUM ANALYZE")


def pgbench(server: Server, database: str, clients: int, *arguments: str) -> Figures:
    """Run as rubi_app; the rate leaves the time of connecting out."""
    before = server.cpu_seconds()
    done = subprocess.run(
        [server.programs / "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2",
         "-h", server.folder, "-U", "rubi_app", *arguments, database],
        capture_output=True, text=True,
        env=os.environ | {"LC_ALL": "C.UTF-8", "PGOPTIONS": ""},
    )  # fmt: skip
    rate = re.search(r"^tps = ([\d.]+) ", done.stdout, flags=re.MULTILINE)
    count = re.search(r"transactions actually processed: (\d+)", done.stdout)
    if done.returncode or not rate or not count:
        raise Failure(
            f"pgbench on {database}: {(done.stderr.strip() or 'no rate').splitlines()[0]}"
        )
    return Figures(float(rate[1]), (server.cpu_seconds() - before) * 1e6 / int(count[1]))


def run_mix(server: Server, database: str, clients: int, seconds: int) -> Figures:
    """Rate of the API's mix."""
    scripts = [f"-f{HERE / name}.sql@{share}" for name, share in MIX.items()]
    return pgbench(server, database, clients, "-T", str(seconds), *scripts)


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


def measure(
    server: Server, clients: int, seconds: int, rounds: int
) -> dict[str, dict[str, list[Figures]]]:
    """Figures of all rounds by load and database."""
    figures: dict[str, dict[str, list[Figures]]] = {}
    for load, work, names in (
        ("mix", run_mix, tuple(DATABASES)),
        ("closing", run_closing, CLOSING),
    ):
        figures[load] = {name: [] for name in names}
        with step(f"{load}: {rounds} rounds of {len(names)} databases"):
            for name in in_turn(names, rounds):
                with server.connect() as connection:
                    connection.execute("CHECKPOINT")
                figures[load][name].append(work(server, name, clients, seconds))
    return figures


def ratio(figures: list[Figures], others: list[Figures]) -> float:
    """Median of the ratios of the rounds' rates."""
    return statistics.median(a.rate / b.rate for a, b in zip(figures, others, strict=True))


def table(figures: dict[str, list[Figures]]) -> list[str]:
    """Markdown rows: rate with its range, ratio to the base, what the rules left out cost ours."""
    lines = [
        "| database | transactions a second, median (range) | rate to base "
        "| rate the rules left out cost | server's CPU a transaction, µs "
        "| CPU the rules left out cost, µs |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    cpu = {name: statistics.median(f.cpu for f in rounds) for name, rounds in figures.items()}
    for name, rounds in figures.items():
        rates = [f.rate for f in rounds]
        lost = cost = ""
        if name not in ("base", "ours"):
            lost = f"{1 - ratio(figures['ours'], rounds):.1%}"
            cost = f"{cpu['ours'] - cpu[name]:.0f}"
        lines.append(
            f"| {name.replace('_', ' ')} | {statistics.median(rates):,.0f} "
            f"({min(rates):,.0f} to {max(rates):,.0f}) | {ratio(rounds, figures['base']):.2f} "
            f"| {lost} | {cpu[name]:.0f} | {cost} |"
        )
    return lines


def facts(server: Server) -> dict[str, str]:
    """Machine and versions; nothing that names the machine."""
    with server.connect("ours") as connection:
        postgresql, timescaledb, commit, fsync = connection.execute(
            "SELECT current_setting('server_version'), extversion,"
            " current_setting('synchronous_commit'), current_setting('fsync')"
            " FROM pg_extension WHERE extname = 'timescaledb'"
        ).fetchone()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "PostgreSQL": postgresql.split()[0],
        "TimescaleDB": timescaledb,
        "fsync": fsync,
        "synchronous_commit": commit,
        "load average before": f"{os.getloadavg()[0]:.1f}",
    }


def report(result: dict) -> str:
    """The page."""
    run_facts = ", ".join(f"{name} {value}" for name, value in result["facts"].items())
    closing = result["figures"]["closing"]
    return "\n".join(
        [
            "# What the rules cost",
            "",
            "Made by `benchmarks/rules.py`. All databases in one run on one server, in "
            f"{result['rounds']} alternating rounds; ratios are medians of the rounds' ratios. "
            f"pgbench as rubi_app over a local socket, {result['clients']} connections, 2 threads, "
            "prepared statements. pgbench shares the machine's cores with the server.",
            "",
            f"{run_facts}.",
            "",
            f"## The API's mix, {result['seconds']} s a round",
            "",
            "50 % position updates, 20 % open positions of a session, 15 % pending signals of a "
            "user, 10 % signal inserts, 5 % snapshot inserts.",
            "",
            *table(result["figures"]["mix"]),
            "",
            "## Closing orders",
            "",
            *table(closing),
            "",
            "Closing loses "
            f"{1 - ratio(closing['ours'], closing['without_audit']):.1%} of its rate by the audit "
            "trail; 30 % are allowed.",
            "",
        ]
    )


app = new_app(__doc__)


@app.command()
def measure_rules(
    quick: Annotated[bool, typer.Option(help="One round of one second: does it run?")] = False,
    rounds: Annotated[int, typer.Option(min=1, max=20)] = 5,
    seconds: Annotated[int, typer.Option(min=1, max=60, help="Length of a round.")] = 6,
    clients: Annotated[int, typer.Option(min=1, max=100)] = 16,
    synchronous_commit: Annotated[bool, typer.Option(help="Wait for the disk.")] = True,
    pg: Annotated[int, typer.Option(help="Major version.")] = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="Folder for rules.md and .json.")] = HERE / "results",
) -> None:
    """Measure, show the tables, write them."""
    if quick:
        rounds = seconds = 1
    settings = {"synchronous_commit": "on" if synchronous_commit else "off"}
    with running(pg, settings) as server:
        with step(f"{len(DATABASES)} databases made"):
            make_databases(server)
        result = {"facts": facts(server), "clients": clients, "rounds": rounds, "seconds": seconds}
        result["figures"] = measure(server, clients, seconds, rounds)
    page = report(result)
    output.mkdir(parents=True, exist_ok=True)
    (output / "rules.md").write_text(page)
    (output / "rules.json").write_text(json.dumps(result, indent=2) + "\n")
    console.print(page, markup=False)


if __name__ == "__main__":
    run(app)
