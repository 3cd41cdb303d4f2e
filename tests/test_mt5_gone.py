"""What a terminal no longer returns is marked, kept, and welcome back."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

import mt5
import rows
from mt5 import OUT, SELL, deal, money, order

FROM, TO = mt5.msc("2026-01-05"), mt5.msc("2026-01-06")
AT = "2026-01-05 12:00"
MAKERS = {"deals": deal, "orders": order}
TABLES = {"deals": "trading_deals", "orders": "mt5_orders"}
both = pytest.mark.parametrize("what", ["deals", "orders"])


def read(
    db: psycopg.Connection, what: str, account: int, elements: Any, *window: Any
) -> tuple[int, int, int, int]:
    """One reading of the window."""
    return mt5.ingest(db, what, account, elements, "api", *(window or (FROM, TO)))


def wait(db: psycopg.Connection, interval: str = "10 minutes") -> None:
    """Time passes between two readings."""
    db.execute("UPDATE internal.mt5_missed SET missed_at = missed_at - %s::interval", [interval])


def gone(db: psycopg.Connection, what: str) -> list[int]:
    query = f"SELECT ticket FROM {TABLES[what]} WHERE gone_since IS NOT NULL ORDER BY 1"
    return [row[0] for row in db.execute(query)]


def lose(db: psycopg.Connection, what: str, account: int, left: Any) -> None:
    """Two readings that have only what is left."""
    read(db, what, account, left)
    wait(db)
    read(db, what, account, left)


@both
def test_what_two_readings_lack_is_gone_since_the_first(
    db: psycopg.Connection, account: int, what: str
) -> None:
    old, new = (MAKERS[what](AT, ticket=ticket) for ticket in (1, 2))
    read(db, what, account, [old, new])
    assert gone(db, what) == []
    assert read(db, what, account, [new]) == (0, 0, 1, 0)
    assert gone(db, what) == []
    wait(db)
    missed_at = db.execute("SELECT missed_at FROM internal.mt5_missed").fetchone()
    assert read(db, what, account, [new]) == (0, 0, 1, 0)
    since = f"SELECT gone_since FROM {TABLES[what]} WHERE ticket = 1"
    assert gone(db, what) == [1] and db.execute(since).fetchone() == missed_at
    # a third reading changes nothing
    read(db, what, account, [new])
    assert db.execute(since).fetchone() == missed_at
    assert db.execute("SELECT FROM internal.mt5_missed").fetchall() == []


@both
@pytest.mark.parametrize("window", [(), (FROM, TO)])
def test_what_comes_back_is_not_gone(
    db: psycopg.Connection, account: int, what: str, window: tuple[int, ...]
) -> None:
    old, new = (MAKERS[what](AT, ticket=ticket) for ticket in (1, 2))
    read(db, what, account, [old, new])
    lose(db, what, account, [new])
    assert mt5.ingest(db, what, account, [old, new], *(("api", *window) if window else ())) == (
        0, 1, 1, 0,
    )  # fmt: skip
    assert gone(db, what) == []
    # and it must be missed twice again
    read(db, what, account, [new])
    assert gone(db, what) == []


@both
@pytest.mark.parametrize("waited", ["9 minutes 50 seconds", "10 minutes"])
def test_a_second_reading_counts_after_ten_minutes(
    db: psycopg.Connection, account: int, what: str, waited: str
) -> None:
    read(db, what, account, [MAKERS[what](AT, ticket=1)])
    read(db, what, account, [])
    wait(db, waited)
    read(db, what, account, [])
    assert gone(db, what) == ([1] if waited == "10 minutes" else [])


@both
@pytest.mark.parametrize("window", [(), (FROM, TO)])
def test_a_reading_between_that_has_it_begins_the_wait_again(
    db: psycopg.Connection, account: int, what: str, window: tuple[int, ...]
) -> None:
    element = MAKERS[what](AT, ticket=1)
    read(db, what, account, [element])
    read(db, what, account, [])
    mt5.ingest(db, what, account, [element], *(("api", *window) if window else ()))
    wait(db)
    read(db, what, account, [])
    assert gone(db, what) == []


@both
def test_only_what_lies_within_the_window_is_missed(
    db: psycopg.Connection, account: int, what: str
) -> None:
    moments = {
        1: "2026-01-04 23:59:59.999", 2: "2026-01-05 00:00", 3: "2026-01-05 23:59:59.999",
        4: "2026-01-06 00:00",
    }  # fmt: skip
    mt5.ingest(
        db, what, account, [MAKERS[what](at, ticket=ticket) for ticket, at in moments.items()]
    )
    lose(db, what, account, [])
    assert gone(db, what) == [2, 3]


@both
def test_rows_of_reports_and_of_other_accounts_are_not_missed(
    db: psycopg.Connection, account: int, what: str
) -> None:
    other = mt5.open_account(db, rows.user(db), server="Other-Live", taken_at="2026-01-01")
    element = MAKERS[what](AT, ticket=1)
    mt5.ingest(db, what, account, [element], "report")
    mt5.ingest(db, what, other, [element])
    lose(db, what, account, [])
    assert gone(db, what) == []


@both
def test_a_rejected_element_was_returned(db: psycopg.Connection, account: int, what: str) -> None:
    element = MAKERS[what](AT, ticket=1)
    read(db, what, account, [element])
    broken = element | {"symbol": 5}
    assert read(db, what, account, [broken]) == (0, 0, 0, 1)
    wait(db)
    read(db, what, account, [broken])
    # one that doesn't tell its ticket may be any
    for nameless in ({"symbol": "EURUSD"}, element | {"ticket": "1"}, None):
        lose(db, what, account, [nameless])
    assert gone(db, what) == []


def test_an_order_is_missed_when_it_was_placed_and_done_within(
    db: psycopg.Connection, account: int
) -> None:
    waiting = order(AT, ticket=1, state=1, time_done=0, time_done_msc=0)
    late = order(AT, ticket=2, time_done=TO // 1000, time_done_msc=TO)
    early = order("2026-01-04 12:00", ticket=3, time_done=FROM // 1000, time_done_msc=FROM)
    mt5.ingest(db, "orders", account, [waiting, late, early, order(AT, ticket=4)])
    lose(db, "orders", account, [])
    assert gone(db, "orders") == [4]


def test_what_is_gone_stays_in_trips_orders_and_sums(db: psycopg.Connection, account: int) -> None:
    history = [
        money(1000.0, AT, ticket=1),
        deal(AT, ticket=2, order=900, position_id=900),
        deal(AT, ticket=3, position_id=900, type=SELL, entry=OUT, profit=5.0),
    ]
    read(db, "deals", account, history)
    made = (
        "SELECT xmin::text FROM mt5_trips UNION ALL SELECT xmin::text FROM trading_orders"
        " UNION ALL SELECT xmin::text FROM balance_operations"
    )
    before = db.execute(made).fetchall()
    assert len(before) == 3
    lose(db, "deals", account, [])
    assert gone(db, "deals") == [1, 2, 3]
    assert db.execute(made).fetchall() == before
    assert mt5.violations(db) == {}
    db.execute("SELECT rebuild_mt5_trips(%s)", [account])
    assert db.execute(made).fetchall() == before


@pytest.mark.parametrize(
    ("source", "window"),
    [
        ("api", (FROM, None)), ("api", (None, TO)), ("api", (TO, FROM)), ("api", (FROM, FROM)),
        ("report", (FROM, TO)),
    ],
)  # fmt: skip
@both
def test_a_window_has_two_ends_in_order_and_no_report(
    db: psycopg.Connection, account: int, what: str, source: str, window: tuple
) -> None:
    with pytest.raises(psycopg.DatabaseError) as caught:
        mt5.ingest(db, what, account, [], source, *window)
    assert caught.value.sqlstate == "RB059"
