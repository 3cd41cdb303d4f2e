"""The archive of bars: Parquet files that were read back and found equal to the table."""

import hashlib
import io
import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import date
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from rubi.archives import rows
from rubi.bars import arrow
from rubi.cli import Failure, errors, one_line, sync


class Away(Failure):
    """The place of an archive can't be read now, which says nothing of its files."""


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
            said = re.sub(r"//[^/@\s]+@", "//…@", f"{target}: {one_line(error)}")  # keys
            raise Failure(said) from error

    @staticmethod
    def location(symbol: str, timeframe: str, month: date) -> str:
        """Path of a month's file below the root; symbols may hold any character."""
        series = f"symbol={quote(symbol, safe='')}/timeframe={timeframe}"
        return f"{series}/month={month:%Y-%m}/bars.parquet"

    def put(self, location: str, table: pa.Table) -> None:
        """Write a file whole or not at all: in a folder under another name first."""
        path = f"{self.root}/{location}"
        buffer = io.BytesIO()
        pq.write_table(table, buffer, compression="zstd")
        # an object appears when it is whole, and has no folder: Arrow would leave markers of some
        is_object = isinstance(self.files, pafs.S3FileSystem)
        made = path if is_object else f"{path}.partial"
        if not is_object:
            self.files.create_dir(path.rsplit("/", 1)[0])
        with self.files.open_output_stream(made) as stream:
            stream.write(buffer.getbuffer())
        is_local = isinstance(self.files, pafs.LocalFileSystem)
        if is_local:  # its rows may leave the database a moment later
            sync(Path(made))
        if made != path:
            self.files.move(made, path)
        if is_local:
            sync(*islice(Path(path).parents, location.count("/") + 1))

    def remove(self, location: str) -> None:
        """Take away a file that another one replaced; nothing happens when it is gone already."""
        with suppress(FileNotFoundError):
            self.files.delete_file(f"{self.root}/{location}")

    def load(self, location: str) -> tuple[pa.Table, str]:
        """A file as it is, and its SHA-256. Raises Failure when it is missing or damaged, Away."""
        try:
            with self.files.open_input_stream(f"{self.root}/{location}") as stream:
                data = stream.read()
        except FileNotFoundError as error:
            raise Failure(f"{location}: damaged or missing ({one_line(error)})") from error
        except (pa.ArrowException, OSError) as error:
            raise Away(f"{location}: can't be read now ({one_line(error)})") from error
        try:
            return pq.read_table(io.BytesIO(data)), hashlib.sha256(data).hexdigest()
        except (pa.ArrowException, OSError, ValueError) as error:
            raise Failure(f"{location}: damaged or missing ({one_line(error)})") from error


def find_damaged(notes: list, prove: Callable[[Any], object]) -> list:
    """Notes whose files are not as they were written, each told. Raises Away, and Failure where
    none of several is as it was: then another place was named."""
    damaged = []
    for note in notes:
        try:
            prove(note)
        except Away:
            raise
        except Failure as error:
            errors.print(f"error: {error}")
            damaged.append(note)
    if len(damaged) == len(notes) > 1:
        raise Failure(
            f"none of {len(notes)} archived files is here: is this their place? Their notes stay;"
            " where all files are lost, delete the notes by SQL"
        )
    return damaged


def read(store: Store, location: str, symbol: str, timeframe: str) -> tuple[pa.Table, str]:
    """A file's bars, with the columns that its path says, and its SHA-256. Raises Failure."""
    table, sha256 = store.load(location)
    return rows.shaped(table, arrow.SCHEMA, {"symbol": symbol, "timeframe": timeframe}), sha256


def bounds(month: date) -> tuple[str, str]:
    """The month's first moment and the next one's, UTC."""
    after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    return f"{month} 00:00+00", f"{after} 00:00+00"


def archive_month(
    connection: psycopg.Connection, store: Store, symbol: str, timeframe: str, month: date
) -> int:
    """Write, read back, compare and note one month; answers the number of bars."""
    location = store.location(symbol, timeframe, month)
    if connection.execute(
        "SELECT FROM market_archives WHERE symbol = %s AND timeframe = %s AND month = %s"
        " AND dropped_at IS NOT NULL",
        [symbol, timeframe, month],
    ).rowcount:  # began since we looked; our snapshot may have the rest of the month
        raise Failure(f"{symbol} {timeframe} {month:%Y-%m} is being dropped: run this again")
    table = arrow.read_range(connection, symbol, timeframe, *bounds(month))
    # stored in the file, too, DuckDB would see what the path says twice
    store.put(location, table.drop_columns(["symbol", "timeframe"]))
    again, sha256 = read(store, location, symbol, timeframe)
    *expected, row_hash = measures(connection, symbol, timeframe, month)
    if not again.equals(table) or arrow.sums(again) != tuple(expected):
        raise Failure(f"{location}: the bars read back differ from those written")
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
    table, found = read(store, location, symbol, timeframe)
    if found != sha256 or arrow.sums(table) != tuple(expected):
        raise Failure(f"{location}: is not the file that was archived")
    return table


def verify(connection: psycopg.Connection, store: Store, where: str) -> tuple[int, int]:
    """Read noted archives again: how many are whole, and how many there are. A damaged one no
    longer lets its bars be dropped."""
    archives = noted(connection, where, [])
    damaged = find_damaged(archives, lambda archive: proved(store, archive))
    for archive in damaged:
        connection.execute(
            "DELETE FROM market_archives WHERE symbol = %s AND timeframe = %s AND month = %s"
            " AND dropped_at IS NULL",
            archive[:3],
        )
    return len(archives) - len(damaged), len(archives)
