"""Asks the lake: coverage, gaps, higher timeframes and returns, with the engine that fits.

The lake is the archive that archive_bars.py writes. The database says which files belong to an
answer (lake_files); each is compared with its noted SHA-256 before a row of it counts. One text for
each question lies in lake/ and serves PostgreSQL (which reads the hypertable), DuckDB (the lake, on
this machine) and Spark (the lake, on many).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import psycopg
import pyarrow as pa
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import typer

from archive_bars import Store, connect
from cli import Failure, console, errors, new_app, one_line, run, step
from deploy import ROOT, Dsn

app = new_app(__doc__)
TEXTS = ROOT / "lake"
# The only words that PostgreSQL says differently; TimescaleDB brings the first two.
WORDS = {"min_by(": "first(", "max_by(": "last(", "AS double)": "AS double precision)"}
LENGTHS = {"M": 60, "H": 3600, "D": 86400, "W": 604800}
PRICE = pa.decimal128(20, 8)
# What each question answers, the same from every engine; ordered by the first two columns.
SCHEMAS = {
    "coverage": pa.schema(
        [("symbol", pa.string()), ("first_ts", pa.int64()), ("last_ts", pa.int64()),
         ("days", pa.int64()), ("bars", pa.int64())]
    ),
    "gaps": pa.schema(
        [("symbol", pa.string()), ("gap_from", pa.int64()), ("gap_to", pa.int64()),
         ("seconds", pa.int64()), ("over_weekend", pa.bool_())]
    ),
    "resample": pa.schema(
        [("symbol", pa.string()), ("opened", pa.int64()), ("open", PRICE), ("high", PRICE),
         ("low", PRICE), ("close", PRICE), ("volume", pa.int64()),
         ("real_volume", pa.decimal128(38, 8)), ("spread", pa.int32()), ("bars", pa.int64())]
    ),
    "returns": pa.schema(
        [("symbol", pa.string()), ("opened", pa.int64()), ("close", PRICE),
         ("simple_return", pa.float64())]
    ),
}  # fmt: skip
Question = Literal["coverage", "gaps", "resample", "returns"]
Engine = Literal["postgresql", "duckdb", "spark"]


class File(NamedTuple):
    """A file of the lake as the database noted it."""

    symbol: str
    month: date
    location: str
    sha256: str
    bars: int


def seconds_of(timeframe: str) -> int:
    """Length of a timeframe from M1 to W1 in seconds. Raises Failure for others."""
    match = re.fullmatch(r"([MHDW])(\d+)", timeframe)
    if not match:
        raise Failure(f"{timeframe}: the lake's texts take timeframes from M1 to W1")
    return LENGTHS[match[1]] * int(match[2])


def clock_parts(clock: str) -> tuple[str, int]:
    """A clock such as America/New_York+7 as time zone and hours ahead of it."""
    # Etc/GMT-3 is a zone by its whole name
    match = re.fullmatch(r"(Etc/GMT[+-]\d{1,2}|.+?)([+-]\d{1,2})?", clock, re.IGNORECASE)
    return match[1], int(match[2] or 0)


def parameters(
    symbols: list[str], timeframe: str, since: datetime, until: datetime, *, clock: str = "UTC",
    to: str = "D1", minimum: int = 0,
) -> dict[str, object]:  # fmt: skip
    """Values for the texts: seconds from 1970, lengths in seconds."""
    zone, ahead = clock_parts(clock)
    length, wanted = seconds_of(timeframe), seconds_of(to)
    if wanted % length or wanted < length:
        raise Failure(f"{to} bars can't be made of {timeframe} bars")
    return {
        "symbols": symbols, "timeframe": timeframe, "since": int(since.timestamp()),
        "until": int(until.timestamp()), "zone": zone, "ahead": ahead, "step": wanted,
        "length": length, "minimum": minimum,
    }  # fmt: skip


def statement(question: str, engine: str) -> str:
    """A question's text over the engine's relation of bars, with :name for values."""

    def read(name: str) -> str:
        lines = (TEXTS / f"{name}.sql").read_text(encoding="utf-8").splitlines()
        return "\n".join(line for line in lines if not line.startswith("--"))

    text = f"WITH bars AS (\n{read(f'bars_{engine}')}\n)\n{read(question)}"
    if engine == "postgresql":
        for word, other in WORDS.items():
            text = text.replace(word, other)
    return text


def fitted(text: str, form: str, values: dict[str, object]) -> tuple[str, dict[str, object]]:
    """The text with an engine's form of placeholders, and the values it asks for."""
    names = set(re.findall(r":([a-z]+)", text))
    return re.sub(r":([a-z]+)", form, text), {name: values[name] for name in names}


def ordered(table: pa.Table, question: str) -> pa.Table:
    """A result in the question's types and order."""
    schema = SCHEMAS[question]
    keys = [(name, "ascending") for name in schema.names[:2]]
    return table.select(schema.names).cast(schema).sort_by(keys)


def files_of(
    connection: psycopg.Connection, timeframe: str, since: datetime, until: datetime,
    symbols: list[str] | None,
) -> list[File]:  # fmt: skip
    """The files that make the answer. Raises RB130 or RB131 when it would be a part."""
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
    """The answer from the hypertable."""
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
    try:
        import duckdb
    except ImportError as error:
        raise Failure('DuckDB is missing: pip install -e ".[lake]"') from error
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


def moment(text: str) -> datetime:
    """A day or moment in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"{text} is no day such as 2024-01-31") from error
    return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)


@app.command()
def query(
    question: Annotated[Question, typer.Argument()],
    engine: Annotated[Engine, typer.Option()] = "duckdb",
    target: Annotated[str, typer.Option(help="the lake: folder or URI, s3://bucket/bars")] = "",
    symbol: Annotated[list[str] | None, typer.Option(help="again for more; none: all")] = None,
    timeframe: Annotated[str, typer.Option(help="of the bars that are read")] = "M1",
    to: Annotated[str, typer.Option(help="of the bars that are made, up to W1")] = "D1",
    since: Annotated[str, typer.Option("--from", help="day, UTC")] = "1970-01-05",
    until: Annotated[str, typer.Option("--until", help="day after the last, UTC")] = "2100-01-01",
    clock: Annotated[str, typer.Option(help="days begin by it: America/New_York+7")] = "UTC",
    minimum: Annotated[int, typer.Option(help="gaps longer than this many seconds")] = 0,
    master: Annotated[str, typer.Option(help="spark://host:port")] = "",
    deadline: Annotated[int, typer.Option(help="seconds that Spark may take")] = 3600,
    output: Annotated[Path | None, typer.Option(help="Parquet file to write")] = None,
    dsn: Dsn = "",
) -> None:
    """Answer a question about bars; times are seconds from 1970, UTC or by the clock."""
    if engine != "postgresql" and not target:
        raise typer.BadParameter("--target says where the lake is")
    if engine == "spark" and not master:
        raise typer.BadParameter("--master says where Spark is")
    begin, end = moment(since), moment(until)
    with connect(dsn) as connection:
        symbols = symbol or [
            row[0]
            for row in connection.execute(
                "SELECT symbol FROM market_series_places WHERE timeframe = %s", [timeframe]
            )
        ]
        values = parameters(symbols, timeframe, begin, end, clock=clock, to=to, minimum=minimum)
        if engine == "postgresql":
            with step(f"{question} from the hypertable"):
                table = ask_postgresql(connection, question, values)
        else:
            files = files_of(connection, timeframe, begin, end, symbols)
            with step(f"{question} from {len(files)} files of the lake with {engine}"):
                if engine == "duckdb":
                    table = ask_duckdb(Store(target), files, question, values)
                else:
                    import lake_spark

                    with lake_spark.session(master) as spark:
                        table = lake_spark.ask(
                            spark, target, files, question, values, deadline=deadline
                        )
    if output:
        pq.write_table(table, output)
    else:
        for row in table.slice(0, 20).to_pylist():
            console.print("  ".join(str(value) for value in row.values()), markup=False)
    errors.print(f"{table.num_rows:,} rows")


if __name__ == "__main__":
    run(app)
