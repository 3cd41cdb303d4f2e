"""The query shapes of docs/guides/reading-bars.md: they run, and read no more than they need."""

from __future__ import annotations

import re

import psycopg
import pytest

import bars
import rows
from rubi import ROOT
from rubi.bars import samples


@pytest.fixture
def filled(db: psycopg.Connection) -> psycopg.Connection:
    """Ten months of two series, and an order."""
    for symbol in ("EURUSD", "USDJPY"):
        bars.make(db, "2024-01-01", "2024-11-01", "15 minutes", symbol)
    rows.order(db, rows.user(db), opened_at="2024-03-05 10:20+00")
    db.execute("SELECT fold_bar_changes()")
    db.execute("ANALYZE market_data")
    return db


def shapes() -> list[str]:
    """The SELECT statements of the guide on reading."""
    text = (ROOT / "docs/guides/reading-bars.md").read_text()
    return re.findall(r"^```sql\n(SELECT.*?);\n```$", text, re.DOTALL | re.MULTILINE)


def test_documented_shapes_answer(filled: psycopg.Connection) -> None:
    found = [filled.execute(query).fetchall() for query in shapes()]
    months, aligned, called, last, opened = found
    assert len(months) == 21 * 96
    assert len(aligned) == 25 * 2 and all(row[2] for row in aligned)
    # nothing that was not known yet: the bar that opens at nine is not
    known = filled.execute(
        "SELECT close FROM market_data WHERE symbol = 'USDJPY'"
        " AND timestamp = '2024-03-04 08:45+00'"
    ).fetchone()
    assert known == next(row[2:] for row in aligned if row[0].hour == 9 and row[1] == "USDJPY")
    assert [row[0] for row in sorted(last)] == ["EURUSD", "USDJPY"]
    assert {f"{row[1]:%m-%d %H:%M}" for row in last} == {"10-31 23:45"}
    assert sorted(called) == sorted(last)
    assert [f"{row[2]:%m-%d %H:%M}" for row in opened] == ["03-05 10:15"]


def chunks_read(db: psycopg.Connection, query: str) -> int:
    """Chunks from which a query took rows or looked for them."""
    db.execute("SET max_parallel_workers_per_gather = 0")
    plan = "\n".join(
        row[0] for row in db.execute(f"EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF) {query}")
    )
    scans = [line for line in plan.splitlines() if "_chunk" in line and "Scan" in line]
    assert all("Index" in line for line in scans), plan
    return sum("never executed" not in line for line in scans)


def test_range_and_last_bar_read_the_chunks_they_need(filled: psycopg.Connection) -> None:
    total = filled.execute("SELECT count(*) FROM show_chunks('market_data')").fetchone()[0]
    month, _, _, last, opened = shapes()
    assert total > 9
    assert chunks_read(filled, month) <= 2
    assert chunks_read(filled, last) == 1
    assert chunks_read(filled, opened) <= 2


def chunks_opened(db: psycopg.Connection, query: str) -> int:
    """Chunks of bars that a query opens once its plans are made."""
    for _ in range(2):
        with db.transaction():
            db.execute(query)
            found = db.execute(
                "SELECT count(*) FROM pg_locks AS l"
                " JOIN pg_inherits AS i ON i.inhrelid = l.relation"
                " WHERE l.pid = pg_backend_pid() AND i.inhparent = 'market_data'::regclass"
            ).fetchone()[0]
    return found


def test_last_bars_open_old_chunks_only_for_symbols_without_new_bars(
    filled: psycopg.Connection,
) -> None:
    total = filled.execute("SELECT count(*) FROM show_chunks('market_data')").fetchone()[0]
    make = "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
    filled.execute(
        f"{make} SELECT s, 'M1', now() - n * interval '1 day', 2, 4, 1, 3, n"
        " FROM unnest(ARRAY['EURUSD', 'GBPUSD']) AS s, generate_series(1, 3) AS n"
    )
    filled.execute("SELECT fold_bar_changes()")
    new = "SELECT symbol, open, high, low, close, volume, spread FROM last_bars('M1', {})"
    both = new.format("ARRAY['GBPUSD', 'EURUSD', 'GBPUSD', 'NONE']")
    found = sorted(filled.execute(both).fetchall())
    assert found == [("EURUSD", 2, 4, 1, 3, 1, None), ("GBPUSD", 2, 4, 1, 3, 1, None)]
    assert chunks_opened(filled, new.format("ARRAY['GBPUSD', 'EURUSD']")) <= 3 < total
    # USDJPY's are of 2024
    every = "SELECT symbol, timestamp FROM last_bars('M1')"
    one_by_one = (
        "SELECT symbol, max(timestamp) FROM market_data WHERE timeframe = 'M1' GROUP BY symbol"
    )
    expected = sorted(filled.execute(one_by_one).fetchall())
    assert sorted(filled.execute(every).fetchall()) == expected and len(expected) == 3
    assert chunks_opened(filled, every) > total
    for nothing in ("last_bars('H4')", "last_bars('M1', '{}')", "last_bars(NULL)"):
        assert filled.execute(f"SELECT * FROM {nothing}").fetchall() == []


def test_daily_bars_of_a_share_lack_nothing_but_what_is_missing(app: psycopg.Connection) -> None:
    bars = samples.read_bars(next(m for m in samples.MARKETS if m.symbol == "GOOG"))
    left_out = bars.pop(1000).timestamp
    samples.load_bars(app, bars)
    samples.load_calendar(app, bars)
    samples.load_calendar(app, bars)  # the demo is started again
    found = app.execute(
        "SELECT gap_from, missing_bars FROM find_bar_gaps('GOOG', 'D1', %s, %s)",
        [bars[0].timestamp, bars[-1].timestamp],
    ).fetchall()
    assert found == [(left_out, 1)]
