"""Trips, orders and balance operations follow the deals of every writer."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

import mt5
import rows
from interleaving import orders_of, walk
from mt5 import OUT, SELL, deal, money
from rubi.waiting import until

Connect = Callable[..., psycopg.Connection]
D = Decimal
MOMENT = "2026-01-05 10:00"


def write(connection: psycopg.Connection, account: int, given: dict[str, Any]) -> None:
    """A deal, past the gateway's functions."""
    values = given | {"account_id": account, "order_ticket": given["order"], "source": "api"}
    for name in ("order", "comment", "external_id"):
        del values[name]
    values |= {"executed_at": MOMENT, "time_ambiguous": False, "raw": Jsonb(given)}
    rows.insert(connection, "trading_deals", "ticket", **values)


def orders(db: psycopg.Connection, *columns: str) -> list[tuple]:
    return db.execute(f"SELECT {', '.join(columns)} FROM trading_orders ORDER BY id").fetchall()


def test_deals_that_the_api_writes_corrects_and_deletes_are_followed(
    db: psycopg.Connection, app: psycopg.Connection, account: int
) -> None:
    write(app, account, deal(ticket=1, order=900, position_id=900))
    write(app, account, deal(ticket=2, position_id=900, type=SELL, entry=OUT, profit=5.0))
    assert mt5.trips(db, account, "position_id", "net_result") == [(900, D(5))]
    assert orders(db, "mt5_order_id", "profit", "made_by") == [("900", D(5), "deals")]
    app.execute("UPDATE trading_deals SET profit = 7 WHERE ticket = 2")
    assert orders(db, "profit") == [(D(7),)]
    # another position: the one that is left is made again, too
    app.execute("UPDATE trading_deals SET position_id = 901 WHERE ticket = 2")
    assert mt5.trips(db, account, "position_id", "net_result") == [(900, D(0)), (901, D(7))]
    app.execute("DELETE FROM trading_deals WHERE ticket = 1")
    assert mt5.trips(db, account, "position_id") == [(901,)]
    app.execute("DELETE FROM trading_deals")
    assert (mt5.trips(db, account, "leg"), orders(db, "id")) == ([], [])
    assert mt5.violations(db) == {}


def test_balance_operations_follow_the_deals_that_the_api_writes(
    db: psycopg.Connection, app: psycopg.Connection, account: int
) -> None:
    operations = "SELECT mt5_deal_id, amount FROM balance_operations ORDER BY 1"
    write(app, account, money(100.0, ticket=1))
    write(app, account, money(50.0, ticket=2, kind=3))  # credit is no balance
    assert db.execute(operations).fetchall() == [("1", D(100))]
    app.execute("UPDATE trading_deals SET profit = 90, type = 2")
    assert db.execute(operations).fetchall() == [("1", D(90)), ("2", D(90))]
    app.execute("UPDATE trading_deals SET type = 3 WHERE ticket = 1")
    app.execute("DELETE FROM trading_deals WHERE ticket = 2")
    assert db.execute(operations).fetchall() == []
    assert mt5.violations(db) == {}


def test_one_statement_may_change_deals_of_several_accounts(
    db: psycopg.Connection, app: psycopg.Connection, user: int, account: int
) -> None:
    other = mt5.open_account(db, user, server="Other-Live", taken_at="2026-01-01")
    for number in (account, other):
        write(app, number, deal(ticket=1, order=900, position_id=900))
    app.execute("UPDATE trading_deals SET price = 1.5")
    assert orders(db, "open_price") == [(D("1.5"),)] * 2


def test_what_did_not_change_is_not_written(db: psycopg.Connection, account: int) -> None:
    pair = [
        deal(ticket=1, order=900, position_id=900),
        deal(ticket=2, position_id=901), money(5.0, ticket=3),
    ]  # fmt: skip
    mt5.ingest(db, "deals", account, pair)
    versions = (
        "SELECT xmin::text FROM mt5_trips UNION ALL SELECT xmin::text FROM trading_orders"
        " UNION ALL SELECT xmin::text FROM balance_operations"
    )
    before = db.execute(versions).fetchall()
    assert len(before) == 5
    mt5.ingest(db, "deals", account, [given | {"comment": "x"} for given in pair])
    db.execute("SELECT rebuild_mt5_trips(%s)", [account])
    assert db.execute(versions).fetchall() == before


def test_deals_of_the_api_and_of_the_gateway_make_one_trip_in_every_interleaving(
    db: psycopg.Connection, connect_as: Connect
) -> None:
    sessions = [connect_as("rubi_app"), connect_as("rubi_ingest")]
    for turns in orders_of(3, 2):
        account = mt5.open_account(db, rows.user(db), taken_at="2026-01-01")
        opening = deal(ticket=1, order=900, position_id=900)
        closing = deal(ticket=2, position_id=900, type=SELL, entry=OUT, profit=8.0)
        gateway = [
            lambda c, account=account, given=given: mt5.ingest(c, "deals", account, [given])
            for given in (closing, closing | {"profit": 9.0})
        ]
        api = [
            lambda c: c.execute("BEGIN"),
            lambda c, account=account, given=opening: write(c, account, given),
            lambda c: c.execute("COMMIT"),
        ]
        walk(db, sessions, [api, gateway], turns)
        assert mt5.trips(db, account, "deals", "is_whole", "net_result") == [(2, True, D(9))], turns
    assert mt5.violations(db) == {}


@pytest.mark.parametrize("what", ["deals", "orders"])
def test_a_row_written_past_the_gateway_waits_for_it_and_does_not_deadlock(
    db: psycopg.Connection, connect_as: Connect, account: int, what: str
) -> None:
    gateway, api = connect_as("rubi_ingest", autocommit=False), connect_as("rubi_app")
    element = mt5.order if what == "orders" else deal
    table = "mt5_orders" if what == "orders" else "trading_deals"
    mt5.ingest(db, what, account, [element(ticket=1)])
    names = db.execute(
        "SELECT string_agg(quote_ident(column_name), ', ') FROM information_schema.columns"
        " WHERE table_name = %s AND column_name <> 'ticket'",
        [table],
    ).fetchone()[0]
    again = f"INSERT INTO {table} (ticket, {names}) SELECT 3, {names} FROM {table} WHERE ticket = 1"
    mt5.ingest(gateway, what, account, [element(ticket=2)])
    with ThreadPoolExecutor(1) as pool:
        written = pool.submit(api.execute, again)
        waits = "SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query = %s"
        until("the API waits", lambda: db.execute(waits, [again]).rowcount, pause=0.01)
        assert mt5.ingest(gateway, what, account, [element(ticket=3)]) == (1, 0, 0, 0)
        gateway.commit()
        with pytest.raises(psycopg.errors.UniqueViolation):
            written.result(timeout=60)
    assert mt5.violations(db).get("trips") is None


# Whose an order is


@pytest.fixture
def made(db: psycopg.Connection, account: int) -> int:
    """A row of trading_orders that was made from deals."""
    mt5.ingest(db, "deals", account, [deal(ticket=1, order=900, position_id=900)])
    return db.execute("SELECT id FROM trading_orders").fetchone()[0]


def test_orders_of_the_api_and_of_deals_are_told_apart(
    db: psycopg.Connection, app: psycopg.Connection, user: int, made: int
) -> None:
    order = rows.order(app, user)
    assert orders(db, "id", "made_by") == [(made, "deals"), (order, "api")]


@pytest.mark.parametrize(
    "change",
    [
        "INSERT INTO trading_orders (user_id, symbol, order_type, volume, made_by)"
        " SELECT user_id, 'EURUSD', 'BUY', 1, 'deals' FROM mt5_accounts",
        "UPDATE trading_orders SET made_by = 'deals' WHERE made_by = 'api'",
    ],
)
@pytest.mark.parametrize("role", ["rubi_app", "rubi_tenant"])
def test_only_deals_make_an_order_theirs(
    db: psycopg.Connection, app: psycopg.Connection, user: int, made: int, change: str, role: str
) -> None:
    rows.order(app, user)
    with app.transaction(force_rollback=True):
        app.execute(f"SET LOCAL ROLE {role}")
        app.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(user)])
        with pytest.raises(psycopg.Error) as caught:
            app.execute(change)
    wanted = {"rubi_app": "RB025", "rubi_tenant": "42501"}
    assert caught.value.sqlstate == wanted[role]


@pytest.mark.parametrize(
    ("claim", "owner"),
    [
        ("signal_id = {signal}", "api"),
        ("client_request_id = gen_random_uuid()", "api"),
        ("made_by = 'api'", "api"),
        ("made_by = 'deals', signal_id = {signal}", "api"),
        # a client that writes whole rows
        ("made_by = 'deals', signal_id = NULL, stop_loss = 1", "deals"),
        ("stop_loss = 1.05", "deals"),
    ],
)
def test_the_api_makes_an_order_of_the_deals_its_own(
    db: psycopg.Connection,
    app: psycopg.Connection,
    user: int,
    account: int,
    made: int,
    claim: str,
    owner: str,
) -> None:
    signal = rows.signal(app, user)
    app.execute(f"UPDATE trading_orders SET {claim.format(signal=signal)} WHERE id = %s", [made])
    assert orders(db, "made_by") == [(owner,)]
    app.execute("UPDATE trading_orders SET take_profit = 1.3")
    mt5.ingest(db, "deals", account, [deal(ticket=2, position_id=900)])
    assert orders(db, "take_profit") == [(D("1.3") if owner == "api" else None,)]


def test_an_order_stays_the_apis_when_its_signal_is_deleted(
    db: psycopg.Connection, app: psycopg.Connection, user: int, made: int
) -> None:
    signal = rows.signal(app, user)
    app.execute("UPDATE trading_orders SET signal_id = %s", [signal])
    app.execute("DELETE FROM trading_signals")
    assert orders(db, "signal_id", "made_by") == [(None, "api")]


@pytest.mark.parametrize("made_by", ["api", "deals"])
def test_an_order_with_deals_that_is_deleted_is_made_of_them_again(
    db: psycopg.Connection, user: int, account: int, connect_as: Connect, made_by: str
) -> None:
    """Others are gone: of several in one statement, and of one without a position's number."""
    if made_by == "api":
        rows.order(db, user, mt5_order_id="900", account_id=account)
    mt5.ingest(db, "deals", account, [deal(ticket=1, order=900, position_id=900)])
    rows.order(db, user, mt5_order_id="7", mt5_position_id="7 of mine", account_id=account)
    before = orders(db, "id", "made_by")
    assert len(before) == 2
    assert before[0][1] == made_by
    connect_as("rubi_app").execute("DELETE FROM trading_orders")
    after = orders(db, "id", "made_by", "mt5_order_id", "mt5_position_id")
    assert [row[1:] for row in after] == [("deals", "900", "900")]
    assert after[0][0] not in [number for number, _ in before]
    assert mt5.violations(db) == {}


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("made_by = 'nobody'", "order_maker_known_check"),
        ("made_by = 'deals', signal_id = 1", None),
    ],
)
def test_an_order_has_one_owner(
    db: psycopg.Connection, user: int, change: str, constraint: str | None
) -> None:
    rows.signal(db, user, id=1)
    rows.order(db, user)
    if constraint is None:
        db.execute(f"UPDATE trading_orders SET {change}")
        assert orders(db, "made_by") == [("api",)]
        return
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        db.execute(f"UPDATE trading_orders SET {change}")
    assert caught.value.diag.constraint_name == constraint


# The proof


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        ("UPDATE mt5_trips SET deals = 9", "trip is not what its deals say"),
        ("UPDATE mt5_trips SET side = 'SELL'", "trip is not what its deals say"),
        ("UPDATE mt5_trips SET leg = 2", "trip has no deals"),
        ("UPDATE trading_orders SET open_price = 3", "order is not what its trip says"),
        ("UPDATE mt5_trips SET trading_order_id = NULL", "order made from deals has no trip"),
        ("UPDATE balance_operations SET amount = 1", "balance operation is not what its deal says"),
        ("DELETE FROM balance_operations", "balance operation is not what its deal says"),
        ("UPDATE balance_operations SET mt5_deal_id = '1'",
         "deal moves no balance, and is an operation"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("proved", [False, True])
def test_the_proof_names_what_differs_and_rebuilding_mends_it(
    db: psycopg.Connection, user: int, account: int, made: int, proved: bool, spoil: str,
    problem: str,
) -> None:  # fmt: skip
    mt5.ingest(db, "deals", account, [money(100.0, ticket=3)])
    hand = {"user_id": user, "account_id": account, "amount": 7, "occurred_at": MOMENT}
    rows.insert(db, "balance_operations", **hand)
    proof = "SELECT problem FROM monitoring.trip_violations"
    assert db.execute(proof).fetchall() == []
    if proved:
        db.execute("SELECT monitoring.prove_trips()")
    db.execute(spoil + (" WHERE mt5_deal_id = '3'" if "operations" in spoil else ""))
    assert (problem,) in db.execute(proof).fetchall()
    db.execute("SELECT rebuild_mt5_trips(%s)", [account])
    assert db.execute(proof).fetchall() == []
    assert len(orders(db, "id")) == 1


def prove(db: psycopg.Connection) -> int:
    return db.execute("SELECT monitoring.prove_trips()").fetchone()[0]


def test_a_proved_position_is_proved_again_when_a_row_changes(
    db: psycopg.Connection, account: int, made: int
) -> None:
    mt5.ingest(db, "deals", account, [deal(ticket=5, order=905, position_id=905)])
    assert (prove(db), prove(db)) == (2, 0)
    mt5.ingest(db, "deals", account, [deal(ticket=6, position_id=905)])
    assert (prove(db), prove(db)) == (1, 0)
    # what is deleted is forgotten with the next that is proved
    db.execute("DELETE FROM trading_deals WHERE position_id = 905")
    mt5.ingest(db, "deals", account, [deal(ticket=7, position_id=900)])
    assert prove(db) == 1
    assert db.execute("SELECT position_id FROM internal.proved_positions").fetchall() == [(900,)]
    # another server, which numbers transactions by itself, has proved nothing
    assert db.execute(
        "SELECT c.system_identifier = ANY (p.marks)"
        " FROM internal.proved_positions AS p, pg_control_system() AS c"
    ).fetchall() == [(True,)]
    # fewer than are asked for wait
    mt5.ingest(db, "deals", account, [deal(ticket=8, position_id=900)])
    least = "SELECT monitoring.prove_trips(%s)"
    assert db.execute(least, [2]).fetchone() == (0,)
    assert db.execute(least, [1]).fetchone() == (1,)
    assert mt5.violations(db) == {}


@pytest.mark.parametrize(
    "spoil",
    [
        "UPDATE trading_deals SET profit = 1 WHERE ticket = 1",
        "DELETE FROM trading_deals WHERE ticket = 1",
        "DELETE FROM trading_deals",
        "UPDATE trading_deals SET position_id = 901 WHERE ticket = 1",
        "UPDATE mt5_trips SET deals = 1",
        "DELETE FROM mt5_trips",
        "UPDATE trading_orders SET volume = 3",
        "INSERT INTO mt5_magic_strategies (account_id, user_id, magic, strategy_id)"
        " SELECT a.id, s.user_id, 0, s.id FROM mt5_accounts AS a, trading_strategies AS s",
        "UPDATE mt5_deal_types SET effect = 'credit' WHERE code = 0",
    ],
)
def test_a_change_past_all_triggers_is_proved_too(
    db: psycopg.Connection, user: int, account: int, made: int, spoil: str
) -> None:
    rows.strategy(db, user)
    mt5.ingest(db, "deals", account, [deal(ticket=2, position_id=900)])
    prove(db)
    db.execute("SET session_replication_role = replica")
    db.execute(spoil)
    assert mt5.violations(db)["trips"] >= 1
    # and stays, though it was looked at
    prove(db)
    assert mt5.violations(db)["trips"] >= 1
