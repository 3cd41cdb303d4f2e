"""Moves a source into our tables, table by table.

Everything a batch does is one transaction, inside one for all unless the move is resumable: its
rows, its rejects, its leftovers, and the progress.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path

import psycopg
from psycopg import sql

from rubi.cli import Failure
from rubi.moving.mapping import ADMINISTRATOR, Move, given_ids
from rubi.moving.row_batches import Batch, Count, made_ready
from rubi.moving.sources import START, Source


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

    def execute(self, query: str, *values: object) -> psycopg.Cursor:
        return self.connection.execute(query, values)

    def state(self, table: str) -> tuple[int, bool] | None:
        """The last row of earlier runs, and whether they ended; None before the first."""
        return self.execute(
            "SELECT last_row, finished_at IS NOT NULL FROM migration.progress"
            " WHERE source = %s AND table_name = %s", self.source.name, table,
        ).fetchone()  # fmt: skip

    def check_states(self, moves: Sequence[Move]) -> None:
        """Whether this run can go on from an earlier one. Raises Failure."""
        for move in moves:
            state = self.state(move.table)
            if state and not state[1] and not self.resume:
                raise Failure(
                    f"an earlier move of {self.source.name} ended within {move.table}: go on with "
                    "--resume"
                )

    def move(self, move: Move) -> Count:
        state = self.state(move.table)
        # users come in one transaction: the administrator gives way and returns within it
        users = move.table == "users" and self.resume
        with self.connection.transaction() if users else nullcontext():
            if state and move.table == "users":
                self.keep_password(move)
            if state is None:
                if move.table == "users":
                    self.make_way(move)
                self.execute(
                    "INSERT INTO migration.progress (source, table_name, last_row, started_at)"
                    " VALUES (%s, %s, %s, %s)", self.source.name, move.table, START, self.made,
                )  # fmt: skip
            if move.given is not None:
                self.give_ids(move)
            self.move_rows(move, state)
            if self.administrator:
                self.bring_back_administrator()
        return self.counts[move.table]

    def give_ids(self, move: Move) -> None:
        """Ids for the rows of a source without any; a row that has one keeps it."""
        self.execute(
            "INSERT INTO migration.given_ids (source, table_name, source_row, id)"
            " SELECT %s, %s, n, nextval(%s) FROM generate_series(%s::bigint, %s) AS n",
            self.source.name, move.table, f"public.{move.table}_id_seq",
            len(move.given) + 1, self.source.count(move.source_table),
        )  # fmt: skip
        move.given = given_ids(self.connection, self.source, move.table)

    def move_rows(self, move: Move, state: tuple[int, bool] | None) -> None:
        """All batches of a table, then its sequence."""
        self.counts[move.table] = count = Count()
        reached, again = state or (START, False)
        last = START if again else reached
        # rows up to here were read by an earlier run: the ones still here stay as they are
        known = reached if again else START
        batch = self.batch(move, known, again)
        # its threads end before the source is closed under them, also at Ctrl-C
        with closing(made_ready(self.source, move, last)) as prepared:
            for ready in prepared:
                with self.connection.transaction(), self.quiet_strategies(move):
                    batch.move(ready, last, count)
                    last = ready.last
                    self.execute(
                        "UPDATE migration.progress SET last_row = greatest(last_row, %s),"
                        " moved = %s + moved WHERE source = %s AND table_name = %s",
                        last, batch.moved, self.source.name, move.table,
                    )  # fmt: skip
                self.progress(move, len(ready.rows))
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
                self.execute("SELECT public.fold_bar_changes()")
        self.set_sequence(move.table)

    def batch(self, move: Move, known: int, again: bool) -> Batch:
        return Batch(self.connection, self.source.name, move, known, again, self.merge)

    @contextmanager
    def quiet_strategies(self, move: Move) -> Iterator[None]:
        """While orders move, counting them does not change a strategy's updated_at.

        Other writers of strategies wait until the transaction ends; no other session sees the
        trigger off.
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

    def set_sequence(self, table: str) -> None:
        """Set the next id above all moved ones. Not undone by a rollback, and harmless then."""
        self.connection.execute(
            sql.SQL(
                "SELECT setval({name}, m.top) FROM (SELECT max(id) AS top FROM {table}) AS m"
                " WHERE m.top > coalesce(pg_sequence_last_value({name}::regclass), 0)"
            ).format(
                name=sql.Literal(f"public.{table}_id_seq"), table=sql.Identifier("public", table)
            )
        )

    def make_way(self, move: Move) -> None:
        """Let our seeded administrator give way to the user with his id, since ids are kept.

        Raises Failure when the database has users that do not come from this source.
        """
        rows = self.execute(
            "SELECT id, email, username, is_superuser, is_active, hashed_password"
            " FROM public.users LIMIT 2"
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
        self.keep_password(move)
        self.execute("DELETE FROM public.users WHERE id = %s", self.administrator[0])

    def keep_password(self, move: Move) -> None:
        """Our administrator's password, also when the source has one for him."""
        row = self.execute(
            "SELECT hashed_password FROM public.users WHERE lower(email) = %s", ADMINISTRATOR
        ).fetchone()
        if row and not row[0].startswith("!"):
            move.options.passwords.setdefault(ADMINISTRATOR, row[0])

    def bring_back_administrator(self) -> None:
        """Unless he came with the source, he returns with the next free id."""
        self.set_sequence("users")
        self.execute(
            "INSERT INTO public.users (email, username, is_superuser, is_active, hashed_password)"
            " SELECT n.* FROM (VALUES (%s, %s, %s, %s, %s))"
            " AS n (email, username, super, active, hash)"
            " WHERE NOT EXISTS (SELECT FROM public.users AS u WHERE lower(u.email) = lower(n.email)"
            " OR lower(u.username) = lower(n.username))", *self.administrator[1:],
        )  # fmt: skip
        self.administrator = None

    def write_rejects(self, path: Path) -> int:
        """All rejects of the source as lines of JSON; no file when there are none."""
        path.unlink(missing_ok=True)
        written = 0
        with (
            self.connection.transaction(),
            self.connection.cursor("rejects") as cursor,
            ExitStack() as opened,
        ):
            cursor.execute(
                "SELECT table_name, source_row, rule, detail, row_values FROM migration.rejects"
                " WHERE source = %s ORDER BY table_name, source_row", [self.source.name],
            )  # fmt: skip
            for row in cursor:
                if not written:
                    file = opened.enter_context(path.open("w", encoding="utf-8"))
                names = ("table", "row", "rule", "detail", "values")
                record = dict(zip(names, row, strict=True))
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
                written += 1
        return written
