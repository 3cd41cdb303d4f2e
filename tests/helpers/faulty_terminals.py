"""The stand-in's terminal with all that tests ask of it: bars and ticks, several accounts, and what
goes wrong.

A terminal copies the server: history may come later than positions, twice, or in another order, and
without its server it goes on showing what it saw last.
"""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Self, TypeVar

import numpy

from full_brokers import Books, Broker, Market
from rubi.terminal import constants as mt5
from rubi.terminal import standin
from rubi.terminal.market import Clock
from rubi.terminal.records import (
    AccountInfo,
    OrderSendResult,
    TerminalInfo,
    TradeDeal,
    TradeOrder,
    TradePosition,
)
from rubi.terminal.standin import request_of, seconds

Row = TypeVar("Row")
MONEY = ("balance", "credit", "profit", "equity", "margin", "margin_free", "margin_level")
# of copy_rates_range and copy_ticks_range, field order as in the package's documentation
RATE = [
    ("time", "<i8"), ("open", "<f8"), ("high", "<f8"), ("low", "<f8"), ("close", "<f8"),
    ("tick_volume", "<u8"), ("spread", "<i4"), ("real_volume", "<u8"),
]  # fmt: skip
TICK = [
    ("time", "<i8"), ("bid", "<f8"), ("ask", "<f8"), ("last", "<f8"), ("volume", "<u8"),
    ("time_msc", "<i8"), ("flags", "<u4"), ("volume_real", "<f8"),
]  # fmt: skip


class Link:
    """The conversation between a program and its terminal."""

    def __init__(self) -> None:
        self.code = 0
        self.left: int | None = None
        self.hooks: list[list] = []

    def drop(self, code: int = mt5.RES_E_INTERNAL_FAIL_CONNECT, calls: int | None = None) -> None:
        """All calls fail with a code of last_error from now on, or the next few."""
        self.code, self.left = code, calls

    def restore(self) -> None:
        """Calls reach the terminal again."""
        self.code, self.left = 0, None

    def at_call(self, number: int, work: Callable[[], object]) -> None:
        """Do something just before the n-th call from now, 1 the next: faults within a picture."""
        self.hooks.append([number, work])

    def fault(self) -> int:
        """Code with which this call fails; 0: it goes through."""
        for hook in self.hooks:
            hook[0] -= 1
        due = [hook for hook in self.hooks if hook[0] <= 0]
        self.hooks = [hook for hook in self.hooks if hook[0] > 0]
        for _, work in due:
            work()
        code = self.code
        if code and self.left is not None:
            self.left -= 1
            if self.left <= 0:
                self.restore()
        return code


class View:
    """The visible part of an account."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.frozen: dict[str, Any] | None = None  # what was seen last, without a server
        self.late_positions: tuple[TradePosition, ...] | None = None
        self.seen: tuple[set[int], set[int]] | None = None  # deals and orders, history being late
        self.is_twice = False
        self.order: random.Random | None = None

    # the script's side

    def offline(self) -> None:
        """The trade server is gone: the terminal shows what it saw last."""
        self.frozen = {
            "account": self.account(), "positions": self.shown_positions(),
            "orders": self.shown_orders(), "deals": self.shown_deals(),
            "done_orders": self.shown_done_orders(),
        }  # fmt: skip

    def starting(self) -> None:
        """The terminal has just begun and knows nothing yet: empty lists, an account of zeros."""
        zeros = self.books.account()._replace(**dict.fromkeys(MONEY, 0.0))
        self.frozen = {"account": zeros} | dict.fromkeys(
            ("positions", "orders", "deals", "done_orders"), ()
        )

    def online(self) -> None:
        self.frozen = None

    def hold_history(self) -> None:
        """What happens from now on is not in the history yet; positions show it."""
        self.seen = set(self.books.deals), set(self.books.done_orders)

    def release_history(self, tickets: Iterable[int] | None = None) -> None:
        """Some of what was held back is in the history now; all without tickets."""
        if tickets is None or self.seen is None:
            self.seen = None
        else:
            for seen in self.seen:
                seen.update(tickets)

    def hold_positions(self) -> None:
        """Positions stay as they are while the history goes on."""
        self.late_positions = self.shown_positions()

    def release_positions(self) -> None:
        self.late_positions = None

    def repeat(self, is_twice: bool) -> None:
        """Each row of the history comes twice."""
        self.is_twice = is_twice

    def shuffle(self, seed: int | None) -> None:
        """The history comes in any order; None: in its own."""
        self.order = None if seed is None else random.Random(seed)

    # the terminal's side

    def is_online(self) -> bool:
        """Whether the terminal has its trade server."""
        return self.frozen is None

    def account(self) -> AccountInfo:
        return self.frozen["account"] if self.frozen else self.books.account()

    def shown_positions(self) -> tuple[TradePosition, ...]:
        if self.frozen:
            return self.frozen["positions"]
        shown = self.late_positions
        return tuple(self.books.shown_positions()) if shown is None else shown

    def shown_orders(self) -> tuple[TradeOrder, ...]:
        return self.frozen["orders"] if self.frozen else tuple(self.books.shown_orders())

    def shown_deals(self) -> tuple[TradeDeal, ...]:
        if self.frozen:
            return self.frozen["deals"]
        rows = self.books.shown_deals()
        return self._disturbed([r for r in rows if not self.seen or r.ticket in self.seen[0]])

    def shown_done_orders(self) -> tuple[TradeOrder, ...]:
        if self.frozen:
            return self.frozen["done_orders"]
        rows = self.books.shown_done_orders()
        return self._disturbed([r for r in rows if not self.seen or r.ticket in self.seen[1]])

    def _disturbed(self, rows: list[Row]) -> tuple[Row, ...]:
        rows = rows * 2 if self.is_twice else rows
        if self.order:
            self.order.shuffle(rows)
        return tuple(rows)


class Terminal(standin.Terminal):
    """`Terminal.new()`, then steps, then whatever reads it.

    `link` says whether calls get through, `view` what of the books is visible now.
    """

    def __init__(self, broker: Broker, login: int, maxbars: int = 100_000) -> None:
        super().__init__(broker, login, maxbars)
        self.link = Link()
        self.lock = threading.RLock()  # a script and a gateway may be two threads
        self._views: dict[int, View] = {}

    @classmethod
    def new(
        cls, login: int = 5_001_234, deposit: float = 10_000, at: datetime | None = None,
        maxbars: int = 100_000, **account: Any,
    ) -> Self:  # fmt: skip
        """A terminal of a broker of its own, with one account and EURUSD at 1.1.

        at: the server's clock stands there; None: it runs. account: fields of Books.
        """
        broker = Broker(Market(Clock(at=at)))
        broker.market.add("EURUSD")
        broker.market.quote("EURUSD", 1.1, 1.1001)
        broker.open_account(login, deposit, **account)
        return cls(broker, login, maxbars)

    def step(self, name: str, *values: Any, **named: Any) -> Any:
        """One step of a script: the name of what the view, broker, account or clock does."""
        with self.lock:
            places = (self.view, self.broker, self.books, self.market.clock)
            place = next(place for place in places if hasattr(place, name))
            return getattr(place, name)(*values, **named)

    @property
    def view(self) -> View:
        return self._views.setdefault(self.active, View(self.books))

    shown = view

    def switch(self, login: int) -> None:
        """Another account is active from now on, as when somebody clicks in the terminal."""
        self.active = login

    def answer(self, work: Callable[[], Any]) -> Any:
        """The result of some work, where the connection lets it through; else None."""
        with self.lock:
            if fault := self.link.fault():
                return self.fail(fault)
            return super().answer(work)

    def initialize(self, path: str | None = None, /, **options: Any) -> bool:
        """Begin to talk to the terminal; an account may be named as for login."""
        is_there = super().initialize(path)
        if not is_there or "login" not in options:
            return is_there
        return self.login(options.pop("login"), **options)

    def login(self, login: int, /, password: str = "", server: str = "", **_: Any) -> bool:
        def work() -> bool:
            books = self.broker.accounts.get(login)
            if books and password in ("", books.password) and server in ("", books.server):
                self.switch(login)
                return True
            self.fail(mt5.RES_E_AUTH_FAILED)
            return False

        return bool(self.answer(work))

    def terminal_info(self) -> TerminalInfo | None:
        found = super().terminal_info()
        return found and found._replace(connected=self.view.is_online())

    def order_send(self, given: Any, /) -> OrderSendResult | None:
        if self.view.is_online():
            return super().order_send(given)
        return self.answer(lambda: OrderSendResult(
            mt5.TRADE_RETCODE_CONNECTION, 0, 0, 0.0, 0.0, 0.0, 0.0, "No connection", 0, 0,
            request_of(given),
        ))  # fmt: skip

    def symbol_select(self, symbol: str, enable: bool = True, /) -> bool:
        """Show a symbol in Market Watch."""
        return bool(self.known(symbol, lambda: True))

    def copy_rates_range(self, symbol: str, timeframe: int, first: Any, last: Any, /) -> Any:
        """Bars that open between two dates, both included, of the latest `maxbars`, which the
        terminal keeps on its charts.
        """

        def work() -> Any:
            bars = self.market.bars.get((symbol, timeframe), [])[-self.maxbars :]
            found = [bar for bar in bars if seconds(first) <= bar[0] <= seconds(last)]
            return numpy.array(found, dtype=RATE)

        return self.known(symbol, work)

    def copy_ticks_range(self, symbol: str, first: Any, last: Any, flags: int, /) -> Any:
        """Ticks between two dates, both included."""
        return self.known(symbol, lambda: numpy.array(
            [
                tick
                for tick in self.market.ticks[symbol]
                if seconds(first) * 1000 <= tick.time_msc <= seconds(last) * 1000
                and tick.flags & flags
            ],
            dtype=TICK,
        ))  # fmt: skip
