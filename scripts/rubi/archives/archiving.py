"""The work of archive.py: rows written, proved, verified, dropped, restored."""

from datetime import UTC, datetime
from typing import NamedTuple
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.rows import namedtuple_row

from rubi.archives import rows
from rubi.bars.archive import Store, drop, find_damaged
from rubi.cli import Failure, console
from rubi.connecting import session
from rubi.queries import queries

SQL = queries(__file__)
ALWAYS = {"relation": None, "part": "", "since": "-infinity", "until": "infinity"}


def connect(dsn: str) -> psycopg.Connection:
    return session(dsn, "archive", row_factory=namedtuple_row)


class Policy(NamedTuple):
    relation: str
    time_column: str
    part_column: str | None
    archive_by: str

    def of_path(self, part: str) -> dict[str, str]:
        """The column whose value the path says."""
        return {self.part_column: part} if self.part_column else {}

    def rows_of(self, piece: NamedTuple) -> sql.Composable:
        """The condition that names a file's rows."""
        at = sql.Identifier(self.time_column)
        where = sql.SQL("{} >= {} AND {} < {}").format(
            at, sql.Literal(piece.range_start), at, sql.Literal(piece.range_end)
        )
        if self.part_column:
            part = sql.Identifier(self.part_column)
            where += sql.SQL(" AND {}::text = {}").format(part, sql.Literal(piece.part))
        return where

    def location(self, piece: NamedTuple) -> str:
        """Path of a file below the root, laid out as Hive's; parts may hold any character."""
        folder = self.relation.removeprefix("public.").replace(".", "_")
        if self.part_column:
            folder += f"/{self.part_column}={quote(piece.part, safe='')}"
        since: datetime = piece.range_start.astimezone(UTC)
        unit = f"{since:%Y-%m}" if self.archive_by == "month" else f"{since:%Y-%m-%d}"
        number = "" if piece.number == 1 else f"_{piece.number}"
        return f"{folder}/{self.archive_by}={unit}/{since:%Y%m%d}{number}.parquet"


def policies(connection: psycopg.Connection, relation: str | None = None) -> list[Policy]:
    """The tables that monitoring.lifecycle archives, or one of them."""
    found = connection.execute(
        "SELECT relation, time_column, part_column, archive_by FROM monitoring.lifecycle"
        " WHERE way = 'archived' AND (%(one)s::text IS NULL OR relation = %(one)s) ORDER BY 1",
        {"one": relation},
    ).fetchall()
    if relation and not found:
        raise Failure(f"monitoring.lifecycle archives no table {relation}; with its schema?")
    return [Policy(*row) for row in found]


def measured(connection: psycopg.Connection, table: str, policy: Policy, piece: NamedTuple):
    """Count and hash that the database finds for a file's rows in a table."""
    values = {"table": table, "relation": policy.relation, "part": piece.part}
    values |= {"range_start": piece.range_start, "range_end": piece.range_end}
    return connection.execute(SQL.MEASURE, values).fetchall()


def write_piece(
    connection: psycopg.Connection, store: Store, policy: Policy, piece: NamedTuple
) -> None:
    """Write a file, read it back, have the database compare it with the table, and note it."""
    location = policy.location(piece)
    table = rows.read_rows(connection, policy.relation, policy.rows_of(piece), policy.time_column)
    of_path = policy.of_path(piece.part)
    store.put(location, table.drop_columns(list(of_path)))
    again, sha256 = store.load(location)
    rows.stage(connection, policy.relation, rows.shaped(again, table.schema, of_path))
    expected = [(piece.row_count, piece.row_hash)]
    if measured(connection, "pg_temp.archived_rows", policy, piece) != expected:
        raise Failure(f"{location}: the rows read back differ from the table's")
    connection.execute(
        SQL.NOTE,
        {"relation": policy.relation, "location": location, "sha256": sha256, **piece._asdict()},
    )


def write_one(
    connection: psycopg.Connection, store: Store, policy: Policy, due: NamedTuple
) -> tuple | None:
    """Archive what was due as it is now; None where another writer was faster or the rows left."""
    with connection.transaction():
        connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
        # before the transaction's view of the data: no file is written twice, or after its rows
        # were dropped by it
        connection.execute("LOCK TABLE monitoring.archives IN SHARE ROW EXCLUSIVE MODE")
        now = measured(connection, policy.relation, policy, due)
        if not now:
            return None
        ((is_noted, number),) = connection.execute(
            SQL.NOTED,
            {"relation": policy.relation, **due._asdict(),
             "row_count": now[0][0], "row_hash": now[0][1]},
        ).fetchall()  # fmt: skip
        if is_noted:
            return None
        piece = due._replace(row_count=now[0][0], row_hash=now[0][1], number=number)
        write_piece(connection, store, policy, piece)
        # files that were restored with this one: their rows are in it now
        noted = {"relation": policy.relation, **piece._asdict()}
        replaced = connection.execute(SQL.REPLACE, noted).fetchall()
    for (location,) in replaced:
        store.remove(location)
    return piece


def write_due(target: str, dsn: str, relation: str | None) -> tuple[int, int]:
    """Archive what is old enough; answers files and rows."""
    store = Store(target)
    files = count = 0
    with connect(dsn) as connection:
        for policy in policies(connection, relation):
            ask = ("SELECT * FROM monitoring.due_archives(%s)", [policy.relation])
            for due in connection.execute(*ask).fetchall():
                piece = write_one(connection, store, policy, due)
                if piece is None:
                    continue
                files += 1
                count += piece.row_count
                if console.is_terminal:
                    console.print(f"  {policy.location(piece)}")
    return files, count


def loaded(store: Store, note: NamedTuple):
    """What a noted file holds. Raises Failure when the file is not what was noted."""
    table, found = store.load(note.location)
    if found != note.sha256 or table.num_rows != note.row_count:
        raise Failure(f"{note.location}: is not the file that was archived")
    return table


def proved(connection: psycopg.Connection, store: Store, policy: Policy, note: NamedTuple):
    """The rows of a noted file, as its table has them now. Raises Failure as loaded()."""
    table = loaded(store, note)
    schema = rows.schema_of(connection, policy.relation)
    return rows.shaped(table, schema, policy.of_path(note.part))


def verify(
    connection: psycopg.Connection, store: Store, notes: list[NamedTuple]
) -> tuple[int, int]:
    """Read noted files again: how many are whole, and how many there are. A damaged one whose rows
    are still in the database loses its note."""
    known = {policy.relation: policy for policy in policies(connection)}

    def prove(note: NamedTuple) -> None:
        if policy := known.get(note.relation):
            proved(connection, store, policy, note)
        else:  # its table is not archived any more, or gone: the file is all there is
            loaded(store, note)

    damaged = find_damaged(notes, prove)
    for note in damaged:
        connection.execute(SQL.FORGET, note._asdict())
    return len(notes) - len(damaged), len(notes)


def verify_files(target: str, dsn: str) -> tuple[int, int]:
    """Read all files again; answers how many are whole, and how many there are."""
    with connect(dsn) as connection:
        return verify(connection, Store(target), connection.execute(SQL.FILES, ALWAYS).fetchall())


def drop_archived(target: str, dsn: str) -> int:
    """Verify the files of what is about to go, then have the database follow its policies."""
    with connect(dsn) as connection:
        notes = connection.execute(SQL.FILES, ALWAYS).fetchall()
        here = [note for note in notes if note.dropped_at is None]
        whole, count = verify(connection, Store(target), here)
        call = "CALL public.follow_lifecycle(p_files_verified => TRUE)"
        drop(connection, whole, count, call)
    return count


def restore_rows(
    target: str, dsn: str, relation: str, part: str, since: datetime, until: datetime
) -> tuple[int, int]:
    """Bring archived rows back; answers files and the rows that were missing."""
    store = Store(target)
    count = 0
    wanted = {"relation": relation, "part": part, "since": since, "until": until}
    with connect(dsn) as connection:
        (policy,) = policies(connection, relation)
        notes = connection.execute(SQL.FILES, wanted).fetchall()
        if not notes:
            raise Failure(f"no archive of {relation} is noted for that time")
        for note in notes:
            table = proved(connection, store, policy, note)
            with connection.transaction():
                rows.stage(connection, relation, table)
                count += rows.put_back(connection, relation, table.schema.names)
                connection.execute(SQL.RESTORED, note._asdict())
    return len(notes), count
