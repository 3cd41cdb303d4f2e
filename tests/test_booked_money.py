"""What is booked beside the trades is counted once."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest

import mt5
from mt5 import OUT, SELL, deal, money

D = Decimal
BOUGHT = deal("2026-01-05 10:00", ticket=1, order=900, position_id=900, commission=-2.0)
SOLD = deal("2026-01-08 10:00", ticket=2, position_id=900, type=SELL, entry=OUT, profit=50.0)
DIVIDEND = money(4.0, "2026-01-06 10:00", kind=15, ticket=3, position_id=900)
DEPOSIT = money(1000.0, "2026-01-04 10:00", ticket=4)


def operations(db: psycopg.Connection) -> dict[str, Decimal]:
    return dict(db.execute("SELECT mt5_deal_id, amount FROM balance_operations").fetchall())


def nets(db: psycopg.Connection) -> list[Decimal]:
    return [net for (net,) in db.execute("SELECT net FROM closed_trades").fetchall()]


def test_a_dividend_of_a_trade_is_part_of_the_trade_alone(
    db: psycopg.Connection, account: int
) -> None:
    for part in ([DIVIDEND], [SOLD], [BOUGHT, DEPOSIT]):  # in whatever order they come
        assert operations(db) == ({"3": D(4)} if part == [SOLD] else {})
        mt5.ingest(db, "deals", account, part)
    assert operations(db) == {"4": D(1000)}
    assert nets(db) == [D(52)]
    assert mt5.violations(db).get("trips") is None
    # without its trade the dividend is money that came by itself
    db.execute("DELETE FROM trading_deals WHERE ticket IN (1, 2)")
    assert operations(db) == {"3": D(4), "4": D(1000)}


def test_what_a_cancelled_trade_leaves_behind_is_an_operation(
    db: psycopg.Connection, account: int
) -> None:
    mt5.ingest(db, "deals", account, [DEPOSIT, BOUGHT, SOLD])
    gone = [BOUGHT | {"type": 13}, SOLD | {"type": 14, "profit": 0.0}]
    mt5.ingest(db, "deals", account, gone)
    assert operations(db) == {"1": D(-2), "4": D(1000)}
    walked = db.execute(
        "SELECT max(n), (array_agg(balance ORDER BY n DESC))[1]"
        " FROM walk_mt5_deals(%s, 0, 9000000000000, 0)", [account],
    ).fetchone()  # fmt: skip
    assert walked == (2, D(998))


def test_the_balance_at_a_moment_is_that_of_the_deals(db: psycopg.Connection, user: int) -> None:
    """An opening's commission and a partial close move it long before the order is closed."""
    account = mt5.open_account(db, user, balance=1078.0, equity=1078.0, taken_at="2026-02-01")
    half = deal("2026-01-07 10:00", ticket=5, position_id=900, type=SELL, entry=OUT, volume=0.5,
                profit=80.0)  # fmt: skip
    mt5.ingest(db, "deals", account, [DEPOSIT, BOUGHT, half])
    found = [
        db.execute("SELECT find_account_balance(%s, %s)", [account, f"{day} 00:00+00"]).fetchone()
        for day in ("2026-01-04", "2026-01-05", "2026-01-06", "2026-01-08", "2026-03-01")
    ]
    assert found == [(D(0),), (D(1000),), (D(998),), (D(1078),), (D(1078),)]


def test_a_position_of_the_largest_ticket_has_its_order_made_again(
    db: psycopg.Connection, account: int
) -> None:
    position = 2**63 - 1
    mt5.ingest(db, "deals", account, [BOUGHT | {"position_id": position, "order": position}])
    db.execute("DELETE FROM trading_orders")
    made = db.execute("SELECT mt5_order_id, mt5_position_id FROM trading_orders").fetchall()
    assert made == [(str(position), str(position))]


@pytest.mark.parametrize(("unread", "left"), [(2**63 - 1, 1), (10**19, 2)])
def test_a_rejected_position_with_a_readable_number_keeps_no_other_open(
    db: psycopg.Connection, account: int, unread: int, left: int
) -> None:
    whole = [mt5.position(ticket=7), mt5.position(ticket=2**63 - 1)]
    mt5.ingest(db, "positions", account, whole, "2026-01-06 00:00+00")
    broken = mt5.position(ticket=unread, volume=-1.0)
    mt5.ingest(db, "positions", account, [broken], "2026-01-06 00:01+00")
    assert len(mt5.opened(db)) == left
