"""Tables in parts: a plain table is one, a hypertable has one for each of its chunks."""

from collections.abc import Sequence
from graphlib import CycleError, TopologicalSorter
from typing import NamedTuple

import psycopg
from psycopg import sql

from rubi.backups import measuring
from rubi.cli import Failure
from rubi.queries import queries, run_each

SQL = queries(__file__)
HISTORY = ("deploy", "history")  # each database has its own
# a database with rows here is somebody's
IN_USE = tuple(
    sql.Identifier("public", name) for name in ("mt5_accounts", "trading_orders", "market_data")
)


class Table(NamedTuple):
    """A table of the source."""

    oid: int
    schema: str
    name: str
    columns: list[str]
    """Those that can be written."""
    key: list[str]
    time: str = ""
    """The column by which a hypertable is cut into chunks."""
    parents: Sequence[int] = ()
    """Tables to which a hypertable refers."""
    is_parent: bool = False

    def __str__(self) -> str:
        return f"{self.schema}.{self.name}"

    @property
    def relation(self) -> sql.Identifier:
        """The table in a statement."""
        return sql.Identifier(self.schema, self.name)

    def listed(self, names: Sequence[str] = (), prefix: str = "") -> sql.Composed:
        """Columns, all of them unless named, with commas between."""
        places = [[prefix, name] if prefix else [name] for name in names or self.columns]
        return sql.SQL(", ").join(sql.Identifier(*place) for place in places)

    def in_range(self, since: str, until: str) -> sql.Composed:
        """The condition that a row of the table t is of a range of time."""
        at = sql.Identifier("t", self.time)
        bounds = (sql.SQL("{}::timestamptz").format(bound) for bound in (since, until))
        return sql.SQL("{0} >= {1} AND {0} < {2}").format(at, *bounds)


class Part(NamedTuple):
    """Rows of a table, of a hypertable those of a chunk's range of time."""

    table: Table
    since: str = ""
    until: str = ""
    chunk: int | None = None
    is_packed: bool = False
    """In columnstore, where neither counters nor transactions tell what changed."""

    def __str__(self) -> str:
        return f"{self.table} from {self.since}" if self.chunk else str(self.table)

    @property
    def place(self) -> tuple[str, str]:
        """By what it is noted."""
        return str(self.table), self.since

    @property
    def rows(self) -> sql.Composed:
        """What stands behind FROM, as t, with the condition that its rows meet."""
        only = self.table.in_range(self.since, self.until) if self.chunk else sql.SQL("TRUE")
        return sql.SQL("{} AS t WHERE {}").format(self.table.relation, only)


class Note(NamedTuple):
    """What the target knows of a part that it has."""

    relation: str
    since: str
    until: str
    row_count: int
    checksum: str
    xact_id: int
    counters: list[int] | None
    statistics: str


class Marks(NamedTuple):
    """By what the source's statistics tell that a chunk has not changed. Read before rows are."""

    statistics: str
    counters: dict[int, list[int]]

    def unchanged(self, part: Part, note: Note) -> bool:
        """Whether no row of a chunk was written since it was noted."""
        return (
            not part.is_packed
            and note.statistics == self.statistics
            and note.counters is not None  # a plain table has none
            and note.counters == self.counters.get(part.chunk)
        )


def tables(old: psycopg.Connection) -> list[Table]:
    """All tables of the source, parents first, what triggers write behind all others."""
    names = {oid: (schema, name) for oid, schema, name in old.execute(measuring.SQL.TABLES)}
    names = {oid: name for oid, name in names.items() if name != HISTORY}
    sorter: TopologicalSorter[int] = TopologicalSorter({oid: () for oid in names})
    for child, parent in old.execute(SQL.REFERENCES, {"tables": list(names)}):
        sorter.add(child, parent)
    try:
        place = {oid: number for number, oid in enumerate(sorter.static_order())}
    except CycleError as error:
        raise Failure("foreign keys form a circle, such tables can't be copied") from error
    found = sorted(names, key=lambda oid: (names[oid][0] != "public", place[oid]))
    return [Table(*row) for row in old.execute(SQL.FACTS, {"tables": found})]


def of_tables(old: psycopg.Connection, found: list[Table]) -> dict[int, list[Part]]:
    """The parts of each table."""
    by_oid = {table.oid: table for table in found}
    parts: dict[int, list[Part]] = {t.oid: [] if t.time else [Part(t)] for t in found}
    for oid, *facts in old.execute(SQL.CHUNKS).fetchall():
        if oid in by_oid:
            parts[oid].append(Part(by_oid[oid], *facts))
    return parts


def marks(old: psycopg.Connection, parts: dict[int, list[Part]]) -> Marks:
    """The counters of all chunks. Read them before the rows: what is committed between the two is
    then found again, not lost."""
    chunks = [part.chunk for several in parts.values() for part in several if part.chunk]
    old.execute("SELECT pg_stat_clear_snapshot()")
    (statistics,) = old.execute(SQL.STATISTICS).fetchone()
    return Marks(statistics, dict(old.execute(SQL.COUNTERS, {"tables": chunks}).fetchall()))


def notes(new: psycopg.Connection) -> dict[tuple[str, str], Note]:
    """What the target has."""
    return {(row[0], row[1]): Note(*row) for row in new.execute(SQL.NOTED).fetchall()}


def note(new: psycopg.Connection, part: Part, found: dict, xact_id: int, read: Marks) -> Note:
    """Note a part that the target has now; found: its rows and checksum."""
    noted = Note(
        *part.place, part.until, found["rows"], found["checksum"], xact_id,
        read.counters.get(part.chunk), read.statistics,
    )  # fmt: skip
    new.execute(SQL.NOTE, noted._asdict())
    return noted


def forget(new: psycopg.Connection, table: Table, noted: Note) -> None:
    """Remove a part that the source no longer has: its chunk was dropped or cut."""
    new.execute(
        sql.SQL("DELETE FROM {} AS t WHERE {}").format(
            table.relation, table.in_range(noted.since, noted.until)
        )
    )
    new.execute(
        "DELETE FROM deploy.copied_parts WHERE relation = %s AND since = %s",
        [noted.relation, noted.since],
    )


def is_begun(new: psycopg.Connection) -> bool:
    """Whether a copy has begun that is not finished."""
    return new.execute("SELECT to_regclass('deploy.copied_from') IS NOT NULL").fetchone()[0]


def begin(old: psycopg.Connection, new: psycopg.Connection, found: list[Table]) -> None:
    """Empty the target and make it ready for rows in any order, unless that was done. Raises
    Failure when the target holds rows of another source."""
    (source,) = old.execute(SQL.SOURCE).fetchone()
    if is_begun(new):
        begun = new.execute(
            "SELECT c.source, c.finished_at IS NULL, c.deployed = max(h.id)"
            " FROM deploy.copied_from AS c CROSS JOIN deploy.history AS h"
            " GROUP BY c.source, c.finished_at, c.deployed"
        ).fetchone()
        if begun[0] != source:
            raise Failure(
                "the target holds a copy of another database: make a new database, or DROP TABLE"
                " deploy.copied_from, deploy.copied_parts, deploy.copied_keys and deploy it again"
            )
        if not begun[2]:  # triggers may be on again, tables others than those that were copied
            raise Failure(
                "files were deployed in the target since its first rows came: make a new database,"
                " deploy it and begin again"
            )
        if not begun[1]:  # finished, but the source could not be closed, or was opened again
            loosen(new, found)
            new.execute("UPDATE deploy.copied_from SET finished_at = NULL")
            # meanwhile somebody may have written into the target
            new.execute("UPDATE deploy.copied_parts SET statistics = ''")
        return
    for table in IN_USE:
        if new.execute(sql.SQL("SELECT FROM {} LIMIT 1").format(table)).rowcount:
            raise Failure(
                f"the target has rows in {table.as_string()}: name a database that was just"
                " deployed; are --from and --to the wrong way round?"
            )
    new.execute(SQL.NOTES)
    new.execute(
        "INSERT INTO deploy.copied_from (source, deployed) SELECT %s, max(id) FROM deploy.history",
        [source],
    )
    loosen(new, found)
    new.execute(
        sql.SQL("TRUNCATE {}").format(sql.SQL(", ").join(table.relation for table in found))
    )


def check_finished(old: psycopg.Connection, new: psycopg.Connection) -> None:
    """Raises Failure where the target holds a copy that did not close this source."""
    (source,) = old.execute(SQL.SOURCE).fetchone()
    if (
        is_begun(new)
        and not new.execute(
            "SELECT FROM deploy.copied_from WHERE source = %s AND finished_at IS NOT NULL", [source]
        ).rowcount
    ):
        raise Failure(
            "the source was closed by a copy into another target, this one lacks rows: write into"
            " that one, or --reopen the source first"
        )


def oids(new: psycopg.Connection, found: list[Table]) -> list[int]:
    """What tables of the source are in the target."""
    return [
        new.execute("SELECT %s::regclass::oid", [table.relation.as_string()]).fetchone()[0]
        for table in found
    ]


def loosen(new: psycopg.Connection, found: list[Table]) -> None:
    """Take triggers and foreign keys of plain tables away; a hypertable keeps its own."""
    plain = {"tables": oids(new, [table for table in found if not table.time])}
    new.execute(SQL.KEEP_KEYS, plain)
    run_each(new, SQL.LOOSEN, plain)


def tighten(new: psycopg.Connection, found: list[Table]) -> None:
    """Give triggers and foreign keys back. The keys bind each write from now on; validate() looks
    at the rows that are there."""
    run_each(new, SQL.TIGHTEN, {"tables": oids(new, [table for table in found if not table.time])})


def validate(new: psycopg.Connection) -> int:
    """Validate the foreign keys, which stops nobody's writes; how many."""
    return run_each(new, SQL.VALIDATE)


def measured(connection: psycopg.Connection, part: Part) -> dict:
    """Rows and checksum of a part, by its columns' names: their order may differ."""
    row = sql.SQL("ROW({})").format(part.table.listed(prefix="t"))
    return measuring.checksum(connection, row, part.rows)
