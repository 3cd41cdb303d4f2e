"""Minute bars of ten symbols as lines for COPY, by time and series by series, and their loading."""

from __future__ import annotations

import io
import random
from datetime import UTC, datetime, timedelta
from time import perf_counter

import psycopg

START = datetime(2024, 1, 1, tzinfo=UTC)
SYMBOLS = {
    "EURUSD": (1.1, 5), "GBPUSD": (1.27, 5), "USDJPY": (151.2, 3), "AUDUSD": (0.66, 5),
    "USDCHF": (0.88, 5), "USDCAD": (1.35, 5), "NZDUSD": (0.61, 5), "EURJPY": (163.0, 3),
    "XAUUSD": (2034.0, 2), "EURGBP": (0.855, 5),
}  # fmt: skip
SHORT = "symbol, timeframe, timestamp, open, high, low, close, volume"
LONG = SHORT + ", real_volume, spread"


def minutes() -> list[datetime]:
    """The minutes of the forex week, without end."""
    now = START
    while True:
        if now.weekday() < 5:
            yield now
        now += timedelta(minutes=1)


def make_lines(total: int) -> tuple[list[str], list[str]]:
    """Lines for COPY without and with real volume and spread, in the order of time."""
    generator = random.Random(6)
    last = {symbol: round(price * 10**digits) for symbol, (price, digits) in SYMBOLS.items()}
    short, long = [], []

    def text(value: int, digits: int) -> str:
        return f"{value // 10**digits}.{value % 10**digits:0{digits}d}"

    for minute in minutes():
        for symbol, (_, digits) in SYMBOLS.items():
            begin = last[symbol]
            end = last[symbol] = begin + generator.randint(-9, 9)
            high = max(begin, end) + generator.randint(0, 6)
            low = min(begin, end) - generator.randint(0, 6)
            line = "\t".join((
                symbol, "M1", f"{minute:%Y-%m-%d %H:%M:00+00}",
                *(text(value, digits) for value in (begin, high, low, end)),
                str(generator.randint(5, 400)),
            ))  # fmt: skip
            short.append(line + "\n")
            long.append(f"{line}\t0\t{generator.randint(1, 20)}\n")
        if len(short) >= total:
            return short, long


def send(connection: psycopg.Connection, table: str, columns: str, data: bytes) -> float:
    """Seconds that COPY of this text takes."""
    began = perf_counter()
    with connection.cursor() as cursor, cursor.copy(f"COPY {table} ({columns}) FROM STDIN") as out:
        stream = io.BytesIO(data)
        while block := stream.read(1 << 20):
            out.write(block)
    return perf_counter() - began


def copy(connection: psycopg.Connection, table: str, columns: str, lines: list[str]) -> float:
    """Seconds that COPY of these lines takes, after a checkpoint."""
    data = "".join(lines).encode()
    connection.execute("CHECKPOINT")
    return send(connection, table, columns, data)


def staged(connection: psycopg.Connection, lines: list[str]) -> float:
    """Seconds that the staged merge of a sorted file of each symbol takes together."""
    total = 0.0
    for symbol in SYMBOLS:
        text = "".join(
            "\t".join((*fields[2][:16].split(" "), *fields[3:]))
            for fields in (line.split("\t") for line in lines if line.startswith(symbol))
        ).encode()
        connection.execute("CHECKPOINT")
        began = perf_counter()
        with connection.transaction():
            connection.execute("SELECT stage_bars()")
            with (
                connection.cursor() as cursor,
                cursor.copy(
                    "COPY pg_temp.staged_bars (day, time_of_day, open, high, low, close, volume,"
                    " real_volume, spread) FROM STDIN"
                ) as out,
            ):
                out.write(text)
            connection.execute("SELECT merge_staged_bars(%s, 'M1')", [symbol])
        total += perf_counter() - began
    return total
