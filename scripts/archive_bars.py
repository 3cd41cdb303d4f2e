"""Archives expired bars to Parquet, proves the files, and brings them back.

TARGET is a folder or a URI of Arrow's file systems, such as s3://bucket/bars (credentials and
endpoint as AWS_* variables say, or ?endpoint_override=…&region=… in the URI). The layout is Hive's:
symbol=…/timeframe=…/month=YYYY-MM/bars.parquet. A file counts as an archive only after it was read
back and found equal to the table; SQL's CALL drop_expired_bars() drops nothing else.
"""

from __future__ import annotations

import hashlib
import io
import os
from datetime import date
from typing import Annotated
from urllib.parse import quote

import psycopg
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq
import typer

import bar_tables
from cli import Failure, console, errors, new_app, one_line, run
from deploy import Dsn

app = new_app(__doc__)
OPTIONS = (
    "-c timezone=UTC -c statement_timeout=0 -c idle_in_transaction_session_timeout=0"
    " -c client_min_messages=warning"
)
Target = Annotated[str, typer.Argument(help="folder, or URI such as s3://bucket/path")]


class Store:
    """The place of the archive: a folder or an object store."""

    def __init__(self, target: str) -> None:
        # Checksums of later versions of the protocol: not every service knows them, and each file
        # is read back here. Asking Amazon's machines for credentials takes seconds elsewhere.
        os.environ.setdefault("AWS_REQUEST_CHECKSUM_CALCULATION", "when_required")
        os.environ.setdefault("AWS_EC2_METADATA_DISABLED", "true")
        try:
            if "://" in target:
                self.files, self.root = pafs.FileSystem.from_uri(target)
            else:
                self.files, self.root = pafs.LocalFileSystem(), target
        except (pa.ArrowException, ValueError, OSError) as error:
            raise Failure(f"{target}: {one_line(error)}") from error

    @staticmethod
    def location(symbol: str, timeframe: str, month: date) -> str:
        """Path of a month's file below the root; symbols may hold any character."""
        series = f"symbol={quote(symbol, safe='')}/timeframe={timeframe}"
        return f"{series}/month={month:%Y-%m}/bars.parquet"

    def write(self, location: str, table: pa.Table) -> None:
        """Write a file whole or not at all: in a folder under another name first."""
        path = f"{self.root}/{location}"
        buffer = io.BytesIO()
        # symbol and timeframe are in the path: stored in the file too, DuckDB would see them twice
        pq.write_table(table.drop_columns(["symbol", "timeframe"]), buffer, compression="zstd")
        # an object appears when it is whole, and has no folder: Arrow would leave markers of some
        is_object = isinstance(self.files, pafs.S3FileSystem)
        made = path if is_object else f"{path}.partial"
        if not is_object:
            self.files.create_dir(path.rsplit("/", 1)[0])
        with self.files.open_output_stream(made) as stream:
            stream.write(buffer.getbuffer())
        if made != path:
            self.files.move(made, path)

    def read(self, location: str, symbol: str, timeframe: str) -> tuple[pa.Table, str]:
        """A file's bars and its SHA-256. Raises Failure when it is missing or can't be read."""
        try:
            with self.files.open_input_stream(f"{self.root}/{location}") as stream:
                data = stream.read()
            table = pq.read_table(io.BytesIO(data))
            for index, value in enumerate((symbol, timeframe)):
                column = pa.array([value] * table.num_rows, pa.string())
                table = table.add_column(index, bar_tables.SCHEMA.field(index), column)
            return table.cast(bar_tables.SCHEMA), hashlib.sha256(data).hexdigest()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise Failure(f"{location}: damaged or missing ({one_line(error)})") from error


def connect(dsn: str) -> psycopg.Connection:
    """A connection that may take its time."""
    return psycopg.connect(
        dsn, autocommit=True, application_name="rubi archive_bars", options=OPTIONS
    )


def bounds(month: date) -> tuple[str, str]:
    """The month's first moment and the next one's, UTC."""
    after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    return f"{month} 00:00+00", f"{after} 00:00+00"


@app.command()
def write(
    target: Target,
    symbol: Annotated[str | None, typer.Option(help="this series instead of expired ones")] = None,
    timeframe: Annotated[str | None, typer.Option()] = None,
    since: Annotated[str, typer.Option("--from", help="first month, 2024-01")] = "0001-01",
    until: Annotated[str, typer.Option("--to", help="last month, 2024-12")] = "9999-12",
    dsn: Dsn = "",
) -> None:
    """Archive months that market_retention lets expire, or those of one series.

    Each is written, read back and compared: row for row with what was read, and with the sums the
    database computes. Only then it is noted in market_archives. A month that was dropped is kept
    as it lies there: bars that came later would be all that is left of it.
    """
    if (symbol is None) != (timeframe is None):
        raise typer.BadParameter("give --symbol and --timeframe, or neither")
    store = Store(target)
    bars = files = 0
    with connect(dsn) as connection:
        if symbol is None:
            connection.execute("SELECT fold_bar_changes()")
            months = connection.execute(
                "SELECT e.symbol, e.timeframe, e.month FROM expired_bar_months() AS e"
                " LEFT JOIN market_archives AS a USING (symbol, timeframe, month)"
                " WHERE to_char(e.month, 'YYYY-MM') BETWEEN %s AND %s ORDER BY 3, 1, 2",
                [since, until],
            ).fetchall()
        else:
            months = connection.execute(
                "SELECT DISTINCT %s, %s, date_trunc('month', timestamp AT TIME ZONE 'UTC')::date"
                " FROM market_data WHERE symbol = %s AND timeframe = %s"
                " AND to_char(timestamp, 'YYYY-MM') BETWEEN %s AND %s ORDER BY 3",
                [symbol, timeframe, symbol, timeframe, since, until],
            ).fetchall()
        gone = set(
            connection.execute(
                "SELECT symbol, timeframe, month FROM market_archives WHERE dropped_at IS NOT NULL"
            )
        )
        going = set(
            connection.execute("SELECT symbol, timeframe, month FROM internal.expired_bars")
        )
        late = [one for one in months if one in gone - going]
        for series, frame, month in (one for one in months if one not in gone):
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                bars += archive_month(connection, store, series, frame, month)
            files += 1
            if console.is_terminal:
                console.print(f"  {series} {frame} {month:%Y-%m}", markup=False)
    console.print(
        f"{files} months, {bars:,} bars archived and read back" if files else "nothing due"
    )
    if late:
        series, frame, month = late[0]
        raise Failure(
            f"{series} {frame} {month:%Y-%m} ({len(late)} in all) was archived and dropped, and has"
            " bars again: delete them, restore the month, load them again, then archive it"
        )


def archive_month(
    connection: psycopg.Connection, store: Store, symbol: str, timeframe: str, month: date
) -> int:
    """Write, read back, compare and note one month; answers the number of bars."""
    location = store.location(symbol, timeframe, month)
    if connection.execute(
        "SELECT FROM market_archives WHERE symbol = %s AND timeframe = %s AND month = %s"
        " AND dropped_at IS NOT NULL",
        [symbol, timeframe, month],
    ).rowcount:  # since we looked; our snapshot may have the rest of it
        raise Failure(f"{symbol} {timeframe} {month:%Y-%m} is being dropped: run this again")
    table = bar_tables.read_range(connection, symbol, timeframe, *bounds(month))
    store.write(location, table)
    again, sha256 = store.read(location, symbol, timeframe)
    *expected, row_hash = measures(connection, symbol, timeframe, month)
    if not again.equals(table) or bar_tables.sums(again) != tuple(expected):
        raise Failure(f"{location}: what was read back differs from what was written")
    connection.execute(
        "INSERT INTO market_archives AS a (symbol, timeframe, month, location, sha256, bars,"
        " price_sum, volume_sum, row_hash) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (symbol, timeframe, month) DO UPDATE SET location = excluded.location,"
        " sha256 = excluded.sha256, bars = excluded.bars, price_sum = excluded.price_sum,"
        " volume_sum = excluded.volume_sum, row_hash = excluded.row_hash, archived_at = now(),"
        " dropped_at = NULL",
        [symbol, timeframe, month, location, sha256, *expected, row_hash],
    )
    return table.num_rows


def measures(connection: psycopg.Connection, symbol: str, timeframe: str, month: date) -> tuple:
    """Count, sums and hash of a month as it is in the table."""
    return connection.execute(
        "SELECT s.bars, s.price_sum, s.volume_sum, hash_bars(%s, %s, %s, %s)"
        " FROM sum_bars(%s, %s, %s) AS s",
        [symbol, timeframe, *bounds(month), symbol, timeframe, month],
    ).fetchone()


def noted(connection: psycopg.Connection, where: str, values: list) -> list[tuple]:
    """The archives noted in the database, oldest first."""
    return connection.execute(
        "SELECT symbol, timeframe, month, location, sha256, bars, price_sum, volume_sum, row_hash"  # noqa: S608
        f" FROM market_archives WHERE {where} ORDER BY month, symbol, timeframe",
        values,
    ).fetchall()


def proved(store: Store, archive: tuple) -> pa.Table:
    """The bars of a noted archive. Raises Failure when the file is not what was noted."""
    symbol, timeframe, _, location, sha256, *expected, _ = archive
    table, found = store.read(location, symbol, timeframe)
    if found != sha256 or bar_tables.sums(table) != tuple(expected):
        raise Failure(f"{location}: is not the file that was archived")
    return table


@app.command()
def verify(target: Target, dsn: Dsn = "") -> None:
    """Read all archives again. A damaged one whose bars are still here loses its note."""
    store = Store(target)
    damaged = 0
    with connect(dsn) as connection:
        archives = noted(connection, "TRUE", [])
        for archive in archives:
            damaged += not check(connection, store, archive)
    console.print(f"{len(archives) - damaged} of {len(archives)} archives are as they were written")
    if damaged:
        raise typer.Exit(1)


def check(connection: psycopg.Connection, store: Store, archive: tuple) -> bool:
    """Whether an archive is whole; where not, its bars can't be dropped any more."""
    try:
        proved(store, archive)
    except Failure as error:
        errors.print(f"error: {error}", markup=False)
        connection.execute(
            "DELETE FROM market_archives WHERE symbol = %s AND timeframe = %s AND month = %s"
            " AND dropped_at IS NULL",
            archive[:3],
        )
        return False
    return True


@app.command()
def drop(target: Target, dsn: Dsn = "") -> None:
    """Verify the archives of what is about to go, then CALL drop_expired_bars().

    One damaged archive stops it before anything is dropped. To be run as the owner of market_data.
    """
    store = Store(target)
    with connect(dsn) as connection:
        connection.add_notice_handler(lambda notice: console.print(f"  {notice.message_primary}"))
        archives = noted(connection, "dropped_at IS NULL", [])
        whole = [check(connection, store, archive) for archive in archives]
        if not all(whole):
            raise Failure(f"{whole.count(False)} archives are damaged: nothing was dropped")
        connection.execute("SET client_min_messages = notice")
        connection.execute("CALL public.drop_expired_bars()")
    console.print(f"{len(archives)} archives verified")


@app.command()
def restore(
    target: Target,
    symbol: Annotated[str, typer.Option()],
    timeframe: Annotated[str, typer.Option()],
    since: Annotated[str, typer.Option("--from", help="first month, 2024-01")] = "0001-01",
    until: Annotated[str, typer.Option("--to", help="last month, 2024-12")] = "9999-12",
    dsn: Dsn = "",
) -> None:
    """Bring archived months of a series back, and compare their sums with the archive's."""
    store = Store(target)
    count = 0
    with connect(dsn) as connection:
        archives = noted(
            connection,
            "symbol = %s AND timeframe = %s AND to_char(month, 'YYYY-MM') BETWEEN %s AND %s",
            [symbol, timeframe, since, until],
        )
        if not archives:
            raise Failure(f"no archive of {symbol} {timeframe} is noted for that time")
        for archive in archives:
            table = proved(store, archive)
            with connection.transaction():
                count += bar_tables.stage(connection, table)
                here = measures(connection, *archive[:3])
                if here != (*archive[5:8], archive[8] if archive[8] is not None else here[3]):
                    raise Failure(
                        f"{symbol} {timeframe} {archive[2]:%Y-%m}: the table has other bars of this"
                        " month; delete them first"
                    )
                connection.execute(
                    "UPDATE market_archives SET dropped_at = NULL"
                    " WHERE symbol = %s AND timeframe = %s AND month = %s",
                    archive[:3],
                )
    console.print(f"{len(archives)} months, {count:,} bars restored")


if __name__ == "__main__":
    run(app)
