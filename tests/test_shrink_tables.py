"""Tables that grew under an open snapshot: CALL shrink_tables()."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

import rows

ROWS, ROUNDS = 500, 150
PAGES = "SELECT pg_relation_size('trading_positions') / 8192"
CONTENT = "SELECT count(*), md5(string_agg(p::text, '|' ORDER BY p.id)) FROM trading_positions AS p"
# 8 MB are a minute of updates in a test: what the snapshot of a few seconds leaves is enough
SHRINK = "CALL shrink_tables(p_least_bytes => 1000000)"


@pytest.fixture
def held(
    db: psycopg.Connection, connect_as: Callable[..., psycopg.Connection]
) -> psycopg.Connection:
    """A snapshot from before all updates of the positions, whose rows are still there as dead."""
    rows.position(db, rows.session(db, rows.user(db)))
    db.execute(
        "INSERT INTO trading_positions (session_id, account_id, ticket, symbol, type, volume,"
        " open_price, current_price, open_time)"
        " SELECT session_id, account_id, 'n' || n, symbol, type, volume, open_price,"
        " current_price, open_time FROM trading_positions, generate_series(2, %s) AS n",
        [ROWS],
    )
    db.execute("VACUUM ANALYZE trading_positions")
    snapshot = connect_as()
    snapshot.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    snapshot.execute("SELECT count(*) FROM trading_positions")
    for number in range(ROUNDS):
        db.execute("UPDATE trading_positions SET profit = %s", [number])
    return snapshot


def end(snapshot: psycopg.Connection, db: psycopg.Connection) -> None:
    """The snapshot goes, and autovacuum comes."""
    snapshot.execute("ROLLBACK")
    clean(db)


def clean(db: psycopg.Connection) -> None:
    """What autovacuum does, once the session's own count of dead rows is known to all."""
    db.execute("SELECT pg_stat_force_next_flush()")
    db.execute("VACUUM ANALYZE trading_positions")


def size(db: psycopg.Connection) -> int:
    """Pages of the positions."""
    return db.execute(PAGES).fetchone()[0]


def test_table_is_small_again_with_the_same_rows(
    db: psycopg.Connection, held: psycopg.Connection
) -> None:
    end(held, db)
    before, content = size(db), db.execute(CONTENT).fetchone()
    db.execute(SHRINK)
    assert size(db) * 20 < before
    assert db.execute(CONTENT).fetchone() == content
    assert not db.execute("SELECT FROM pg_index WHERE indisclustered").rowcount


def test_table_with_dead_rows_that_a_snapshot_sees_waits(
    db: psycopg.Connection, held: psycopg.Connection
) -> None:
    clean(db)
    before = size(db)
    db.execute(SHRINK)
    assert size(db) == before
    end(held, db)
    db.execute(SHRINK)
    assert size(db) < before


def test_table_in_use_is_left_to_the_next_call(
    db: psycopg.Connection, held: psycopg.Connection, connect_as: Callable[..., psycopg.Connection]
) -> None:
    end(held, db)
    before, reader = size(db), connect_as(autocommit=False)
    reader.execute("SELECT count(*) FROM trading_positions")
    db.execute(SHRINK)
    assert size(db) == before
    reader.rollback()
    db.execute(SHRINK)
    assert size(db) < before


@pytest.mark.parametrize(
    "limits",
    [
        pytest.param("p_least_bytes => 1000000000", id="pages are few"),
        pytest.param("p_least_bytes => 1000000, p_most_needed => 8192", id="rows are many"),
    ],
)
def test_table_beyond_the_limits_is_left(
    db: psycopg.Connection, held: psycopg.Connection, limits: str
) -> None:
    end(held, db)
    before = size(db)
    db.execute(f"CALL shrink_tables({limits})")
    assert size(db) == before


def test_table_that_needs_its_pages_is_left(db: psycopg.Connection, user: int) -> None:
    db.execute(
        "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time)"
        " SELECT %s, 'EURUSD', 'BUY', 1, now() FROM generate_series(1, 20000)",
        [user],
    )
    db.execute("VACUUM ANALYZE trading_signals")
    (before,) = db.execute("SELECT pg_relation_filenode('trading_signals')").fetchone()
    db.execute(SHRINK)
    assert db.execute("SELECT pg_relation_filenode('trading_signals')").fetchone() == (before,)
    assert db.execute("SELECT pg_relation_size('trading_signals')").fetchone()[0] > 1000000
