"""Moves rows of a source into our tables: COPY where all is well, row by row where it is not.

Everything a batch does is one transaction, inside one for all unless the move is resumable: its
rows, its rejects, what was left over, and how far it came.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from cli import Failure
from migrate_batches import START, Prepared, Quick, copy_text, made_ready
from migrate_sources import Rows, Source
from migrate_sums import SourceSide
from migrate_tables import ADMINISTRATOR, NAMED_BY, PARENTS, Move

Reject = tuple[int, str, str]  # number of the row, rule, detail


@dataclass
class Count:
    """What became of a table's rows."""

    read: int = 0
    moved: int = 0
    there: int = 0
    rejected: int = 0


@dataclass
class State:
    """How far a table came in earlier runs."""

    last: int
    finished: bool


def is_the_rows_fault(error: psycopg.Error) -> bool:
    """Data, constraints, and errors our triggers raise."""
    return (error.sqlstate or "")[:2] in ("22", "23", "44", "RB")


class Mover:
    """Moves the tables of one source over one connection, with the rights of our tables' owner."""

    def __init__(
        self,
        connection: psycopg.Connection,
        source: Source,
        *,
        made: str,
        resume: bool = False,
        merge: bool = False,
        progress: Callable[[Move, int], None] = lambda move, rows: None,
    ) -> None:
        self.connection = connection
        self.source = source
        self.made = made  # when the first run began
        self.resume = resume
        self.merge = merge
        self.progress = progress
        self.administrator: tuple | None = None
        self.counts: dict[str, Count] = {}
        # of tables that this run read from their beginning
        self.sides: dict[str, SourceSide] = {}

    def execute(self, query: str, *values: object) -> psycopg.Cursor:
        """A statement of ours."""
        return self.connection.execute(query, values)

    def state(self, table: str) -> State | None:
        """What earlier runs left; None before the first."""
        row = self.execute(
            "SELECT last_row, finished_at IS NOT NULL FROM migration.progress"
            " WHERE source = %s AND table_name = %s", self.source.name, table,
        ).fetchone()  # fmt: skip
        return State(*row) if row else None

    def check_states(self, moves: Sequence[Move]) -> None:
        """Whether this run can go on from what is there. Raises Failure."""
        for move in moves:
            state = self.state(move.table)
            if state and not state.finished and not self.resume:
                raise Failure(
                    f"an earlier move of {self.source.name} ended within {move.table}: go on with "
                    "--resume"
                )

    def move(self, move: Move) -> Count:
        """Move one table."""
        self.counts[move.table] = count = Count()
        state = self.state(move.table)
        # users come in one transaction: the administrator gives way and returns within it
        users = move.table == "users" and self.resume
        with self.connection.transaction() if users else nullcontext():
            if state is None:
                if move.table == "users":
                    self.make_way(move)
                self.execute(
                    "INSERT INTO migration.progress (source, table_name, last_row, started_at)"
                    " VALUES (%s, %s, %s, %s)", self.source.name, move.table, START, self.made,
                )  # fmt: skip
            self.move_rows(move, state, count)
            if self.administrator:
                self.bring_back_administrator()
        return count

    def move_rows(self, move: Move, state: State | None, count: Count) -> None:
        """All batches of a table, then its sequence."""
        again = state is not None and state.finished
        last = START if state is None or again else state.last
        # rows up to here were read by an earlier run: those that are still here are left alone
        known = state.last if again else START
        batch = Batch(self, move, known, again)
        side = self.sides[move.table] = SourceSide(move) if state is None else None
        prepared = made_ready(self.source, move, last, state is None)
        for ready in prepared:
            with self.connection.transaction(), self.quiet_strategies(move):
                good = batch.move(ready, last, count)
                last = ready.last
                self.execute(
                    "UPDATE migration.progress SET last_row = greatest(last_row, %s),"
                    " moved = %s + moved WHERE source = %s AND table_name = %s",
                    last, batch.moved, self.source.name, move.table,
                )  # fmt: skip
            if side:
                side = self.sides[move.table] = self.add(side, ready, good)
            self.progress(move, ready.count)
        with self.connection.transaction():
            if again:  # rejected once, and no longer in the source
                self.execute(
                    "DELETE FROM migration.rejects WHERE source = %s AND table_name = %s"
                    " AND source_row > %s", self.source.name, move.table, last,
                )  # fmt: skip
            self.execute(
                "UPDATE migration.progress SET finished_at = now()"
                " WHERE source = %s AND table_name = %s", self.source.name, move.table,
            )  # fmt: skip
            if move.table == "market_data":
                self.count_series()
        self.set_sequence(move.table)

    def add(self, side: SourceSide, ready: Prepared, good: list[list] | None) -> SourceSide | None:
        """Add a batch to the source's side. None when it will have to be read again: a table whose
        numbers SQLite adds up has to have gone the fast way as a whole."""
        if ready.quick != (good is None) or (side.total and side.by_source != ready.quick):
            return None
        side.total += ready.count
        side.by_source = ready.quick
        if ready.quick:
            side.add_rows(ready.texts)
        else:
            side.add(good, ready.texts if good is ready.fields and ready.plain else None)
        return side

    @contextmanager
    def quiet_strategies(self, move: Move) -> Iterator[None]:
        """While orders move, counting them does not change a strategy's updated_at.

        Other writers of strategies wait until the transaction ends; nobody else sees the trigger
        off.
        """
        if move.table != "trading_orders":
            yield
            return
        alter = "ALTER TABLE public.trading_strategies {} TRIGGER trading_strategies_90_updated_at"
        self.connection.execute(alter.format("DISABLE"))
        yield
        self.connection.execute("SET CONSTRAINTS ALL IMMEDIATE")
        self.connection.execute("SET CONSTRAINTS ALL DEFERRED")
        self.connection.execute(alter.format("ENABLE"))

    def count_series(self) -> None:
        """market_series for the bars that came in."""
        self.execute("SELECT public.fold_bar_changes()")
        if not self.execute(
            "SELECT FROM pg_trigger WHERE tgrelid = 'public.market_data'::regclass"
            " AND tgname = 'market_data_50_inserted'"
        ).rowcount:  # TimescaleDB before 2.18
            self.execute(
                "SELECT public.count_bars(s.symbol, s.timeframe)"
                " FROM (SELECT DISTINCT symbol, timeframe FROM public.market_data) AS s"
            )

    def set_sequence(self, table: str) -> None:
        """The next id is above all that came in. Not undone by a rollback, and harmless then."""
        self.connection.execute(
            sql.SQL(
                "SELECT setval({name}, m.top) FROM (SELECT max(id) AS top FROM {table}) AS m"
                " WHERE m.top > coalesce(pg_sequence_last_value({name}::regclass), 0)"
            ).format(
                name=sql.Literal(f"public.{table}_id_seq"), table=sql.Identifier("public", table)
            )
        )

    def make_way(self, move: Move) -> None:
        """Ids are kept, so our seeded administrator gives way to whoever has his. Raises Failure
        when the database has users that do not come from this source."""
        rows = self.execute(
            "SELECT id, email, username, hashed_password, is_superuser FROM public.users LIMIT 2"
        ).fetchall()
        if not rows or self.merge:
            return
        if len(rows) > 1 or rows[0][1] != ADMINISTRATOR:
            raise Failure(
                "the database has users that do not come from this source, and ids are kept: move "
                "into an empty database, or say --merge when no id is used twice"
            )
        for (table,) in self.execute(
            "SELECT DISTINCT conrelid::regclass::text FROM pg_constraint"
            " WHERE confrelid = 'public.users'::regclass AND contype = 'f'"
        ).fetchall():
            query = f"SELECT FROM {table} WHERE user_id = %s LIMIT 1"
            if self.execute(query, rows[0][0]).rowcount:
                raise Failure(f"the administrator of the database has rows in {table} already")
        self.administrator = rows[0]
        password = self.administrator[3]
        if not password.startswith("!"):  # set by whoever runs this database
            move.options.passwords.setdefault(ADMINISTRATOR, password)
        self.execute("DELETE FROM public.users WHERE id = %s", self.administrator[0])

    def bring_back_administrator(self) -> None:
        """Unless he came with the source, he returns with the next free id."""
        self.set_sequence("users")
        self.execute(
            "INSERT INTO public.users (email, username, hashed_password, is_superuser)"
            " SELECT n.* FROM (VALUES (%s, %s, %s, %s)) AS n (email, username, hash, super)"
            " WHERE NOT EXISTS (SELECT FROM public.users AS u WHERE lower(u.email) = lower(n.email)"
            " OR lower(u.username) = lower(n.username))", *self.administrator[1:],
        )  # fmt: skip
        self.administrator = None

    def write_rejects(self, path: Path) -> int:
        """All rejects of the source as lines of JSON; no file when there are none."""
        path.unlink(missing_ok=True)
        written = 0
        with self.connection.transaction(), self.connection.cursor("rejects") as cursor:
            cursor.execute(
                "SELECT table_name, source_row, rule, detail, row_values FROM migration.rejects"
                " WHERE source = %s ORDER BY table_name, source_row", [self.source.name],
            )  # fmt: skip
            for row in cursor:
                if not written:
                    file = path.open("w", encoding="utf-8")
                names = ("table", "row", "rule", "detail", "values")
                record = dict(zip(names, row, strict=True))
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                written += 1
            if written:
                file.close()
        return written


class Batch:
    """Moves one batch after another of one table."""

    def __init__(self, mover: Mover, move: Move, known: int, again: bool) -> None:
        self.mover = mover
        self.move_ = move
        self.connection = mover.connection
        self.known = known
        self.again = again
        self.columns = move.target_columns
        self.kinds = move.target_kinds
        self.source = mover.source.name
        self.table = sql.Identifier("public", move.table)
        self.names = sql.SQL(", ").join(map(sql.Identifier, self.columns))
        named_by, key_rule = NAMED_BY.get(move.table, ("id", f"{move.table}_pkey"))
        self.named_by = self.columns.index(named_by) if named_by in self.columns else None
        self.key_rules = {key_rule, f"{move.table}_pkey"}
        self.parents = [
            parent for parent in PARENTS.get(move.table, ())
            if parent[0] in self.columns and self.has_rejects(parent[1])
        ]  # fmt: skip
        self.staging = False
        self.moved = 0

    def has_rejects(self, table: str) -> bool:
        """Whether rows that others may name were rejected."""
        return bool(
            self.connection.execute(
                "SELECT FROM migration.rejects WHERE source = %s AND table_name = %s"
                " AND key IS NOT NULL LIMIT 1", [self.source, table],
            ).rowcount
        )  # fmt: skip

    def move(self, ready: Prepared | Quick, last: int, count: Count) -> list[list] | None:
        """Move a batch; last is the number of the row before it. Answers what came in or was
        there; None when that is just what SQLite wrote."""
        if isinstance(ready, Quick):
            if self.copy(ready.texts):
                self.moved = ready.count
                count.read += ready.count
                count.moved += ready.count
                return None
            ready = ready.careful()
        rows, fields, bad = ready.rows, ready.fields, ready.bad
        before = set()
        if self.again:
            query = (
                "DELETE FROM migration.rejects WHERE source = %s AND table_name = %s"
                " AND source_row > %s AND source_row <= %s RETURNING source_row"
            )
            found = self.connection.execute(
                query, [self.source, self.move_.table, last, rows[-1][0]]
            )
            before = {row[0] for row in found}
        rejects: list[Reject] = [(rows[i][0], *why) for i, why in bad.items()]
        kept = [index for index in range(len(rows)) if index not in bad]
        numbers = [row[0] for row in rows]
        if bad:
            fields = [[values[index] for index in kept] for values in fields]
            numbers = [numbers[index] for index in kept]
        there = 0
        if kept and (self.again or self.parents or bad or not self.copy(ready.texts)):
            found, there = self.stage(fields, numbers, before)
            rejects += found
            out = {number for number, _, _ in found}
            if out:
                kept = [index for index, number in enumerate(numbers) if number not in out]
                fields = [[values[index] for index in kept] for values in fields]
        self.moved = len(kept) - there
        self.keep_rejects(rows, rejects)
        self.keep_leftovers(rows, last)
        count.read += len(rows)
        count.moved += self.moved
        count.there += there
        count.rejected += len(rejects)
        return fields

    def copy(self, texts: list[str]) -> bool:
        """All rows at once into the table; answers False when one of them breaks a rule."""
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(self.table, self.names)
        try:
            with (
                self.connection.transaction(),
                self.connection.cursor() as cursor,
                cursor.copy(query) as copy,
            ):
                copy.write("\n".join(texts) + "\n")
        except psycopg.Error as error:
            if not is_the_rows_fault(error):
                raise
            return False
        return True

    def stage(
        self, fields: list[list], numbers: list[int], before: set[int]
    ) -> tuple[list[Reject], int]:
        """Rows through a staging table: what is there already is left out, and what hangs on a
        rejected row; the rest goes in, or is rejected by name. Answers rejects, and rows that were
        there."""
        if not self.staging:
            self.connection.execute("DROP TABLE IF EXISTS pg_temp.staged")
            self.connection.execute(
                sql.SQL(
                    "CREATE TEMPORARY TABLE staged AS SELECT 0::bigint AS n, 0::bigint AS"
                    " source_row, {} FROM {} WITH NO DATA"
                ).format(self.names, self.table)
            )
            self.connection.execute("CREATE UNIQUE INDEX staged_n ON pg_temp.staged (n)")
            self.staging = True
        self.connection.execute("TRUNCATE pg_temp.staged")
        places = list(map(str, range(1, len(numbers) + 1)))
        query = sql.SQL("COPY pg_temp.staged (n, source_row, {}) FROM STDIN").format(self.names)
        with self.connection.cursor() as cursor, cursor.copy(query) as copy:
            kinds = ["integer", "integer", *self.kinds]
            copy.write(copy_text([places, list(map(str, numbers)), *fields], kinds))
        there = self.leave_what_is_there(before) if self.again else 0
        rejects = self.leave_what_hangs_on_rejects()
        rejects += self.connection.execute(
            "SELECT source_row, rule, detail FROM migration.insert_staged(%s::regclass, %s)",
            [f"public.{self.move_.table}", self.columns],
        ).fetchall()
        # its account comes from its session: without one, the session is what lacks
        orphan = "trading_positions_account_id_not_null"
        return [
            (row, "trading_positions_session_id_fkey" if rule == orphan else rule, detail)
            for row, rule, detail in rejects
        ], there

    def leave_what_is_there(self, before: set[int]) -> int:
        """Rows that an earlier run read and did not reject: those that are still here."""
        key = self.move_.key
        same = (
            sql.SQL("EXISTS (SELECT FROM {} AS t WHERE {})").format(
                self.table,
                sql.SQL(" AND ").join(
                    sql.SQL("t.{0} = s.{0}").format(sql.Identifier(name)) for name in key
                ),
            )
            if key
            else sql.SQL("TRUE")  # nothing names the row: it was moved, that has to do
        )
        query = sql.SQL(
            "DELETE FROM pg_temp.staged AS s WHERE s.source_row <= %s"
            " AND s.source_row <> ALL (%s) AND {}"
        ).format(same)
        return self.connection.execute(query, [self.known, list(before)]).rowcount

    def leave_what_hangs_on_rejects(self) -> list[Reject]:
        """Rows that name a rejected row, even where somebody else's row has its number here."""
        found = []
        for column, parent, rule in self.parents:
            query = sql.SQL(
                "DELETE FROM pg_temp.staged AS s USING migration.rejects AS r"
                " WHERE r.source = %s AND r.table_name = %s AND r.key = s.{}::text"
                " RETURNING s.source_row"
            ).format(sql.Identifier(column))
            gone = {row[0] for row in self.connection.execute(query, [self.source, parent])}
            found += [
                (number, f"{self.move_.table}_{rule}", f"its row of {parent} was rejected")
                for number in sorted(gone)
            ]
        return found

    def keep_rejects(self, rows: Rows, rejects: list[Reject]) -> None:
        """Note rejected rows."""
        if not rejects:
            return
        places = {row[0]: row for row in rows}
        fields, _ = self.move_.convert([places[number] for number, _, _ in rejects])
        query = (
            "COPY migration.rejects (source, table_name, source_row, key, rule, detail,"
            " row_values) FROM STDIN"
        )
        with self.connection.cursor() as cursor, cursor.copy(query) as copy:
            for index, (number, rule, detail) in enumerate(rejects):
                key = None if self.named_by is None else fields[self.named_by][index]
                # where its twin came in, what names the row names the twin
                if not isinstance(key, str) or (rule in self.key_rules and not self.mover.merge):
                    key = None
                values = json.dumps(self.move_.shown(places[number]), ensure_ascii=False)
                copy.write_row(
                    (self.source, self.move_.table, number, key, rule, detail[:500], values)
                )

    def keep_leftovers(self, rows: Rows, last: int) -> None:
        """Keep the columns that no table of ours has."""
        if not self.move_.leftovers:
            return
        if self.again:
            self.connection.execute(
                "DELETE FROM migration.leftovers WHERE source = %s AND table_name = %s"
                " AND source_row > %s AND source_row <= %s",
                [self.source, self.move_.table, last, rows[-1][0]],
            )
        extra = set(self.move_.leftovers)
        query = "COPY migration.leftovers (source, table_name, source_row, row_values) FROM STDIN"
        with self.connection.cursor() as cursor, cursor.copy(query) as copy:
            for row in rows:
                values = {
                    k: v for k, v in self.move_.shown(row).items() if k in extra and v is not None
                }
                if values:
                    copy.write_row((self.source, self.move_.table, row[0], json.dumps(values)))
