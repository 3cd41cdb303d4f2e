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
        count = int(min(rows[table], 30_000))
        sizes = row_sizes.fill(db, table, count, 30)
        for what, found, cost in zip(("table", "indexes", "WAL"), sizes, capacity.COSTS[table],
                                     strict=True):  # fmt: skip
            assert found / count == pytest.approx(cost, rel=0.3), (table, what)
        total = sum(sizes[:2])
        expected = capacity.bytes_a_day(platform)[table] * count / rows[table]
        assert total == pytest.approx(expected, rel=0.25), table
    sizes = row_sizes.carry_out_signals(db, 3000)
    for what, found, cost in zip(("table", "indexes", "WAL"), sizes,
                                 capacity.COSTS["signal_claims"], strict=True):  # fmt: skip
        assert found / 3000 == pytest.approx(cost, rel=0.3), what
    written = row_sizes.update_positions(db, 2000, 30)
    assert written / 2000 == pytest.approx(capacity.COSTS["position updates"].wal, rel=0.3)


def test_what_expires_leaves_and_the_rest_grows() -> None:
    platform = Platform(accounts=0, keep_ticks=30, keep_bars=0)
    month, year, two = (capacity.bytes_after(platform, days) for days in (37, 365, 730))
    bars_a_day = capacity.bytes_a_day(platform)["market_data"]
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
