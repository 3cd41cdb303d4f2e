"""Ratios of a user, a strategy, an account: which trades and days they rest on."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import pairwise

import numpy as np
import psycopg
import pytest

import performance_reference
import performing
import ratio_reference as reference
import rows
from histories import END, START, calculate, some_trades, store, table
from ratio_reference import by_name


def reasons(found: dict[str, dict], counted: str | None = None) -> set[str | None]:
    return {r["reason"] for r in found.values() if counted in (None, r["counted"])}


# --- trades and daily returns


def test_ratios_of_a_user_with_deposits_rest_on_the_returns_of_the_metrics(
    rolled_back: psycopg.Connection,
) -> None:
    app = rolled_back
    user = rows.user(app)
    account, session = performing.account(app, user)
    trades = store(app, user, None, account, some_trades(1))
    flows = [
        (START + timedelta(days=day), Decimal(amount)) for day, amount in ((9, 5000), (90, -70))
    ]
    for at, amount in flows:
        rows.deposit(app, account, amount, at)
    rows.snapshot(app, session, balance=50000, timestamp=START - timedelta(seconds=1))
    found = by_name(app, "calculate_ratios", user, None, START, END)
    series = performance_reference.returns(trades, START, END, Decimal(50000), flows)
    for name, value in reference.of_returns(series.to_numpy()).items():
        row = found[name]
        assert (row["n"], row["counted"]) == (400, "days")
        if row["reason"] != "not_above_benchmark":
            assert row["value"] == pytest.approx(value, rel=1e-9, abs=1e-12), name
    metrics = calculate(app, user, None, START, END)
    for name in ("win_rate", "average_profit", "sharpe_ratio"):
        row = found[name]
        assert row["value"] == pytest.approx(float(metrics[name]), rel=1e-9)
        assert row["low"] < row["value"] < row["high"]
    assert {r["n"] for r in found.values() if r["counted"] == "trades"} <= {
        len(trades), metrics["winning_trades"] + metrics["losing_trades"],
    }  # fmt: skip
    nets = np.array([float(trade.net) for trade in trades])
    assert found["streak_z"]["value"] == pytest.approx(reference.streak_z(nets), rel=1e-9)


def test_ratios_of_a_strategy_rest_on_its_own_trades(rolled_back: psycopg.Connection) -> None:
    app = rolled_back
    user = rows.user(app)
    first, second = rows.strategy(app, user), rows.strategy(app, user, name="t")
    trades = store(app, user, first, None, some_trades(2))
    store(app, user, second, None, some_trades(3))
    rate = Decimal("0.03")
    found = by_name(app, "calculate_ratios", user, first, START, END, 100000, 252, rate)
    nets = np.array([float(trade.net) for trade in trades])
    assert found["average_profit"]["value"] == pytest.approx(nets.mean(), rel=1e-9)
    metrics = calculate(app, user, first, START, END, 100000, 252, rate)
    assert found["sharpe_ratio"]["value"] == pytest.approx(float(metrics["sharpe_ratio"]), rel=1e-9)


def test_daily_returns_add_up_to_the_trades(rolled_back: psycopg.Connection) -> None:
    app = rolled_back
    user = rows.user(app)
    trades = store(app, user, None, None, some_trades(4))
    days = table(app, "list_daily_returns", user, None, START, END, 100000)
    assert [row["day"] for row in days] == [START + timedelta(days=day) for day in range(400)]
    assert sum(row["net"] for row in days) == sum(trade.net for trade in trades)
    assert sum(row["trades"] for row in days) == len(trades)
    assert sum(row["won"] for row in days) == sum(trade.net > 0 for trade in trades)
    expected = performance_reference.returns(trades, START, END, Decimal(100000), [])
    assert np.allclose([float(row["value"]) for row in days], expected, rtol=1e-12, atol=1e-15)


# --- open trades


def equity_path(seed: int, days: int) -> list[Decimal]:
    generator = np.random.default_rng(seed)
    return [
        round(Decimal(x), 2) for x in 10000 * np.exp(np.cumsum(generator.normal(0, 0.01, days)))
    ]


def test_open_trades_count_by_equity_without_deposits(rolled_back: psycopg.Connection) -> None:
    app = rolled_back
    user = rows.user(app)
    account, session = performing.account(app, user)
    path = equity_path(5, 120)
    for day, equity in enumerate(path):
        at = START + timedelta(days=day, hours=20)
        rows.snapshot(app, session, equity=equity + (3000 if day > 60 else 0), timestamp=at)
    rows.deposit(app, account, 3000, START + timedelta(days=61, hours=1))
    store(app, user, None, account, some_trades(6, 20)[:20])
    end = START + timedelta(days=120)
    found = by_name(app, "calculate_ratios", user, None, START, end, None, 365, 0, None, True)
    # by hand: each evening's equity over the one before, with the day's deposit
    base = [float(x) + (3000 if day > 60 else 0) for day, x in enumerate(path)]
    values = [
        after / (before + (3000 if day == 61 else 0)) - 1
        for day, (before, after) in enumerate(pairwise(base), 1)
    ]
    # the first snapshot is the start of the curve: its day has no return
    expected = reference.of_returns(np.array(values))
    row = found["sharpe_ratio"]
    assert row["n"] == len(values)
    assert row["value"] == pytest.approx(expected["sharpe_ratio"], rel=1e-9)
    assert found["ulcer_index"]["value"] == pytest.approx(expected["ulcer_index"], rel=1e-9)
    closed = by_name(app, "calculate_ratios", user, None, START, end)
    assert closed["sharpe_ratio"]["value"] != row["value"]
    assert closed["win_rate"] == found["win_rate"]


def test_equity_that_was_used_up_has_no_ratio(rolled_back: psycopg.Connection) -> None:
    """Nothing is a share of nothing; windows without such a day have theirs."""
    app = rolled_back
    user = rows.user(app)
    _, session = performing.account(app, user)
    path = [*equity_path(5, 60), 0, 0, *equity_path(6, 60)]
    for day, equity in enumerate(path):
        rows.snapshot(app, session, equity=equity, timestamp=START + timedelta(days=day, hours=20))
    period = (START, START + timedelta(days=len(path)))
    found = by_name(app, "calculate_ratios", user, None, *period, None, 365, 0, None, True)
    assert reasons(found, "days") == {"non_positive_balance"}
    assert {row["value"] for row in found.values()} == {None}
    rolled = table(
        app, "roll_daily_ratios", user, None, *period, 30, None, 365, 0, None, True
    )  # fmt: skip
    unknown = [row["day"] for row in rolled if row["reason"] == "non_positive_balance"]
    # from the day it was lost until the day it came back is out of the window
    assert (unknown[0], len(unknown)) == (START.replace(hour=0) + timedelta(days=60), 32)
    assert {row["reason"] for row in rolled if row["day"] not in unknown} == {None}


def test_a_strategy_has_no_equity_and_says_so(rolled_back: psycopg.Connection) -> None:
    app = rolled_back
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    store(app, user, strategy, None, some_trades(7, 30))
    found = by_name(app, "calculate_ratios", user, strategy, START, END, 1000, 365, 0, None, True)
    assert reasons(found, "days") == {"no_equity"}
    assert found["win_rate"]["reason"] is None


# --- reasons


def test_no_trade_has_a_reason_in_every_row(rolled_back: psycopg.Connection) -> None:
    found = by_name(rolled_back, "calculate_ratios", rows.user(rolled_back), None, START, END, 1000)
    assert reasons(found) == {"no_trades"}
    assert len(found) == 20
    assert {(row["n"], row["value"]) for row in found.values()} == {(0, None)}


@pytest.mark.parametrize(("opening", "reason"), [(None, "no_balance"), (1, "non_positive_balance")])
def test_days_without_a_balance_have_a_reason(
    rolled_back: psycopg.Connection, opening: int | None, reason: str
) -> None:
    user = rows.user(rolled_back)
    store(rolled_back, user, None, None, some_trades(8, 60))
    found = by_name(rolled_back, "calculate_ratios", user, None, START, END, opening)
    assert reasons(found, "days") == {reason}
    assert found["average_profit"]["value"] is not None


def test_money_of_two_currencies_has_no_ratio(rolled_back: psycopg.Connection) -> None:
    app = rolled_back
    user = rows.user(app)
    euro, _ = performing.account(app, user, account_number="1", currency="EUR")
    dollar, _ = performing.account(app, user, account_number="2", currency="USD")
    store(app, user, None, euro, some_trades(9, 40))
    store(app, user, None, dollar, some_trades(10, 40))
    found = by_name(app, "calculate_ratios", user, None, START, END, 100000)
    money = {name for name, row in found.items() if row["unit"] == "money"}
    for name in money | {name for name, row in found.items() if row["counted"] == "days"}:
        row = found[name]
        assert (row["value"], row["low"], row["reason"]) == (None, None, "mixed_currency")
    assert found["win_rate"]["value"] is not None and found["win_rate"]["reason"] is None
    one = by_name(app, "calculate_ratios", user, None, START, END, 100000, 365, 0, dollar)
    assert one["average_profit"]["value"] is not None
    rolled = table(app, "roll_trade_ratios", user, None, START, END, 10)
    assert {(r["average_profit"], r["reason"]) for r in rolled} == {(None, "mixed_currency")}
    rolled = table(app, "roll_trade_ratios", user, None, START, END, 10, dollar)
    assert {r["reason"] for r in rolled} == {None}


@pytest.mark.parametrize(
    ("call", "arguments", "state"),
    [
        ("calculate_ratios", "1, NULL, now(), now()", "RB070"),
        ("calculate_ratios", "1, NULL, '2025-01-01', '2026-01-01', 'NaN'", "RB071"),
        ("calculate_ratios", "1, NULL, '2025-01-01', '2026-01-01', p_level => 0.49", "RB074"),
        ("calculate_ratios", "1, NULL, '2025-01-01', '2026-01-01', p_level => 'NaN'", "RB074"),
        ("calculate_ratios", "1, NULL, '2025-01-01', '2026-01-01', p_level => NULL", "RB074"),
        ("calculate_ratios", "1, NULL, '2025-01-01', '2026-01-01', p_benchmark => 101", "RB074"),
        ("calculate_ratios", "1, NULL, '2025-01-01', '2026-01-01', p_level => 0.999", None),
        ("calculate_ratios", "1, NULL, '2025-01-01', '2026-01-01', p_seed => NULL", None),
        ("list_daily_returns", "1, NULL, '2025-01-01', '2025-01-01'", "RB070"),
        ("roll_daily_ratios", "1, NULL, '2025-01-01', '2026-01-01', 29", "RB074"),
        ("roll_daily_ratios", "1, NULL, '2025-01-01', '2026-01-01', 30", None),
        ("roll_trade_ratios", "1, NULL, '2025-01-01', '2026-01-01', 9", "RB074"),
        ("roll_trade_ratios", "1, NULL, '2025-01-01', '2026-01-01', 1001", "RB074"),
        ("roll_trade_ratios", "1, NULL, '2025-01-01', '2026-01-01', 10", None),
        ("correlate_strategies", "1, '2025-01-01', 'infinity'", "RB070"),
        ("correlate_strategies", "1, '2025-01-01', '2026-01-01', NULL, 1", "RB074"),
    ],
)
def test_arguments_without_sense_are_refused(
    rolled_back: psycopg.Connection, call: str, arguments: str, state: str | None
) -> None:
    found = None
    try:
        rolled_back.execute(f"SELECT * FROM {call}({arguments})")
    except psycopg.Error as error:
        found = error.sqlstate
    assert found == state


# --- rights


def test_a_tenant_has_ratios_of_his_own_trades_only(
    rolled_back: psycopg.Connection,
) -> None:
    app = rolled_back
    mine, theirs = rows.user(app), rows.user(app)
    kept = {}
    for user in (mine, theirs):
        for seed in (11, 12):
            store(app, user, rows.strategy(app, user, name=f"s{seed}"), None, some_trades(seed, 30))
        kept[user] = by_name(app, "calculate_ratios", user, None, START, END, 100000)
    app.execute("SET LOCAL ROLE rubi_tenant")
    app.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(mine)])
    assert by_name(app, "calculate_ratios", mine, None, START, END, 100000) == kept[mine]
    other = by_name(app, "calculate_ratios", theirs, None, START, END, 100000)
    assert reasons(other) == {"no_trades"}
    assert table(app, "roll_trade_ratios", theirs, None, START, END, 10) == []
    assert table(app, "correlate_strategies", theirs, START, END) == []
    assert len(table(app, "correlate_strategies", mine, START, END)) == 1
    days = table(app, "list_daily_returns", theirs, None, START, END, 100000)
    assert {row["trades"] for row in days} == {0}
