"""Bars between the database and Arrow, for exporting, archiving and restoring.

Prices stay exact: numeric becomes decimal128 and never a float. The server writes CSV, Arrow reads
it in C++: faster than a row at a time, and all types are checked on the way.
"""

from datetime import datetime

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from rubi.archives import rows

TABLE = "public.market_data"
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
    where = sql.SQL(
        "symbol = {} AND timeframe = {} AND timestamp >= {}::timestamptz"
        " AND timestamp < {}::timestamptz"
    ).format(symbol, timeframe, since, until)
    return rows.read_rows(connection, TABLE, where, "timestamp", SCHEMA).cast(SCHEMA)


def stage(connection: psycopg.Connection, table: pa.Table) -> int:
    """Put bars into market_data where they are missing; answers how many were.

    Archived bars were good once, so the rules of market_data are checks enough.
    """
    rows.stage(connection, TABLE, table.cast(SCHEMA))
    return rows.put_back(connection, TABLE, SCHEMA.names)


def sums(table: pa.Table) -> tuple:
    """Count and sums as the SQL function sum_bars answers them."""

    def total(name: str):
        value = pc.sum(table[name].cast(pa.decimal128(38, table[name].type.scale)
                       if pa.types.is_decimal(table[name].type) else table[name].type))  # fmt: skip
        return value.as_py() or 0

    prices = sum(total(name) for name in ("open", "high", "low", "close"))
    return table.num_rows, prices, sum(total(name) for name in ("volume", "real_volume", "spread"))
