"""While the database is away: what was read waits on disk, in order, and is never passed over."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import threading
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

import gateways
import mt5
import rows
from conftest import ROOT
from faulty_terminals import Terminal
from gateways import BUY, Gate, close
from rubi.cli import Failure
from rubi.gateway.parcels import Parcel, now
from rubi.gateway.spool import Damaged, Spool, SpoolError
from rubi.gateway.worker import Worker

NOWHERE = "host=127.0.0.1 port=1"


@pytest.fixture
def gate(db: psycopg.Connection, server: Any, tmp_path: Any) -> Gate:
    return Gate(db, server.dsn(db.info.dbname, "rubi_ingest"), tmp_path, rows.user(db))


def parcel(number: int = 0) -> Parcel:
    made = Parcel("1", "S", str(number))
    made.add("account", {"login": number})
    return made


@contextmanager
def away(worker: Worker):
    """The database can't be reached while the block runs."""
    database = worker.delivery.database
    dsn, database.dsn = database.dsn, NOWHERE
    database.close()
    for _ in range(4):
        database.free.put(None)
    yield
    database.dsn = dsn
    worker.delivery.next_try = 0


def spools(gate: Gate) -> list[Path]:
    return sorted(gate.folder.glob("*.sqlite"))


def test_parcel_that_another_process_took_away_is_counted_once(tmp_path: Path) -> None:
    one, two = (Spool(tmp_path / "a.sqlite") for _ in range(2))
    for number in range(3):
        one.put(parcel(number))
    found = one.first(), two.first()
    for spool, first in zip((one, two), found, strict=True):
        spool.drop(first[0])
    one.check()
    assert len(two) == 2


def test_connection_over_a_dead_network_ends_within_a_minute(gate: Gate) -> None:
    """Else the thread waits a quarter of an hour, and reads no terminal meanwhile."""
    with gate.worker(Terminal.new()).delivery.database.connection() as connection:
        given = connection.info.get_parameters()
    assert int(given["tcp_user_timeout"]) <= 60_000
    assert int(given["keepalives_idle"]) + 3 * int(given["keepalives_interval"]) <= 60


def test_what_the_connection_string_says_counts(gate: Gate) -> None:
    """With several hosts connect_timeout is the time that each dead one takes."""
    worker = gate.worker(Terminal.new(), dsn=f"{gate.dsn} connect_timeout=77 keepalives_idle=7")
    with worker.delivery.database.connection() as connection:
        given = connection.info.get_parameters()
    assert (given["connect_timeout"], given["keepalives_idle"]) == ("77", "7")


def test_what_was_read_while_the_database_was_away_is_stored_later_in_order(gate: Gate) -> None:
    terminal = Terminal.new()
    worker = gate.worker(terminal)
    gate.settle(worker)
    with away(worker):
        for balance in range(1, 6):
            terminal.books.operation(balance)
            gate.state(worker)
        terminal.order_send(BUY)
        gate.state(worker)
        close(terminal)
        gate.state(worker)
    assert worker.delivery.waiting == 7
    assert gate.stored()["deals"] == 1
    worker.delivery.drain()
    assert worker.delivery.waiting == 0
    assert gate.stored() == {"deals": 8, "orders": 2, "positions": 0, "account": 1}
    snapshots = gate.db.execute("SELECT balance FROM account_snapshots ORDER BY timestamp")
    balances = [int(balance - 10_000) for (balance,) in snapshots]
    assert [n for n in balances if n > 0][:5] == [1, 3, 6, 10, 15]
    assert balances[-1] == terminal.account_info().balance - 10_000
    assert mt5.violations(gate.db) == {}


def test_spool_outlives_the_process_and_is_sent_by_the_next(gate: Gate) -> None:
    terminal = Terminal.new()
    worker = gate.worker(terminal)
    gate.settle(worker)
    with away(worker):
        terminal.order_send(BUY)
        gate.state(worker)
        worker.delivery.spool.close()
    terminal.books.archive(terminal.market.clock.msc() + 1000)  # the terminal has it no longer
    gate.once(terminal)
    assert gate.db.execute("SELECT count(*) FROM trading_deals WHERE type = 0").fetchone() == (1,)


def test_gateway_starts_without_the_database_by_what_the_spool_remembers(gate: Gate) -> None:
    terminal = Terminal.new()
    gate.once(terminal)
    terminal.order_send(BUY)
    worker = gate.worker(terminal, dsn=NOWHERE)
    worker.delivery.begin(7)
    gate.settle(worker)
    assert worker.delivery.waiting
    worker.delivery.spool.close()
    gate.once(terminal)
    assert gate.stored() == {"deals": 2, "orders": 1, "positions": 1, "account": 1}


def test_first_start_without_the_database_reads_nothing(gate: Gate) -> None:
    with pytest.raises(Failure, match=r"Connection refused|connection failed"):
        gate.once(Terminal.new(), dsn=NOWHERE)
    assert [len(Spool(path)) for path in spools(gate)] == [0]


def test_parcels_come_out_as_they_went_in(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "a.sqlite")
    given = [parcel(number) for number in range(50)]
    for one in given:
        spool.put(one)
    spool.close()
    found = []
    spool = Spool(tmp_path / "a.sqlite")
    while first := spool.first():
        found.append(first[1])
        spool.drop(first[0])
    assert found == given
    spool.put(parcel(99))
    assert spool.first()[1].login == "99"


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE parcel SET body = replace(body, '3', '4') WHERE id = 3",
        "UPDATE parcel SET kept_at = '2020-01-01T00:00:00+00:00' WHERE id = 1",
        "DELETE FROM parcel WHERE id = 2",
        "DELETE FROM parcel WHERE id = 5",
        "DELETE FROM parcel",
    ],
)
def test_changed_or_missing_parcel_is_damage(tmp_path: Path, damage: str) -> None:
    spool = Spool(tmp_path / "a.sqlite")
    for number in range(1, 6):
        spool.put(parcel(number))
    spool.close()
    with sqlite3.connect(tmp_path / "a.sqlite") as file:
        file.execute(damage)
    with pytest.raises(Damaged):
        while first := spool.first():
            spool.drop(first[0])


@pytest.mark.parametrize("part", [0, 0.5, 0.9])
def test_damaged_file_is_kept_aside_and_said(gate: Gate, part: float) -> None:
    terminal = Terminal.new()
    worker = gate.worker(terminal)
    gate.settle(worker)
    with away(worker):
        for _ in range(30):
            terminal.books.operation(1)
            gate.state(worker)
    worker.delivery.spool.close()
    (path,) = spools(gate)
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(int(size * part))
        file.write(b"\xff" * 4096)
    with pytest.raises(Failure, match=r"damaged.*kept aside as"):
        gate.once(terminal)
    assert len(spools(gate)) == 2
    assert gate.stored()["deals"] == 31  # the terminal had it all still
    assert mt5.violations(gate.db) == {}


def test_older_spool_than_asked_for_is_said_and_nothing_is_sent(gate: Gate) -> None:
    terminal = Terminal.new()
    worker = gate.worker(terminal)
    gate.settle(worker)
    with away(worker):
        terminal.order_send(BUY)
        gate.state(worker)
        worker.delivery.spool.close()
    with sqlite3.connect(spools(gate)[0]) as file:
        (body,) = file.execute("SELECT body FROM parcel").fetchone()
        kept_at = str(now() - timedelta(days=8))
        from rubi.gateway.spool import checksum

        file.execute(
            "UPDATE parcel SET kept_at = ?, checksum = ?", [kept_at, checksum(kept_at, body)]
        )
    with pytest.raises(Failure, match="--spool-days"):
        gate.once(terminal, spool_days=7)
    assert gate.stored()["positions"] == 0
    gate.once(terminal, spool_days=9)
    assert gate.stored()["positions"] == 1


FULL = """
import resource, sys
from pathlib import Path
from rubi.gateway.parcels import Parcel
from rubi.gateway.spool import Spool, SpoolError
spool = Spool(Path(sys.argv[1]))
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
spool.put(Parcel("1", "S", "0"))
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
kept = 1
try:
    for _ in range(1000):
        parcel = Parcel("1", "S", "x" * 10_000)
        spool.put(parcel)
        kept += 1
except SpoolError as error:
    print(kept, error)
"""


def test_full_disk_is_said_and_what_was_kept_stays(tmp_path: Path) -> None:
    """A limit of the file's size stands for the disk's end."""
    path = tmp_path / "a.sqlite"
    done = subprocess.run(
        [sys.executable, "-c", FULL, path], capture_output=True, text=True, timeout=120,
        cwd=ROOT / "scripts", check=True,
    )  # fmt: skip
    kept, _, said = done.stdout.partition(" ")
    assert "can't write the spool" in said
    spool = Spool(path)
    assert len(spool) == int(kept) > 1
    spool.check()


def test_nothing_is_taken_for_read_that_could_not_be_kept(
    gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminal = Terminal.new()
    worker = gate.worker(terminal)
    gate.settle(worker)

    def full(self: Spool, given: Parcel) -> None:
        raise SpoolError("can't write the spool: database or disk is full; make room")

    monkeypatch.setattr(Spool, "put", full)
    with away(worker):
        terminal.order_send(BUY)
        with pytest.raises(SpoolError):
            gate.state(worker)
        with pytest.raises(SpoolError):
            gate.state(worker)
    monkeypatch.undo()
    worker.delivery.away = ""
    gate.settle(worker)
    assert gate.stored() == {"deals": 2, "orders": 1, "positions": 1, "account": 1}
    assert mt5.violations(gate.db) == {}


def test_parcel_that_is_refused_is_kept_beside_the_others_and_said(gate: Gate) -> None:
    terminal = Terminal.new()
    worker = gate.worker(terminal)
    gate.settle(worker)
    bad = worker.parcel()
    bad.add("positions", {"no": "array"})
    worker.delivery.accept(bad)
    assert worker.delivery.spool.refusals() == 1
    assert "RB050" in worker.delivery.faults[-1]
    terminal.order_send(BUY)
    gate.state(worker)
    assert gate.stored()["positions"] == 1


def test_refused_parcel_in_the_spool_does_not_stop_those_behind_it(gate: Gate) -> None:
    terminal = Terminal.new()
    worker = gate.worker(terminal)
    gate.settle(worker)
    with away(worker):
        bad = worker.parcel()
        bad.add("positions", {"no": "array"})
        worker.delivery.accept(bad)
        terminal.order_send(BUY)
        gate.state(worker)
    worker.delivery.drain()
    assert worker.delivery.spool.refusals() == 1
    assert gate.stored()["positions"] == 1


def test_closed_user_ends_the_reading(gate: Gate) -> None:
    terminal = Terminal.new()
    gateway = gate.gateway(terminal, every={"state": 0.1})
    thread = threading.Thread(target=gateway.run, args=[threading.Event()])
    thread.start()
    gateways.until("the account", lambda: gate.stored()["account"] == 1)
    gate.db.execute("SELECT close_user(%s)", [gate.user])
    thread.join(60)
    assert not thread.is_alive()
    assert "is closed" in gateway.lanes[0].error


def test_parcel_is_one_transaction(gate: Gate) -> None:
    """Rows and their watermark are there together, or not at all."""
    worker = gate.worker(Terminal.new())
    gate.settle(worker)
    before = gate.db.execute("SELECT read_to_msc FROM gateway_watermarks").fetchall()
    made = worker.parcel()
    made.add("deals", [mt5.deal(ticket=77)])
    made.add("advance", stream="deals", symbol="", span=(0, 1 << 50))
    made.add("positions", {"no": "array"})
    worker.delivery.accept(made)
    assert gate.stored()["deals"] == 1
    assert gate.db.execute("SELECT read_to_msc FROM gateway_watermarks").fetchall() == before
    assert json.loads(made.encode())["calls"][0][0] == "deals"
