"""Market data beside the base system's table, in one embedded server, as ratios.

The base is its market_data as it was specified: serial id, varchar and decimal(15,5), a primary key
and a unique key that hold the time column, and its three single-column indexes. Ours is the
deployed schema with all constraints and triggers, and also stores spread and real volume.

A month is timed in the database: what making its rows in the order of time takes there (EXPLAIN
ANALYZE of the documented query without its clocks), ours and the base's in turn, read for the first
time (from the system's memory, nothing of it in shared_buffers) and again; and what summing it
takes as a client sees it. A year's resampling is timed in the database too, and again with its rows
fetched into Python. The last-bar and range reads are what a client sees; at 1, 10 and 30 million
bars they are taken in turn, in copies of the table as it grew.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Annotated

import psycopg
import typer

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests"), str(ROOT / "tests/helpers")]

import pages
from bar_lines import LONG, SHORT, SYMBOLS, copy, make_lines, staged
from loads import copy_database, deployed
from rubi.cli import console, new_app, run
from rubi.servers import embedded
from server import Server

# a server that takes in years of bars
LOADING = {"max_wal_size": "4GB", "maintenance_work_mem": "256MB"}
BASE = """
CREATE TABLE base (
    id serial, symbol varchar(20) NOT NULL, timeframe varchar(10) NOT NULL,
    timestamp timestamptz NOT NULL, open decimal(15, 5) NOT NULL, high decimal(15, 5) NOT NULL,
    low decimal(15, 5) NOT NULL, close decimal(15, 5) NOT NULL, volume bigint DEFAULT 0,
    PRIMARY KEY (id, timestamp), UNIQUE (symbol, timeframe, timestamp));
SELECT create_hypertable('base', 'timestamp', create_default_indexes => FALSE);
CREATE INDEX ON base (symbol);
CREATE INDEX ON base (timeframe);
CREATE INDEX ON base (timestamp DESC);
CREATE TABLE heap AS SELECT symbol, timeframe, timestamp, open, high, low, close, volume,
    real_volume, spread FROM market_data WITH NO DATA
"""
app = new_app(__doc__)


def size(connection: psycopg.Connection, table: str) -> int:
    """Bytes of a hypertable with its indexes."""
    return connection.execute(
        "SELECT sum(total_bytes)::bigint FROM hypertable_detailed_size(%s)", [table]
    ).fetchone()[0]


def cluster(connection: psycopg.Connection) -> None:
    """All chunks in the order of their key; a chunk in use is left for the next call.

    A month of which one chunk in two was left took 0.59 of the base's time in place of 0.36.
    """
    for _ in range(20):
        connection.execute("CALL cluster_closed_chunks('1 second', 10000)")
        left = connection.execute(
            "SELECT FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indrelid"
            " JOIN timescaledb_information.chunks AS k ON k.chunk_name = c.relname"
            " WHERE k.hypertable_name = 'market_data' AND k.range_end < now() - interval '1 second'"
            " AND i.indisprimary AND NOT i.indisclustered"
        )
        if not left.rowcount:
            return


def fetched(connection: psycopg.Connection, query: str) -> float:
    """Milliseconds from sending a query to having its rows in Python."""
    began = perf_counter()
    connection.execute(query).fetchall()
    return (perf_counter() - began) * 1000


def in_database(connection: psycopg.Connection, query: str) -> float:
    """Milliseconds that planning a query and making its rows take, none of them sent."""
    plan = connection.execute(f"EXPLAIN (ANALYZE, TIMING OFF, FORMAT json) {query}").fetchone()[0]
    return plan[0]["Planning Time"] + plan[0]["Execution Time"]


def first_in_database(connection: psycopg.Connection, query: str) -> float:
    """The same with nothing of the database in shared_buffers."""
    connection.execute(
        "SELECT count(pg_buffercache_evict(b.bufferid)) FROM pg_buffercache AS b"
        " JOIN pg_database AS d ON d.oid = b.reldatabase WHERE d.datname = current_database()"
    )
    return in_database(connection, query)


def in_turn(*measures: Callable[[], float], times: int = 15) -> list[float]:
    """Median of each measure, taken in turn after one call of each."""
    taken = [[measure() for measure in measures] for _ in range(times + 1)][1:]
    return [statistics.median(values) for values in zip(*taken, strict=True)]


def median(connection: psycopg.Connection, query: str, times: int = 9) -> float:
    """Median of the milliseconds until the rows of a query are in Python."""
    return in_turn(partial(fetched, connection, query), times=times)[0]


SAID: list[dict[str, str]] = []


def say(name: str, figure: str, wanted: str) -> None:
    """One line of the result, shown when it is known."""
    SAID.append({"what": name, "figure": figure, "wanted": wanted})
    console.print(f"{name:<58} {figure:>18}   {wanted}", markup=False, soft_wrap=True)
    console.file.flush()


def report(result: dict) -> str:
    """The page."""
    return "\n".join(
        [
            "# Bars in, bars out, bytes a bar",
            "",
            f"Made by `benchmarks/market_data.py`: {result['bars']:,} M1 bars of ten symbols, ours "
            "beside the base's table in one server; ratios are medians of the ratios of "
            f"{result['runs']} alternating loads, times of reads medians of 9 or more.",
            "",
            pages.said(result["facts"]),
            "",
            "| what | figure | wanted |",
            "| --- | ---: | ---: |",
            *(f"| {row['what']} | {row['figure']} | {row['wanted']} |" for row in result["lines"]),
            "",
        ]
    )


def compare(connection: psycopg.Connection, total: int, runs: int) -> None:
    """Ingest, size and reading, ours beside the base's."""
    short, long = make_lines(total)
    connection.execute(BASE)
    for order in ("time", "series"):
        if order == "series":
            short.sort(key=lambda line: line.split("\t", 1)[0])
            long.sort(key=lambda line: line.split("\t", 1)[0])
        heap, base, ours = [], [], []
        for _ in range(runs):
            connection.execute("TRUNCATE market_data, base, heap")
            heap.append(copy(connection, "heap", LONG, long))
            base.append(copy(connection, "base", SHORT, short))
            ours.append(copy(connection, "market_data", LONG, long))
        to_base = statistics.median(b / o for b, o in zip(base, ours, strict=True))
        to_heap = statistics.median(h / o for h, o in zip(heap, ours, strict=True))
        name = f"sorted by {order}: "
        rate = f"{total / statistics.median(ours):,.0f} bars/s"
        say(name + f"COPY, ours to base's rate ({rate})", f"{to_base:.2f}", "1.6, stretch 2.0")
        say(name + "COPY, ours to a bare heap's rate", f"{to_heap:.2f}", "0.3, stretch 0.4")
        ratio = size(connection, "market_data") / size(connection, "base")
        loaded = size(connection, "market_data") / total
        say(name + f"bytes as loaded ({loaded:.0f} a bar)", f"{ratio:.2f}", "0.8")
        if order == "time":
            read(connection, total)
    ratios = []
    for _ in range(runs):
        connection.execute("TRUNCATE market_data")
        merged = staged(connection, long)
        connection.execute("TRUNCATE market_data")
        ratios.append(copy(connection, "market_data", LONG, long) / merged)
    say("staged merge to COPY into the same table", f"{statistics.median(ratios):.2f}", "0.5")


def read(connection: psycopg.Connection, total: int) -> None:
    """Maintenance of ours, then a month of one symbol beside the base's."""
    connection.execute("VACUUM ANALYZE base")
    base_size = size(connection, "base")
    cluster(connection)
    connection.execute("VACUUM ANALYZE market_data")
    connection.execute("CREATE EXTENSION pg_buffercache")
    ours = size(connection, "market_data")
    say(f"bytes after maintenance ({ours / total:.0f} a bar)", f"{ours / base_size:.2f}",
        "0.7, stretch 0.6")  # fmt: skip

    bars = (
        "SELECT timestamp, open, high, low, close, volume FROM {} WHERE symbol = 'USDJPY'"
        " AND timeframe = 'M1' AND timestamp >= '2024-03-01' AND timestamp < '2024-04-01'"
        " ORDER BY timestamp"
    )
    for name, measure, form in (
        ("its rows read first", first_in_database, "{}"),
        ("its rows read again", in_database, "{}"),
        ("summed", fetched, "SELECT count(*), sum(close), max(high) FROM ({}) AS bars"),
    ):
        mine, base = in_turn(*(
            partial(measure, connection, form.format(bars.format(table)))
            for table in ("market_data", "base")
        ))  # fmt: skip
        say(f"a month of one symbol of ten, {name} ({mine:.1f} to {base:.1f} ms)",
            f"{mine / base:.2f}", "0.5")  # fmt: skip


def reading(connection: psycopg.Connection) -> None:
    """Resampling a year, and the last bar of 500 symbols."""
    connection.execute("TRUNCATE market_data")
    connection.execute(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close, volume,"
        " real_volume, spread) SELECT 'YEAR', 'M1', t, 1.1, 1.2, 1.0, 1.15, 7, 0, 3"
        " FROM generate_series('2023-01-01'::timestamptz, '2023-12-31', '1 minute') AS t"
        " WHERE date_part('isodow', t) < 6"
    )
    cluster(connection)
    connection.execute("VACUUM ANALYZE market_data")
    year = "SELECT * FROM resample_bars('YEAR', 'M1', 'H1', '2023-01-01', '2024-01-01')"
    there, here = in_turn(
        partial(in_database, connection, year), partial(fetched, connection, year)
    )
    say("a year of M1 to H1, in the database", f"{there:.0f} ms", "200 ms")
    say("a year of M1 to H1, its rows in Python", f"{here:.0f} ms", "200 ms")
    connection.execute(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
        " SELECT 'S' || s, 'H1', now() - n * interval '12 hours', 1, 1, 1, 1"
        " FROM generate_series(1, 500) AS s, generate_series(1, 730) AS n"
    )
    connection.execute("SELECT fold_bar_changes()")
    connection.execute("VACUUM ANALYZE market_data, market_series")
    for name, query in (("last_bars()", LAST), ("one statement", LAST_PLAIN)):
        last = median(connection, query.format("H1"))
        say(f"last bar of 500 symbols, {name}", f"{last:.1f} ms", "5 ms")


LAST = "SELECT symbol, timestamp, close FROM last_bars('{}')"
LAST_PLAIN = """
SELECT s.symbol, b.timestamp, b.close
FROM market_series AS s
CROSS JOIN LATERAL (
    SELECT m.timestamp, m.close FROM market_data AS m
    WHERE m.symbol = s.symbol AND m.timeframe = s.timeframe
    ORDER BY m.timestamp DESC LIMIT 1
) AS b
WHERE s.timeframe = '{}'
"""
WEEK = """
SELECT count(*), sum(b.close)
FROM (
    SELECT close FROM market_data
    WHERE symbol = 'EURUSD' AND timeframe = 'M1'
        AND timestamp >= '{:%F}' AND timestamp < '{:%F}'
) AS b
"""


def growth(server: Server, millions: list[int]) -> None:
    """The same reads, in turn, in copies of a table taken as it grew by older years."""
    newest = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    have = 0
    for million in millions:
        with connect(server, "ours") as connection:
            if not have:
                connection.execute("TRUNCATE market_data")
                connection.execute("DELETE FROM market_series")
            while have < million * 100_000:  # bars of each of ten symbols
                part = min(100_000, million * 100_000 - have)
                connection.execute(
                    "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close,"
                    " volume, real_volume, spread) SELECT s, 'M1', %s - n * interval '1 minute',"
                    " 1.1, 1.2, 1.0, 1.15, 7, 0, 3"
                    " FROM unnest(%s::text[]) AS s, generate_series(%s::int, %s::int) AS n",
                    [newest, list(SYMBOLS), have + 1, have + part],
                )
                have += part
            cluster(connection)
            connection.execute("SELECT fold_bar_changes()")
            connection.execute("VACUUM ANALYZE market_data, market_series")
        copy_database(server, f"bars_{million}", "ours")
    reads = {
        "range": WEEK.format(newest - timedelta(days=28), newest - timedelta(days=21)),
        "last_bars()": LAST.format("M1"),
        "last bar, one statement:": LAST_PLAIN.format("M1"),
    }
    with ExitStack() as stack:
        sizes = [stack.enter_context(connect(server, f"bars_{million}")) for million in millions]
        measures = [partial(fetched, size, query) for query in reads.values() for size in sizes]
        medians = in_turn(*measures, times=41)
    shown = "/".join(map(str, millions))
    for name in reads:
        times, medians = medians[: len(sizes)], medians[len(sizes) :]
        figures = "/".join(f"{time:.2f}" for time in times)
        say(f"{name} read at {shown} million bars ({figures} ms)",
            f"{max(times) / min(times):.2f}", "" if "statement" in name else "1.5")  # fmt: skip


def connect(server: Server, database: str) -> psycopg.Connection:
    """A connection that commits each statement."""
    connection = server.connect(database)
    connection.execute("SET client_min_messages = error")
    return connection


@app.command()
def measure(
    bars: Annotated[int, typer.Option(help="bars of ten symbols to compare with")] = 2_000_000,
    runs: Annotated[int, typer.Option(help="loads of each table; medians of ratios")] = 3,
    millions: Annotated[str, typer.Option(help="sizes to read at; empty for none")] = "1,10,30",
    pg: Annotated[int, typer.Option(help="major version of the server")] = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="folder for the figures")] = pages.RESULTS,
) -> None:
    """Measure, print, write. Needs about 300 MB of disk for each million bars."""
    with deployed(pg, LOADING | {"max_parallel_workers_per_gather": "2"}) as server:
        with connect(server, "ours") as connection:
            result = {"facts": pages.facts(connection), "bars": bars, "runs": runs}
            compare(connection, bars, runs)
            reading(connection)
        if millions:
            growth(server, [int(text) for text in millions.split(",")])
    result["lines"] = SAID
    pages.write(output, "market_data", report(result), result)


if __name__ == "__main__":
    run(app)
