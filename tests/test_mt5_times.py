"""Times of MT5, read by the clock of their server."""

from __future__ import annotations

import psycopg
import pytest

import mt5
from mt5 import OUT, SELL, deal, order, position

# Server clocks


def utc(db: psycopg.Connection, server: str, clock: str) -> tuple[str, bool]:
    return db.execute(
        "SELECT utc::text, is_ambiguous FROM mt5_server_time(%s, %s)", [server, mt5.msc(clock)]
    ).fetchone()


@pytest.fixture
def clocks(db: psycopg.Connection) -> psycopg.Connection:
    """Servers by Athens, a fixed offset, and one that was moved; the others go by New York."""
    db.execute(
        "INSERT INTO mt5_server_clocks (server, valid_from, clock) VALUES"
        " ('Athens', '-infinity', 'Europe/Athens'), ('Fixed', '-infinity', 'UTC+3'),"
        " ('Moved', '-infinity', 'UTC+2'), ('Moved', '2026-06-01', 'UTC+3')"
    )
    return db


# New York changes on 8 March and 1 November 2026, Europe on 29 March and 25 October
@pytest.mark.parametrize(
    ("broker", "clock", "expected"),
    [
        ("Unlisted", "2026-03-06 12:00", "10:00:00"),
        ("Athens", "2026-03-06 12:00", "10:00:00"),
        ("Unlisted", "2026-03-10 12:00", "09:00:00"),  # between the two changes
        ("Athens", "2026-03-10 12:00", "10:00:00"),
        ("Unlisted", "2026-03-30 12:00", "09:00:00"),
        ("Athens", "2026-03-30 12:00", "09:00:00"),
        ("Unlisted", "2026-10-26 12:00", "09:00:00"),  # between them again
        ("Athens", "2026-10-26 12:00", "10:00:00"),
        ("Unlisted", "2026-11-02 12:00", "10:00:00"),
        ("Athens", "2026-11-02 12:00", "10:00:00"),
        ("Fixed", "2026-03-06 12:00", "09:00:00"),
        ("Fixed", "2026-03-30 12:00", "09:00:00"),
        # a rule begins at its moment on the server's clock
        ("Moved", "2026-05-31 23:59:59.999", "21:59:59.999"),
        ("Moved", "2026-06-01 00:00", "21:00:00"),
    ],
)
def test_server_clocks_are_right_across_both_changes(
    clocks: psycopg.Connection, broker: str, clock: str, expected: str
) -> None:
    moment, is_ambiguous = utc(clocks, broker, clock)
    day = "2026-05-31" if broker == "Moved" else clock[:10]
    assert (moment, is_ambiguous) == (f"{day} {expected}+00", False)


@pytest.mark.parametrize(
    ("broker", "clock", "expected"),
    [
        # the repeated hours: 8:00 to 9:00 on the New York clock's server, 3:00 to 4:00 in Athens
        ("Unlisted", "2026-11-01 08:30", ("2026-11-01 06:30:00+00", True)),
        ("Unlisted", "2026-11-01 09:30", ("2026-11-01 07:30:00+00", False)),
        ("Athens", "2026-10-25 03:30", ("2026-10-25 01:30:00+00", True)),
    ],
)
def test_repeated_hours_are_read_as_the_second_and_marked(
    clocks: psycopg.Connection, broker: str, clock: str, expected: tuple[str, bool]
) -> None:
    assert utc(clocks, broker, clock) == expected


def test_times_are_derived_again_when_the_rule_is_corrected(
    db: psycopg.Connection, account: int
) -> None:
    mt5.ingest(db, "deals", account, [
        deal("2026-07-06 12:00", ticket=1, position_id=900),
        deal("2026-07-06 13:00", ticket=2, position_id=900, type=SELL, entry=OUT),
    ])  # fmt: skip
    mt5.ingest(db, "orders", account, [order("2026-07-06 12:00", ticket=1)])
    mt5.ingest(db, "positions", account, [position("2026-07-06 12:00", ticket=901)])
    times = (
        "SELECT (SELECT min(executed_at) FROM trading_deals)::text,"
        " (SELECT done_at FROM mt5_orders)::text, (SELECT open_time FROM trading_positions)::text,"
        " (SELECT closed_at FROM trading_orders)::text"
    )
    assert db.execute(times).fetchone() == (
        *["2026-07-06 09:00:00+00"] * 3, "2026-07-06 10:00:00+00",
    )  # fmt: skip
    db.execute("INSERT INTO mt5_server_clocks (server, clock) VALUES ('Broker-Live', 'UTC')")
    assert db.execute("SELECT rederive_mt5_times('Broker-Live')").fetchone() == (4,)
    assert db.execute(times).fetchone() == (
        *["2026-07-06 12:00:00+00"] * 3, "2026-07-06 13:00:00+00",
    )  # fmt: skip
    assert db.execute("SELECT rederive_mt5_times('Broker-Live')").fetchone() == (0,)


def test_a_trip_that_closes_in_the_repeated_hour_is_marked(
    db: psycopg.Connection, account: int
) -> None:
    # opened 8:50 the first time round, closed 8:10 the second: the server's clock went back
    mt5.ingest(db, "deals", account, [
        deal("2026-11-01 08:50", ticket=1, position_id=900, symbol="BTCUSD"),
        deal("2026-11-01 08:10", ticket=2, position_id=900, symbol="BTCUSD", type=SELL, entry=OUT,
             profit=1.0),
    ])  # fmt: skip
    assert mt5.trips(db, account, "side", "time_ambiguous", "net_result") == [("BUY", True, 1)]
    assert db.execute("SELECT time_ambiguous FROM trading_orders").fetchall() == [(True,)]
