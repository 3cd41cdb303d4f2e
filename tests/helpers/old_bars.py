"""Bars that expire, their archive, and damage to it."""

from __future__ import annotations

from pathlib import Path

import psycopg

import archive_bars
import bars

ALL = (
    "SELECT symbol, timeframe, timestamp, open, high, low, close, volume, real_volume, spread"
    " FROM market_data ORDER BY symbol, timeframe, timestamp"
)


def fill(db: psycopg.Connection) -> None:
    """Three months of hours that expire, of two series, and a third that is kept."""
    bars.make(db, "2024-01-15", "2024-04-20", "4 hours", "EURUSD", "H4")
    bars.make(db, "2024-02-01", "2024-04-01", "4 hours", "Vol 75 (1s)/x", "H4")
    bars.make(db, "2024-03-05", "2024-03-06", "4 hours", "KEPT", "H4")
    db.execute(
        "INSERT INTO market_retention VALUES ('*', 'H4', '1 year'), ('KEPT', 'H4', '100 years')"
    )


def archive(
    connection: psycopg.Connection, *arguments: object, user: str = "rubi_admin", **more: str
):
    return bars.script(connection, archive_bars, *arguments, user=user, **more)


def damage(folder: Path, month: str = "2024-02") -> bytes:
    """Change one byte in the middle of a file; answers what the file was."""
    path = folder / f"symbol=EURUSD/timeframe=H4/month={month}/bars.parquet"
    before = path.read_bytes()
    middle = len(before) // 2
    path.write_bytes(before[:middle] + bytes([before[middle] ^ 1]) + before[middle + 1 :])
    return before
