"""Ratios with the number of trades or days they rest on, and the interval they may lie in."""

from decimal import Decimal

import psycopg

from rubi.queries import queries
from rubi.reporting.figures import Report
from rubi.reporting.scope import Row, rows
from rubi.reporting.wording import REASONS, Writer, counted

SQL = queries(__file__)
LABELS = {
    "win_rate": "Win rate",
    "average_profit": "Expectancy",
    "sharpe_ratio": "Sharpe ratio",
    "probabilistic_sharpe": "Chance of a Sharpe ratio above 0",
    "minimum_track_record": "Days until that is sure",
    "streak_z": "Streaks (runs test)",
    "volatility": "Volatility a year",
    "skewness": "Skewness",
    "kurtosis": "Kurtosis",
    "ulcer_index": "Ulcer index",
    "value_at_risk_95": "Value at risk (95 %)",
    "value_at_risk_99": "Value at risk (99 %)",
    "conditional_value_at_risk_95": "Mean loss beyond it (95 %)",
    "conditional_value_at_risk_99": "Mean loss beyond it (99 %)",
    "drawdown_resampled_50": "Simulated drawdown (50 %)",
    "drawdown_resampled_95": "Simulated drawdown (95 %)",
    "drawdown_resampled_99": "Simulated drawdown (99 %)",
    "drawdown_reshuffled_50": "Drawdown in another order (50 %)",
    "drawdown_reshuffled_95": "Drawdown in another order (95 %)",
    "drawdown_reshuffled_99": "Drawdown in another order (99 %)",
}
KINDS = {
    "percent": "percent", "money": "money", "ratio": "ratio", "probability": "share",
    "days": "count", "deviations": "ratio",
}  # fmt: skip
MAIN = (
    "win_rate", "average_profit", "sharpe_ratio", "probabilistic_sharpe", "minimum_track_record",
    "drawdown_resampled_95",
)  # fmt: skip
NO_LINE = ("win_rate",)  # a trend follower wins with a third of the trades; of all others 0 is luck


def range_in_words(row: Row, text: str) -> Row:
    """An interval as a bar: where it lies from its least to its most, 0 included, in percents from
    0 to 100, and what it says."""
    low, high = row["low"], row["high"]
    first, last = 0.0, 100.0
    if row["unit"] != "percent":
        first, last = min(low, 0), max(high, 0)
        pad = 0.05 * (last - first or 1)
        first, last = first - pad, last + pad

    def at(point: float) -> float:
        return round(100 * min(max((point - first) / (last - first), 0), 1), 1)

    has_line = row["ratio"] not in NO_LINE
    state = "good" if low > 0 else "bad" if high < 0 else "open"
    return {
        "text": text, "left": at(low), "width": round(at(high) - at(low), 1),
        "value": at(row["value"]), "neutral": at(0) if has_line else None,
        "state": state if has_line else "plain",
    }  # fmt: skip


def ratio_in_words(row: Row, write: Writer) -> Row:
    kind = KINDS[row["unit"]]
    shown = None
    if row["low"] is not None and row["high"] is not None:
        text = f"{write(row['low'], kind)} to {write(row['high'], kind)}"
        shown = range_in_words(row, text)
    rests_on = counted(row["n"], row["counted"])
    return {
        "key": row["ratio"], "label": label(row), "value": write(row["value"], kind),
        "range": shown, "rests_on": f"{rests_on}: {row['method']}" if row["method"] else rests_on,
    }  # fmt: skip


def label(row: Row) -> str:
    return LABELS.get(row["ratio"], row["ratio"].replace("_", " "))


def reason_in_words(row: Row) -> str:
    """Why a ratio is not known."""
    few = f"{counted(row['n'], row['counted'])} {'is' if row['n'] == 1 else 'are'} too few"
    return {
        "too_few": few,
        "zero_variance": f"all {row['counted']} are equal",
        "not_above_benchmark": "the Sharpe ratio is not above 0",
    }.get(row["reason"], REASONS.get(row["reason"], "not known"))


def unknown(found: list[Row]) -> list[str]:
    """A sentence for each reason with the ratios that it leaves empty."""
    by: dict[str, list[str]] = {}
    for row in found:
        if row["value"] is None:
            by.setdefault(reason_in_words(row), []).append(label(row))
    return [f"{', '.join(names)}: {reason}." for reason, names in by.items()]


def known(found: list[Row], write: Writer, is_main: bool) -> list[Row]:
    """Ratios that have a value: the main ones, or all others."""
    return [
        ratio_in_words(row, write)
        for row in found
        if row["value"] is not None and (row["ratio"] in MAIN) == is_main
    ]


def read_ratios(connection: psycopg.Connection, report: Report, risk_free: Decimal) -> None:
    """Add ratios to a report, those with an interval first."""
    found = rows(connection, SQL.RATIOS, report.scope.parameters(risk_free=risk_free))
    order = list(LABELS)
    report.ratios = sorted(
        found, key=lambda row: order.index(row["ratio"]) if row["ratio"] in order else len(order)
    )
