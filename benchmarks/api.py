"""The API's work on the base and on ours, side by side on one server, as ratios.

Writes benchmarks/results/api.md and api.json: the mix at several numbers of connections, its
latency at a fixed rate, heartbeats, orders, user_trading_stats, growth, planning and deploying.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import api_reads
import pages
from loads import (
    MIX,
    in_turn,
    make_empty,
    make_pair,
    mix_scripts,
    pgbench,
    run_closing,
    run_mix,
)
from pages import Lines, heading
from rubi import ROOT
from rubi.cli import new_app, run, step
from rubi.deploying import sqlfiles
from rubi.servers import embedded
from server import Server, running

PAIR = ("base", "ours")
# Ratios to the base's rate: what must be, and the stretch.
WANTED = {
    "mix, 16 connections": "1.1, 1.4",
    "mix, 180 connections": "1.2, 1.5",
    "mix, 180 connections through PgBouncer": "1.2, 1.5",
    "heartbeat, 16 connections": "1.5, 2",
}
# Until 180 connections have read the catalog and prepared the mix, s: at full speed, and at 1,000
# requests a second, when each connection has 5 or 6 of them a second.
WARMING, SLOW_WARMING = 6, 20
# The end of 180 connections takes the processors for a moment: s that do not count at a fixed rate.
LEAVING = 3
# Rounds of 180 connections, and those at a fixed rate, are so many times as long.
LONG = 2
# A round is often 10 % off; what has a goal gets so many times as many rounds.
MORE = 2


def rates(server: Server, quick: bool, rounds: int, seconds: int) -> Lines:
    """(a), (c), (d): the mix by connections, heartbeats, closing, whole orders."""
    works: dict[str, Callable[[str], Any]] = {}
    for clients in (1, 16):
        name = f"mix, {clients} connection{'s' if clients > 1 else ''}"
        works[name] = lambda db, clients=clients: run_mix(server, db, clients, seconds)
    for name, through_pool in (
        ("mix, 180 connections", False),
        ("mix, 180 connections through PgBouncer", True),
    ):
        works[name] = lambda db, through_pool=through_pool: run_mix(
            server, db, 180, LONG * seconds, warming=WARMING, through_pool=through_pool
        )
    for script in ("heartbeat", "order_cycle"):
        works[f"{script}, 16 connections"] = lambda db, script=script: pgbench(
            server, db, 16, "-T", str(seconds), "-f", str(HERE / f"{script}.sql")
        )
    works["closing orders, 16 connections"] = lambda db: run_closing(server, db, 16, seconds)
    lines = heading(
        f"Rates, {seconds} s a round, of 180 connections {LONG * seconds} s after {WARMING};"
        f" what has a goal at 16 in {MORE} times as many rounds",
        "work", "base, a second", "ours, a second", "ratio (range)", "wanted", "HOT updates",
        "CPU ratio",
    )  # fmt: skip
    for name, work in works.items():
        figures: dict[str, list] = {db: [] for db in PAIR}
        before = hot_updates(server)
        many = MORE if name in WANTED and "180" not in name else 1
        with step(name):
            for db in in_turn(PAIR, many * rounds):
                with server.connect() as connection:
                    connection.execute("CHECKPOINT")
                figures[db].append(work(db))
        hot = share_of_hot(before, hot_updates(server))
        between = f" {WANTED.get(name, '')} | {hot} |"
        lines.append(f"| {name} | {compared(figures, between)} |")
    return lines


def not_waiting(server: Server, quick: bool, rounds: int, seconds: int) -> Lines:
    """(a), (c) once more, while no commit waits for the disk: what our statements cost."""
    lines = heading(
        "Rates from 16 connections while no commit waits for the disk;"
        f" {MORE} times as many rounds",
        "work", "base, a second", "ours, a second", "ratio (range)", "CPU ratio",
    )  # fmt: skip
    for name, scripts in (
        ("mix", mix_scripts()),
        ("heartbeat", [f"-f{HERE / 'heartbeat.sql'}"]),
    ):
        figures: dict[str, list] = {db: [] for db in PAIR}
        with step(f"{name}, not waiting for the disk"):
            for db in in_turn(PAIR, MORE * rounds):
                figures[db].append(
                    pgbench(server, db, 16, "-T", str(seconds), *scripts,
                            settings="-c synchronous_commit=off")
                )  # fmt: skip
        lines.append(f"| {name} | {compared(figures)} |")
    return lines


def compared(figures: dict[str, list], between: str = "") -> str:
    """Cells: both rates, their ratio with its range, what comes between, the ratio of CPU."""
    pairs = list(zip(figures["ours"], figures["base"], strict=True))
    ratios = [ours.rate / base.rate for ours, base in pairs]
    cpu = statistics.median(ours.cpu / base.cpu for ours, base in pairs if base.cpu)
    return (
        f"{statistics.median(base.rate for _, base in pairs):,.0f} "
        f"| {statistics.median(ours.rate for ours, _ in pairs):,.0f} "
        f"| {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f}) "
        f"|{between} {cpu:.2f}"
    )


def hot_updates(server: Server) -> dict[str, tuple[int, int]]:
    """HOT and all updates so far of the tables that change all the time."""
    with server.connect("ours") as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        found = connection.execute(
            "SELECT relname, n_tup_hot_upd, n_tup_upd FROM pg_stat_user_tables"
            " WHERE relname IN ('trading_positions', 'mt5_sessions', 'trading_orders')"
        )
        return {name: (hot, total) for name, hot, total in found}


def share_of_hot(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> str:
    """HOT share of each table that was updated in between."""
    shares = []
    for name, (hot, total) in sorted(after.items()):
        updates = total - before[name][1]
        if updates:
            shares.append(f"{name} {(hot - before[name][0]) / updates:.1%}")
    return ", ".join(shares)


def latencies(server: Server, quick: bool, rounds: int, seconds: int) -> Lines:
    """(b): the mix at 1,000 requests a second from 180 connections, with the wait for a turn."""
    lines = heading(
        "Milliseconds at 1,000 requests a second, 180 connections, "
        f"{LONG * seconds} s after {SLOW_WARMING}",
        "database", "mean", "p95", "p99 (ours wanted: 10)", "requests",
    )  # fmt: skip
    found: dict[tuple[str, bool], list[list[float]]] = {}
    with step("1,000 requests a second"):
        for db in in_turn(PAIR, min(rounds, 3)):
            for through_pool in (False, True):
                times = latencies_of_a_round(server, db, LONG * seconds, through_pool)
                found.setdefault((db, through_pool), []).append(
                    [statistics.mean(times), times[int(len(times) * 0.95)],
                     times[int(len(times) * 0.99)], len(times)]
                )  # fmt: skip
    for (db, through_pool), figures in sorted(found.items(), key=lambda item: item[0][1]):
        mean, p95, p99, count = (statistics.median(column) for column in zip(*figures, strict=True))
        name = f"{db}, through PgBouncer" if through_pool else db
        lines.append(f"| {name} | {mean:.2f} | {p95:.2f} | {p99:.2f} | {count:,.0f} |")
    return lines


def latencies_of_a_round(server: Server, db: str, seconds: int, through_pool: bool) -> list[float]:
    """Milliseconds of each request from when it was due, sorted; without the first seconds, in
    which each connection prepares its statements, and the last, in which connections end.
    """
    with tempfile.TemporaryDirectory() as folder:
        pgbench(
            server, db, 180, "-T", str(SLOW_WARMING + seconds + LEAVING), "-R", "1000", "-l",
            "--log-prefix", f"{folder}/log", *mix_scripts(), through_pool=through_pool,
        )  # fmt: skip
        # client, transaction, latency from when it was due in microseconds, script, second, ...
        requests = [
            (int(second), int(latency) / 1000)
            for path in Path(folder).iterdir()
            for _, _, latency, _, second, *_ in map(str.split, path.read_text().splitlines())
        ]
    first = min(second for second, _ in requests) + SLOW_WARMING
    return sorted(latency for second, latency in requests if first <= second < first + seconds)


def deploying(server: Server, quick: bool, rounds: int, seconds: int) -> Lines:
    """(i): the whole installation by psql and by the runner, each as a process of its own."""
    runner = [sys.executable, str(ROOT / "scripts/deploy.py"), "apply", "--dsn"]
    psql = [str(server.programs / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f",
            "install.sql", "-d"]  # fmt: skip
    taken: dict[str, list[float]] = {"psql": [], "runner": [], "nothing due": []}
    with step("deploying"):
        for number in range(2 if quick else 6):
            for name, command in (("psql", psql), ("runner", runner), ("nothing due", runner)):
                if name != "nothing due":
                    make_empty(server, f"deploy_{name}_{number}")
                db = f"deploy_{'runner' if name == 'nothing due' else name}_{number}"
                start = perf_counter()
                subprocess.run(
                    [*command, server.dsn(db, "rubi_admin")],
                    check=True, capture_output=True, cwd=ROOT,
                )  # fmt: skip
                taken[name].append(perf_counter() - start)
            with server.connect() as connection:
                for name in ("psql", "runner"):
                    connection.execute(f'DROP DATABASE "deploy_{name}_{number}"')
    lines = heading(
        f"Deploying {len(sqlfiles.read_files())} files", "by", "seconds, median", "to psql"
    )
    for name, times in taken.items():
        to_psql = statistics.median(a / b for a, b in zip(times, taken["psql"], strict=True))
        lines.append(f"| {name} | {statistics.median(times):.2f} | {to_psql:.2f} |")
    return lines


SECTIONS: dict[str, Callable[[Server, bool, int, int], Lines]] = {
    "rates": rates,
    "not_waiting": not_waiting,
    "latency": latencies,
    "stats": api_reads.statistics_view,
    "growth": api_reads.growth,
    "planning": api_reads.planning,
    "deploying": deploying,
}
app = new_app(__doc__)


@app.command()
def measure_api(
    quick: Annotated[bool, typer.Option(help="Small and short: does it run?")] = False,
    only: Annotated[
        str, typer.Option(help=f"Sections, with commas: {', '.join(SECTIONS)}.")
    ] = ",".join(SECTIONS),
    rounds: Annotated[int, typer.Option(min=1, max=20)] = 5,
    seconds: Annotated[int, typer.Option(min=1, max=60, help="Length of a round.")] = 5,
    pg: Annotated[int, typer.Option(help="Major version.")] = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="Folder for api.md and api.json.")] = pages.RESULTS,
) -> None:
    """Measure, show the tables, write them; sections left out keep what they said before."""
    chosen = only.split(",")
    if unknown := set(chosen) - set(SECTIONS):
        raise typer.BadParameter(f"no such section: {', '.join(sorted(unknown))}")
    if quick:
        rounds = seconds = 1
    stored = output / "api.json"
    result = json.loads(stored.read_text()) if stored.exists() else {"sections": {}}
    with running(pg, {}) as server:
        with step("base and ours made"):
            make_pair(server)
        for name in chosen:
            lines = SECTIONS[name](server, quick, rounds, seconds)
            with server.connect("ours") as connection:
                found = pages.facts(connection)
            result["sections"][name] = {"facts": found, "rounds": rounds, "lines": lines}
            # half an hour of sections is not lost with the one that fails
            pages.keep(output, "api", report(result), result)
    pages.write(output, "api", report(result), result)


def report(result: dict) -> str:
    """The page."""
    lines = [
        "# The API's work on the base and on ours",
        "",
        "Made by `benchmarks/api.py`. Base and ours side by side on one server, rounds "
        "alternating, ratios are medians of the rounds' ratios. pgbench as rubi_app over a local "
        "socket, prepared statements, on the server's cores. The mix is "
        + ", ".join(f"{share} % {name.replace('_', ' ')}" for name, share in MIX.items())
        + ".",
    ]
    for name in SECTIONS:
        if section := result["sections"].get(name):
            lines += section["lines"]
            lines += ["", f"{section['rounds']} rounds; {pages.said(section['facts'])}"]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    run(app)
