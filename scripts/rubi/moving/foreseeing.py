"""Which rows of a base database break a rule of ours, found out before anything is moved.

The rows are really moved, by what moves them later, into a transaction of a scratch database that
is rolled back: no list of rules is kept beside the rules.
"""

from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import tuple_row

from rubi.cli import console, step
from rubi.deploying import catalog
from rubi.deploying.sqlfiles import read_files
from rubi.moving.adopting import LATER, options_of
from rubi.moving.command import begun_at
from rubi.moving.mapping import KEYS, Move
from rubi.moving.mapping import plan as plan_moves
from rubi.moving.pipeline import Mover
from rubi.moving.row_batches import Batch
from rubi.moving.sources import Base


class Broken(NamedTuple):
    """A rule, how many rows of a table break it, and one of them."""

    table: str
    rule: str
    rows: int
    example: int  # its id
    why: str


class Trial(Mover):
    """Moves rows into the scratch transaction, without those of the large tables staying there.

    Bars and snapshots would need their size once more: each batch of them goes into a temporary
    table with the same CHECKs, which is emptied again. Emptying gives back its room only in the
    transaction that made the table, not within a savepoint.
    """

    def make_twins(self) -> None:
        for table in LATER:
            self.connection.execute(
                sql.SQL("CREATE TEMPORARY TABLE {} (LIKE {} INCLUDING CONSTRAINTS)").format(
                    sql.Identifier(table), sql.Identifier("public", table)
                )
            )
        self.progress = self.empty_twin

    def empty_twin(self, move: Move, rows: int) -> None:
        """When a batch is done."""
        if move.table in LATER:
            self.connection.execute(
                sql.SQL("TRUNCATE {}").format(sql.Identifier("pg_temp", move.table))
            )

    def batch(self, move: Move, known: int, again: bool) -> Batch:
        schema = "pg_temp" if move.table in LATER else "public"
        return Batch(self.connection, self.source.name, move, known, again, self.merge, schema)


def twice(connection: psycopg.Connection, table: str) -> list[Broken]:
    """Rows of a large table that share their key with an earlier one."""
    query = sql.SQL(
        "SELECT sum(g.more), min(g.last) FROM (SELECT count(*) - 1 AS more, max(t.id) AS last"
        " FROM public.{} AS t GROUP BY {} HAVING count(*) > 1) AS g"
    ).format(sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, KEYS[table])))
    more, last = connection.execute(query).fetchone()
    if not more:
        return []
    return [Broken(table, f"{table}_pkey", int(more), last, "an earlier row has its key")]


def broken_rules(
    connection: psycopg.Connection, maker: psycopg.Connection, zone: str, scratch: str
) -> list[Broken]:
    """All rules that rows of the base in the schema public break. Raises Failure.

    The first connection reads; over the other a scratch database is made unless one is named.
    """
    source = Base(connection, "public")
    with catalog.scratch(maker, scratch) as inside:
        catalog.run_all(inside, read_files())
        inside.row_factory = tuple_row
        made = begun_at(inside, source)
        mover = Trial(inside, source, made=made)
        mover.make_twins()
        for move in plan_moves(inside, source, options_of(zone, False), (), made)[0]:
            mover.move(move)
        rows = inside.execute(
            "SELECT DISTINCT ON (r.table_name, r.rule) r.table_name, r.rule,"
            " count(*) OVER (PARTITION BY r.table_name, r.rule), r.source_row, r.detail"
            " FROM migration.rejects AS r WHERE r.source = %s"
            " ORDER BY r.table_name, r.rule, r.source_row", [source.name],
        ).fetchall()  # fmt: skip
    found = [Broken(*row) for row in rows]
    return sorted(found + [one for table in LATER for one in twice(connection, table)])


def show_broken_rules(
    connection: psycopg.Connection, maker: psycopg.Connection, zone: str, scratch: str
) -> None:
    """Say what apply would put into quarantine. Raises Failure."""
    with step("every row tried in a scratch database"):
        broken = broken_rules(connection, maker, zone, scratch)
    if not broken:
        console.print("no row breaks a rule: all come over")
        return
    for one in broken:
        rows_of = f"{one.rows:,} {'row' if one.rows == 1 else 'rows'}"
        console.print(
            f"{one.table}: {one.rule}: {rows_of}, one has id {one.example}: {one.why}",
            style="yellow",
        )
    count = sum(one.rows for one in broken)
    console.print(
        f"{count:,} rows break a rule: apply keeps them in migration.rejects; mend them here first"
        " if they are to come over"
    )
