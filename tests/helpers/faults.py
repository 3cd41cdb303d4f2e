"""A gateway, two terminals, a server and a network, and what goes wrong between them."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from conftest import ROOT, Address, Server
from proxies import Proxy
from remote_terminal import Served
from rubi.terminal import constants as mt5
from rubi.terminal.books import Books
from rubi.terminal.broker import Plan
from rubi.terminal.standin import Terminal
from terminals import BUY, SELL, pend, send

OTHER = 7_000_001
MODES = {"hedging": mt5.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING,
         "netting": mt5.ACCOUNT_MARGIN_MODE_RETAIL_NETTING}  # fmt: skip
EVERY = ("state=0.1", "heartbeat=1", "history=1")


class Field:
    """Everything of a campaign. A trader's own terminal works on the books all the time; the one
    that the gateway reads is the one that faults happen to."""

    def __init__(self, server: Server, address: Address, dbname: str, user: str, folder: Path):
        self.server, self.address, self.dbname, self.user = server, address, dbname, user
        self.folder = folder
        self.proxy = Proxy(address.port)
        self.served: dict[str, Served] = {}
        self.traders: dict[str, Terminal] = {}
        for number, (name, mode) in enumerate(MODES.items(), 1):
            terminal = Terminal.new(5_000_000 + number, 50_000, margin_mode=mode)
            terminal.broker.open_account(OTHER + number, 50, name="Somebody else")
            self.traders[name] = Terminal(terminal.broker, terminal.active)
            self.served[name] = Served(terminal, folder / name)
        self.reopened: set[int] = set()  # their rows may be other ones
        self.process: subprocess.Popen[bytes] | None = None
        self.log = (folder / "gateway.log").open("wb")

    def start(self) -> None:
        """Start the gateway."""
        environment = dict(os.environ)
        environment["PYTHONPATH"] = os.pathsep.join(
            [str(ROOT / "scripts"), str(ROOT / "tests/helpers")]
        )
        for name, served in self.served.items():
            environment[f"RUBI_TERMINAL_{name.upper()}"] = str(served.path)
        given = [
            option for name in MODES for option in ("--terminal", f"campaign_terminals:{name}")
        ]
        given += [option for kind in EVERY for option in ("--every", kind)]
        self.process = subprocess.Popen(
            [
                sys.executable, str(ROOT / "scripts/gateway.py"), *given, "--user", self.user,
                "--server-clock", "NY+7", "--spool", str(self.folder / "spool"), "--dsn",
                f"host=127.0.0.1 port={self.proxy.port} user=rubi_ingest dbname={self.dbname}",
            ],
            env=environment, stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log,
        )  # fmt: skip

    def kill(self) -> None:
        """Kill the gateway."""
        self.process.kill()
        self.process.wait(30)

    def end(self) -> None:
        """Nothing is left behind."""
        self.kill()
        self.proxy.close()
        for served in self.served.values():
            served.end()
        self.log.close()

    def said(self, lines: int = 15) -> str:
        """The end of what the gateway said."""
        return b"\n".join((self.folder / "gateway.log").read_bytes().splitlines()[-lines:]).decode()

    def connect(self) -> psycopg.Connection:
        """A superuser's connection, beside the proxy."""
        return psycopg.connect(self.address.dsn(self.dbname), autocommit=True)

    def restart_server(self) -> None:
        """SIGKILL to the server, recovery."""
        self.server.child_process.kill()
        self.server.child_process.wait(30)
        self.server.child_process = None
        for _ in range(300):
            try:
                self.server.start()
                return
            except RuntimeError:  # its last children still hold the shared memory
                self.server.child_process = None
                time.sleep(0.1)

    # the trader

    def trade(self, chance: random.Random) -> None:
        """Something that happens on both accounts."""
        for trader in self.traders.values():
            for _ in range(chance.randrange(1, 4)):
                with trader.lock:
                    trade(trader, chance)


def trade(trader: Terminal, chance: random.Random) -> None:
    """One thing that happens on an account."""
    held, books = trader.positions_get(), trader.books
    price = round(chance.uniform(1.09, 1.11), 5)
    trader.broker.quote("EURUSD", price, round(price + 0.0001, 5))
    roll = chance.random()
    if roll < 0.04:
        books.operation(chance.randrange(-50, 900), chance.choice([2, 3, 4, 6]))
    elif roll < 0.1:
        books.charge_swap(-0.07)
    elif roll < 0.2 and held:
        one = chance.choice(held)
        sign = 1 if one.type else -1
        trader.order_send({
            "action": mt5.TRADE_ACTION_SLTP, "position": one.identifier,
            "sl": round(price + sign * 0.05, 5), "tp": round(price - sign * 0.05, 5),
        })  # fmt: skip
    elif (roll < 0.55 or len(held) > 12) and held:
        one = chance.choice(held)
        part = one.volume if chance.random() < 0.6 else max(round(one.volume / 2, 2), 0.01)
        send(trader, 1 - one.type, part, position=one.identifier)
    elif roll < 0.6 and len(held) > 1:
        pair = chance.sample(held, 2)
        trader.order_send({
            "action": mt5.TRADE_ACTION_CLOSE_BY, "position": pair[0].identifier,
            "position_by": pair[1].identifier,
        })  # fmt: skip
    elif roll < 0.68:
        pend(
            trader, chance.randrange(2, 6), round(price + chance.uniform(-0.01, 0.01), 5),
            volume=0.02,
        )  # fmt: skip
    elif roll < 0.72 and trader.books.orders:
        ticket = chance.choice([*trader.books.orders])
        trader.order_send({"action": mt5.TRADE_ACTION_REMOVE, "order": ticket})
    else:
        parts = chance.choice([(1.0,), (1.0,), (0.4, 0.6), (0.3,)])
        trader.broker.plan(Plan(parts=parts))
        send(trader, chance.choice([BUY, SELL]), chance.randrange(1, 40) / 100)
        trader.broker.plans.clear()


# Faults. Each happens when called and answers what ends it.

Heal = Callable[[], object]
Fault = Callable[[Field, random.Random], Heal]


def any_terminal(field: Field, chance: random.Random) -> Served:
    return field.served[chance.choice([*MODES])]


def gateway_killed(field: Field, chance: random.Random) -> Heal:
    """SIGKILL."""
    field.kill()
    return field.start


def gateway_ended(field: Field, chance: random.Random) -> Heal:
    """SIGTERM, as systemd sends."""
    field.process.send_signal(signal.SIGTERM)
    field.process.wait(60)
    return field.start


def backends_ended(field: Field, chance: random.Random) -> Heal:
    """The server ends the gateway's connections."""
    with field.connect() as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'rubi_ingest'"
        )
    return lambda: None


def server_killed(field: Field, chance: random.Random) -> Heal:
    """The whole server is killed, and recovers."""
    field.restart_server()
    return lambda: None


def network_cut(field: Field, chance: random.Random) -> Heal:
    """Connections end, and for a while none comes through."""
    field.proxy.is_down = True
    field.proxy.cut()

    def heal() -> None:
        field.proxy.is_down = False

    return heal


def answer_lost(field: Field, chance: random.Random) -> Heal:
    """The line ends within an answer: what was sent may be stored."""
    field.proxy.bytes_left = chance.randrange(0, 600)

    def heal() -> None:
        field.proxy.bytes_left = None

    return heal


def terminal_ended(field: Field, chance: random.Random) -> Heal:
    """The terminal is closed, and started again."""
    served = any_terminal(field, chance)
    served.end()
    return served.begin


def terminal_hangs(field: Field, chance: random.Random) -> Heal:
    """No answer."""
    served = any_terminal(field, chance)
    served.frozen.set()
    return served.frozen.clear


def calls_fail(field: Field, chance: random.Random) -> Heal:
    """Some call in the middle of a picture fails, and a few after it."""
    terminal = any_terminal(field, chance).terminal
    code = chance.choice([-1, -10001, -10002, -10004, -10005])
    calls = chance.randrange(1, 5)
    terminal.link.at_call(chance.randrange(1, 20), lambda: terminal.link.drop(code, calls))
    return terminal.link.restore


def somebody_logs_in(field: Field, chance: random.Random) -> Heal:
    """Another account, in the middle of a picture."""
    terminal = any_terminal(field, chance).terminal
    login = terminal.active
    other = next(n for n in terminal.broker.accounts if n != login)
    terminal.link.at_call(chance.randrange(1, 12), lambda: terminal.switch(other))

    def heal() -> None:
        with terminal.lock:
            terminal.link.hooks.clear()
            terminal.switch(login)

    return heal


def server_unseen(field: Field, chance: random.Random) -> Heal:
    """The terminal loses its trade server, or has just begun and knows nothing."""
    terminal = any_terminal(field, chance).terminal
    terminal.step(chance.choice(["offline", "starting"]))
    return lambda: terminal.step("online")


def history_late(field: Field, chance: random.Random) -> Heal:
    """Positions change before the history shows why."""
    terminal = any_terminal(field, chance).terminal
    terminal.step("hold_history")
    return lambda: terminal.step("release_history")


def history_piecemeal(field: Field, chance: random.Random) -> Heal:
    """The history comes late and in parts, the later deals first."""
    terminal = any_terminal(field, chance).terminal
    terminal.step("hold_history")

    def heal() -> None:
        books = terminal.books
        late = [*books.deals, *books.done_orders][-20:]
        terminal.step("release_history", late[::2])
        time.sleep(0.3)
        terminal.step("release_history")

    return heal


def positions_late(field: Field, chance: random.Random) -> Heal:
    """The history shows what positions do not yet."""
    terminal = any_terminal(field, chance).terminal
    terminal.step("hold_positions")
    return lambda: terminal.step("release_positions")


def history_disturbed(field: Field, chance: random.Random) -> Heal:
    """Rows come twice and in any order."""
    terminal = any_terminal(field, chance).terminal
    terminal.view.repeat(True)
    terminal.view.shuffle(chance.randrange(1 << 30))

    def heal() -> None:
        terminal.view.repeat(False)
        terminal.view.shuffle(None)

    return heal


def stopped_out(field: Field, chance: random.Random) -> Heal:
    """Positions are gone by a stop out before the history shows it."""
    terminal = any_terminal(field, chance).terminal
    with terminal.lock:
        terminal.step("hold_history")
        trader = Terminal(terminal.broker, terminal.active)
        size = min(max(round(trader.account_info().margin_free / 1300, 2), 0.01), 40)
        send(trader, BUY, size)
        tick = terminal.market.last["EURUSD"]
        terminal.broker.quote("EURUSD", tick.bid - 0.02, tick.bid - 0.02)
        terminal.broker.quote("EURUSD", tick.bid, tick.ask)
        if trader.account_info().balance < 5000:
            trader.books.operation(30_000, comment="deposit after the stop out")
    return lambda: terminal.step("release_history")


def deal_cancelled(field: Field, chance: random.Random) -> Heal:
    """The broker takes a deal back that closed a position; what it closed is open again."""
    books: Books = field.served["hedging"].terminal.books
    closed = [
        deal
        for deal in books.deals.values()
        if deal.entry == mt5.DEAL_ENTRY_OUT and deal.type in (0, 1)
    ]
    if closed:
        deal = books.cancel_deal(chance.choice(closed[-5:]).ticket)
        field.reopened.add(deal.position_id)
    return lambda: None


def history_archived(field: Field, chance: random.Random) -> Heal:
    """The broker drops old history; a part that the gateway has."""
    books: Books = any_terminal(field, chance).terminal.books
    stored = [deal.time_msc for deal in books.deals.values()]
    if len(stored) > 40:
        books.archive(sorted(stored)[len(stored) // 3])
    return lambda: None


FAULTS: dict[Fault, int] = {
    gateway_killed: 10, gateway_ended: 3, backends_ended: 8, server_killed: 3, network_cut: 8,
    answer_lost: 10, terminal_ended: 8, terminal_hangs: 3, calls_fail: 10, somebody_logs_in: 6,
    server_unseen: 8, history_late: 8, history_piecemeal: 6, positions_late: 6,
    history_disturbed: 8, stopped_out: 4, deal_cancelled: 2, history_archived: 2,
}  # fmt: skip


def told(books: Books) -> dict[str, dict[int, tuple[Any, ...]]]:
    """What a database should hold of an account: all that its books ever had."""
    deals = books.archived | books.deals
    return {
        "deals": {
            d.ticket: (
                d.type, d.entry, d.position_id, *(round(n * 100) for n in (d.volume, d.profit)),
                round((d.commission + d.swap) * 100),
            )
            for d in deals.values()
        },
        "orders": {o.ticket: o.state for o in (books.archived_orders | books.done_orders).values()},
        "positions": {
            p.identifier: (str(p.ticket), p.type, round(p.volume * 100), round(p.sl * 1e5))
            for p in books.positions.values()
        },
    }  # fmt: skip
