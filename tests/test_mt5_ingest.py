"""Elements that the ingest functions store, refuse and reject."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

import mt5
import rows
from mt5 import BUY, OUT, SELL, deal, decimals, order, position, symbol

D = Decimal


@pytest.fixture
def user(db: psycopg.Connection) -> int:
    return rows.user(db)


@pytest.fixture
def account(db: psycopg.Connection, user: int) -> int:
    return mt5.open_account(db, user)


def rejects(db: psycopg.Connection) -> list[tuple]:
    return db.execute("SELECT source, reason FROM mt5_rejects ORDER BY id").fetchall()


# Nothing is lost


def test_every_field_is_stored_as_given(db: psycopg.Connection, account: int) -> None:
    prices = {"price_open": "open_price", "price_current": "current_price"}
    for what, table, row, renamed in (
        ("deals", "trading_deals", deal(ticket=1, comment="x", external_id="y"),
         {"order": "order_ticket"}),
        ("orders", "mt5_orders", order(ticket=1, sl=1.05, tp=1.2, comment="x"), {}),
        ("positions", "trading_positions", position(ticket=1, sl=1.05, tp=1.2), prices),
    ):  # fmt: skip
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


# Positions


def opened(db: psycopg.Connection) -> list[tuple]:
    return db.execute("SELECT identifier, ticket FROM trading_positions ORDER BY 1").fetchall()


def test_what_is_missing_from_the_picture_has_closed(db: psycopg.Connection, account: int) -> None:
    a, b = position(ticket=1), position(ticket=2, type=SELL)
    assert mt5.ingest(db, "positions", account, [a, b]) == (2, 0, 0, 0)
    assert mt5.ingest(db, "positions", account, [b | {"price_current": 1.2}]) == (0, 1, 0, 0)
    assert opened(db) == [(2, "2")]
    assert mt5.ingest(db, "positions", account, []) == (0, 0, 0, 0)
    assert opened(db) == []


def test_an_older_picture_changes_nothing(db: psycopg.Connection, account: int) -> None:
    newer, older = "2026-01-05 12:00:01", "2026-01-05 12:00:00"
    mt5.ingest(db, "positions", account, [position(ticket=1)], newer)
    assert mt5.ingest(db, "positions", account, [position(ticket=2)], older) == (0, 0, 1, 0)
    assert mt5.ingest(db, "positions", account, [], older) == (0, 0, 0, 0)
    assert opened(db) == [(1, "1")]
    # the same picture again is no older one
    assert mt5.ingest(db, "positions", account, [position(ticket=1)], newer) == (0, 0, 1, 0)


def test_a_position_keeps_its_row_when_its_ticket_changes(
    db: psycopg.Connection, account: int
) -> None:
    mt5.ingest(db, "positions", account, [position(ticket=1, identifier=900)])
    before = db.execute("SELECT id FROM trading_positions").fetchall()
    # swap was charged by re-opening: another ticket, the same identifier
    mt5.ingest(db, "positions", account, [position(ticket=2, identifier=900)])
    assert db.execute("SELECT id FROM trading_positions").fetchall() == before
    assert opened(db) == [(900, "2")]
    # and a ticket may pass from one position to another
    both = [position(ticket=3, identifier=900), position(ticket=2, identifier=901)]
    mt5.ingest(db, "positions", account, both)
    assert opened(db) == [(900, "3"), (901, "2")]


def test_a_position_that_the_api_wrote_is_taken_over(db: psycopg.Connection, account: int) -> None:
    session = db.execute("SELECT session_id FROM mt5_sessions").fetchone()[0]
    written = rows.position(db, session, ticket="1")
    assert mt5.ingest(db, "positions", account, [position(ticket=1)]) == (0, 1, 0, 0)
    assert db.execute("SELECT id FROM trading_positions").fetchall() == [(written,)]
    rows.position(db, session, ticket="77")
    mt5.ingest(db, "positions", account, [position(ticket=1)])
    assert opened(db) == [(1, "1")]


def test_positions_move_to_the_session_that_is_alive(
    db: psycopg.Connection, user: int, account: int
) -> None:
    mt5.ingest(db, "positions", account, [position(ticket=1)])
    db.execute("UPDATE mt5_sessions SET is_active = FALSE")
    mt5.ingest(db, "positions", account, [position(ticket=1)])
    assert db.execute("SELECT count(*) FROM open_positions_with_session").fetchone() == (1,)


def test_an_unreadable_position_is_not_taken_for_closed(
    db: psycopg.Connection, account: int
) -> None:
    mt5.ingest(db, "positions", account, [position(ticket=1), position(ticket=2)])
    broken = position(ticket=1) | {"volume": "1.0"}
    assert mt5.ingest(db, "positions", account, [broken]) == (0, 0, 0, 1)
    assert opened(db) == [(1, "1")]  # 2 has closed
    # without an identifier any of them may be meant: nothing closes
    assert mt5.ingest(db, "positions", account, [{"ticket": 1}]) == (0, 0, 0, 1)
    assert opened(db) == [(1, "1")]


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


# Bad input


def test_what_is_no_array_is_refused(db: psycopg.Connection, account: int) -> None:
    mt5.ingest(db, "positions", account, [position(ticket=1)])
    for what in ("deals", "orders", "positions", "symbols"):
        for wrong in (None, {}, {"ticket": 1}, "[]", 5):
            with pytest.raises(psycopg.Error) as error:
                mt5.ingest(db, what, account, wrong)
            assert error.value.sqlstate == "RB050"
        with pytest.raises(psycopg.Error) as error:
            db.execute(f"SELECT ingest_mt5_{what}(%s, NULL)", [account])
        assert error.value.sqlstate == "RB050"
    assert opened(db) == [(1, "1")]  # null is an error of the terminal, not an empty account


BAD_DEALS: list[tuple[Any, str]] = [
    (7, "not an object"),
    (None, "not an object"),
    ([deal(ticket=1)], "not an object"),
    ({}, "position_id is missing"),
    ({k: v for k, v in deal().items() if k != "ticket"}, "ticket is missing"),
    (deal() | {"ticket": 0}, "ticket is out of range"),
    (deal() | {"ticket": 2**63}, "ticket is out of range"),
    (deal() | {"ticket": 1.5}, "ticket is no whole number"),
    (deal() | {"ticket": "1"}, "ticket is no number"),
    (deal() | {"volume": "1.0"}, "volume is no number"),
    (deal() | {"price": "NaN"}, "price is no number"),
    (deal() | {"profit": None}, "profit is no number"),
    (deal() | {"profit": True}, "profit is no number"),
    (deal() | {"profit": 1e20}, "profit is out of range"),
    (deal() | {"volume": -1.0}, "volume is below 0"),
    (deal() | {"type": 2**31}, "type is out of range"),
    (deal() | {"symbol": 5}, "symbol is no text"),
    (deal() | {"symbol": " EURUSD"}, "symbol has blanks around it or control characters"),
    (deal() | {"symbol": ""}, "symbol is empty in a trade"),
    (deal() | {"symbol": "x" * 801}, "symbol is too long"),
    (deal() | {"comment": "x" * 4001}, "comment is too long"),
    (deal("1970-01-02"), "time is out of range"),
    (deal("3000-01-01"), "time is out of range"),
    (deal() | {"time_msc": mt5.msc("1970-01-02")}, "time_msc is out of range"),
]


def test_bad_deals_are_kept_as_rejects_and_the_rest_is_stored(
    db: psycopg.Connection, account: int
) -> None:
    bad = [element for element, _ in BAD_DEALS]
    good = [deal(ticket=1), deal(ticket=2)]
    mixed = [good[0], *bad, good[1]]
    assert mt5.ingest(db, "deals", account, mixed) == (2, 0, 0, len(bad))
    reasons = [reason if bad[i] != {} else None for i, (_, reason) in enumerate(BAD_DEALS)]
    for (source, said), reason in zip(rejects(db), reasons, strict=True):
        assert source == "deals"
        assert (reason is None and said.endswith(" is missing")) or said == reason
    kept = [row[0] for row in db.execute("SELECT element FROM mt5_rejects ORDER BY id")]
    assert kept == bad
    # a repeat is the same reject
    assert mt5.ingest(db, "deals", account, mixed) == (0, 0, 2, len(bad))
    assert len(rejects(db)) == len(bad)


def test_other_bad_elements_are_rejected_too(db: psycopg.Connection, account: int) -> None:
    makers = {"orders": order, "positions": position, "symbols": symbol}
    cases = [
        ("orders", order() | {"time_setup": 0}, "time_setup is out of range"),
        ("orders", order() | {"volume_current": -1.0}, "volume is below 0"),
        ("positions", position() | {"volume": 0.0}, "volume is not above 0"),
        ("positions", position() | {"type": 2}, "type is neither 0 (BUY) nor 1 (SELL)"),
        ("positions", position() | {"symbol": ""}, "symbol is empty"),
        ("symbols", symbol(name=""), "name is empty"),
        ("symbols", symbol(digits="5"), "digits is no number"),
    ]
    for number, (what, bad, _) in enumerate(cases):
        good = makers[what](**({"name": f"S{number}"} if what == "symbols" else {}))
        assert mt5.ingest(db, what, account, [bad, good]) == (1, 0, 0, 1)
    assert rejects(db) == [(what, reason) for what, _, reason in cases]


def test_soundness_agrees_with_the_faults(db: psycopg.Connection) -> None:
    for element, _ in BAD_DEALS:
        sound = "SELECT internal.are_mt5_rows_sound('deals', %s)"
        assert db.execute(sound, [Jsonb([element])]).fetchone() == (False,)
    for good in (
        [], [deal()], [mt5.money(5.0)], [deal(fee=-0.1, magic=-5) | {"extra": None}],
    ):  # fmt: skip
        assert db.execute(sound, [Jsonb(good)]).fetchone() == (True,)


def test_a_bad_account_is_refused(db: psycopg.Connection, user: int) -> None:
    for bad in (
        None, [], "x", {}, mt5.account(login="7001"), mt5.account(balance="NaN"),
        {k: v for k, v in mt5.account().items() if k != "equity"},
    ):  # fmt: skip
        with pytest.raises(psycopg.Error) as error:
            db.execute("SELECT ingest_mt5_account(%s, %s)", [user, Jsonb(bad)])
        assert error.value.sqlstate == "RB055"
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        mt5.open_account(db, 999_999)
    assert db.execute("SELECT count(*) FROM mt5_accounts").fetchone() == (0,)


def test_foreign_and_missing_accounts_are_refused(
    db: psycopg.Connection, user: int, account: int
) -> None:
    other = rows.user(db)
    for wrong in (account, 999_999):
        db.execute("SELECT set_config('app.user_id', %s, FALSE)", [str(other)])
        with pytest.raises(psycopg.Error) as error:
            mt5.ingest(db, "deals", wrong, [])
        assert error.value.sqlstate == "RB051"
    with pytest.raises(psycopg.Error) as error:
        mt5.open_account(db, user)
    assert error.value.sqlstate == "RB051"
    # the same login of another user is another account
    assert mt5.open_account(db, other) != account
    db.execute("SELECT set_config('app.user_id', %s, FALSE)", [str(user)])
    assert mt5.ingest(db, "deals", account, []) == (0, 0, 0, 0)


def test_a_picture_from_the_future_and_an_unknown_source_are_refused(
    db: psycopg.Connection, user: int, account: int
) -> None:
    for what in ("positions", "symbols"):
        with pytest.raises(psycopg.Error) as error:
            mt5.ingest(db, what, account, [], "2999-01-01")
        assert error.value.sqlstate == "RB053"
    with pytest.raises(psycopg.Error) as error:
        mt5.open_account(db, user, taken_at="2999-01-01")
    assert error.value.sqlstate == "RB053"
    for what in ("deals", "orders"):
        with pytest.raises(psycopg.Error) as error:
            mt5.ingest(db, what, account, [], "rumour")
        assert error.value.sqlstate == "RB054"


@pytest.mark.slow
def test_a_payload_of_200_megabytes_is_refused(db: psycopg.Connection, account: int) -> None:
    payload = [deal(ticket=1, comment="x" * 1_000_000)] * 200
    with pytest.raises(psycopg.Error) as error:
        mt5.ingest(db, "deals", account, payload)
    assert error.value.sqlstate == "RB052"
    assert mt5.ingest(db, "deals", account, payload[:50]) == (0, 0, 0, 50)
    assert rejects(db) == [("deals", "comment is too long")]


# Rights


def test_the_gateway_has_the_functions_and_nothing_else(
    db: psycopg.Connection, connect_as: Any, user: int
) -> None:
    gateway = connect_as("rubi_ingest")
    account = mt5.open_account(gateway, user)
    assert mt5.ingest(gateway, "deals", account, [deal(ticket=1)]) == (1, 0, 0, 0)
    assert mt5.ingest(gateway, "orders", account, [order(ticket=1)]) == (1, 0, 0, 0)
    assert mt5.ingest(gateway, "positions", account, [position(ticket=1)]) == (1, 0, 0, 0)
    assert mt5.ingest(gateway, "symbols", account, [symbol()]) == (1, 0, 0, 0)
    for table in ("trading_deals", "mt5_orders", "trading_positions", "mt5_accounts", "users"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            gateway.execute(f"SELECT FROM {table}")
    monitor = connect_as("rubi_monitor")
    assert monitor.execute("SELECT count(*) > 5 FROM monitoring.proofs").fetchone() == (True,)
    analyst = connect_as("rubi_readonly")
    assert analyst.execute("SELECT count(*) FROM mt5_trip_results").fetchone() == (1,)
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        analyst.execute("SELECT name FROM mt5_account_states")


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


# Server clocks


def utc(db: psycopg.Connection, server: str, clock: str) -> tuple[str, bool]:
    return db.execute(
        "SELECT utc::text, is_ambiguous FROM mt5_server_time(%s, %s)", [server, mt5.msc(clock)]
    ).fetchone()


def test_server_clocks_are_right_across_both_changes(db: psycopg.Connection) -> None:
    db.execute(
        "INSERT INTO mt5_server_clocks (server, valid_from, clock) VALUES"
        " ('Athens', '-infinity', 'Europe/Athens'), ('Fixed', '-infinity', 'UTC+3'),"
        " ('Moved', '-infinity', 'UTC+2'), ('Moved', '2026-06-01', 'UTC+3')"
    )
    # New York changes on 8 March and 1 November 2026, Europe on 29 March and 25 October
    for clock, new_york, athens in (
        ("2026-03-06 12:00", "10:00", "10:00"),
        ("2026-03-10 12:00", "09:00", "10:00"),  # between the two changes
        ("2026-03-30 12:00", "09:00", "09:00"),
        ("2026-10-26 12:00", "09:00", "10:00"),  # between them again
        ("2026-11-02 12:00", "10:00", "10:00"),
    ):
        day = clock[:10]
        assert utc(db, "Unlisted", clock) == (f"{day} {new_york}:00+00", False)
        assert utc(db, "Athens", clock) == (f"{day} {athens}:00+00", False)
        assert utc(db, "Fixed", clock) == (f"{day} 09:00:00+00", False)
    # the repeated hours: 8:00 to 9:00 on the New York clock's server, 3:00 to 4:00 in Athens
    assert utc(db, "Unlisted", "2026-11-01 08:30") == ("2026-11-01 06:30:00+00", True)
    assert utc(db, "Unlisted", "2026-11-01 09:30") == ("2026-11-01 07:30:00+00", False)
    assert utc(db, "Athens", "2026-10-25 03:30") == ("2026-10-25 01:30:00+00", True)
    # a rule begins at its moment on the server's clock
    assert utc(db, "Moved", "2026-05-31 23:59:59.999")[0] == "2026-05-31 21:59:59.999+00"
    assert utc(db, "Moved", "2026-06-01 00:00")[0] == "2026-05-31 21:00:00+00"


def test_times_are_derived_again_when_the_rule_is_corrected(
    db: psycopg.Connection, account: int
) -> None:
    mt5.ingest(db, "deals", account, [
        deal("2026-07-06 12:00", ticket=1, position_id=900),
        deal("2026-07-06 13:00", ticket=2, position_id=900, type=SELL, entry=OUT),
    ])  # fmt: skip
    mt5.ingest(db, "orders", account, [order("2026-07-06 12:00", ticket=1)])
    mt5.ingest(db, "positions", account, [position("2026-07-06 12:00", ticket=901)])
    times = (
        "SELECT (SELECT min(executed_at) FROM trading_deals)::text,"
        " (SELECT done_at FROM mt5_orders)::text, (SELECT open_time FROM trading_positions)::text,"
        " (SELECT closed_at FROM trading_orders)::text"
    )
    assert db.execute(times).fetchone() == (
        *["2026-07-06 09:00:00+00"] * 3, "2026-07-06 10:00:00+00",
    )  # fmt: skip
    db.execute("INSERT INTO mt5_server_clocks (server, clock) VALUES ('Broker-Live', 'UTC')")
    assert db.execute("SELECT rederive_mt5_times('Broker-Live')").fetchone() == (4,)
    assert db.execute(times).fetchone() == (
        *["2026-07-06 12:00:00+00"] * 3, "2026-07-06 13:00:00+00",
    )  # fmt: skip
    assert db.execute("SELECT rederive_mt5_times('Broker-Live')").fetchone() == (0,)


def test_a_trip_that_closes_in_the_repeated_hour_is_marked(
    db: psycopg.Connection, account: int
) -> None:
    # opened 8:50 the first time round, closed 8:10 the second: the server's clock went back
    mt5.ingest(db, "deals", account, [
        deal("2026-11-01 08:50", ticket=1, position_id=900, symbol="BTCUSD"),
        deal("2026-11-01 08:10", ticket=2, position_id=900, symbol="BTCUSD", type=SELL, entry=OUT,
             profit=1.0),
    ])  # fmt: skip
    assert mt5.trips(db, account, "side", "time_ambiguous", "net_result") == [("BUY", True, D(1))]
    assert db.execute("SELECT time_ambiguous FROM trading_orders").fetchall() == [(True,)]
