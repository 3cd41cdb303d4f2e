"""Rows that lifecycle lets go without a copy, of hypertables too."""

from __future__ import annotations

import psycopg
import pytest


@pytest.mark.parametrize("held", [False, True])
def test_hypertable_whose_rows_go_without_a_copy_loses_whole_chunks(
    db: psycopg.Connection, held: bool
) -> None:
    """A ctid names a row of each chunk: the first of an old chunk is also the first of a young."""
    db.execute(
        "INSERT INTO market_ticks (symbol, timestamp, bid)"
        " SELECT 'A', now() - n * interval '1 day', 1 FROM generate_series(0, 59) AS n"
    )
    db.execute(
        "UPDATE monitoring.lifecycle SET way = 'deleted', archive_by = NULL, part_column = NULL,"
        " keep_full = '30 days', legal_hold = %s WHERE relation = 'public.market_ticks'",
        [held],
    )
    db.execute("CALL follow_lifecycle()")
    (young, old) = db.execute(
        "SELECT count(*) FILTER (WHERE timestamp >= now() - interval '30 days'),"
        " count(*) FILTER (WHERE timestamp < now() - interval '30 days') FROM market_ticks"
    ).fetchone()
    assert young == 30
    assert old == 30 if held else 0 <= old < 8  # a chunk goes when its last row may
    dropped = db.execute(
        "SELECT count(*) FROM monitoring.dropped_ranges WHERE reason = 'deleted'"
    ).fetchone()[0]
    assert (dropped > 0) is not held
    assert db.execute("SELECT * FROM monitoring.lifecycle_steps()").fetchall() == []
    assert db.execute("SELECT count(*) FROM monitoring.vanished_days").fetchone() == (0,)
