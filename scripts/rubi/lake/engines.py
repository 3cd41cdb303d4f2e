"""The lake's questions asked of the hypertable and of DuckDB."""

import psycopg
import pyarrow as pa
import pyarrow.dataset as pads

from rubi.bars.archive import Store
from rubi.cli import Failure, one_line
from rubi.lake.files import File, fingerprints
from rubi.lake.questions import SCHEMAS, fitted, ordered, statement


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
