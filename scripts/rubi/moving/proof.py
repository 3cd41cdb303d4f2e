"""The proof of a move: the same measures of a table taken from the source and from our rows.

The source is read a second time for it, so that a row that was misread when it was moved shows.
Rows are counted; numbers are summed, with their least and greatest; times have theirs; and every
row is hashed as text, the hashes added up, so that their order does not matter.
"""

import bisect
from array import array
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from tempfile import TemporaryFile
from typing import BinaryIO

import psycopg
from psycopg import sql

from rubi.moving.checksums import NUMBERS, SourceSide, measured
from rubi.moving.mapping import Move
from rubi.moving.sources import START, Base, Source
from rubi.moving.staged_batches import Prepared, copy_text, made_ready, one_thread


@dataclass(frozen=True)
class Measure:
    name: str
    source: str | None
    target: str | None

    @property
    def holds(self) -> bool:
        """Whether both sides agree."""
        return self.source == self.target


def numbers_of_rejects(connection: psycopg.Connection, source: str, table: str) -> array:
    """Numbers of rejected rows, in order."""
    found = array("q")
    with connection.transaction(), connection.cursor("numbers") as cursor:
        cursor.execute(
            "SELECT source_row FROM migration.rejects WHERE source = %s AND table_name = %s"
            " ORDER BY source_row", [source, table],
        )  # fmt: skip
        found.extend(row[0] for row in cursor)
    return found


def read_source(
    source: Source,
    move: Move,
    rejected: array,
    progress: Callable[[int], None] = lambda rows: None,
    keys: BinaryIO | None = None,
) -> SourceSide:
    """Add up a source's table without its rejected rows.

    Rows' keys go to a file where one is given, as COPY reads them.
    """
    side = SourceSide(move)
    low = 0
    with closing(made_ready(source, move, START)) as batches:
        for batch in batches:
            high = bisect.bisect_right(rejected, batch.last)
            out, low = set(rejected[low:high]), high
            progress(len(batch.rows))
            fields = add_batch(side, batch, out)
            if keys and fields[0]:
                places = [move.place(name) for name in move.key]
                kinds = [move.target[name] for name in move.key]
                keys.write(copy_text([fields[p] for p in places], kinds).encode())
    return side


def add_batch(side: SourceSide, batch: Prepared, out: set[int]) -> list[list]:
    """Add a batch without the rows numbered so, and without rows that can't be converted: such rows
    came into the source after the move. Answers the values added, by column."""
    out |= {batch.rows[index][0] for index in batch.bad}
    if not out:
        side.add(batch.fields, batch.texts if batch.plain else None)
        return batch.fields
    kept = [index for index, row in enumerate(batch.rows) if row[0] not in out]
    fields = [[values[index] for index in kept] for values in batch.fields]
    side.add(fields)
    return fields


def read_target(connection: psycopg.Connection, move: Move, only: bool) -> tuple[int, dict]:
    """The same measures of our table; only: of the rows whose keys are in pg_temp.keys."""
    names, parts, texts = [], [], []
    for name, kind in measured(move):
        column = sql.SQL("t.{}").format(sql.Identifier(name))
        number = kind in ("decimal", "number")
        shown = sql.SQL("trim_scale({})::text" if number else "{}::text").format(column)
        texts.append(sql.SQL("coalesce({}, '\\N')").format(shown))
        if kind in NUMBERS:
            names.append(f"sum {name}")
            parts.append(sql.SQL("trim_scale(sum({})::numeric)::text").format(column))
        if kind in NUMBERS or kind == "time":
            for function in ("min", "max"):
                names.append(f"{function} {name}")
                wrap = "trim_scale({}({})::numeric)::text" if kind in NUMBERS else "{}({})::text"
                parts.append(sql.SQL(wrap).format(sql.SQL(function), column))
    # concat_ws takes a hundred arguments, and making an array takes a quarter more time in all
    row = sql.SQL(" || E'\\t' || ").join(texts)
    names.append("hash")
    parts.append(
        sql.SQL("coalesce(sum(('x' || left(md5({}), 16))::bit(64)::bigint), 0)::text").format(row)
    )
    table = sql.Identifier("public", move.table)
    joined = sql.SQL("")
    if only:
        joined = sql.SQL(" JOIN pg_temp.keys AS k ON {}").format(
            sql.SQL(" AND ").join(
                sql.SQL("t.{0} = k.{0}").format(sql.Identifier(name)) for name in move.key
            )
        )
    query = sql.SQL("SELECT count(*), {} FROM {} AS t{}").format(
        sql.SQL(", ").join(parts), table, joined
    )
    # of a hypertable whose chunks are all empty TimescaleDB 2.17 makes no row
    nothing = (0, *[None] * (len(names) - 1), "0")
    count, *values = connection.execute(query).fetchone() or nothing
    return count, dict(zip(names, values, strict=True))


def prove(
    connection: psycopg.Connection,
    source: Source,
    move: Move,
    progress: Callable[[int], None] = lambda rows: None,
) -> list[Measure]:
    """Measure both sides of a table, at the same time, and store the result.

    progress is told how many more rows of the source were read.
    """
    rejected = numbers_of_rejects(connection, source.name, move.table)
    here = connection.execute(
        sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", move.table))
    ).fetchone()[0]
    total = source.count(move.source_table)  # by the source itself: a loss of our reader shows
    alone = here == total - len(rejected) or not move.key
    if alone:
        if isinstance(source, Base):  # the base is read over the same connection
            side = read_source(source, move, rejected, progress)
            count, target = read_target(connection, move, only=False)
        else:
            with one_thread() as pool:
                future = pool.submit(read_source, source, move, rejected, progress)
                count, target = read_target(connection, move, only=False)
                side = future.result()
    if not alone or (count != here and move.key):  # our table has other rows as well
        side = read_keys(connection, source, move, rejected)
        count, target = read_target(connection, move, only=True)
    measures = [Measure("rows", str(total), str(count + len(rejected)))]
    measures += [Measure(name, value, target[name]) for name, value in side.values().items()]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO migration.proofs (source, table_name, measure, source_value,"
            " target_value, holds) VALUES (%s, %s, %s, %s, %s, %s)",
            [(source.name, move.table, m.name, m.source, m.target, m.holds) for m in measures],
        )
    return measures


def read_keys(
    connection: psycopg.Connection, source: Source, move: Move, rejected: array
) -> SourceSide:
    """The source's side, its keys put into pg_temp.keys: our table has other rows as well."""
    names = sql.SQL(", ").join(map(sql.Identifier, move.key))
    connection.execute("DROP TABLE IF EXISTS pg_temp.keys")
    connection.execute(
        sql.SQL("CREATE TEMPORARY TABLE keys AS SELECT {} FROM {} WITH NO DATA").format(
            names, sql.Identifier("public", move.table)
        )
    )
    # a file between them: a connection to the base can't read and copy at the same time
    with TemporaryFile() as keys:
        side = read_source(source, move, rejected, keys=keys)
        keys.seek(0)
        query = sql.SQL("COPY pg_temp.keys ({}) FROM STDIN").format(names)
        with connection.cursor() as cursor, cursor.copy(query) as copy:
            while block := keys.read(1 << 20):
                copy.write(block)
    connection.execute("ANALYZE pg_temp.keys")
    return side
