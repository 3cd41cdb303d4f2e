"""One gateway reads an account: a second one says who does, and ends."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

import rows
from conftest import ROOT, Address
from faulty_terminals import Terminal
from gateways import BUY, Gate, until
from rubi.cli import Failure
from rubi.gateway import holding
from rubi.gateway.holding import Held
from rubi.gateway.sending import Away, Database

sys.path.append(str(ROOT / "benchmarks"))
from pooler import PASSWORD, pooling


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holding, "PATIENCE", 0.5)


@pytest.fixture
def gate(db: psycopg.Connection, server: Any, tmp_path: Any) -> Gate:
    return Gate(db, server.dsn(db.info.dbname, "rubi_ingest"), tmp_path / "one", rows.user(db))


@pytest.fixture
def other(gate: Gate, tmp_path: Any) -> Gate:
    """Gateways on another machine."""
    return Gate(gate.db, gate.dsn, tmp_path / "two", gate.user)


@pytest.fixture
def database(gate: Gate) -> Iterator[Callable[..., Database]]:
    """Makes databases, as two processes have them."""
    made: list[Database] = []

    def make(dsn: str = "") -> Database:
        made.append(Database(dsn or gate.dsn))
        return made[-1]

    yield make
    for one in made:
        one.close()


def end(gate: Gate, connection: psycopg.Connection) -> None:
    """The server ends a session."""
    gate.db.execute("SELECT pg_terminate_backend(%s, 60000)", [connection.info.backend_pid])


def test_second_gateway_ends_and_names_the_first(gate: Gate, other: Gate) -> None:
    terminal = Terminal.new()
    worker = gate.worker(terminal)
    gate.settle(worker)
    terminal.order_send(BUY)
    pid = worker.delivery.database.holder.connection.info.backend_pid
    with pytest.raises(
        Failure, match=rf"5001234 at StandIn-Demo: pid {pid} from .* since 20"
    ) as said:
        other.once(terminal)
    assert said.value.code == 1 and "\n" not in str(said.value)
    lane = other.gateway(terminal).lanes[0]
    lane.run(threading.Event())  # a loop ends as well
    assert lane.is_over and "another gateway reads" in lane.error
    assert gate.stored()["positions"] == 0
    gate.leave(worker.delivery.database)
    other.once(terminal)
    assert gate.stored()["positions"] == 1


def test_dry_run_needs_no_hold(gate: Gate, other: Gate) -> None:
    terminal = Terminal.new()
    gate.settle(gate.worker(terminal))
    terminal.order_send(BUY)
    assert other.once(terminal, dry_run=True)["positions"] == 1


KILLED = """
import sys, time
from rubi.gateway.sending import Database
database = Database(sys.argv[1])
database.hold(sys.argv[2], "S", "1", database)
print("held", flush=True)
time.sleep(300)
"""


def test_killed_gateway_lets_go_with_its_connection(
    gate: Gate, database: Callable[..., Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, gate.dsn, str(gate.user)], cwd=ROOT / "scripts",
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert process.stdout.readline() == "held\n"
        with pytest.raises(Held):
            database().hold(str(gate.user), "S", "1", "lane")
    finally:
        process.kill()
        process.communicate(timeout=60)
    monkeypatch.setattr(holding, "PATIENCE", 60)
    database().hold(str(gate.user), "S", "1", "lane")


@pytest.mark.parametrize("account", [("S", "2"), ("T", "1")])
def test_gateways_of_two_accounts_do_not_meet(
    gate: Gate, database: Callable[..., Database], account: tuple[str, str]
) -> None:
    database().hold(str(gate.user), "S", "1", "lane")
    database().hold(str(gate.user), *account, "lane")
    database().hold(str(rows.user(gate.db)), "S", "1", "lane")


def test_two_lanes_of_a_gateway_do_not_read_one_account(
    gate: Gate, database: Callable[..., Database]
) -> None:
    one = database()
    one.hold(str(gate.user), "S", "1", "first")
    one.hold(str(gate.user), "S", "1", "first")
    with pytest.raises(Failure, match="two terminals") as said:
        one.hold(str(gate.user), "S", "1", "second")
    assert not isinstance(said.value, Held)  # the first may log into another account
    one.hold(str(gate.user), "S", "2", "first")
    one.hold(str(gate.user), "S", "1", "second")


def test_account_is_free_for_others_after_another_login(gate: Gate, other: Gate) -> None:
    terminal = Terminal.new(login=1)
    terminal.broker.open_account(2, 500)
    worker = gate.worker(terminal)
    gate.settle(worker)
    terminal.switch(2)
    worker.begin()
    terminal.switch(1)
    other.once(terminal)
    terminal.switch(2)
    with pytest.raises(Failure, match="another gateway"):
        other.once(terminal)


def test_lost_hold_is_taken_again_before_the_next_write(gate: Gate, other: Gate) -> None:
    terminal = Terminal.new()
    worker = gate.worker(terminal)
    gate.settle(worker)
    end(gate, worker.delivery.database.holder.connection)
    terminal.order_send(BUY)
    gate.state(worker)
    assert worker.delivery.faults == [] and not worker.delivery.away
    assert gate.stored()["positions"] == 1
    with pytest.raises(Failure, match="another gateway"):
        other.once(terminal)


def test_nothing_is_written_after_another_gateway_took_over(
    gate: Gate, database: Callable[..., Database]
) -> None:
    terminal = Terminal.new()
    worker = gate.worker(terminal)
    gate.settle(worker)
    end(gate, worker.delivery.database.holder.connection)
    database().hold(str(gate.user), *worker.reader.identity, "lane")
    terminal.order_send(BUY)
    with pytest.raises(Held):
        gate.state(worker)
    assert gate.stored()["positions"] == 0


def test_own_session_that_the_network_left_behind_is_ended(
    gate: Gate, database: Callable[..., Database]
) -> None:
    one = database()
    one.hold(str(gate.user), "S", "1", "lane")
    left = one.holder.connection
    one.holder.connection = None  # as if it had been lost on this side only
    one.hold(str(gate.user), "S", "1", "lane")
    with pytest.raises(psycopg.OperationalError):
        left.execute("SELECT 1")
    left.close()


def test_session_that_cannot_begin_is_closed(
    gate: Gate, database: Callable[..., Database], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not by the garbage collector, while the error is still looked at."""
    one = database()
    one.hold(str(gate.user), "S", "1", "lane")
    end(gate, one.holder.connection)
    monkeypatch.setattr(holding, "END", "SELECT 1 / 0 WHERE %s IS NOT NULL AND %s IS NOT NULL")
    sessions = "SELECT FROM pg_stat_activity WHERE application_name = 'rubi gateway holder'"
    with pytest.raises(psycopg.Error) as said:
        one.holder.hold((gate.user, "S", "1"), "lane")
    assert said.value.sqlstate == "22012"
    until("no session is left", lambda: gate.db.execute(sessions).rowcount == 0)


HOLD = "SELECT hold_gateway_account(%s, 'S', %s)"


def test_session_holds_so_many_accounts(gate: Gate, connect_as: Callable) -> None:
    gateway = connect_as("rubi_ingest")
    many = "SELECT count(hold_gateway_account(%s, 'S', n::text)) FROM generate_series(1, 1000) AS n"
    gateway.execute(many, [gate.user])
    with pytest.raises(psycopg.DatabaseError) as refused:
        gateway.execute(HOLD, [gate.user, "1001"])
    assert refused.value.sqlstate == "RB076"
    assert gateway.execute(HOLD, [gate.user, "7"]).fetchone() == (None,)
    assert connect_as("rubi_ingest").execute(HOLD, [gate.user, "1001"]).fetchone() == (None,)
    gateway.execute("SELECT release_gateway_account(%s, 'S', '9')", [gate.user])
    assert gateway.execute(HOLD, [gate.user, "1002"]).fetchone() == (None,)


def test_account_of_another_user_is_not_held_for_the_user_of_a_session(
    gate: Gate, connect_as: Callable
) -> None:
    gateway = connect_as("rubi_ingest")
    gateway.execute("SELECT set_config('app.user_id', %s, FALSE)", [str(gate.user)])
    with pytest.raises(psycopg.DatabaseError) as refused:
        gateway.execute(HOLD, [rows.user(gate.db), "1"])
    assert refused.value.sqlstate == "RB051"
    assert gateway.execute(HOLD, [gate.user, "1"]).fetchone() == (None,)
    gateway.execute("SELECT set_config('app.user_id', '', FALSE)")
    assert gateway.execute(HOLD, [rows.user(gate.db), "1"]).fetchone() == (None,)


def test_hold_without_the_database_is_away(gate: Gate, database: Callable[..., Database]) -> None:
    one = database()
    one.hold(str(gate.user), "S", "1", "lane")
    one.holder.dsn = "host=127.0.0.1 port=1"
    end(gate, one.holder.connection)
    with pytest.raises(Away):
        one.hold(str(gate.user), "S", "1", "lane")
    one.holder.dsn = gate.dsn
    one.hold(str(gate.user), "S", "1", "lane")


def test_gateways_role_takes_no_other_advisory_lock(connect_as: Callable) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connect_as("rubi_ingest").execute("SELECT pg_try_advisory_lock(1381319241)")


def test_pool_of_transactions_is_refused_by_name(
    gate: Gate, server: Address, database: Callable[..., Database]
) -> None:
    with pooling(server.host, server.port, gate.db.info.dbname) as variables:
        dsn = (
            f"host=127.0.0.1 port={variables['PGPORT']} user=rubi_app password={PASSWORD}"
            f" dbname={gate.db.info.dbname}"
        )
        behind = database(dsn)
        with pytest.raises(Held, match="pool of transactions"):
            behind.hold(str(gate.user), "S", "1", "lane")
        behind.close()
        with psycopg.connect(dsn) as pooled, pytest.raises(psycopg.DatabaseError) as refused:
            pooled.execute("SELECT hold_gateway_account(1, 'S', '1')")
        assert refused.value.sqlstate == "RB058"
    locks = "SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid <> 0"
    until("no lock stays in the pool", lambda: gate.db.execute(locks).rowcount == 0)
