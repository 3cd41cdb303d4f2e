"""Bars by the million: SQLite itself writes the lines that COPY reads.

One step of SQLite makes the text of a whole batch, with the sums for the proof, and one pattern
checks it: when every value is of the plain form that the careful way would give it, the batch goes
as it is. Any other batch is read again in the careful way.
"""

from __future__ import annotations

import re
import sqlite3
from calendar import isleap
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from migrate_sources import ROWS, Sqlite, quoted
from migrate_sums import EXACT, NUMBERS, SourceSide, hash_of
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
    "text": r"[^\x00-\x1f\x7f\\\ud800-\udfff]+",
    "word": "[A-Z][A-Z0-9_]*",
    "time": f"{DAY} (?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\\+00",
}


@dataclass
class Slice:
    """A batch as SQLite gave it: its lines as JSON arrays, and the measures of its numbers."""

    last: int
    count: int
    lines: str
    measures: tuple


@dataclass
class Text:
    """A batch in COPY's form, with what it adds to a proof."""

    data: bytes
    hash: int
    measures: tuple


def usable(source: object, move: Move) -> bool:
    """Whether a table is worth it and all its columns have a plain form."""
    return (
        isinstance(source, Sqlite)
        and sqlite3.sqlite_version_info >= (3, 38)  # has JSON
        and move.table == "market_data"
        and not move.leftovers
        and source.has_rowid(move.source_table)
        and all(
            column.kind in FORMS
            and not column.words
            and (column.kind != "time" or column.clock.utc)
            and (column.kind != "decimal" or column.scale == 8)
            for column in move.columns
        )
    )


def expressions(move: Move) -> tuple[str, str]:
    """What SQLite makes of a batch: an array of each row; sum, least and greatest of numbers, and
    the ends of times."""
    values, measures = [], []
    for name, kind in zip(move.names, move.target_kinds, strict=True):
        column = quoted(name)
        values.append(f"{column} || '+00'" if kind == "time" else column)
        if kind == "decimal":
            # times 10^8, a plain number is less than 0.02 off the whole number it stands for
            measures.append(f"sum(CAST(round({column} * 1e8) AS INTEGER))")
            measures += [
                f"CAST(round({end}(CAST({column} AS REAL)) * 1e8) AS INTEGER)"
                for end in ("min", "max")
            ]
        elif kind == "integer":
            whole = f"CAST({column} AS INTEGER)"
            measures += [f"sum({whole})", f"min({whole})", f"max({whole})"]
        elif kind == "time":
            measures += [f"min({values[-1]})", f"max({values[-1]})"]
    return f"json_array({', '.join(values)})", ", ".join(measures)


def slices(source: Sqlite, move: Move, after: int) -> Iterator[Slice]:
    """A batch a step of SQLite, during which other threads of ours can work. The count is -1 when
    something of a batch can't be read like this; then there are no more."""
    line, measures = expressions(move)
    names = ", ".join(map(quoted, move.names))
    query = (
        f"SELECT max(_rowid_), count(*), group_concat({line}, char(10)), {measures} FROM"  # noqa: S608
        f" (SELECT _rowid_, {names} FROM {source.numbered(move.source_table)} LIMIT {ROWS})"
    )
    with source.failures():
        while True:
            try:
                last, count, lines, *found = source.connection.execute(query, [after]).fetchone()
            except sqlite3.OperationalError as error:
                if not any(said in str(error) for said in ("decode", "BLOB", "overflow")):
                    raise
                yield Slice(after, -1, "", ())
                return
            if not count:
                return
            yield Slice(last, count, lines, tuple(found))
            after = last


def pattern(move: Move) -> re.Pattern:
    """All lines of a batch when each value is plain."""
    return re.compile("(?:" + "\t".join(FORMS[kind] for kind in move.target_kinds) + "\n)+")


def plain_text(found: Slice, form: re.Pattern) -> Text | None:
    """A batch in COPY's form, or None when a value of it is not plain.

    What would tell NULL from text, or a comma in a text from one between values, is not plain.
    """
    if "null" in found.lines:
        return None
    text = found.lines[1:-1] + "\n"
    text = text.replace("]\n[", "\n").replace(".0,", ",").replace(".0\n", "\n")
    text = text.replace(",", "\t").replace('"', "")
    if not form.fullmatch(text):
        return None
    if "-02-29 " in text and not all(isleap(int(year)) for year in set(LEAP_DAY.findall(text))):
        return None
    data = text.encode()
    return Text(data, hash_of(data[:-1].split(b"\n")), found.measures)


def note_times(move: Move, rows: int) -> None:
    """Which form the times of a plain batch have."""
    for column in move.columns:
        if column.kind == "time":
            column.forms["ISO, UTC assumed"] += rows


def add_measures(move: Move, side: SourceSide, measures: tuple) -> None:
    """Add what SQLite said of a batch's columns."""
    found = iter(measures)
    for name, kind in zip(move.target_columns, move.target_kinds, strict=True):
        if kind in NUMBERS:
            places = -8 if kind == "decimal" else 0
            total, low, high = (EXACT.scaleb(Decimal(next(found)), places) for _ in range(3))
            side.sums[name] = EXACT.add(side.sums.get(name, Decimal()), total)
            side.add_ends(name, low, high)
        elif kind == "time":
            side.add_ends(name, next(found), next(found))
