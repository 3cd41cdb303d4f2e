"""What a terminal shows of its account's books, and whether calls reach it: where faults are made.

A terminal copies the server: history may come later than positions, twice, or in another order, and
without its server it goes on showing what it saw last.
"""

import random
from collections.abc import Callable, Iterable
from typing import TypeVar

from rubi.terminal import constants as mt5
from rubi.terminal.books import Books
from rubi.terminal.records import AccountInfo, TradeDeal, TradeOrder, TradePosition

Row = TypeVar("Row")
MONEY = ("balance", "credit", "profit", "equity", "margin", "margin_free", "margin_level")


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
    """The visible part of one account."""

    def __init__(self) -> None:
        self.frozen: dict[str, object] | None = None  # what was seen last, without a server
        self.late_positions: tuple[TradePosition, ...] | None = None
        self.seen: tuple[set[int], set[int]] | None = None  # deals and orders, history being late
        self.is_twice = False
        self.order: random.Random | None = None

    # the script's side

    def offline(self, books: Books) -> None:
        """The trade server is gone: the terminal shows what it saw last."""
        self.frozen = {
            "account": self.account(books), "positions": self.positions(books),
            "orders": self.orders(books), "deals": self.deals(books),
            "done_orders": self.done_orders(books),
        }  # fmt: skip

    def starting(self, books: Books) -> None:
        """The terminal has just begun and knows nothing yet: empty lists, an account of zeros."""
        zeros = books.account()._replace(**dict.fromkeys(MONEY, 0.0))
        self.frozen = {"account": zeros} | dict.fromkeys(
            ("positions", "orders", "deals", "done_orders"), ()
        )

    def online(self) -> None:
        self.frozen = None

    def hold_history(self, books: Books) -> None:
        """What happens from now on is not in the history yet; positions show it."""
        self.seen = set(books.deals), set(books.done_orders)

    def release_history(self, books: Books, tickets: Iterable[int] | None = None) -> None:
        """Some of what was held back is in the history now; all without tickets."""
        if tickets is None or self.seen is None:
            self.seen = None
        else:
            for seen in self.seen:
                seen.update(tickets)

    def hold_positions(self, books: Books) -> None:
        """Positions stay as they are while the history goes on."""
        self.late_positions = self.positions(books)

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

    def account(self, books: Books) -> AccountInfo:
        return self.frozen["account"] if self.frozen else books.account()

    def positions(self, books: Books) -> tuple[TradePosition, ...]:
        if self.frozen:
            return self.frozen["positions"]
        shown = self.late_positions
        return tuple(books.shown_positions()) if shown is None else shown

    def orders(self, books: Books) -> tuple[TradeOrder, ...]:
        return self.frozen["orders"] if self.frozen else tuple(books.orders.values())

    def deals(self, books: Books) -> tuple[TradeDeal, ...]:
        if self.frozen:
            return self.frozen["deals"]
        rows = sorted(books.deals.values(), key=lambda deal: (deal.time_msc, deal.ticket))
        return self._disturbed([r for r in rows if not self.seen or r.ticket in self.seen[0]])

    def done_orders(self, books: Books) -> tuple[TradeOrder, ...]:
        if self.frozen:
            return self.frozen["done_orders"]
        rows = sorted(books.done_orders.values(), key=lambda o: (o.time_done_msc, o.ticket))
        return self._disturbed([r for r in rows if not self.seen or r.ticket in self.seen[1]])

    def _disturbed(self, rows: list[Row]) -> tuple[Row, ...]:
        rows = rows * 2 if self.is_twice else rows
        if self.order:
            self.order.shuffle(rows)
        return tuple(rows)
