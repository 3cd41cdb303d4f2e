"""The expected metrics: an independent restatement in Python, and the two references.

Money is exact (Decimal); ratios come from empyrical-reloaded and quantstats.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import pandas as pd

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # deprecations of what the references import
    import empyrical
    from quantstats import stats as quantstats

ZERO = Decimal(0)


@dataclass(frozen=True)
class Trade:
    """A closed trade; number is the order's id."""

    number: int
    opened: datetime
    closed: datetime
    net: Decimal


@dataclass
class Fall:
    """A drawdown: money and percent of the base, with its times."""

    money: Decimal = ZERO
    percent: Decimal = ZERO
    started: datetime | None = None
    trough: datetime | None = None
    recovered: datetime | None = None


def net_by_day(trades: list[Trade], start: datetime, end: datetime) -> dict[datetime, Decimal]:
    """Net result of every UTC day that the period touches."""
    day = start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    days = {}
    while day < end:
        days[day] = ZERO
        day += timedelta(days=1)
    for trade in trades:
        closed = trade.closed.astimezone(UTC)
        days[closed.replace(hour=0, minute=0, second=0, microsecond=0)] += trade.net
    return days


def returns(
    trades: list[Trade], start: datetime, end: datetime, opening: Decimal,
    flows: list[tuple[datetime, Decimal]],
) -> pd.Series:  # fmt: skip
    """Daily returns: result over the day's opening balance, deposits of the day included."""
    balance, values = opening, []
    days = net_by_day(trades, start, end)
    for day, net in days.items():
        balance += sum((amount for at, amount in flows if day <= at < day + timedelta(1)), ZERO)
        values.append(float(net / balance))
        balance += net
    return pd.Series(values, index=pd.DatetimeIndex(list(days)))


def ratios(series: pd.Series, periods: float, risk_free: float) -> dict[str, float]:
    """Sharpe, Sortino, Calmar and percent drawdown by empyrical-reloaded; NaN where undefined."""
    daily = (1 + risk_free) ** (1 / periods) - 1
    with np.errstate(all="ignore"):
        return {
            "sharpe_ratio": empyrical.sharpe_ratio(series, daily, annualization=periods),
            "sortino_ratio": empyrical.sortino_ratio(series, daily, annualization=periods),
            "calmar_ratio": empyrical.calmar_ratio(series, annualization=periods),
            "annual_return": empyrical.annual_return(series, annualization=periods),
            "max_drawdown_percent": -100 * empyrical.max_drawdown(series),
        }


def by_trade(trades: list[Trade]) -> dict[str, float]:
    """Profit factor and win rate by quantstats, fed one return a trade."""
    nets = pd.Series([float(trade.net) for trade in trades], dtype=float)
    return {
        "profit_factor": float(quantstats.profit_factor(nets, prepare_returns=False)),
        "win_rate": 100 * float(quantstats.win_rate(nets, prepare_returns=False)),
    }


def falls(
    points: list[tuple[datetime, Decimal, Decimal]], start: datetime, opening: Decimal
) -> dict[str, Fall]:
    """MT5's three drawdowns of a curve of (time, result so far, put in so far), by looking back.

    Each point looks for the high before it: slow and plain.
    """
    found = {"absolute": Fall(started=start), "maximal": Fall(), "relative": Fall()}
    lowest = ZERO
    for here, (at, value, put_in) in enumerate(points):
        earlier = [(start, ZERO), *((when, result) for when, result, _ in points[:here])]
        high = max(result for _, result in earlier)
        since = [when for when, result in earlier if result == high][-1]
        after = points[here + 1 :]
        if value < lowest:
            lowest = value
            back = next((when for when, result, _ in after if result >= 0), None)
            percent = -value / (opening + put_in) * 100
            found["absolute"] = Fall(-value, percent, start, at, back)
        if value < high:
            money = high - value
            percent = money / (opening + put_in + high) * 100
            back = next((when for when, result, _ in after if result >= high), None)
            fall = Fall(money, percent, since, at, back)
            if money > found["maximal"].money:
                found["maximal"] = fall
            if percent > found["relative"].percent:
                found["relative"] = fall
    return found


def under_water(trades: list[Trade], end: datetime) -> timedelta:
    """Time from each trade that fell below the high to the one that regained it, or to the end."""
    total, value, high, below = timedelta(), ZERO, ZERO, None
    for trade in trades:
        value += trade.net
        if value < high and below is None:
            below = trade.closed
        elif value >= high:
            if below is not None:
                total += trade.closed - below
            high, below = value, None
    return total + (end - below if below else timedelta())


def longest(trades: list[Trade], sign: int) -> tuple[int, Decimal | None]:
    """Most trades in a row of one sign, and their money: of equally long ones the most."""
    best: tuple[int, Decimal] = (0, ZERO)
    for first in range(len(trades)):
        count, money = 0, ZERO
        for trade in trades[first:]:
            if trade.net * sign <= 0:
                break
            count += 1
            money += trade.net
        best = max(best, (count, money * sign))
    return best[0], best[1] * sign if best[0] else None


def restate(trades: list[Trade]) -> dict[str, object]:
    """Every figure that needs no balance."""
    nets = [trade.net for trade in trades]
    won, lost = [n for n in nets if n > 0], [n for n in nets if n < 0]
    win_series, win_money = longest(trades, 1)
    loss_series, loss_money = longest(trades, -1)
    return {
        "total_trades": len(nets),
        "winning_trades": len(won),
        "losing_trades": len(lost),
        "break_even_trades": len(nets) - len(won) - len(lost),
        "total_profit": sum(nets, ZERO),
        "gross_profit": sum(won, ZERO),
        "gross_loss": sum(lost, ZERO),
        "win_rate": Decimal(100 * len(won)) / len(nets) if nets else None,
        "average_profit": sum(nets) / len(nets) if nets else None,
        "max_profit": max(nets, default=None),
        "max_loss": min(nets, default=None),
        "average_win": sum(won) / len(won) if won else None,
        "average_loss": sum(lost) / len(lost) if lost else None,
        "payoff_ratio": (
            (sum(won) / len(won)) / (-sum(lost) / len(lost)) if won and lost else None
        ),
        "profit_factor": sum(won, ZERO) / -sum(lost) if lost else None,
        "longest_winning_series": win_series,
        "longest_winning_series_profit": win_money,
        "longest_losing_series": loss_series,
        "longest_losing_series_loss": loss_money,
        "average_holding_time": (
            sum((t.closed - t.opened for t in trades), timedelta()) / len(trades)
            if trades
            else None
        ),
    }
