"""Bars and ticks in SQL: what is refused, the live feed, counts, resampling, gaps."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

import bars
import rows

H1 = {"time": 1704189600, "open": 1.1, "high": 1.3, "low": 1.0, "close": 1.2,
      "tick_volume": 5, "spread": 3, "real_volume": 0}  # fmt: skip


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"high": "1.05"}, "market_data_high_is_highest_check"),
        ({"low": "1.15"}, "market_data_low_is_lowest_check"),
        ({"high": "NaN"}, "market_data_high_not_nan_check"),
        ({"volume": -1}, "market_data_volume_not_negative_check"),
        ({"real_volume": -1}, "market_data_real_volume_not_negative_check"),
        ({"real_volume": "NaN"}, "market_data_real_volume_not_negative_check"),
        ({"timeframe": "M7"}, "timeframe_known_check"),
        ({"symbol": " EURUSD"}, "symbol_trimmed_check"),
        ({"symbol": "EUR\tUSD"}, "symbol_trimmed_check"),
        ({"symbol": ""}, "symbol_trimmed_check"),
    ],
)
def test_bar_that_breaks_a_rule_is_refused(
    app: psycopg.Connection, values: dict, constraint: str
) -> None:
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        rows.bar(app, **values)
    assert caught.value.diag.constraint_name.endswith(constraint)


def test_bars_at_the_limits_of_the_rules_are_accepted(app: psycopg.Connection) -> None:
    rows.bar(app, open=1, high=1, low=1, close=1, volume=0, real_volume=0, spread=0)
    rows.bar(app, symbol="Volatility 75 (1s) Index", real_volume=2**64 - 1)
    rows.bar(app, symbol="WTI", open=-1, high=-1, low=-37, close=-30)


def ingest(connection: psycopg.Connection, *rates: object, **named: object) -> tuple:
    arguments = {"symbol": "EURUSD", "timeframe": "H1"} | named
    names = ", ".join(f"p_{name} => %s" for name in arguments)
    return connection.execute(
        f"SELECT inserted, updated, unchanged FROM ingest_bars({names}, p_rates => %s)",
        [*arguments.values(), json.dumps(rates)],
    ).fetchone()


def test_ingest_bars_inserts_updates_and_leaves_unchanged(
    connect_as: Callable[..., psycopg.Connection], db: psycopg.Connection
) -> None:
    feed = connect_as("rubi_ingest")
    as_array = [H1["time"] + 3600, 1.2, 1.2, 1.2, 1.2, 1, 2, 0]
    assert ingest(feed, H1, as_array) == (2, 0, 0)
    assert ingest(feed, H1, H1 | {"time": H1["time"] + 3600}) == (0, 1, 1)
    assert [row[2:] for row in bars.stored(db)] == [
        (datetime(2024, 1, 2, hour), Decimal("1.1"), Decimal("1.2"), 5, 0, 3) for hour in (10, 11)
    ]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        feed.execute("SELECT FROM market_data")


def test_ingest_bars_reads_time_by_the_clock_of_the_series(db: psycopg.Connection) -> None:
    ingest(db, H1, clock="America/New_York+7")
    ingest(db, H1)  # the clock is remembered
    assert [row[2] for row in bars.stored(db)] == [datetime(2024, 1, 2, 8)]


@pytest.mark.parametrize(
    ("rates", "named", "code"),
    [
        ([H1], {"source": "B"}, "RB060"),
        ([H1], {"clock": "UTC+1"}, "RB061"),
        ([H1], {"clock": "Mars/Base"}, "22023"),
        ([H1 | {"high": 0.5}], {}, "23514"),
        ([{"open": 1}], {}, "23502"),
        ([H1, H1], {}, "21000"),
    ],
)
def test_ingest_bars_refuses_all_when_one_is_wrong(
    db: psycopg.Connection, rates: list, named: dict, code: str
) -> None:
    ingest(db, source="A")
    with pytest.raises(psycopg.Error) as caught:
        ingest(db, H1 | {"time": 0}, *rates, **named)
    assert caught.value.sqlstate == code
    assert bars.stored(db) == []


@pytest.mark.parametrize("call", ["ingest_bars('X', 'M1', '{}')", "ingest_ticks('X', NULL)"])
def test_ingest_of_something_else_than_an_array_is_refused(
    market: psycopg.Connection, call: str
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        market.execute(f"SELECT * FROM {call}")
    assert caught.value.sqlstate == "RB062"


def test_ingest_ticks_keeps_several_of_one_millisecond(
    connect_as: Callable[..., psycopg.Connection], db: psycopg.Connection
) -> None:
    tick = {"time_msc": 1704189600123, "bid": 1.1, "ask": 1.2, "last": 0, "volume": 0, "flags": 6}
    feed = connect_as("rubi_ingest")
    call = "SELECT ingest_ticks('EURUSD', %s)"
    assert feed.execute(call, [json.dumps([tick, tick | {"bid": 1.0}])]).fetchone() == (2,)
    assert feed.execute(call, [json.dumps([tick])]).fetchone() == (0,)
    assert db.execute("SELECT bid, last FROM market_ticks ORDER BY seq").fetchall() == [
        (Decimal("1.1"), None), (Decimal("1.0"), None)
    ]  # fmt: skip


@pytest.mark.parametrize(
    "call",
    [
        "stage_bars(), merge_staged_bars('X', 'M1', NULL, NULL, 'x')",
        "stage_ticks(), merge_staged_ticks('X', NULL, NULL, 'x')",
    ],
)
def test_merge_refuses_an_unknown_way_of_conflict(
    rolled_back: psycopg.Connection, call: str
) -> None:
    with pytest.raises(psycopg.Error) as caught:
        rolled_back.execute(f"SELECT {call}")
    assert caught.value.sqlstate == "RB063"


def test_resampled_bar_is_first_last_extremes_and_sums(app: psycopg.Connection) -> None:
    bars.make(app, "2024-01-02 10:00+00", "2024-01-02 12:00+00")
    expected = app.execute(
        "SELECT (array_agg(open ORDER BY timestamp))[1], max(high), min(low),"
        " (array_agg(close ORDER BY timestamp DESC))[1], sum(volume), sum(real_volume),"
        " min(spread), count(*) FROM market_data WHERE timestamp >= '2024-01-02 11:00+00'"
    ).fetchone()
    got = app.execute(
        "SELECT open, high, low, close, volume, real_volume, spread, bars FROM resample_bars("
        "'EURUSD', 'M1', 'H1', '2024-01-02 11:00+00', '2024-01-02 12:00+00')"
    ).fetchall()
    assert got == [expected]


# Counted by hand: the server is two hours ahead of UTC on the 8th and three from the 10th on, when
# New York changes its clocks. A bar that begins before the range is left out.
@pytest.mark.parametrize(
    ("timeframe", "clock", "begin"),
    [
        ("H4", "UTC", ["08 12:00", "08 16:00", "08 20:00", "11 00:00", "12 04:00"]),
        ("H4", "America/New_York+7", ["08 14:00", "08 18:00", "10 21:00", "11 01:00", "12 05:00"]),
        ("D1", "UTC", ["11 00:00", "12 00:00"]),
        ("D1", "America/New_York+7", ["10 21:00", "11 21:00"]),
        ("W1", "UTC", ["10 00:00"]),
        ("W1", "America/New_York+7", ["09 22:00"]),
        ("MN1", "UTC", []),
    ],
)
def test_resampled_bars_begin_by_the_clock(
    db: psycopg.Connection, timeframe: str, clock: str, begin: list[str]
) -> None:
    for day, hours in (("08", range(12, 22)), ("11", (0, 3)), ("12", (5,))):
        for hour in hours:
            rows.bar(db, timestamp=f"2024-03-{day} {hour:02d}:00+00")
    found = db.execute(
        "SELECT to_char(timestamp AT TIME ZONE 'UTC', 'DD HH24:MI') FROM resample_bars("
        "'EURUSD', 'H1', %s, '2024-03-08 12:00+00', '2024-04-01', %s)",
        [timeframe, clock],
    ).fetchall()
    assert [text for (text,) in found] == begin


@pytest.mark.parametrize(
    ("clock", "shown"),
    [
        ("Etc/GMT-3", "13:00"),
        ("Etc/GMT+5", "05:00"),
        ("UTC+3", "13:00"),
        ("America/New_York+7", "12:00"),
    ],
)
def test_clock_is_a_zone_by_its_whole_name_before_it_is_hours_and_a_zone(
    db: psycopg.Connection, clock: str, shown: str
) -> None:
    moment = "2024-01-02 10:00+00"
    found = db.execute(
        "SELECT to_char(t.shown, 'HH24:MI'), clock_to_utc(t.shown, %(clock)s) = %(moment)s"
        " FROM utc_to_clock(%(moment)s, %(clock)s) AS t (shown)",
        {"clock": clock, "moment": moment},
    ).fetchone()
    assert found == (shown, True)
    time = int(datetime.fromisoformat(f"2024-01-02 {shown}+00").timestamp())
    ingest(db, H1 | {"time": time}, clock=clock)
    assert [row[2] for row in bars.stored(db)] == [datetime(2024, 1, 2, 10)]
    day = (
        "SELECT timestamp = clock_to_utc('2024-01-02', %(clock)s) FROM resample_bars('EURUSD',"
        " 'H1', 'D1', '2024-01-01', '2024-01-05', %(clock)s)"
    )
    assert db.execute(day, {"clock": clock}).fetchall() == [(True,)]


@pytest.mark.parametrize(
    ("lower", "higher", "good"),
    [("M1", "M5", True), ("M10", "M15", False), ("H1", "H1", False), ("H4", "H1", False),
     ("H8", "H12", False), ("D1", "W1", True), ("W1", "MN1", False), ("D1", "MN1", True),
     ("M1", "M7", False)],
)  # fmt: skip
def test_bars_are_made_of_whole_lower_ones(
    app: psycopg.Connection, lower: str, higher: str, good: bool
) -> None:
    call = "SELECT * FROM resample_bars('X', %s, %s, '2024-01-01', '2024-02-01')"
    if good:
        assert app.execute(call, [lower, higher]).fetchall() == []
        return
    with pytest.raises(psycopg.Error) as caught:
        app.execute(call, [lower, higher])
    assert caught.value.sqlstate == "RB064"


def differences(db: psycopg.Connection, higher: str) -> list[tuple]:
    """Bars that are stored otherwise than they are made on read."""
    columns = "timestamp, open, high, low, close, volume, real_volume, spread, bars"
    made = f"SELECT {columns} FROM resample_bars('EURUSD', 'M1', %(t)s, '2000-01-01', '2030-01-01')"
    kept = f"SELECT {columns} FROM resampled_bars WHERE timeframe = %(t)s"
    return db.execute(
        f"(({made}) EXCEPT ({kept})) UNION ALL (({kept}) EXCEPT ({made}))", {"t": higher}
    ).fetchall()


def test_stored_bars_equal_those_made_on_read(app: psycopg.Connection) -> None:
    bars.make(app, "2024-03-07", "2024-03-13", "7 minutes")
    app.execute("SELECT open_market_series('EURUSD', 'M1', NULL, 'America/New_York+7')")
    frames = ("H1", "H4", "D1")
    for frame in frames:
        app.execute("INSERT INTO market_rollups VALUES ('EURUSD', %s, 'M1')", [frame])
    for change in (
        "SELECT 1",
        "UPDATE market_data SET close = low WHERE timestamp > '2024-03-12 22:00+00'",
        "DELETE FROM market_data WHERE timestamp >= '2024-03-08 03:00+00'"
        " AND timestamp < '2024-03-08 09:30+00'",
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
        " VALUES ('EURUSD', 'M1', '2024-03-10 21:59+00', 1, 9, 1, 1),"
        " ('EURUSD', 'M1', '2024-02-10 21:59+00', 1, 9, 1, 1)",
        "DELETE FROM market_data WHERE timestamp < '2024-03-08'",
        "DELETE FROM market_data",
    ):
        app.execute(change)
        app.execute("CALL refresh_resampled_bars()")
        assert [differences(app, frame) for frame in frames] == [[], [], []]
    assert app.execute("SELECT count(*) FROM resampled_bars").fetchone() == (0,)


def gaps(db: psycopg.Connection, since: str, until: str, minimum: str | None = None) -> list[tuple]:
    return db.execute(
        "SELECT to_char(gap_from AT TIME ZONE 'UTC', 'DD HH24:MI'),"
        " to_char(gap_to AT TIME ZONE 'UTC', 'DD HH24:MI'), missing_bars"
        " FROM find_bar_gaps('EURUSD', 'M1', %s, %s, %s::interval)",
        [since, until, minimum],
    ).fetchall()


def test_gaps_know_weekends_holidays_and_sessions(db: psycopg.Connection) -> None:
    # two weeks by the clock of the market: it closes on Friday at 22:00 UTC, in winter
    db.execute(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
        " SELECT 'EURUSD', 'M1', t, 1, 1, 1, 1"
        " FROM generate_series('2024-01-07 22:00+00', '2024-01-19 21:59+00', interval '1 min') AS t"
        " WHERE NOT (t >= '2024-01-12 22:00+00' AND t < '2024-01-14 22:00+00')"
    )
    assert gaps(db, "2024-01-06", "2024-01-21") == []
    db.execute("DELETE FROM market_data WHERE timestamp >= '2024-01-10 10:00+00'"
               " AND timestamp < '2024-01-10 10:05+00'")  # fmt: skip
    db.execute("DELETE FROM market_data WHERE timestamp = '2024-01-12 21:59+00'")
    assert gaps(db, "2024-01-06", "2024-01-21") == [
        ("10 10:00", "10 10:05", 5), ("12 21:59", "12 22:00", 1)
    ]  # fmt: skip
    assert gaps(db, "2024-01-06", "2024-01-21", "5 minutes") == [("10 10:00", "10 10:05", 5)]
    assert gaps(db, "2024-01-06", "2024-01-21", "6 minutes") == []
    db.execute("DELETE FROM market_data WHERE timestamp >= '2024-01-14 22:00+00'"
               " AND timestamp < '2024-01-15 22:00+00'")  # fmt: skip
    assert gaps(db, "2024-01-14", "2024-01-21", "1 hour") == [("14 22:00", "15 22:00", 1440)]
    db.execute("INSERT INTO market_holidays VALUES ('forex', '2024-01-15', 'closed')")
    assert gaps(db, "2024-01-14", "2024-01-21") == []
    # half a day: trading until 12:00 by the clock was expected
    db.execute("UPDATE market_holidays SET opens = '0:00', closes = '12:00' WHERE name = 'closed'")
    assert gaps(db, "2024-01-14", "2024-01-21") == [("14 22:00", "15 10:00", 720)]


def test_gap_before_the_first_and_after_the_last_bar_is_found(db: psycopg.Connection) -> None:
    db.execute("INSERT INTO market_calendars VALUES ('EURUSD', 'always')")
    bars.make(db, "2024-01-09 01:00+00", "2024-01-09 02:00+00")
    assert gaps(db, "2024-01-09", "2024-01-09 03:00+00") == [
        ("09 00:00", "09 01:00", 60), ("09 02:00", "09 03:00", 60)
    ]  # fmt: skip
    later = datetime.now(UTC) + timedelta(days=9)
    [(_, _, missing)] = gaps(db, "2024-01-09 02:00+00", f"{later}", "1 hour")
    whole = (datetime.now(UTC) - datetime(2024, 1, 9, 2, tzinfo=UTC)) / timedelta(minutes=1)
    assert abs(missing - whole) < 5  # the future is no gap


@pytest.mark.parametrize(
    ("symbol", "frame", "code"), [("EURUSD", "M1", "RB066"), ("X", "W1", "RB065")]
)
def test_gaps_need_a_calendar_and_bars_up_to_a_day(
    rolled_back: psycopg.Connection, symbol: str, frame: str, code: str
) -> None:
    rolled_back.execute("INSERT INTO market_calendar_clocks VALUES ('nowhere')")
    rolled_back.execute("INSERT INTO market_calendars VALUES ('EURUSD', 'nowhere')")
    with pytest.raises(psycopg.Error) as caught:
        rolled_back.execute(
            "SELECT * FROM find_bar_gaps(%s, %s, '2024-01-01', '2024-01-02')", [symbol, frame]
        )
    assert caught.value.sqlstate == code


@pytest.mark.parametrize(
    "statement",
    ["SELECT fold_bar_changes()", "INSERT INTO market_calendars VALUES ('a', 'b')"],
)
def test_analysts_read_but_do_not_write(
    connect_as: Callable[..., psycopg.Connection], statement: str
) -> None:
    analyst = connect_as("rubi_readonly")
    analyst.execute("SELECT * FROM market_data_coverage")
    analyst.execute("SELECT * FROM resample_bars('X', 'M1', 'H1', '2024-01-01', '2024-01-02')")
    analyst.execute("SELECT * FROM find_bar_gaps('X', 'M1', '2024-01-01', '2024-01-02')")
    analyst.execute("SET default_transaction_read_only = off")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        analyst.execute(statement)


def test_policies_say_what_is_skipped(db: psycopg.Connection) -> None:
    call = "SELECT feature, done, note FROM enable_timescale_policies()"
    features = ("columnstore", "retention", "aggregates")
    said = db.execute(call).fetchall()
    assert [(feature, done) for feature, done, _ in said] == [(name, False) for name in features]
    # the Apache edition has none; with the licence the owner of the tables has to log in for them
    assert all(note.startswith("skipped") for _, _, note in said)


def test_bars_and_ticks_can_be_staged_one_after_the_other(app: psycopg.Connection) -> None:
    for stage, table in (("bars", "bars"), ("ticks", "ticks"), ("bars", "bars")):
        app.execute(f"SELECT stage_{stage}()")
        assert app.execute(f"SELECT count(*) FROM staged_{table}").fetchone() == (0,)
