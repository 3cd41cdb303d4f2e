"""Series of bars and ticks that are asked for in gateway_series."""

from collections.abc import Iterator

from rubi.gateway.history import DAY, Clock, Stream, Window, walk
from rubi.gateway.terminals import Row, Terminal

MINUTE, HOUR = 60, 3600
# the package's codes: minutes, hours with 0x4000, weeks with 0x8000, months with 0xC000
TIMEFRAMES = (
    {f"M{n}": (n, n * MINUTE) for n in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)}
    | {f"H{n}": (n | 0x4000, n * HOUR) for n in (1, 2, 3, 4, 6, 8, 12)}
    | {"D1": (24 | 0x4000, DAY), "W1": (1 | 0x8000, 7 * DAY), "MN1": (1 | 0xC000, 31 * DAY)}
)
ALL_TICKS = -1
# bars of one call; the terminal refuses more than its option "Max bars in chart"
MOST_BARS, MOST_TICKS = 5000, 20_000
# bars before the last that are read once more: brokers correct the latest
OVERLAP_BARS, OVERLAP_TICKS = 10, 5
# a tick of this second may still come
SETTLED = 2


def bars(terminal: Terminal, stream: Stream, clock: Clock) -> Iterator[tuple[Window, list[Row]]]:
    """New bars of a series, the one still forming with them, and a few before; window by window."""
    code, seconds = TIMEFRAMES[stream.stream]
    end = clock.seconds()
    start = (stream.since or 0) // 1000
    if stream.read_to is not None:
        start = max(start, stream.read_to // 1000 - OVERLAP_BARS * seconds)
    most = int(terminal.rows("terminal_info")[0].get("maxbars") or MOST_BARS)
    size = max(1, min(most, MOST_BARS) - 1) * seconds

    def ask(at: int, stop: int) -> list[Row]:
        return terminal.rows("copy_rates_range", stream.symbol, code, at, stop)

    at = start
    while at < end:
        stop = min(at + size, end)
        # never more than the terminal has room for: the windows here do not grow
        yield from walk(ask, at, stop, size, 0)
        at = stop


def ticks(terminal: Terminal, stream: Stream, clock: Clock) -> Iterator[tuple[Window, list[Row]]]:
    """New ticks of a symbol in whole seconds: a millisecond is never parted."""
    end = clock.seconds() - SETTLED
    start = (stream.since or 0) // 1000
    if stream.read_to is not None:
        start = max(start, stream.read_to // 1000 - OVERLAP_TICKS)

    def ask(at: int, stop: int) -> list[Row]:
        return terminal.rows("copy_ticks_range", stream.symbol, at, stop, ALL_TICKS)

    for (at, stop), rows in walk(ask, start, end, HOUR, MOST_TICKS):
        within = [row for row in rows if at * 1000 <= row["time_msc"] < stop * 1000]
        yield (at, stop), within


def news(terminal: Terminal, stream: Stream, clock: Clock) -> Iterator[tuple[Window, list[Row]]]:
    """What a series has beyond its watermark."""
    terminal.call("symbol_select", stream.symbol, True)
    return (ticks if stream.stream == "TICK" else bars)(terminal, stream, clock)
