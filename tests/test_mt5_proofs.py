"""Proofs that hold, and that fail when something is missing; notifications."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest

import conftest
import mt5
import rows
from mt5 import OUT, SELL, deal, money, order, position
from rubi.waiting import until


def test_balance_is_the_sum_of_the_deals(db: psycopg.Connection, user: int) -> None:
    # 1000 - 3.5 - 3.5 + 50 - 1.25 - 0.1 - 100 = 941.65; the credit stands apart
    taken = "2026-01-05 18:00"
    account = mt5.open_account(db, user, balance=941.65, equity=941.65, credit=200.0,
                               taken_at=taken)  # fmt: skip
    mt5.ingest(db, "deals", account, [
        money(1000.0, "2026-01-05 09:00"),
        money(200.0, "2026-01-05 09:01", kind=3),
        deal("2026-01-05 10:00", ticket=1, position_id=900, commission=-3.5),
        deal("2026-01-05 11:00", ticket=2, position_id=900, type=SELL, entry=OUT, commission=-3.5,
             profit=50.0, swap=-1.25, fee=-0.1),
        money(-100.0, "2026-01-05 12:00"),
    ])  # fmt: skip
    states = "SELECT state, balance_by_deals::text, credit_by_deals::text FROM"
    states += " monitoring.balance_states"
    assert db.execute(states).fetchone()[0] == "holds"
    assert mt5.violations(db) == {}
    line = "SELECT is_well, line FROM monitoring.proofs_line"
    assert db.execute(line).fetchone() == (True, "all 8 proofs hold")
    # a deal newer than the account's picture: wait for the next one
    mt5.ingest(db, "deals", account, [money(-0.01, "2026-01-06 12:00", ticket=7)])
    assert db.execute(states).fetchone()[0] == "pending"
    assert db.execute(line).fetchone() == (True, "all 8 proofs hold; 1 balances pending")
    mt5.open_account(db, user, balance=941.64, equity=941.64, taken_at="2026-01-06 18:00")
    assert mt5.violations(db) == {}
    # a cent is missing
    mt5.open_account(db, user, balance=941.65, equity=941.65, taken_at="2026-01-06 18:01")
    assert mt5.violations(db) == {"balances": 1}
    found = db.execute("SELECT account_id, difference FROM monitoring.balance_violations")
    assert [(a, float(d)) for a, d in found] == [(account, -0.01)]
    assert db.execute(line).fetchone() == (False, "balances: 1, see monitoring.balance_violations")
    # a history that is cut begins with a balance
    db.execute("UPDATE mt5_account_states SET opening_balance = 0.01")
    assert mt5.violations(db) == {}


def test_volumes_agree_with_open_and_vanished_positions(db: psycopg.Connection, user: int) -> None:
    account = mt5.open_account(db, user, balance=0.0, equity=0.0)
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, position_id=900, volume=2.0),
        deal("2026-01-05 11:00", ticket=2, position_id=900, volume=0.5, type=SELL, entry=OUT),
    ])  # fmt: skip
    assert mt5.violations(db) == {}  # without a picture of the positions there is nothing to say
    at = "2026-01-05 10:00"
    mt5.ingest(db, "positions", account, [position(at, ticket=900, volume=1.5)])
    assert mt5.violations(db) == {}
    mt5.ingest(db, "positions", account, [position(at, ticket=900, volume=1.4)])
    assert mt5.violations(db) == {"open volumes": 1}
    mt5.ingest(db, "positions", account, [])
    assert mt5.violations(db) == {"vanished positions": 1}
    last = deal("2026-01-05 12:00", ticket=3, position_id=900, volume=1.5, type=SELL, entry=OUT)
    mt5.ingest(db, "deals", account, [last])
    assert mt5.violations(db) == {}
    # an open position without any deal, and one opened before the history begins
    mt5.ingest(db, "positions", account, [position("2026-01-05 09:00", ticket=901)])
    assert mt5.violations(db) == {"open volumes": 1}
    db.execute("UPDATE mt5_account_states SET history_from = '2026-01-05 08:00+00'")
    assert mt5.violations(db) == {}


def test_filled_orders_have_deals(db: psycopg.Connection, user: int) -> None:
    account = mt5.open_account(db, user, balance=0.0, equity=0.0)
    mt5.ingest(db, "orders", account, [
        order(ticket=900),
        order(ticket=901, state=2, volume_current=1.0),  # cancelled, nothing filled
        order(ticket=902, state=2, volume_current=0.4),  # cancelled after a part
    ])  # fmt: skip
    assert mt5.violations(db) == {"orders without deals": 2}
    mt5.ingest(db, "deals", account, [
        deal(ticket=1, order=900), deal(ticket=5, order=902, volume=0.6),
    ])  # fmt: skip
    assert mt5.violations(db) == {}
    # gaps in ticket numbers mean nothing: 2, 3 and 4 are another account's


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE trading_orders SET profit = 6",
        "UPDATE mt5_trips SET profit = 6",
        "DELETE FROM mt5_trips",
    ],
)
def test_trips_and_orders_agree_with_deals(db: psycopg.Connection, user: int, spoil: str) -> None:
    account = mt5.open_account(db, user, balance=5.0, equity=5.0)
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, position_id=900),
        deal("2026-01-05 11:00", ticket=2, position_id=900, type=SELL, entry=OUT, profit=5.0),
    ])  # fmt: skip
    assert mt5.violations(db) == {}
    with db.transaction(force_rollback=True):
        db.execute(spoil)
        assert mt5.violations(db)["trips"] >= 1
        db.execute("SELECT rebuild_mt5_trips(%s)", [account])
        assert mt5.violations(db) == {}
        assert db.execute("SELECT count(*) FROM trading_orders").fetchone() == (1,)


# Notifications


def test_the_documented_example_hears_what_happens(
    db: psycopg.Connection, server: conftest.Address, user: int
) -> None:
    text = (conftest.ROOT / "docs/guides/notifications.md").read_text()
    example: dict[str, Any] = {}
    exec(re.search(r"```python\n(.*?)```", text, re.DOTALL)[1], example)
    account = mt5.open_account(db, user)
    heard = example["watch"](server.dsn(db.info.dbname), 20, 5)
    assert next(heard) == ("ready", {})
    with db.transaction():
        signals = [rows.signal(db, user) for _ in range(1)]
    # two positions in one statement: one notification
    both = [position(ticket=1), position(ticket=2)]
    mt5.ingest(db, "positions", account, both)
    moved = [p | {"price_current": 1.5, "profit": 9.0} for p in both]
    mt5.ingest(db, "positions", account, moved)  # price alone: nothing
    mt5.ingest(db, "positions", account, [p | {"sl": 1.0} for p in moved])
    mt5.ingest(db, "positions", account, [moved[0] | {"sl": 1.0, "volume": 0.5}])
    assert list(heard) == [
        ("rubi_signals", {"event": "new", "count": 1, "users": [user], "signals": signals}),
        ("rubi_positions",
         {"event": "opened", "count": 2, "accounts": [account], "tickets": ["1", "2"]}),
        ("rubi_positions", {"event": "changed", "accounts": [account]}),
        ("rubi_positions",
         {"event": "closed", "count": 1, "accounts": [account], "tickets": ["2"]}),
        ("rubi_positions", {"event": "changed", "accounts": [account]}),
    ]  # fmt: skip


def test_a_notification_of_many_rows_stays_small(
    db: psycopg.Connection, connect_as: Any, user: int
) -> None:
    listener = connect_as("rubi_app")
    listener.execute("SELECT subscribe('rubi_signals')")
    db.execute(
        "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time)"
        " SELECT %s, 'EURUSD', 'BUY', 1, now() FROM generate_series(1, 5000)",
        [user],
    )
    (note,) = listener.notifies(timeout=60, stop_after=1)
    assert '"count": 5000' in note.payload and len(note.payload) < 2000


def test_nothing_is_sent_while_nobody_has_subscribed(
    db: psycopg.Connection, connect_as: Any, user: int
) -> None:
    bystander, subscriber = connect_as("rubi_app"), connect_as("rubi_app")
    bystander.execute("LISTEN rubi_signals")
    rows.signal(db, user)
    subscriber.execute("SELECT subscribe('rubi_signals')")
    heard = rows.signal(db, user)
    subscriber.close()
    left = "SELECT NOT has_subscribers('rubi_signals')"
    until("the server notices", lambda: db.execute(left).fetchone()[0], pause=0.01)
    rows.signal(db, user)
    db.execute("SELECT pg_notify('rubi_signals', 'end')")
    notes = [note.payload for note in bystander.notifies(timeout=60, stop_after=2)]
    assert len(notes) == 2 and f'"signals": [{heard}]' in notes[0]
    assert notes[1] == "end"


def test_a_subscriber_waits_for_those_who_asked_before(
    db: psycopg.Connection, connect_as: Any, user: int
) -> None:
    writer, subscriber = connect_as("rubi_app", autocommit=False), connect_as("rubi_app")
    signal = rows.signal(writer, user)  # asked: nobody there, so nothing will be sent
    with ThreadPoolExecutor(1) as pool:
        subscribed = pool.submit(subscriber.execute, "SELECT subscribe('rubi_signals')")
        waits = "SELECT FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query ~ 'subscribe'"
        until("subscribe() waits", lambda: db.execute(waits).rowcount, pause=0.01)
        assert not subscribed.done()
        writer.commit()
        subscribed.result(timeout=60)
    assert subscriber.execute("SELECT id FROM trading_signals").fetchall() == [(signal,)]


def test_an_unknown_channel_is_refused(app: psycopg.Connection) -> None:
    with pytest.raises(psycopg.Error, match="no such channel: rubi_signal\\n") as caught:
        app.execute("SELECT subscribe('rubi_signal')")
    assert caught.value.sqlstate == "RB057"


def test_readings_remember_what_they_proved_once_a_thousand_positions_wait(
    db: psycopg.Connection, account: int
) -> None:
    waiting = "SELECT count(*) FROM internal.unproved_positions"
    for tickets, left in ((range(1, 1000), 999), (range(1000, 1001), 0), (range(1001, 1002), 1)):
        mt5.ingest(db, "deals", account, [deal(ticket=ticket) for ticket in tickets])
        db.execute("SELECT monitoring.take_readings()")
        assert db.execute(waiting).fetchone() == (left,)
