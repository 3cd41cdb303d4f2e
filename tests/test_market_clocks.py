"""Clocks that change: bars on read and stored against a plain reference, gaps, live times."""

from __future__ import annotations

import contextlib
import itertools
import json
import random
import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import errors

import bars
import rows

SUNDAY = datetime(2000, 1, 2)
HOURS = {"H2": 2, "H3": 3, "H4": 4, "H6": 6, "H8": 8, "H12": 12, "D1": 24, "W1": 168}
ALWAYS = "INSERT INTO market_calendars VALUES ('EURUSD', 'always')"


def opening(at: datetime, timeframe: str, clock: str) -> datetime:
    """When the bar of a moment opened: the first time its clock showed that time."""
    zone, ahead = re.fullmatch(r"(.+?)([+-]\d+)?", clock).groups()
    shift = timedelta(hours=int(ahead or 0))
    shown = at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) + shift
    if timeframe == "MN1":
        start = datetime(shown.year, shown.month, 1)
    else:
        length = timedelta(hours=HOURS[timeframe])
        start = SUNDAY + (shown - SUNDAY) // length * length
    return (start - shift).replace(tzinfo=ZoneInfo(zone), fold=0).astimezone(UTC)


@pytest.mark.parametrize(
    ("clock", "change"),
    [
        ("America/New_York+7", datetime(2024, 11, 3, 6, tzinfo=UTC)),
        ("America/New_York+7", datetime(2024, 3, 10, 7, tzinfo=UTC)),
        ("Europe/Athens", datetime(2024, 10, 27, 1, tzinfo=UTC)),
        ("Europe/Athens", datetime(2024, 3, 31, 1, tzinfo=UTC)),
        ("Australia/Adelaide", datetime(2024, 4, 6, 16, 30, tzinfo=UTC)),
        ("America/Havana", datetime(2024, 11, 3, 5, tzinfo=UTC)),  # midnight comes twice
        ("America/Santiago", datetime(2024, 9, 8, 4, tzinfo=UTC)),  # no midnight
        ("Asia/Kolkata", datetime(2024, 3, 31, 18, 30, tzinfo=UTC)),  # a new month
    ],
)
def test_bars_begin_once_whatever_the_clock_and_the_session_show(
    db: psycopg.Connection, clock: str, change: datetime
) -> None:
    chance = random.Random(clock)
    since = change - timedelta(days=9)
    moments = [since + timedelta(minutes=15) * n for n in range(96 * 14)]
    made = {}
    with db.cursor().copy(
        "COPY market_data (symbol, timeframe, timestamp, open, high, low, close, volume) FROM STDIN"
    ) as lines:
        for at in moments:
            near = abs(at - change) < timedelta(hours=5)
            if near or chance.random() < 0.8:
                price, volume = chance.randint(1, 99), chance.randint(0, 9)
                lines.write_row(("X", "M15", at, price, price + 1, price - 1, price, volume))
                made[at] = (price, volume)
    for timeframe in (*HOURS, "MN1"):
        expected: dict[datetime, list] = {}
        for at, (price, volume) in made.items():
            bar = expected.setdefault(
                opening(at, timeframe, clock), [price, price + 1, price - 1, price, 0, 0]
            )
            bar[1:] = [max(bar[1], price + 1), min(bar[2], price - 1), price, bar[4] + volume,
                       bar[5] + 1]  # fmt: skip
        for hours in (-300, -2, -1, 0, 0.25, 1):
            zone = chance.choice(["UTC", "Asia/Kolkata", "America/New_York"])
            db.execute(f"SET timezone = '{zone}'")
            begin = change + timedelta(hours=hours)
            found = db.execute(
                "SELECT timestamp, open, high, low, close, volume, bars"
                " FROM resample_bars('X', 'M15', %s, %s, 'infinity', %s)",
                [timeframe, begin, clock],
            ).fetchall()
            wanted = [(at, *bar) for at, bar in sorted(expected.items()) if at >= begin]
            # in UTC: Python holds a time that comes twice to equal no other zone's
            assert [(row[0].astimezone(UTC), *row[1:]) for row in found] == wanted, zone


def differences(db: psycopg.Connection, timeframe: str, lower: str = "H1") -> list[tuple]:
    """Bars that are stored otherwise than they are made on read."""
    columns = "timestamp, open, high, low, close, volume, real_volume, spread, bars"
    made = f"SELECT {columns} FROM resample_bars('EURUSD', %(l)s, %(t)s, '-infinity', 'infinity')"
    kept = f"SELECT {columns} FROM resampled_bars WHERE timeframe = %(t)s"
    return db.execute(
        f"(({made}) EXCEPT ({kept})) UNION ALL (({kept}) EXCEPT ({made}))",
        {"t": timeframe, "l": lower},
    ).fetchall()


def test_change_at_the_end_of_a_month_reaches_the_bar_of_its_begin(db: psycopg.Connection) -> None:
    bars.make(db, "2024-02-20", "2024-03-31 20:00+00", "1 hour", timeframe="H1")
    db.execute("SELECT open_market_series('EURUSD', 'H1', NULL, 'Australia/Sydney')")
    db.execute("INSERT INTO market_rollups VALUES ('EURUSD', 'MN1', 'H1')")
    db.execute("CALL refresh_resampled_bars()")
    rows.bar(db, timeframe="H1", timestamp="2024-03-30 23:00+00")
    db.execute("CALL refresh_resampled_bars()")
    assert differences(db, "MN1") == []


@pytest.mark.parametrize(
    ("change", "lower"),
    [
        ("UPDATE market_series SET clock = 'America/New_York+7' WHERE timeframe = 'H1'", "H1"),
        ("UPDATE market_rollups SET from_timeframe = 'M1'", "M1"),
    ],
)
def test_stored_bars_follow_another_clock_and_another_source(
    app: psycopg.Connection, change: str, lower: str
) -> None:
    bars.make(app, "2024-01-01", "2024-01-20", "1 hour", timeframe="H1")
    bars.make(app, "2024-01-01", "2024-01-03", "1 minute")
    app.execute("INSERT INTO market_rollups VALUES ('EURUSD', 'D1', 'H1')")
    app.execute("CALL refresh_resampled_bars()")
    app.execute(change)
    app.execute("CALL refresh_resampled_bars()")
    assert differences(app, "D1", lower) == []


def gaps(db: psycopg.Connection, timeframe: str, *arguments: object) -> list[tuple]:
    names = ", ".join(["%s"] * len(arguments))
    return db.execute(
        "SELECT to_char(gap_from AT TIME ZONE 'UTC', 'MM-DD HH24:MI'), missing_bars"
        f" FROM find_bar_gaps('EURUSD', %s, {names})", [timeframe, *arguments]
    ).fetchall()  # fmt: skip


@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Europe/Athens"])
@pytest.mark.parametrize(("month", "first"), [(3, 6), (10, 25), (11, 1)])
def test_a_missing_day_is_found_whatever_the_session_s_clock_does(
    db: psycopg.Connection, zone: str, month: int, first: int
) -> None:
    db.execute(f"SET timezone = '{zone}'")
    db.execute(ALWAYS)
    days = [datetime(2024, month, first, tzinfo=UTC) + timedelta(days=n) for n in range(9)]
    for missing in days[1:-1]:
        for day in days:
            if day != missing:
                rows.bar(db, timeframe="D1", timestamp=day)
        found = gaps(db, "D1", days[0], days[-1] + timedelta(days=1))
        assert found == [(f"{missing:%m-%d} 00:00", 1)]
        db.execute("DELETE FROM market_data")


@pytest.mark.parametrize("minimum", [None, "1 hour"])
def test_a_bar_that_reaches_into_the_time_is_no_gap(
    db: psycopg.Connection, minimum: str | None
) -> None:
    db.execute(ALWAYS)
    for day in (10, 12, 13):
        rows.bar(db, timeframe="D1", timestamp=f"2024-01-{day} 00:00+00")
    span = ("2024-01-10 12:00+00", "2024-01-13 12:00+00")
    assert gaps(db, "D1", *span, minimum) == [("01-11 00:00", 1)]


def test_gaps_without_begin_start_with_the_first_bar(db: psycopg.Connection) -> None:
    db.execute("SET statement_timeout = '60s'")
    db.execute(ALWAYS)
    for hour in (10, 12):
        rows.bar(db, timeframe="H1", timestamp=f"2024-01-10 {hour}:00+00")
    assert gaps(db, "H1", "-infinity", "2024-01-10 13:00+00") == [("01-10 11:00", 1)]
    assert gaps(db, "H1", "2024-01-10 12:00+00", "infinity")[0][0] == "01-10 13:00"
    assert gaps(db, "M1", "-infinity", "infinity") == []
    assert db.execute("SELECT open_hours('forex', '-infinity', 'infinity')::text").fetchone() == (
        "{}",
    )


def test_no_gap_is_in_no_time(db: psycopg.Connection) -> None:
    tomorrow = datetime.now(UTC) + timedelta(days=1)
    for begin, end in (("2024-01-11", "2024-01-10"), (tomorrow, tomorrow + timedelta(days=9))):
        assert gaps(db, "H1", begin, end) == []


@pytest.mark.parametrize(
    ("call", "rates", "table"),
    [
        ("ingest_bars('EURUSD', 'M1', %s)", {"time": 1, "open": 1, "high": 1, "low": 1, "close": 1},
         "market_data"),
        ("ingest_ticks('EURUSD', %s)", {"time_msc": 1000, "bid": 1}, "market_ticks"),
    ],
)  # fmt: skip
def test_live_times_in_another_unit_are_refused(
    db: psycopg.Connection, call: str, rates: dict, table: str
) -> None:
    name, unit = next(iter(rates.items()))
    now = int(datetime.now(UTC).timestamp())
    for seconds in (now * 1000, now + 2 * 86400):
        with pytest.raises(errors.CheckViolation, match=f"{table}_timestamp_range_check"):
            db.execute(f"SELECT {call}", [json.dumps([rates | {name: seconds * unit}])])
    db.execute(f"SELECT {call}", [json.dumps([rates | {name: (now + 14 * 3600) * unit}])])
    assert db.execute(f"SELECT count(*) FROM {table}").fetchone() == (1,)


def test_series_and_stored_bars_have_timeframes_that_exist(db: psycopg.Connection) -> None:
    """The table takes just what resample_bars() makes; a mistyped series is refused."""
    frames = [f"M{n}" for n in (1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30)]
    frames += ["H1", "H2", "H3", "H4", "H6", "H8", "H12", "D1", "W1", "MN1", "M7", "h1", "H24"]
    taken, made = set(), set()
    for pair in itertools.product(frames, frames):
        with contextlib.suppress(errors.CheckViolation):
            db.execute("INSERT INTO market_rollups VALUES ('X', %s, %s)", pair)
            db.execute("DELETE FROM market_rollups")
            taken.add(pair)
        try:
            db.execute(
                "SELECT FROM resample_bars('X', %s, %s, '2024-01-01', '2024-01-02')", pair[::-1]
            )
            made.add(pair)
        except psycopg.Error as error:
            assert error.sqlstate == "RB064"
    assert taken == made
    assert len(made) > 100
    with pytest.raises(errors.CheckViolation, match="market_series_timeframe_known_check"):
        db.execute("SELECT ingest_bars('X', 'h1', '[]')")
    assert not db.execute("SELECT FROM market_series").rowcount
