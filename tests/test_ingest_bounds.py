"""What ingest takes fits the tables: bounds, blanks, sums; what does not is a reject."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import psycopg
import pytest
from psycopg import errors

import mt5
import rows


def test_message_of_positions_with_long_tickets_fits(
    db: psycopg.Connection, connect_as: object
) -> None:
    listener = connect_as("rubi_app")
    listener.execute("SELECT subscribe('rubi_positions')")
    session = rows.session(db, rows.user(db))
    db.execute(
        "INSERT INTO trading_positions (session_id, ticket, symbol, type, volume, open_price,"
        " current_price, open_time) SELECT %s, n || repeat('\"', 700), 'X', 'BUY', 1, 1, 1, now()"
        " FROM generate_series(100, 199) AS n",
        [session],
    )
    message = next(listener.notifies(timeout=60, stop_after=1))
    assert len(json.loads(message.payload)["tickets"]) == 50


@pytest.mark.parametrize("at", ["end", "start", "within"])
def test_ingest_and_tables_agree_on_every_blank_and_control_character(
    db: psycopg.Connection, at: str
) -> None:
    """Whatever the tables refuse is a reject, and nothing else is."""
    account = mt5.open_account(db, rows.user(db))
    points = [*range(1, 0x180), *range(0x1680, 0x1681), *range(0x2000, 0x2070), 0x3000, 0xFEFF]
    names = [
        {"end": f"A{chr(p)}", "start": f"{chr(p)}A", "within": f"A{chr(p)}A"}[at] for p in points
    ]
    refused = set()
    for name in names:
        try:
            with db.transaction():
                db.execute("SELECT %s::symbol_name", [name])
        except errors.CheckViolation:
            refused.add(name)
    deals = [mt5.deal(symbol=name) for name in names]
    inserted, _, _, rejected = mt5.ingest(db, "deals", account, deals)
    assert (inserted, rejected) == (len(names) - len(refused), len(refused))
    rejected = db.execute("SELECT element ->> 'symbol' FROM mt5_rejects").fetchall()
    assert {name for (name,) in rejected} == refused
    assert refused


@pytest.mark.parametrize(
    ("what", "fields", "reason"),
    [
        ("deals", {"symbol": "EURUSD\u00a0"}, "symbol"),
        ("deals", {"volume": 1e9}, "volume is out of range"),
        ("deals", {"comment": "x" * 4001}, "comment is too long"),
        ("deals", {"more": "x" * 300_000}, "more than 256 kB"),
        ("orders", {"symbol": ""}, "symbol is empty"),
        # a few bytes as the server keeps them, 400 kB as they are written
        *(
            (what, {"more": [10**4000] * 100}, "more than 256 kB")
            for what in ("deals", "orders", "positions", "symbols")
        ),
        ("positions", {"more": "x" * 300_000}, "more than 256 kB"),
        ("symbols", {"more": "x" * 300_000}, "more than 256 kB"),
    ],
)
def test_element_beyond_a_bound_is_a_reject_and_the_rest_is_stored(
    db: psycopg.Connection, what: str, fields: dict, reason: str
) -> None:
    account = mt5.open_account(db, rows.user(db))
    make = {
        "deals": mt5.deal, "orders": mt5.order, "positions": mt5.position, "symbols": mt5.symbol
    }[what]  # fmt: skip
    taken = [datetime.now(UTC)] if what in ("positions", "symbols") else []
    good = make()
    counts = mt5.ingest(db, what, account, [good, make(**fields)], *taken)
    assert (counts[0], counts[3]) == (1, 1)
    stored, size = db.execute("SELECT reason, pg_column_size(element) FROM mt5_rejects").fetchone()
    assert stored.startswith(reason)
    assert size < 262144


def test_sums_of_the_largest_deals_fit(db: psycopg.Connection) -> None:
    account = mt5.open_account(db, rows.user(db))
    most = {"profit": 9.9e15, "commission": 9.9e15, "swap": 9.9e15, "fee": 9.9e15}
    deals = [
        mt5.deal(position_id=1, entry=mt5.IN, **most),
        mt5.deal(position_id=1, entry=mt5.IN, **most),
        mt5.deal(position_id=1, entry=mt5.OUT, type=mt5.SELL, volume=2.0, **most),
        mt5.money(9.9e15, commission=9.9e15),
        mt5.deal(symbol="GBPUSD"),
    ]
    assert mt5.ingest(db, "deals", account, deals)[0] == 5
    assert db.execute("SELECT max(net_result) FROM mt5_trips").fetchone()[0] > 10**17
