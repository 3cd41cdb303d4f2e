"""The report's figures, read from the database's own views and functions in one transaction.

Every query takes the same scope: a user, optionally a strategy and an account, and [start, end) by
the time of closing. Money of two currencies has no sum: series show the currency with most trades.
"""

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any

import psycopg

from rubi.queries import queries
from rubi.reporting.scope import SQL as SCOPE
from rubi.reporting.scope import TRADES, Row, Scope, of_trades, rows

SQL = queries(__file__)
POINTS = 1000  # groups that a curve of trades is drawn in: two points each


@dataclass
class Report:
    """Everything on the page, as SQL answers it."""

    scope: Scope
    made_at: datetime
    digits: int | None
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
    rules: list[Row] = field(default_factory=list)
    tags: list[Row] = field(default_factory=list)
    checklist: list[Row] = field(default_factory=list)
    ratios: list[Row] = field(default_factory=list)
    multiples: Any = None
    notes: list[Any] = field(default_factory=list)


def read_groups(connection: psycopg.Connection, scope: Scope) -> dict[str, list[Row]]:
    groups: dict[str, list[Row]] = {"months": [], "symbols": [], "hours": [], "weekdays": []}
    for row in rows(connection, SQL.GROUPS, scope.parameters()):
        name = row["grouped_by"]
        groups[f"{name}s"].append(row | {"key": row[name]})
    return groups


def nice_width(span: Decimal, parts: int) -> Decimal:
    """A width of 1, 2 or 5 times a power of ten that makes at most so many parts."""
    if span <= 0:
        return Decimal(1)
    least = span / parts
    power = Decimal(1).scaleb(least.adjusted())
    return next(power * step for step in (1, 2, 5, 10) if power * step >= least)


def read_distribution(connection: psycopg.Connection, scope: Scope) -> list[Row]:
    """Trades by net result in bins of one width; the outermost half percents are open bins."""
    low, high = connection.execute(of_trades(SQL.RANGE), scope.parameters()).fetchone()
    if low is None:
        return []
    width = nice_width(high - low, 36)
    first, last = low // width - (low % width < 0), high // width - (high % width < 0)
    return read_bins(
        connection, TRADES, scope.parameters(width=width, first=int(first), last=int(last))
    )


def read_bins(connection: psycopg.Connection, trades: str, parameters: Row) -> list[Row]:
    """Trades in bins of one width, by the column net of a query."""
    return rows(connection, of_trades(SQL.DISTRIBUTION, trades), parameters)


def read_metrics(
    connection: psycopg.Connection, scope: Scope, risk_free: Decimal
) -> tuple[Row, dict[str, str]]:
    """The row of calculate_performance_metrics, and what each column means by its comment."""
    metrics = rows(connection, SQL.METRICS, scope.parameters(risk_free=risk_free))[0]
    return metrics, dict(connection.execute(SQL.DEFINITIONS).fetchall())


def read(
    connection: psycopg.Connection, scope: Scope, risk_free: Decimal = Decimal(0), last: int = 20
) -> Report:
    """Everything but candles and notes."""
    currencies = rows(connection, SCOPE.CURRENCIES, scope.parameters())
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
    return Report(
        scope=scope,
        made_at=connection.execute("SELECT now()").fetchone()[0],
        digits=connection.execute(SQL.DIGITS, scope.parameters()).fetchone()[0],
        metrics=metrics,
        definitions=definitions,
        curve=rows(connection, of_trades(SQL.CURVE), scope.parameters(points=POINTS)),
        distribution=read_distribution(connection, scope),
        last_trades=rows(connection, of_trades(SQL.LAST_TRADES), scope.parameters(limit=last)),
        equity=rows(connection, SQL.EQUITY, scope.parameters()),
        exposure=rows(connection, SQL.EXPOSURE, scope.parameters()),
        risk=rows(connection, SQL.RISK, scope.parameters()),
        other_currencies=currencies[1:],
        **read_groups(connection, scope),
    )
