"""What a gateway doubts, and what changes behind one that runs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

import mt5
import rows
from faulty_terminals import Terminal
from gateways import BUY, Gate, close
from rubi.cli import Failure
from rubi.gateway import reading, sending
from rubi.gateway.sending import Away, Forgotten, Refused
from rubi.gateway.worker import Worker
from rubi.waiting import until

PENDING = BUY | {"action": 5, "type": 2, "price": 1.0}


@pytest.fixture
def gate(db: psycopg.Connection, server: Any, tmp_path: Any) -> Gate:
    return Gate(db, server.dsn(db.info.dbname, "rubi_ingest"), tmp_path, rows.user(db))


@pytest.fixture
def emptied(gate: Gate, monkeypatch: pytest.MonkeyPatch) -> tuple[Terminal, Worker]:
    """A terminal that shows no positions any more, and nobody waits for them."""
    terminal = Terminal.new()
    terminal.order_send(BUY)
    worker = gate.worker(terminal)
    gate.settle(worker)
    monkeypatch.setattr(reading, "PATIENCE", 0)
    terminal.view.late_positions = ()
    return terminal, worker


def test_positions_stay_open_while_the_account_has_a_margin(
    gate: Gate, emptied: tuple[Terminal, Worker]
) -> None:
    terminal, worker = emptied
    for _ in range(3):
        worker.due["heartbeat"] = worker.due["history"] = 0
        gate.state(worker)
    assert gate.stored()["positions"] == 1
    assert sum("has a margin" in text for text in worker.delivery.faults) == 1
    terminal.books.operation(77)
    gate.state(worker)  # all else is read
    assert gate.stored()["deals"] == 3
    terminal.view.release_positions()
    gate.state(worker)
    assert gate.stored()["positions"] == 1
    assert mt5.violations(gate.db) == {}


def test_positions_end_when_the_margin_is_0(gate: Gate, emptied: tuple[Terminal, Worker]) -> None:
    terminal, worker = emptied
    gate.state(worker)
    terminal.view.release_positions()
    close(terminal)
    gate.state(worker)
    assert gate.stored()["positions"] == 0
    assert mt5.violations(gate.db) == {}


@pytest.mark.parametrize("patience", [0, 60])
def test_positions_end_when_the_deals_show_it_beside_a_margin(
    gate: Gate,
    emptied: tuple[Terminal, Worker],
    monkeypatch: pytest.MonkeyPatch,
    patience: float,
) -> None:
    """A broker that keeps a margin for waiting orders."""
    terminal, worker = emptied
    monkeypatch.setattr(reading, "PATIENCE", patience)
    terminal.view.release_positions()
    close(terminal)
    terminal.order_send(PENDING)
    real = terminal.account_info
    monkeypatch.setattr(terminal, "account_info", lambda: real()._replace(margin=50.0))
    gate.state(worker)
    assert gate.stored()["positions"] == 0
    assert mt5.violations(gate.db) == {}


def test_half_closed_position_is_not_closed(gate: Gate, emptied: tuple[Terminal, Worker]) -> None:
    terminal, worker = emptied
    terminal.view.release_positions()
    held = terminal.positions_get()[0]
    terminal.order_send(BUY | {"type": 1, "volume": 0.5, "position": held.ticket})
    terminal.view.late_positions = ()
    gate.state(worker)
    assert gate.stored()["positions"] == 1


def test_waiting_orders_beside_a_margin_are_believed_at_first(gate: Gate) -> None:
    terminal = Terminal.new()
    terminal.order_send(PENDING)
    gate.once(terminal)
    assert gate.stored()["orders"] == 1


@pytest.mark.parametrize("way", ["deleted", "moved"])
def test_account_that_changed_behind_a_running_gateway_is_read_from_its_beginning(
    gate: Gate, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    monkeypatch.setattr(sending, "KNOWN_FOR", 0 if way == "moved" else 60)
    terminal = Terminal.new()
    terminal.order_send(BUY)
    lane = gate.gateway(terminal).lanes[0]
    worker = lane.worker
    gate.settle(worker)
    was = worker.account_id
    for table in (
        "mt5_trips", "trading_orders", "trading_deals", "mt5_orders", "account_snapshots",
        "mt5_sessions",
    ):  # fmt: skip
        gate.db.execute(f"DELETE FROM {table}")
    if way == "deleted":
        gate.db.execute("DELETE FROM mt5_accounts")
    else:
        gate.db.execute("UPDATE mt5_accounts SET user_id = %s", [rows.user(gate.db)])
    terminal.order_send(BUY)
    with pytest.raises(Forgotten) as changed:
        gate.state(worker)
    lane.trouble(changed.value)
    gate.settle(worker)
    assert worker.account_id != was
    found = gate.db.execute(
        "SELECT count(*) FROM trading_deals WHERE account_id = %s", [worker.account_id]
    )
    assert found.fetchone() == (3,)
    assert mt5.violations(gate.db) == {}


def test_values_that_the_driver_refuses_do_not_stand_in_the_way(gate: Gate) -> None:
    """A zero byte reaches no server: no SQLSTATE says so."""
    worker = gate.worker(Terminal.new())
    gate.settle(worker)
    bad = worker.parcel()
    bad.add("ticks", [], symbol="EUR\0USD")
    with pytest.raises(Refused):
        worker.delivery.database.send(bad, worker.delivery)
    worker.delivery.accept(bad)
    assert worker.delivery.waiting == 0 and not worker.delivery.away


@pytest.mark.parametrize("call", ["find_gateway_account(text, text, text)", "read_gateway_streams"])
def test_function_that_is_away_for_a_moment_ends_nothing(gate: Gate, call: str) -> None:
    """As while an older database is deployed."""
    terminal = Terminal.new()
    gate.db.execute(f"REVOKE EXECUTE ON FUNCTION {call} FROM rubi_ingest")
    lane = gate.gateway(terminal).lanes[0]
    with pytest.raises(Away, match="42501"):
        lane.worker.step()
    with pytest.raises(Failure, match="42501"):
        gate.once(terminal)
    gate.db.execute(f"GRANT EXECUTE ON FUNCTION {call} TO rubi_ingest")
    gate.once(terminal)
    assert gate.stored()["deals"] == 1


def test_since_at_the_first_start_says_what_it_leaves_out(gate: Gate) -> None:
    terminal = Terminal.new(at=datetime.now(UTC) - timedelta(days=100))
    terminal.market.clock.set(datetime.now(UTC))
    terminal.order_send(BUY)
    said: list[str] = []
    day = datetime.now(UTC) - timedelta(days=10)
    lane = gate.gateway(terminal, since=day).lanes[0]
    lane.say = said.append
    lane.once()
    assert gate.stored()["deals"] == 1
    assert [text for text in said if f"before {day:%Y-%m-%d} was never read" in text] == said
    gate.once(terminal)  # the next start reads what was left out
    assert gate.stored()["deals"] == 2
    said.clear()
    lane = gate.gateway(terminal, since=day).lanes[0]
    lane.say = said.append
    lane.once()
    assert said == []


def test_parcel_that_is_refused_again_is_kept_once(gate: Gate) -> None:
    worker = gate.worker(Terminal.new())
    gate.settle(worker)
    for end in (1000, 2000):
        bad = worker.parcel()
        bad.add("deals", {"no": "array"}, window=(0, end))
        worker.delivery.accept(bad)
    assert worker.delivery.spool.refusals() == 1
    other = worker.parcel()
    other.add("deals", {"no": "array either"}, window=(0, 1000))
    worker.delivery.accept(other)
    assert worker.delivery.spool.refusals() == 2


def test_strategy_that_is_deleted_meanwhile_refuses_no_deals(
    gate: Gate, connect_as: Callable[..., psycopg.Connection]
) -> None:
    """The foreign key waits for the deletion and refuses the trip; the next try knows."""
    worker = gate.worker(Terminal.new())
    gate.settle(worker)
    strategy = rows.strategy(gate.db, gate.user)
    gate.db.execute(
        "INSERT INTO mt5_magic_strategies (account_id, user_id, magic, strategy_id)"
        " VALUES (%s, %s, 7, %s)",
        [worker.account_id, gate.user, strategy],
    )
    parcel = worker.parcel()
    parcel.add("deals", [mt5.deal("2026-01-05 10:00", ticket=901, magic=7)])
    before = gate.stored()["deals"]
    waiting = (
        "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database()"
        " AND cardinality(pg_blocking_pids(pid)) > 0)"
    )
    with ThreadPoolExecutor(1) as thread:
        other = connect_as("rubi_app")
        with other.transaction():
            other.execute("DELETE FROM trading_strategies WHERE id = %s", [strategy])
            sent = thread.submit(worker.delivery.accept, parcel)
            until(
                "the gateway waits for the deletion",
                lambda: gate.db.execute(waiting).fetchone()[0],
            )
        sent.result(timeout=60)
    assert gate.stored()["deals"] == before + 1
    assert worker.delivery.faults == []
