"""Bars by the million: SQLite itself writes the lines that COPY reads.

One step of SQLite makes the text of a whole batch, with the sums for the proof, and one pattern
checks it: when every value is of the plain form that the careful way would give it, the batch goes
as it is. Any other batch is read again in the careful way.
"""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from rubi.cli import Failure
from rubi.moving import sqlite_lines_check
from rubi.moving.checksums import EXACT, NUMBERS, SourceSide
from rubi.moving.mapping import Move
from rubi.moving.sources import ROWS, Sqlite, quoted
from rubi.moving.sqlite_lines_check import FORMS, HASH, LENGTH

LONGEST = 32 * 2**20  # bytes of a batch's lines; of usual bars they have one million
MANY = 100_000  # rows from which a process of its own, and a key built afterwards, pay


@dataclass
class Slice:
    """A batch as SQLite gave it: its lines as JSON arrays, and the measures of its numbers."""

    last: int
    count: int
    lines: bytes
    measures: tuple


def usable(source: object, move: Move) -> bool:
    """Whether a table is large enough and all its columns have a plain form."""
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


def expressions(move: Move) -> tuple[str, str, str]:
    """SQLite's text of a batch: an array of each row; sum, least and greatest of numbers, and
    the ends of times; and whether the array shows a value otherwise than it is."""
    values, measures, blobs, broken = [], [], [], []
    for name, kind in zip(move.names, move.target.values(), strict=True):
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
            broken.append(f"{column} <> {whole}")  # the array has 15 digits of it
            measures += [f"sum({whole})", f"min({whole})", f"max({whole})"]
        elif kind == "time":
            # of the column itself: an expression takes a quarter more time in all
            measures += [f"min({column}) || '+00'", f"max({column}) || '+00'"]
            blobs.append(f"typeof(max({column})) = 'blob'")  # greater than all text
    odd = " OR ".join(["0", *blobs, *([f"max({' OR '.join(broken)})"] if broken else [])])
    return f"json_array({', '.join(values)})", ", ".join(measures), odd


def slices(source: Sqlite, move: Move, after: int, proving: bool) -> Iterator[Slice]:
    """A batch a step of SQLite, during which other threads of ours can work; its measures for a
    proof. The count is -1 when a batch can't be read like this; then no batch follows."""
    line, measures, odd = expressions(move)
    measured = f", {measures}" if proving else ""
    names = ", ".join(map(quoted, move.names))
    with source.failures():
        while True:
            number, rows = source.numbered(move.source_table, after)
            query = (
                f"SELECT max({number}), count(*),"  # noqa: S608
                f" CAST(group_concat({line}, char(10)) AS BLOB), {odd}{measured} FROM"
                f" (SELECT {number}, {names} FROM {rows} LIMIT {ROWS})"
            )
            try:
                last, count, lines, other, *found = source.ask(row_of, source, query, after)
            except (sqlite3.OperationalError, sqlite3.DataError) as error:
                said = ("decode", "BLOB", "overflow", "too big")
                if not any(word in str(error) for word in said):
                    raise
                count = -1
            if count < 0:
                yield Slice(after, -1, b"", ())
                return
            if not count:
                return
            yield Slice(last, count, b"" if other else lines, tuple(found))
            after = last


def row_of(source: Sqlite, query: str, after: int) -> tuple:
    """The row of a batch, which may not be longer than LONGEST."""
    limit = source.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, LONGEST)
    try:
        return source.connection.execute(query, [after]).fetchone()
    finally:
        source.connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, limit)


class Checker:
    """Says of one batch after the other what COPY reads and its hash, or that it is not plain."""

    def __init__(self, move: Move, rows: int, hashed: bool) -> None:
        """Of many rows in a process of its own, which ends with its input: with ours."""
        self.hashed = hashed
        self.form = sqlite_lines_check.pattern(move.target.values())
        self.process = None
        if rows >= MANY:
            self.process = subprocess.Popen(
                [sys.executable, "-IS", sqlite_lines_check.__file__,
                 "hashed" if hashed else "plain", *move.target.values()],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                pipesize=1 << 20,
                process_group=0,  # Ctrl-C is for us
            )  # fmt: skip

    def close(self) -> None:
        """End the process."""
        if self.process:
            self.process.kill()
            self.process.communicate()

    def check(self, lines: bytes) -> tuple[bytes, int] | None:
        """A batch. Raises Failure when the process is gone."""
        if not self.process:
            return sqlite_lines_check.plain_text(lines, self.form, self.hashed)
        try:
            self.process.stdin.write(len(lines).to_bytes(LENGTH))
            self.process.stdin.write(lines)
            self.process.stdin.flush()
            head = self.process.stdout.read(HASH + LENGTH)
            size = int.from_bytes(head[HASH:])
            text = self.process.stdout.read(size)
        except BrokenPipeError:
            head = b""
        if len(head) < HASH + LENGTH or len(text) < size:
            raise Failure(f"the process that checks bars ended with {self.process.wait()}")
        return (text, int.from_bytes(head[:HASH], signed=True)) if text else None


def note_times(move: Move, rows: int) -> None:
    """The form of the times in a plain batch."""
    for column in move.columns:
        if column.kind == "time":
            column.forms["ISO, UTC assumed"] += rows


def add_measures(move: Move, side: SourceSide, measures: tuple) -> None:
    """Add SQLite's measures of a batch's columns."""
    found = iter(measures)
    for name, kind in move.target.items():
        if kind in NUMBERS:
            places = -8 if kind == "decimal" else 0
            total, low, high = (EXACT.scaleb(Decimal(next(found)), places) for _ in range(3))
            side.sums[name] = EXACT.add(side.sums.get(name, Decimal()), total)
            side.add_ends(name, low, high)
        elif kind == "time":
            side.add_ends(name, next(found), next(found))
