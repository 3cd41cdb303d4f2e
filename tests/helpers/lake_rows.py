"""A small lake, and the ways to ask it, for the tests of all engines."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import psycopg

import archive_bars
import bars
from rubi.lake.asking import File, files_of
from rubi.lake.questions import parameters

SINCE, UNTIL = datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 4, 1, tzinfo=UTC)
SYMBOLS = ["EURUSD", "Vol 75 (1s)/x", "ÆØÅ"]
CLOCK = "America/New_York+7"


def fill(connection: psycopg.Connection, target: object) -> None:
    """Bars of three symbols over a change of clocks, archived: six files."""
    for symbol in SYMBOLS:
        bars.make(connection, "2024-02-20", "2024-03-21", "5 minutes", symbol, "M5")
    # a hole, and bars without a real volume
    connection.execute(
        "DELETE FROM market_data WHERE symbol = 'EURUSD'"
        " AND timestamp BETWEEN '2024-03-05 07:00+00' AND '2024-03-05 09:00+00'"
    )
    connection.execute("UPDATE market_data SET real_volume = NULL WHERE symbol = 'ÆØÅ'")
    connection.execute("SELECT fold_bar_changes()")
    for symbol in SYMBOLS:
        done = bars.script(
            connection, archive_bars, "write", target, "--symbol", symbol, "--timeframe", "M5"
        )
        assert (done.returncode, done.stderr) == (0, "")


def files(connection: psycopg.Connection) -> list[File]:
    """The files of that lake."""
    return files_of(connection, "M5", SINCE, UNTIL, SYMBOLS)


def values(to: str, clock: str = "UTC", minimum: int = 0) -> dict[str, object]:
    """Values for a question about it."""
    return parameters(SYMBOLS, "M5", SINCE, UNTIL, clock=clock, to=to, minimum=minimum)


QUESTIONS = [
    ("coverage", "D1", CLOCK),
    ("gaps", "D1", CLOCK),
    ("resample", "H1", "UTC"),
    ("resample", "D1", "UTC"),
    ("resample", "D1", CLOCK),
    ("resample", "W1", "UTC"),
    ("returns", "H1", "UTC"),
    ("returns", "D1", CLOCK),
]


def path(folder: Path, symbol: str = "EURUSD", month: str = "2024-03") -> Path:
    """A file of a lake in a folder."""
    return folder / f"symbol={symbol}/timeframe=M5/month={month}/bars.parquet"


def damage(file: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)
