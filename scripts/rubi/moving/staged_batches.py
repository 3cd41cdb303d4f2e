"""Batches of a source, made ready for COPY while the last one is on its way."""

from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

from rubi.moving.mapping import Move
from rubi.moving.sources import Base, Rows, Source

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

    def __init__(self, move: Move, rows: Rows) -> None:
        self.last = rows[-1][0]
        self.rows = rows
        self.fields, self.bad = move.convert(rows)
        self.texts, self.plain = ([], False)
        if not self.bad:
            self.texts, self.plain = lines(self.fields, move.target.values())


def made_ready(source: Source, move: Move, last: int) -> Generator:
    """All batches of a table after a row."""
    batches = source.batches(move.source_table, move.names, last)
    ready = (Prepared(move, rows) for rows in batches)
    # the base is read over the connection that writes
    return ready if isinstance(source, Base) else ahead(ready)
