"""Each data rule both ways: the impossible row refused by name, the nearest one accepted."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

import rows

NAN = "NaN"
OPENED, BEFORE, AFTER = "2026-01-05 10:00+00", "2026-01-05 09:59:59+00", "2026-01-05 10:00:01+00"


def make(connection: psycopg.Connection, table: str, values: dict[str, Any]) -> int:
    """Insert a row of a table, with the parents it needs."""
    makers: dict[str, Callable[..., Any]] = {
        "trading_strategies": rows.strategy,
        "mt5_sessions": rows.session,
        "trading_signals": rows.signal,
        "trading_orders": rows.order,
        "performance_metrics": rows.metrics,
    }
    if table == "users":
        return rows.user(connection, **values)
    if table == "market_data":
        return rows.bar(connection, **values)
    user = rows.user(connection)
    if table in makers:
        return makers[table](connection, user, **values)
    session = rows.session(connection, user)
    maker = rows.position if table == "trading_positions" else rows.snapshot
    return maker(connection, session, **values)


def case(table: str, rule: str, **values: Any) -> Any:
    """A row that breaks exactly one rule."""
    shown = ",".join(f"{name}={value}" for name, value in values.items())
    return pytest.param(table, values, rule, id=f"{table}-{rule}-{shown}"[:90])


REFUSED = [
    case("users", "email_form_check", email="nobody"),
    case("users", "email_form_check", email="a b@example.com"),
    case("users", "username_trimmed_check", username=" name"),
    case("users", "username_trimmed_check", username=""),
    case("users", "hashed_password_is_hash_check", hashed_password="secret"),
    case("users", "hashed_password_is_hash_check", hashed_password="$2b$12$tooshort"),
    case("users", "hashed_password_is_hash_check", hashed_password=""),
    case("users", "closed_is_inactive_check", closed_at=OPENED),
    case("trading_strategies", "name_not_blank_check", name="  "),
    case("trading_strategies", "symbol_list_form_check", symbols=Jsonb({"a": 1})),
    case("trading_strategies", "symbol_list_form_check", symbols=Jsonb([1])),
    case("trading_strategies", "symbol_list_form_check", symbols=Jsonb([" EURUSD"])),
    case("trading_strategies", "symbol_list_form_check", symbols=Jsonb([""])),
    case("trading_strategies", "symbol_list_form_check", symbols=Jsonb([["EURUSD"]])),
    case("trading_strategies", "timeframe_list_form_check", timeframes=Jsonb(["H5"])),
    case("trading_strategies", "timeframe_list_form_check", timeframes=Jsonb("H1")),
    case("trading_strategies", "timeframe_list_form_check", timeframes=Jsonb([None])),
    case("trading_strategies", "position_limit_positive_check", max_positions=0),
    case("trading_strategies", "risk_share_range_check", risk_per_trade=0),
    case("trading_strategies", "risk_share_range_check", risk_per_trade="1.0001"),
    case("trading_strategies", "risk_share_range_check", risk_per_trade=NAN),
    case("mt5_sessions", "text_not_blank_check", account_number=" "),
    case("mt5_sessions", "text_not_blank_check", broker=""),
    case("mt5_sessions", "currency_form_check", currency="U"),
    case("mt5_sessions", "currency_form_check", currency="U$D"),
    case("mt5_sessions", "amount_not_nan_check", balance=NAN),
    case("mt5_sessions", "amount_not_nan_check", margin_free=NAN),
    case("mt5_sessions", "margin_not_negative_check", margin=-1),
    case(
        "mt5_sessions",
        "disconnected_after_connected_check",
        connected_at=OPENED,
        disconnected_at=BEFORE,
    ),
    case("trading_signals", "symbol_trimmed_check", symbol=""),
    case("trading_signals", "symbol_trimmed_check", symbol="EURUSD "),
    case("trading_signals", "symbol_trimmed_check", symbol="EUR\tUSD"),
    case("trading_signals", "volume_positive_check", volume=0),
    case("trading_signals", "volume_positive_check", volume=-1),
    case("trading_signals", "volume_positive_check", volume=NAN),
    case("trading_signals", "price_not_nan_check", entry_price=NAN),
    case("trading_signals", "price_not_nan_check", stop_loss=NAN),
    case("trading_signals", "confidence_range_check", confidence=7),
    case("trading_signals", "confidence_range_check", confidence="-0.01"),
    case("trading_signals", "confidence_range_check", confidence=NAN),
    case("trading_signals", "timeframe_known_check", timeframe="H5"),
    case("trading_signals", "stop_loss_side_check", entry_price=1, stop_loss=1),
    case("trading_signals", "stop_loss_side_check", entry_price=1, stop_loss=2),
    case("trading_signals", "take_profit_side_check", entry_price=1, take_profit="0.9"),
    case(
        "trading_signals", "stop_loss_side_check", signal_type="SELL", entry_price=1, stop_loss=".9"
    ),
    case(
        "trading_signals",
        "take_profit_side_check",
        signal_type="SELL",
        entry_price=1,
        take_profit=2,
    ),
    case("trading_signals", "executed_at_with_executed_check", executed_at=OPENED),
    case("trading_signals", "request_id_form_check", client_request_id=""),
    case("trading_orders", "symbol_trimmed_check", symbol=" EURUSD"),
    case("trading_orders", "order_type_known_check", order_type="buy"),
    case("trading_orders", "order_type_known_check", order_type="MARKET"),
    case("trading_orders", "volume_positive_check", volume=0),
    case("trading_orders", "volume_positive_check", volume=NAN),
    case("trading_orders", "price_not_nan_check", open_price=NAN),
    case("trading_orders", "price_not_nan_check", close_price=NAN),
    case("trading_orders", "amount_not_nan_check", profit=NAN),
    case("trading_orders", "amount_not_nan_check", swap=NAN),
    case("trading_orders", "closed_after_opened_check", closed_at=BEFORE, close_price=1),
    case("trading_orders", "closed_has_price_check", closed_at=AFTER),
    case("trading_orders", "closed_has_price_check", closed_at=AFTER, order_type="CLOSE_BY"),
    case(
        "trading_orders",
        "closed_has_price_check",
        closed_at=AFTER,
        order_type="BUY_LIMIT",
        commission=-1,
    ),
    case("trading_positions", "symbol_trimmed_check", symbol=""),
    case("trading_positions", "position_type_known_check", type="BUY_LIMIT"),
    case("trading_positions", "volume_positive_check", volume=0),
    case("trading_positions", "price_not_nan_check", current_price=NAN),
    case("trading_positions", "price_not_nan_check", sl=NAN),
    case("trading_positions", "amount_not_nan_check", profit=NAN),
    case("trading_positions", "text_not_blank_check", ticket=""),
    case("account_snapshots", "amount_not_nan_check", equity=NAN),
    case("account_snapshots", "margin_not_negative_check", margin=-1),
    case("account_snapshots", "margin_level_finite_check", margin_level=NAN),
    case("account_snapshots", "margin_level_finite_check", margin_level="Infinity"),
    case("market_data", "symbol_trimmed_check", symbol="EURUSD\n"),
    case("market_data", "timeframe_known_check", timeframe="m1"),
    case("market_data", "high_is_highest_check", high="1.15"),
    case("market_data", "high_is_highest_check", open="1.31"),
    case("market_data", "low_is_lowest_check", low="1.11"),
    case("market_data", "low_is_lowest_check", close="0.99"),
    case("market_data", "high_not_nan_check", high=NAN),
    case("market_data", "high_is_highest_check", close=NAN),
    case("market_data", "low_is_lowest_check", low=NAN),
    case("market_data", "volume_not_negative_check", volume=-1),
    case("market_data", "real_volume_not_negative_check", real_volume=-1),
    case("performance_metrics", "period_end_after_start_check", period_end="2026-01-05 00:00+00"),
    case("performance_metrics", "counts_not_negative_check", winning_trades=-1),
    case(
        "performance_metrics",
        "winners_and_losers_at_most_total_check",
        total_trades=3,
        winning_trades=2,
        losing_trades=2,
    ),
    case("performance_metrics", "win_rate_range_check", win_rate=400),
    case("performance_metrics", "win_rate_range_check", win_rate=NAN),
    case("performance_metrics", "figures_finite_check", total_profit=NAN),
    case("performance_metrics", "max_drawdown_not_negative_check", max_drawdown=-1),
    case("performance_metrics", "figures_finite_check", sharpe_ratio="Infinity"),
    case("performance_metrics", "figures_finite_check", profit_factor=NAN),
]


@pytest.mark.parametrize(("table", "values", "rule"), REFUSED)
def test_impossible_row_is_refused_by_name(
    rolled_back: psycopg.Connection, table: str, values: dict[str, Any], rule: str
) -> None:
    with pytest.raises(errors.CheckViolation) as caught:
        make(rolled_back, table, values)
    # of a domain, or of the table
    assert caught.value.diag.constraint_name in {rule, f"{table}_{rule}"}


def fine(table: str, **values: Any) -> Any:
    """A row that only looks odd."""
    shown = ",".join(f"{name}={value}" for name, value in values.items())
    return pytest.param(table, values, id=f"{table}-{shown}"[:90])


ACCEPTED = [
    fine("users", hashed_password="!"),
    fine("users", hashed_password="$2y$10$" + "./A9z" * 10 + "abc"),
    fine("users", hashed_password="$argon2id$v=19$m=65536,t=3,p=4$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"),
    fine("users", hashed_password="$scrypt$ln=16,r=8,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo"),
    fine("users", hashed_password="scrypt:32768:8:1$salt$" + "0f" * 64),
    fine("users", email="first.last+tag@sub.example.com"),
    fine("users", username="Zoë Ünal"),
    fine("users", is_active=False, closed_at=OPENED),
    fine("trading_strategies", symbols=Jsonb([]), timeframes=Jsonb([])),
    fine("trading_strategies", symbols=Jsonb(["Volatility 75 (1s) Index", "#AAPL", "EURUSD.m"])),
    fine("trading_strategies", timeframes=Jsonb(rows.TIMEFRAMES)),
    fine("trading_strategies", risk_per_trade="0.0001"),
    fine("trading_strategies", risk_per_trade=1),
    fine("mt5_sessions", balance=-5, equity=-6, margin_free=-7),
    fine("mt5_sessions", currency="USDT"),
    fine("mt5_sessions", connected_at=OPENED, disconnected_at=OPENED),
    fine("trading_signals", volume="0.00000001", entry_price="-37.63"),
    fine("trading_signals", confidence=1),
    fine("trading_signals", entry_price=1, stop_loss=".9", take_profit="1.1"),
    fine("trading_signals", signal_type="SELL", entry_price=1, stop_loss="1.1", take_profit=".9"),
    fine("trading_signals", signal_type="CLOSE_BUY", entry_price=1, stop_loss=2, take_profit=".5"),
    fine("trading_signals", stop_loss=2, take_profit=1),
    fine("trading_signals", symbol="Volatility 75 (1s) Index"),
    fine("trading_orders", open_price="-37.63", stop_loss=5, take_profit=-50),
    fine("trading_orders", closed_at=OPENED, close_price=1),
    fine("trading_orders", closed_at=BEFORE, close_price=1, time_ambiguous=True),
    fine("trading_orders", closed_at=AFTER, order_type="SELL_STOP_LIMIT"),
    fine("trading_orders", closed_at=AFTER, order_type="BUY_LIMIT", close_price=1, profit=-3),
    fine("trading_positions", open_price=1, sl=2, tp=".5"),
    fine("trading_positions", current_price="-37.63"),
    fine("account_snapshots", balance=-10, equity=-20, margin_free=-30),
    fine("account_snapshots", margin_level="99999999999999.99"),
    fine("market_data", spread=-3, real_volume=0, volume=0),
    fine("market_data", open=-40, high=-30, low=-50, close=-35),
    fine("market_data", open=1, high=1, low=1, close=1),
    fine("performance_metrics", total_trades=5, winning_trades=2, losing_trades=2),
    fine("performance_metrics", win_rate=100, sharpe_ratio=-3, profit_factor="1e30"),
]


@pytest.mark.parametrize(("table", "values"), ACCEPTED)
def test_odd_but_possible_row_is_accepted(
    rolled_back: psycopg.Connection, table: str, values: dict[str, Any]
) -> None:
    assert make(rolled_back, table, values)


def test_every_mt5_timeframe_is_accepted(app: psycopg.Connection) -> None:
    for timeframe in rows.TIMEFRAMES:
        rows.bar(app, timeframe=timeframe)
        rows.signal(app, rows.user(app), timeframe=timeframe)


def test_every_mt5_order_type_is_accepted(app: psycopg.Connection) -> None:
    for order_type in rows.ORDER_TYPES:
        rows.order(app, rows.user(app), order_type=order_type)


@pytest.mark.parametrize("text", ["Infinity", "-Infinity"])
@pytest.mark.parametrize(
    ("table", "column"),
    [
        ("trading_orders", "profit"),
        ("trading_positions", "current_price"),
        ("account_snapshots", "equity"),
        ("market_data", "high"),
        ("trading_signals", "volume"),
    ],
)
def test_infinity_is_refused(app: psycopg.Connection, table: str, column: str, text: str) -> None:
    with pytest.raises(errors.NumericValueOutOfRange):
        make(app, table, {column: text})


def test_eight_decimals_survive(app: psycopg.Connection) -> None:
    order = rows.order(app, rows.user(app), volume="0.12345678", open_price="12345.12345678")
    found = app.execute(
        "SELECT volume::text, open_price::text FROM trading_orders WHERE id = %s", [order]
    ).fetchone()
    assert found == ("0.12345678", "12345.12345678")
