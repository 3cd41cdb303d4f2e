"""A terminal with the whole interface of the package, and scripts that drive it."""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, Self

from rubi.terminal.broker import Broker
from rubi.terminal.market import Clock, Market
from rubi.terminal.prices import Prices
from rubi.terminal.trading import Trading

# steps whose first argument is the account's books, which the script does not name
OF_BOOKS = frozenset({"offline", "starting", "hold_history", "release_history", "hold_positions"})


class Terminal(Trading, Prices):
    """One terminal. In a test: `Terminal.new()`, then steps, then whatever reads it."""

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
        """One step of a script: the name of what the terminal, its link, view, broker, or account
        does. Raises KeyError for an unknown name.
        """
        with self.lock:
            places = {
                "terminal": self, "link": self.link, "view": self.view, "broker": self.broker,
                "books": self.books, "clock": self.market.clock,
            }  # fmt: skip
            for actor, place in places.items():
                if callable(getattr(type(place), name, None)):
                    first = (self.books,) if actor == "view" and name in OF_BOOKS else ()
                    return getattr(place, name)(*first, *values, **named)
        raise KeyError(name)

    def play(self, script: Iterable[tuple[Any, ...]]) -> list[Any]:
        """Do the steps of a script, each a name and its arguments; answers what each answered.

        terminal.play([("order_send", {…}), ("hold_history",), ("quote", "EURUSD", 1.2)])
        """
        return [self.step(*step) for step in script]
