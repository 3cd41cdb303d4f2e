"""A terminal with those functions of the package that a gateway and a worker call."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from rubi.terminal import constants as mt5
from rubi.terminal.books import Books
from rubi.terminal.broker import Broker
from rubi.terminal.records import (
    AccountInfo,
    OrderSendResult,
    SymbolInfo,
    TerminalInfo,
    Tick,
    TradeRequest,
)

WHOLE = ("action", "magic", "order", "deviation", "type", "type_filling", "type_time",
         "expiration", "position", "position_by")  # fmt: skip
REAL = ("volume", "price", "stoplimit", "sl", "tp")
EMPTY = dict.fromkeys(WHOLE, 0) | dict.fromkeys(REAL, 0.0) | {"symbol": "", "comment": ""}
MOST_COMMENT = 31
DONE = (mt5.TRADE_RETCODE_DONE, mt5.TRADE_RETCODE_DONE_PARTIAL, mt5.TRADE_RETCODE_PLACED)


def seconds(moment: object) -> int:
    """What the package makes of a date: an int, or a datetime's timestamp, naive ones local."""
    if isinstance(moment, datetime):
        return int(moment.timestamp())
    if isinstance(moment, int) and not isinstance(moment, bool):
        return moment
    raise ValueError


def chosen(rows: Iterable[Any], where: dict[str, Any], **fields: str) -> tuple:
    """Rows that keyword filters leave; fields: what a filter looks at, by its name."""
    names = {"symbol": "symbol", "ticket": "ticket"} | fields
    if not where.keys() <= names.keys():
        raise ValueError
    return tuple(row for row in rows if all(getattr(row, names[k]) == v for k, v in where.items()))


def request_of(given: Any) -> TradeRequest:
    """A dictionary as a request. Raises ValueError naming the field that is wrong."""
    if not isinstance(given, dict) or "action" not in given:
        raise ValueError("action")
    for name, value in given.items():
        kinds = int if name in WHOLE else int | float if name in REAL else str
        too_long = name == "comment" and len(value) > MOST_COMMENT
        if name in EMPTY and (not isinstance(value, kinds) or too_long):
            raise ValueError(name)
    return TradeRequest(**{name: given.get(name, EMPTY[name]) for name in TradeRequest._fields})


class Terminal:
    """One terminal. None is a failure, which last_error() explains."""

    def __init__(self, broker: Broker, login: int, maxbars: int = 100_000) -> None:
        self.broker, self.market = broker, broker.market
        self.active, self.maxbars = login, maxbars
        self._error = (mt5.RES_S_OK, mt5.MESSAGES[mt5.RES_S_OK])
        self._requests = 0

    @property
    def books(self) -> Books:
        return self.broker.accounts[self.active]

    @property
    def shown(self) -> Books:
        """What of the books is visible now: all of it."""
        return self.books

    def fail(self, code: int, message: str | None = None) -> None:
        """Note why a call answers None."""
        self._error = code, message or mt5.MESSAGES[code]

    def answer(self, work: Callable[[], Any]) -> Any:
        """The result of some work; None where its arguments are wrong."""
        self._error = (mt5.RES_S_OK, mt5.MESSAGES[mt5.RES_S_OK])
        try:
            return work()
        except (ValueError, TypeError):
            return self.fail(mt5.RES_E_INVALID_PARAMS)

    def initialize(self, path: str | None = None, /, **options: Any) -> bool:
        """Begin to talk to the terminal."""
        return bool(self.answer(lambda: True))

    def shutdown(self) -> None:
        """End of the conversation."""

    def last_error(self) -> tuple[int, str]:
        """Number and words of the last call's error, (1, 'Success') where there was none."""
        return self._error

    def terminal_info(self) -> TerminalInfo | None:
        """The terminal; `connected` is False when it has no trade server."""
        return self.answer(lambda: TerminalInfo(
            False, False, True, False, True, False, False, False, False, False, 5200,
            self.maxbars, 0, 10_000, 0.0, 0.0, "Stand-in Ltd", "MetaTrader 5", "English",
            "C:\\Terminal", "C:\\Terminal", "C:\\Common",
        ))  # fmt: skip

    def account_info(self) -> AccountInfo | None:
        return self.answer(lambda: self.shown.account())

    # symbols

    def symbols_get(self) -> tuple[SymbolInfo, ...] | None:
        return self.answer(lambda: tuple(map(self.market.info, self.market.symbols)))

    def known(self, symbol: str, work: Callable[[], Any]) -> Any:
        """The result of work about a symbol, None and -4 where the server has none of the name."""

        def look() -> Any:
            if symbol not in self.market.symbols:
                return self.fail(mt5.RES_E_NOT_FOUND)
            return work()

        return self.answer(look)

    def symbol_info(self, symbol: str, /) -> SymbolInfo | None:
        return self.known(symbol, lambda: self.market.info(symbol))

    def symbol_info_tick(self, symbol: str, /) -> Tick | None:
        return self.known(symbol, lambda: self.market.last.get(symbol))

    # positions, orders and history

    def positions_get(self, **where: Any) -> tuple | None:
        """Open positions; filters symbol, ticket."""
        return self.answer(lambda: chosen(self.shown.shown_positions(), where))

    def orders_get(self, **where: Any) -> tuple | None:
        """Waiting orders; filters symbol, ticket."""
        return self.answer(lambda: chosen(self.shown.shown_orders(), where))

    def _history(
        self, rows: Callable[[], Iterable[Any]], dates: tuple, where: dict, time: str, **fields: str
    ) -> tuple | None:
        """Rows of the history between two dates, both included, in whole seconds; or of one id."""

        def work() -> tuple:
            if len(dates) != 2 and not where.keys() & {"ticket", "position"}:
                raise ValueError
            first, last = map(seconds, dates) if dates else (0, 1 << 62)
            within = (row for row in rows() if first <= getattr(row, time) <= last)
            return chosen(within, where, **fields)

        return self.answer(work)

    def history_deals_get(self, *dates: Any, **where: Any) -> tuple | None:
        """Deals of a time, of an order (ticket), or of a position."""
        return self._history(
            lambda: self.shown.shown_deals(), dates, where, "time",
            ticket="order", position="position_id",
        )  # fmt: skip

    def history_orders_get(self, *dates: Any, **where: Any) -> tuple | None:
        """Orders of the history, by the time they were done; one by ticket, or of a position."""
        return self._history(
            lambda: self.shown.shown_done_orders(), dates, where, "time_done",
            position="position_id",
        )  # fmt: skip

    def history_deals_total(self, first: Any, last: Any, /) -> int | None:
        found = self.history_deals_get(first, last)
        return None if found is None else len(found)

    def history_orders_total(self, first: Any, last: Any, /) -> int | None:
        found = self.history_orders_get(first, last)
        return None if found is None else len(found)

    def order_send(self, given: Any, /) -> OrderSendResult | None:
        """Carry a request out; its return code says whether the server did."""

        def work() -> OrderSendResult | None:
            try:
                asked = request_of(given)
            except ValueError as error:
                return self.fail(mt5.RES_E_INVALID_PARAMS, f'Invalid "{error}" argument')
            self._requests += 1
            tick = self.market.last.get(asked.symbol)
            said = self.broker.send(self.books, asked)
            return OrderSendResult(
                said.retcode, said.deal, said.order, said.volume, said.price,
                *((tick.bid, tick.ask) if tick else (0.0, 0.0)),
                "Request executed" if said.retcode in DONE else "Request refused",
                self._requests, 0, asked,
            )  # fmt: skip

        return self.answer(work)
