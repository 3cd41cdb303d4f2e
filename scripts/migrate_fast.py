"""Bars by the million: SQLite itself writes the lines that COPY reads.

One expression makes a row's text, and one pattern checks a whole batch: when every value is of the
plain form that the careful way would give it, the batch goes as it is, at a third of the cost. Any
other batch is read again in the careful way.
"""

from __future__ import annotations

import re
import sqlite3
from calendar import isleap
from collections.abc import Iterator
from decimal import Decimal

from migrate_sources import ROWS, Sqlite, quoted
from migrate_sums import EXACT, SourceSide
from migrate_tables import Move

DAY = (
    "[12][0-9]{3}-(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9])"
    "|(?:0[13-9]|1[0-2])-30|(?:0[13578]|1[02])-31)"
)
LEAP_DAY = re.compile("([0-9]{4})-02-29 ")
FORMS = {
    "integer": "(?:0|-?[1-9][0-9]{0,16})",
    # below a million, 15 digits hold 8 behind the point: no other number is meant
    "decimal": r"(?:0|-?[1-9][0-9]{0,5}|-?(?:0|[1-9][0-9]{0,5})\.[0-9]{0,7}[1-9])",
    "text": r"[^\x00-\x1f\x7f\\]+",
    "word": "[A-Z][A-Z0-9_]*",
    "time": f"{DAY} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\+00",
}
TEXTS = ("text", "word", "time")


def usable(source: object, move: Move) -> bool:
    """Whether a table is worth it and all its columns have a plain form."""
    return (
        isinstance(source, Sqlite)
        and move.table == "market_data"
        and not move.leftovers
        and all(
            column.kind in FORMS
            and not column.words
            and (column.kind != "time" or column.clock.utc)
            and (column.kind != "decimal" or column.scale == 8)
            for column in move.columns
        )
    )


def expression(name: str, kind: str) -> str:
    """A column's text for COPY; texts are marked, so that trimming numbers leaves them alone."""
    column = quoted(name)
    if kind == "time":
        column += " || '+00'"
    return column + (" || char(31)" if kind in TEXTS else "")


def batches(source: Sqlite, move: Move, after: int) -> Iterator[tuple[int, int, list[str] | None]]:
    """The number of a batch's last row, how many rows it has, and their lines; None for the lines
    when one of them is not plain."""
    kinds = move.target_kinds
    line = " || char(9) || ".join(
        expression(name, kind) for name, kind in zip(move.names, kinds, strict=True)
    )
    query = f"SELECT _rowid_, {line} || char(9) FROM {source.numbered(move.source_table)}"  # noqa: S608
    form = re.compile("(?:" + "\t".join(FORMS[kind] for kind in kinds) + "\n)+")
    times = [column for column in move.columns if column.kind == "time"]
    with source.failures():
        cursor = source.connection.execute(query, [after])
        while True:
            try:
                rows = cursor.fetchmany(ROWS)
            except sqlite3.OperationalError as error:
                if "decode" not in str(error):
                    raise
                # which row it was is not told: the careful way finds out
                yield after, -1, None
                return
            if not rows:
                return
            numbers, texts = zip(*rows, strict=True)
            after = numbers[-1]
            if None in texts:
                yield after, len(rows), None
                continue
            text = "\n".join(texts) + "\n"
            text = text.replace(".0\t", "\t").replace("\x1f\t", "\t").replace("\t\n", "\n")
            leap = all(isleap(int(year)) for year in set(LEAP_DAY.findall(text)))
            if leap and form.fullmatch(text):
                for column in times:
                    column.forms["ISO, UTC assumed"] += len(rows)
                yield after, len(rows), text[:-1].split("\n")
            else:
                yield after, len(rows), None


def add_numbers(source: Sqlite, move: Move, side: SourceSide) -> None:
    """Sums, least and greatest values of a table that went the fast way as a whole."""
    parts = ["count(*)"]
    for name, kind in zip(move.names, move.target_kinds, strict=True):
        column = quoted(name)
        if kind == "decimal":
            whole = f"CAST(round({column} * 1e8) AS INTEGER)"
            # in two parts, or a sum could be too large for 64 bits
            parts += [f"sum({whole} / 1000000)", f"sum({whole} % 1000000)"]
            parts += [f"min(CAST({column} AS REAL))", f"max(CAST({column} AS REAL))"]
        elif kind == "integer":
            whole = f"CAST({column} AS INTEGER)"
            parts += [f"sum({whole} / 1000000)", f"sum({whole} % 1000000)"]
            parts += [f"min({whole})", f"max({whole})"]
        elif kind == "time":
            parts += [f"min({column})", f"max({column})"]
    with source.failures():
        query = f"SELECT {', '.join(parts)} FROM {quoted(move.source_table)}"  # noqa: S608
        total, *values = source.connection.execute(query).fetchone()
    if not total:
        return
    found = iter(values)
    for name, kind in zip(move.target_columns, move.target_kinds, strict=True):
        if kind in ("decimal", "integer"):
            whole = Decimal(next(found)) * 1_000_000 + Decimal(next(found))
            side.sums[name] = EXACT.scaleb(whole, -8 if kind == "decimal" else 0)
            side.lows[name], side.highs[name] = (Decimal(repr(next(found))) for _ in range(2))
        elif kind == "time":
            side.lows[name], side.highs[name] = (f"{next(found)}+00" for _ in range(2))
