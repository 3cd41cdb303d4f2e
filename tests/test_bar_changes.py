"""Every change of bars is logged, by statement or, on an older server, by row."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

import archive_bars
import bars
import rows
from rubi import ROOT

TRIGGERS = (ROOT / "triggers/4200_market_data.sql").read_text()
BY_STATEMENT = pytest.param(
    "by statement",
    marks=pytest.mark.needs(timescaledb="2.18", why="hypertables hand no rows to triggers before"),
)


def log_by_row(db: psycopg.Connection) -> None:
    """Have the server be one of before 2.18."""
    assert "IF v_version < 2018 OR" in TRIGGERS
    db.execute(TRIGGERS.replace("IF v_version < 2018 OR", "IF TRUE OR"))
    db.execute("RESET ROLE")


@pytest.fixture(params=[BY_STATEMENT, "by row"])
def logged(db: psycopg.Connection, request: pytest.FixtureRequest) -> psycopg.Connection:
    """The database with either kind of trigger."""
    if request.param == "by row":
        log_by_row(db)
    return db


def coverage(connection: psycopg.Connection) -> list[tuple]:
    return connection.execute(
        "SELECT symbol, bars, first_timestamp AT TIME ZONE 'UTC', last_timestamp AT TIME ZONE 'UTC'"
        " FROM market_data_coverage ORDER BY symbol"
    ).fetchall()


@pytest.mark.parametrize("fold", [False, True], ids=["in the log", "folded"])
def test_coverage_counts_whatever_is_written(logged: psycopg.Connection, fold: bool) -> None:
    db = logged

    def now() -> tuple:
        if fold:
            db.execute("SELECT fold_bar_changes()")
        [(_, number, first, last)] = coverage(db)
        return number, first and first.day, last and last.day

    bars.make(db, "2024-01-01", "2024-01-04", "1 day")
    assert now() == (3, 1, 3)
    rows.bar(db, timeframe="M1", timestamp="2024-01-09 00:00+00")
    assert now() == (4, 1, 9)
    db.execute("DELETE FROM market_data WHERE timestamp < '2024-01-03'")
    assert now() == (2, 3, 9)
    db.execute("UPDATE market_data SET close = open")
    db.execute(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
        " SELECT symbol, timeframe, timestamp, 1, 1, 1, 1 FROM market_data"
        " ON CONFLICT (symbol, timeframe, timestamp) DO UPDATE SET volume = 0"
    )
    assert now() == (2, 3, 9)
    assert db.execute("SELECT count_bars('EURUSD', 'M1')").fetchone() == (2,)
    assert now() == (2, 3, 9)
    db.execute("TRUNCATE market_data")
    if not fold:
        assert db.execute("SELECT count(*) FROM internal.bar_changes").fetchone() == (0,)
    assert all(row[1:] == (0, None, None) for row in coverage(db))


def test_chunks_made_ahead_are_no_series(logged: psycopg.Connection) -> None:
    db = logged
    db.execute("CALL monitoring.make_chunks_ahead()")
    assert coverage(db) == []
    db.execute("SELECT fold_bar_changes()")
    assert coverage(db) == []


def test_uncommitted_bars_are_counted_once_they_are_committed(
    logged: psycopg.Connection, connect_as: Callable[..., psycopg.Connection]
) -> None:
    db = logged
    rows.bar(db, timestamp="2026-01-05 09:00+00")  # the chunk is there for both
    other = connect_as("rubi_app", autocommit=False)
    rows.bar(other)
    rows.bar(db, timestamp="2026-01-05 11:00+00")
    db.execute("SELECT fold_bar_changes()")
    assert coverage(db)[0][1] == 2
    other.commit()
    db.execute("SELECT fold_bar_changes()")
    assert coverage(db)[0][1] == 3


def test_loading_functions_log_once_and_not_by_row(logged: psycopg.Connection) -> None:
    rates = [
        {"time": 1704189600 + 3600 * hour, "open": 1, "high": 1, "low": 1, "close": 1}
        for hour in range(3)
    ]
    logged.execute("SELECT FROM ingest_bars('EURUSD', 'H1', %s)", [json.dumps(rates)])
    logged.execute("SELECT stage_bars()")
    logged.execute(
        "INSERT INTO pg_temp.staged_bars (day, time_of_day, open, high, low, close)"
        " VALUES ('2024-01-03', '11:00', 1, 1, 1, 1), ('2024-01-03', '12:00', 1, 1, 1, 1)"
    )
    logged.execute("SELECT merge_staged_bars('EURUSD', 'H1')")
    with logged.transaction():  # what is written after them in one transaction is logged again
        logged.execute("SELECT FROM ingest_bars('EURUSD', 'H1', %s)", [json.dumps(rates[:1])])
        rows.bar(logged, timestamp="2024-01-04 11:00+00")
    assert coverage(logged)[0][1] == 6
    found = logged.execute("SELECT bars FROM internal.bar_changes ORDER BY bars").fetchall()
    assert found == [(1,), (2,), (3,)]


def test_restored_archive_is_counted_and_marks_what_is_made_of_it(
    logged: psycopg.Connection, tmp_path: Path
) -> None:
    def run(*arguments: object) -> None:
        done = bars.script(logged, archive_bars, *arguments, user="rubi_admin")
        assert (done.returncode, done.stderr) == (0, "")

    made = bars.make(logged, "2024-01-15", "2024-03-20", "4 hours", "EURUSD", "H4")
    logged.execute("INSERT INTO market_retention VALUES ('EURUSD', 'H4', '1 year')")
    run("write", tmp_path)
    run("drop", tmp_path)
    assert coverage(logged)[0][1] == 0
    logged.execute("INSERT INTO market_rollups VALUES ('EURUSD', 'D1', 'H4', '{}')")
    run("restore", tmp_path, "--symbol", "EURUSD", "--timeframe", "H4")
    assert coverage(logged)[0][1] == made
    logged.execute("SELECT fold_bar_changes()")
    assert coverage(logged)[0][1] == made
    assert logged.execute(
        "SELECT bool_and(r.pending @> m.timestamp) FROM market_data AS m, market_rollups AS r"
    ).fetchone() == (True,)


def test_bars_logged_by_row_are_marked_by_day(db: psycopg.Connection) -> None:
    """A range for each bar would make what is pending as long as the series."""
    log_by_row(db)
    db.execute("INSERT INTO market_rollups VALUES ('EURUSD', 'H1', 'M1', '{}')")
    bars.make(db, "2024-01-01 00:00+00", "2024-01-04 00:00+00", "10 minutes")
    db.execute("SELECT fold_bar_changes()")
    ranges = db.execute("SELECT unnest(pending) FROM market_rollups").fetchall()
    assert len(ranges) == 3


def test_a_lost_column_does_not_end_the_server(db: psycopg.Connection) -> None:
    # TimescaleDB 2.19 did: COPY, a new chunk, and a trigger that is handed the rows
    db.execute("ALTER TABLE market_data DROP COLUMN id")
    db.execute((ROOT / "triggers/4200_market_data.sql").read_text())
    copy = "COPY market_data (symbol, timeframe, timestamp, open, high, low, close, real_volume)"
    with db.cursor().copy(f"{copy} FROM STDIN") as lines:
        for minute in range(1400):
            at = datetime(2024, 6, 2, tzinfo=UTC) + timedelta(minutes=minute)
            lines.write_row(("EURUSD", "M1", at, 1, 2, 1, 1, 0))
    assert coverage(db)[0][1] == 1400
