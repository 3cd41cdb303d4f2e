"""Bars as Parquet, CSV or Arrow, a part at a time."""

import os
import sys
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from rubi.bars import arrow
from rubi.cli import Failure, replacing
from rubi.connecting import session

STEP = timedelta(days=30)


def parts(
    connection: psycopg.Connection, series: list[tuple], timeframe: str, since: str, until: str
) -> Iterator[pa.Table]:
    """The bars, a month of a series at a time."""
    for symbol, first, last in series:
        begin, end = connection.execute(
            "SELECT greatest(%s::timestamptz, %s),"
            " least(%s::timestamptz, %s + interval '1 second')",
            [since, first, until, last],
        ).fetchone()
        while begin < end:
            table = arrow.read_range(connection, symbol, timeframe, begin, min(begin + STEP, end))
            if table.num_rows:
                yield table
            begin += STEP


def open_writer(format: str, stream):
    """The writer of a format; all have write_table."""
    if format == "parquet":
        return pq.ParquetWriter(stream, arrow.SCHEMA, compression="zstd")
    if format == "csv":
        return pacsv.CSVWriter(stream, arrow.SCHEMA)
    return pa.ipc.new_stream(stream, arrow.SCHEMA)


def write_bars(
    output: str, format: str, symbols: list[str], timeframe: str, since: str, until: str, dsn: str
) -> int:
    """Write bars to a file, or to standard output for -; answers how many. Raises Failure."""
    count = 0
    place = nullcontext() if output == "-" else replacing(Path(output))
    try:
        with (
            place as new,
            session(dsn, "export_bars") as connection,
            new.open("wb") if new else os.fdopen(os.dup(sys.stdout.fileno()), "wb") as stream,
            open_writer(format, stream) as writer,
        ):
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            connection.autocommit = False
            found = connection.execute(
                "SELECT symbol, first_timestamp, last_timestamp FROM market_data_coverage"
                " WHERE symbol = ANY (%s) AND timeframe = %s AND first_timestamp IS NOT NULL"
                " ORDER BY array_position(%s, symbol)",
                [symbols, timeframe, symbols],
            ).fetchall()
            if missing := [name for name in symbols if name not in {row[0] for row in found}]:
                raise Failure(f"no {timeframe} bars of {', '.join(missing)}")
            for table in parts(connection, found, timeframe, since, until):
                writer.write_table(table)
                count += table.num_rows
            if not count:
                raise Failure("no bars in that time")
    except pa.ArrowException as error:
        raise Failure(f"{output}: {error}") from error
    return count
