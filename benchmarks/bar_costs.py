"""What each part of market_data costs a bar that COPY stores, each part taken out alone.

Copies of the table stand beside ours, the base's and a bare heap in one server. The figure is the
backend's processor time, which a busy machine disturbs less than the clock. Writes
benchmarks/results/bar_costs.md and bar_costs.json.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import psycopg
import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "scripts"), str(HERE)]

import embedded
import pages
from cli import new_app, run, step
from loads import install_ours, make_empty
from market_data import BASE, LONG, SHORT, copy, make_lines
from server import Server, running

KEY = "ALTER TABLE {0} ADD PRIMARY KEY (symbol, timeframe, timestamp);"
HYPERTABLE = (
    "SELECT create_hypertable('{0}', 'timestamp', chunk_time_interval => interval '30 days',"
    " create_default_indexes => FALSE);"
)
LOG = (
    "CREATE TRIGGER logged AFTER INSERT ON {0} REFERENCING NEW TABLE AS new_rows"
    " FOR EACH STATEMENT EXECUTE FUNCTION internal.log_bar_changes();"
)
LIKE = "CREATE TABLE {0} (LIKE market_data INCLUDING DEFAULTS INCLUDING CONSTRAINTS"
FULL = LIKE + " INCLUDING IDENTITY);"
DROP = "ALTER TABLE {0} DROP CONSTRAINT market_data_"
PRICES = ("high_not_nan_check", "high_is_highest_check", "low_is_lowest_check")
# Table: how it is made. All but the part that its name says is ours.
TABLES = {
    "ours": FULL + KEY + HYPERTABLE + LOG,
    "without its key": FULL + HYPERTABLE + LOG,
    "without the log of changes": FULL + KEY + HYPERTABLE,
    "without CHECKs": FULL.replace("INCLUDING CONSTRAINTS ", "") + KEY + HYPERTABLE + LOG,
    "without the CHECKs of prices": FULL + KEY + HYPERTABLE + LOG
    + "".join(f"{DROP}{name};" for name in PRICES),
    "without the CHECK of the symbol": FULL + KEY + HYPERTABLE + LOG
    + f"{DROP}symbol_trimmed_check;",
    "without an identity": LIKE + ");" + KEY + "ALTER TABLE {0} ALTER id DROP NOT NULL;"
    + HYPERTABLE + LOG,
    "without chunks": FULL + KEY + LOG,
}  # fmt: skip

app = new_app(__doc__)


def measure(connection: psycopg.Connection, bars: int, runs: int) -> dict[str, dict[str, float]]:
    """Microseconds of processor time a bar, by order of the file and table, least of the runs."""
    clock = Path(f"/proc/{connection.info.backend_pid}/schedstat")
    short, long = make_lines(bars)
    connection.execute(BASE)
    tables = {"a bare heap": "heap", "the base": "base"}
    for number, (name, statements) in enumerate(TABLES.items()):
        tables[name] = f"bars_{number}"
        for statement in statements.format(tables[name]).split(";"):
            if statement:
                connection.execute(statement)
    figures: dict[str, dict[str, float]] = {}
    for order in ("time", "series"):
        if order == "series":
            short.sort(key=lambda line: line.split("\t", 1)[0])
            long.sort(key=lambda line: line.split("\t", 1)[0])
        taken: dict[str, list[float]] = {name: [] for name in tables}
        for number in range(runs):
            with step(f"sorted by {order}, round {number + 1} of {runs}"):
                turn = list(tables.items())
                for name, table in turn[number:] + turn[:number]:
                    connection.execute(f"TRUNCATE {table}")
                    began = int(clock.read_text().split()[0])
                    base = name == "the base"
                    copy(connection, table, SHORT if base else LONG, short if base else long)
                    spent = int(clock.read_text().split()[0]) - began
                    taken[name].append(spent / 1000 / bars)
        figures[order] = {name: min(values) for name, values in taken.items()}
    return figures


def report(result: dict) -> str:
    """The page."""
    time, series = result["figures"]["time"], result["figures"]["series"]
    return "\n".join(
        [
            "# What a bar costs to store",
            "",
            f"Made by `benchmarks/bar_costs.py`: COPY of {result['bars']:,} M1 bars of ten symbols "
            "into copies of market_data, each without one part; the backend's processor time, "
            f"the least of {result['runs']} loads, taken in turn.",
            "",
            pages.said(result["facts"]),
            *pages.heading(
                "Microseconds a bar", "table", "sorted by time", "less than ours",
                "sorted by series", "less than ours",
            ),
            *(
                f"| {name} | {time[name]:.1f} | {time['ours'] - time[name]:.1f} "
                f"| {series[name]:.1f} | {series['ours'] - series[name]:.1f} |"
                for name in time
            ),
            "",
            "Processor time too moves by 1 to 2 µs from run to run on a machine that others use: "
            "smaller differences say nothing; the key and the log of changes were dear in each.",
            "",
            "The log of changes costs more than its grouping: a trigger that is handed a "
            "statement's rows makes TimescaleDB's COPY insert row by row instead of a page at a "
            "time. It is what keeps the count of each series and the resampled bars right without "
            "reading the bars again.",
            "",
        ]
    )  # fmt: skip


@app.command()
def measure_costs(
    quick: Annotated[bool, typer.Option(help="Few bars, one round: does it run?")] = False,
    bars: Annotated[int, typer.Option(min=10_000, help="Bars of ten symbols.")] = 300_000,
    runs: Annotated[int, typer.Option(min=1, help="Loads of each table.")] = 5,
    pg: Annotated[int, typer.Option(help="Major version.")] = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="Folder for the figures.")] = pages.RESULTS,
) -> None:
    """Measure, show the table, write it."""
    if quick:
        bars, runs = 10_000, 1
    with running(pg, {}) as server:
        prepare(server)
        with server.connect("ours") as connection:
            connection.execute("SET client_min_messages = error")
            result = {"facts": pages.facts(connection), "bars": bars, "runs": runs}
            result["figures"] = measure(connection, bars, runs)
    pages.write(output, "bar_costs", report(result), result)


def prepare(server: Server) -> None:
    """The database of ours."""
    with server.connect() as connection:
        connection.execute("CREATE ROLE rubi_admin LOGIN CREATEDB CREATEROLE")
        connection.execute("GRANT pg_monitor TO rubi_admin WITH ADMIN OPTION")
    make_empty(server, "ours")
    install_ours(server, "ours")


if __name__ == "__main__":
    run(app)
