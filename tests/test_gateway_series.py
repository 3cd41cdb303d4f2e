"""Series of bars and ticks that are asked for, read by the gateway."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

import rows
from faulty_terminals import Terminal
from gateways import Gate, asked
from rubi.gateway import series
from rubi.gateway.history import Clock, Stream
from rubi.gateway.terminals import Terminal as Asked
from rubi.gateway.terminals import TerminalError


@pytest.fixture
def gate(db: psycopg.Connection, server: Any, tmp_path: Any) -> Gate:
    return Gate(db, server.dsn(db.info.dbname, "rubi_ingest"), tmp_path, rows.user(db))


# Series


def ask_for(gate: Gate, timeframe: str, days: float) -> None:
    gate.db.execute(
        "INSERT INTO gateway_series (account_id, symbol, timeframe, since)"
        " SELECT a.id, 'EURUSD', %s, now() - %s * interval '1 day' FROM mt5_accounts AS a",
        [timeframe, days],
    )


def bars(terminal: Terminal, number: int, code: int, seconds: int) -> None:
    """The latest bars of EURUSD."""
    last = terminal.market.clock.msc() // 1000 // seconds * seconds
    terminal.market.bars["EURUSD", code] = [
        (last - n * seconds, 1.1, 1.2, 1.0, 1.15, 7, 2, 0) for n in reversed(range(number))
    ]


@pytest.mark.parametrize("maxbars", [100, 100_000])
def test_bars_that_are_asked_for_are_read_within_maxbars(gate: Gate, maxbars: int) -> None:
    terminal = Terminal.new(maxbars=maxbars)
    gate.once(terminal)
    bars(terminal, 90, *series.TIMEFRAMES["M1"])
    ask_for(gate, "M1", 1)
    calls = asked(terminal, "copy_rates_range")
    gate.once(terminal)
    assert gate.db.execute("SELECT count(*) FROM market_data").fetchone() == (90,)
    assert all((last - first) // 60 < maxbars for _, _, first, last in calls)
    assert gate.db.execute("SELECT source, clock FROM market_series").fetchall() == [
        ("StandIn-Demo", "America/New_York+7")
    ]


def test_series_that_is_asked_for_while_the_gateway_runs_is_noticed(gate: Gate) -> None:
    terminal = Terminal.new()
    worker = gate.worker(terminal)
    gate.settle(worker)
    bars(terminal, 9, *series.TIMEFRAMES["M5"])
    ask_for(gate, "M5", 1)
    worker.due["symbols"] = worker.due["series"] = 0
    gate.settle(worker)
    assert gate.db.execute("SELECT count(*) FROM market_data").fetchone() == (9,)


def test_bar_still_forming_is_read_again(gate: Gate) -> None:
    terminal = Terminal.new()
    gate.once(terminal)
    bars(terminal, 5, *series.TIMEFRAMES["H1"])
    ask_for(gate, "H1", 1)
    gate.once(terminal)
    *earlier, last = terminal.market.bars["EURUSD", series.TIMEFRAMES["H1"][0]]
    changed = (*last[:2], 1.3, *last[3:])
    terminal.market.bars["EURUSD", series.TIMEFRAMES["H1"][0]] = [*earlier, changed]
    counts = gate.once(terminal)
    assert counts["bars updated"] == 1 and counts["bars inserted"] == 0


def test_ticks_that_are_asked_for_are_read_once(gate: Gate) -> None:
    terminal = Terminal.new()
    gate.once(terminal)
    at = terminal.market.clock.msc() - 600_000
    for n in range(300):
        terminal.market.quote("EURUSD", 1.1 + n / 1e5, msc=at + n // 2 * 1000)
    ask_for(gate, "TICK", 0.1)
    gate.once(terminal)
    gate.once(terminal)
    found = gate.db.execute(
        "SELECT count(*) FROM market_ticks WHERE timestamp < now() - '1m'::interval"
    )
    assert found.fetchone()[0] == 300


def test_unknown_symbol_is_a_failure(gate: Gate) -> None:
    terminal = Terminal.new()
    with pytest.raises(TerminalError):
        list(series.bars(Asked(terminal, "t"), Stream("M1", "NONE", since=0), Clock("", 0)))
