"""Pictures of an account: what holds now, read so that its parts belong together."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from rubi.gateway.parcels import now
from rubi.gateway.terminals import Row, Terminal, TerminalError

OUT = (1, 2, 3)  # entries of deals that close: OUT, INOUT, OUT_BY
TRIES = 3
# a terminal that has just connected has an account before it has its positions
PATIENCE = 60


class Switched(Exception):
    """The terminal is logged into another account than before."""


Identity = tuple[str, str]


def identity(account: Row) -> Identity:
    """Server and login of account_info; the broker's name where it names no server."""
    server = str(account.get("server") or account.get("company") or "").strip()
    return server, str(account.get("login", ""))


@dataclass
class Picture:
    """What account_info, positions_get and orders_get answered, and what the history adds."""

    account: Row
    positions: list[Row]
    orders: list[Row]
    history: dict[str, list[Row]] = field(default_factory=dict)
    taken_at: str = ""
    is_sure: bool = True  # else the positions are those of the picture before

    def trade(self) -> tuple[Any, ...]:
        """What an order, a deal or a person changes, and no price does."""

        def facts(rows: list[Row], names: str) -> set[tuple]:
            return {tuple(map(row.get, names.split())) for row in rows}

        return (
            *map(self.account.get, ("balance", "credit")),
            facts(self.positions, "identifier ticket volume sl tp"),
            facts(self.orders, "ticket state volume_current price_open sl tp"),
        )

    def open(self) -> set[int]:
        return {row["identifier"] for row in self.positions if "identifier" in row}

    def waiting(self) -> set[int]:
        return {row["ticket"] for row in self.orders if "ticket" in row}


class Reader:
    """Reads pictures of one terminal, and knows what the last one was."""

    def __init__(self, terminal: Terminal, present: Callable[[], datetime] = now) -> None:
        self.terminal, self.present = terminal, present
        self.identity: Identity | None = None
        self.last: Picture | None = None
        self.empty_since = 0.0
        self.open: set[int] | None = None  # identifiers; None where nothing is known of them
        # identifiers and tickets whose end the history is still to show, since when
        self.closing: dict[int, float] = {}
        self.ending: dict[int, float] = {}

    def account(self) -> Row:
        """account_info. Raises Switched for another account than the one this reader is for."""
        found = self.terminal.rows("account_info")[0]
        if self.identity is not None and identity(found) != self.identity:
            server, login = identity(found)
            raise Switched(
                f"the terminal is logged into {login} at {server}, and was into"
                f" {self.identity[1]} at {self.identity[0]}"
            )
        return found

    def rows(self, name: str, *args: Any, **filters: Any) -> list[Row]:
        """Rows between two questions for the account, as they name none: those of another login
        are not ours. Raises Switched."""
        self.account()
        found = self.terminal.rows(name, *args, **filters)
        self.account()
        return found

    def count(self, name: str, *args: Any) -> int:
        """A number that only says how much rows() would answer."""
        return self.terminal.count(name, *args)

    def check_connected(self) -> None:
        """A terminal without its server answers with what it remembers, or with nothing."""
        if not self.terminal.rows("terminal_info")[0].get("connected"):
            raise TerminalError("terminal_info", 0, "not connected to its trade server")

    def look(self) -> Picture:
        """Account, positions and orders between two questions for the account."""
        self.check_connected()
        taken_at = self.present().isoformat()
        before = self.account()
        positions = self.terminal.rows("positions_get")
        orders = self.terminal.rows("orders_get")
        after = self.account()
        if identity(before) != identity(after):
            raise Switched("the terminal logged into another account while it was read")
        return Picture(after, positions, orders, taken_at=taken_at)

    def doubt(self, picture: Picture) -> None:
        """Positions that are gone are closed when the margin is 0, or when the deals say so. Else
        raise TerminalError, and after a while take the positions of the picture before."""
        margin = picture.account.get("margin") or 0
        is_odd = not picture.positions and margin > 0 and bool(self.open or not picture.orders)
        if not is_odd or self.are_closed():
            self.empty_since = 0.0
            self.open = picture.open()
            return
        self.empty_since = self.empty_since or time.monotonic()
        if time.monotonic() - self.empty_since < PATIENCE:
            raise TerminalError("positions_get", 0, "no positions, but the account has a margin")
        picture.is_sure = False
        picture.positions = self.last.positions if self.last else []

    def are_closed(self) -> bool:
        """Whether the deals of each position that was open have bought what they sold."""
        for identifier in sorted(self.open or ()):
            rows = self.rows("history_deals_get", position=identifier)
            signs = {0: 1, 1: -1}  # BUY, SELL
            left = sum(signs.get(row.get("type", -1), 0) * row.get("volume", 0) for row in rows)
            if not rows or abs(left) > 1e-8:
                return False
        return self.open is not None

    def picture(self, recent: Callable[[], dict[str, list[Row]]], is_due: bool) -> Picture:
        """A picture; with the latest history where something changed, or where it is due.

        Positions, history and account are read until nothing changes between them.
        """
        picture = self.look()
        self.doubt(picture)
        if self.last:
            gone = self.last.open() - picture.open()
            self.closing.update(dict.fromkeys(gone, time.monotonic()))
            done = self.last.waiting() - picture.waiting()
            self.ending.update(dict.fromkeys(done, time.monotonic()))
        for ticket in picture.waiting():
            self.ending.pop(ticket, None)
        self.forget()
        changed = self.last is None or self.last.trade() != picture.trade()
        if is_due or changed or self.closing or self.ending:
            for _ in range(TRIES):
                history = self.history(recent)
                again = self.look()
                self.doubt(again)
                is_still = again.trade() == picture.trade()
                picture = again
                picture.history = history
                if is_still:
                    break
            self.shown(picture.history)
        self.last = picture
        return picture

    def history(self, recent: Callable[[], dict[str, list[Row]]]) -> dict[str, list[Row]]:
        """The latest history, and the orders that are no longer waiting, each by its ticket."""
        found = recent()
        known = {row.get("ticket") for row in found["orders"]}
        for ticket in sorted(self.ending):
            rows = [] if ticket in known else self.rows("history_orders_get", ticket=ticket)
            found.setdefault("ended", []).extend(rows)
        return found

    def shown(self, history: dict[str, list[Row]]) -> None:
        """Wait no longer for what the history of a whole picture shows: one that failed, or was
        read again, is not stored."""
        for row in (*history["orders"], *history.get("ended", [])):
            self.ending.pop(row.get("ticket", 0), None)
        for row in history["deals"]:
            if row.get("entry") in OUT:
                self.closing.pop(row.get("position_id", 0), None)

    def forget(self) -> None:
        """Wait no longer for what the history never showed: the next full reading looks again."""
        for waiting in (self.closing, self.ending):
            for number, since in list(waiting.items()):
                if time.monotonic() - since > PATIENCE:
                    del waiting[number]
