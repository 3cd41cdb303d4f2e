"""A gateway, two terminals, a server and a network, on which a campaign makes its faults."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psycopg

from conftest import ROOT, Address, Server
from faulty_terminals import Terminal
from proxies import Proxy
from remote_terminal import Served
from rubi.terminal import constants as mt5
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
        trader.broker.parts.append(parts)
        send(trader, chance.choice([BUY, SELL]), chance.randrange(1, 40) / 100)
        trader.broker.parts.clear()
