"""The report's figures, read from the database's own views and functions in one transaction.

Every query takes the same scope: a user, optionally a strategy and an account, and [start, end) by
the time of closing. Money of two currencies has no sum: series show the currency with most trades.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg

from rubi.queries import queries
from rubi.reporting.scope import Row, Scope, find_currencies, of_trades, rows

SQL = queries(__file__)
POINTS = 1000  # groups that a curve of trades is drawn in: two points each
# as symbol_results, hour_results and so on say it
RESULT = """
    count(*) AS trades,
    count(*) FILTER (WHERE t.side = 1) AS winning_trades,
    100.0 * count(*) FILTER (WHERE t.side = 1) / count(*) AS win_rate,
    sum(t.net) AS net_profit,
    coalesce(sum(t.net) FILTER (WHERE t.side = 1), 0)
    / -sum(t.net) FILTER (WHERE t.side = -1) AS profit_factor,
    avg(t.net) AS average_profit
"""
GROUPS = {
    "months": "date_trunc('month', t.closed_on::timestamp)::date",
    "symbols": "t.symbol",
    "hours": "extract(HOUR FROM t.opened_at AT TIME ZONE 'UTC')::integer",
    "weekdays": "extract(ISODOW FROM t.opened_at AT TIME ZONE 'UTC')::integer",
}


@dataclass
class Report:
    """Everything on the page, as SQL answers it."""

    scope: Scope
    made_at: datetime
    metrics: Row
    definitions: dict[str, str]
    months: list[Row]
    symbols: list[Row]
    hours: list[Row]
    weekdays: list[Row]
    curve: list[Row]
    distribution: list[Row]
    last_trades: list[Row]
    equity: list[Row]
    exposure: list[Row]
    risk: list[Row]
    other_currencies: list[Row]
    candles: list[Any] = field(default_factory=list)
    notes: list[Any] = field(default_factory=list)


def read_groups(connection: psycopg.Connection, scope: Scope) -> dict[str, list[Row]]:
    """Results by month, symbol, hour and weekday."""
    return {
        name: rows(
            connection,
            of_trades(
                f"SELECT {expression} AS key, {RESULT} FROM trades AS t GROUP BY 1"
                + (" ORDER BY sum(t.net) DESC, 1" if name == "symbols" else " ORDER BY 1")
            ),
            scope.parameters(),
        )
        for name, expression in GROUPS.items()
    }


def nice_width(span: Decimal, parts: int) -> Decimal:
    """A width of 1, 2 or 5 times a power of ten that makes at most so many parts."""
    if span <= 0:
        return Decimal(1)
    least = span / parts
    power = Decimal(1).scaleb(least.adjusted())
    return next(power * step for step in (1, 2, 5, 10) if power * step >= least)


def read_distribution(connection: psycopg.Connection, scope: Scope) -> list[Row]:
    """Trades by net result in bins of one width; the outermost half percents are open bins."""
    low, high = connection.execute(
        of_trades(SQL.RANGE),
        scope.parameters(),
    ).fetchone()
    if low is None:
        return []
    width = nice_width(high - low, 36)
    first, last = low // width - (low % width < 0), high // width - (high % width < 0)
    return rows(
        connection,
        of_trades(SQL.DISTRIBUTION),
        scope.parameters(width=width, first=int(first), last=int(last)),
    )


def read_equity(connection: psycopg.Connection, scope: Scope) -> list[Row]:
    """Balance and equity by day, the accounts of the currency added up; empty for a strategy."""
    if scope.strategy_id is not None:
        return []
    found = rows(
        connection,
        SQL.EQUITY,
        scope.parameters(),
    )
    if len({row["account_id"] for row in found}) <= 1:
        return found
    # several accounts: each keeps its last state until its next day, and the fall is of the sum
    latest: dict[int, Row] = {}
    days: dict[Any, Row] = {}
    high = Decimal(0)
    for row in found:
        latest[row["account_id"]] = row
        balance, equity = (
            sum(state[name] for state in latest.values()) for name in ("balance", "equity")
        )
        days[row["day"]] = {"day": row["day"], "balance": balance, "equity": equity}
    for day in days.values():
        high = max(high, day["equity"])
        day["drawdown_percent"] = 100 * (high - day["equity"]) / high if high > 0 else None
    return list(days.values())


def read_now(connection: psycopg.Connection, scope: Scope) -> tuple[list[Row], list[Row]]:
    """Open positions and orders, and the accounts' distance from trouble."""
    exposure = rows(
        connection,
        "SELECT currency, symbol, positions, long_volume, short_volume, net_volume, net_profit"
        " FROM public.exposure_by_symbol WHERE user_id = %(user_id)s ORDER BY symbol, currency",
        scope.parameters(),
    )
    risk = rows(
        connection,
        "SELECT account_number, broker, currency, as_of, balance, equity, margin_level, drawdown,"
        " drawdown_percent, loss_against_equity, distance_to_margin_call, distance_to_stop_out"
        " FROM public.account_risk WHERE user_id = %(user_id)s"
        " AND (%(account_id)s::bigint IS NULL OR account_id = %(account_id)s)"
        " ORDER BY account_number, account_id",
        scope.parameters(),
    )
    return exposure, risk


def read_metrics(
    connection: psycopg.Connection, scope: Scope, risk_free: Decimal
) -> tuple[Row, dict[str, str]]:
    """The row of calculate_performance_metrics, and each column's meaning by its comment."""
    metrics = rows(
        connection,
        "SELECT * FROM public.calculate_performance_metrics(p_user_id => %(user_id)s,"
        " p_strategy_id => %(strategy_id)s, p_period_start => %(start)s, p_period_end => %(end)s,"
        " p_risk_free => %(risk_free)s, p_account_id => %(account_id)s)",
        scope.parameters(risk_free=risk_free),
    )[0]
    definitions = connection.execute(
        "SELECT a.attname, col_description(a.attrelid, a.attnum) FROM pg_attribute AS a"
        " WHERE a.attrelid = 'public.performance_metrics'::regclass AND a.attnum > 0"
        " AND NOT a.attisdropped"
    )
    return metrics, dict(definitions.fetchall())


def read_last_trades(connection: psycopg.Connection, scope: Scope, limit: int) -> list[Row]:
    """The trades closed last, latest first, with their prices."""
    return rows(
        connection,
        of_trades(SQL.LAST_TRADES),
        scope.parameters(limit=limit),
    )


def read(
    connection: psycopg.Connection, scope: Scope, risk_free: Decimal = Decimal(0), last: int = 20
) -> Report:
    """Everything but candles and notes."""
    currencies = find_currencies(connection, scope)
    if currencies:
        main = currencies[0]["currency"]
    else:
        main = connection.execute(
            "SELECT min(currency) FROM public.mt5_accounts WHERE user_id = %(user_id)s"
            " AND (%(account_id)s::bigint IS NULL OR id = %(account_id)s)",
            scope.parameters(),
        ).fetchone()[0]
    scope = Scope(**(vars(scope) | {"currency": main}))
    metrics, definitions = read_metrics(connection, scope, risk_free)
    exposure, risk = read_now(connection, scope)
    return Report(
        scope=scope,
        made_at=connection.execute("SELECT now()").fetchone()[0],
        metrics=metrics,
        definitions=definitions,
        curve=rows(connection, of_trades(SQL.CURVE), scope.parameters(points=POINTS)),
        distribution=read_distribution(connection, scope),
        last_trades=read_last_trades(connection, scope, last),
        equity=read_equity(connection, scope),
        exposure=exposure,
        risk=risk,
        other_currencies=currencies[1:],
        **read_groups(connection, scope),
    )
