"""Gateways of stand-in terminals, and what they stored."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg

from faulty_terminals import Terminal
from rubi.gateway.loop import Gateway
from rubi.gateway.sending import Database
from rubi.gateway.settings import Options
from rubi.gateway.worker import Worker

BUY = {"action": 1, "symbol": "EURUSD", "volume": 1.0, "type": 0, "price": 1.1001}
TABLES = {
    "deals": "trading_deals", "orders": "mt5_orders", "positions": "trading_positions",
    "account": "mt5_accounts",
}  # fmt: skip


def close(terminal: Terminal) -> None:
    """Close the first open position."""
    held = terminal.positions_get()[0]
    terminal.order_send(
        {"action": 1, "symbol": held.symbol, "volume": held.volume, "type": 1 - held.type,
         "position": held.ticket, "price": 1.1}
    )  # fmt: skip


def until(what: str, done: Callable[[], Any], seconds: float = 60) -> None:
    """Ask done until its answer is true."""
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, f"{what}: not within {seconds:g} s"
        time.sleep(0.05)


class Moving:
    """A market that moves while the block runs."""

    def __init__(self, terminal: Terminal, ahead: float = 0) -> None:
        self.terminal, self.ahead = terminal, ahead
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.move)

    def move(self) -> None:
        n = 0
        while not self.stop.wait(0.02):
            n += 1
            msc = self.terminal.market.clock.msc() + round(self.ahead * 1000)
            self.terminal.market.quote("EURUSD", 1.1 + n / 1e6, msc=msc, keep=False)

    def __enter__(self) -> None:
        self.thread.start()

    def __exit__(self, *_: object) -> None:
        self.stop.set()
        self.thread.join()


@dataclass
class Gate:
    """A database and what makes gateways into it."""

    db: psycopg.Connection
    dsn: str
    folder: Path
    user: int
    made: list[Gateway] = field(default_factory=list)

    def gateway(self, terminal: Any, **options: Any) -> Gateway:
        options = {"server_clock": "NY+7", "patience": 0.3} | options
        dsn = options.pop("dsn", self.dsn)
        for before in self.made:  # their processes are gone, as it were
            self.leave(before.database)
        made = Gateway(
            [(terminal, str(self.user))], dsn, self.folder, Options(**options), lambda text: None
        )
        self.made.append(made)
        return made

    def leave(self, database: Database) -> None:
        """End the session that holds accounts; the server knows of it afterwards."""
        if database.holder.connection:
            database.holder.close()
            ended = "SELECT pg_terminate_backend(%s, 60000) FROM pg_stat_activity WHERE pid = %s"
            self.db.execute(ended, [database.holder.session[0]] * 2)

    def once(self, terminal: Any, **options: Any) -> Counter[str]:
        """One reading of everything; answers what came of it. Raises what went wrong."""
        gateway = self.gateway(terminal, **options)
        gateway.once()
        return gateway.lanes[0].worker.delivery.counts

    def worker(self, terminal: Any, **options: Any) -> Worker:
        return self.gateway(terminal, **options).lanes[0].worker

    @staticmethod
    def settle(worker: Worker) -> None:
        """Read until nothing is left of the history."""
        worker.step()
        while worker.backfill:
            worker.step()

    @staticmethod
    def state(worker: Worker) -> None:
        """Read the state, and nothing else."""
        worker.due["state"] = 0
        worker.read_state()

    def stored(self) -> dict[str, int]:
        """How many rows there are."""
        return {
            kind: self.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for kind, table in TABLES.items()
        }


def asked(terminal: Terminal, name: str) -> list[tuple]:
    """Arguments of each call of a function from now on."""
    calls: list[tuple] = []
    real = getattr(terminal, name)

    def noted(*given: Any, **filters: Any) -> Any:
        calls.append(given)
        return real(*given, **filters)

    setattr(terminal, name, noted)
    return calls
