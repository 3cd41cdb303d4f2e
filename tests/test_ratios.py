"""Ratios equal what is published and what the references say; few values have a reason."""

from __future__ import annotations

import math

import numpy as np
import psycopg
import pytest
from scipy import stats

import ratio_reference as reference
from ratio_reference import by_name, close, nets, returns

SAMPLES = 24
# draws of four streams of 1,000 values, found by PostgreSQL 17: any other server must find these
DRAWN = [384, 412, 512, 557, 265, 994, 817, 447, 766, 369, 635, 223]


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


@pytest.mark.parametrize("function", ["list_return_ratios", "list_trade_ratios"])
def test_what_is_not_known_is_left_out(rolled_back: psycopg.Connection, function: str) -> None:
    values = list(returns(6, 400))
    known = by_name(rolled_back, function, values)
    assert any(row["value"] is not None for row in known.values())
    for place in (0, 200, 400):
        found = by_name(rolled_back, function, [*values[:place], None, *values[place:]])
        assert found == known


def test_losses_that_leave_nearly_nothing_are_no_error(rolled_back: psycopg.Connection) -> None:
    found = by_name(rolled_back, "list_return_ratios", [-1 + 1e-17, -0.9999999] * 100)
    assert found["ulcer_index"]["value"] == pytest.approx(100)
