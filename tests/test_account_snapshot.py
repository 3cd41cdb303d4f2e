"""find_account_snapshot(): one descent of an index, for any number of snapshots."""

from __future__ import annotations

import psycopg
import pytest

import rows

ROWS_READ = """
SELECT coalesce(sum(s.seq_tup_read + s.idx_tup_fetch), 0)::integer
FROM pg_stat_xact_all_tables AS s
INNER JOIN pg_inherits AS i ON s.relid = i.inhrelid
WHERE i.inhparent = 'account_snapshots'::regclass
"""


@pytest.fixture
def accounts(db: psycopg.Connection) -> list[int]:
    """Three accounts: two whose sessions have 5,000 snapshots, one a minute, with none of an hour
    among them, and one that has none."""
    user = rows.user(db)
    sessions = [rows.session(db, user, account_number=str(7000 + n)) for n in range(3)]
    with db.transaction():
        db.execute(
            "INSERT INTO account_snapshots (session_id, timestamp, balance, equity)"
            " SELECT s, '2026-01-05'::timestamptz + n * interval '1 minute', n, n"
            " FROM unnest(%s::uuid[]) AS s CROSS JOIN generate_series(0, 4999) AS n"
            " WHERE n NOT BETWEEN 2000 AND 2059",
            [sessions[:2]],
        )
    db.execute("ANALYZE account_snapshots")
    return db.execute(
        "SELECT array_agg(account_id ORDER BY account_number) FROM mt5_sessions"
    ).fetchone()[0]


@pytest.mark.parametrize(
    ("number", "minute", "first_after", "found"),
    [(0, 4500, False, 4499), (1, 2030, False, 1999), (0, 9000, False, 4999), (0, 0, True, 0),
     (1, 0, False, None), (0, -9000, True, 0), (2, 4500, True, None)],
)  # fmt: skip
def test_snapshot_at_a_moment_is_found_without_reading_the_others(
    db: psycopg.Connection,
    accounts: list[int],
    number: int,
    minute: int,
    first_after: bool,
    found: int | None,
) -> None:
    with db.transaction():
        for _ in range(7):  # a plan for any moment too
            ((before,),) = db.execute(ROWS_READ).fetchall()
            balance = db.execute(
                "SELECT f.balance FROM find_account_snapshot(%s,"
                " '2026-01-05'::timestamptz + %s * interval '1 minute', %s) AS f",
                [accounts[number], minute, first_after],
            ).fetchone()[0]
            ((after,),) = db.execute(ROWS_READ).fetchall()
            assert balance == found
            assert after - before <= 20


@pytest.mark.parametrize(("age", "spares"), [("1 hour", True), ("30 days", False)])
def test_moment_of_these_days_leaves_old_chunks_alone(
    db: psycopg.Connection, age: str, spares: bool
) -> None:
    """A plan for any moment opens and locks every chunk there is."""
    db.execute("CALL monitoring.make_snapshot_chunks(now() - interval '70 days', now())")
    session = rows.session(db, rows.user(db))
    db.execute(
        "INSERT INTO account_snapshots (session_id, timestamp, balance, equity)"
        " SELECT %s, now() - n * interval '12 hours', 1, 1 FROM generate_series(1, 130) AS n",
        [session],
    )
    ((account,),) = db.execute("SELECT account_id FROM mt5_sessions").fetchall()
    query = "SELECT balance FROM find_account_snapshot(%s, now() - %s::interval)"
    for _ in range(7):
        db.execute(query, [account, age])
    with db.transaction():
        assert db.execute(query, [account, age]).fetchone() == (1,)
        (old,) = db.execute(
            "SELECT count(*) FROM pg_locks AS l INNER JOIN timescaledb_information.chunks AS c"
            " ON l.relation = format('%I.%I', c.chunk_schema, c.chunk_name)::regclass"
            " WHERE l.pid = pg_backend_pid() AND c.hypertable_name = 'account_snapshots'"
            " AND c.range_end BETWEEN now() - interval '60 days' AND now() - interval '14 days'"
        ).fetchone()
    assert (old == 0) == spares
