"""Orders that deals complete, make or leave alone, beside those that the API wrote."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import psycopg
import pytest

import mt5
import rows
from mt5 import INOUT, OUT, SELL, deal, decimals, orders

D = Decimal


def test_an_order_of_the_api_is_completed_not_doubled(
    db: psycopg.Connection, user: int, account: int
) -> None:
    strategy = rows.strategy(db, user)
    signal = rows.signal(db, user, strategy_id=strategy)
    known = rows.order(db, user, account_id=account, mt5_order_id="900", signal_id=signal,
                       order_type="BUY_LIMIT", stop_loss="1.05", volume="0.5")  # fmt: skip
    # the old API names no account
    nameless = rows.order(db, user, mt5_order_id="901")
    trade = [
        deal("2026-01-05 10:00", ticket=1, order=900, position_id=900),
        deal("2026-01-05 11:00", ticket=2, position_id=900, type=SELL, entry=OUT, profit=5.0,
             price=1.2, fee=-1.0),
        deal("2026-01-05 10:00", ticket=3, order=901, position_id=901),
        deal("2026-01-05 11:00", ticket=4, position_id=901, type=SELL, entry=OUT, profit=6.0),
    ]  # fmt: skip
    mt5.ingest(db, "deals", account, trade)
    assert db.execute(
        "SELECT id, account_id, signal_id, strategy_id, order_type, stop_loss, volume, close_price,"
        " profit, commission FROM trading_orders ORDER BY id"
    ).fetchall() == [
        (known, account, signal, strategy, "BUY_LIMIT", D("1.05"), D(1), D("1.2"), D(5), D(-1)),
        (nameless, account, None, None, "BUY", None, D(1), D("1.1"), D(6), D(0)),
    ]
    assert mt5.violations(db) == {}


@pytest.mark.parametrize("way", ["01234", "43210", "13024", "31042"])
def test_an_order_of_the_api_has_the_leg_it_opened_however_the_deals_come(
    db: psycopg.Connection, user: int, account: int, way: str
) -> None:
    """An opening that comes late moves the number of its leg, a reversal the numbers of later legs;
    the API's order would stay open for good, or be another leg's."""
    opened, turned = (
        rows.order(db, user, account_id=account, mt5_order_id=number,
                   strategy_id=rows.strategy(db, user, name=number))
        for number in ("900", "904")
    )  # fmt: skip
    deals = [
        deal("2026-01-05 10:00", ticket=1, order=900, position_id=900),
        deal("2026-01-05 11:00", ticket=2, order=901, position_id=900),
        deal("2026-01-05 12:00", ticket=3, order=903, position_id=900, type=SELL, entry=INOUT,
             volume=3.0, profit=3.0),
        deal("2026-01-05 13:00", ticket=4, order=904, position_id=900, entry=INOUT, volume=2.0,
             profit=4.0),
        deal("2026-01-05 14:00", ticket=5, order=905, position_id=900, type=SELL, entry=OUT,
             profit=5.0),
    ]  # fmt: skip
    for number in way:
        mt5.ingest(db, "deals", account, [deals[int(number)]])
    found = orders(db, account, "id", "mt5_order_id", "profit", "closed_at IS NULL")
    assert [row for row in found if row[0] in (opened, turned)] == [
        (opened, "900", D(3), False), (turned, "904", D(5), False)
    ]  # fmt: skip
    assert [row[1:] for row in found if row[0] not in (opened, turned)] == [("903", D(4), False)]
    assert db.execute(
        "SELECT total_trades, total_profit FROM trading_strategies ORDER BY name"
    ).fetchall() == [(1, 3), (1, 5)]
    assert mt5.violations(db) == {}


def test_an_order_that_the_api_sends_after_its_deals_is_not_doubled(
    db: psycopg.Connection, app: psycopg.Connection, user: int, account: int
) -> None:
    mt5.ingest(db, "deals", account, [deal("2026-01-05 10:00", ticket=1, order=900)])
    with pytest.raises(psycopg.errors.UniqueViolation) as error:
        rows.order(app, user, mt5_order_id="900")
    assert error.value.diag.constraint_name == "trading_orders_mt5_order_id_account_id_key"
    # another symbol, or another user, is another order
    rows.order(app, user, mt5_order_id="900", symbol="GBPUSD")
    rows.order(app, rows.user(app), mt5_order_id="900")


def test_a_nameless_order_is_left_alone_when_two_accounts_have_its_number(
    db: psycopg.Connection, user: int, account: int
) -> None:
    other = mt5.open_account(db, user, server="Other-Live")
    nameless = rows.order(db, user, mt5_order_id="900")
    both = deal("2026-01-05 10:00", ticket=1, order=900, position_id=900)
    mt5.ingest(db, "deals", other, [both | {"symbol": "GBPUSD"}])
    mt5.ingest(db, "deals", account, [both])
    untouched = db.execute("SELECT account_id FROM trading_orders WHERE id = %s", [nameless])
    assert untouched.fetchone() == (None,)
    assert mt5.violations(db)["double orders"] == 1


@pytest.mark.parametrize("gives_number_later", [False, True])
def test_an_order_with_the_number_of_two_accounts_must_name_its_own(
    db: psycopg.Connection, app: psycopg.Connection, user: int, account: int,
    gives_number_later: bool,
) -> None:  # fmt: skip
    other = mt5.open_account(db, user, server="Other-Live", taken_at="2026-01-01")
    for number, each in enumerate((account, other), 1):
        mt5.ingest(db, "deals", each, [deal(ticket=number, order=900, position_id=900)])
    signal = rows.signal(app, user)
    with pytest.raises(psycopg.DatabaseError) as caught:
        if gives_number_later:
            order = rows.order(app, user, signal_id=signal)
            app.execute("UPDATE trading_orders SET mt5_order_id = '900' WHERE id = %s", [order])
        else:
            rows.order(app, user, signal_id=signal, mt5_order_id="900")
    assert caught.value.sqlstate == "RB023"
    assert caught.value.diag.constraint_name == "trading_orders_account_is_certain"
    if gives_number_later:
        app.execute(
            "UPDATE trading_orders SET mt5_order_id = '900', account_id = %s WHERE id = %s",
            [other, order],
        )
        assert orders(db, other, "id", "signal_id") == [(order, signal)]
        assert len(orders(db, account, "id")) == 1
        assert mt5.violations(db) == {}


def test_an_order_left_without_an_account_takes_its_place_when_the_account_is_named(
    db: psycopg.Connection, app: psycopg.Connection, user: int, account: int
) -> None:
    other = mt5.open_account(db, user, server="Other-Live", taken_at="2026-01-01")
    nameless = rows.order(app, user, mt5_order_id="900")
    both = deal("2026-01-05 10:00", ticket=1, order=900, position_id=900)
    mt5.ingest(db, "deals", other, [both | {"symbol": "GBPUSD"}])
    mt5.ingest(db, "deals", account, [both])
    app.execute("UPDATE trading_orders SET account_id = %s WHERE id = %s", [account, nameless])
    assert orders(db, account, "id", "mt5_position_id") == [(nameless, "900")]
    assert mt5.violations(db) == {}


def test_merged_order_leaves_both_rows_in_the_trail(
    db: psycopg.Connection, app: psycopg.Connection, user: int, account: int
) -> None:
    order = rows.order(app, user, stop_loss=D("1.05"))
    mt5.ingest(db, "deals", account, [deal(ticket=1, order=900, price=1.15)])
    made = orders(db, account, "id")[0][0]
    app.execute("UPDATE trading_orders SET mt5_order_id = '900' WHERE id = %s", [order])
    trail = db.execute(
        "SELECT row_id, action, new_values ->> 'open_price' FROM audit.changes"
        " WHERE table_name = 'trading_orders' ORDER BY id"
    ).fetchall()
    assert [row[:2] for row in trail] == [
        (order, "INSERT"), (made, "INSERT"), (made, "DELETE"), (order, "UPDATE"),
    ]  # fmt: skip
    assert trail[-1][2] == "1.15000000"
    assert orders(db, account, "id", "stop_loss") == [(order, D("1.05"))]


def test_an_order_with_a_signal_or_request_of_the_api_is_not_given_away(
    db: psycopg.Connection, app: psycopg.Connection, user: int, account: int
) -> None:
    order = rows.order(app, user)
    mt5.ingest(db, "deals", account, [deal(ticket=1, order=900)])
    app.execute(
        "UPDATE trading_orders SET signal_id = %s WHERE mt5_order_id = '900'",
        [rows.signal(app, user)],
    )
    with pytest.raises(psycopg.errors.UniqueViolation) as caught:
        app.execute("UPDATE trading_orders SET mt5_order_id = '900' WHERE id = %s", [order])
    assert caught.value.diag.constraint_name == "trading_orders_mt5_order_id_account_id_key"


def test_an_order_made_from_deals_that_gets_a_signal_is_the_apis_own(
    db: psycopg.Connection, app: psycopg.Connection, user: int, account: int
) -> None:
    strategy = rows.strategy(app, user)
    signal = rows.signal(app, user, strategy_id=strategy)
    pair = [
        deal("2026-01-05 10:00", ticket=1, order=900, position_id=900),
        deal("2026-01-05 11:00", ticket=2, position_id=900, type=SELL, entry=OUT, profit=5.0),
    ]
    mt5.ingest(db, "deals", account, pair[:1])
    app.execute("UPDATE trading_orders SET signal_id = %s, stop_loss = 1.05", [signal])
    mt5.ingest(db, "deals", account, pair)
    assert orders(db, account, "strategy_id", "stop_loss", "profit") == [
        (strategy, *decimals("1.05", "5"))
    ]
    # and it stays when MT5 takes its deals back, open as before
    mt5.ingest(db, "deals", account, [d | {"type": d["type"] + 13, "profit": 0.0} for d in pair])
    assert orders(db, account, "signal_id", "closed_at") == [(signal, None)]
    assert mt5.violations(db) == {}


@pytest.mark.parametrize(
    ("steps", "kept"),
    [
        (["signal_id, mt5_order_id"], "signal"),
        (["signal_id", "mt5_order_id"], "signal"),
        (["mt5_order_id", "signal_id"], "magic"),
        (["mt5_order_id"], "magic"),
        ([], "signal"),
    ],
)
def test_strategy_is_the_signals_and_the_magic_numbers_where_none_was_before(
    db: psycopg.Connection, app: psycopg.Connection, user: int, account: int,
    steps: list[str], kept: str,
) -> None:  # fmt: skip
    strategies = {name: rows.strategy(db, user, name=name) for name in ("signal", "magic")}
    db.execute(
        "INSERT INTO mt5_magic_strategies (account_id, user_id, magic, strategy_id)"
        " VALUES (%s, %s, 77, %s)",
        [account, user, strategies["magic"]],
    )
    mt5.ingest(db, "deals", account, [deal(ticket=1, order=900, position_id=900, magic=77)])
    signal = rows.signal(app, user, strategy_id=strategies["signal"])
    if not steps:
        app.execute("UPDATE trading_orders SET signal_id = %s WHERE mt5_order_id = '900'", [signal])
        assert orders(db, account, "strategy_id") == [(strategies[kept],)]
        return
    order = rows.order(app, user)
    for columns in steps:
        app.execute(
            f"UPDATE trading_orders AS o SET ({columns}) = (SELECT {columns} FROM"
            " (SELECT %s::bigint AS signal_id, '900' AS mt5_order_id) AS given) WHERE o.id = %s",
            [signal, order],
        )
    assert orders(db, account, "id", "strategy_id") == [(order, strategies[kept])]


def test_trips_and_orders_follow_a_magic_number_that_is_mapped_later(
    db: psycopg.Connection, app: psycopg.Connection, user: int, account: int
) -> None:
    """Mapped after the deals, changed, from a later day on, and deleted; the API's own stays."""
    first, second, own = (rows.strategy(db, user, name=name) for name in ("a", "b", "own"))
    signal = rows.signal(db, user, strategy_id=own)
    for number, fields in ((901, {}), (902, {"signal_id": signal}), (903, {"strategy_id": own})):
        rows.order(app, user, account_id=account, mt5_order_id=str(number), **fields)
    mt5.ingest(db, "deals", account, [
        row
        for day, order in enumerate((900, 901, 902, 903), 5)
        for row in (
            deal(f"2026-01-{day:02} 10:00", ticket=order, position_id=order, magic=77),
            deal(f"2026-01-{day:02} 11:00", position_id=order, type=SELL, entry=OUT, profit=5.0),
        )
    ])  # fmt: skip
    columns = "(account_id, user_id, magic, strategy_id, valid_from)"
    for change, of_trips in (
        (f"INSERT INTO mt5_magic_strategies {columns} VALUES (%(account)s, %(user)s, 77, %(first)s,"
         " '-infinity')", [first] * 4),
        ("UPDATE mt5_magic_strategies SET strategy_id = %(second)s", [second] * 4),
        ("UPDATE mt5_magic_strategies SET valid_from = '2026-01-06'", [None] + [second] * 3),
        ("UPDATE mt5_magic_strategies SET magic = 78", [None] * 4),
        ("UPDATE mt5_magic_strategies SET magic = 77, valid_from = '-infinity'", [second] * 4),
        ("DELETE FROM mt5_magic_strategies", [None] * 4),
    ):  # fmt: skip
        app.execute(change, {"account": account, "user": user, "first": first, "second": second})
        assert mt5.trips(db, account, "strategy_id") == [(s,) for s in of_trips]
        found = [s for (s,) in orders(db, account, "strategy_id")]
        assert found == [of_trips[0], of_trips[1], own, own]
        assert mt5.violations(db) == {}


def test_rebuilding_makes_one_of_an_order_that_is_stored_twice(
    db: psycopg.Connection, connect_as: Callable[..., psycopg.Connection], user: int, account: int
) -> None:
    with connect_as("rubi_app", autocommit=False) as app:
        app.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        signal = rows.signal(app, user)
        mt5.ingest(db, "deals", account, [deal(ticket=1, order=900)])
        order = rows.order(app, user, signal_id=signal, mt5_order_id="900")
    assert mt5.violations(db)["double orders"] == 1
    db.execute("SELECT rebuild_mt5_trips(%s)", [account])
    assert orders(db, account, "id", "signal_id") == [(order, signal)]
    assert mt5.violations(db) == {}


def test_an_order_of_the_api_is_open_again_when_its_deals_are_cancelled(
    db: psycopg.Connection, user: int, account: int
) -> None:
    known = rows.order(db, user, account_id=account, mt5_order_id="900")
    pair = [
        deal("2026-01-05 10:00", ticket=1, order=900, position_id=900),
        deal("2026-01-05 11:00", ticket=2, position_id=900, type=SELL, entry=OUT, profit=5.0),
    ]
    mt5.ingest(db, "deals", account, pair)
    mt5.ingest(db, "deals", account, [d | {"type": d["type"] + 13, "profit": 0.0} for d in pair])
    assert orders(db, account, "id", "closed_at", "profit") == [(known, None, D(0))]


def test_type_stop_and_target_come_from_the_opening_order(
    db: psycopg.Connection, account: int
) -> None:
    mt5.ingest(db, "deals", account, [deal("2026-01-05 10:00", ticket=1, order=900)])
    assert orders(db, account, "order_type", "stop_loss") == [("BUY", None)]
    mt5.ingest(db, "orders", account, [
        mt5.order("2026-01-05 09:00", ticket=900, type=2, sl=1.05, tp=1.2)
    ])  # fmt: skip
    assert orders(db, account, "order_type", "stop_loss", "take_profit") == [
        ("BUY_LIMIT", *decimals("1.05", "1.2"))
    ]


def test_two_positions_of_one_order_are_both_stored(db: psycopg.Connection, account: int) -> None:
    # MT5 doesn't do this; if a broker does, the number stays with the first and no trade is lost
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, order=900, position_id=901),
        deal("2026-01-05 10:00", ticket=2, order=900, position_id=902),
    ])  # fmt: skip
    assert sorted(orders(db, account, "mt5_order_id", "mt5_position_id"), key=str) == [
        ("900", "901"),
        (None, "902"),
    ]
    assert mt5.violations(db) == {}


def test_orders_of_other_accounts_with_the_number_are_not_read(
    db: psycopg.Connection, account: int
) -> None:
    read = (
        "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables"
        " WHERE relid = 'trading_orders'::regclass"
    )
    other = rows.user(db)
    db.execute(
        "WITH a AS (INSERT INTO mt5_accounts (user_id, server, account_number, broker)"
        " SELECT %s, 'Broker-Live', n::text, 'Broker' FROM generate_series(1, 500) AS n"
        " RETURNING id, user_id)"
        " INSERT INTO trading_orders"
        " (user_id, account_id, mt5_order_id, symbol, order_type, volume)"
        " SELECT a.user_id, a.id, '900', 'EURUSD', 'BUY', 1 FROM a",
        [other],
    )
    with db.transaction():
        (before,) = db.execute(read).fetchone()
        mt5.ingest(db, "deals", account, [deal(ticket=1, order=900, position_id=900)])
        (after,) = db.execute(read).fetchone()
    assert after - before < 50
    assert orders(db, account, "mt5_order_id") == [("900",)]
