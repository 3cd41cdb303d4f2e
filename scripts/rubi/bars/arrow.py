"""Bars between the database and Arrow, for exporting, archiving and restoring.

Prices stay exact: numeric becomes decimal128 and never a float. The server writes CSV, Arrow reads
it in C++: faster than a row at a time, and all types are checked on the way.
"""

import io
from datetime import datetime

import psycopg
import pyarrow as pa
import pyarrow.csv as pacsv

SCHEMA = pa.schema(
    [
        pa.field("symbol", pa.string(), nullable=False),
        pa.field("timeframe", pa.string(), nullable=False),
        pa.field("timestamp", pa.timestamp("us", tz="UTC"), nullable=False),
        *(pa.field(name, pa.decimal128(20, 8), nullable=False)
          for name in ("open", "high", "low", "close")),
        pa.field("volume", pa.int64(), nullable=False),
        pa.field("real_volume", pa.decimal128(28, 8)),
        pa.field("spread", pa.int32()),
    ]
)  # fmt: skip
COLUMNS = ", ".join(SCHEMA.names)


def read_range(
    connection: psycopg.Connection, symbol: str, timeframe: str, since: datetime, until: datetime
) -> pa.Table:
    """The bars of a series that open from since on and before until, in the order of time."""
    text = io.BytesIO()
    query = (
        "COPY (SELECT symbol, timeframe,"
        " to_char(timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),"
        " open, high, low, close, volume, real_volume, spread FROM public.market_data"
        " WHERE symbol = %s AND timeframe = %s AND timestamp >= %s AND timestamp < %s"
        " ORDER BY timestamp) TO STDOUT (FORMAT csv)"
    )
    with (
        psycopg.ClientCursor(connection) as cursor,
        cursor.copy(query, [symbol, timeframe, since, until]) as copy,
    ):
        for data in copy:
            text.write(data)
    if not text.tell():
        return SCHEMA.empty_table()
    text.seek(0)
    table = pacsv.read_csv(
        text,
        read_options=pacsv.ReadOptions(column_names=SCHEMA.names),
        convert_options=pacsv.ConvertOptions(
            column_types=SCHEMA, null_values=[""], strings_can_be_null=False
        ),
    )
    return table.cast(SCHEMA)


def stage(connection: psycopg.Connection, table: pa.Table) -> int:
    """Put bars into market_data where they are missing; answers how many were.

    Archived bars were good once, so the rules of market_data are checks enough.
    """
    text = io.BytesIO()
    pacsv.write_csv(table.cast(SCHEMA), text, pacsv.WriteOptions(include_header=False))
    connection.execute(
        "CREATE TEMPORARY TABLE restored_bars (symbol text, timeframe text, timestamp timestamptz,"
        " open numeric, high numeric, low numeric, close numeric, volume bigint,"
        " real_volume numeric, spread integer) ON COMMIT DROP"
    )
    with connection.cursor() as cursor:
        with cursor.copy("COPY pg_temp.restored_bars FROM STDIN (FORMAT csv)") as copy:
            copy.write(text.getbuffer())
        return cursor.execute(
            f"INSERT INTO public.market_data ({COLUMNS}) SELECT {COLUMNS}"  # noqa: S608
            " FROM pg_temp.restored_bars ON CONFLICT (symbol, timeframe, timestamp) DO NOTHING"
        ).rowcount


def sums(table: pa.Table) -> tuple:
    """Count and sums as the SQL function sum_bars answers them."""
    import pyarrow.compute as pc

    def total(name: str):
        value = pc.sum(table[name].cast(pa.decimal128(38, table[name].type.scale)
                       if pa.types.is_decimal(table[name].type) else table[name].type))  # fmt: skip
        return value.as_py() or 0

    prices = sum(total(name) for name in ("open", "high", "low", "close"))
    return table.num_rows, prices, sum(total(name) for name in ("volume", "real_volume", "spread"))
