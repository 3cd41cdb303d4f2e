"""Elements that the ingest functions store: every field, unknown codes, orders, terms, sends."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from psycopg.types.json import Jsonb

import mt5
from mt5 import BUY, SELL, deal, decimals, order, position, rejects, symbol

D = Decimal


# Nothing is lost


@pytest.mark.parametrize(
    ("what", "table", "row", "renamed"),
    [
        ("deals", "trading_deals", deal(ticket=1, comment="x", external_id="y"),
         {"order": "order_ticket"}),
        ("orders", "mt5_orders", order(ticket=1, sl=1.05, tp=1.2, comment="x"), {}),
        ("positions", "trading_positions", position(ticket=1, sl=1.05, tp=1.2),
         {"price_open": "open_price", "price_current": "current_price"}),
    ],
)  # fmt: skip
def test_every_field_is_stored_as_given(
    db: psycopg.Connection, account: int, what: str, table: str, row: dict, renamed: dict[str, str]
) -> None:
    given = row | {"field_of_a_newer_build": [1, "two"]}
    assert mt5.ingest(db, what, account, [given]) == (1, 0, 0, 0)
    stored, raw = db.execute(f"SELECT to_jsonb(t), t.raw FROM {table} AS t").fetchone()
    assert raw == given
    told = {name: stored[renamed.get(name, name)] for name in row}
    if what == "positions":  # the base names sides in words and tickets in text
        told |= {"type": {"BUY": 0}[told["type"]], "ticket": int(told["ticket"])}
    assert told == row
    assert mt5.ingest(db, what, account, [given]) == (0, 0, 1, 0)
    changed = given | {"comment": "other"}
    # a repeat of the old and a changed one in one array: each element is counted once
    assert mt5.ingest(db, what, account, [given, changed]) == (0, 1, 1, 0)
    assert db.execute(f"SELECT comment FROM {table}").fetchone() == ("other",)


def test_account_state_keeps_28_fields_and_opens_one_session(
    db: psycopg.Connection, user: int
) -> None:
    given = mt5.account(balance=1500.25, equity=1400.5, margin_level=98765432.1)
    assert len(given) == 28
    accounts = {mt5.open_account(db, user, **given, taken_at=f"2026-01-05 {h}:00") for h in (8, 9)}
    assert len(accounts) == 1
    stored = db.execute("SELECT to_jsonb(s) FROM mt5_account_states AS s").fetchone()[0]
    assert {name: stored[name] for name in given} == given
    assert db.execute(
        "SELECT account_number, server, broker, currency, balance, margin_mode, leverage"
        " FROM mt5_sessions INNER JOIN mt5_accounts USING (user_id, account_number, server, broker,"
        " currency)"
    ).fetchall() == [("7001", "Broker-Live", "Broker Ltd", "USD", D("1500.25"), 2, 100)]
    snapshots = "SELECT balance, equity FROM account_snapshots ORDER BY timestamp"
    assert db.execute(snapshots).fetchall() == [decimals("1500.25", "1400.5")] * 2
    # an older picture adds its snapshot and changes nothing else
    mt5.open_account(db, user, balance=1.0, equity=1.0, taken_at="2026-01-05 07:00")
    assert db.execute(snapshots).fetchall()[0] == (D(1), D(1))
    assert db.execute("SELECT balance FROM mt5_sessions").fetchall() == [(D("1500.25"),)]
    assert db.execute("SELECT balance FROM mt5_account_states").fetchall() == [(D("1500.25"),)]


def test_unknown_codes_are_stored(db: psycopg.Connection, account: int) -> None:
    assert mt5.ingest(db, "deals", account, [
        deal(ticket=1, type=99, entry=7, reason=1234, position_id=0, profit=3.0)
    ]) == (1, 0, 0, 0)  # fmt: skip
    assert mt5.ingest(db, "orders", account, [order(ticket=1, type=50, state=60)]) == (1, 0, 0, 0)
    # money of an unknown type counts as balance
    assert db.execute("SELECT balance_by_deals FROM monitoring.balance_states").fetchone() == (3,)


# as MQL5's reference and the constants of the Python package name them, code 0 first
CODES = {
    "deal_entry": "IN OUT INOUT OUT_BY",
    "deal_reason": "CLIENT MOBILE WEB EXPERT SL TP SO ROLLOVER VMARGIN SPLIT CORPORATE_ACTION",
    "order_type": "BUY SELL BUY_LIMIT SELL_LIMIT BUY_STOP SELL_STOP BUY_STOP_LIMIT SELL_STOP_LIMIT"
    " CLOSE_BY",
    "order_state": "STARTED PLACED CANCELED PARTIAL FILLED REJECTED EXPIRED REQUEST_ADD"
    " REQUEST_MODIFY REQUEST_CANCEL",
    "order_filling": "FOK IOC RETURN BOC",
    "order_time": "GTC DAY SPECIFIED SPECIFIED_DAY",
    "order_reason": "CLIENT MOBILE WEB EXPERT SL TP SO",
    "position_type": "BUY SELL",
    "position_reason": "CLIENT MOBILE WEB EXPERT",
    "margin_mode": "RETAIL_NETTING EXCHANGE RETAIL_HEDGING",
    "trade_mode": "DEMO CONTEST REAL",
}
DEAL_TYPES = (
    "BUY SELL BALANCE CREDIT CHARGE CORRECTION BONUS COMMISSION COMMISSION_DAILY COMMISSION_MONTHLY"
    " COMMISSION_AGENT_DAILY COMMISSION_AGENT_MONTHLY INTEREST BUY_CANCELED SELL_CANCELED DIVIDEND"
    " DIVIDEND_FRANKED TAX AGENT SO_COMPENSATION SO_COMPENSATION_CREDIT"
)


@pytest.mark.parametrize("kind", CODES)
def test_codes_of_the_package_have_their_names(db: psycopg.Connection, kind: str) -> None:
    found = db.execute("SELECT code, name FROM mt5_codes WHERE kind = %s ORDER BY 1", [kind])
    assert found.fetchall() == list(enumerate(CODES[kind].split()))


def test_deal_types_of_the_package_have_their_names(db: psycopg.Connection) -> None:
    found = db.execute("SELECT code, name FROM mt5_deal_types ORDER BY code").fetchall()
    assert found == list(enumerate(DEAL_TYPES.split()))


# Orders


def test_an_order_that_is_done_stays_done(db: psycopg.Connection, account: int) -> None:
    placed = order(ticket=1, state=1, volume_current=1.0, time_done=0, time_done_msc=0, type=2)
    partly = placed | {"state": 3, "volume_current": 0.4}
    done = order(ticket=1, type=2)
    for given, counts in (
        (partly, (1, 0, 0, 0)),
        (placed, (0, 0, 1, 0)),  # older: less was filled
        (done, (0, 1, 0, 0)),
        (partly, (0, 0, 1, 0)),
    ):
        assert mt5.ingest(db, "orders", account, [given]) == counts
    stored = db.execute("SELECT state, volume_current, done_at IS NULL FROM mt5_orders").fetchone()
    assert stored == (4, D(0), False)


def test_a_report_never_replaces_what_the_api_gave(db: psycopg.Connection, account: int) -> None:
    full = deal(ticket=1, position_id=900)
    short = {k: full[k] for k in ("ticket", "time", "type", "volume", "price", "profit", "symbol")}
    assert mt5.ingest(db, "deals", account, [short], "report") == (1, 0, 0, 0)
    assert mt5.trips(db, account) == []
    assert mt5.ingest(db, "deals", account, [full]) == (0, 1, 0, 0)
    assert mt5.ingest(db, "deals", account, [short], "report") == (0, 0, 1, 0)
    assert db.execute("SELECT source, position_id FROM trading_deals").fetchall() == [("api", 900)]
    assert len(mt5.trips(db, account)) == 1
    assert mt5.ingest(db, "deals", account, [short | {"ticket": 2}]) == (0, 0, 0, 1)
    assert rejects(db) == [("deals", "entry is missing")]


# Symbols


def test_new_terms_begin_a_new_version(db: psycopg.Connection, account: int) -> None:
    first, second = "2026-01-05 10:00", "2026-01-05 11:00"
    assert mt5.ingest(db, "symbols", account, [symbol()], first) == (1, 0, 0, 0)
    moved = symbol(trade_tick_value=0.93, bid=1.2)  # prices are no terms
    assert mt5.ingest(db, "symbols", account, [moved], second) == (0, 0, 1, 0)
    assert mt5.ingest(db, "symbols", account, [symbol(swap_long=-8.0)], second) == (0, 1, 0, 0)
    assert db.execute(
        "SELECT swap_long, trade_tick_value, valid_from::text, valid_to::text FROM mt5_symbols"
        " ORDER BY valid_from"
    ).fetchall() == [
        (D("-7.1"), D("0.93"), "2026-01-05 10:00:00+00", "2026-01-05 11:00:00+00"),
        (D(-8), D(1), "2026-01-05 11:00:00+00", "infinity"),
    ]
    assert mt5.ingest(db, "symbols", account, [symbol()], first) == (0, 0, 1, 0)


def test_account_symbols_have_a_canonical_name(db: psycopg.Connection, account: int) -> None:
    def name(text: str) -> str:
        return db.execute("SELECT canonical_symbol(%s, %s)", [account, text]).fetchone()[0]

    mt5.ingest(db, "symbols", account, [
        symbol(), symbol(name="#AAPL", currency_base="USD"), symbol(name="GOLD"),
    ])  # fmt: skip
    assert [name(s) for s in ("EURUSD.m", "#AAPL", "GOLD")] == ["EURUSD", "#AAPL", "GOLD"]
    db.execute(
        "INSERT INTO mt5_symbol_map (account_id, symbol, canonical_symbol)"
        " VALUES (%s, 'GOLD', 'XAUUSD')",
        [account],
    )
    mt5.ingest(db, "symbols", account, [symbol(name="GOLD", digits=3)])
    assert name("GOLD") == "XAUUSD"  # what was set by hand stays


# order_send


def test_order_send_is_logged_with_slippage_latency_and_rejection(
    db: psycopg.Connection, account: int
) -> None:
    request = {
        "action": 1,
        "symbol": "EURUSD",
        "volume": 0.1,
        "type": BUY,
        "price": 1.1,
        "magic": 7,
    }
    result = {
        "retcode": 10009, "deal": 5, "order": 6, "volume": 0.1, "price": 1.10003, "bid": 1.1,
        "ask": 1.10003, "comment": "done", "request_id": 9, "retcode_external": 0,
    }  # fmt: skip
    log = "SELECT log_mt5_order_send(%s, %s, %s, %s, %s, %s)"
    sent, answered = "2026-01-05 10:00:00+00", "2026-01-05 10:00:00.25+00"
    first = [account, Jsonb(request), None, sent, None, "a"]
    again = [account, Jsonb(request), Jsonb(result), sent, answered, "a"]
    assert db.execute(log, first).fetchone() == db.execute(log, again).fetchone()
    refused = [Jsonb(request | {"type": SELL}), Jsonb(result | {"retcode": 10019, "price": 0.0})]
    db.execute(log, [account, *refused, sent, answered, None])
    assert db.execute(
        "SELECT retcode_name, is_rejected, slippage, latency::text FROM mt5_order_send_quality"
        " ORDER BY id"
    ).fetchall() == [
        ("DONE", False, D("0.00003"), "00:00:00.25"),
        ("NO_MONEY", True, None, "00:00:00.25"),
    ]
    stored = db.execute("SELECT request_id, request, result FROM mt5_order_sends ORDER BY id")
    assert stored.fetchone() == (9, request, result)
    with pytest.raises(psycopg.Error) as error:
        db.execute(log, [account, Jsonb([]), None, sent, None, None])
    assert error.value.sqlstate == "RB056"
