"""Thousands of generated rows against the tables, and the rules restated in Python.

Each accepted row satisfies every rule as restated here; each refused one breaks a rule, and the
error names one of those it breaks. The restatement reads no SQL.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors
from psycopg.types.json import Jsonb

import rows

NAN = Decimal("NaN")
T0 = datetime(2026, 1, 5, 10, tzinfo=UTC)
Row = dict[str, Any]
Rules = dict[str, Callable[[Row], bool]]

numbers = st.one_of(
    st.decimals(-1000, 1000, places=8),
    st.sampled_from([Decimal(0), Decimal(1), Decimal(-1), Decimal("1E-8"), NAN]),
)
volumes = st.one_of(
    st.sampled_from([Decimal("0.01"), Decimal(1), Decimal("1E-8")]),
    st.decimals(Decimal("0.01"), 100, places=8),
    numbers,
)
prices = st.one_of(st.none(), st.sampled_from([Decimal(n) for n in (-1, 0, 1, 2)]), numbers)
times = st.integers(-2, 2).map(lambda n: T0 + timedelta(minutes=n))
symbols = st.one_of(
    st.sampled_from(["EURUSD", "EURUSD.m", "#AAPL", "Volatility 75 (1s) Index", "Öl"]),
    st.just("EURUSD"),
    st.sampled_from(["", " EURUSD", "EURUSD\xa0", "EUR\tUSD", "EURUSD\x85"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8),
)
timeframes = st.sampled_from([*rows.TIMEFRAMES, "H5", "h1", "", "M1 "])


def finite(*values: Decimal | None) -> bool:
    return not any(value is not None and value.is_nan() for value in values)


def trimmed(text: str) -> bool:
    """Not empty, no control character, no blank at either end."""
    is_printable = all(unicodedata.category(char) != "Cc" for char in text)
    return text != "" and is_printable and text == text.strip(" \xa0")


def before(one: Any, other: Any) -> bool:
    """Both known and the first smaller; NaN is above every number."""
    if one is None or other is None:
        return True
    if isinstance(one, Decimal) and (one.is_nan() or other.is_nan()):
        return other.is_nan() and not one.is_nan()
    return one < other


SIGNAL = st.fixed_dictionaries(
    {
        "symbol": symbols,
        "signal_type": st.sampled_from(["BUY", "SELL", "CLOSE_BUY", "CLOSE_SELL"]),
        "status": st.sampled_from(["PENDING", "EXECUTED", "REJECTED"]),
        "executed_at": st.one_of(st.none(), times),
        "entry_price": prices,
        "stop_loss": prices,
        "take_profit": prices,
        "volume": volumes,
        "confidence": st.one_of(
            st.decimals(0, 1, places=2),
            st.sampled_from([Decimal(n) for n in (-1, 0, 1, 2)] + [NAN]),
        ),
        "timeframe": timeframes,
    }
)


def side(row: Row, column: str, below: str) -> bool:
    """The stop or target lies where it belongs for a signal that opens at a known price."""
    if row["entry_price"] is None or row[column] is None:
        return True
    if row["signal_type"] == below:
        return before(row[column], row["entry_price"])
    if row["signal_type"] in ("BUY", "SELL"):
        return before(row["entry_price"], row[column])
    return True


SIGNAL_RULES: Rules = {
    "symbol_trimmed_check": lambda r: trimmed(r["symbol"]),
    "volume_positive_check": lambda r: finite(r["volume"]) and r["volume"] > 0,
    "price_not_nan_check": lambda r: finite(r["entry_price"], r["stop_loss"], r["take_profit"]),
    "confidence_range_check": lambda r: finite(r["confidence"]) and 0 <= r["confidence"] <= 1,
    "timeframe_known_check": lambda r: r["timeframe"] in rows.TIMEFRAMES,
    "stop_loss_side_check": lambda r: side(r, "stop_loss", "BUY"),
    "take_profit_side_check": lambda r: side(r, "take_profit", "SELL"),
    # an executed signal without a time gets one
    "executed_at_with_executed_check": lambda r: r["status"] == "EXECUTED" or not r["executed_at"],
}

ORDER = st.fixed_dictionaries(
    {
        "symbol": symbols,
        "order_type": st.sampled_from([*rows.ORDER_TYPES, "buy", "MARKET"]),
        "volume": volumes,
        "open_price": prices,
        "close_price": prices,
        "stop_loss": prices,
        "take_profit": prices,
        "profit": numbers,
        "commission": st.sampled_from([Decimal(0), Decimal(-1), NAN]),
        "swap": st.sampled_from([Decimal(0), Decimal(-1), NAN]),
        "opened_at": times,
        "closed_at": st.one_of(st.none(), times),
        "time_ambiguous": st.booleans(),
    }
)
ORDER_RULES: Rules = {
    "symbol_trimmed_check": lambda r: trimmed(r["symbol"]),
    "order_type_known_check": lambda r: r["order_type"] in rows.ORDER_TYPES,
    "volume_positive_check": lambda r: finite(r["volume"]) and r["volume"] > 0,
    "price_not_nan_check": lambda r: finite(
        r["open_price"], r["close_price"], r["stop_loss"], r["take_profit"]
    ),
    "amount_not_nan_check": lambda r: finite(r["profit"], r["commission"], r["swap"]),
    "closed_after_opened_check": lambda r: (
        r["time_ambiguous"] or r["closed_at"] is None or r["closed_at"] >= r["opened_at"]
    ),
    "closed_has_price_check": lambda r: (
        r["closed_at"] is None
        or r["close_price"] is not None
        or (
            r["order_type"] not in ("BUY", "SELL", "CLOSE_BY")
            and r["profit"] == r["commission"] == r["swap"] == 0
        )
    ),
}

POSITION = st.fixed_dictionaries(
    {
        "symbol": symbols,
        "ticket": st.sampled_from(["1", "t-2", "3", ""]),
        "type": st.sampled_from(["BUY", "SELL", "BUY", "SELL", "buy", "BUY_LIMIT"]),
        "volume": volumes,
        "open_price": numbers,
        "current_price": numbers,
        "sl": prices,
        "tp": prices,
        "profit": numbers,
        "swap": numbers,
    }
)
POSITION_RULES: Rules = {
    "symbol_trimmed_check": lambda r: trimmed(r["symbol"]),
    "text_not_blank_check": lambda r: r["ticket"].strip() != "",
    "position_type_known_check": lambda r: r["type"] in ("BUY", "SELL"),
    "volume_positive_check": lambda r: finite(r["volume"]) and r["volume"] > 0,
    "price_not_nan_check": lambda r: finite(r["open_price"], r["current_price"], r["sl"], r["tp"]),
    "amount_not_nan_check": lambda r: finite(r["profit"], r["swap"]),
}

BAR = st.fixed_dictionaries(
    {
        "symbol": symbols,
        "timeframe": timeframes,
        "timestamp": times,
        "open": numbers,
        "high": st.one_of(numbers, st.just(Decimal(1000))),
        "low": st.one_of(numbers, st.just(Decimal(-1000))),
        "close": numbers,
        "volume": st.integers(-2, 5),
        "real_volume": st.one_of(st.none(), st.integers(-2, 5)),
        "spread": st.one_of(st.none(), st.integers(-5, 5)),
    }
)
BAR_RULES: Rules = {
    "symbol_trimmed_check": lambda r: trimmed(r["symbol"]),
    "timeframe_known_check": lambda r: r["timeframe"] in rows.TIMEFRAMES,
    "high_not_nan_check": lambda r: finite(r["high"]),
    "high_is_highest_check": lambda r: (
        not before(r["high"], r["open"]) and not before(r["high"], r["close"])
    ),
    "low_is_lowest_check": lambda r: (
        not any(before(r[name], r["low"]) for name in ("open", "close", "high"))
    ),
    "volume_not_negative_check": lambda r: r["volume"] >= 0,
    "real_volume_not_negative_check": lambda r: (r["real_volume"] or 0) >= 0,
}

SNAPSHOT = st.fixed_dictionaries(
    {
        "balance": numbers,
        "equity": numbers,
        "margin": numbers,
        "margin_free": numbers,
        "margin_level": st.one_of(numbers, st.sampled_from([Decimal("Infinity"), Decimal(10**15)])),
        "profit": numbers,
    }
)
SNAPSHOT_RULES: Rules = {
    "amount_not_nan_check": lambda r: finite(
        r["balance"], r["equity"], r["margin"], r["margin_free"], r["profit"]
    ),
    "margin_not_negative_check": lambda r: finite(r["margin"]) and r["margin"] >= 0,
    "margin_level_finite_check": lambda r: r["margin_level"].is_finite(),
}

USER = st.fixed_dictionaries(
    {
        "email": st.one_of(
            st.sampled_from(["a@b.c", "x.y+z@host", "@b", "a@", "a b@c", "plain", "a@b@c"]),
            st.emails(),
        ),
        "username": st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=6),
        "hashed_password": st.sampled_from(
            [
                "!",
                "!x",
                rows.HASH,
                "secret",
                "",
                "$2b$12$short",
                " " + rows.HASH,
                "$argon2id$x",
            ]
        ),
        "is_active": st.booleans(),
        "closed_at": st.one_of(st.none(), times),
    }
)
USER_RULES: Rules = {
    "email_form_check": lambda r: (
        bool(re.fullmatch(r"[^@\s\x00-\x1f\x7f]+@[^@\s\x00-\x1f\x7f]+", r["email"]))
        and len(r["email"]) <= 320
    ),
    "username_trimmed_check": lambda r: trimmed(r["username"]),
    "hashed_password_is_hash_check": lambda r: r["hashed_password"] in ("!", "!x", rows.HASH),
    "closed_is_inactive_check": lambda r: r["closed_at"] is None or not r["is_active"],
}

json_values = st.sampled_from(["EURUSD", "#AAPL", "Öl", "", " x", None, 1, ["EURUSD"]])
STRATEGY = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["s", "x", "Moving average", "  ", ""]),
        "symbols": st.one_of(
            st.just(["EURUSD"]), st.lists(json_values, max_size=2), st.sampled_from([{}, "EURUSD"])
        ),
        "timeframes": st.one_of(
            st.just(["H1"]), st.lists(timeframes, max_size=2), st.sampled_from([[1], {}, "H1"])
        ),
        "max_positions": st.integers(-1, 6),
        "risk_per_trade": st.one_of(
            st.decimals(Decimal("0.01"), 1, places=4), st.decimals(-1, 2, places=4), st.just(NAN)
        ),
    }
)
STRATEGY_RULES: Rules = {
    "name_not_blank_check": lambda r: r["name"].strip() != "",
    "symbol_list_form_check": lambda r: (
        isinstance(r["symbols"], list)
        and all(isinstance(value, str) and trimmed(value) for value in r["symbols"])
    ),
    "timeframe_list_form_check": lambda r: (
        isinstance(r["timeframes"], list)
        and all(value in rows.TIMEFRAMES for value in r["timeframes"])
    ),
    "position_limit_positive_check": lambda r: r["max_positions"] > 0,
    "risk_share_range_check": lambda r: (
        finite(r["risk_per_trade"]) and 0 < r["risk_per_trade"] <= 1
    ),
}

TABLES = {
    "trading_signals": (SIGNAL, SIGNAL_RULES),
    "trading_orders": (ORDER, ORDER_RULES),
    "trading_positions": (POSITION, POSITION_RULES),
    "market_data": (BAR, BAR_RULES),
    "account_snapshots": (SNAPSHOT, SNAPSHOT_RULES),
    "users": (USER, USER_RULES),
    "trading_strategies": (STRATEGY, STRATEGY_RULES),
}


def insert(connection: psycopg.Connection, table: str, row: Row, user: int, session: Any) -> None:
    values = {key: Jsonb(v) if isinstance(v, dict | list) else v for key, v in row.items()}
    if table == "trading_strategies":
        values |= {name: Jsonb(row[name]) for name in ("symbols", "timeframes")}
    makers: dict[str, Callable[[], Any]] = {
        "trading_signals": lambda: rows.signal(connection, user, **values),
        "trading_orders": lambda: rows.order(connection, user, **values),
        "trading_positions": lambda: rows.position(connection, session, **values),
        "market_data": lambda: rows.bar(connection, **values),
        "account_snapshots": lambda: rows.snapshot(connection, session, **values),
        "users": lambda: rows.user(connection, **values),
        "trading_strategies": lambda: rows.strategy(connection, user, **values),
    }
    makers[table]()


@pytest.mark.parametrize("examples", [100, pytest.param(800, marks=pytest.mark.slow)])
@pytest.mark.parametrize("table", TABLES)
def test_accepted_rows_keep_the_rules_and_refused_ones_name_a_broken_one(
    rolled_back: psycopg.Connection, table: str, examples: int
) -> None:
    row_strategy, rules = TABLES[table]
    user = rows.user(rolled_back)
    session = rows.session(rolled_back, user)
    seen = {"accepted": 0, "refused": 0}
    named: set[str] = set()

    @settings(
        max_examples=examples,
        suppress_health_check=list(HealthCheck),
    )
    @given(row_strategy)
    def attempt(row: Row) -> None:
        failed = [name for name, holds in rules.items() if not holds(row)]
        # constraints of domains, and of the table
        broken = {*failed, *(f"{table}_{name}" for name in failed)}
        try:
            with rolled_back.transaction(force_rollback=True):
                insert(rolled_back, table, row, user, session)
        except errors.CheckViolation as error:
            assert error.diag.constraint_name in broken
            named.add(error.diag.constraint_name)
            seen["refused"] += 1
        except errors.NumericValueOutOfRange:
            # numeric(p, s) refuses infinity itself
            assert any(isinstance(v, Decimal) and v.is_infinite() for v in row.values())
            seen["refused"] += 1
        else:
            assert failed == []
            seen["accepted"] += 1

    attempt()
    assert min(seen.values()) >= examples // 50, seen
    assert examples < 800 or len(named) >= len(rules) - 1, named
