"""The history of deals and orders: windows below the terminal's limits, watermarks, overlaps."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rubi.gateway.parcels import MOST_ROWS, now
from rubi.gateway.terminals import INVALID, Row, TerminalError

DAY = 86_400
# The package began in 2010; nobody has deals of an MT5 account before that.
BEGIN = 1_262_304_000
# rows of one call: a hundred thousand deals in one answer run into the terminal's timeout
MOST_OF_A_CALL = 10_000
FIRST_WINDOW, SMALLEST_WINDOW = 30 * DAY, 60
TIMES = {"deals": "time", "orders": "time_setup"}
Window = tuple[int, int]


@dataclass
class Stream:
    """One stream and how far it was read; times in milliseconds on the server's clock."""

    stream: str
    symbol: str = ""
    stored_as: str | None = None
    since: int | None = None
    read_from: int | None = None
    read_to: int | None = None

    def advance(self, window: Window) -> None:
        """Add a window to what was read, as the database does: one that leaves a gap adds none."""
        if self.read_from is None or self.read_to is None:
            self.read_from, self.read_to = window
        elif window[0] <= self.read_to and window[1] >= self.read_from:
            self.read_from = min(self.read_from, window[0])
            self.read_to = max(self.read_to, window[1])


@dataclass
class Clock:
    """The clock of a trade server, as its rule says: minutes ahead of UTC."""

    rule: str = ""
    minutes: int | None = None
    present: Callable[[], datetime] = now

    def seconds(self) -> int:
        """What the server's clock shows now, in seconds since 1970."""
        return int(self.present().timestamp()) + 60 * (self.minutes or 0)


class TooMany(Exception):
    """A window that holds more rows than one call should answer."""


def may_shrink(error: TerminalError | TooMany, seconds: int) -> bool:
    """Whether a smaller window may work. A terminal that is too slow makes each try last long."""
    if isinstance(error, TooMany):
        return True
    return seconds > DAY if error.is_gone else error.code in (INVALID, -1, -3)


def walk(
    ask: Callable[[int, int], list[Row]], start: int, end: int, size: int, most: int
) -> Iterator[tuple[Window, list[Row]]]:
    """Rows from start to end, window by window, seconds on the server's clock.

    Windows grow while little is in them, and shrink where the terminal has too much or fails.
    """
    at, largest = start, end - start
    while at < end:
        stop = min(at + size, end)
        try:
            rows = ask(at, stop)
        except (TerminalError, TooMany) as error:
            if stop - at <= SMALLEST_WINDOW or not may_shrink(error, stop - at):
                raise
            if isinstance(error, TerminalError):
                largest = (stop - at) // 2  # what failed once fails again
            size = max(SMALLEST_WINDOW, (stop - at) // 4)
            continue
        yield (at, stop), rows
        at = stop
        if len(rows) * 4 < most:
            size = min(size * 2, max(largest, size))


def windows(asked: Any, kind: str, start: int, end: int) -> Iterator[tuple[Window, list[Row]]]:
    """The history of deals or orders from start to end, in windows that the terminal can answer.

    asked: a terminal, or a reader, which knows whose history it is.
    """

    def ask(at: int, stop: int) -> list[Row]:
        if (
            asked.count(f"history_{kind}_total", at, stop) > MOST_OF_A_CALL
            and stop - at > SMALLEST_WINDOW
        ):
            raise TooMany
        return asked.rows(f"history_{kind}_get", at, stop)

    return walk(ask, start, end, FIRST_WINDOW, MOST_OF_A_CALL)


Pieces = Iterator[tuple[Window, list[Row]]]


def pieces(kind: str, windows: Pieces) -> Pieces:
    """Windows in pieces of at most MOST_ROWS rows, in milliseconds, cut between two seconds."""
    name = TIMES[kind]
    for window, found in windows:
        begin, end = window[0] * 1000, window[1] * 1000
        rows = sorted(found, key=lambda row: (row.get(name, 0), row.get("ticket", 0)))
        first = 0
        while len(rows) - first > MOST_ROWS:
            last = first + MOST_ROWS
            cut = rows[last].get(name, 0)
            while last > first and rows[last - 1].get(name, 0) == cut:
                last -= 1
            stop = cut * 1000
            if last == first or not begin < stop < end:
                break  # more than that in one second, or outside: in one piece
            yield (begin, stop), rows[first:last]
            begin, first = stop, last
        yield (begin, end), rows[first:]


def joined(found: Pieces) -> Pieces:
    """Windows without rows together with the next that has some: years are empty before the first
    deal, and each window is a transaction."""
    begin: int | None = None
    window = (0, 0)
    for window, rows in found:
        begin = window[0] if begin is None else begin
        if rows:
            yield (begin, window[1]), rows
            begin = None
    if begin is not None:
        yield (begin, window[1]), []
