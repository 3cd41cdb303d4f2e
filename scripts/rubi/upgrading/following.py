"""One part of a table made equal in the target: all of its rows, or those that changed.

A row's xmin is the transaction that wrote it. Rows written since a part was read are those whose
xmin is not older than the oldest transaction that ran then; that rows are gone shows in the
counts. Neither needs a trigger, a replication slot or a superuser. After a crash or a failover
numbers of transactions that were lost are given out again, so all rows are compared then.
"""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from rubi.backups import measuring
from rubi.cli import Failure
from rubi.upgrading import parts
from rubi.upgrading.parts import Marks, Note, Part

STAGED = sql.Identifier("deploy", "copied_rows")
STAGED_KEYS = sql.Identifier("deploy", "copied_row_keys")
# transactions are numbered modulo 2^32, and compared over half of that
COMPARABLE = 2**31 - 10_000_000


@dataclass
class Pair:
    """Source and target, each in a transaction; both are asked in parallel."""

    old: psycopg.Connection
    new: psycopg.Connection
    parts: dict[int, list[Part]]
    read: Marks
    noted: dict[tuple[str, str], Note]
    moved: int = 0
    compared: int = 0
    since: int = 0
    """Of the source: no transaction that is older still ran when this transaction began."""
    until: int = 0
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))

    def settle(self) -> None:
        """Settings of both transactions, and the source's place in the order of transactions."""
        for connection in (self.old, self.new):
            for setting in measuring.SETTINGS:
                connection.execute(setting)
        self.since, self.until = self.old.execute(
            "SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint"
            " FROM pg_current_snapshot() AS s"
        ).fetchone()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A part's own: the source at one moment, the target with its note."""
        self.old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self.old.read_only = True
        try:
            with self.old.transaction(), self.new.transaction():
                self.settle()
                yield
        finally:
            self.old.isolation_level = None
            self.old.read_only = None

    def both(self, ask: Callable[[psycopg.Connection], Any]) -> tuple[Any, Any]:
        """The answers of source and target."""
        answer = self.pool.submit(ask, self.old)
        try:
            ours = ask(self.new)
        finally:
            answer.exception()  # its connection is of use again when it has ended
        return answer.result(), ours

    def note(self, part: Part, found: dict[str, Any]) -> None:
        """Note a part as equal; found: its rows and checksum."""
        self.noted[part.place] = parts.note(self.new, part, found, self.since, self.read)


def bring(pair: Pair, part: Part, last: bool = False) -> None:
    """Make a part equal to the source and note it. Raises Failure when it is not equal then.

    last: rows that are gone leave a table that hypertables refer to, whose own rows have left.
    """
    noted = pair.noted.get(part.place)
    doubted = noted is not None and noted.statistics != pair.read.statistics
    if doubted:
        theirs, ours = pair.both(lambda connection: parts.measured(connection, part))
        pair.compared += theirs["rows"]
        if theirs == ours:
            pair.note(part, theirs)
            return
    elif noted and part.is_packed and parts.measured(pair.old, part) == known(noted):
        pair.note(part, known(noted))
        return
    if not noted or part.is_packed:
        copy_whole(pair, part)
        return
    written = sql.SQL("TRUE") if doubted else written_since(pair, noted)
    count, fresh, held = counts(pair, part, written)
    if not fresh and count == held:
        pair.note(part, known(noted))
    elif part.table.is_parent:
        if merge(pair, part, written, held + fresh - count, last):
            prove(pair, part)
    elif part.table.key and fresh * 2 <= count:
        replace(pair, part, written, held + fresh - count)
        prove(pair, part)
    else:
        copy_whole(pair, part)


def known(noted: Note) -> dict[str, Any]:
    """What was noted of the contents."""
    return {"rows": noted.row_count, "checksum": noted.checksum}


def written_since(pair: Pair, noted: Note) -> sql.Composable:
    """The condition that a row of the source was written since; all rows where none can tell."""
    if pair.until - noted.xact_id > COMPARABLE:
        return sql.SQL("TRUE")
    number = sql.Literal(str(noted.xact_id % 2**32))
    return sql.SQL("age(t.xmin) BETWEEN 0 AND age({}::xid)").format(number)


def counts(pair: Pair, part: Part, written: sql.Composable) -> tuple[int, int, int]:
    """Rows of the source, those of them that were written since, and rows of the target."""
    asked = {
        pair.old: sql.SQL("SELECT count(*), count(*) FILTER (WHERE {}) FROM {}"),
        pair.new: sql.SQL("SELECT count(*) FROM {1}"),
    }
    theirs, ours = pair.both(
        lambda connection: connection.execute(
            asked[connection].format(written, part.rows)
        ).fetchone()
    )
    # of a hypertable whose chunks are all empty TimescaleDB 2.17 makes no row
    return *(theirs or (0, 0)), *(ours or (0,))


@contextmanager
def staged(pair: Pair, part: Part, only: sql.Composable | None = None) -> Iterator[sql.Identifier]:
    """A part's rows that meet a condition, or else the keys of all, in a table of the target."""
    columns = part.table.listed(() if only else part.table.key)
    name = STAGED if only else STAGED_KEYS
    pair.new.execute(
        sql.SQL("CREATE UNLOGGED TABLE {} AS SELECT {} FROM {} WITH NO DATA").format(
            name, columns, part.table.relation
        )
    )
    query = sql.SQL("SELECT {} FROM {} AND {}").format(columns, part.rows, only or sql.SQL("TRUE"))
    stream(pair.old, pair.new, query, name, columns)
    pair.new.execute(sql.SQL("ANALYZE {}").format(name))
    yield name
    pair.new.execute(sql.SQL("DROP TABLE {}").format(name))


def same_key(part: Part) -> sql.Composed:
    """The condition that a row of the table t and a staged row s have the same key."""
    return sql.SQL(" AND ").join(
        sql.SQL("{} = {}").format(sql.Identifier("t", name), sql.Identifier("s", name))
        for name in part.table.key
    )


def replace(pair: Pair, part: Part, written: sql.Composable, surplus: int) -> None:
    """Replace the rows that were written since, and remove those that are gone.

    surplus: rows of the target and written rows, less the source's rows. Away first: a value that
    must be unique may have gone from row to row.
    """
    table = part.table
    with staged(pair, part, written) as news:
        away = pair.new.execute(
            sql.SQL("DELETE FROM {} AND EXISTS (SELECT FROM {} AS s WHERE {})").format(
                part.rows, news, same_key(part)
            )
        ).rowcount
        if surplus > away:
            remove_gone(pair, part)
        pair.moved += pair.new.execute(
            sql.SQL("INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}").format(
                table.relation, table.listed(), table.listed(), news
            )
        ).rowcount


def merge(pair: Pair, part: Part, written: sql.Composable, surplus: int, last: bool) -> bool:
    """As replace(), of a table that hypertables refer to, whose rows can't leave in between.
    Answers FALSE where rows that are gone had to stay."""
    table = part.table
    others = tuple(name for name in table.columns if name not in table.key)
    with staged(pair, part, written) as news:
        (there,) = pair.new.execute(
            sql.SQL("SELECT count(*) FROM {} AND EXISTS (SELECT FROM {} AS s WHERE {})").format(
                part.rows, news, same_key(part)
            )
        ).fetchone()
        pair.moved += pair.new.execute(
            sql.SQL(
                "INSERT INTO {} ({}) OVERRIDING SYSTEM VALUE SELECT {} FROM {}"
                " ON CONFLICT ({}) DO UPDATE SET ({}) = ROW({})"
            ).format(
                table.relation, table.listed(), table.listed(), news,
                table.listed(table.key), table.listed(others), table.listed(others, "excluded"),
            )
        ).rowcount  # fmt: skip
    if surplus > there and last:
        remove_gone(pair, part)
    return surplus <= there or last


def remove_gone(pair: Pair, part: Part) -> None:
    """Remove rows whose key the source no longer has."""
    with staged(pair, part) as keys:
        pair.new.execute(
            sql.SQL("DELETE FROM {} AND NOT EXISTS (SELECT FROM {} AS s WHERE {})").format(
                part.rows, keys, same_key(part)
            )
        )


def copy_whole(pair: Pair, part: Part) -> None:
    """Replace all rows of a part, and compare them."""
    table = part.table
    if part.chunk or table.is_parent:
        pair.new.execute(sql.SQL("DELETE FROM {}").format(part.rows))
    else:
        pair.new.execute(sql.SQL("TRUNCATE {}").format(table.relation))
    query = sql.SQL("SELECT {} FROM {}").format(table.listed(), part.rows)
    stream(pair.old, pair.new, query, table.relation, table.listed())
    pair.moved += prove(pair, part)


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


def prove(pair: Pair, part: Part) -> int:
    """Compare a part and note it; answers its rows. Raises Failure when the two differ."""
    theirs, ours = pair.both(lambda connection: parts.measured(connection, part))
    if theirs != ours:
        raise Failure(
            f"{part} is not equal after copying ({ours['rows']:,} rows in the target,"
            f" {theirs['rows']:,} in the source): does somebody write into the target?"
        )
    pair.note(part, theirs)
    pair.compared += theirs["rows"]
    return theirs["rows"]
