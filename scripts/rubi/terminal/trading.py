"""Positions, orders and history, and order_send, as the package hands them over."""

from collections.abc import Callable, Iterable
from typing import Any

from rubi.terminal import constants as mt5
from rubi.terminal.connection import Connection, in_group, seconds
from rubi.terminal.records import OrderCheckResult, OrderSendResult, TradeRequest

WHOLE = ("action", "magic", "order", "deviation", "type", "type_filling", "type_time",
         "expiration", "position", "position_by")  # fmt: skip
REAL = ("volume", "price", "stoplimit", "sl", "tp")
EMPTY = dict.fromkeys(WHOLE, 0) | dict.fromkeys(REAL, 0.0) | {"symbol": "", "comment": ""}
MOST_COMMENT = 31
DONE = (mt5.TRADE_RETCODE_DONE, mt5.TRADE_RETCODE_DONE_PARTIAL, mt5.TRADE_RETCODE_PLACED)


def chosen(rows: Iterable[Any], where: dict[str, Any], **fields: str) -> tuple:
    """Rows that keyword filters leave; fields: what a filter looks at, by its name."""
    names = {"symbol": "symbol", "ticket": "ticket"} | fields
    if not where.keys() <= names.keys() | {"group"}:
        raise ValueError
    return tuple(
        row
        for row in rows
        if in_group(row.symbol, where.get("group"))
        and all(getattr(row, names[k]) == value for k, value in where.items() if k != "group")
    )


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


class Trading(Connection):
    def positions_total(self) -> int | None:
        return self.answer(lambda: len(self.view.positions(self.books)))

    def positions_get(self, **where: Any) -> tuple | None:
        """Open positions; filters symbol, group, ticket."""
        return self.answer(lambda: chosen(self.view.positions(self.books), where))

    def orders_total(self) -> int | None:
        return self.answer(lambda: len(self.view.orders(self.books)))

    def orders_get(self, **where: Any) -> tuple | None:
        """Waiting orders; filters symbol, group, ticket."""
        return self.answer(lambda: chosen(self.view.orders(self.books), where))

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
            lambda: self.view.deals(self.books), dates, where, "time",
            ticket="order", position="position_id",
        )  # fmt: skip

    def history_orders_get(self, *dates: Any, **where: Any) -> tuple | None:
        """Orders of the history, by the time they were done; one by ticket, or of a position."""
        return self._history(
            lambda: self.view.done_orders(self.books), dates, where, "time_done",
            position="position_id",
        )  # fmt: skip

    def history_deals_total(self, first: Any, last: Any, /) -> int | None:
        found = self.history_deals_get(first, last)
        return None if found is None else len(found)

    def history_orders_total(self, first: Any, last: Any, /) -> int | None:
        found = self.history_orders_get(first, last)
        return None if found is None else len(found)

    def _asked(self, given: Any, work: Callable[[TradeRequest], Any]) -> Any:
        """The result of work with a request; None and -2 for one that is none."""

        def do() -> Any:
            try:
                request = request_of(given)
            except ValueError as error:
                return self.fail(mt5.RES_E_INVALID_PARAMS, f'Invalid "{error}" argument')
            return work(request)

        return self.answer(do)

    def order_check(self, request: Any, /) -> OrderCheckResult | None:
        """What the account would be after a request; retcode 0 where nothing is against it."""

        def work(asked: TradeRequest) -> OrderCheckResult:
            code = self.broker.check(self.books, asked)
            now = self.books.account()
            margin = now.margin
            if not code and asked.action == mt5.TRADE_ACTION_DEAL and not asked.position:
                price = self.market.price(asked.symbol, asked.type)
                margin += float(
                    self.market.margin(asked.symbol, asked.volume, price, self.books.leverage)
                )
            level = now.equity / margin * 100 if margin else 0.0
            return OrderCheckResult(
                code, now.balance, now.equity, now.profit, margin, now.equity - margin, level,
                "" if code else "Done", asked,
            )  # fmt: skip

        return self._asked(request, work)

    def order_send(self, request: Any, /) -> OrderSendResult | None:
        """Carry a request out; its return code says whether the server did."""

        def work(asked: TradeRequest) -> OrderSendResult | None:
            self._requests += 1
            tick = self.market.last.get(asked.symbol)
            prices = (tick.bid, tick.ask) if tick else (0.0, 0.0)
            if not self.view.is_online():
                return OrderSendResult(
                    mt5.TRADE_RETCODE_CONNECTION, 0, 0, 0.0, 0.0, *prices, "No connection",
                    self._requests, 0, asked,
                )  # fmt: skip
            said = self.broker.send(self.books, asked)
            if said.is_lost:
                return self.fail(mt5.RES_E_INTERNAL_FAIL_TIMEOUT)
            return OrderSendResult(
                said.retcode, said.deal, said.order, said.volume, said.price, *prices,
                "Request executed" if said.retcode in DONE else "Request refused",
                self._requests, 0, asked,
            )  # fmt: skip

        return self._asked(request, work)

    def order_calc_margin(
        self, action: int, symbol: str, volume: float, price: float, /
    ) -> float | None:
        return self.answer(lambda: float(
            self.books.money(self.market.margin(symbol, volume, price, self.books.leverage))
        ))  # fmt: skip

    def order_calc_profit(
        self, action: int, symbol: str, volume: float, opened: float, closed: float, /
    ) -> float | None:
        return self.answer(lambda: float(
            self.books.money(self.market.profit(symbol, action, volume, opened, closed))
        ))  # fmt: skip
