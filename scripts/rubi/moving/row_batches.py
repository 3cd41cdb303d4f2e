"""One table's batches: made ready while the last one is on its way, then stored by COPY, or row by
row where COPY fails."""

import json
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import psycopg
from psycopg import sql

from rubi.moving.mapping import NAMED_BY, PARENTS, Move
from rubi.moving.sources import START, Base, Rows, Source

Reject = tuple[int, str, str]  # number of the row, rule, detail
ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def lines(fields: Sequence[list], kinds: Sequence[str]) -> list[str]:
    columns = []
    for values, kind in zip(fields, kinds, strict=True):
        if kind in ("text", "word", "json"):
            text = "".join(filter(None, values))
            if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
                values = [value and value.translate(ESCAPES) for value in values]
        columns.append(["\\N" if v is None else v for v in values] if None in values else values)
    return list(map("\t".join, zip(*columns, strict=True)))


def copy_text(fields: Sequence[list], kinds: Sequence[str]) -> str:
    return joined(lines(fields, kinds))


def joined(texts: Sequence[str]) -> str:
    return "\n".join(texts) + "\n"


def ahead(items: Generator) -> Iterator:
    """The same items, the next one made in a thread while the caller works on the last."""
    with closing(items), ThreadPoolExecutor(1) as pool:
        # a Ctrl-C while a thread starts leaves the thread unknown to its pool
        pool.submit(int).result()
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


class Prepared:
    """A batch with its values converted, and the lines for COPY when all of them can be."""

    def __init__(self, move: Move, rows: Rows) -> None:
        self.last = rows[-1][0]
        self.rows = rows
        self.fields, self.bad = move.convert(rows)
        self.texts = [] if self.bad else lines(self.fields, move.target.values())


def made_ready(source: Source, move: Move, last: int) -> Generator:
    """All batches of a table after a row."""
    batches = source.batches(move.source_table, move.names, last)
    ready = (Prepared(move, rows) for rows in batches)
    # the base is read over the connection that writes
    return ready if isinstance(source, Base) else ahead(ready)


@dataclass
class Count:
    read: int = 0
    moved: int = 0
    there: int = 0
    rejected: int = 0


def first_after(last: int) -> int:
    """The least number that a row after this one can have."""
    return last if last == START else last + 1


def is_the_rows_fault(error: psycopg.Error) -> bool:
    """Data, constraints, errors our triggers raise, and keys too long for their index."""
    state = error.sqlstate or ""
    return state[:2] in ("22", "23", "44", "RB") or state == "54000"


class Batch:
    def __init__(
        self, connection: psycopg.Connection, source: str, move: Move, known: int, again: bool,
        merge: bool, schema: str = "public",
    ) -> None:  # fmt: skip
        self.merge = merge
        self.move_ = move
        self.connection = connection
        self.known = known
        self.again = again
        self.columns, self.kinds = list(move.target), list(move.target.values())
        self.source = source
        self.table = sql.Identifier(schema, move.table)
        self.target = f"{schema}.{move.table}"
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

    def move(self, ready: Prepared, last: int, count: Count) -> None:
        """Move a batch; last is the number of the row before it."""
        rows, fields, bad = ready.rows, ready.fields, ready.bad
        before = set()
        if self.again:
            query = (
                "DELETE FROM migration.rejects WHERE source = %s AND table_name = %s"
                " AND source_row >= %s AND source_row <= %s RETURNING source_row"
            )
            found = self.connection.execute(
                query, [self.source, self.move_.table, first_after(last), rows[-1][0]]
            )
            before = {row[0] for row in found}
        rejects: list[Reject] = [(rows[i][0], *why) for i, why in bad.items()]
        kept = [index for index in range(len(rows)) if index not in bad]
        numbers = [row[0] for row in rows]
        if bad:
            fields = [[values[index] for index in kept] for values in fields]
            numbers = [numbers[index] for index in kept]
        there = 0
        if kept and (self.again or self.parents or bad or not self.copy(joined(ready.texts))):
            found, there = self.stage(fields, numbers, before)
            rejects += found
            out = {number for number, _, _ in found}
            if out:
                kept = [number for number in numbers if number not in out]
        self.moved = len(kept) - there
        self.keep_rejects(rows, rejects)
        self.keep_leftovers(rows, last)
        count.read += len(rows)
        count.moved += self.moved
        count.there += there
        count.rejected += len(rejects)

    def copy(self, text: str) -> bool:
        """Copy all rows in one step into the table; answers False when a row breaks a rule."""
        query = sql.SQL("COPY {} ({}) FROM STDIN").format(self.table, self.names)
        try:
            with (
                self.connection.transaction(),
                self.connection.cursor() as cursor,
                cursor.copy(query) as copy,
            ):
                copy.write(text)
        except psycopg.Error as error:
            if not is_the_rows_fault(error):
                raise
            return False
        return True

    def stage(
        self, fields: list[list], numbers: list[int], before: set[int]
    ) -> tuple[list[Reject], int]:
        """Rows through a staging table: rows that are there already are left out, and rows that
        hang on a rejected row; the rest goes in, or is rejected by name. Answers rejects, and rows
        that were
        there."""
        table = f"public.{self.move_.table}"
        if not self.staging:
            self.connection.execute(
                "SELECT migration.stage_rows(%s::regclass, %s)", [table, self.columns]
            )
            self.staging = True
        self.connection.execute("TRUNCATE pg_temp.staged")
        places = list(map(str, range(1, len(numbers) + 1)))
        query = sql.SQL("COPY pg_temp.staged (n, source_row, {}) FROM STDIN").format(self.names)
        with self.connection.cursor() as cursor, cursor.copy(query) as copy:
            kinds = ["integer", "integer", *self.kinds]
            copy.write(copy_text([places, list(map(str, numbers)), *fields], kinds))
        there = 0
        if self.again:
            (there,) = self.connection.execute(
                "SELECT migration.leave_moved_rows(%s::regclass, %s, %s, %s)",
                [table, list(self.move_.key or ()), self.known, list(before)],
            ).fetchone()
        rejects: list[Reject] = []
        for column, parent, rule in self.parents:
            rejects += self.connection.execute(
                "SELECT source_row, rule, detail FROM migration.leave_orphans(%s, %s, %s, %s, %s)",
                [self.source, self.move_.table, column, parent, rule],
            ).fetchall()
        rejects += self.connection.execute(
            "SELECT source_row, rule, detail FROM migration.insert_staged(%s::regclass, %s)",
            [table, self.columns],
        ).fetchall()
        return rejects, there

    def keep_rejects(self, rows: Rows, rejects: list[Reject]) -> None:
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
                # rows that name a rejected row name its twin where one came in; with rows from
                # elsewhere, the row that has its number is no twin
                twin = rule in self.key_rules and not (self.merge or self.again)
                if not isinstance(key, str) or twin:
                    key = None
                values = json.dumps(self.move_.shown(places[number]), ensure_ascii=False)
                copy.write_row(
                    (self.source, self.move_.table, number, key, rule, detail[:500], values)
                )

    def keep_leftovers(self, rows: Rows, last: int) -> None:
        if not self.move_.leftovers:
            return
        if self.again:
            self.connection.execute(
                "DELETE FROM migration.leftovers WHERE source = %s AND table_name = %s"
                " AND source_row >= %s AND source_row <= %s",
                [self.source, self.move_.table, first_after(last), rows[-1][0]],
            )
        extra = set(self.move_.leftovers)
        ours = {c.name: name for c, name in zip(self.move_.columns, self.move_.names, strict=False)}
        owners = ("id",) if self.move_.table == "users" else ("user_id", "session_id")
        whose = [ours[name] for name in owners if name in ours]
        query = (
            "COPY migration.leftovers (source, table_name, source_row, owner, row_values)"
            " FROM STDIN"
        )
        with self.connection.cursor() as cursor, cursor.copy(query) as copy:
            for row in rows:
                shown = self.move_.shown(row)
                values = {k: v for k, v in shown.items() if k in extra and v is not None}
                owner = next((str(shown[k]) for k in whose if shown[k] is not None), None)
                if values:
                    copy.write_row(
                        (self.source, self.move_.table, row[0], owner, json.dumps(values))
                    )
