"""Rows that tests build on: the shortest statements an API would send."""

from __future__ import annotations

import itertools
import uuid
from typing import Any

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

_numbers = itertools.count(1)
HASH = "$2b$12$" + "a" * 53
TIMEFRAMES = [
    *("M1", "M2", "M3", "M4", "M5", "M6", "M10", "M12", "M15", "M20", "M30"),
    *("H1", "H2", "H3", "H4", "H6", "H8", "H12", "D1", "W1", "MN1"),
]
ORDER_TYPES = [
    *("BUY", "SELL", "BUY_LIMIT", "SELL_LIMIT", "BUY_STOP", "SELL_STOP"),
    *("BUY_STOP_LIMIT", "SELL_STOP_LIMIT", "CLOSE_BY"),
]


def insert(connection: psycopg.Connection, table: str, returning: str = "id", **values: Any) -> Any:
    """Insert one row; answers the column asked for."""
    query = sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING {}").format(
        sql.Identifier(table),
        sql.SQL(", ").join(map(sql.Identifier, values)),
        sql.SQL(", ").join(sql.Placeholder() * len(values)),
        sql.Identifier(returning),
    )
    return connection.execute(query, list(values.values())).fetchone()[0]


def user(connection: psycopg.Connection, **values: Any) -> int:
    """A user with a name of its own."""
    name = f"user{next(_numbers)}"
    values = {"email": f"{name}@example.com", "username": name, "hashed_password": HASH} | values
    return insert(connection, "users", **values)


def strategy(connection: psycopg.Connection, user_id: int, **values: Any) -> int:
    """A strategy of a user."""
    return insert(connection, "trading_strategies", **{"user_id": user_id, "name": "s"} | values)


def session(connection: psycopg.Connection, user_id: int, **values: Any) -> uuid.UUID:
    """An MT5 session of a user; answers session_id."""
    values = {"user_id": user_id, "account_number": "1001", "broker": "Broker"} | values
    return insert(connection, "mt5_sessions", "session_id", **values)


def signal(connection: psycopg.Connection, user_id: int, **values: Any) -> int:
    """A pending BUY signal."""
    values = {
        "user_id": user_id, "symbol": "EURUSD", "signal_type": "BUY", "volume": 1,
        "signal_time": "2026-01-05 10:00+00",
    } | values  # fmt: skip
    return insert(connection, "trading_signals", **values)


def order(connection: psycopg.Connection, user_id: int, **values: Any) -> int:
    """An open BUY order."""
    values = {
        "user_id": user_id, "symbol": "EURUSD", "order_type": "BUY", "volume": 1,
        "open_price": "1.1", "opened_at": "2026-01-05 10:00+00",
    } | values  # fmt: skip
    return insert(connection, "trading_orders", **values)


def closed_order(connection: psycopg.Connection, user_id: int, **values: Any) -> int:
    """A closed BUY order that won 10."""
    values = {"close_price": "1.2", "closed_at": "2026-01-05 11:00+00", "profit": 10} | values
    return order(connection, user_id, **values)


def position(connection: psycopg.Connection, session_id: uuid.UUID, **values: Any) -> int:
    """An open BUY position."""
    values = {
        "session_id": session_id, "ticket": str(next(_numbers)), "symbol": "EURUSD", "type": "BUY",
        "volume": 1, "open_price": "1.1", "current_price": "1.1",
        "open_time": "2026-01-05 10:00+00",
    } | values  # fmt: skip
    return insert(connection, "trading_positions", **values)


def snapshot(connection: psycopg.Connection, session_id: uuid.UUID, **values: Any) -> int:
    """An account snapshot."""
    values = {
        "session_id": session_id, "balance": 1000, "equity": 1000,
        "timestamp": "2026-01-05 10:00+00",
    } | values  # fmt: skip
    return insert(connection, "account_snapshots", **values)


def bar(connection: psycopg.Connection, **values: Any) -> int:
    """An H1 bar of EURUSD."""
    values = {
        "symbol": "EURUSD", "timeframe": "H1", "timestamp": "2026-01-05 10:00+00",
        "open": "1.1", "high": "1.3", "low": "1.0", "close": "1.2", "volume": 5,
    } | values  # fmt: skip
    return insert(connection, "market_data", **values)


def metrics(connection: psycopg.Connection, user_id: int, **values: Any) -> int:
    """A row of performance_metrics for one day."""
    values = {
        "user_id": user_id, "period_start": "2026-01-05 00:00+00",
        "period_end": "2026-01-06 00:00+00",
    } | values  # fmt: skip
    return insert(connection, "performance_metrics", **values)


def deposit(connection: psycopg.Connection, account_id: int, amount: Any, at: Any) -> int:
    """A deal that moves the balance, from which balance_operations follows."""
    return insert(
        connection, "trading_deals", returning="ticket", account_id=account_id,
        ticket=next(_numbers), type=2, profit=amount, executed_at=at, time=0, time_msc=0,
        time_ambiguous=False, volume=0, price=0, commission=0, swap=0, fee=0, symbol="",
        source="api", raw=Jsonb({}),
    )  # fmt: skip
