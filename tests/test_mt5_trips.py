"""Round trips from deals: each scenario with results computed by hand."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest

import mt5
import rows
from mt5 import BUY, IN, INOUT, OUT, OUT_BY, SELL, deal, decimals, money, orders

D = Decimal
MONEY = ("profit", "commission", "swap", "fee", "net_result")


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


@pytest.mark.parametrize("first", [1, 2, 3])
def test_reversals_without_the_opening_keep_the_volumes_and_money_of_the_rest(
    db: psycopg.Connection, account: int, first: int
) -> None:
    """A system that is always in the market, read from its middle on: every second trade was
    lost, and the result of each first reversal."""
    turns = [
        deal(f"2026-01-05 {9 + number}:00", ticket=number + 1, position_id=900, volume=2.0,
             type=number % 2, entry=INOUT, price=1.0 + number, profit=10.0, commission=-2.0)
        for number in range(first, 6)
    ]  # fmt: skip
    mt5.ingest(db, "deals", account, turns)
    legs = mt5.trips(db, account, "leg", "side", "volume_opened", "volume_closed", "net_result")
    sides = ["SELL" if number % 2 else "BUY" for number in range(first - 1, 6)]
    assert [leg[1] for leg in legs] == sides
    assert [leg[2:4] for leg in legs] == [(0, 1), *[(1, 1)] * (5 - first), (1, 0)]
    assert [leg[4] for leg in legs] == [9, *[8] * (5 - first), -1]
    whole = db.execute("SELECT is_whole FROM mt5_trips ORDER BY leg").fetchall()
    assert whole == [(False,), *[(True,)] * (6 - first)]
    assert mt5.violations(db) == {}


def test_a_reversal_without_the_opening_is_exact_once_the_position_has_closed(
    db: psycopg.Connection, account: int
) -> None:
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, position_id=900, volume=3.0, type=SELL, entry=INOUT),
        deal("2026-01-05 11:00", ticket=2, position_id=900, volume=1.0, type=BUY, entry=OUT),
    ])  # fmt: skip
    assert mt5.trips(db, account, "side", "volume_opened", "volume_closed") == [
        ("BUY", 0, 2), ("SELL", 1, 1),
    ]  # fmt: skip


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
    assert db.execute(f"{counters} ORDER BY id").fetchall() == [(0, 0, D(0)), (1, 0, D(-4))]
    db.execute("DELETE FROM trading_strategies WHERE id = %s", [second])
    assert mt5.trips(db, account, "strategy_id") == [(None,)] * 3
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


def test_buying_is_even_and_selling_odd(db: psycopg.Connection, account: int) -> None:
    mt5.ingest(db, "deals", account, [
        deal("2026-01-05 10:00", ticket=1, position_id=900, type=SELL, entry=IN, price=1.2),
        deal("2026-01-05 11:00", ticket=2, position_id=900, type=BUY, entry=OUT, price=1.1),
    ])  # fmt: skip
    assert mt5.trips(db, account, "side", "open_price", "close_price") == [
        ("SELL", *decimals("1.2", "1.1"))
    ]
