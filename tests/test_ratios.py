"""Ratios of trades and returns equal the references; their intervals hold what they promise."""

from __future__ import annotations

import math

import numpy as np
import psycopg
import pytest
from scipy import stats

import ratio_reference as reference
from ratio_reference import by_name

SAMPLES = 24
# draws of four streams of 1,000 values, found by PostgreSQL 17: any other server must find these
DRAWN = [384, 412, 512, 557, 265, 994, 817, 447, 766, 369, 635, 223]


def returns(seed: int, n: int | None = None) -> np.ndarray:
    """Daily returns: idle days, fat tails, a drift up or down."""
    generator = np.random.default_rng(seed)
    n = n or int(generator.integers(300, 900))
    drift = generator.choice([-0.001, 0.0003, 0.002])
    values = drift + generator.standard_t(4, n) * 0.01
    values[generator.random(n) < generator.choice([0, 0.3])] = 0
    return np.maximum(values, -0.9)


def nets(seed: int, n: int = 400) -> np.ndarray:
    """Net results of trades, a few of them break-even."""
    generator = np.random.default_rng(seed)
    values = np.round(generator.normal(generator.choice([-3, 0, 5]), 100, n), 2)
    values[generator.random(n) < 0.03] = 0
    return values


def close(value: float, expected: float) -> bool:
    return math.isclose(value, expected, rel_tol=1e-9, abs_tol=1e-12)


# --- what is published


@pytest.mark.parametrize(
    ("skewness", "kurtosis", "probability"), [(-2.448, 10.164, 0.913), (0, 3, 0.982)]
)
def test_probabilistic_sharpe_of_the_authors_hedge_fund(
    rolled_back: psycopg.Connection, skewness: float, kurtosis: float, probability: float
) -> None:
    """Bailey and Lopez de Prado 2012: two years of months, 0.458 a month; as others quote it."""
    (value,) = rolled_back.execute(
        "SELECT probabilistic_sharpe(0.458, 0, 24, %s, %s)", [skewness, kurtosis]
    ).fetchone()
    assert round(value, 3) == probability


@pytest.mark.parametrize(
    ("periods", "skewness", "kurtosis", "years"),
    [(252, 0, 3, 2.73), (52, 0, 3, 2.83), (12, 0, 3, 3.24), (12, -0.72, 5.78, 4.99)],
)
def test_minimum_track_record_in_the_authors_years(
    rolled_back: psycopg.Connection, periods: int, skewness: float, kurtosis: float, years: float
) -> None:
    """Ibidem: an annual ratio of 2 above 1 with 95 percent, by days, weeks, months."""
    (value,) = rolled_back.execute(
        "SELECT minimum_track_record(%s, %s, 0.95, %s, %s)",
        [2 / math.sqrt(periods), 1 / math.sqrt(periods), skewness, kurtosis],
    ).fetchone()
    assert round(value / periods, 2) == years


def test_returns_of_two_values_have_no_variance_below_zero(
    rolled_back: psycopg.Connection,
) -> None:
    """With a ratio of 2 / skewness the variance is 0, and rounding would put it on either side."""
    least, most, roots = rolled_back.execute(
        "SELECT min(v.variance), max(v.variance), count(v.variance)"
        " FROM generate_series(1, 200) AS n (win)"
        " CROSS JOIN LATERAL measure_moments((SELECT array_agg(CASE d %% 5 WHEN 0 THEN n.win / 1e3"
        " ELSE 0 END) FROM generate_series(1, 50 + n.win) AS d)) AS m"
        " CROSS JOIN LATERAL (SELECT sharpe_variance(2 / m.skewness, m.skewness, m.kurtosis),"
        " probabilistic_sharpe(2 / m.skewness, 0, m.n, m.skewness, m.kurtosis)) AS v (variance)",
        [],
    ).fetchone()  # fmt: skip
    assert least == 0 and most < 1e-12 and roots == 200
    assert rolled_back.execute("SELECT sharpe_variance(NULL, 0, 3)").fetchone() == (None,)


# --- the normal distribution


def test_normal_probability_is_scipys_within_1e_14(rolled_back: psycopg.Connection) -> None:
    points = [*np.linspace(-9, 9, 721), 0, 1e-300, -1e-18, 1e-9, 8.3, -8.3, 40, -1e300]
    found = rolled_back.execute(
        "SELECT normal_probability(x) FROM unnest(%s::float8[]) WITH ORDINALITY AS t (x, i)"
        " ORDER BY i",
        [[float(x) for x in points]],
    ).fetchall()
    assert np.abs(np.array(found)[:, 0] - stats.norm.cdf(points)).max() < 1e-14


def test_normal_quantile_is_scipys(rolled_back: psycopg.Connection) -> None:
    points = [0.0005, 0.001, 0.025, 0.3, 0.5, 0.500001, 0.75, 0.95, 0.975, 0.9995]
    found = rolled_back.execute(
        "SELECT normal_quantile(x) FROM unnest(%s::float8[]) WITH ORDINALITY AS t (x, i)"
        " ORDER BY i",
        [points],
    ).fetchall()
    assert np.abs(np.array(found)[:, 0] - stats.norm.ppf(points)).max() < 1e-11
    assert rolled_back.execute("SELECT normal_quantile(1), normal_quantile(0)").fetchone() == (
        None, None,
    )  # fmt: skip


# --- draws


def test_draws_are_the_same_on_every_server(rolled_back: psycopg.Connection) -> None:
    found = rolled_back.execute(
        "SELECT array_agg(draw_number(s, k, 1000) ORDER BY s, k)"
        " FROM unnest('{0,7,-5,9000000000000000000}'::bigint[]) AS s, generate_series(1, 3) AS k"
    ).fetchone()
    assert found == (DRAWN,)


def test_draws_are_as_even_and_independent_as_chance(rolled_back: psycopg.Connection) -> None:
    drawn = rolled_back.execute(
        "SELECT array_agg(draw_number(hashint8extended(r, hashint8extended(1, 1)), k, 50)"
        " ORDER BY r, k) FROM generate_series(1, 400) AS r, generate_series(1, 250) AS k"
    ).fetchone()[0]
    values = np.array(drawn).reshape(400, 250)
    assert (values.min(), values.max()) == (1, 50)
    assert stats.chisquare(np.bincount(values.ravel())[1:]).pvalue > 0.001
    # neighbours within a stream, and the same draw of neighbouring streams
    for pairs in (values[:, :-1] * 51 + values[:, 1:], values[:-1] * 51 + values[1:]):
        counts = np.bincount(pairs.ravel(), minlength=51 * 51).reshape(51, 51)[1:, 1:]
        assert stats.chi2_contingency(counts).pvalue > 0.001


def test_a_replicate_is_made_of_the_drawn_trades(rolled_back: psycopg.Connection) -> None:
    values = nets(1, 60)
    drawn = rolled_back.execute(
        "SELECT r, array_agg(draw_number(hashint8extended(r, hashint8extended(1, 9)), k, 60)"
        " ORDER BY k) FROM generate_series(1, 5) AS r, generate_series(1, 60) AS k"
        " GROUP BY r ORDER BY r"
    ).fetchall()
    found = rolled_back.execute(
        "SELECT * FROM bootstrap_trades(%s, 5, 9) ORDER BY replicate", [list(values)]
    ).fetchall()
    for (number, places), (replicate, win_rate, mean) in zip(drawn, found, strict=True):
        picked = values[np.array(places) - 1]
        assert number == replicate
        assert close(win_rate, 100 * (picked > 0).mean())
        assert close(mean, picked.mean())


def test_the_seed_alone_changes_an_answer(rolled_back: psycopg.Connection) -> None:
    values = list(nets(2, 80))
    first = by_name(rolled_back, "list_trade_ratios", values, 0.95, 1)
    rolled_back.execute("SELECT setseed(0.5), random()")
    assert by_name(rolled_back, "list_trade_ratios", values, 0.95, 1) == first
    other = by_name(rolled_back, "list_trade_ratios", values, 0.95, 2)
    for name in ("average_profit", "drawdown_resampled_95", "drawdown_reshuffled_95"):
        assert other[name] != first[name]
    assert other["average_profit"]["value"] == first["average_profit"]["value"]


# --- the references


@pytest.mark.parametrize("seed", range(SAMPLES))
def test_ratios_of_returns_equal_the_references(rolled_back: psycopg.Connection, seed: int) -> None:
    values = returns(seed)
    benchmark, level = [(0, 0.95), (0.5, 0.9), (-1, 0.99)][seed % 3]
    found = by_name(rolled_back, "list_return_ratios", list(values), 365, 0, benchmark, level, seed)
    expected = reference.of_returns(values, benchmark, level)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        row = found[name]
        assert row["n"] == len(values)
        if name == "minimum_track_record" and expected["sharpe_ratio"] <= benchmark:
            assert (row["value"], row["reason"]) == (None, "not_above_benchmark")
        else:
            assert close(row["value"], value), name
            assert row["reason"] is None


@pytest.mark.parametrize("seed", range(10))
def test_ratios_of_trades_equal_the_restatement(rolled_back: psycopg.Connection, seed: int) -> None:
    values = nets(seed)
    found = by_name(rolled_back, "list_trade_ratios", list(values), 0.95, seed)
    assert close(found["win_rate"]["value"], 100 * (values > 0).mean())
    assert close(found["average_profit"]["value"], values.mean())
    assert close(found["streak_z"]["value"], reference.streak_z(values))
    assert found["streak_z"]["n"] == (values != 0).sum()


def test_a_risk_free_rate_lowers_the_sharpe_ratio(rolled_back: psycopg.Connection) -> None:
    values = returns(3, 400)
    found = by_name(rolled_back, "list_return_ratios", list(values), 252, 0.0001)
    expected = reference.empyrical.sharpe_ratio(values, 0.0001, annualization=252)
    assert close(found["sharpe_ratio"]["value"], expected)


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


def test_quantiles_of_drawdowns_are_of_the_simulated_ones(rolled_back: psycopg.Connection) -> None:
    values = list(nets(22, 100))
    found = by_name(rolled_back, "list_drawdown_ratios", values, 6)
    for way in ("resampled", "reshuffled"):
        falls = np.array(rolled_back.execute(
            "SELECT simulate_drawdowns(%s, 1000, 6, %s)", [values, way == "reshuffled"]
        ).fetchall())[:, 0]  # fmt: skip
        for percent in (50, 95, 99):
            value = found[f"drawdown_{way}_{percent}"]["value"]
            assert close(value, np.percentile(falls, percent))


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


# --- what is too little


@pytest.mark.parametrize(
    ("n", "known"),
    [
        (9, set()),
        (10, {"win_rate", "average_profit", "drawdown_resampled_95"}),
        (200, {"win_rate", "average_profit", "drawdown_resampled_95", "streak_z"}),
    ],
)
def test_few_trades_have_their_number_and_a_reason_in_place_of_ratios(
    rolled_back: psycopg.Connection, n: int, known: set[str]
) -> None:
    found = by_name(rolled_back, "list_trade_ratios", list(nets(31, n)))
    for name in ("win_rate", "average_profit", "drawdown_resampled_95", "streak_z"):
        row = found[name]
        assert (row["value"] is not None) == (name in known), name
        assert (row["reason"] is None) == (name in known), name
        assert row["reason"] in (None, "too_few")
        assert 0 < row["n"] <= n
    for row in found.values():
        assert row["value"] is not None or (row["low"], row["high"]) == (None, None)


@pytest.mark.parametrize(
    ("n", "known"),
    [
        (29, 0),
        (30, 7),  # all but the tails
        (59, 7),
        (60, 9),
        (299, 9),
        (300, 11),
    ],
)
def test_few_days_have_their_number_and_a_reason_in_place_of_ratios(
    rolled_back: psycopg.Connection, n: int, known: int
) -> None:
    found = by_name(rolled_back, "list_return_ratios", list(np.abs(returns(32, n)) + 0.001))
    assert sum(row["value"] is not None for row in found.values()) == known
    for row in found.values():
        assert (row["value"] is None) == (row["reason"] == "too_few")
        assert row["n"] == n


def test_a_year_with_nine_days_of_trading_is_too_few(rolled_back: psycopg.Connection) -> None:
    values = [0.01, -0.005, 0.002] * 3 + [0.0] * 356
    found = by_name(rolled_back, "list_return_ratios", values)
    assert {row["reason"] for row in found.values()} == {"too_few"}
    found = by_name(rolled_back, "list_return_ratios", [*values, 0.001])
    assert {row["reason"] for row in found.values()} == {None}


def test_equal_values_have_no_interval_and_no_sharpe_ratio(rolled_back: psycopg.Connection) -> None:
    trades = by_name(rolled_back, "list_trade_ratios", [5.0] * 40)
    for name, value in (("win_rate", 100), ("average_profit", 5)):
        row = trades[name]
        assert (row["value"], row["low"], row["high"]) == (value, None, None)
        assert row["reason"] == "zero_variance"
    days = by_name(rolled_back, "list_return_ratios", [0.01] * 400)
    assert days["sharpe_ratio"]["reason"] == "zero_variance"
    assert days["ulcer_index"]["value"] == 0


def test_losses_that_leave_nearly_nothing_are_no_error(rolled_back: psycopg.Connection) -> None:
    found = by_name(rolled_back, "list_return_ratios", [-1 + 1e-17, -0.9999999] * 100)
    assert found["ulcer_index"]["value"] == pytest.approx(100)
