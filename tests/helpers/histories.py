"""Histories of trades: generated, stored, and what is calculated of them."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
from psycopg.rows import dict_row

from performance_reference import Trade

START = datetime(2025, 1, 1, tzinfo=UTC)
END = START + timedelta(days=400)


def store(
    connection: psycopg.Connection, user: int, strategy: int | None, account: int | None,
    nets: list[tuple[datetime, datetime, Decimal]],
) -> list[Trade]:  # fmt: skip
    """Insert closed orders whose net result is split over profit, commission and swap."""
    numbers = connection.execute(
        "INSERT INTO trading_orders (user_id, strategy_id, account_id, symbol, order_type, volume,"
        " open_price, close_price, opened_at, closed_at, profit, commission, swap)"
        " SELECT %s, %s, %s, 'EURUSD', 'BUY', 0.1, 1.1, 1.2, t.opened, t.closed,"
        " t.net + 0.70 + 0.05, -0.70, -0.05"
        " FROM unnest(%s::timestamptz[], %s::timestamptz[], %s::numeric[])"
        " WITH ORDINALITY AS t (opened, closed, net, number) ORDER BY t.number RETURNING id",
        [user, strategy, account, *(list(column) for column in zip(*nets, strict=True))]
        if nets
        else [user, strategy, account, [], [], []],
    ).fetchall()
    trades = [Trade(number[0], *net) for number, net in zip(numbers, nets, strict=True)]
    return sorted(trades, key=lambda trade: (trade.closed, trade.number))


def generate(random_: random.Random, days: int) -> list[tuple[datetime, datetime, Decimal]]:
    """A history: any number of trades, some at the same moment, some breaking even."""
    edge = random_.choice([-60, -10, 0, 10, 40, 120])
    result = []
    for _ in range(random_.choice([1, 2, 3, 10, 30, 70])):
        closed = START + timedelta(seconds=random_.randrange(days * 86400))
        if result and random_.random() < 0.1:
            closed = result[-1][1]
        net = Decimal(random_.randrange(-10000, 10001) + edge * 50) / 100
        if random_.random() < 0.05:
            net = Decimal(0)
        result.append((closed - timedelta(seconds=random_.randrange(90000)), closed, net))
    return result


def some_trades(seed: int, count: int = 300) -> list[tuple[datetime, datetime, Decimal]]:
    """A history of the golden tests that is long enough for every ratio."""
    random_ = random.Random(seed)
    found: list[tuple[datetime, datetime, Decimal]] = []
    while len(found) < count:
        found += generate(random_, 400)
    return found


def calculate(connection: psycopg.Connection, *arguments: object, **named: object) -> dict:
    """The row that calculate_performance_metrics answers."""
    text = ", ".join(["%s"] * len(arguments) + [f"{name} => %s" for name in named])
    cursor = connection.cursor(row_factory=dict_row)
    cursor.execute(
        f"SELECT m.* FROM calculate_performance_metrics({text}) AS m",
        [*arguments, *named.values()],
    )
    (row,) = cursor.fetchall()
    return row


def table(connection: psycopg.Connection, call: str, *arguments: object) -> list[dict]:
    """The rows that a function answers."""
    marks = ", ".join(["%s"] * len(arguments))
    cursor = connection.cursor(row_factory=dict_row)
    return cursor.execute(f"SELECT r.* FROM {call}({marks}) AS r", arguments).fetchall()
