"""Rows of any table between the database and Arrow, value for value.

A numeric with a scale becomes decimal128 and never a float; what Arrow has no exact type for (JSON,
numbers of any size, identities) travels as PostgreSQL's text.
"""

import io

import psycopg
import pyarrow as pa
import pyarrow.csv as pacsv
from psycopg import sql

from rubi.cli import Failure, one_line
from rubi.queries import queries

TYPES = {
    "bigint": pa.int64(), "integer": pa.int32(), "smallint": pa.int16(), "boolean": pa.bool_(),
    "timestamp with time zone": pa.timestamp("us", tz="UTC"), "date": pa.date32(),
}  # fmt: skip
SQL = queries(__file__)
WITH_ZONE = pa.timestamp("us", tz="UTC")


def schema_of(connection: psycopg.Connection, relation: str) -> pa.Schema:
    """The columns of a table as Arrow keeps them."""
    fields = []
    for name, kind, precision, scale in connection.execute(
        SQL.COLUMNS, {"table": relation}
    ).fetchall():
        if kind == "numeric" and precision is not None and precision <= 38:
            fields.append(pa.field(name, pa.decimal128(precision, scale)))
        else:
            fields.append(pa.field(name, TYPES.get(kind, pa.string())))
    return pa.schema(fields)


def table_name(relation: str) -> sql.Identifier:
    return sql.Identifier(*relation.split(".", 1))


def as_text(field: pa.Field) -> sql.Composable:
    """A column as COPY is to write it, so that Arrow reads it whatever the session's settings."""
    column = sql.Identifier(field.name)
    if field.type == WITH_ZONE:
        form = sql.Literal('YYYY-MM-DD"T"HH24:MI:SS.US"Z"')
        return sql.SQL("to_char({} AT TIME ZONE 'UTC', {})").format(column, form)
    if pa.types.is_boolean(field.type):
        return sql.SQL("{}::text").format(column)
    return column


def read_rows(
    connection: psycopg.Connection, relation: str, where: sql.Composable, order: str,
    schema: pa.Schema | None = None,
) -> pa.Table:  # fmt: skip
    """The rows of a table that a condition names, in the order of a column."""
    schema = schema or schema_of(connection, relation)
    query = sql.SQL("COPY (SELECT {} FROM {} WHERE {} ORDER BY {}) TO STDOUT (FORMAT csv)").format(
        sql.SQL(", ").join(map(as_text, schema)), table_name(relation), where,
        sql.Identifier(order),
    )  # fmt: skip
    text = pa.BufferOutputStream()  # its bytes are Arrow's own: see archive.Store.load
    with connection.cursor().copy(query) as copy:
        for data in copy:
            text.write(data)
    if not text.tell():
        return schema.empty_table()
    try:
        return pacsv.read_csv(
            pa.BufferReader(text.getvalue()),
            # a row has to fit a block, and may hold two documents of a megabyte
            read_options=pacsv.ReadOptions(column_names=schema.names, block_size=2**24),
            parse_options=pacsv.ParseOptions(newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=schema, null_values=[""], strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )  # fmt: skip
    except pa.ArrowException as error:
        raise Failure(f"{relation}: a value has no place in Parquet ({one_line(error)})") from error


def shaped(table: pa.Table, schema: pa.Schema, of_path: dict[str, str]) -> pa.Table:
    """A file's rows with those columns of the table that the file has: a later release may have
    added some, or dropped some."""
    for name, value in of_path.items():
        table = table.append_column(name, pa.array([value] * table.num_rows, pa.string()))
    known = pa.schema([field for field in schema if field.name in table.column_names])
    try:
        return table.select(known.names).cast(known)
    except (pa.ArrowException, ValueError) as error:
        raise Failure(f"archived values no longer fit their columns ({one_line(error)})") from error


def column_names(names: list[str]) -> sql.Composable:
    return sql.SQL(", ").join(map(sql.Identifier, names))


def stage(connection: psycopg.Connection, relation: str, table: pa.Table) -> None:
    """Put rows into a temporary table like their own, archived_rows, for the transaction."""
    text = io.BytesIO()
    pacsv.write_csv(table, text, pacsv.WriteOptions(include_header=False))
    connection.execute("DROP TABLE IF EXISTS pg_temp.archived_rows")
    connection.execute(
        sql.SQL(
            "CREATE TEMPORARY TABLE archived_rows ON COMMIT DROP AS SELECT {} FROM {} WITH NO DATA"
        ).format(column_names(table.schema.names), table_name(relation))
    )
    with connection.cursor().copy("COPY pg_temp.archived_rows FROM STDIN (FORMAT csv)") as copy:
        copy.write(text.getbuffer())


def put_back(connection: psycopg.Connection, relation: str, names: list[str]) -> int:
    """Insert the staged rows where they are missing; answers how many were."""
    return connection.execute(
        sql.SQL(
            "INSERT INTO {} ({columns}) OVERRIDING SYSTEM VALUE"
            " SELECT {columns} FROM pg_temp.archived_rows ON CONFLICT DO NOTHING"
        ).format(table_name(relation), columns=column_names(names))
    ).rowcount
