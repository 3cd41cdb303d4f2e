"""Writes bars of market_data to Parquet, CSV or an Arrow stream, in the order of time.

Prices are exact decimals in all of them. OUTPUT is a file, or - for standard output.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Literal

import psycopg
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import typer

from rubi.bars import arrow
from rubi.cli import Failure, errors, new_app, run
from rubi.connecting import Dsn

STEP = timedelta(days=30)
FORMATS = {".parquet": "parquet", ".csv": "csv", ".arrow": "arrow", ".arrows": "arrow"}

app = new_app(__doc__)


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


@app.command()
def export(
    output: Annotated[str, typer.Argument(help="file, or - for standard output")],
    symbol: Annotated[list[str], typer.Option(help="may be given several times")],
    timeframe: Annotated[str, typer.Option(help="M1 to MN1")],
    since: Annotated[str, typer.Option("--from", help="first time, UTC")] = "-infinity",
    until: Annotated[str, typer.Option("--to", help="first time not wanted, UTC")] = "infinity",
    format: Annotated[
        Literal["parquet", "csv", "arrow"] | None, typer.Option(help="else from the file's name")
    ] = None,
    dsn: Dsn = "",
) -> None:
    """Export bars. Exit code 1 when there are none."""
    chosen = format or FORMATS.get(Path(output).suffix.lower())
    if not chosen:
        raise typer.BadParameter("the name does not tell the format: give --format")
    if output == "-" and sys.stdout is None:
        raise Failure("standard output is closed")
    count = 0
    partial = Path(f"{output}.partial")
    try:
        with (
            psycopg.connect(dsn, application_name="rubi export_bars",
                            options="-c statement_timeout=0") as connection,
            (os.fdopen(os.dup(sys.stdout.fileno()), "wb") if output == "-"
             else partial.open("wb")) as stream,
            open_writer(chosen, stream) as writer,
        ):  # fmt: skip
            # PGTZ and PGDATESTYLE would win over options
            connection.execute("SET timezone = 'UTC'; SET datestyle = ISO")
            connection.commit()
            connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            connection.read_only = True
            found = connection.execute(
                "SELECT symbol, first_timestamp, last_timestamp FROM market_data_coverage"
                " WHERE symbol = ANY (%s) AND timeframe = %s AND first_timestamp IS NOT NULL"
                " ORDER BY array_position(%s, symbol)",
                [symbol, timeframe, symbol],
            ).fetchall()
            if missing := [name for name in symbol if name not in {row[0] for row in found}]:
                raise Failure(f"no {timeframe} bars of {', '.join(missing)}")
            for table in parts(connection, found, timeframe, since, until):
                writer.write_table(table)
                count += table.num_rows
        if not count:
            raise Failure("no bars in that time")
        if output != "-":
            partial.replace(output)
    except pa.ArrowException as error:
        raise Failure(f"{output}: {error}") from error
    finally:
        if output != "-":
            partial.unlink(missing_ok=True)
    errors.print(f"{count:,} bars written {datetime.now(UTC):%H:%M:%S}")


def open_writer(format: str, stream):
    """The writer of a format; all have write_table."""
    if format == "parquet":
        return pq.ParquetWriter(stream, arrow.SCHEMA, compression="zstd")
    if format == "csv":
        return pacsv.CSVWriter(stream, arrow.SCHEMA)
    return pa.ipc.new_stream(stream, arrow.SCHEMA)


if __name__ == "__main__":
    run(app)
