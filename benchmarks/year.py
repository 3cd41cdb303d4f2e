"""A platform's year in the order of time, and whether its last day is as quick as its first.

Rows come through the doors that the API and the gateway use, hours after hours; each night follows
lifecycle, archives and drops, refreshes results, makes chunks and proves the figures; each week
clusters, each 28 days deploys every file again, each 30 days a user goes and another comes. On days
1, 30, 90 and the last, the API's mix, reads by key, the report, backup and restore are measured,
beside a copy of day 1's database in turn, and sizes are compared with what scripts/capacity.py told
on day 1. With --upgrade the year then moves to PostgreSQL 18 by the commands of
docs/guides/upgrades.md while the mix writes. Writes benchmarks/results/year.md and year.json.

At scale 1: 200 accounts and strategies, a snapshot each minute, M1 of 60 symbols, 500,000 ticks a
day of 10, a million positions a year of two orders and two deals each. With --folder a run that
was ended goes on at its hour.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated

import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import pages
import year_measures
import year_move
from rubi.cli import Failure, console, new_app, run, step
from rubi.servers import embedded
from server import running
from year_days import Size, Year
from year_report import report, shown

CHECKPOINTS = (1, 30, 90, 365)
SETTINGS = {"autovacuum": "on", "max_wal_size": "4GB", "max_locks_per_transaction": "512"}

app = new_app(__doc__)
app.info.no_args_is_help = False


def go_through(year: Year, last: int, proofs: int, effort: dict[str, int]) -> list[dict]:
    """The year to its last day with its checkpoints; what an earlier run measured is taken over."""
    kept = year.server.folder / "measured.json"
    measured = json.loads(kept.read_text()) if kept.exists() else []
    wanted = sorted({day for day in (*CHECKPOINTS, last) if day <= last})
    for day in wanted:
        if day in {found["day"] for found in measured}:
            continue
        year.run(day, proofs, console.print)
        with step(f"day {day} measured"):
            measured.append(year_measures.measure(year, day, is_last=day == last, **effort))
        kept.write_text(json.dumps(measured))
    return measured


@app.command()
def main(
    quick: Annotated[bool, typer.Option(help="Three days of two accounts: does it run?")] = False,
    scale: Annotated[float, typer.Option(min=0.001, max=10, help="1: 200 accounts")] = 1,
    days: Annotated[int, typer.Option(min=1, max=3650)] = 365,
    until: Annotated[int | None, typer.Option(min=1, help="Report after this day")] = None,
    hours: Annotated[int, typer.Option(min=1, max=24, help="Of rows in a call")] = 4,
    proofs: Annotated[int, typer.Option(min=1, help="Prove each so many days")] = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Of the mix on each database")] = 5,
    seconds: Annotated[int, typer.Option(min=1, help="Length of a round")] = 10,
    rate: Annotated[int, typer.Option(min=10, help="Requests a second of the mix")] = 300,
    calls: Annotated[int, typer.Option(min=20, help="Of each read by key")] = 400,
    folder: Annotated[Path | None, typer.Option(help="Keep the year here, and go on")] = None,
    pg: Annotated[int, typer.Option(help="Major version")] = embedded.DEFAULT_MAJOR,
    upgrade: Annotated[
        bool, typer.Option(help="Move the year to PostgreSQL 18 while the mix writes")
    ] = False,
    output: Annotated[Path, typer.Option(help="Folder for the page")] = pages.RESULTS,
) -> None:
    """Go through the year, measure on its days, write the page."""
    if quick:
        scale, days, rounds, seconds, rate, calls = 0.001, 3, 1, 1, 50, 20
    size = Size(scale, days, hours)
    effort = {"rounds": rounds, "seconds": seconds, "rate": rate, "calls": calls}
    with running(pg, SETTINGS, folder) as server:
        year = Year(server, size)
        made = server.folder / "size.json"
        if not made.exists():
            with step(f"platform of {size.accounts} accounts made"):
                year.make()
            (server.folder / "base.json").write_text(json.dumps(year_measures.sizes(year)))
            made.write_text(json.dumps([scale, days]))
        elif json.loads(made.read_text()) != [scale, days]:
            raise Failure(f"{folder} holds a year of another size: give its --scale and --days")
        with year.superuser() as connection:
            facts = pages.facts(connection)
        result = {
            "facts": facts, "scale": scale, "days": days, "until": min(until or days, days),
            "proofs": proofs, "hours": hours, "effort": effort,
            "platform": {
                name: getattr(size, name)
                for name in ("accounts", "symbols", "tick_symbols", "ticks", "trips")
            },
            "measured": go_through(year, min(until or days, days), proofs, effort),
            "each": year.days(),
            "base": json.loads((server.folder / "base.json").read_text()),
            "archive": sum(f.stat().st_size for f in year.archive.rglob("*") if f.is_file()),
        }  # fmt: skip
        result["each"] = shown(result["each"], [found["day"] for found in result["measured"]])
        for found in result["measured"]:
            found["predicted"] = year_measures.predicted(year, found["day"])
        if upgrade:
            result["moved"] = year_move.move(year, seconds, rate)
    pages.write(output, "year", report(result), result)


if __name__ == "__main__":
    run(app)
