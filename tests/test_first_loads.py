"""A first history loads as fast at its end as at its beginning, whatever other accounts hold."""

from __future__ import annotations

import psycopg
import pytest

import mt5
import rows

BATCH = 250


def tuples_read(db: psycopg.Connection) -> int:
    """Rows and index entries that all scans of our tables have read."""
    db.execute("SELECT pg_stat_force_next_flush()")
    return db.execute(
        "SELECT ((SELECT sum(seq_tup_read) FROM pg_stat_user_tables)"
        " + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes))::bigint"
    ).fetchone()[0]


def batch(what: str, number: int) -> list[dict]:
    """Positions opened and closed, or their orders."""
    made = []
    for n in range(number * BATCH, (number + 1) * BATCH):
        position = 1_000_000 + n // 2
        if what == "orders":
            made.append(mt5.order(ticket=position + n % 2 * 500_000, position_id=position))
        else:
            fields = {"entry": n % 2, "type": n % 2, "order": position + n % 2 * 500_000}
            made.append(mt5.deal(ticket=n + 1, position_id=position, **fields))
    return made


@pytest.mark.parametrize("source", ["api", "report"])
@pytest.mark.parametrize("what", ["orders", "deals"])
def test_late_batch_of_a_first_load_reads_as_little_as_an_early_one(
    db: psycopg.Connection, what: str, source: str
) -> None:
    """The statistics know another account only, whose rows were there when they were taken."""
    user = rows.user(db)
    other = mt5.open_account(db, user, login=9999)
    for number in range(8):
        for kind in ("orders", "deals"):
            mt5.ingest(db, kind, other, batch(kind, number))
    db.execute("ANALYZE")
    account = mt5.open_account(db, user)
    read = []
    for number in range(8):
        before = tuples_read(db)
        assert mt5.ingest(db, what, account, batch(what, number), source)[0] == BATCH
        read.append(tuples_read(db) - before)
    # without the cure 5 and 7 times
    assert max(read[2:]) <= 2.5 * read[1], read


@pytest.mark.parametrize("known", ["nothing", "another user", "this user"])
def test_batch_of_a_first_history_reads_as_little_as_the_first(
    db: psycopg.Connection, known: str
) -> None:
    """Orders, then their deals, by a session whose plans are of the first batch. The statistics
    know nothing, or rows of another account."""
    user = rows.user(db)
    if known != "nothing":
        other = mt5.open_account(db, user, login=9999)
        for number in range(4):
            for kind in ("orders", "deals"):
                mt5.ingest(db, kind, other, batch(kind, number))
        db.execute("ANALYZE")
    if known == "another user":
        user = rows.user(db, email="new@example.com", username="new")
    account = mt5.open_account(db, user)
    for number in range(10):
        mt5.ingest(db, "orders", account, batch("orders", number))
    read = []
    for number in range(10):
        before = tuples_read(db)
        assert mt5.ingest(db, "deals", account, batch("deals", number))[0] == BATCH
        read.append(tuples_read(db) - before)
    assert max(read[2:]) <= 1.5 * read[1], read


@pytest.mark.parametrize("count", [1, 20])
def test_small_batch_after_a_long_history_reads_little(db: psycopg.Connection, count: int) -> None:
    """The terminal's latest deals, by the session that loaded the history."""
    account = mt5.open_account(db, rows.user(db))
    for number in range(8):
        for kind in ("orders", "deals"):
            mt5.ingest(db, kind, account, batch(kind, number))
    late = batch("deals", 8)
    before = tuples_read(db)
    for first in range(0, 4 * count, count):
        mt5.ingest(db, "deals", account, late[first : first + count])
    # rows and index entries of a deal, and of a call
    assert tuples_read(db) - before <= 4 * (50 * count + 200)
