"""Every change of a position, order, deal or account is an event; events tell what was there."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import errors

import mt5
import rows
from event_streams import (
    FILLED,
    PARTIAL,
    PLACED,
    POSITION,
    Terminal,
    events,
    live,
    new_account,
)


@pytest.mark.parametrize("seed", range(4))
def test_events_tell_what_the_tables_had_at_every_step(db: psycopg.Connection, seed: int) -> None:
    live(db, seed, 40)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(100, 200))
def test_events_of_many_streams_tell_what_the_tables_had(db: psycopg.Connection, seed: int) -> None:
    live(db, seed, 60)


def test_positions_as_of_go_by_the_times_of_the_pictures(db: psycopg.Connection) -> None:
    """Pictures that the gateway kept while the database was away are of their own times."""
    terminal = Terminal(db, 5)
    seen = []
    for _ in range(30):
        terminal.move()
        terminal.taken_at += timedelta(minutes=1)
        terminal.send([*terminal.positions.values()], terminal.taken_at)
        seen.append((terminal.taken_at, terminal.stored()[1]))
    for at, positions in seen:
        assert terminal.told("positions_as_of", POSITION, at) == positions
        assert terminal.told("positions_as_of", POSITION, at + timedelta(seconds=59)) == positions


def test_picture_without_a_change_has_no_event(db: psycopg.Connection) -> None:
    account = new_account(db)
    picture = [mt5.position(ticket=n) for n in range(1, 6)]
    mt5.ingest(db, "positions", account, picture)
    order = mt5.order(ticket=9, state=PLACED, volume_current=1.0)
    mt5.ingest(db, "orders", account, [order])
    before = db.execute("SELECT count(*) FROM mt5_events").fetchone()
    mt5.ingest(db, "positions", account, picture)
    mt5.ingest(db, "positions", account, [
        one | {"price_current": 1.2, "profit": 5.0, "swap": -1.0, "time_update": one["time"] + 1}
        for one in picture
    ])  # fmt: skip
    mt5.ingest(db, "orders", account, [order])
    mt5.ingest(db, "orders", account, [order | {"price_current": 1.3}])
    money = {"balance": 9.0, "equity": 8.0, "profit": -1.0, "margin": 3.0, "margin_level": 2.0}
    user = db.execute("SELECT user_id FROM mt5_accounts WHERE id = %s", [account]).fetchone()[0]
    assert mt5.open_account(db, user, server=f"S{user}", **money) == account
    assert db.execute("SELECT count(*) FROM mt5_events").fetchone() == before


def test_position_has_an_event_for_each_thing_that_happens(db: psycopg.Connection) -> None:
    account = new_account(db)
    one = mt5.position(ticket=5, volume=0.3, sl=1.05)
    for change in ({}, {"sl": 1.06, "tp": 1.2}, {"volume": 0.1}, {"ticket": 6}, {"sl": 0.0}):
        one |= change
        mt5.ingest(db, "positions", account, [one])
    mt5.ingest(db, "positions", account, [])
    found = events(db, account, "position")
    assert [(what, number) for what, number, _, _ in found] == [
        ("new", 5), *[("changed", 5)] * 4, ("closed", 5),
    ]  # fmt: skip
    assert found[0][2:] == (None, {
        "ticket": "5", "symbol": "EURUSD", "type": "BUY", "volume": 0.3, "open_price": 1.1,
        "sl": 1.05, "time_msc": one["time_msc"], "magic": 0, "reason": 3, "comment": "",
        "external_id": "",
    })  # fmt: skip
    assert [pair[2:] for pair in found[1:5]] == [
        ({"sl": 1.05, "tp": None}, {"sl": 1.06, "tp": 1.2}),
        ({"volume": 0.3}, {"volume": 0.1}),
        ({"ticket": "5"}, {"ticket": "6"}),
        ({"sl": 1.06}, {"sl": None}),
    ]
    assert found[5][2]["volume"] == 0.1
    assert found[5][3] is None


def test_order_has_an_event_for_each_thing_that_happens(db: psycopg.Connection) -> None:
    account = new_account(db)
    one = mt5.order(ticket=5, state=PLACED, volume_current=1.0, time_done=0, time_done_msc=0)
    for change in ({}, {"sl": 1.0}, {"state": PARTIAL, "volume_current": 0.4},
                   {"state": FILLED, "volume_current": 0.0}, {"comment": "late"}):  # fmt: skip
        one |= change
        mt5.ingest(db, "orders", account, [one])
    mt5.ingest(db, "orders", account, [mt5.order(ticket=6)])
    found = events(db, account, "order")
    assert [row[:2] for row in found] == [
        ("new", 5), ("changed", 5), ("changed", 5), ("done", 5), ("changed", 5), ("done", 6),
    ]  # fmt: skip
    assert found[3][2:] == (
        {"state": PARTIAL, "volume_current": 0.4}, {"state": FILLED, "volume_current": 0},
    )  # fmt: skip
    assert found[5][2] is None
    assert db.execute("SELECT count(*) FROM orders_as_of(%s)", [account]).fetchone()[0] == 0


def test_order_that_a_report_had_done_and_the_terminal_has_waiting_is_told_whole(
    db: psycopg.Connection,
) -> None:
    account = new_account(db)
    mt5.ingest(db, "orders", account, [mt5.order(ticket=5)], "report")
    mt5.ingest(db, "orders", account, [mt5.order(ticket=5, state=PLACED, volume_current=1.0)])
    assert [row[0] for row in events(db, account, "order")] == ["done", "new"]
    found = db.execute("SELECT ticket, state FROM orders_as_of(%s)", [account]).fetchall()
    assert found == [(5, PLACED)]


def test_deal_that_is_rewritten_or_cancelled_is_told_from_and_to(db: psycopg.Connection) -> None:
    account = new_account(db)
    one = mt5.deal(ticket=5, profit=12.5, price=1.25, volume=0.1)
    mt5.ingest(db, "deals", account, [one])
    mt5.ingest(db, "deals", account, [one])
    mt5.ingest(db, "deals", account, [one | {"commission": -0.5}])
    mt5.ingest(db, "deals", account, [one | {"type": 13, "profit": 0.0}])
    mt5.ingest(db, "deals", account, [one])
    assert events(db, account, "deal") == [
        ("new", 5, None, {"order_ticket": 5, "position_id": 5, "type": 0, "entry": 0,
                          "symbol": "EURUSD", "volume": 0.1, "price": 1.25, "profit": 12.5}),
        ("changed", 5, {"commission": 0}, {"commission": -0.5}),
        ("cancelled", 5, {"commission": -0.5, "type": 0, "profit": 12.5},
         {"commission": 0, "type": 13, "profit": 0}),
    ]  # fmt: skip


@pytest.mark.parametrize(("kind", "table"), [("deal", "trading_deals"), ("order", "mt5_orders")])
def test_what_the_terminal_no_longer_shows_is_told(
    db: psycopg.Connection, kind: str, table: str
) -> None:
    account = new_account(db)
    one = getattr(mt5, kind)(ticket=5)
    mt5.ingest(db, f"{kind}s", account, [one])
    change = f"UPDATE {table} SET gone_since = %s WHERE account_id = %s"
    db.execute(change, ["2026-01-06 00:00+00", account])
    assert mt5.ingest(db, f"{kind}s", account, [one])[1] == 1
    db.execute(f"DELETE FROM {table} WHERE account_id = %s", [account])
    found = events(db, account, kind)
    assert [row[0] for row in found][1:] == ["gone", "returned", "deleted"]
    assert found[1][2] == {"gone_since": None}
    assert datetime.fromisoformat(found[1][3]["gone_since"]) == datetime(2026, 1, 6, tzinfo=UTC)
    assert (found[3][2]["symbol"], found[3][3]) == ("EURUSD", None)


def test_account_has_an_event_for_what_a_person_wants_to_know(db: psycopg.Connection) -> None:
    user = rows.user(db)
    account = mt5.open_account(db, user, taken_at="2026-01-01")
    mt5.open_account(db, user, taken_at="2026-01-02", trade_allowed=False, leverage=30)
    mt5.open_account(db, user, taken_at="2026-01-03", trade_allowed=False, leverage=30, credit=5)
    (what, number, old, new), *changes = events(db, account, "account")
    assert (what, number, old, new["leverage"]) == ("new", account, None, 100)
    assert not {"name", "login", "balance", "equity", "raw"} & new.keys()
    assert changes == [
        ("changed", account, {"leverage": 100, "trade_allowed": True},
         {"leverage": 30, "trade_allowed": False}),
        ("changed", account, {"credit": 0}, {"credit": 5}),
    ]  # fmt: skip
    taken = db.execute("SELECT taken_at FROM mt5_events WHERE kind = 'account' ORDER BY number")
    assert [row[0].day for row in taken] == [1, 2, 3]


def test_account_of_which_positions_came_first_is_new_when_it_is_told(
    db: psycopg.Connection,
) -> None:
    user = rows.user(db)
    account = rows.insert(db, "mt5_accounts", user_id=user, server="S", account_number="7001",
                          broker="B", currency="USD")  # fmt: skip
    mt5.ingest(db, "positions", account, [])
    assert events(db, account, "account") == []
    assert mt5.open_account(db, user, server="S") == account
    assert [row[0] for row in events(db, account, "account")] == ["new"]


@pytest.mark.parametrize("role", ["rubi_app", "rubi_ingest", "rubi_tenant", "rubi_readonly"])
@pytest.mark.parametrize(
    "call",
    [
        "UPDATE mt5_events SET id = 1",
        "DELETE FROM mt5_events",
        "INSERT INTO mt5_events (account_id, kind, what, id, taken_at, era, new_values)"
        " VALUES (1, 'order', 'new', 1, now(), 1, '{}')",
        "DELETE FROM my_mt5_events",
    ],
)
def test_nobody_writes_events(
    connect_as: Callable[..., psycopg.Connection], db: psycopg.Connection, role: str, call: str
) -> None:
    connection = db if role == "rubi_tenant" else connect_as(role)
    if role == "rubi_tenant":
        connection.execute("SET ROLE rubi_tenant")
    connection.execute("SET default_transaction_read_only = off")
    with pytest.raises(errors.InsufficientPrivilege):
        connection.execute(call)


def test_events_go_with_their_account(db: psycopg.Connection) -> None:
    account, other = new_account(db), new_account(db)
    for one in (account, other):
        mt5.ingest(db, "positions", one, [mt5.position(ticket=5)])
    db.execute("DELETE FROM account_snapshots")
    db.execute("DELETE FROM mt5_sessions WHERE account_id = %s", [account])
    db.execute("DELETE FROM mt5_accounts WHERE id = %s", [account])
    assert db.execute("SELECT DISTINCT account_id FROM mt5_events").fetchall() == [(other,)]


def test_comments_of_a_closed_user_leave_the_events(db: psycopg.Connection) -> None:
    account = new_account(db)
    one = mt5.position(ticket=5, comment="for Jane")
    mt5.ingest(db, "positions", account, [one])
    mt5.ingest(db, "positions", account, [one | {"comment": "for Jane Doe"}])
    mt5.ingest(db, "orders", account, [mt5.order(ticket=5, comment="Jane")])
    user = db.execute("SELECT user_id FROM mt5_accounts WHERE id = %s", [account]).fetchone()[0]
    db.execute("SELECT close_user(%s)", [user])
    told = db.execute("SELECT old_values, new_values, what FROM mt5_events").fetchall()
    assert "Jane" not in str(told)
    assert [row[2] for row in told].count("closed") == 1
