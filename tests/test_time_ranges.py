"""Bars, ticks and live times outside the stated ranges are refused by name, and make no chunk."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import errors

import bars
import rows
from conftest import Address
from time_ranges import TOO_LATE, chunks_made, moment, refused


@pytest.fixture
def shared(server: Address, shared_database: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection inside a transaction that is rolled back after the test."""
    with (
        psycopg.connect(server.dsn(shared_database)) as connection,
        connection.transaction(force_rollback=True),
    ):
        yield connection


BAR = {"open": 1, "high": 1, "low": 1, "close": 1}


def bar(connection: psycopg.Connection, door: str, frame: str, at: str) -> None:
    """One bar through a door."""
    if door == "insert":
        rows.bar(connection, timeframe=frame, timestamp=at)
        return
    with connection.cursor().copy(
        "COPY market_data (symbol, timeframe, timestamp, open, high, low, close) FROM STDIN"
    ) as copy:
        copy.write_row(["EURUSD", frame, at, 1, 1, 1, 1])


@pytest.mark.parametrize(
    ("frame", "at"),
    [
        *((frame, at) for frame in ("M1", "D1") for at in ("infinity", "a minute after a day")),
        ("M1", "1969-12-31 23:59+00"), ("H12", "1969-12-31"), ("D1", "1699-12-31"),
        ("MN1", "-infinity"), ("M1", "-infinity"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("role", ["rubi_app", "rubi_owner"])
@pytest.mark.parametrize("door", ["insert", "copy"])
def test_bar_out_of_range_is_refused(
    shared: psycopg.Connection, door: str, role: str, frame: str, at: str
) -> None:
    with refused(shared, role, "market_data_timestamp_range_check"):
        bar(shared, door, frame, moment(at))


@pytest.mark.parametrize(
    ("frame", "at"),
    [("M1", "1970-01-01 00:00+00"), ("D1", "1700-01-01"), ("W1", "1789-01-04"),
     ("MN1", "1969-12-01"), ("M1", "an hour before a day")],
)  # fmt: skip
def test_bar_at_the_end_of_the_range_is_accepted(
    rolled_back: psycopg.Connection, frame: str, at: str
) -> None:
    bar(rolled_back, "insert", frame, moment(at))


def test_daily_bars_of_three_centuries_lie_in_one_chunk(shared: psycopg.Connection) -> None:
    before = chunks_made(shared)
    shared.execute(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
        " SELECT 'SPX', 'D1', d, 1, 1, 1, 1"
        " FROM generate_series(timestamptz '1789-05-01', '1969-12-31', interval '1 day') AS d"
    )
    assert chunks_made(shared) == before


@pytest.mark.parametrize("at", ["-infinity", "1970-01-20", "1989-12-31 23:59+00", *TOO_LATE])
@pytest.mark.parametrize("role", ["rubi_app", "rubi_owner"])
def test_tick_out_of_range_is_refused(shared: psycopg.Connection, role: str, at: str) -> None:
    with refused(shared, role, "market_ticks_timestamp_range_check"):
        shared.execute(
            "INSERT INTO market_ticks (symbol, timestamp, bid) VALUES ('X', %s, 1)", [moment(at)]
        )


@pytest.mark.parametrize("at", ["-infinity", "1969-11-30", "2099-01-01", "infinity"])
@pytest.mark.parametrize("role", ["rubi_app", "rubi_owner"])
def test_resampled_bar_out_of_range_is_refused(
    shared: psycopg.Connection, role: str, at: str
) -> None:
    with refused(shared, role, "resampled_bars_timestamp_range_check"):
        shared.execute(
            "INSERT INTO resampled_bars (symbol, timeframe, timestamp, open, high, low, close,"
            " volume, bars) VALUES ('X', 'H1', %s, 1, 1, 1, 1, 1, 1)",
            [at],
        )


@pytest.mark.parametrize(
    "call",
    [
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
        " VALUES ('X', 'M1', '2099-01-01', 1, 1, 1, 1)",
        "INSERT INTO market_ticks (symbol, timestamp, bid) VALUES ('X', '2099-01-01', 1)",
    ],
)
def test_saying_that_chunks_are_made_opens_no_range(app: psycopg.Connection, call: str) -> None:
    app.execute("SET rubi.makes_chunks = 'on'")
    with pytest.raises(errors.CheckViolation):
        app.execute(call)


@pytest.mark.parametrize("table", ["market_data", "market_ticks"])
def test_nobody_but_the_owner_makes_chunks_ahead(
    app: psycopg.Connection, db: psycopg.Connection, table: str
) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute("SELECT internal.make_chunk(%s, '2099-01-01')", [table])
    db.execute("SELECT internal.make_chunk(%s, '2099-01-01')", [table])
    assert db.execute("SELECT current_setting('rubi.makes_chunks', TRUE)").fetchone()[0] != "on"


@pytest.mark.parametrize(
    ("call", "element"),
    [
        ("SELECT ingest_bars('X', 'M1', %s)", {"time": 1} | BAR),
        ("SELECT ingest_bars('X', 'D1', %s)", {"time": 1} | BAR),
        ("SELECT ingest_bars('X', 'M1', %s)", [1, 1, 1, 1, 1]),
        ("SELECT ingest_ticks('X', %s)", {"time_msc": 1000, "bid": 1}),
    ],
)
@pytest.mark.parametrize(
    "seconds", [-(10**10), 10**10, 10**13, 10**18, 10**30, "a minute after a day"]
)
@pytest.mark.parametrize("role", ["rubi_ingest", "rubi_app"])
def test_live_time_out_of_range_is_refused_before_a_chunk_is_made(
    shared: psycopg.Connection, role: str, call: str, element: object, seconds: int
) -> None:
    if isinstance(seconds, str):
        seconds = int(datetime.now(UTC).timestamp()) + 86460
    now = int(datetime.now(UTC).timestamp()) // 60 * 60
    sent = [
        [at, *element[1:]] if isinstance(element, list)
        else element | {name: at * element[name] for name in element if name.startswith("time")}
        for at in (now, seconds)
    ]  # fmt: skip
    before = chunks_made(shared)
    with refused(shared, role, "_timestamp_range_check"):
        shared.execute(call, [json.dumps(sent)])
    assert chunks_made(shared) == before


def test_ticks_in_seconds_are_told_that_milliseconds_are_wanted(shared: psycopg.Connection) -> None:
    now = int(datetime.now(UTC).timestamp())
    shared.execute("SET LOCAL ROLE rubi_ingest")
    with pytest.raises(errors.CheckViolation) as caught, shared.transaction():
        shared.execute("SELECT ingest_ticks('X', %s)", [json.dumps([{"time_msc": now, "bid": 1}])])
    assert caught.value.diag.constraint_name == "market_ticks_timestamp_range_check"
    assert "milliseconds" in caught.value.diag.message_hint


@pytest.mark.parametrize(
    ("frame", "at", "reason"),
    [
        ("M1", "1969-12-31 00:00+00", "time is before 1970"),
        ("D1", "1699-12-31 00:00+00", "time is before 1700"),
        ("D1", "2099-01-01 00:00+00", "time is in the future"),
        ("D1", "infinity", "time is in the future"),
        ("D1", "1789-05-01 00:00+00", None),
    ],
)
def test_staged_bar_out_of_range_is_a_reject_and_makes_no_chunk(
    shared: psycopg.Connection, frame: str, at: str, reason: str | None
) -> None:
    before = chunks_made(shared)
    shared.execute("SET LOCAL ROLE rubi_app")
    shared.execute("SELECT stage_bars()")
    shared.execute(
        "INSERT INTO staged_bars (moment, open, high, low, close) VALUES (%s, 1, 1, 1, 1)", [at]
    )
    shared.execute("SELECT merge_staged_bars('X', %s)", [frame])
    found = shared.execute("SELECT reason FROM staged_rejects").fetchall()
    assert found == ([(reason,)] if reason else [])
    assert len(bars.stored(shared)) == (reason is None)
    shared.execute("RESET ROLE")
    assert chunks_made(shared) == before


def test_chunk_of_the_past_comes_back_after_a_truncate(db: psycopg.Connection) -> None:
    """TRUNCATE drops it with all others; daily bars of 1700 would make 3,000 chunks."""
    count = (
        "SELECT count(*) FROM timescaledb_information.chunks"
        " WHERE hypertable_name = 'market_data' AND range_end <= '1970-01-01 00:00+00'"
    )
    db.execute("TRUNCATE market_data")
    assert db.execute(count).fetchone() == (0,)
    db.execute("CALL monitoring.make_chunks_ahead()")
    assert db.execute(count).fetchone() == (1,)


def test_chunks_are_not_cut_by_a_transaction_that_would_miss_rows(db: psycopg.Connection) -> None:
    """Rows that others commit while it waits for its lock would go with their chunk."""
    db.execute("SET default_transaction_isolation = 'repeatable read'")
    with pytest.raises(psycopg.errors.ActiveSqlTransaction):
        db.execute("CALL monitoring.make_snapshot_chunks('2020-01-01', '2020-06-01')")
    db.execute("SET default_transaction_isolation = 'read committed'")
    db.execute("CALL monitoring.make_snapshot_chunks('2020-01-01', '2020-06-01')")


FAR = ["-infinity", "0001-01-01 00:00+00", "3000-01-01 00:00+00", "infinity"]


def refusals(catalog: psycopg.Connection, table: str, column: str, at: str) -> list[str]:
    """Names of the rules of a table that refuse a row of a moment, whatever else is in it."""
    rules = catalog.execute(
        "SELECT conname, pg_get_expr(conbin, conrelid) FROM pg_constraint"
        " WHERE conrelid = %s::regclass AND contype = 'c'",
        [table],
    ).fetchall()
    return [
        name
        for name, rule in rules
        if catalog.execute(
            f"SELECT ({rule}) IS FALSE FROM (SELECT r.* FROM (SELECT %s::timestamptz AS at) AS v"
            f" CROSS JOIN LATERAL jsonb_populate_record(NULL::{table},"
            f" jsonb_build_object(%s::text, v.at)) AS r) AS t",
            [at, column],
        ).fetchone()[0]
    ]


def test_every_hypertable_has_a_window_and_names_what_lies_outside(
    catalog: psycopg.Connection,
) -> None:
    """A row outside would make a chunk of its own; a hypertable that comes later is asked, too."""
    found = catalog.execute(
        "SELECT format('%I.%I', hypertable_schema, hypertable_name), column_name"
        " FROM timescaledb_information.dimensions WHERE hypertable_schema = 'public'"
    ).fetchall()
    assert len(found) >= 5
    for table, column in found:
        rule = f"{table.removeprefix('public.')}_{column}_range_check"
        for at in FAR:
            assert rule in refusals(catalog, table, column, at), (table, at)
        assert rule not in refusals(catalog, table, column, str(datetime.now(UTC)))
