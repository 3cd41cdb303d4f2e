"""The expected ratios: scipy, empyrical-reloaded and quantstats, or a plain restatement."""

from __future__ import annotations

import math
import warnings
from decimal import Decimal

import numpy as np
import pandas as pd
import psycopg
from psycopg.rows import dict_row
from scipy import stats

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations of what the references import
    import empyrical
    from quantstats import stats as quantstats

PERIODS = 365


def by_name(connection: psycopg.Connection, call: str, *arguments: object) -> dict[str, dict]:
    """The rows that a function of ratios answers, by the ratio's name."""
    cursor = connection.cursor(row_factory=dict_row)
    marks = ", ".join(["%s"] * len(arguments))
    exact = [Decimal(str(given)) if isinstance(given, float) else given for given in arguments]
    found = cursor.execute(f"SELECT r.* FROM {call}({marks}) AS r", exact).fetchall()
    assert len({row["ratio"] for row in found}) == len(found)
    return {row["ratio"]: row for row in found}


def probabilistic_sharpe(values: np.ndarray, benchmark: float, periods: float) -> float:
    """Bailey and Lopez de Prado 2012; the benchmark is annual."""
    sharpe = values.mean() / values.std(ddof=1)
    error = math.sqrt(variance(values) / (len(values) - 1))
    return float(stats.norm.cdf((sharpe - benchmark / math.sqrt(periods)) / error))


def variance(values: np.ndarray) -> float:
    """Variance of the Sharpe ratio times n - 1."""
    sharpe = values.mean() / values.std(ddof=1)
    skewness, kurtosis = stats.skew(values), stats.kurtosis(values, fisher=False)
    return 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2


def minimum_track_record(
    values: np.ndarray, benchmark: float, level: float, periods: float
) -> float:
    """Bailey and Lopez de Prado 2012, in returns."""
    above = values.mean() / values.std(ddof=1) - benchmark / math.sqrt(periods)
    return 1 + variance(values) * (stats.norm.ppf(level) / above) ** 2


def ulcer_index(values: np.ndarray) -> float:
    """quantstats divides by n - 1, its author Martin by n; percent."""
    series = pd.Series(values, index=pd.date_range("2024-01-01", periods=len(values)))
    n = len(values)
    return 100 * float(quantstats.ulcer_index(series)) * math.sqrt((n - 1) / n)


def of_returns(values: np.ndarray, benchmark: float = 0, level: float = 0.95) -> dict[str, float]:
    """Every ratio of daily returns, by the references."""
    return {
        "sharpe_ratio": empyrical.sharpe_ratio(values, annualization=PERIODS),
        "probabilistic_sharpe": probabilistic_sharpe(values, benchmark, PERIODS),
        "minimum_track_record": minimum_track_record(values, benchmark, level, PERIODS),
        "volatility": 100 * empyrical.annual_volatility(values, annualization=PERIODS),
        "skewness": stats.skew(values),
        "kurtosis": stats.kurtosis(values, fisher=False),
        "ulcer_index": ulcer_index(values),
        "value_at_risk_95": 100 * empyrical.value_at_risk(values, 0.05),
        "value_at_risk_99": 100 * empyrical.value_at_risk(values, 0.01),
        "conditional_value_at_risk_95": 100 * empyrical.conditional_value_at_risk(values, 0.05),
        "conditional_value_at_risk_99": 100 * empyrical.conditional_value_at_risk(values, 0.01),
    }


def streak_z(nets: np.ndarray) -> float:
    """Wald and Wolfowitz: runs of wins and losses against their expectation."""
    won = nets[nets != 0] > 0
    n, up = len(won), int(won.sum())
    down = n - up
    runs = 1 + int((won[1:] != won[:-1]).sum())
    mean = 2 * up * down / n + 1
    return (runs - mean) / math.sqrt((mean - 1) * (mean - 2) / (n - 1))


def deepest_fall(nets: np.ndarray) -> float:
    """Maximal drawdown of the running sum, from 0 on."""
    curve = np.concatenate([[0], np.cumsum(nets)])
    return float((np.maximum.accumulate(curve) - curve).max())


def simulated_falls(nets: np.ndarray, *, reshuffled: bool, runs: int, seed: int) -> np.ndarray:
    """Drawdowns of numpy's own draws."""
    generator = np.random.default_rng(seed)
    return np.array([
        deepest_fall(
            generator.permutation(nets) if reshuffled else generator.choice(nets, len(nets))
        )
        for _ in range(runs)
    ])  # fmt: skip


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
