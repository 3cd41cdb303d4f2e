"""A time is what was meant, or it is rejected: forms do not meet, clocks are not half zones."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

import moving
from moving import at

DAY = timedelta(days=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def move_times(
    db: psycopg.Connection, folder: Path, times: list[object], *arguments: str
) -> tuple[moving.Done, list[datetime]]:
    """Bars of these times, through the file and back."""
    bar = moving.truth()["market_data"][0]
    rows = [bar | {"id": 1 + n, "timestamp": time} for n, time in enumerate(times)]
    done = moving.run(db, moving.build(folder / "a.db", {"market_data": rows}), *arguments)
    found = moving.stored(db, "market_data", ["timestamp"])
    return done, [row["timestamp"] for row in found]


@pytest.mark.parametrize(
    ("unit", "first", "last"),
    [
        (1, at("1973-03-04 00:00"), at("2026-11-20 00:00")),
        (1_000, at("1970-04-27 00:00"), at("2026-11-20 00:00")),
        (1_000_000, at("1973-03-04 00:00"), at("2026-11-20 00:00")),
    ],
)
def test_size_tells_seconds_from_milliseconds_and_microseconds(
    db: psycopg.Connection, tmp_path: Path, unit: int, first: datetime, last: datetime
) -> None:
    times = [first, at("1974-01-01 00:00"), at("2001-09-09 01:46:40"), last]
    kept = [(time - EPOCH) // timedelta(seconds=1) * unit for time in times]
    done, found = move_times(db, tmp_path, [*kept, str(kept[1] + unit * 60)])
    assert (done.returncode, found) == (0, [*times, times[1] + timedelta(minutes=1)]), done


def test_a_table_of_daily_milliseconds_does_not_change_its_form_on_the_way(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    """Bars of the currencies begin in 1971."""
    times = [at("1971-01-03 00:00") + n * DAY for n in range(1000)]
    done, found = move_times(db, tmp_path, [(time - EPOCH) // DAY * 86_400_000 for time in times])
    assert (done.returncode, found) == (0, times)


@pytest.mark.parametrize(
    ("value", "zone", "stored"),
    [
        (20240102100000, "UTC", at("2024-01-02 10:00")),
        ("20240102100000", "Europe/Athens", at("2024-01-02 08:00")),
        ("20240230100000", "UTC", None),
        (20241301100000, "UTC", None),
        (20240102100000123, "UTC", None),  # was the year 2611
        ("202401021000", "UTC", None),  # was 1976
        (202401021000, "UTC", None),
        (10**16, "UTC", None),
        (99_999_999, "UTC", None),
    ],
)
def test_digits_of_a_date_are_read_or_refused(
    db: psycopg.Connection, tmp_path: Path, value: object, zone: str, stored: datetime | None
) -> None:
    done, found = move_times(db, tmp_path, [value], "--zone", zone)
    assert found == ([stored] if stored else [])
    assert set(moving.rejects(db).values()) == (
        set() if stored else {"market_data_timestamp_is_time"}
    )
    assert done.returncode == (not stored)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [
        ("Etc/GMT-3", "2024-01-01 12:00"),
        ("Etc/GMT+5", "2024-01-01 04:00"),
        ("UTC+3", "2024-01-01 12:00"),
        ("America/New_York+7", "2024-01-01 11:00"),
        ("NY+7", "2024-01-01 11:00"),
        ("NY", "2024-01-01 04:00"),
    ],
)
def test_name_of_a_zone_is_not_cut_into_hours(
    db: psycopg.Connection, tmp_path: Path, zone: str, shown: str
) -> None:
    done, found = move_times(db, tmp_path, [shown + ":00"], "--zone", zone)
    assert (done.returncode, found) == (0, [at("2024-01-01 09:00")])
