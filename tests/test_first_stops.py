"""The stop of a position whose order had none: kept for R when its events have left."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest

import mt5
import rows
from mt5 import BUY, INOUT, SELL
from traders import STOCK, Trader


@pytest.fixture
def trader(app: psycopg.Connection) -> Trader:
    return Trader(app, rows.user(app))


def server_time(at: datetime) -> str:
    return (at + timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S")


def show_stops(trader: Trader, opened: datetime, *stops: float, **fields: object) -> None:
    """A picture of position 1 a minute after its opening, and one each minute, with these stops."""
    for minute, stop in enumerate(stops, 1):
        mt5.ingest(trader.db, "positions", trader.account, [
            mt5.position(server_time(opened), ticket=1, sl=stop, price_open=100.0, symbol="ACME",
                         **fields)
        ], opened + timedelta(minutes=minute))  # fmt: skip


def test_a_stop_that_is_set_later_is_the_first_seen_on_the_position(trader: Trader) -> None:
    """The order had none; later moves of the stop change nothing."""
    trader.told(**STOCK)
    at = datetime.now(UTC) - timedelta(hours=1)
    opened = (at + timedelta(hours=2)).strftime("%Y-%m-%d %H:%M:%S")  # the server's clock
    closed = (at + timedelta(hours=2, minutes=30)).strftime("%Y-%m-%d %H:%M:%S")
    for minute, stop, target in ((1, 0, 0), (2, 95, 0), (3, 99, 130)):
        mt5.ingest(trader.db, "positions", trader.account, [
            mt5.position(opened, ticket=1, sl=stop, tp=target, price_open=100.0, symbol="ACME")
        ], at + timedelta(minutes=minute))  # fmt: skip
    position = trader.trade((100, 110), 0, at=opened, until=closed, profit=10)
    assert position == 1
    assert trader.risk(
        1, "stop", "stop_source", "stop_seen_at", "target", "risk", "r", "planned_r"
    ) == (95, "position", at + timedelta(minutes=2), 130, 5, 2, 6)
    # what an order said itself counts more
    mt5.ingest(trader.db, "orders", trader.account, [
        mt5.order(opened, ticket=1, sl=98.0, symbol="ACME")
    ])  # fmt: skip
    assert trader.risk(1, "stop", "stop_source", "stop_seen_at") == (98, "order", None)


def test_r_by_a_stop_of_the_position_outlives_its_events(
    trader: Trader, db: psycopg.Connection
) -> None:
    """Events leave for the archive; before and after their deals' trip is made again."""
    trader.told(**STOCK)
    opened = datetime.now(UTC) - timedelta(hours=1)
    show_stops(trader, opened, 0, 95, 99)
    trader.trade((100, 110), 0, at=server_time(opened), until=server_time(datetime.now(UTC)),
                 profit=10)  # fmt: skip
    columns = ("stop", "stop_source", "stop_seen_at", "risk", "r", "reason")
    known = trader.risk(1, *columns)
    assert known == (95, "position", opened + timedelta(minutes=2), 5, 2, None)
    assert db.execute("DELETE FROM mt5_events WHERE kind = 'position'").rowcount == 3
    assert trader.risk(1, *columns) == known
    db.execute("SELECT rebuild_mt5_trips(%s)", [trader.account])
    assert trader.risk(1, *columns) == known
    assert mt5.violations(db) == {}


def test_trips_made_again_take_first_stops_from_the_events_that_are_left(
    trader: Trader, db: psycopg.Connection
) -> None:
    """As an account has them that traded before they were kept: equal to what the trigger keeps;
    without events they stay unknown."""
    opened = datetime.now(UTC) - timedelta(hours=1)
    show_stops(trader, opened, 0, 95, 99, tp=120.0)
    trader.trade((100, 110), 0, at=server_time(opened), until=server_time(datetime.now(UTC)))
    kept = db.execute("DELETE FROM mt5_first_stops RETURNING mt5_first_stops.*").fetchall()
    assert len(kept) == 2
    assert trader.risk(1, "stop", "stop_source") == (None, "none")
    db.execute("SELECT rebuild_mt5_trips(%s)", [trader.account])
    assert sorted(db.execute("SELECT * FROM mt5_first_stops").fetchall()) == sorted(kept)
    assert trader.risk(1, "stop", "target", "stop_source") == (95, 120, "position")
    db.execute("DELETE FROM mt5_first_stops")
    db.execute("DELETE FROM mt5_events")
    db.execute("SELECT rebuild_mt5_trips(%s)", [trader.account])
    assert trader.risk(1, "stop", "stop_source") == (None, "none")


def test_a_position_that_turned_has_the_stop_of_each_side(
    trader: Trader, db: psycopg.Connection
) -> None:
    """A stop that stays when the side turns is the first of the new side; one that is taken away
    and set again is none."""
    opened = datetime.now(UTC) - timedelta(hours=1)
    show_stops(trader, opened, 95, 0, 96)
    turned = opened + timedelta(minutes=10)
    mt5.ingest(trader.db, "deals", trader.account, [
        mt5.deal(server_time(opened), ticket=1, order=1, position_id=1, price=100.0, symbol="ACME"),
        mt5.deal(server_time(turned), ticket=2, order=2, position_id=1, type=SELL, entry=2,
                 volume=2.0, price=90.0, symbol="ACME"),
    ])  # fmt: skip
    # the terminal's clock is behind the broker's: the first leg is not over by it
    for seconds, stop in ((-30, 96), (60, 105), (120, 101)):
        mt5.ingest(trader.db, "positions", trader.account, [
            mt5.position(server_time(opened), ticket=1, type=SELL, sl=stop, price_open=100.0,
                         symbol="ACME")
        ], turned + timedelta(seconds=seconds))  # fmt: skip
    assert db.execute("SELECT side, stop FROM mt5_first_stops ORDER BY taken_at").fetchall() == [
        ("BUY", 95),
        ("BUY", 96),
        ("SELL", 96),
    ]
    assert db.execute("SELECT side, stop FROM trip_risks ORDER BY leg").fetchall() == [
        ("BUY", 95), ("SELL", 96),
    ]  # fmt: skip


def test_a_position_that_turned_twice_unseen_has_the_stop_of_its_last_leg(trader: Trader) -> None:
    """Between two pictures: the same side again, and by MT5's POSITION_TICKET another ticket."""
    opened = datetime.now(UTC) - timedelta(hours=1)
    show_stops(trader, opened, 95)
    turns = [opened + timedelta(minutes=minutes) for minutes in (10, 20)]
    mt5.ingest(trader.db, "deals", trader.account, [
        mt5.deal(server_time(opened), ticket=1, order=1, position_id=1, price=100.0, symbol="ACME"),
        *(
            mt5.deal(server_time(turn), ticket=order, order=order, position_id=1, type=side,
                     entry=INOUT, volume=2.0, price=90.0, symbol="ACME")
            for order, side, turn in zip((2, 3), (SELL, BUY), turns, strict=True)
        ),
    ])  # fmt: skip
    for seconds, stop in ((60, 80), (120, 85)):
        mt5.ingest(trader.db, "positions", trader.account, [
            mt5.position(server_time(opened), ticket=3, identifier=1, sl=stop, symbol="ACME")
        ], turns[1] + timedelta(seconds=seconds))  # fmt: skip
    assert trader.db.execute("SELECT side, stop FROM trip_risks ORDER BY leg").fetchall() == [
        ("BUY", 95), ("SELL", None), ("BUY", 80),
    ]  # fmt: skip
