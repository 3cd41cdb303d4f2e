"""A broker gives its trade server another name: a proof says so, and one account is made again."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import psycopg
import pytest

import blocks
import journal
import mt5
import rows
from conftest import ROOT
from faulty_terminals import Terminal
from gateways import BUY, Gate, close

MERGE = "SELECT old_server, new_server FROM merge_double_accounts()"
# what is deleted with the newer account; explanations alone don't come back by the next reading
DELETED = {
    "balance_operations", "gateway_series", "gateway_watermarks", "mt5_account_states",
    "mt5_explanations", "mt5_missed", "mt5_orders", "mt5_rejects", "mt5_reports", "mt5_symbols",
    "mt5_trips", "performance_metrics", "proved_positions", "trading_deals", "trading_positions",
}  # fmt: skip


@pytest.fixture
def gate(db: psycopg.Connection, server: Any, tmp_path: Any) -> Gate:
    return Gate(db, server.dsn(db.info.dbname, "rubi_ingest"), tmp_path, rows.user(db))


def totals(db: psycopg.Connection) -> tuple:
    """What the user has, as counts and sums."""
    return db.execute(
        "SELECT (SELECT count(*) FROM mt5_accounts), (SELECT count(*) FROM trading_deals),"
        " (SELECT count(*) FROM trading_orders), (SELECT sum(profit) FROM trading_orders),"
        " (SELECT sum(amount) FROM balance_operations), (SELECT count(*) FROM trading_positions)"
    ).fetchone()


def merge(db: psycopg.Connection) -> list[tuple]:
    db.execute("SET ROLE rubi_owner")
    try:
        return db.execute(MERGE).fetchall()
    finally:
        db.execute("RESET ROLE")


@pytest.fixture
def renamed(gate: Gate) -> Terminal:
    """A terminal that was read under both names: a closed trade, one that was closed under the new
    name, an open one."""
    terminal = Terminal.new()
    for _ in range(2):
        terminal.order_send(BUY)
    close(terminal)
    gate.once(terminal)
    terminal.books.server = "Broker-New"
    close(terminal)
    terminal.order_send(BUY | {"sl": 1.05})
    gate.once(terminal)
    return terminal


def test_account_is_one_again_and_nothing_is_lost(gate: Gate, renamed: Terminal) -> None:
    db = gate.db
    assert mt5.violations(db) == {"double accounts": 1}
    old, new = [a for (a,) in db.execute("SELECT id FROM mt5_accounts ORDER BY id").fetchall()]
    signal = rows.signal(db, gate.user)
    own = db.execute(
        "UPDATE trading_orders SET signal_id = %s WHERE account_id = %s AND closed_at IS NULL"
        " RETURNING id", [signal, new],
    ).fetchone()[0]  # fmt: skip
    for account in (old, new):
        journal.entry(db, gate.user, account_id=account, position_id=account, leg=1, note="kept")
    rows.insert(
        db, "risk_rules", user_id=gate.user, account_id=new, name="day", kind="daily_loss",
        amount=5, unit="percent_of_initial", initial_capital=1, clock="UTC",
    )  # fmt: skip
    db.execute("UPDATE mt5_sessions SET last_ping = '2026-01-05 12:00+00'")  # as spooled
    kept = "SELECT (SELECT count(*) FROM account_snapshots), (SELECT count(*) FROM mt5_first_stops)"
    before = db.execute(kept).fetchone()
    assert before[1] == 1

    assert merge(db) == [("StandIn-Demo", "Broker-New")]
    assert db.execute(kept).fetchone() == before
    gate.once(renamed)
    assert totals(db) == (1, 6, 3, Decimal(-20), Decimal(10_000), 1)
    assert mt5.violations(db) == {}
    assert merge(db) == []
    found = db.execute("SELECT id, account_id FROM trading_orders WHERE signal_id = %s", [signal])
    assert found.fetchall() == [(own, old)]
    for table, count in (("journal_entries", 2), ("risk_rules", 1), ("mt5_sessions", 2)):
        ids = db.execute(f"SELECT array_agg(account_id) FROM {table}").fetchone()
        assert ids == ([old] * count,), table
    active = db.execute("SELECT server FROM mt5_sessions WHERE is_active").fetchall()
    assert active == [("Broker-New",)]


def test_name_that_is_changed_before_doubles_nothing(gate: Gate) -> None:
    terminal = Terminal.new()
    terminal.order_send(BUY)
    gate.once(terminal)
    page = blocks.blocks(ROOT / "docs/guides/repairs.md")
    change = next(block.text for block in page if "'Broker-Old'" in block.text)
    gate.db.execute("SET ROLE rubi_owner")
    gate.db.execute(change.replace("Broker-Old", terminal.books.server))
    gate.db.execute("RESET ROLE")
    terminal.books.server = "Broker-New"
    gate.once(terminal)
    assert totals(gate.db) == (1, 2, 1, Decimal(0), Decimal(10_000), 1)
    assert gate.db.execute("SELECT count(*) FROM mt5_sessions").fetchone() == (1,)


@pytest.mark.parametrize("other", [{"currency": "EUR"}, {"profit": 500.0}, {"ticket": 2}])
def test_account_of_another_broker_with_the_same_number_is_none(
    db: psycopg.Connection, other: dict[str, Any]
) -> None:
    user = rows.user(db)
    for server, more in (("Old", {}), ("Other", other)):
        currency = more.get("currency", "USD")
        account = mt5.open_account(db, user, server=server, currency=currency, balance=1000.0)
        deposit = mt5.money(1000.0, "2026-01-05 09:00", ticket=1) | more
        mt5.ingest(db, "deals", account, [deposit])
    query = "SELECT count(*) FROM monitoring.double_account_violations"
    assert db.execute(query).fetchone() == (0,)
    assert (merge(db), totals(db)[0]) == ([], 2)


def test_notes_of_the_same_day_are_not_lost(gate: Gate, renamed: Terminal) -> None:
    db = gate.db
    for (account,) in db.execute("SELECT id FROM mt5_accounts").fetchall():
        journal.entry(db, gate.user, account_id=account, day="2026-01-05", clock="UTC")
    before = totals(db)
    with pytest.raises(psycopg.errors.UniqueViolation, match="journal_entries_subject_key"):
        merge(db)
    assert totals(db) == before


def test_every_table_of_accounts_moves_or_is_named_as_deleted(db: psycopg.Connection) -> None:
    text = db.execute("SELECT pg_get_functiondef('merge_double_accounts'::regproc)").fetchone()[0]
    tables = db.execute(
        "SELECT relname FROM pg_constraint JOIN pg_class AS c ON c.oid = conrelid"
        " WHERE confrelid = 'mt5_accounts'::regclass GROUP BY relname"
    ).fetchall()
    assert {name for (name,) in tables if f"'{name}'" not in text} == DELETED
