"""Files of the lake, each compared with the archived one, and its questions asked of DuckDB and of
the hypertable."""

import hashlib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import NamedTuple

import psycopg
import pyarrow as pa
import pyarrow.dataset as pads

from rubi.bars.archive import Store
from rubi.cli import Failure, one_line
from rubi.lake.questions import SCHEMAS, fitted, ordered, statement


class File(NamedTuple):
    """A file of the lake as the database noted it."""

    symbol: str
    month: date
    location: str
    sha256: str
    bars: int


def files_of(
    connection: psycopg.Connection, timeframe: str, since: datetime, until: datetime,
    symbols: list[str] | None,
) -> list[File]:  # fmt: skip
    """The files that make the answer. Raises RB130 or RB131 when the answer would be a part."""
    last = date(until.year, until.month, until.day)
    if until.timetz().replace(tzinfo=None) != datetime.min.time():
        last = date.fromordinal(last.toordinal() + 1)
    rows = connection.execute(
        "SELECT symbol, month, location, sha256, bars FROM lake_files(%s, %s, %s, %s)",
        [timeframe, since.date(), last, symbols],
    )
    return [File(*row) for row in rows]


def fingerprint(store: Store, file: File) -> tuple:
    """Size and time of a file that was read and found to be the one noted.

    Raises Failure that names a file that is missing, damaged or not to be had.
    """
    path = f"{store.root}/{file.location}"
    digest = hashlib.sha256()
    try:
        with store.files.open_input_stream(path) as stream:
            while block := stream.read(1 << 22):
                digest.update(block)
        info = store.files.get_file_info(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Failure(f"{file.location}: damaged or missing ({one_line(error)})") from error
    if digest.hexdigest() != file.sha256:
        raise Failure(f"{file.location}: damaged (is not the file that was archived)")
    return info.size, info.mtime_ns


def fingerprints(store: Store, files: Iterable[File]) -> list[tuple]:
    """All files read and compared, eight at a time; the first bad one is named."""
    with ThreadPoolExecutor(8) as pool:
        try:
            return list(pool.map(lambda file: fingerprint(store, file), files))
        except Failure:
            pool.shutdown(cancel_futures=True)
            raise


def ask_postgresql(
    connection: psycopg.Connection, question: str, values: dict[str, object]
) -> pa.Table:
    text, chosen = fitted(statement(question, "postgresql"), r"%(\1)s", values)
    schema = SCHEMAS[question]
    rows = connection.execute(text, chosen).fetchall()
    columns = list(zip(*rows, strict=True)) or [()] * len(schema)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return ordered(pa.Table.from_arrays(arrays, schema=schema), question)


def ask_duckdb(
    store: Store, files: list[File], question: str, values: dict[str, object]
) -> pa.Table:
    """The answer from the lake, on this machine."""
    import duckdb

    before = fingerprints(store, files)
    keys = pa.schema([("symbol", pa.string()), ("timeframe", pa.string()), ("month", pa.string())])
    lake = pads.dataset(
        [f"{store.root}/{file.location}" for file in files],
        format="parquet", filesystem=store.files, partition_base_dir=store.root,
        partitioning=pads.partitioning(keys, flavor="hive"),
    )  # fmt: skip
    text, chosen = fitted(statement(question, "duckdb"), r"$\1", values)
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        connection.register("lake", lake)
        try:
            table = connection.execute(text, chosen).to_arrow_table()
        except (duckdb.Error, pa.ArrowException, OSError) as error:
            raise Failure(f"DuckDB could not read the lake: {one_line(error)}") from error
    paths = [f"{store.root}/{file.location}" for file in files]
    after = [(info.size, info.mtime_ns) for info in store.files.get_file_info(paths)]
    for file, then, now in zip(files, before, after, strict=True):
        if then != now:
            raise Failure(f"{file.location}: changed while it was read")
    return ordered(table, question)
