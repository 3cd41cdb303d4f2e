"""Intervals of ratios hold what they promise; simulated drawdowns are distributed as numpy's."""

from __future__ import annotations

import math

import numpy as np
import psycopg
import pytest
from scipy import stats

import ratio_reference as reference
from ratio_reference import by_name, close, nets, returns

# --- intervals


def width_of(values: np.ndarray, name: str) -> float:
    """Standard error of an estimate, to measure differences by."""
    statistic = STATISTICS[name]
    generator = np.random.default_rng(0)
    return float(np.std([
        statistic(generator.choice(values, len(values))) for _ in range(500)
    ]))  # fmt: skip


STATISTICS = {
    "win_rate": lambda x, axis=-1: 100 * (x > 0).mean(axis=axis),
    "average_profit": lambda x, axis=-1: x.mean(axis=axis),
    "sharpe_ratio": lambda x, axis=-1: (
        x.mean(axis=axis) / x.std(axis=axis, ddof=1) * math.sqrt(365)
    ),
}


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("level", [0.9, 0.95])
def test_intervals_are_scipys_percentile_intervals(
    rolled_back: psycopg.Connection, name: str, level: float
) -> None:
    """An end of 2,000 replicates has an error of 0.06 standard errors: five times that here."""
    if name == "sharpe_ratio":
        values = returns(11, 365)
        found = by_name(rolled_back, "list_return_ratios", list(values), 365, 0, 0, level, 1)
    else:
        values = nets(11, 300)
        found = by_name(rolled_back, "list_trade_ratios", list(values), level, 1)
    expected = stats.bootstrap(
        (values,), STATISTICS[name], n_resamples=20000, confidence_level=level,
        method="percentile", random_state=np.random.default_rng(1),
    ).confidence_interval  # fmt: skip
    error = width_of(values, name)
    assert abs(found[name]["low"] - expected.low) < 0.3 * error
    assert abs(found[name]["high"] - expected.high) < 0.3 * error
    assert float(found[name]["level"]) == level


@pytest.mark.parametrize("n", [3000, 3001])
def test_beyond_3000_values_the_normal_distribution_takes_over_without_a_jump(
    rolled_back: psycopg.Connection, n: int
) -> None:
    made = "bootstrap" if n == 3000 else "normal distribution"
    found = by_name(rolled_back, "list_trade_ratios", list(nets(5, n)), 0.95, 1)
    found |= by_name(rolled_back, "list_return_ratios", list(returns(5, n)))
    for name, values in (
        ("win_rate", nets(5, n)), ("average_profit", nets(5, n)), ("sharpe_ratio", returns(5, n)),
    ):  # fmt: skip
        row, error = found[name], width_of(values, name)
        assert row["method"].startswith(made)
        assert abs(row["low"] - (row["value"] - 1.96 * error)) < 0.3 * error
        assert abs(row["high"] - (row["value"] + 1.96 * error)) < 0.3 * error


@pytest.mark.slow
def test_95_percent_intervals_hold_the_truth_in_90_to_99_of_100_samples(
    rolled_back: psycopg.Connection,
) -> None:
    """200 samples of 120 trades, and of 250 daily returns, from distributions that are known."""
    generator = np.random.default_rng(17)
    truth = {
        "win_rate": 100 * stats.norm.sf(0, loc=8, scale=100),
        "average_profit": 8.0,
        "sharpe_ratio": 0.05 * math.sqrt(365),
    }
    held = dict.fromkeys(truth, 0)
    for sample in range(200):
        trades = list(generator.normal(8, 100, 120))
        days = list(0.01 * generator.normal(0.05, 1, 250))
        found = by_name(rolled_back, "list_trade_ratios", trades, 0.95, sample)
        found |= by_name(rolled_back, "list_return_ratios", days, 365, 0, 0, 0.95, sample)
        for name, value in truth.items():
            held[name] += found[name]["low"] <= value <= found[name]["high"]
    assert all(180 <= count <= 198 for count in held.values()), held


# --- simulated drawdowns


@pytest.mark.parametrize("reshuffled", [False, True])
def test_simulated_drawdowns_are_distributed_as_numpys(
    rolled_back: psycopg.Connection, reshuffled: bool
) -> None:
    values = nets(21, 150)
    found = rolled_back.execute(
        "SELECT simulate_drawdowns(%s, 1000, 3, %s)", [list(values), reshuffled]
    ).fetchall()
    expected = reference.simulated_falls(values, reshuffled=reshuffled, runs=4000, seed=3)
    assert stats.ks_2samp(np.array(found)[:, 0], expected).pvalue > 0.001


def test_a_reshuffle_keeps_every_trade(rolled_back: psycopg.Connection) -> None:
    """All losses: in any order the fall is their sum; drawn with replacement, seldom."""
    values = [-float(2**power) for power in range(12)]
    kept, drawn = (
        {round(fall) for (fall,) in rolled_back.execute(
            "SELECT simulate_drawdowns(%s, 200, 1, %s)", [values, reshuffled]
        )}
        for reshuffled in (True, False)
    )  # fmt: skip
    assert kept == {4095}
    assert len(drawn) > 100


@pytest.mark.parametrize("percent", [50, 95, 99])
@pytest.mark.parametrize("way", ["resampled", "reshuffled"])
def test_quantiles_of_drawdowns_are_of_the_simulated_ones(
    rolled_back: psycopg.Connection, way: str, percent: int
) -> None:
    values = list(nets(22, 100))
    found = by_name(rolled_back, "list_drawdown_ratios", values, 6)
    falls = np.array(rolled_back.execute(
        "SELECT simulate_drawdowns(%s, 1000, 6, %s)", [values, way == "reshuffled"]
    ).fetchall())[:, 0]  # fmt: skip
    assert close(found[f"drawdown_{way}_{percent}"]["value"], np.percentile(falls, percent))


@pytest.mark.parametrize(
    ("n", "runs", "reason"),
    [(9, 1000, "too_few"), (10, 1000, None), (1500, 1000, None), (15000, 100, None),
     (15001, 99, "too_many")],
)  # fmt: skip
def test_draws_of_a_simulation_are_bounded(
    rolled_back: psycopg.Connection, n: int, runs: int, reason: str | None
) -> None:
    row = by_name(rolled_back, "list_drawdown_ratios", list(nets(23, n)), 1)[
        "drawdown_resampled_95"
    ]
    assert (row["value"] is None, row["reason"]) == (reason is not None, reason)
    assert f" {runs} runs" in row["method"]


@pytest.mark.parametrize(
    ("call", "n", "rows"),
    [
        ("bootstrap_trades(x, 2147483647, 1)", 1, 10_000),
        ("bootstrap_trades(x, 2147483647, 1)", 10_001, 999),
        ("bootstrap_returns(x, 2147483647, 1)", 10_001, 999),
        ("simulate_drawdowns(x, 2147483647, 1, TRUE)", 1, 10_000),
        ("simulate_drawdowns(x, 2147483647, 1, FALSE)", 10_001, 499),
        ("bootstrap_trades(x, 5, 1)", 0, 5),
        ("bootstrap_trades(x, NULL, 1)", 3, 0),
        ("simulate_drawdowns(x, 5, NULL, TRUE)", 3, 0),
    ],
)
def test_nobody_draws_more_than_ten_million(
    rolled_back: psycopg.Connection, call: str, n: int, rows: int
) -> None:
    (found,) = rolled_back.execute(
        f"SELECT count(*) FROM (SELECT array_fill(1.0::float8, ARRAY[%s]) AS x) AS a, {call}",
        [n],
    ).fetchone()
    assert found == rows
