"""Round trips from deals: each scenario with results computed by hand."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

import psycopg
import pytest

import mt5
import rows
from mt5 import BUY, IN, INOUT, OUT, OUT_BY, SELL, deal, decimals, money

D = Decimal
MONEY = ("profit", "commission", "swap", "fee", "net_result")


@pytest.fixture
def user(db: psycopg.Connection) -> int:
    return rows.user(db)


@pytest.fixture
def account(db: psycopg.Connection, user: int) -> int:
    return mt5.open_account(db, user, taken_at="2026-01-01")


def orders(db: psycopg.Connection, account: int, *columns: str) -> list[tuple]:
    return db.execute(
        f"SELECT {', '.join(columns)} FROM trading_orders WHERE account_id = %s"
        " ORDER BY opened_at, id",
        [account],
    ).fetchall()


def test_netting_scale_in_and_partial_closes_are_one_trip(
    db: psycopg.Connection, account: int
) -> None:
    # 1.0 at 1.1000 and 3.0 at 1.1040: 4.0 at (1.1 + 3 x 1.104) / 4 = 1.103
    # closed 1.0 at 1.1050 and 3.0 at 1.1010: (1.105 + 3.303) / 4 = 1.102
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, position_id=900, order=900, price=1.1, commission=-3.5),
        deal("2026-01-05 11:00", ticket=2, position_id=900, volume=3.0, price=1.104,
             commission=-10.5),
        deal("2026-01-05 12:00", ticket=3, position_id=900, type=SELL, entry=OUT, price=1.105,
             profit=200.0, swap=-1.25),
        deal("2026-01-06 12:00", ticket=4, position_id=900, type=SELL, entry=OUT, volume=3.0,
             price=1.101, profit=-600.0, swap=-3.75, fee=-0.5),
    ])  # fmt: skip
    assert mt5.trips(
        db, account, "leg", "side", "deals", "volume_opened", "volume_closed", "open_price",
        "close_price", "is_whole", "open_order",
    ) == [(1, "BUY", 4, D(4), D(4), D("1.103"), D("1.102"), True, 900)]  # fmt: skip
    assert mt5.trips(db, account, *MONEY) == [decimals("-400", "-14", "-5", "-0.5", "-419.5")]
    # the fee is part of the order's commission
    assert orders(
        db, account, "mt5_order_id", "mt5_position_id", "order_type", "volume", "open_price",
        "close_price", "profit", "commission", "swap",
    ) == [
        ("900", "900", "BUY", *decimals("4", "1.103", "1.102", "-400", "-14.5", "-5"))
    ]  # fmt: skip
    # New York + 7 hours is UTC+2 in January
    assert orders(db, account, "opened_at::text", "closed_at::text") == [
        ("2026-01-05 08:00:00+00", "2026-01-06 10:00:00+00")
    ]


def test_a_partly_closed_position_is_an_open_trip(db: psycopg.Connection, account: int) -> None:
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, position_id=900, volume=2.0),
        deal("2026-01-05 11:00", ticket=2, position_id=900, volume=0.5, type=SELL, entry=OUT,
             profit=10.0),
    ])  # fmt: skip
    assert mt5.trips(db, account, "volume_opened", "volume_closed", "closed_at", "net_result") == [
        (D(2), D("0.5"), None, D(10))
    ]
    assert orders(db, account, "closed_at", "close_price", "profit") == [(None, None, D(10))]


def test_reversal_closes_a_leg_and_opens_the_next(db: psycopg.Connection, account: int) -> None:
    # 2.0 bought; 5.0 sold reverses: 2/5 of commission and fee close leg 1, 3/5 open leg 2
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, order=900, position_id=900, volume=2.0, price=1.2,
             commission=-7.0, magic=11),
        deal("2026-01-05 11:00", ticket=2, order=901, position_id=900, volume=5.0, price=1.21,
             type=SELL, entry=INOUT, commission=-10.0, fee=-0.01, profit=2000.0, swap=-1.5,
             magic=22),
        deal("2026-01-05 12:00", ticket=3, order=902, position_id=900, volume=3.0, price=1.22,
             type=BUY, entry=OUT, commission=-3.0, profit=-3000.0),
    ])  # fmt: skip
    assert mt5.trips(
        db, account, "leg", "side", "volume_opened", "volume_closed", "open_price", "close_price",
        "magic", "open_order", *MONEY,
    ) == [
        (1, "BUY", *decimals("2", "2", "1.2", "1.21"), 11, 900,
         *decimals("2000", "-11", "-1.5", "-0.004", "1987.496")),
        (2, "SELL", *decimals("3", "3", "1.21", "1.22"), 22, 901,
         *decimals("-3000", "-9", "0", "-0.006", "-3009.006")),
    ]  # fmt: skip
    assert orders(db, account, "mt5_order_id", "order_type", "profit", "commission") == [
        ("900", "BUY", *decimals("2000", "-11.004")),
        ("901", "SELL", *decimals("-3000", "-9.006")),
    ]


def test_reversal_without_order_numbers_makes_one_row_a_leg(
    db: psycopg.Connection, account: int
) -> None:
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, order=0, position_id=900, volume=2.0),
        deal("2026-01-05 11:00", ticket=2, order=0, position_id=900, volume=5.0, type=SELL,
             entry=INOUT),
    ])  # fmt: skip
    assert orders(db, account, "mt5_order_id", "order_type", "volume") == [
        (None, "BUY", *decimals("2")),
        (None, "SELL", *decimals("3")),
    ]


def test_late_deal_hands_order_numbers_on_to_the_next_legs(
    db: psycopg.Connection, account: int
) -> None:
    late = deal("2026-01-05 11:00", ticket=2, order=901, position_id=900, volume=2.0, type=SELL,
                entry=INOUT)  # fmt: skip
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, order=900, position_id=900, volume=1.0),
        deal("2026-01-05 12:00", ticket=3, order=902, position_id=900, volume=2.0, entry=INOUT),
    ])  # fmt: skip
    mt5.ingest(db, "deals", account, [late])
    assert orders(db, account, "mt5_order_id", "order_type", "volume") == [
        ("900", "BUY", *decimals("1")),
        ("901", "SELL", *decimals("1")),
        ("902", "BUY", *decimals("1")),
    ]


def test_pro_rata_rounding_loses_nothing(db: psycopg.Connection, account: int) -> None:
    # a third of -0.1 does not end: 8 decimals close, the rest opens, together exactly -0.1
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, position_id=900, volume=1.0),
        deal("2026-01-05 11:00", ticket=2, position_id=900, volume=3.0, type=SELL, entry=INOUT,
             commission=-0.1),
    ])  # fmt: skip
    assert mt5.trips(db, account, "commission") == [(D("-0.03333333"),), (D("-0.06666667"),)]


def test_close_by_links_two_trips(db: psycopg.Connection, account: int) -> None:
    # OUT_BY books the pair's whole profit in one of its two deals
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, position_id=901, order=901, price=1.1),
        deal("2026-01-05 10:01", ticket=2, position_id=902, order=902, type=SELL, price=1.103),
        deal("2026-01-05 11:00", ticket=3, position_id=901, order=950, type=SELL, entry=OUT_BY,
             price=1.103, profit=300.0),
        deal("2026-01-05 11:00", ticket=4, position_id=902, order=950, type=BUY, entry=OUT_BY,
             price=1.1, profit=0.0),
    ])  # fmt: skip
    assert mt5.trips(db, account, "side", "close_price", "net_result", "close_by_orders") == [
        ("BUY", D("1.103"), D(300), [950]),
        ("SELL", D("1.1"), D(0), [950]),
    ]
    links = db.execute(
        "SELECT close_by_order, position_id, other_position_id FROM mt5_trip_links ORDER BY 2"
    ).fetchall()
    assert links == [(950, 901, 902), (950, 902, 901)]


def test_dividends_rollovers_and_late_charges_add_money_only(
    db: psycopg.Connection, account: int
) -> None:
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, position_id=900, symbol="#AAPL", volume=10.0),
        money(4.2, "2026-01-06 10:00", kind=15, ticket=2, position_id=900, symbol="#AAPL"),
        money(-0.63, "2026-01-06 10:00", kind=17, ticket=3, position_id=900, symbol="#AAPL"),
        # a rollover: trade type and volume, but neither opens nor closes
        deal("2026-01-07 00:00", ticket=4, position_id=900, symbol="#AAPL", type=SELL, entry=OUT,
             reason=7, volume=10.0, swap=-1.5),
        deal("2026-01-08 10:00", ticket=5, position_id=900, symbol="#AAPL", type=SELL, entry=OUT,
             volume=10.0, profit=50.0),
        # a commission booked the day after
        money(0.0, "2026-01-09 01:00", kind=8, ticket=6, position_id=900, commission=-2.0),
    ])  # fmt: skip
    assert mt5.trips(db, account, "volume_opened", "volume_closed", "deals", *MONEY) == [
        (D(10), D(10), 6, *decimals("53.57", "-2", "-1.5", "0", "50.07"))
    ]


def test_cancelled_deal_leaves_volumes_and_trades(db: psycopg.Connection, account: int) -> None:
    bought = deal("2026-01-05 10:00", ticket=1, position_id=900)
    sold = deal("2026-01-05 11:00", ticket=2, position_id=900, type=SELL, entry=OUT, profit=100.0)
    mt5.ingest(db, "deals", account, [bought, sold])
    assert len(orders(db, account, "id")) == 1
    gone = [bought | {"type": 13}, sold | {"type": 14, "profit": 0.0}]
    assert mt5.ingest(db, "deals", account, gone) == (0, 2, 0, 0)
    assert mt5.trips(db, account, "leg") == []
    assert orders(db, account, "id") == []
    # the version from before arrives late: cancelled stays cancelled
    assert mt5.ingest(db, "deals", account, [bought, sold]) == (0, 0, 2, 0)
    assert mt5.trips(db, account, "leg") == []


def test_crypto_account_keeps_eight_decimals(db: psycopg.Connection, user: int) -> None:
    account = mt5.open_account(
        db, user, currency="BTC", currency_digits=8, balance=1.00000123, equity=1.00000123
    )
    mt5.ingest(db, "deals", account, [
        money(1.0, "2026-01-05 09:00", ticket=1),
        deal("2026-01-05 10:00", ticket=2, position_id=900, symbol="ETHBTC", volume=0.00000001,
             price=0.03512345, commission=-1e-08),
        deal("2026-01-05 11:00", ticket=3, position_id=900, symbol="ETHBTC", volume=0.00000001,
             price=0.03512346, type=SELL, entry=OUT, profit=0.00000124),
    ])  # fmt: skip
    assert mt5.trips(db, account, "volume_opened", "open_price", "close_price", "net_result") == [
        decimals("0.00000001", "0.03512345", "0.03512346", "0.00000123")
    ]
    assert mt5.violations(db) == {}


def test_two_brokers_may_use_equal_tickets(db: psycopg.Connection, user: int) -> None:
    accounts = [mt5.open_account(db, user, server=server) for server in ("A-Live", "B-Live")]
    for account, profit in zip(accounts, (5.0, 7.0), strict=True):
        mt5.ingest(db, "deals", account, [
            deal("2026-01-05 10:00", ticket=1, position_id=900, order=900),
            deal("2026-01-05 11:00", ticket=2, position_id=900, type=SELL, entry=OUT,
                 profit=profit),
        ])  # fmt: skip
    assert [mt5.trips(db, account, "net_result") for account in accounts] == [
        [(D(5),)], [(D(7),)],
    ]  # fmt: skip
    assert [orders(db, a, "mt5_order_id", "profit") for a in accounts] == [
        [("900", D(5))], [("900", D(7))],
    ]  # fmt: skip


def test_deals_of_one_millisecond_go_by_ticket(db: psycopg.Connection, account: int) -> None:
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=2, position_id=900, type=SELL, entry=INOUT, volume=3.0),
        deal("2026-01-05 10:00", ticket=1, position_id=900, volume=1.0),
    ])  # fmt: skip
    assert mt5.trips(db, account, "leg", "side", "volume_opened") == [
        (1, "BUY", D(1)),
        (2, "SELL", D(2)),
    ]


def test_a_trip_without_its_opening_is_marked(db: psycopg.Connection, account: int) -> None:
    closing = deal("2026-01-05 11:00", ticket=2, position_id=900, type=SELL, entry=OUT, profit=5.0)
    mt5.ingest(db, "deals", account, [closing])
    assert mt5.trips(db, account, "side", "open_price", "is_whole") == [("BUY", None, False)]
    assert orders(db, account, "mt5_order_id", "profit") == [(None, D(5))]
    # the opening arrives later: the same order is completed
    mt5.ingest(db, "deals", account, [deal("2026-01-05 10:00", ticket=1, position_id=900)])
    assert mt5.trips(db, account, "side", "open_price", "is_whole") == [("BUY", D("1.1"), True)]
    assert orders(db, account, "mt5_order_id", "profit") == [("1", D(5))]


def test_strategy_comes_from_the_magic_number_at_opening(
    db: psycopg.Connection, user: int, account: int
) -> None:
    first, second = rows.strategy(db, user), rows.strategy(db, user)
    for valid_from, strategy in (("-infinity", first), ("2026-02-01", second)):
        db.execute(
            "INSERT INTO mt5_magic_strategies (account_id, user_id, magic, valid_from, strategy_id)"
            " VALUES (%s, %s, 77, %s, %s)",
            [account, user, valid_from, strategy],
        )
    mt5.ingest(db, "deals", account, [
        deal("2026-01-31 10:00", ticket=1, position_id=901, magic=77),
        # closed by hand after the change: the opening deal counts
        deal("2026-02-02 10:00", ticket=2, position_id=901, magic=0, type=SELL, entry=OUT,
             profit=9.0),
        deal("2026-02-02 11:00", ticket=3, position_id=902, magic=77),
        deal("2026-02-02 12:00", ticket=4, position_id=902, type=SELL, entry=OUT, profit=-4.0),
        deal("2026-02-02 13:00", ticket=5, position_id=903, magic=78),
    ])  # fmt: skip
    assert mt5.trips(db, account, "strategy_id") == [(first,), (second,), (None,)]
    counters = "SELECT total_trades, winning_trades, total_profit FROM trading_strategies"
    assert db.execute(f"{counters} ORDER BY id").fetchall() == [(1, 1, D(9)), (1, 0, D(-4))]
    db.execute("UPDATE mt5_magic_strategies SET strategy_id = NULL WHERE strategy_id = %s", [first])
    assert db.execute("SELECT rebuild_mt5_trips(%s)", [account]).fetchone() == (3,)
    assert db.execute(f"{counters} ORDER BY id").fetchall() == [(0, 0, D(0)), (1, 0, D(-4))]
    assert mt5.violations(db) == {}


def test_a_strategy_of_another_user_is_refused_for_a_magic_number(
    db: psycopg.Connection, user: int, account: int
) -> None:
    with pytest.raises(psycopg.errors.ForeignKeyViolation) as error:
        db.execute(
            "INSERT INTO mt5_magic_strategies (account_id, user_id, magic, strategy_id)"
            " VALUES (%s, %s, 1, %s)",
            [account, user, rows.strategy(db, rows.user(db))],
        )
    assert error.value.diag.constraint_name == "mt5_magic_strategies_strategy_id_user_id_fkey"


def test_excursion_comes_from_bars_within_the_trip(db: psycopg.Connection, account: int) -> None:
    mt5.ingest(db, "symbols", account, [mt5.symbol()])
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00:30", ticket=1, position_id=900, symbol="EURUSD.m", price=1.1),
        deal("2026-01-05 10:03:30", ticket=2, position_id=900, symbol="EURUSD.m", type=SELL,
             entry=OUT, price=1.105),
    ])  # fmt: skip
    view = "SELECT favourable_excursion, adverse_excursion FROM mt5_trip_results"
    assert db.execute(view).fetchone() == (None, None)
    # 10:00 begins before the trip, 10:03 ends after it: only 10:01 and 10:02 count; UTC is 8:0x
    for minute, high, low in ((0, 2, "1.0"), (1, "1.11", "1.09"), (2, "1.108", "1.08"), (3, 3, 1)):
        rows.bar(
            db, timeframe="M1", timestamp=f"2026-01-05 08:{minute:02}+00", open="1.1", close="1.1",
            high=high, low=low,
        )  # fmt: skip
    assert db.execute(view).fetchone() == decimals("0.01", "0.02")
    assert db.execute("SELECT holding_time::text FROM mt5_trip_results").fetchone() == ("00:03:00",)


# What the API wrote


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
    for each in (account, other):
        mt5.ingest(db, "deals", each, [deal(ticket=1, order=900, position_id=900)])
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


def test_buying_is_even_and_selling_odd(db: psycopg.Connection, account: int) -> None:
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, position_id=900, type=SELL, entry=IN, price=1.2),
        deal("2026-01-05 11:00", ticket=2, position_id=900, type=BUY, entry=OUT, price=1.1),
    ])  # fmt: skip
    assert mt5.trips(db, account, "side", "open_price", "close_price") == [
        ("SELL", *decimals("1.2", "1.1"))
    ]
