"""The stand-in for the package MetaTrader5: its interface and its faults."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import machine
from remote_terminal import Package, Served
from rubi.terminal import constants as mt5
from rubi.terminal import records
from terminals import BUY, EVER, new, send, trades

# the interface: as the package 5.0.6231 has it, whose wheel has no place here


def test_constants_are_the_packages() -> None:
    told = hashlib.sha256(repr(sorted(mt5.VALUES.items())).encode()).hexdigest()
    assert (len(mt5.VALUES), told[:16]) == (149, "fd8c81686f4e2478")


@pytest.mark.parametrize(
    ("structure", "fields"),
    [
        ("AccountInfo", 28), ("TerminalInfo", 22), ("TradePosition", 19), ("TradeOrder", 24),
        ("TradeDeal", 18), ("SymbolInfo", 96), ("Tick", 8), ("TradeRequest", 17),
        ("OrderSendResult", 11),
    ],
)  # fmt: skip
def test_structures_have_the_packages_fields(structure: str, fields: int) -> None:
    assert len(getattr(records, structure)._fields) == fields


@pytest.mark.parametrize(
    "name",
    [
        "initialize", "login", "shutdown", "last_error", "account_info", "terminal_info",
        "symbols_get", "symbol_info", "symbol_info_tick", "symbol_select", "copy_rates_range",
        "copy_ticks_range", "orders_get", "order_send", "positions_get", "history_orders_get",
        "history_deals_get", "history_orders_total", "history_deals_total",
    ],
)  # fmt: skip
def test_functions_are_the_packages(name: str) -> None:
    assert callable(getattr(new(), name))


@pytest.mark.parametrize(
    "name", ["copy_rates_range", "copy_ticks_range", "symbol_info", "order_send"]
)
def test_unnamed_arguments_have_no_names(name: str) -> None:
    kinds = [p.kind for p in inspect.signature(getattr(new(), name)).parameters.values()]
    assert set(kinds) == {inspect.Parameter.POSITIONAL_ONLY}


@pytest.mark.parametrize(
    ("name", "arguments", "code"),
    [
        ("symbol_info", ["NOTHERE"], -4),
        ("copy_rates_range", ["NOTHERE", 1, 0, 1], -4),
        ("history_deals_get", [], -2),
        ("history_deals_get", ["yesterday", "today"], -2),
        ("order_send", [{"action": 1, "volume": "much"}], -2),
        ("order_send", [{"action": 1, "comment": "x" * 32}], -2),
    ],
)
def test_none_has_its_last_error(name: str, arguments: list[Any], code: int) -> None:
    terminal = new()
    assert not getattr(terminal, name)(*arguments)
    assert terminal.last_error()[0] == code
    assert terminal.positions_get() == ()
    assert terminal.last_error() == (1, "Success")


# faults


def test_lost_connection_is_none_and_never_an_empty_picture() -> None:
    terminal = new()
    terminal.link.drop(mt5.RES_E_INTERNAL_FAIL_TIMEOUT, calls=2)
    assert [terminal.positions_get(), terminal.account_info()] == [None, None]
    assert terminal.last_error() == (-10005, "IPC timeout")
    assert terminal.positions_get() == ()


def test_fault_can_come_within_a_picture() -> None:
    terminal = new()
    terminal.broker.open_account(7002, 50, name="B. Other")
    terminal.link.at_call(3, lambda: terminal.switch(7002))
    told = [terminal.account_info().login, terminal.positions_get(), terminal.account_info().login]
    assert told == [5_001_234, (), 7002]


@pytest.mark.parametrize(
    ("password", "server", "code"), [("secret", "", 1), ("wrong", "", -6), ("secret", "Else", -6)]
)
def test_login_asks_for_password_and_server(password: str, server: str, code: int) -> None:
    terminal = new()
    terminal.broker.open_account(7002, 50)
    assert terminal.login(7002, password=password, server=server) == (code == 1)
    assert terminal.last_error()[0] == code


def test_terminal_without_server_shows_what_it_saw_last() -> None:
    terminal = new()
    send(terminal, BUY)
    terminal.step("offline")
    terminal.step("quote", "EURUSD", 1.0, 1.0)  # the server stops the account out
    assert not terminal.terminal_info().connected
    assert len(terminal.positions_get()) == len(trades(terminal)) == 1
    assert send(terminal, BUY).retcode == mt5.TRADE_RETCODE_CONNECTION
    terminal.step("online")
    assert not terminal.positions_get()
    assert len(trades(terminal)) == 2


def test_terminal_that_begins_knows_nothing() -> None:
    terminal = new()
    send(terminal, BUY)
    terminal.step("starting")
    assert (terminal.positions_get(), trades(terminal)) == ((), [])
    assert (terminal.account_info().balance, terminal.terminal_info().connected) == (0.0, False)


def test_stop_out_can_leave_positions_before_the_history_shows_it() -> None:
    terminal = new()
    send(terminal, BUY, 4.0)
    terminal.step("hold_history")
    terminal.step("quote", "EURUSD", 1.05, 1.05)
    assert (len(terminal.positions_get()), len(trades(terminal))) == (0, 1)
    terminal.step("release_history")
    assert trades(terminal)[-1].reason == mt5.DEAL_REASON_SO


def test_history_can_come_before_positions_do() -> None:
    terminal = new()
    terminal.step("hold_positions")
    send(terminal, BUY)
    assert (len(terminal.positions_get()), len(trades(terminal))) == (0, 1)
    terminal.step("release_positions")
    assert len(terminal.positions_get()) == 1


def test_history_can_be_doubled_and_shuffled() -> None:
    terminal = new()
    for _ in range(20):
        send(terminal, BUY, 0.01)
    plain = terminal.history_deals_get(*EVER)
    terminal.step("repeat", True)
    terminal.step("shuffle", 5)
    disturbed = terminal.history_deals_get(*EVER)
    assert (len(disturbed), set(disturbed)) == (2 * len(plain), set(plain))
    assert disturbed != plain * 2


def test_history_window_holds_both_ends() -> None:
    terminal = new()
    at = terminal.market.clock.msc() // 1000
    assert len(terminal.history_deals_get(at, at)) == 1
    assert len(terminal.history_deals_get(at + 1, at + 9)) == 0
    assert terminal.history_deals_total(at - 9, at) == 1
    moment = datetime.fromtimestamp(at, UTC)
    assert len(terminal.history_deals_get(moment, moment + timedelta(1))) == 1


@pytest.mark.parametrize(
    ("zone", "shift", "hour"),
    [
        ("America/New_York", 7, 14),
        ("Asia/Kolkata", 0, 17),
        ("UTC", -3, 9),
        ("Europe/Athens", 0, 14),
    ],
)
def test_times_are_on_the_servers_clock(zone: str, shift: float, hour: int) -> None:
    terminal = new()
    terminal.step("change", zone, shift)
    send(terminal, BUY)
    assert datetime.fromtimestamp(trades(terminal)[0].time, UTC).hour == hour


@pytest.mark.parametrize(("maxbars", "kept"), [(100, 10), (4, 4)])
def test_bars_are_those_of_the_chart(maxbars: int, kept: int) -> None:
    terminal = new(maxbars=maxbars)
    bars = [(60 * n, 1.0, 1.2, 0.9, 1.1, 7, 1, 0) for n in range(10)]
    terminal.market.bars["EURUSD", 1] = bars
    found = terminal.copy_rates_range("EURUSD", 1, *EVER)
    assert (len(found), found.dtype.names[0], found[-1]["time"]) == (kept, "time", 540)


# a terminal in another process


@pytest.fixture
def served() -> Iterator[Served]:
    with machine.folder() as folder:
        server = Served(new(), Path(folder, "terminal"))
        yield server
        server.end()


def test_package_of_elsewhere_answers_as_the_terminal(served: Served) -> None:
    package = Package()
    assert package.positions_get() is None
    assert package.last_error()[0] == mt5.RES_E_INTERNAL_FAIL_CONNECT
    assert package.initialize(str(served.path))
    assert package.account_info() == served.terminal.account_info()
    assert package.order_send({"action": 1}).retcode == mt5.TRADE_RETCODE_INVALID
    assert (package.order_send({}), package.last_error()[0]) == (None, -2)
    assert package.DEAL_TYPE_SELL_CANCELED == 14
    package.shutdown()


def test_terminal_that_ends_is_an_error_until_initialize(served: Served) -> None:
    package = Package(str(served.path))
    assert package.initialize()
    served.end()
    assert (package.positions_get(), package.last_error()[0]) == (None, -10004)
    assert not package.initialize()
    assert package.last_error()[0] == mt5.RES_E_INTERNAL_FAIL_INIT
    served.begin()
    assert package.positions_get() is None
    assert package.initialize()
    assert package.positions_get() == ()
    package.shutdown()


def test_terminal_that_hangs_is_a_timeout(served: Served) -> None:
    package = Package(str(served.path))
    assert package.initialize()
    served.frozen.set()
    package.timeout = 0.2
    assert (package.positions_get(), package.last_error()[0]) == (None, -10005)
    served.frozen.clear()
    assert package.initialize(timeout=60_000)
    assert package.positions_get() == ()
    package.shutdown()
