"""Batches of a source, made ready for COPY while the last one is on its way."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

from rubi.moving import sqlite_lines
from rubi.moving.mapping import Move
from rubi.moving.sources import START, Base, Rows, Source

ESCAPES = str.maketrans({"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"})


def lines(fields: Sequence[list], kinds: Sequence[str]) -> tuple[list[str], bool]:
    """Rows in COPY's text form, without line ends; and whether they are plain, nothing escaped."""
    columns = []
    all_plain = True
    for values, kind in zip(fields, kinds, strict=True):
        if kind in ("text", "word", "json"):
            text = "".join(filter(None, values))
            if "\\" in text or "\t" in text or "\n" in text or "\r" in text:
                values = [value and value.translate(ESCAPES) for value in values]
                all_plain = False
        columns.append(["\\N" if v is None else v for v in values] if None in values else values)
    return list(map("\t".join, zip(*columns, strict=True))), all_plain


def copy_text(fields: Sequence[list], kinds: Sequence[str]) -> str:
    """All rows for COPY."""
    return joined(lines(fields, kinds)[0])


def joined(texts: Sequence[str]) -> str:
    """Lines, each with its end."""
    return "\n".join(texts) + "\n"


@contextmanager
def one_thread() -> Iterator[ThreadPoolExecutor]:
    """A pool whose thread is waited for, at Ctrl-C too.

    A Ctrl-C while a thread starts leaves the thread unknown to its pool, so it starts without work.
    """
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        yield pool


def ahead(items: Generator) -> Iterator:
    """The same items, the next one made in a thread while the caller works on the last."""
    with closing(items), one_thread() as pool:
        coming = pool.submit(next, items, None)
        while (item := coming.result()) is not None:
            coming = pool.submit(next, items, None)
            yield item


class Prepared:
    """A batch with its values converted, and the lines for COPY when all of them can be."""

    quick = False

    def __init__(self, move: Move, rows: Rows) -> None:
        self.last = rows[-1][0]
        self.count = len(rows)
        self.rows = rows
        self.fields, self.bad = move.convert(rows)
        self.texts, self.plain = ([], False)
        if not self.bad:
            self.texts, self.plain = lines(self.fields, move.target.values())


class Quick:
    """A batch that SQLite wrote. Its rows are read only when the table refuses a line."""

    quick = True

    def __init__(
        self, source: Source, move: Move, before: int, found: sqlite_lines.Slice,
        text: bytes, hashed: int,
    ) -> None:  # fmt: skip
        self.source = source
        self.move = move
        self.before = before
        self.last = found.last
        self.count = found.count
        self.text = text
        self.hash = hashed
        self.measures = found.measures

    def careful(self) -> Prepared:
        """The same rows in the careful way."""
        rows = rows_between(self.source, self.move, self.before, self.last)
        return Prepared(self.move, rows)


def rows_between(source: Source, move: Move, before: int, last: int) -> Rows:
    """Rows whose number is above before, and last at most."""
    rows: Rows = []
    for found in source.batches(move.source_table, move.names, before):
        rows += [row for row in found if row[0] <= last]
        if found[-1][0] >= last:
            break
    return rows


def quickly(source: Source, move: Move, proving: bool) -> Iterator[Prepared | Quick]:
    """Batches the fast way, and the careful way where that can't be."""
    before = START
    rows = source.count(move.source_table)
    with (
        closing(sqlite_lines.Checker(move, rows, proving)) as checker,
        closing(ahead(sqlite_lines.slices(source, move, before, proving))) as found_ahead,
    ):
        for found in found_ahead:
            if found.count < 0:  # all the rest
                for careful in source.batches(move.source_table, move.names, before):
                    yield Prepared(move, careful)
                return
            if text := checker.check(found.lines):
                yield Quick(source, move, before, found, *text)
            else:
                yield Prepared(move, rows_between(source, move, before, found.last))
            before = found.last


def made_ready(
    source: Source, move: Move, last: int, *, fresh: bool, proving: bool = False
) -> Generator:
    """All batches of a table after a row; fresh: no row has been moved yet; proving: with
    what a proof adds up of a batch that SQLite wrote."""
    if fresh and sqlite_lines.usable(source, move):
        ready = quickly(source, move, proving)
    else:
        batches = source.batches(move.source_table, move.names, last)
        ready = (Prepared(move, rows) for rows in batches)
    # the base is read over the connection that writes
    return ready if isinstance(source, Base) else ahead(ready)
