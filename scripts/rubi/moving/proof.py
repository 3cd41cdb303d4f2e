"""The proof of a move: the same measures of a table taken from the source and from our rows.

The source is read a second time for it, so that a row that was misread when it was moved shows. The
database measures both sides by the same expressions. Rows are counted; numbers are summed, with
their least and greatest; times have theirs; and every row is hashed as text, the hashes added up,
so that their order does not matter.
"""

import bisect
from array import array
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from decimal import Context, Decimal

import psycopg
from psycopg import sql

from rubi.moving.mapping import UNPROVEN, Move
from rubi.moving.numbers_and_times import plain
from rubi.moving.row_batches import Prepared, copy_text, joined, made_ready
from rubi.moving.sources import START, Source

# the type by which a kind of column is measured; others as text
TYPES = {
    "integer": "numeric", "decimal": "numeric", "number": "numeric", "time": "timestamptz",
    "boolean": "boolean", "json": "jsonb", "uuid": "uuid",
}  # fmt: skip
EXACT = Context(prec=80)
ADDED = {"sum": EXACT.add, "min": min, "max": max, "hash": EXACT.add}
PROVED = sql.Identifier("pg_temp", "proved")  # a batch of the source
KEYS = sql.Identifier("pg_temp", "keys")
Values = dict[str, Decimal | str | None]


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


def expressions(move: Move) -> dict[str, sql.Composed]:
    """What is measured of rows t, by name: the columns that the source has."""
    found, texts = {}, []
    for name, kind in move.target.items():
        if (move.table, name) in UNPROVEN:
            continue
        column = sql.SQL("t.{}").format(sql.Identifier(name))
        form = "{}::text"
        if TYPES.get(kind) == "numeric":
            column, form = sql.SQL("{}::numeric").format(column), "trim_scale({})::text"
            found[f"sum {name}"] = sql.SQL("sum({})").format(column)
        if TYPES.get(kind) == "numeric" or kind == "time":
            # ISO texts of times sort as the times do
            cast = "::text" if kind == "time" else ""
            for end in ("min", "max"):
                found[f"{end} {name}"] = sql.SQL(f"{end}({{}}){cast}").format(column)
        texts.append(sql.SQL("coalesce(" + form + ", '\\N')").format(column))
    # concat_ws takes a hundred arguments, and making an array takes a quarter more time in all
    row = sql.SQL(" || E'\\t' || ").join(texts)
    hashed = "coalesce(sum(('x' || left(md5({}), 16))::bit(64)::bigint), 0)"
    found["hash"] = sql.SQL(hashed).format(row)
    return found


def measured(
    connection: psycopg.Connection, move: Move, rows: sql.Composable
) -> tuple[int, Values]:
    """Number and measures of the rows t that stand behind FROM."""
    wanted = expressions(move)
    query = sql.SQL("SELECT count(*), {} FROM {}").format(sql.SQL(", ").join(wanted.values()), rows)
    # of a hypertable whose chunks are all empty TimescaleDB 2.17 makes no row
    nothing = (0, *[None] * (len(wanted) - 1), Decimal(0))
    count, *values = connection.execute(query).fetchone() or nothing
    return count, dict(zip(wanted, values, strict=True))


def read_source(
    connection: psycopg.Connection, source: Source, move: Move, rejected: array,
    progress: Callable[[int], None], keep_keys: bool,
) -> Values:  # fmt: skip
    """Measures of a source's table without its rejected rows. keep_keys: in pg_temp.keys, too."""
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(TYPES.get(kind, "text")))
        for name, kind in move.target.items()
    )
    connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(PROVED))
    connection.execute(sql.SQL("CREATE TEMPORARY TABLE proved ({})").format(columns))
    copy_batch = sql.SQL("COPY {} FROM STDIN").format(PROVED)
    total: Values = {"hash": Decimal(0)}
    low = 0
    with closing(made_ready(source, move, START)) as batches:
        for batch in batches:
            high = bisect.bisect_right(rejected, batch.last)
            out, low = set(rejected[low:high]), high
            progress(len(batch.rows))
            connection.execute(sql.SQL("TRUNCATE {}").format(PROVED))
            with connection.cursor().copy(copy_batch) as copy:
                copy.write(text_without(move, batch, out))
            _, values = measured(connection, move, sql.SQL("{} AS t").format(PROVED))
            for name, value in values.items():
                if value is not None:
                    add = ADDED[name.split()[0]]
                    total[name] = add(total[name], value) if name in total else value
            if keep_keys:
                names = sql.SQL(", ").join(map(sql.Identifier, move.key))
                connection.execute(
                    sql.SQL("INSERT INTO {} SELECT {} FROM {}").format(KEYS, names, PROVED)
                )
    return total


def text_without(move: Move, batch: Prepared, out: set[int]) -> str:
    """A batch for COPY without the rows numbered so, and without rows that can't be converted: such
    rows came into the source after the move."""
    out |= {batch.rows[index][0] for index in batch.bad}
    if not out:
        return joined(batch.texts)
    kept = [index for index, row in enumerate(batch.rows) if row[0] not in out]
    fields = [[values[index] for index in kept] for values in batch.fields]
    return copy_text(fields, move.target.values()) if kept else ""


def prove(
    connection: psycopg.Connection,
    source: Source,
    move: Move,
    progress: Callable[[int], None] = lambda rows: None,
) -> list[Measure]:
    """Measure both sides of a table and store the result.

    progress is told how many more rows of the source were read.
    """
    rejected = numbers_of_rejects(connection, source.name, move.table)
    table = sql.Identifier("public", move.table)
    ours = sql.SQL("{} AS t").format(table)
    here = connection.execute(sql.SQL("SELECT count(*) FROM {}").format(table)).fetchone()[0]
    total = source.count(move.source_table)  # by the source itself: a loss of our reader shows
    alone = here == total - len(rejected) or not move.key
    if alone:
        theirs = read_source(connection, source, move, rejected, progress, keep_keys=False)
        count, target = measured(connection, move, ours)
    if not alone or (count != here and move.key):  # our table has other rows as well
        names = sql.SQL(", ").join(map(sql.Identifier, move.key))
        connection.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(KEYS))
        connection.execute(
            sql.SQL("CREATE TEMPORARY TABLE keys AS SELECT {} FROM {} WITH NO DATA").format(
                names, table
            )
        )
        theirs = read_source(connection, source, move, rejected, progress, keep_keys=True)
        connection.execute(sql.SQL("ANALYZE {}").format(KEYS))
        ours += sql.SQL(" JOIN {} AS k USING ({})").format(KEYS, names)
        count, target = measured(connection, move, ours)
    measures = [Measure("rows", str(total), str(count + len(rejected)))]
    measures += [
        Measure(name, shown(theirs.get(name)), shown(value)) for name, value in target.items()
    ]
    with connection.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO migration.proofs (source, table_name, measure, source_value,"
            " target_value, holds) VALUES (%s, %s, %s, %s, %s, %s)",
            [(source.name, move.table, m.name, m.source, m.target, m.holds) for m in measures],
        )
    return measures


def shown(value: Decimal | str | None) -> str | None:
    return plain(value) if isinstance(value, Decimal) else value
