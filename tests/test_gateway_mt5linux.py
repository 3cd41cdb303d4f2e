"""The gateway through mt5linux and rpyc: a client and a wire that others wrote.

rpyc's own server runs as a process of its own, as under Wine, and serves the stand-in under the
name MetaTrader5.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

import gateways
import mt5
import rows
from conftest import ROOT
from faulty_terminals import Terminal
from gateways import BUY, Gate
from remote_terminal import Served
from rubi.cli import Failure
from rubi.gateway import series, terminals
from rubi.servers import embedded

MODULE = """
import sys
from remote_terminal import package
sys.modules[__name__] = package
"""


class Wine:
    """rpyc's classic server, with a module that is called MetaTrader5."""

    def __init__(self, folder: Path, path: Path) -> None:
        (folder / "MetaTrader5.py").write_text(MODULE)
        self.port = embedded.free_port()
        self.environment = os.environ | {
            "PYTHONPATH": f"{folder}:{ROOT / 'scripts'}:{ROOT / 'tests/helpers'}",
            "RUBI_TERMINAL": str(path),
        }  # fmt: skip
        self.begin()

    def begin(self) -> None:
        self.process = subprocess.Popen(
            [Path(sys.executable).parent / "rpyc_classic", "--host", "127.0.0.1", "-q",
             "-p", str(self.port)],
            env=self.environment,
        )  # fmt: skip
        gateways.until("rpyc's server", self.answers)

    def answers(self) -> bool:
        with socket.socket() as client:
            return client.connect_ex(("127.0.0.1", self.port)) == 0

    def end(self) -> None:
        self.process.kill()
        self.process.wait(30)


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    """A terminal that another process reaches."""
    made = Terminal.new()
    served = Served(made, tmp_path / "terminal")
    yield made
    served.end()


@pytest.fixture
def wine(tmp_path: Path, terminal: Terminal) -> Iterator[Wine]:
    (tmp_path / "lib").mkdir()
    running = Wine(tmp_path / "lib", tmp_path / "terminal")
    yield running
    running.end()


@pytest.fixture
def gate(db: psycopg.Connection, server: Any, tmp_path: Path) -> Gate:
    return Gate(db, server.dsn(db.info.dbname, "rubi_ingest"), tmp_path / "spool", rows.user(db))


def test_history_positions_bars_and_ticks_come_through(
    gate: Gate, wine: Wine, terminal: Terminal
) -> None:
    for n in range(30):
        terminal.order_send(BUY | {"volume": 0.1, "comment": f"é „{n}“"})
    behind = terminals.terminal(f"mt5linux:127.0.0.1:{wine.port}")
    gate.once(behind)
    assert gate.stored() == {"deals": 31, "orders": 30, "positions": 30, "account": 1}
    code, seconds = series.TIMEFRAMES["M1"]
    last = terminal.market.clock.msc() // 60_000 * 60
    terminal.market.bars["EURUSD", code] = [
        (last - n * seconds, 1.1, 1.2, 1.0, 1.15, 7, 2, 0) for n in reversed(range(50))
    ]
    gate.db.execute(
        "INSERT INTO gateway_series (account_id, symbol, timeframe)"
        " SELECT a.id, 'EURUSD', t.name FROM mt5_accounts AS a, unnest('{M1,TICK}'::text[]) AS t"
        " (name)"
    )
    terminal.market.quote("EURUSD", 1.2, msc=terminal.market.clock.msc() - 5000)
    gate.once(behind)
    assert gate.db.execute("SELECT count(*) FROM market_data").fetchone() == (50,)
    assert gate.db.execute("SELECT count(*) > 0 FROM market_ticks").fetchone() == (True,)
    assert mt5.violations(gate.db) == {}


def test_failure_beyond_the_wire_keeps_its_reason(
    gate: Gate, wine: Wine, terminal: Terminal
) -> None:
    behind = terminals.terminal(f"mt5linux:127.0.0.1:{wine.port}")
    terminal.link.drop(-10005)
    with pytest.raises(Failure, match=r"initialize: .*\(-10005\)"):
        gate.once(behind)


def test_server_that_ended_is_found_again(gate: Gate, wine: Wine, terminal: Terminal) -> None:
    worker = gate.worker(terminals.terminal(f"mt5linux:127.0.0.1:{wine.port}"))
    gate.settle(worker)
    wine.end()
    with pytest.raises(terminals.TerminalError) as error:
        gate.state(worker)
    assert error.value.is_gone
    terminal.order_send(BUY)
    wine.begin()
    worker.is_ready = False
    gate.settle(worker)
    assert gate.stored()["positions"] == 1


def test_place_where_nobody_listens_is_said(gate: Gate) -> None:
    with pytest.raises(Failure, match=r"mt5linux at 127\.0\.0\.1:1"):
        gate.once(terminals.terminal("mt5linux:127.0.0.1:1"))


@pytest.mark.parametrize(
    "spec", ["mt5linux:host:port", "rubi.terminal.standin:None_", "os:path", "os"]
)
def test_what_is_no_terminal_is_wrong_usage(spec: str) -> None:
    with pytest.raises(Failure) as failure:
        terminals.terminal(spec)
    assert failure.value.code == 2


def test_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(Failure, match="can't load MetaTrader5"):
        terminals.terminal("MetaTrader5")
