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
from rubi.cli import Failure, console, errors, one_line, sync


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
                data = stream.read_buffer()
        except FileNotFoundError as error:
            raise Failure(f"{location}: damaged or missing ({one_line(error)})") from error
        except (pa.ArrowException, OSError) as error:
            raise Away(f"{location}: can't be read now ({one_line(error)})") from error
        try:
            # no file of Python's: a thread of Arrow's that still holds one aborts an ending program
            return pq.read_table(pa.BufferReader(data)), hashlib.sha256(data).hexdigest()
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


def drop(connection: psycopg.Connection, whole: int, count: int, call: str) -> None:
    """Have the database drop what was verified, and print its notices. Raises Failure where a file
    is damaged."""
    if whole < count:
        raise Failure(f"{count - whole} archived files are damaged: nothing was dropped")
    connection.add_notice_handler(lambda notice: console.print(f"  {notice.message_primary}"))
    connection.execute("SET client_min_messages = notice")
    connection.execute(call)
