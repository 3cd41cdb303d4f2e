"""Copies rows between two databases with our files, parents first."""

from graphlib import CycleError, TopologicalSorter

import psycopg
from psycopg import sql

from rubi.backups import measuring
from rubi.cli import Failure
from rubi.queries import queries

SQL = queries(__file__)
HISTORY = "deploy.history"  # each database has its own
OPTIONS = "-c statement_timeout=0 -c idle_in_transaction_session_timeout=0 -c timezone=UTC"


def check_history(theirs: dict[str, str], ours: dict[str, str]) -> None:
    """Raises Failure where source and target did not run the same files."""
    if ours != theirs:
        differs = sorted({*ours.items()} ^ {*theirs.items()})
        raise Failure(f"the target ran other files ({differs[0][0]}): deploy the same first")


def ordered(connection: psycopg.Connection) -> list[tuple[int, sql.Identifier]]:
    """Tables in the order of their foreign keys, what triggers write behind all others."""
    found = [
        (oid, schema, name)
        for oid, schema, name in connection.execute(measuring.SQL.TABLES)
        if f"{schema}.{name}" != HISTORY
    ]
    oids = [oid for oid, *_ in found]
    sorter: TopologicalSorter[int] = TopologicalSorter({oid: () for oid in oids})
    for child, parent in connection.execute(SQL.REFERENCES, {"tables": oids}):
        sorter.add(child, parent)
    try:
        place = {oid: number for number, oid in enumerate(sorter.static_order())}
    except CycleError as error:
        raise Failure("foreign keys form a circle, such tables can't be copied") from error
    found.sort(key=lambda table: (table[1] != "public", place[table[0]]))
    return [(oid, sql.Identifier(schema, name)) for oid, schema, name in found]


def stream(
    old: psycopg.Connection,
    new: psycopg.Connection,
    query: sql.Composable,
    into: sql.Composable,
    columns: sql.Composable,
) -> None:
    """Copy what a query of one database answers into the columns of a table of the other."""
    with (
        old.cursor() as reader,
        new.cursor() as writer,
        reader.copy(sql.SQL("COPY ({}) TO STDOUT").format(query)) as rows,
        writer.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(into, columns)) as written,
    ):
        for block in rows:
            written.write(block)


def follow_sequences(old: psycopg.Connection, new: psycopg.Connection, oids: list[int]) -> None:
    """Set the sequences of columns as the other database has them; oids: tables of new."""
    for sequence, *_ in new.execute(measuring.SQL.SEQUENCES, {"tables": oids}).fetchall():
        last = old.execute("SELECT pg_sequence_last_value(%s::regclass)", [sequence]).fetchone()[0]
        if last is not None:
            new.execute("SELECT setval(%s::regclass, %s)", [sequence, last])
