"""What is booked beside the trades is counted once, and is no result of equity."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

import mt5
import performance_reference as reference
import performing
import rows
from histories import calculate, table
from mt5 import OUT, SELL, deal, money
from performing import PERIOD

D = Decimal
EQUITY = tuple(
    f"equity_drawdown_{kind}{percent}"
    for kind in ("absolute", "maximal", "relative")
    for percent in ("", "_percent")
)
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


# --- equity


def curve(app: psycopg.Connection, states: dict[str, int]) -> tuple[int, int]:
    """A user and an account whose equity was seen at these times of January 2026."""
    user = rows.user(app)
    number, session = performing.account(app, user)
    for at, equity in states.items():
        rows.snapshot(app, session, equity=equity, timestamp=f"2026-{at}+00")
    return user, number


def test_what_was_booked_before_the_period_and_not_seen_yet_is_no_result(
    app: psycopg.Connection,
) -> None:
    user, number = curve(app, {"01-01 00:00": 5000, "01-05 00:00": 1000, "01-06 00:00": 990})
    rows.deposit(app, number, -4000, "2026-01-03 12:00+00")
    row = calculate(app, user, None, "2026-01-04 00:00+00", PERIOD[1])
    assert row["equity_drawdown_maximal"] == 10


@pytest.mark.parametrize("kind", [3, 20])
def test_credit_is_no_result_of_equity(app: psycopg.Connection, kind: int) -> None:
    user, number = curve(
        app, {"01-01 00:00": 1000, "01-03 00:00": 1500, "01-05 00:00": 1490, "01-07 00:00": 990}
    )
    for at, amount in (("2026-01-02 12:00+00", 500), ("2026-01-06 12:00+00", -500)):
        ticket = rows.deposit(app, number, amount, at)
        app.execute("UPDATE trading_deals SET type = %s WHERE ticket = %s", [kind, ticket])
    row = calculate(app, user, None, *PERIOD)
    assert (row["equity_drawdown_maximal"], row["equity_drawdown_absolute"]) == (10, 10)
    days = table(app, "list_daily_returns", user, None, *PERIOD, None, None, True)
    assert sum(abs(day["value"]) for day in days) < D("0.01")


@pytest.mark.parametrize("ahead", [-3, 0, 3])
@pytest.mark.parametrize("amount", [-400, 4000])
def test_clocks_that_differ_by_seconds_make_no_fall(
    app: psycopg.Connection, ahead: int, amount: int
) -> None:
    """The terminal shows the booking with its snapshot of 12:00:10, whatever the broker says."""
    seen = {f"01-05 12:00:{second:02}": 1000 + amount * (second >= 10) for second in range(60)}
    later = {"01-05 13:00": 1000 + amount, "01-05 14:00": 1000 + amount - 7}
    user, number = curve(app, {"01-05 11:00": 1000, **seen, **later})
    rows.deposit(app, number, amount, f"2026-01-05 12:00:{10 + ahead}+00")
    assert calculate(app, user, None, *PERIOD)["equity_drawdown_maximal"] == 7


@pytest.mark.parametrize("hourly", ["100 years", "7 days"], ids=["hour", "day"])
@pytest.mark.parametrize("seed", range(4))
def test_thinned_equity_with_bookings_has_the_falls_of_the_full_one(
    db: psycopg.Connection, app: psycopg.Connection, seed: int, hourly: str
) -> None:
    source = random.Random(seed)
    user = rows.user(app)
    number, session = performing.account(app, user)
    start = datetime(2026, 1, 5, tzinfo=UTC)
    end = start + timedelta(days=4)
    booked = sorted(
        (start + timedelta(seconds=source.randrange(900, 4 * 86400 - 900)),
         D(source.choice([-300, -900, 700, 2500])))
        for _ in range(5)
    )  # fmt: skip
    for at, amount in booked:
        rows.deposit(app, number, amount, at)
    result, points, states = D(0), [], []
    for minute in range(7, 4 * 1440, 7):
        at = start + timedelta(minutes=minute)
        result += D(source.randint(-60, 60))
        put_in = sum((amount for when, amount in booked if when <= at), D(0))
        states.append((at, 10000 + result + put_in))
        if all(abs(at - when) >= timedelta(minutes=1) for when, _ in booked):
            points.append((at, result, put_in))
    with app.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO account_snapshots (session_id, timestamp, balance, equity)"
            " VALUES (%s, %s, 10000, %s)",
            [(session, *state) for state in states],
        )
    full = calculate(app, user, None, start, end)
    first = points[0]
    found = reference.falls(
        [(at, value - first[1], put_in) for at, value, put_in in points[1:]], start,
        10000 + first[1],
    )  # fmt: skip
    for kind, fall in found.items():
        assert full[f"equity_drawdown_{kind}"] == fall.money, kind
        assert round(full[f"equity_drawdown_{kind}_percent"], 12) == round(fall.percent, 12)
    days = table(app, "list_daily_returns", user, None, start, end, None, None, True)
    db.execute("UPDATE monitoring.lifecycle SET keep_full = '7 days', keep_hourly = %s"
               " WHERE relation = 'public.account_snapshots'", [hourly])  # fmt: skip
    db.execute("CALL follow_lifecycle()")
    assert db.execute("SELECT count(*) FROM account_snapshots").fetchone()[0] < len(states)
    thinned = calculate(app, user, None, start, end)
    assert [thinned[name] for name in EQUITY] == [full[name] for name in EQUITY]
    assert table(app, "list_daily_returns", user, None, start, end, None, None, True) == days
