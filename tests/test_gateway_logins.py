"""The terminal logs into another account while the gateway reads: nothing goes to the wrong one."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

import mt5
import rows
from faulty_terminals import Terminal
from gateways import BUY, Gate
from rubi.gateway.reading import Switched


@pytest.fixture
def gate(db: psycopg.Connection, server: Any, tmp_path: Any) -> Gate:
    return Gate(db, server.dsn(db.info.dbname, "rubi_ingest"), tmp_path, rows.user(db))


def test_another_account_within_a_picture_is_no_picture(gate: Gate) -> None:
    terminal = Terminal.new(login=1)
    terminal.broker.open_account(2, 500)
    terminal.order_send(BUY)
    worker = gate.worker(terminal)
    worker.step()
    for number in range(1, 6):
        terminal.switch(1)
        terminal.link.at_call(number, lambda: terminal.switch(2))
        worker.due = {}
        with pytest.raises(Switched):
            worker.read_state()
            worker.read_state()
    terminal.switch(1)
    assert gate.stored()["positions"] == gate.stored()["account"] == 1


@pytest.mark.parametrize("is_back", [False, True], ids=["stays", "comes back"])
@pytest.mark.parametrize("call", range(1, 9))
def test_another_login_between_two_calls_of_a_backfill_stores_nothing_of_it(
    gate: Gate, call: int, is_back: bool
) -> None:
    """Rows of the history name no account."""
    terminal = Terminal.new(login=1)
    terminal.broker.open_account(2, 500)
    theirs = set(terminal.broker.accounts[2].deals)
    terminal.order_send(BUY)
    worker = gate.worker(terminal, since=datetime.now(UTC) - timedelta(days=1))
    worker.begin()
    terminal.link.at_call(call, lambda: terminal.switch(2))
    if is_back:
        terminal.link.at_call(call + 2, lambda: terminal.switch(1))
    with contextlib.suppress(Switched):
        for _ in worker.read_missing():
            pass
    terminal.switch(1)
    found = gate.db.execute("SELECT ticket FROM trading_deals").fetchall()
    assert theirs and not theirs & {ticket for (ticket,) in found}
    gate.once(terminal)
    assert gate.stored() == {"deals": 2, "orders": 1, "positions": 1, "account": 1}
    assert mt5.violations(gate.db) == {}


def test_another_login_stores_no_prices_under_this_server(gate: Gate) -> None:
    terminal = Terminal.new(login=1)
    terminal.broker.open_account(2, 500)
    terminal.order_send(BUY)
    worker = gate.worker(terminal)
    gate.settle(worker)
    gate.db.execute("TRUNCATE mt5_symbols CASCADE")
    terminal.switch(2)
    with pytest.raises(Switched):
        worker.read_symbols()
    with pytest.raises(Switched):
        worker.report_clock(0)
    assert gate.db.execute("SELECT count(*) FROM mt5_symbols").fetchone() == (0,)
    assert worker.misfit == ""


def test_another_account_is_read_as_the_other_account(gate: Gate) -> None:
    terminal = Terminal.new(login=1)
    terminal.broker.open_account(2, 500)
    terminal.order_send(BUY)
    gate.once(terminal)
    terminal.switch(2)
    gate.once(terminal)
    assert gate.db.execute(
        "SELECT a.account_number, count(d.*) FROM mt5_accounts AS a"
        " JOIN trading_deals AS d ON d.account_id = a.id GROUP BY 1 ORDER BY 1"
    ).fetchall() == [("1", 2), ("2", 1)]
    assert gate.stored()["positions"] == 1
