"""Words and numbers of the report: labels, reasons, and how figures are written."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

NONE = "\N{EN DASH}"
# reasons for an empty figure: the codes of performance_metrics.reasons
REASONS = {
    "no_trades": "no trade was closed in the period",
    "no_wins": "no trade won",
    "no_losses": "no trade lost",
    "too_few": "fewer than two daily returns",
    "zero_variance": "all daily returns are equal",
    "no_drawdown": "the curve never fell below its high",
    "not_recovered": "the curve did not come back within the period",
    "mixed_currency": "money of several currencies has no sum: choose one account",
    "no_account": "the orders name no account, so the currency is unknown",
    "no_balance": "the opening balance is unknown",
    "non_positive_balance": "the balance (equity) is at or below zero at some time",
    "no_equity": "no account snapshot within the period; a strategy never has any",
    "not_recorded": "kept nowhere",
}
# where a code has a meaning of its own for one figure
REASONS_OF = {("sortino_ratio", "no_losses"): "no day was below the risk-free rate"}
# column of performance_metrics, label, kind; the meaning comes from the column's comment
METRICS = {
    "Result": (
        ("total_profit", "Net result", "money"),
        ("gross_profit", "Gross profit", "money"),
        ("gross_loss", "Gross loss", "money"),
        ("profit_factor", "Profit factor", "ratio"),
        ("commission", "Commission", "money"),
        ("swap", "Swap", "money"),
        ("fees", "Fees", "money"),
    ),
    "Trades": (
        ("total_trades", "Trades", "count"),
        ("winning_trades", "Winning trades", "count"),
        ("losing_trades", "Losing trades", "count"),
        ("break_even_trades", "Break-even trades", "count"),
        ("win_rate", "Win rate", "percent"),
        ("average_profit", "Expectancy", "money"),
        ("average_win", "Average win", "money"),
        ("average_loss", "Average loss", "money"),
        ("payoff_ratio", "Payoff ratio", "ratio"),
        ("max_profit", "Best trade", "money"),
        ("max_loss", "Worst trade", "money"),
        ("longest_winning_series", "Longest winning series", "count"),
        ("longest_winning_series_profit", "Result of that series", "money"),
        ("longest_losing_series", "Longest losing series", "count"),
        ("longest_losing_series_loss", "Result of that series", "money"),
        ("average_holding_time", "Average holding time", "time"),
        ("turnover", "Turnover", "lots"),
    ),
    "Risk and return": (
        ("opening_balance", "Opening balance", "money"),
        ("annual_return", "Annual return", "share"),
        ("max_drawdown", "Maximal drawdown", "money"),
        ("max_drawdown_percent", "Drawdown of daily returns", "percent"),
        ("time_under_water", "Time under water", "time"),
        ("recovery_factor", "Recovery factor", "ratio"),
        ("sharpe_ratio", "Sharpe ratio", "ratio"),
        ("sortino_ratio", "Sortino ratio", "ratio"),
        ("calmar_ratio", "Calmar ratio", "ratio"),
        ("risk_free", "Risk-free rate", "share"),
        ("periods_per_year", "Periods a year", "count"),
        ("observations", "Daily returns", "count"),
        ("basis", "Measured on", "text"),
        ("currency", "Currency", "text"),
        ("method_version", "Version of the method", "count"),
    ),
}
DRAWDOWNS = tuple(
    (f"{of}_drawdown_{kind}", f"{of.capitalize()}, {kind}")
    for of in ("balance", "equity")
    for kind in ("absolute", "maximal", "relative")
)
DRAWDOWN_PARTS = ("", "_percent", "_started_at", "_trough_at", "_recovered_at")
CARDS = (
    ("total_profit", "Net result", "money"),
    ("total_trades", "Trades", "count"),
    ("win_rate", "Win rate", "percent"),
    ("profit_factor", "Profit factor", "ratio"),
    ("average_profit", "Expectancy", "money"),
    ("max_drawdown", "Maximal drawdown", "money"),
    ("sharpe_ratio", "Sharpe ratio", "ratio"),
    ("annual_return", "Annual return", "share"),
)
# green or red by their sign
SIGNED = {
    "total_profit", "gross_profit", "gross_loss", "average_profit", "average_win",
    "average_loss", "max_profit", "max_loss", "annual_return",
    "longest_winning_series_profit", "longest_losing_series_loss",
}  # fmt: skip
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def reason(column: str, code: str) -> str:
    """Why a figure is empty."""
    return REASONS_OF.get((column, code)) or REASONS[code]


def rounded(value: Decimal, digits: int) -> str:
    """With thousands separated, half to even as Python writes Decimals; no negative zero."""
    if value.adjusted() > 15:  # one good day, made a year of
        return f"{value:.2e}".replace("-", "\N{MINUS SIGN}")
    value = value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_EVEN)
    return f"{value if value else abs(value):,}".replace("-", "\N{MINUS SIGN}")


def counted(number: int, things: str) -> str:
    """1 trade, 2 trades, 1,000 trades."""
    return f"{number:,} {things.removesuffix('s') if number == 1 else things}"


def plain(value: Decimal) -> str:
    """All digits there are, without trailing zeros: volumes and prices."""
    text = f"{value:,f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return text.replace("-", "\N{MINUS SIGN}")


def duration(value: timedelta) -> str:
    """Days, hours and minutes; seconds where it is shorter than a minute."""
    seconds = round(value.total_seconds())
    days, rest = divmod(seconds, 86400)
    hours, rest = divmod(rest, 3600)
    minutes, seconds = divmod(rest, 60)
    if days:
        return f"{days:,} d {hours} h"
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min" if minutes else f"{seconds} s"


def moment(value: datetime | date) -> str:
    """A UTC time to the minute, or a day."""
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else f"{value:%Y-%m-%d}"


@dataclass(frozen=True)
class Writer:
    """Writes figures; money with as many digits as the account's currency needs."""

    currency: str | None
    digits: int = 2

    def __call__(self, value: Any, kind: str) -> str:
        """A figure as text; a dash where there is none."""
        if value is None:
            return NONE
        match kind:
            case "money":
                return rounded(Decimal(value), self.digits)
            case "percent":
                return f"{rounded(Decimal(value), 2)} %"
            case "share":
                return f"{rounded(100 * Decimal(value), 2)} %"
            case "ratio":
                return rounded(Decimal(value), 3)
            case "count":
                return rounded(Decimal(value), 0)
            case "lots" | "price":
                return plain(Decimal(value))
            case "time":
                return duration(value)
            case "moment":
                return moment(value)
        return str(value)


def sign(value: Any) -> str:
    """Class of a figure by its sign."""
    return "" if value is None or not value else ("gain" if value > 0 else "loss")
