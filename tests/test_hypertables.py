"""account_snapshots and market_data are real hypertables."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors

import rows


def chunks(connection: psycopg.Connection, table: str) -> int:
    """Chunks of a week or a month: without the fences at both ends of time."""
    return connection.execute(
        "SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = %s"
        " AND range_start > '1970-01-01' AND range_end < 'infinity'",
        [table],
    ).fetchone()[0]


def months(connection: psycopg.Connection, count: int = 4) -> None:
    """Bars in as many chunks."""
    for month in range(1, count + 1):
        rows.bar(connection, timestamp=f"2026-{month:02}-15 00:00+00")


def test_chunks_appear_with_data(app: psycopg.Connection) -> None:
    assert chunks(app, "market_data") == 0
    months(app)
    assert chunks(app, "market_data") == 4


def test_range_read_touches_only_its_chunk(app: psycopg.Connection) -> None:
    months(app)
    plan = app.execute(
        "EXPLAIN (FORMAT TEXT) SELECT close FROM market_data WHERE symbol = 'EURUSD'"
        " AND timeframe = 'H1' AND timestamp >= '2026-03-15' AND timestamp < '2026-03-16'"
    ).fetchall()
    touched = [line for (line,) in plan if "_hyper_" in line and "on _hyper_" in line]
    assert len(touched) == 1


def test_series_is_read_by_its_key(app: psycopg.Connection) -> None:
    months(app)
    app.execute("SET enable_seqscan = off")
    plan = app.execute(
        "EXPLAIN SELECT close FROM market_data WHERE symbol = 'EURUSD' AND timeframe = 'H1'"
        " AND timestamp >= '2026-03-15' AND timestamp < '2026-03-16' ORDER BY timestamp"
    ).fetchall()
    text = "\n".join(line for (line,) in plan)
    assert "market_data_pkey" in text
    assert "Sort" not in text


@pytest.mark.parametrize("month", [1, 4])
def test_bar_is_unique_in_each_chunk(app: psycopg.Connection, month: int) -> None:
    months(app)
    at = f"2026-{month:02}-15 00:00+00"
    with pytest.raises(errors.UniqueViolation) as caught:
        rows.bar(app, timestamp=at)
    assert caught.value.diag.constraint_name.endswith("market_data_pkey")
    assert rows.bar(app, timestamp=at, timeframe="M1")


def test_snapshot_is_unique_for_its_session_and_time(app: psycopg.Connection) -> None:
    user = rows.user(app)
    one, other = rows.session(app, user), rows.session(app, user)
    rows.snapshot(app, one)
    rows.snapshot(app, other)
    with pytest.raises(errors.UniqueViolation):
        rows.snapshot(app, one)


def test_snapshot_of_an_unknown_session_is_refused(app: psycopg.Connection) -> None:
    with pytest.raises(errors.ForeignKeyViolation):
        rows.snapshot(app, "00000000-0000-4000-8000-000000000000")


def test_old_chunks_can_be_dropped(
    app: psycopg.Connection, connect_as: Callable[..., psycopg.Connection]
) -> None:
    months(app)
    owner = connect_as("rubi_admin")
    owner.execute("SET ROLE rubi_owner")
    owner.execute("SELECT drop_chunks('market_data', older_than => timestamptz '2026-03-15')")
    found = app.execute("SELECT min(timestamp)::date::text, count(*) FROM market_data").fetchone()
    assert found == ("2026-03-15", 2)


def test_chunks_are_made_ahead(
    app: psycopg.Connection, connect_as: Callable[..., psycopg.Connection]
) -> None:
    owner = connect_as("rubi_admin")
    tables = ("market_data", "market_ticks", "account_snapshots", "mt5_events")
    for ahead in (2, 2, 4):
        owner.execute("CALL monitoring.make_chunks_ahead(%s)", [ahead])
        assert [chunks(app, table) for table in tables] == [ahead + 1] * 4
    for table in tables:
        assert app.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0


def test_edition_is_told_as_the_server_behaves(db: psycopg.Connection) -> None:
    """Jobs belong to the Timescale licence: the other edition refuses them."""
    told = db.execute("SELECT monitoring.timescaledb_edition()").fetchone()[0]
    try:
        with db.transaction(force_rollback=True):
            db.execute("SELECT add_job('monitoring.make_chunks_ahead'::regproc, '1 day')")
        found = "timescale"
    except psycopg.errors.FeatureNotSupported:
        found = "apache"
    assert told == found


@pytest.mark.parametrize("table", ["trading_positions", "mt5_sessions"])
def test_frequent_updates_are_hot(
    app: psycopg.Connection, db: psycopg.Connection, table: str
) -> None:
    session = rows.session(app, rows.user(app))
    rows.position(app, session)
    updates = {
        "trading_positions": "UPDATE trading_positions SET current_price = current_price + 0.0001,"
        " profit = profit + 1",
        "mt5_sessions": "UPDATE mt5_sessions SET last_ping = now(), equity = equity + 1",
    }
    for _ in range(50):
        app.execute(updates[table])
    app.execute("SELECT pg_stat_force_next_flush()")
    app.execute("SELECT 1")
    total, hot = db.execute(
        "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = %s", [table]
    ).fetchone()
    assert total == 50
    assert hot == 50
