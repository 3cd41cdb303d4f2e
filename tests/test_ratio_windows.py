"""Ratios in moving windows, and how strategies win and lose together."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import numpy as np
import pandas as pd
import psycopg
import pytest
from scipy import stats

import performance_reference
import performing
import ratio_reference as reference
import rows
from histories import END, START, some_trades, store, table

# --- moving windows


@pytest.mark.parametrize("window", [30, 90])
def test_windows_of_days_equal_empyrical(rolled_back: psycopg.Connection, window: int) -> None:
    app = rolled_back
    user = rows.user(app)
    trades = store(app, user, None, None, some_trades(13))
    found = table(app, "roll_daily_ratios", user, None, START, END, window, 100000)
    series = performance_reference.returns(trades, START, END, Decimal(100000), [])
    sharpe = reference.empyrical.roll_sharpe_ratio(series, window=window, annualization=365)
    volatility = reference.empyrical.roll_annual_volatility(
        series, window=window, annualization=365
    )
    assert [row["day"] for row in found] == list(sharpe.index)
    known = [row["reason"] is None for row in found]
    assert sum(known) > 300
    for row, ratio, deviation in zip(found, sharpe, volatility, strict=True):
        assert row["n"] == window
        if row["reason"] is None:
            assert row["sharpe_ratio"] == pytest.approx(ratio, rel=1e-9)
            assert row["volatility"] == pytest.approx(100 * deviation, rel=1e-9)
    first = [t for t in trades if t.closed < START + timedelta(days=window)]
    assert found[0]["trades"] == len(first)
    assert found[0]["win_rate"] == pytest.approx(100 * sum(t.net > 0 for t in first) / len(first))


def test_a_window_with_few_results_is_empty_and_says_so(rolled_back: psycopg.Connection) -> None:
    app = rolled_back
    user = rows.user(app)
    nets = [
        (START + timedelta(days=day), START + timedelta(days=day, hours=1), Decimal(day % 7 - 2))
        for day in range(9)
    ]
    store(app, user, None, None, nets)
    end = START + timedelta(days=31)
    found = table(app, "roll_daily_ratios", user, None, START, end, 30, 1000)
    assert [
        (row["trades"], row["win_rate"], row["sharpe_ratio"], row["reason"]) for row in found
    ] == [(9, None, None, "too_few"), (8, None, None, "too_few")]


def test_windows_of_trades_equal_pandas(rolled_back: psycopg.Connection) -> None:
    app = rolled_back
    user = rows.user(app)
    trades = store(app, user, None, None, some_trades(14))
    found = table(app, "roll_trade_ratios", user, None, START, END, 40)
    nets = pd.Series([float(trade.net) for trade in trades])
    expected = pd.DataFrame({
        "win_rate": 100 * (nets > 0).rolling(40).mean(),
        "average_profit": nets.rolling(40).mean(),
        "volatility": nets.rolling(40).std(),
    }).dropna()  # fmt: skip
    assert [row["order_id"] for row in found] == [trade.number for trade in trades[39:]]
    for name in expected:
        assert np.allclose([row[name] for row in found], expected[name], rtol=1e-9, atol=1e-9)


# --- strategies beside each other


def test_correlation_of_strategies_is_pearsons_with_fishers_interval(
    rolled_back: psycopg.Connection,
) -> None:
    app = rolled_back
    user = rows.user(app)
    generator = np.random.default_rng(15)
    base = generator.normal(0, 100, 80)
    nets, numbers = {}, []
    for name, share in (("a", 1), ("b", 0.8), ("c", -0.5)):
        number = rows.strategy(app, user, name=name)
        numbers.append(number)
        # each trades on days of its own, twice a day
        days = sorted(generator.choice(80, 60, replace=False))
        nets[number] = {
            day: round(Decimal(share * base[day] + generator.normal(0, 60)), 2) for day in days
        }
        store(app, user, number, None, [
            (START, START + timedelta(days=int(day), hours=hour), part)
            for day, net in nets[number].items()
            for hour, part in ((1, net - 3), (22, Decimal(3)))
        ])  # fmt: skip
    found = table(app, "correlate_strategies", user, START, END, None, Decimal("0.9"))
    pairs = [(row["strategy_id"], row["other_strategy_id"]) for row in found]
    assert pairs == [(a, b) for a in numbers for b in numbers if a < b]
    for row, (a, b) in zip(found, pairs, strict=True):
        shared = sorted(nets[a].keys() & nets[b].keys())
        expected = stats.pearsonr(
            [float(nets[a][day]) for day in shared], [float(nets[b][day]) for day in shared]
        )
        low, high = expected.confidence_interval(0.9)
        assert row["n"] == len(shared)
        assert row["reason"] is None
        for name, value in (("correlation", expected.statistic), ("low", low), ("high", high)):
            assert row[name] == pytest.approx(value, rel=1e-9)


def test_correlations_that_cannot_be_known_have_a_reason(rolled_back: psycopg.Connection) -> None:
    app = rolled_back
    user = rows.user(app)
    euro, _ = performing.account(app, user, account_number="1", currency="EUR")
    dollar, _ = performing.account(app, user, account_number="2", currency="USD")
    names = {}
    for name, count, step, accounts in (
        ("long", 40, 1, [euro]), ("twin", 40, 1, [dollar]), ("short", 29, 1, [euro]),
        ("flat", 40, 0, [euro]), ("both", 40, 1, [euro, dollar]),
    ):  # fmt: skip
        names[rows.strategy(app, user, name=name)] = name
        for day in range(count):
            at = START + timedelta(days=day)
            account = accounts[day % len(accounts)]
            store(app, user, max(names), account, [(at, at, Decimal(step * day))])
    found = {
        (names[row["strategy_id"]], names[row["other_strategy_id"]]): row
        for row in table(app, "correlate_strategies", user, START, END)
    }
    assert len(found) == 10
    # each is in one currency, so what they have in common needs no rate
    row = found["long", "twin"]
    assert (row["correlation"], row["n"], row["reason"]) == (pytest.approx(1), 40, None)
    assert (row["low"], row["high"]) == (pytest.approx(1), pytest.approx(1))
    for pair, n, reason in (
        (("long", "short"), 29, "too_few"), (("long", "flat"), 40, "zero_variance"),
        (("long", "both"), 40, "mixed_currency"),
    ):  # fmt: skip
        row = found[pair]
        assert (row["correlation"], row["low"], row["n"], row["reason"]) == (None, None, n, reason)


def test_fifty_strategies_with_most_trades_are_compared(rolled_back: psycopg.Connection) -> None:
    app = rolled_back
    user = rows.user(app)
    numbers = [rows.strategy(app, user, name=f"s{number}") for number in range(52)]
    for place, number in enumerate(numbers):
        store(app, user, number, None, [(START, START, Decimal(1))] * (1 if place < 2 else 2))
    found = table(app, "correlate_strategies", user, START, END)
    assert len(found) == 50 * 49 // 2
    assert {row["strategy_id"] for row in found} <= set(numbers[2:])


def test_many_strategies_are_compared_before_the_api_gives_up(
    rolled_back: psycopg.Connection,
) -> None:
    """Of 150 with 200 days, each day with each were 900 million."""
    app = rolled_back
    user = rows.user(app)
    app.execute(
        "INSERT INTO trading_orders (user_id, strategy_id, symbol, order_type, volume, open_price,"
        " close_price, profit, opened_at, closed_at)"
        " SELECT %s, s, 'EURUSD', 'BUY', 1, 1, 1, extract(day FROM d.at)"
        " * (s + extract(day FROM d.at)) %% 17 - 8, d.at, d.at FROM unnest(%s::bigint[]) AS s"
        " CROSS JOIN generate_series(%s, %s - interval '1 day', interval '2 days') AS d (at)",
        [user, [rows.strategy(app, user, name=f"s{number}") for number in range(150)], START, END],
    )  # fmt: skip
    found = table(app, "correlate_strategies", user, START, END)
    assert {(row["n"], row["reason"]) for row in found} == {(200, None)}
    assert len(found) == 50 * 49 // 2
