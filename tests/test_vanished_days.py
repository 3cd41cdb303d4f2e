"""History that vanishes without one of our procedures is seen, what they drop is not."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors

import rows
import servers
from rubi.deploying import open_rights

Connect = Callable[..., psycopg.Connection]
VANISHED = "SELECT relation, day::text FROM monitoring.vanished_days ORDER BY 1, 2"
BARS = (
    "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
    " SELECT %s, 'H1', t, 1, 1, 1, 1"
    " FROM generate_series(%s::timestamptz, %s::timestamptz, interval '6 hours') AS t"
)


@pytest.fixture
def monitor(connect_as: Connect) -> psycopg.Connection:
    """The role that takes readings, and may write nothing else."""
    connection = connect_as("rubi_monitor")
    connection.execute("SET default_transaction_read_only = off")
    return connection


def take(db: psycopg.Connection, monitor: psycopg.Connection) -> None:
    """A reading that knows of all that was written in these sessions."""
    db.execute("SELECT pg_stat_force_next_flush()")
    db.execute("SELECT 1")
    monitor.execute("SELECT monitoring.take_readings()")


def vanished(monitor: psycopg.Connection) -> list[tuple[str, str]]:
    return monitor.execute(VANISHED).fetchall()


def test_chunk_that_any_role_dropped_is_critical_without_another_reading(
    db: psycopg.Connection, monitor: psycopg.Connection, connect_as: Connect
) -> None:
    """The hole of TimescaleDB before 2.29.1, where nobody could close it."""
    rows.snapshot(db, rows.session(db, rows.user(db)), timestamp="2026-01-05 10:00+00")
    take(db, monitor)
    assert vanished(monitor) == []
    function = servers.drop_chunk(db)
    db.execute(f"GRANT EXECUTE ON FUNCTION {function} TO public")
    role = "rubi_readonly"
    if db.execute("SELECT count(*) FROM monitoring.open_rights WHERE hole <> ''").fetchone()[0]:
        drop = f"SELECT {function}(c) FROM show_chunks('account_snapshots') AS c"
        connect_as(role).execute(drop)
    else:
        db.execute("SELECT drop_chunks('account_snapshots', 'infinity'::timestamptz)")
    assert vanished(monitor) == [("public.account_snapshots", "2026-01-05")]
    status, detail = monitor.execute(
        "SELECT status, detail FROM monitoring.health WHERE name = 'vanished_days'"
    ).fetchone()
    assert (status, detail) == (
        "critical", "public.account_snapshots from 2026-01-05 to 2026-01-05"
    )  # fmt: skip
    take(db, monitor)
    assert vanished(monitor) == [("public.account_snapshots", "2026-01-05")]


def test_day_that_was_deleted_is_seen_by_the_next_reading_and_a_part_of_it_is_none(
    db: psycopg.Connection, monitor: psycopg.Connection, app: psycopg.Connection
) -> None:
    app.execute(BARS, ["A", "2026-01-05", "2026-01-07 18:00"])
    take(app, monitor)
    app.execute("DELETE FROM market_data WHERE timestamp = '2026-01-05'")
    app.execute(
        "DELETE FROM market_data WHERE timestamp >= '2026-01-06' AND timestamp < '2026-01-07'"
    )
    take(app, monitor)
    assert vanished(monitor) == [("public.market_data", "2026-01-06")]
    app.execute(BARS, ["A", "2026-01-06", "2026-01-06"])
    take(app, monitor)
    assert vanished(monitor) == []


def test_bars_past_their_time_are_no_loss(
    db: psycopg.Connection, monitor: psycopg.Connection, app: psycopg.Connection,
    connect_as: Connect,
) -> None:  # fmt: skip
    """A chunk is dropped as a whole, another loses the rows of one series."""
    app.execute(
        "INSERT INTO market_retention (symbol, timeframe, keep_for, archive)"
        " VALUES ('A', 'H1', '90 days', FALSE)"
    )
    app.execute(BARS, ["A", "2025-01-01", "2025-04-30"])
    app.execute(BARS, ["B", "2025-04-01", "2025-04-10"])
    take(app, monitor)
    before = db.execute("SELECT count(*) FROM monitoring.day_readings").fetchone()[0]
    owner = connect_as("rubi_admin")
    owner.execute("SET client_min_messages = error")
    owner.execute("CALL deploy.become_owner()")
    owner.execute("CALL public.drop_expired_bars()")
    left = db.execute(
        "SELECT count(DISTINCT timestamp::date), min(symbol) FROM market_data"
    ).fetchone()
    assert left == (10, "B")
    assert vanished(monitor) == []
    take(owner, monitor)
    assert vanished(monitor) == []
    after = db.execute("SELECT count(*) FROM monitoring.day_readings").fetchone()[0]
    assert (before, after) == (120, 10)  # what was dropped is forgotten
    db.execute("UPDATE monitoring.dropped_ranges SET dropped_at = dropped_at - interval '1 hour'")
    db.execute("DELETE FROM market_data")
    take(db, monitor)
    assert len(vanished(monitor)) == 10


def test_readings_leave_out_chunks_that_nobody_wrote_to(
    db: psycopg.Connection, app: psycopg.Connection
) -> None:
    app.execute(BARS, ["A", "2026-01-05", "2026-06-05"])
    app.execute("SELECT pg_stat_force_next_flush()")
    app.execute("SELECT 1")
    read = "SELECT monitoring.read_history()"
    chunks = db.execute(
        "SELECT count(*) FROM timescaledb_information.chunks"
        " WHERE hypertable_name <> 'resampled_bars'"
    ).fetchone()[0]
    assert chunks > 2
    assert [db.execute(read).fetchone()[0] for _ in range(2)] == [chunks, 0]
    app.execute(BARS, ["A", "2026-06-05 01:00", "2026-06-05 01:00"])
    app.execute("SELECT pg_stat_force_next_flush()")
    app.execute("SELECT 1")
    assert db.execute(read).fetchone()[0] == 1
    assert db.execute("SELECT monitoring.read_history('0 seconds')").fetchone()[0] == 0


@pytest.mark.parametrize("role", ["rubi_app", "rubi_monitor", "rubi_readonly", "rubi_backup"])
@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM monitoring.day_readings",
        "INSERT INTO monitoring.dropped_ranges (relation, range_start, range_end, reason)"
        " VALUES ('public.market_data', '-infinity', 'infinity', 'nothing to see')",
        "SELECT monitoring.read_history()",
    ],
)
def test_nobody_but_the_owner_explains_a_loss(
    connect_as: Connect, role: str, statement: str
) -> None:
    connection = connect_as(role)
    connection.execute("SET default_transaction_read_only = off")
    with pytest.raises(errors.InsufficientPrivilege):
        connection.execute(statement)


def test_open_rights_are_those_that_the_superuser_takes(db: psycopg.Connection) -> None:
    """Two rules in two files: one may only read the other's catalog."""
    assert db.execute("SELECT * FROM monitoring.open_rights").fetchall() == []
    functions = db.execute(
        "SELECT format('%s %s', CASE p.prokind WHEN 'p' THEN 'PROCEDURE' ELSE 'FUNCTION' END,"
        " p.oid::regprocedure) FROM pg_proc AS p"
        " WHERE p.prokind IN ('f', 'p') AND p.prorettype <> 'trigger'::regtype AND NOT EXISTS ("
        "  SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a"
        "  WHERE a.grantee = 0)"
        " AND (p.pronamespace = 'pg_catalog'::regnamespace OR EXISTS (SELECT FROM pg_depend AS d"
        "  WHERE d.objid = p.oid AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'))"
    ).fetchall()
    for (function,) in functions:
        db.execute(f"GRANT EXECUTE ON {function} TO public")
    db.execute("GRANT SELECT ON pg_stat_statements, pg_stat_statements_info TO public")
    found = {name for (name,) in db.execute("SELECT object FROM monitoring.open_rights")}
    said: list[str] = []
    db.add_notice_handler(lambda note: said.append(note.message_primary))
    open_rights.close(db)
    assert db.execute("SELECT * FROM monitoring.open_rights").fetchall() == []
    assert said == [f"{len(found)} objects taken from PUBLIC"]


def test_what_is_open_is_said(db: psycopg.Connection, monitor: psycopg.Connection) -> None:
    db.execute("GRANT EXECUTE ON FUNCTION lo_create TO public")
    db.execute("SELECT lo_create(0)")
    spots = dict(monitor.execute("SELECT subject, reason FROM monitoring.blind_spots").fetchall())
    assert spots == {
        "rights of PUBLIC": "every role may use 1 objects that no role needs, lo_create(oid)",
        "large objects": "1, which no dump holds",
    }
