"""Elements that the ingest functions refuse or reject, and who may call them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

import mt5
import rows
from mt5 import deal, opened, order, position, rejects, symbol

# Bad input


@pytest.mark.parametrize("what", ["deals", "orders", "positions", "symbols"])
@pytest.mark.parametrize("wrong", ["NULL", "null", "{}", '{"ticket": 1}', '"[]"', "5"])
def test_what_is_no_array_is_refused(
    db: psycopg.Connection, account: int, what: str, wrong: str
) -> None:
    mt5.ingest(db, "positions", account, [position(ticket=1)])
    with pytest.raises(psycopg.Error) as error:
        db.execute(f"SELECT ingest_mt5_{what}(%s, nullif(%s, 'NULL')::jsonb)", [account, wrong])
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


@pytest.mark.parametrize(
    ("elements", "is_sound"),
    [
        *(([element], False) for element, _ in BAD_DEALS),
        *((good, True) for good in (
            [], [deal()], [mt5.money(5.0)], [deal(fee=-0.1, magic=-5) | {"extra": None}],
        )),
    ],
)  # fmt: skip
def test_soundness_agrees_with_the_faults(
    db: psycopg.Connection, elements: list, is_sound: bool
) -> None:
    sound = "SELECT internal.are_mt5_rows_sound('deals', %s)"
    assert db.execute(sound, [Jsonb(elements)]).fetchone() == (is_sound,)


@pytest.mark.parametrize(
    "bad",
    [
        None, [], "x", {}, mt5.account(login="7001"), mt5.account(balance="NaN"),
        {k: v for k, v in mt5.account().items() if k != "equity"},
    ],
)  # fmt: skip
def test_a_bad_account_is_refused(db: psycopg.Connection, user: int, bad: Any) -> None:
    with pytest.raises(psycopg.Error) as error:
        db.execute("SELECT ingest_mt5_account(%s, %s)", [user, Jsonb(bad)])
    assert error.value.sqlstate == "RB055"


def test_an_account_of_nobody_is_refused(db: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        mt5.open_account(db, 999_999)
    assert db.execute("SELECT count(*) FROM mt5_accounts").fetchone() == (0,)


@pytest.mark.parametrize("is_there", [True, False])
def test_foreign_and_missing_accounts_are_refused(
    db: psycopg.Connection, account: int, is_there: bool
) -> None:
    db.execute("SELECT set_config('app.user_id', %s, FALSE)", [str(rows.user(db))])
    with pytest.raises(psycopg.Error) as error:
        mt5.ingest(db, "deals", account if is_there else 999_999, [])
    assert error.value.sqlstate == "RB051"


def test_account_is_opened_for_the_own_user_alone(
    db: psycopg.Connection, user: int, account: int
) -> None:
    other = rows.user(db)
    db.execute("SELECT set_config('app.user_id', %s, FALSE)", [str(other)])
    with pytest.raises(psycopg.Error) as error:
        mt5.open_account(db, user)
    assert error.value.sqlstate == "RB051"
    # the same login of another user is another account
    assert mt5.open_account(db, other) != account
    db.execute("SELECT set_config('app.user_id', %s, FALSE)", [str(user)])
    assert mt5.ingest(db, "deals", account, []) == (0, 0, 0, 0)


@pytest.mark.parametrize("what", ["positions", "symbols"])
def test_a_picture_from_the_future_is_refused(
    db: psycopg.Connection, account: int, what: str
) -> None:
    with pytest.raises(psycopg.Error) as error:
        mt5.ingest(db, what, account, [], "2999-01-01")
    assert error.value.sqlstate == "RB053"


def test_an_account_of_the_future_is_refused(db: psycopg.Connection, user: int) -> None:
    with pytest.raises(psycopg.Error) as error:
        mt5.open_account(db, user, taken_at="2999-01-01")
    assert error.value.sqlstate == "RB053"


@pytest.mark.parametrize("what", ["deals", "orders"])
def test_an_unknown_source_is_refused(db: psycopg.Connection, account: int, what: str) -> None:
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
