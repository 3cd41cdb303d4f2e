"""A year of M1 bars of 50 symbols to H1 and D1 by PostgreSQL, DuckDB and Spark: rows, time, memory.

    .venv/bin/python benchmarks/lake_engines.py fill DIR     # a server and a lake, kept there
    .venv/bin/python benchmarks/lake_engines.py measure DIR  # the table
    .venv/bin/python benchmarks/lake_engines.py shrink DIR   # a tenth stays in the hypertable

shrink drops nine tenths of the hypertable, which stay in the lake, and reads the hypertable before
and after. Each question is asked once, H1 before D1; memory is the largest sum of proportional set
sizes of the processes at work. Spark needs the extra spark and Java 17. Remove the folder yourself.
"""

from __future__ import annotations

import io
import os
import statistics
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.csv as pacsv
import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "scripts")]

from rubi import connecting
from rubi.bars import arrow
from rubi.bars.archive import Store, read
from rubi.cli import Failure, console, new_app, run, step
from rubi.deploying import applying, history, sqlfiles
from rubi.lake import spark as lake_spark
from rubi.lake.asking import ask_duckdb, ask_postgresql, files_of
from rubi.lake.questions import parameters
from rubi.servers import embedded
from rubi.servers import spark as spark_cluster
from server import Server, running

app = new_app(__doc__)
Folder = Annotated[Path, typer.Argument(help="for the server and the lake, about 12 GB")]
SINCE, UNTIL = datetime(2024, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
SETTINGS = {
    "fsync": "off",  # the data can be made again
    "max_wal_size": "8GB",
    "max_locks_per_transaction": "256",
    "maintenance_work_mem": "256MB",
    "work_mem": "64MB",
    "autovacuum": "off",
}
# Bars of the weekdays of a month; 2024 begins on a Monday.
MONTH = """
SELECT timestamptz '2024-01-01 00:00:00+00' + to_minutes(n) AS timestamp,
    (1 + (n * 7 + $a) % 9973 * 0.00001)::decimal(20, 8) AS open,
    (1.2 + n % 7 * 0.0001)::decimal(20, 8) AS high,
    (0.9 + n % 5 * 0.0001)::decimal(20, 8) AS low,
    (1 + (n * 11 + $b) % 9949 * 0.00001)::decimal(20, 8) AS close,
    n % 400 AS volume, (n % 3)::decimal(20, 0) AS real_volume, (n % 20)::integer AS spread
FROM range($first, $last) AS r (n)
WHERE n // 1440 % 7 < 5
"""


def symbols(count: int) -> list[str]:
    """Names of series."""
    return [f"SYM{number:03}" for number in range(count)]


def noted(connection: psycopg.Connection) -> list[str]:
    """The series that are there."""
    return [row[0] for row in connection.execute("SELECT symbol FROM market_series ORDER BY 1")]


@app.command()
def fill(
    folder: Folder,
    series: Annotated[int, typer.Option(help="symbols")] = 50,
    pg: Annotated[int, typer.Option()] = embedded.DEFAULT_MAJOR,
) -> None:
    """Make the year, in a lake and in a hypertable. Goes on where it was left."""
    folder.mkdir(parents=True, exist_ok=True)
    with running(pg, SETTINGS, folder / "server") as server:
        with server.connect() as connection:
            connection.execute("SET client_min_messages = error")
            if not connection.execute("SELECT FROM pg_database WHERE datname = 'lake'").rowcount:
                connection.execute("CREATE ROLE rubi_admin LOGIN SUPERUSER")
                connection.execute("CREATE DATABASE lake OWNER rubi_admin")
                with connecting.connect(server.dsn("lake", "rubi_admin")) as deployed:
                    for file, _ in history.due(sqlfiles.read_files(), history.applied(deployed)):
                        applying.apply_file(deployed, file)
        store = Store(str(folder / "lake"))
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(lambda item: add(server, store, *item), enumerate(symbols(series))))
        with connecting.session(server.dsn("lake"), "archive_bars") as connection:
            connection.execute("SELECT fold_bar_changes()")
            connection.execute("VACUUM ANALYZE market_data")
            total, size = connection.execute(
                "SELECT sum(bars_in_lake), hypertable_size('market_data') FROM market_series_places"
            ).fetchone()
    files = sum(path.stat().st_size for path in (folder / "lake").rglob("*.parquet"))
    console.print(
        f"{total:,} bars: {size / 2**20:,.0f} MiB in the hypertable, {files / 2**20:,.0f} MiB in"
        " the lake"
    )


def add(server: Server, store: Store, number: int, symbol: str) -> None:
    """A year of one series, to the lake and, by COPY, to the hypertable; nothing if it is there."""
    with (
        connecting.session(server.dsn("lake"), "archive_bars") as connection,
        duckdb.connect() as maker,
        connection.transaction(),
    ):
        if connection.execute("SELECT FROM market_archives WHERE symbol = %s", [symbol]).rowcount:
            return
        for month in range(1, 13):
            begin = SINCE.replace(month=month)
            end = UNTIL if month == 12 else SINCE.replace(month=month + 1)
            table = maker.execute(
                MONTH, {"a": number * 13, "b": number * 17,
                        "first": int((begin - SINCE).total_seconds()) // 60,
                        "last": int((end - SINCE).total_seconds()) // 60},
            ).to_arrow_table()  # fmt: skip
            for place, value in enumerate((symbol, "M1")):
                column = pa.array([value]).take(pa.array([0] * table.num_rows, pa.int32()))
                table = table.add_column(place, arrow.SCHEMA.field(place).name, column)
            table = table.cast(arrow.SCHEMA)
            location = store.location(symbol, "M1", begin.date())
            store.put(location, table.drop_columns(["symbol", "timeframe"]))
            again, sha256 = read(store, location, symbol, "M1")
            connection.execute(
                "INSERT INTO market_archives (symbol, timeframe, month, location, sha256, bars,"
                " price_sum, volume_sum) VALUES (%s, 'M1', %s, %s, %s, %s, %s, %s)",
                [symbol, begin.date(), location, sha256, *arrow.sums(again)],
            )
            text = io.BytesIO()
            pacsv.write_csv(table, text, pacsv.WriteOptions(include_header=False))
            query = f"COPY market_data ({arrow.COLUMNS}) FROM STDIN (FORMAT csv)"
            with connection.cursor() as cursor, cursor.copy(query) as copy:
                copy.write(text.getbuffer())


def descendants(pid: int) -> set[int]:
    """A process and all below it."""
    found, todo = set(), [pid]
    while todo:
        one = todo.pop()
        found.add(one)
        for task in Path(f"/proc/{one}/task").glob("*/children"):
            try:
                todo += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def memory(pids: list[int]) -> float:
    """MiB that processes and all below them hold; pages that are shared count once."""
    total = 0
    for pid in set().union(*map(descendants, pids)):
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total / 1024


def watched(pids: list[int], work: Callable[[], pa.Table]) -> tuple[pa.Table, float, float]:
    """A result, its seconds, and the most memory in MiB while it was made."""
    most, ended = 0.0, threading.Event()

    def watch() -> None:
        nonlocal most
        while not ended.wait(0.25):
            most = max(most, memory(pids))

    thread = threading.Thread(target=watch)
    thread.start()
    began = time.perf_counter()
    try:
        table = work()
    finally:
        seconds = time.perf_counter() - began
        ended.set()
        thread.join()
    return table, seconds, most


@app.command()
def measure(
    folder: Folder,
    engines: Annotated[str, typer.Option()] = "postgresql,duckdb,spark",
    pg: Annotated[int, typer.Option()] = embedded.DEFAULT_MAJOR,
) -> None:
    """Ask all engines, compare their rows, print the table."""
    answers: dict[str, pa.Table] = {}

    def ask(name: str, pids: list[int], to: str, work: Callable[[], pa.Table]) -> None:
        table, seconds, most = watched(pids, work)
        if not answers.setdefault(to, table).equals(table):
            raise Failure(f"{name} answers {to} otherwise")
        console.print(
            f"| {name} | {to} | {table.num_rows:,} | {seconds:.1f} | {most:,.0f} |", markup=False
        )
        console.file.flush()

    with (
        running(pg, SETTINGS, folder / "server") as server,
        connecting.session(server.dsn("lake"), "archive_bars") as connection,
    ):
        connection.execute("SELECT fold_bar_changes()")
        connection.execute("ANALYZE market_data")
        names = noted(connection)
        files = files_of(connection, "M1", SINCE, UNTIL, names)
        console.print(f"{sum(file.bars for file in files):,} bars in {len(files)} files")
        values = {to: parameters(names, "M1", SINCE, UNTIL, to=to) for to in ("H1", "D1")}
        store = Store(str(folder / "lake"))
        if "postgresql" in engines:
            for to in values:
                ask("PostgreSQL", [server.pid], to, lambda to=to: ask_postgresql(
                    connection, "resample", values[to]))  # fmt: skip
    if "duckdb" in engines:
        for to in values:
            ask("DuckDB", [os.getpid()], to, lambda to=to: ask_duckdb(
                store, files, "resample", values[to]))  # fmt: skip
    if "spark" in engines:
        with spark_cluster.running() as cluster, lake_spark.session(cluster.url) as spark:
            pids = [os.getpid(), cluster.master.pid, *(one.pid for one in cluster.workers)]
            for to in values:
                ask("Spark", pids, to, lambda to=to: lake_spark.ask(
                    spark, str(folder / "lake"), files, "resample", values[to]))  # fmt: skip


def reads(server: Server) -> tuple[float, int]:
    """Median ms of a week of one symbol, and the blocks that it touched."""
    query = (
        "SELECT count(*), sum(close) FROM market_data WHERE symbol = 'SYM001' AND timeframe = 'M1'"
        " AND timestamp >= '2024-12-02' AND timestamp < '2024-12-09'"
    )
    taken = []
    with server.connect("lake") as connection:
        for _ in range(21):
            began = time.perf_counter()
            connection.execute(query).fetchall()
            taken.append((time.perf_counter() - began) * 1000)
        plan = connection.execute(f"EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) {query}").fetchone()
    plan = plan[0][0]["Plan"]
    return statistics.median(taken), plan["Shared Hit Blocks"] + plan["Shared Read Blocks"]


@app.command()
def shrink(folder: Folder, pg: Annotated[int, typer.Option()] = embedded.DEFAULT_MAJOR) -> None:
    """Keep only December of a few series in the lake; read the hypertable before and after."""
    with running(pg, SETTINGS, folder / "server") as server, server.connect("lake") as connection:
        before = reads(server)
        with step("dropping archived months"):
            connection.execute(
                "INSERT INTO market_retention SELECT symbol, 'M1', CASE WHEN symbol < 'SYM005'"
                " THEN interval '100 years' ELSE interval '1 month' END FROM market_series"
            )
            connection.execute("SET client_min_messages = error")
            connection.execute("CALL drop_expired_bars()")
            connection.execute("VACUUM ANALYZE market_data")
        after = reads(server)
        here, there = connection.execute(
            "SELECT sum(bars_in_hypertable), sum(bars_in_lake) FROM market_series_places"
        ).fetchone()
        console.print(
            f"{here:,} bars in the hypertable, {there:,} in the lake: a week of one symbol"
            f" {before[0]:.2f} ms and {before[1]} blocks before, {after[0]:.2f} ms and {after[1]}"
            " after"
        )


if __name__ == "__main__":
    run(app)
