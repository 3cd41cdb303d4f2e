"""What the rules cost: the API's mix and the closing of orders, with and without each kind.

Starts a server of its own, measures the base, ours, and ours without each kind of rule in turn, in
alternating rounds, and writes benchmarks/results/rules.md and rules.json.
"""

from __future__ import annotations

import statistics
import sys
from pathlib import Path
from typing import Annotated

import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import pages
from loads import (
    Figures,
    copy_database,
    execute_file,
    in_turn,
    make_pair,
    ratio,
    run_closing,
    run_mix,
    vacuum,
)
from rubi.cli import new_app, run, step
from rubi.servers import embedded
from server import Server, running

KINDS = ("checks", "audit", "counters", "ownership", "status", "notify")
# Database: the kinds of rules taken out of ours.
DATABASES: dict[str, tuple[str, ...]] = {
    "base": (),
    "ours": (),
    **{f"without_{kind}": (kind,) for kind in KINDS},
    "without_any": KINDS,
}
# Rules that closing an order touches.
CLOSING = ("base", "ours", "without_audit", "without_counters", "without_checks", "without_any")


def make_databases(server: Server) -> None:
    """Base and ours with the same rows, and copies of ours without a kind of rule."""
    make_pair(server)
    for name, kinds in DATABASES.items():
        if kinds:
            copy_database(server, name, "ours")
            for kind in kinds:
                execute_file(server, name, HERE / f"without/{kind}.sql")
            vacuum(server, name)


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


def report(result: dict) -> str:
    """The page."""
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
            pages.said(result["facts"]),
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
    output: Annotated[Path, typer.Option(help="Folder for rules.md and .json.")] = pages.RESULTS,
) -> None:
    """Measure, show the tables, write them."""
    if quick:
        rounds = seconds = 1
    settings = {"synchronous_commit": "on" if synchronous_commit else "off"}
    with running(pg, settings) as server:
        with step(f"{len(DATABASES)} databases made"):
            make_databases(server)
        result = {"clients": clients, "rounds": rounds, "seconds": seconds}
        with server.connect("ours") as connection:
            result["facts"] = pages.facts(connection)
        result["figures"] = measure(server, clients, seconds, rounds)
    pages.write(output, "rules", report(result), result)


if __name__ == "__main__":
    run(app)
