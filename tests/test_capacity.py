"""The calculator's answers hold against a database that is filled with what it was told."""

from __future__ import annotations

import json
import sys
from dataclasses import replace

import psycopg
import pytest

import bars
import capacity as command
from rubi import ROOT, capacity
from rubi.capacity import Platform

sys.path.append(str(ROOT / "benchmarks"))
import row_sizes


def test_answers_hold_against_a_filled_database(db: psycopg.Connection) -> None:
    """A day of another size than the one the figures come from: 30 accounts and 30 symbols."""
    platform = Platform(
        accounts=30, symbols=30, ticks=1000, snapshot_seconds=120, signals=400, orders=300,
        events=500,
    )  # fmt: skip
    rows = capacity.rows_a_day(platform)
    psycopg.ClientCursor(db).execute(row_sizes.ACCOUNTS, {"n": 29})
    for table in row_sizes.FILLS:
        count = int(min(rows[table], 8_000))
        sizes = row_sizes.fill(db, table, count, 30)
        for what, found, cost in zip(("table", "indexes", "WAL"), sizes, capacity.COSTS[table],
                                     strict=True):  # fmt: skip
            assert found / count == pytest.approx(cost, rel=0.3), (table, what)
        total = sum(sizes[:2])
        expected = capacity.bytes_a_day(platform)[table] * count / rows[table]
        assert total == pytest.approx(expected, rel=0.25), table
    for table, act in row_sizes.ACTED.items():
        for what, found, cost in zip(("table", "indexes", "WAL"), act(db, 1000),
                                     capacity.COSTS[table], strict=True):  # fmt: skip
            assert found / 1000 == pytest.approx(cost, rel=0.3), (table, what)
    for table, (count, *found) in row_sizes.trade(db, 200, 30).items():
        cost = capacity.COSTS[table]
        if table != "performance_metrics":  # too few rows to fill its indexes' pages
            expected = (cost.table + cost.indexes) * count
            assert (found[0] + found[1]) * count == pytest.approx(expected, rel=0.4), table
        if table not in ("mt5_events", "mt5_trips"):  # their WAL is with others, or of other kinds
            assert found[2] == pytest.approx(cost.wal, rel=0.4), table
    written = row_sizes.update_positions(db, 600, 30)
    assert written / 600 == pytest.approx(capacity.COSTS["position updates"].wal, rel=0.3)


AGES = {
    "public.market_ticks": ("keep_ticks", None),
    "public.mt5_events": ("keep_events", None),
    "public.account_snapshots": ("keep_snapshots", "keep_hourly"),
}


@pytest.mark.parametrize("table", AGES)
def test_ages_are_those_of_lifecycle(catalog: psycopg.Connection, table: str) -> None:
    full, hourly = AGES[table]
    found = catalog.execute(
        "SELECT (date_part('epoch', keep_full) / 86400)::integer,"
        " (date_part('epoch', keep_hourly) / 86400)::integer"
        " FROM monitoring.lifecycle WHERE relation = %s",
        [table],
    ).fetchone()
    expected = getattr(Platform(), full), getattr(Platform(), hourly) if hourly else None
    assert (abs(found[0] - expected[0]) <= 1, found[1]) == (True, expected[1])


def test_rows_and_their_bytes_after_two_months_are_within_a_tenth(db: psycopg.Connection) -> None:
    """After thinning and dropping, on a scale that a test can pay. Files are noted, not written:
    tests/test_archive.py writes them."""
    platform = Platform(
        accounts=10, symbols=30, ticks=96, snapshot_seconds=300, keep_ticks=45, keep_snapshots=14,
        keep_hourly=35,
    )  # fmt: skip
    psycopg.ClientCursor(db).execute(row_sizes.ACCOUNTS, {"n": 9})
    db.execute("CALL monitoring.make_snapshot_chunks(now() - interval '70 days', now())")
    db.execute(
        "INSERT INTO market_ticks (symbol, timestamp, bid, ask, flags)"
        " SELECT 'SYM' || lpad(s::text, 4, '0'), t, 1.1, 1.1001, 6"
        " FROM generate_series(now() - interval '60 days', now(), '15 minutes') AS t"
        " CROSS JOIN generate_series(1, 30) AS s ORDER BY t"
    )
    db.execute("SELECT setseed(0.1)")
    db.execute(
        "INSERT INTO account_snapshots (session_id, timestamp, balance, equity, margin,"
        " margin_level, profit) SELECT session_id, t, 10000 + sum(b) OVER w,"
        " 10000 + sum(b + e) OVER w, abs(round(sum(e) OVER w)), 100 + abs(sum(b - e) OVER w),"
        " sum(e) OVER w FROM (SELECT session_id, t, round((random() - 0.5)::numeric * 40"
        " * (random() < 0.03)::integer, 2) AS b, round((random() - 0.5)::numeric * 30, 2) AS e"
        " FROM generate_series(now() - interval '60 days', now(), '5 minutes') AS t"
        " CROSS JOIN mt5_sessions) AS s WINDOW w AS (PARTITION BY session_id ORDER BY t) ORDER BY t"
    )
    db.execute("UPDATE monitoring.lifecycle SET keep_full = '45 days' WHERE relation LIKE '%ticks'")
    db.execute(
        "UPDATE monitoring.lifecycle SET keep_full = '14 days', keep_hourly = '35 days'"
        " WHERE way = 'thinned'"
    )
    db.execute(
        "INSERT INTO monitoring.archives (relation, part, range_start, range_end, location, sha256,"
        " row_count, row_hash) SELECT l.relation, d.part, d.range_start, d.range_end,"
        " d.part || d.range_start, repeat('0', 64), d.row_count, d.row_hash"
        " FROM monitoring.lifecycle AS l, monitoring.due_archives(l.relation) AS d"
        " WHERE l.relation = 'public.market_ticks'"
    )
    db.execute("CALL follow_lifecycle(p_files_verified => TRUE)")
    db.execute("CALL cluster_closed_chunks()")
    rows, sizes = capacity.rows_after(platform, 60), capacity.table_bytes_after(platform, 60)
    for table in ("market_ticks", "account_snapshots"):
        (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
        assert count == pytest.approx(rows[table], rel=0.1), table
        size = sum(row_sizes.sizes(db, table))
        assert size / count == pytest.approx(sizes[table] / rows[table], rel=0.1), table


def test_what_expires_leaves_and_the_rest_grows() -> None:
    platform = Platform(accounts=0, keep_ticks=30, keep_bars=0)  # no account, no snapshot
    month, year, two = (capacity.bytes_after(platform, days) for days in (37, 365, 730))
    # old bars lie in clustered chunks
    dense = capacity.CLUSTERED["market_data"]
    bars_a_day = capacity.rows_a_day(platform)["market_data"] * (dense.table + dense.indexes)
    assert year - month == pytest.approx(bars_a_day * (365 - 37))
    assert two - year == pytest.approx(bars_a_day * 365)
    for_ever = replace(platform, keep_ticks=0)
    assert capacity.bytes_after(for_ever, 365) > 9 * month


def test_day_of_the_full_disk_is_the_first_one_with_so_many_bytes() -> None:
    platform = Platform(keep_ticks=0)
    size = 50 * capacity.GIB
    day = capacity.days_until(platform, size)
    assert capacity.bytes_after(platform, day) >= size > capacity.bytes_after(platform, day - 1)
    assert capacity.days_until(Platform(accounts=0, symbols=0), size) is None


@pytest.mark.parametrize(
    ("first", "changes"),
    [
        ("disk", {"keep_ticks": 0, "ticks": 200_000, "memory": 1000}),
        ("memory for active indexes", {"ticks": 200_000, "keep_ticks": 1, "memory": 1,
                                       "disk": 10_000}),
        ("WAL", {"positions": 100, "update_seconds": 0.1, "disk": 10_000, "memory": 1000}),
        ("connections", {"api": 40, "ticks": 100, "disk": 10_000}),
        ("chunks", {"keep_ticks": 20_000, "ticks": 1, "disk": 10_000, "memory": 1000, "api": 1}),
    ],
)  # fmt: skip
def test_each_limit_can_be_the_first(first: str, changes: dict[str, float]) -> None:
    hit = capacity.limits(replace(Platform(), **changes), 365)
    assert hit[0].name == first
    assert [limit.used for limit in hit] == sorted((limit.used for limit in hit), reverse=True)


def test_command_line_says_the_first_limit_and_what_to_do(db: psycopg.Connection) -> None:
    done = bars.script(db, command, "--api", "40", "--ticks", "100", "--disk", "10000")
    assert done.returncode == 0
    assert "first: connections. Then: PgBouncer" in done.stdout
    answer = json.loads(bars.script(db, command, "--json", "--symbols", "7").stdout)
    assert answer["rows_a_day"]["market_data"] == 7 * 1440
    assert bars.script(db, command, "--symbols", "-1").returncode == 2
