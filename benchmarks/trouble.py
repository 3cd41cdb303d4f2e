"""The API's mix while something else goes on, on the base and on ours in turn.

1,000 requests a second from 180 connections, direct and through PgBouncer, beside each trouble:
an old snapshot, a backup, thirty changes of the schema, chunks made, clustered and dropped, metrics
and a report, bars and ticks coming in, all of these together. Milliseconds of a request count from
when it was due. Writes benchmarks/results/trouble.md and trouble.json.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import pages
from loads import make_pair, mix_scripts, pgbench, vacuum
from rubi.cli import new_app, run, step
from rubi.servers import embedded
from server import Server, running
from troubles import TROUBLES, Work, beside

PAIR = ("base", "ours")
# Until 180 connections have read the catalog and prepared the mix, and until they have ended, s.
WARMING, LEAVING = 20, 3
WATCHED = ("trading_positions", "mt5_sessions")


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
