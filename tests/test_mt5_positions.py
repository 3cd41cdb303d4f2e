"""Pictures of positions: what appears, closes, changes its ticket, or can't be read."""

from __future__ import annotations

import psycopg

import mt5
import rows
from mt5 import SELL, opened, position


def test_what_is_missing_from_the_picture_has_closed(db: psycopg.Connection, account: int) -> None:
    a, b = position(ticket=1), position(ticket=2, type=SELL)
    assert mt5.ingest(db, "positions", account, [a, b]) == (2, 0, 0, 0)
    assert mt5.ingest(db, "positions", account, [b | {"price_current": 1.2}]) == (0, 1, 0, 0)
    assert opened(db) == [(2, "2")]
    assert mt5.ingest(db, "positions", account, []) == (0, 0, 0, 0)
    assert opened(db) == []


def test_an_older_picture_changes_nothing(db: psycopg.Connection, account: int) -> None:
    newer, older = "2026-01-05 12:00:01", "2026-01-05 12:00:00"
    mt5.ingest(db, "positions", account, [position(ticket=1)], newer)
    assert mt5.ingest(db, "positions", account, [position(ticket=2)], older) == (0, 0, 1, 0)
    assert mt5.ingest(db, "positions", account, [], older) == (0, 0, 0, 0)
    assert opened(db) == [(1, "1")]
    # the same picture again is no older one
    assert mt5.ingest(db, "positions", account, [position(ticket=1)], newer) == (0, 0, 1, 0)


def test_a_position_keeps_its_row_when_its_ticket_changes(
    db: psycopg.Connection, account: int
) -> None:
    mt5.ingest(db, "positions", account, [position(ticket=1, identifier=900)])
    before = db.execute("SELECT id FROM trading_positions").fetchall()
    # swap was charged by re-opening: another ticket, the same identifier
    mt5.ingest(db, "positions", account, [position(ticket=2, identifier=900)])
    assert db.execute("SELECT id FROM trading_positions").fetchall() == before
    assert opened(db) == [(900, "2")]
    # and a ticket may pass from one position to another
    both = [position(ticket=3, identifier=900), position(ticket=2, identifier=901)]
    mt5.ingest(db, "positions", account, both)
    assert opened(db) == [(900, "3"), (901, "2")]


def test_a_position_that_the_api_wrote_is_taken_over(db: psycopg.Connection, account: int) -> None:
    session = db.execute("SELECT session_id FROM mt5_sessions").fetchone()[0]
    written = rows.position(db, session, ticket="1")
    assert mt5.ingest(db, "positions", account, [position(ticket=1)]) == (0, 1, 0, 0)
    assert db.execute("SELECT id FROM trading_positions").fetchall() == [(written,)]
    rows.position(db, session, ticket="77")
    mt5.ingest(db, "positions", account, [position(ticket=1)])
    assert opened(db) == [(1, "1")]


def test_positions_move_to_the_session_that_is_alive(
    db: psycopg.Connection, user: int, account: int
) -> None:
    mt5.ingest(db, "positions", account, [position(ticket=1)])
    db.execute("UPDATE mt5_sessions SET is_active = FALSE")
    mt5.ingest(db, "positions", account, [position(ticket=1)])
    assert db.execute("SELECT count(*) FROM open_positions_with_session").fetchone() == (1,)


def test_an_unreadable_position_is_not_taken_for_closed(
    db: psycopg.Connection, account: int
) -> None:
    mt5.ingest(db, "positions", account, [position(ticket=1), position(ticket=2)])
    broken = position(ticket=1) | {"volume": "1.0"}
    assert mt5.ingest(db, "positions", account, [broken]) == (0, 0, 0, 1)
    assert opened(db) == [(1, "1")]  # 2 has closed
    # without an identifier any of them may be meant: nothing closes
    assert mt5.ingest(db, "positions", account, [{"ticket": 1}]) == (0, 0, 0, 1)
    assert opened(db) == [(1, "1")]
