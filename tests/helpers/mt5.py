"""Answers of the MetaTrader5 package, as dictionaries; all fields, with the fewest to name."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

_tickets = itertools.count(500_001)
BUY, SELL = 0, 1
IN, OUT, INOUT, OUT_BY = 0, 1, 2, 3
# moments on a server's clock are written as if it were UTC
NOON = "2026-01-05 12:00:00"


def msc(clock: str) -> int:
    """Milliseconds since 1970 of a time on the server's clock."""
    return round(datetime.fromisoformat(clock).replace(tzinfo=UTC).timestamp() * 1000)


def account(**fields: Any) -> dict[str, Any]:
    """account_info()._asdict(): 28 fields of a hedging account in USD."""
    return {
        "login": 7001, "trade_mode": 0, "leverage": 100, "limit_orders": 200, "margin_so_mode": 0,
        "trade_allowed": True, "trade_expert": True, "margin_mode": 2, "currency_digits": 2,
        "fifo_close": False, "balance": 10000.0, "credit": 0.0, "profit": 0.0, "equity": 10000.0,
        "margin": 0.0, "margin_free": 10000.0, "margin_level": 0.0, "margin_so_call": 50.0,
        "margin_so_so": 30.0, "margin_initial": 0.0, "margin_maintenance": 0.0, "assets": 0.0,
        "liabilities": 0.0, "commission_blocked": 0.0, "name": "A. Trader",
        "server": "Broker-Live", "currency": "USD", "company": "Broker Ltd",
    } | fields  # fmt: skip


def deal(at: str = NOON, **fields: Any) -> dict[str, Any]:
    """history_deals_get()[i]._asdict(): 18 fields. `order` follows the ticket where not given."""
    ticket = fields.get("ticket") or next(_tickets)
    time_msc = msc(at)
    return {
        "ticket": ticket, "order": ticket, "time": time_msc // 1000, "time_msc": time_msc,
        "type": BUY, "entry": IN, "magic": 0, "position_id": ticket, "reason": 3, "volume": 1.0,
        "price": 1.1, "commission": 0.0, "swap": 0.0, "profit": 0.0, "fee": 0.0,
        "symbol": "EURUSD", "comment": "", "external_id": "",
    } | fields  # fmt: skip


def money(amount: float, at: str = NOON, kind: int = 2, **fields: Any) -> dict[str, Any]:
    """A deal that moves money only; kind 2 is BALANCE."""
    return deal(
        at, **({
            "type": kind, "entry": 0, "order": 0, "position_id": 0, "volume": 0.0, "price": 0.0,
            "symbol": "", "profit": amount, "reason": 0,
        } | fields)
    )  # fmt: skip


def order(at: str = NOON, **fields: Any) -> dict[str, Any]:
    """history_orders_get()[i]._asdict(): 24 fields of a filled market order."""
    ticket = fields.get("ticket") or next(_tickets)
    time_msc = msc(at)
    return {
        "ticket": ticket, "time_setup": time_msc // 1000, "time_setup_msc": time_msc,
        "time_done": time_msc // 1000, "time_done_msc": time_msc, "time_expiration": 0, "type": BUY,
        "type_time": 0, "type_filling": 1, "state": 4, "magic": 0, "position_id": ticket,
        "position_by_id": 0, "reason": 3, "volume_initial": 1.0, "volume_current": 0.0,
        "price_open": 0.0, "sl": 0.0, "tp": 0.0, "price_current": 1.1, "price_stoplimit": 0.0,
        "symbol": "EURUSD", "comment": "", "external_id": "",
    } | fields  # fmt: skip


def position(at: str = NOON, **fields: Any) -> dict[str, Any]:
    """positions_get()[i]._asdict(): 19 fields. identifier follows the ticket where not given."""
    ticket = fields.get("ticket") or next(_tickets)
    time_msc = msc(at)
    return {
        "ticket": ticket, "time": time_msc // 1000, "time_msc": time_msc,
        "time_update": time_msc // 1000, "time_update_msc": time_msc, "type": BUY, "magic": 0,
        "identifier": ticket, "reason": 3, "volume": 1.0, "price_open": 1.1, "sl": 0.0, "tp": 0.0,
        "price_current": 1.1, "swap": 0.0, "profit": 0.0, "symbol": "EURUSD", "comment": "",
        "external_id": "",
    } | fields  # fmt: skip


def symbol(**fields: Any) -> dict[str, Any]:
    """symbol_info()._asdict(): the fields that are stored, and two that are not."""
    return {
        "name": "EURUSD.m", "description": "Euro", "path": "Forex\\EURUSD.m",
        "currency_base": "EUR", "currency_profit": "USD", "currency_margin": "EUR", "digits": 5,
        "trade_calc_mode": 0, "trade_mode": 4, "trade_exemode": 2, "trade_stops_level": 0,
        "trade_freeze_level": 0, "filling_mode": 2, "expiration_mode": 15, "order_mode": 127,
        "swap_mode": 1, "swap_rollover3days": 3, "expiration_time": 0, "point": 1e-05,
        "trade_contract_size": 100000.0, "trade_tick_size": 1e-05, "trade_tick_value": 1.0,
        "trade_tick_value_profit": 1.0, "trade_tick_value_loss": 1.0, "volume_min": 0.01,
        "volume_max": 500.0, "volume_step": 0.01, "volume_limit": 0.0, "swap_long": -7.1,
        "swap_short": 2.3, "margin_initial": 0.0, "margin_maintenance": 0.0,
        "margin_hedged": 100000.0, "bid": 1.1, "ask": 1.10012,
    } | fields  # fmt: skip


def open_account(connection: psycopg.Connection, user_id: int, **fields: Any) -> int:
    """ingest_mt5_account; answers the account's id. taken_at: when, else now."""
    taken_at = fields.pop("taken_at", None)
    return connection.execute(
        "SELECT ingest_mt5_account(%s, %s, coalesce(%s::timestamptz, now()))",
        [user_id, Jsonb(account(**fields)), taken_at],
    ).fetchone()[0]


def ingest(
    connection: psycopg.Connection, what: str, account_id: int, rows: Any, *more: Any
) -> tuple[int, int, int, int]:
    """ingest_mt5_<what>; answers (inserted, updated, unchanged, rejected)."""
    slots = ", ".join(["%s"] * (2 + len(more)))
    return connection.execute(
        f"SELECT * FROM ingest_mt5_{what}({slots})",
        [account_id, Jsonb(rows), *more],
    ).fetchone()


def trips(connection: psycopg.Connection, account_id: int, *columns: str) -> list[tuple]:
    """The account's trips in the order of position and leg; money and volumes as Decimal."""
    names = ", ".join(columns or ("leg", "side", "volume_opened", "open_price", "close_price"))
    return connection.execute(
        f"SELECT {names} FROM mt5_trips WHERE account_id = %s ORDER BY position_id, leg",
        [account_id],
    ).fetchall()


def violations(connection: psycopg.Connection) -> dict[str, int]:
    """Proofs that fail, by name."""
    return dict(
        connection.execute(
            "SELECT name, violations FROM monitoring.proofs WHERE violations > 0"
        ).fetchall()
    )


def decimals(*values: str) -> tuple[Decimal, ...]:
    """Several decimals."""
    return tuple(map(Decimal, values))


def rejects(db: psycopg.Connection) -> list[tuple]:
    return db.execute("SELECT source, reason FROM mt5_rejects ORDER BY id").fetchall()


def opened(db: psycopg.Connection) -> list[tuple]:
    return db.execute("SELECT identifier, ticket FROM trading_positions ORDER BY 1").fetchall()


def orders(db: psycopg.Connection, account: int, *columns: str) -> list[tuple]:
    return db.execute(
        f"SELECT {', '.join(columns)} FROM trading_orders WHERE account_id = %s"
        " ORDER BY opened_at, id",
        [account],
    ).fetchall()
