"""The gateway: a terminal's state becomes rows, whatever the terminal does meanwhile."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

import gateways
import mt5
import rows
from faulty_terminals import Terminal
from gateways import BUY, Gate, close
from rubi.cli import Failure
from rubi.gateway import loop
from rubi.gateway.terminals import TerminalError, unpack
from rubi.terminal import constants as codes


@pytest.fixture
def gate(db: psycopg.Connection, server: Any, tmp_path: Any) -> Gate:
    return Gate(db, server.dsn(db.info.dbname, "rubi_ingest"), tmp_path, rows.user(db))


def test_one_reading_stores_account_positions_orders_and_deals(gate: Gate) -> None:
    terminal = Terminal.new()
    terminal.order_send(BUY)
    gate.once(terminal)
    assert gate.stored() == {"deals": 2, "orders": 1, "positions": 1, "account": 1}
    assert mt5.violations(gate.db) == {}


def test_reading_again_stores_nothing_new(gate: Gate) -> None:
    terminal = Terminal.new()
    terminal.order_send(BUY)
    gate.once(terminal)
    counts = gate.once(terminal)
    assert {name: n for name, n in counts.items() if n and "unchanged" not in name} == {}


def test_dry_run_counts_and_stores_nothing(gate: Gate) -> None:
    terminal = Terminal.new()
    terminal.order_send(BUY)
    counts = gate.once(terminal, dry_run=True)
    assert counts["deals"] == 2
    assert gate.stored() == {"deals": 0, "orders": 0, "positions": 0, "account": 0}


def test_none_is_a_failure_that_names_last_error(gate: Gate) -> None:
    terminal = Terminal.new()
    terminal.order_send(BUY)
    gate.once(terminal)
    terminal.link.drop(codes.RES_E_INTERNAL_FAIL_TIMEOUT)
    with pytest.raises(Failure, match=r"initialize: .*\(-10005\)"):
        gate.once(terminal)
    assert gate.stored()["positions"] == 1


def test_none_in_the_middle_of_a_picture_closes_no_position(gate: Gate) -> None:
    terminal = Terminal.new()
    terminal.order_send(BUY)
    worker = gate.worker(terminal)
    worker.step()
    for number in range(1, 8):
        terminal.link.at_call(
            number, lambda: terminal.link.drop(codes.RES_E_INTERNAL_FAIL_TIMEOUT, calls=1)
        )
        with pytest.raises(TerminalError):
            for _ in range(4):
                worker.due = {}
                worker.step()
        worker.is_ready = False
    assert gate.stored()["positions"] == 1


@pytest.mark.parametrize("fault", ["offline", "starting"])
def test_terminal_without_its_server_is_not_read(gate: Gate, fault: str) -> None:
    terminal = Terminal.new()
    terminal.order_send(BUY)
    gate.once(terminal)
    terminal.step(fault)
    with pytest.raises(Failure, match="not connected to its trade server"):
        gate.once(terminal)
    assert gate.stored()["positions"] == 1
    terminal.view.online()
    close(terminal)
    gate.once(terminal)
    assert gate.stored()["positions"] == 0
    assert mt5.violations(gate.db) == {}


def test_change_is_read_with_its_history(gate: Gate) -> None:
    terminal = Terminal.new()
    worker = gate.worker(terminal)
    gate.settle(worker)
    terminal.order_send(BUY)
    worker.due["state"] = 0
    worker.step()
    assert gate.stored() == {"deals": 2, "orders": 1, "positions": 1, "account": 1}
    assert mt5.violations(gate.db) == {}


def test_late_history_of_a_closed_position_is_waited_for(gate: Gate) -> None:
    terminal = Terminal.new()
    terminal.order_send(BUY)
    worker = gate.worker(terminal)
    gate.settle(worker)
    terminal.view.hold_history()
    close(terminal)
    gate.state(worker)
    assert gate.stored()["deals"] == 2
    terminal.view.release_history()
    gate.state(worker)  # nothing changed in positions and balance since
    assert gate.stored()["deals"] == 3
    assert mt5.violations(gate.db) == {}


def test_order_that_ended_while_nobody_looked_is_asked_for_by_its_ticket(gate: Gate) -> None:
    terminal = Terminal.new()
    placed = terminal.order_send(BUY | {"action": 5, "type": 2, "price": 1.0})
    gate.once(terminal)
    terminal.order_send({"action": 8, "order": placed.order})
    worker = gate.worker(terminal, overlap_days=0)
    worker.begin()
    worker.streams["orders", ""].read_to = worker.clock.seconds() * 1000 + 5_000_000
    gate.state(worker)
    assert gate.db.execute("SELECT state FROM mt5_orders").fetchall() == [(2,)]


@pytest.mark.parametrize("fault", ["change", "failure"])
def test_order_that_ended_is_kept_through_a_picture_that_is_read_again(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    terminal = Terminal.new()
    placed = terminal.order_send(BUY | {"action": 5, "type": 2, "price": 1.0})
    gate.once(terminal)
    terminal.order_send({"action": 8, "order": placed.order})
    worker = gate.worker(terminal)
    worker.begin()
    monkeypatch.setattr(worker, "recent", lambda is_full: {"orders": [], "deals": []})
    real = terminal.history_orders_get

    def once(*given: Any, **filters: Any) -> Any:
        found = real(*given, **filters)
        monkeypatch.setattr(terminal, "history_orders_get", real)
        if fault == "change":
            terminal.order_send(BUY)
        else:
            terminal.link.drop(codes.RES_E_FAIL, calls=1)
        return found

    monkeypatch.setattr(terminal, "history_orders_get", once)
    with contextlib.suppress(TerminalError):
        gate.state(worker)
    gate.state(worker)
    ended = gate.db.execute("SELECT state FROM mt5_orders WHERE ticket = %s", [placed.order])
    assert ended.fetchall() == [(2,)]


def test_order_that_still_waits_is_not_asked_for_by_its_ticket(gate: Gate) -> None:
    terminal = Terminal.new()
    terminal.order_send(BUY | {"action": 5, "type": 2, "price": 1.0})
    gate.once(terminal)
    worker = gate.worker(terminal)
    gate.settle(worker)
    assert worker.reader.ending == {}
    assert gate.stored()["orders"] == 1


def test_history_in_any_order_and_twice_is_stored_once(gate: Gate) -> None:
    terminal = Terminal.new()
    for _ in range(20):
        terminal.order_send(BUY | {"volume": 0.1})
    terminal.view.repeat(True)
    terminal.view.shuffle(1)
    gate.once(terminal)
    assert gate.stored()["deals"] == 21
    assert mt5.violations(gate.db) == {}


def test_no_positions_beside_a_margin_are_doubted(gate: Gate) -> None:
    terminal = Terminal.new()
    terminal.order_send(BUY)
    worker = gate.worker(terminal)
    gate.settle(worker)
    terminal.view.late_positions = ()
    with pytest.raises(TerminalError, match="has a margin"):
        gate.state(worker)
    assert gate.stored()["positions"] == 1
    terminal.view.release_positions()
    gate.state(worker)
    assert gate.stored()["positions"] == 1


def test_loop_reads_on_after_the_terminal_was_gone(gate: Gate) -> None:
    terminal = Terminal.new()
    gateway = gate.gateway(terminal, every={"state": 0.1})
    stop = threading.Event()
    thread = threading.Thread(target=gateway.run, args=[stop])
    thread.start()
    try:
        gateways.until("the account", lambda: gate.stored()["account"] == 1)
        terminal.link.drop()
        gateways.until("the fault", lambda: gateway.lanes[0].error)
        terminal.link.restore()
        terminal.order_send(BUY)
        gateways.until("the position", lambda: gate.stored()["positions"] == 1)
    finally:
        stop.set()
        thread.join(60)
    assert not thread.is_alive()
    assert gate.stored()["deals"] == 2


@pytest.mark.parametrize(
    ("found", "names", "values"),
    [((), (), ()), (Terminal.new().account_info(), "login", 5_001_234)],
    ids=["nothing", "one"],
)
def test_answers_are_unpacked(found: Any, names: Any, values: Any) -> None:
    shown, lines = unpack(found)
    if names:
        assert shown[0] == names and lines[0][0] == values
    else:
        assert (shown, lines) == ((), ())
    assert unpack(None) is None


def test_numbers_of_numpy_become_plain(gate: Gate) -> None:
    terminal = Terminal.new()
    now = int(time.time()) // 60 * 60
    terminal.market.bars["EURUSD", 1] = [(now, 1.1, 1.2, 1.0, 1.1, 5, 2, 0)]
    worker = gate.worker(terminal)
    found = worker.terminal.rows("copy_rates_range", "EURUSD", 1, now - 60, now + 60)
    assert [type(value) for value in found[0].values()] == [int, *[float] * 4, int, int, int]


def test_every_call_is_positional(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    """As the package takes them: names are refused, except for filters."""
    terminal = Terminal.new()
    seen: list[tuple[str, set[str]]] = []
    ask: Callable = Terminal.__getattribute__

    def spied(self: Terminal, name: str) -> Any:
        found = ask(self, name)
        if name.startswith(("history_", "copy_", "symbol", "positions", "orders", "account")):
            return lambda *a, **k: (seen.append((name, set(k))), found(*a, **k))[1]
        return found

    monkeypatch.setattr(Terminal, "__getattribute__", spied)
    gate.once(terminal)
    assert {names for _, given in seen for names in given} <= {"ticket", "position"}
    assert {name for name, _ in seen} >= {"account_info", "positions_get", "history_deals_get"}


def test_fault_that_nobody_foresaw_is_said_and_the_thread_goes_on(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal, stop, steps = Terminal.new(), threading.Event(), []
    lane = gate.gateway(terminal).lanes[0]

    def step() -> float:
        steps.append(1)
        if len(steps) == 1:
            raise KeyError("ticket")
        stop.set()
        return 0.0

    monkeypatch.setattr(lane.worker, "step", step)
    said: list[str] = []
    lane.say = said.append
    lane.run(stop)
    assert len(steps) == 2
    assert any("KeyError: 'ticket'" in text for text in said)


def test_terminal_that_never_answers_keeps_no_process(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "LONGEST_END", 0.2)
    gateway = gate.gateway(Terminal.new())
    worker, asked, answer, stop = gateway.lanes[0].worker, *(threading.Event() for _ in range(3))

    def step() -> float:
        asked.set()
        answer.wait(60)
        return 0.0

    monkeypatch.setattr(worker, "step", step)
    thread = threading.Thread(target=gateway.run, args=[stop])
    thread.start()
    assert asked.wait(30)
    stop.set()
    thread.join(30)
    waiting = [one for one in threading.enumerate() if one.name == worker.terminal.name]
    answer.set()
    for one in waiting:
        one.join(30)
    assert not thread.is_alive()
    assert [one.daemon for one in waiting] == [True]  # the interpreter waits for no daemon
