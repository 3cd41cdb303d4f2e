"""A trade server: takes requests of order_send, fills orders, lets stops and margin work.

Return codes are those of https://www.mql5.com/en/docs/constants/errorswarnings/enum_trade_return_codes
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from rubi.terminal import constants as mt5
from rubi.terminal.books import Books, lots, side_of
from rubi.terminal.market import Market
from rubi.terminal.records import TradeDeal, TradeOrder, TradePosition, TradeRequest

PENDING = frozenset(range(mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_SELL_STOP_LIMIT + 1))
LIMITS = frozenset({mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_SELL_LIMIT})
STOP_LIMITS = {
    mt5.ORDER_TYPE_BUY_STOP_LIMIT: mt5.ORDER_TYPE_BUY_LIMIT,
    mt5.ORDER_TYPE_SELL_STOP_LIMIT: mt5.ORDER_TYPE_SELL_LIMIT,
}


@dataclass
class Plan:
    """How the server treats the next market order. parts: shares of its volume, a deal each.

    retcode: refused with it. What parts leave of 1 is cancelled. is_lost: done, and the answer
    never arrives. waits: accepted, and filled at the next price of the symbol.
    """

    retcode: int = 0
    parts: tuple[float, ...] = (1.0,)
    is_lost: bool = False
    waits: bool = False


@dataclass
class Answer:
    retcode: int
    deal: int = 0
    order: int = 0
    volume: float = 0.0
    price: float = 0.0
    is_lost: bool = False


@dataclass
class Broker:
    market: Market
    accounts: dict[int, Books] = field(default_factory=dict)
    plans: deque[Plan] = field(default_factory=deque)
    waiting: list[tuple[Books, int]] = field(default_factory=list)

    def open_account(self, login: int, deposit: float = 0, **more: object) -> Books:
        """A new account, with its first deposit."""
        self.accounts[login] = books = Books(self.market, login, **more)
        if deposit:
            books.operation(deposit, comment="initial deposit")
        return books

    def plan(self, *plans: Plan) -> None:
        self.plans.extend(plans)

    # requests

    def check(self, books: Books, request: TradeRequest) -> int:
        """Return code that a request would get; 0: none against it."""
        if request.action == mt5.TRADE_ACTION_DEAL:
            return self._check_volume(request) or self._check_deal(books, request)
        if request.action == mt5.TRADE_ACTION_PENDING:
            return self._check_volume(request) or self._check_pending(books, request)
        if request.action == mt5.TRADE_ACTION_SLTP:
            return 0 if self._position(books, request) else mt5.TRADE_RETCODE_POSITION_CLOSED
        if request.action in (mt5.TRADE_ACTION_MODIFY, mt5.TRADE_ACTION_REMOVE):
            return 0 if request.order in books.orders else mt5.TRADE_RETCODE_INVALID_ORDER
        if request.action == mt5.TRADE_ACTION_CLOSE_BY:
            return self._check_close_by(books, request)
        return mt5.TRADE_RETCODE_INVALID

    def _check_volume(self, request: TradeRequest) -> int:
        info = self.market.symbols.get(request.symbol)
        if not info:
            return mt5.TRADE_RETCODE_INVALID
        if info.trade_mode == mt5.SYMBOL_TRADE_MODE_DISABLED:
            return mt5.TRADE_RETCODE_TRADE_DISABLED
        steps = request.volume / info.volume_step
        if (
            not info.volume_min <= request.volume <= info.volume_max
            or abs(steps - round(steps)) > 1e-6
        ):
            return mt5.TRADE_RETCODE_INVALID_VOLUME
        return 0 if request.symbol in self.market.last else mt5.TRADE_RETCODE_PRICE_OFF

    def _check_deal(self, books: Books, request: TradeRequest) -> int:
        if request.type not in (mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_SELL):
            return mt5.TRADE_RETCODE_INVALID
        info = self.market.symbols[request.symbol]
        price = self.market.price(request.symbol, request.type)
        if info.trade_exemode == mt5.SYMBOL_TRADE_EXECUTION_INSTANT and (
            abs(request.price - price) > (request.deviation + 0.5) * info.point
        ):
            return mt5.TRADE_RETCODE_REQUOTE
        held = books.positions.get(request.position) if request.position else None
        if request.position and not held:
            return mt5.TRADE_RETCODE_POSITION_CLOSED
        if held and books.is_hedging():
            if held.symbol != request.symbol or held.type == request.type:
                return mt5.TRADE_RETCODE_INVALID
            too_much = lots(request.volume - held.volume) > 0
            return mt5.TRADE_RETCODE_INVALID_CLOSE_VOLUME if too_much else 0
        return self._check_stops(request, price) or self._check_money(books, request, price)

    @staticmethod
    def _check_stops(request: TradeRequest, price: float) -> int:
        sign = 1 if side_of(request.type) == 0 else -1
        wrong = (request.sl and sign * (price - request.sl) <= 0) or (
            request.tp and sign * (request.tp - price) <= 0
        )
        return mt5.TRADE_RETCODE_INVALID_STOPS if wrong else 0

    def _check_money(self, books: Books, request: TradeRequest, price: float) -> int:
        if not books.is_hedging() and any(
            p.symbol == request.symbol and p.type != request.type for p in books.positions.values()
        ):
            return 0  # closes, or turns what is paid for
        needed = self.market.margin(request.symbol, request.volume, price, books.leverage)
        free = books.account().margin_free
        return mt5.TRADE_RETCODE_NO_MONEY if float(needed) > free else 0

    def _check_pending(self, books: Books, request: TradeRequest) -> int:
        if request.type not in PENDING:
            return mt5.TRADE_RETCODE_INVALID
        if len(books.orders) >= books.limit_orders:
            return mt5.TRADE_RETCODE_LIMIT_ORDERS
        if self._is_reached(request.type, request.symbol, request.price):
            return mt5.TRADE_RETCODE_INVALID_PRICE
        if request.type_time == mt5.ORDER_TIME_SPECIFIED and (
            request.expiration <= self.market.clock.msc() // 1000
        ):
            return mt5.TRADE_RETCODE_INVALID_EXPIRATION
        return self._check_stops(request, request.price)

    def _check_close_by(self, books: Books, request: TradeRequest) -> int:
        pair = [books.positions.get(n) for n in (request.position, request.position_by)]
        if not all(pair):
            return mt5.TRADE_RETCODE_POSITION_CLOSED
        one, other = pair
        fits = books.is_hedging() and one.symbol == other.symbol and one.type != other.type
        return 0 if fits else mt5.TRADE_RETCODE_INVALID

    def _position(self, books: Books, request: TradeRequest) -> TradePosition | None:
        if request.position:
            return books.positions.get(request.position)
        return next((p for p in books.positions.values() if p.symbol == request.symbol), None)

    def send(self, books: Books, request: TradeRequest) -> Answer:
        if refused := self.check(books, request):
            return Answer(refused)
        done = Answer(mt5.TRADE_RETCODE_DONE)
        if request.action == mt5.TRADE_ACTION_DEAL:
            return self._deal(books, request)
        if request.action == mt5.TRADE_ACTION_PENDING:
            order = books.place(self._order(books, request, request.price, request.stoplimit))
            done.order, done.volume, done.price = order.ticket, request.volume, request.price
        elif request.action == mt5.TRADE_ACTION_SLTP:
            return self._protect(books, request)
        elif request.action == mt5.TRADE_ACTION_MODIFY:
            books.orders[request.order] = books.orders[request.order]._replace(
                price_open=request.price, sl=request.sl, tp=request.tp
            )
            done.order = request.order
        elif request.action == mt5.TRADE_ACTION_REMOVE:
            books.finish(request.order, mt5.ORDER_STATE_CANCELED)
            done.order = request.order
        else:
            volumes = (books.positions[n].volume for n in (request.position, request.position_by))
            both = request._replace(type=mt5.ORDER_TYPE_CLOSE_BY, volume=min(volumes))
            order = books.place(
                self._order(books, both)._replace(
                    symbol=books.positions[request.position].symbol,
                    position_by_id=request.position_by,
                )
            )
            done.order, done.deal = order.ticket, books.close_by(order)[0].ticket
        return done

    def _order(
        self, books: Books, request: TradeRequest, price: float = 0.0, stoplimit: float = 0.0,
        reason: int = mt5.ORDER_REASON_EXPERT,
    ) -> TradeOrder:  # fmt: skip
        msc = self.market.clock.msc()
        return TradeOrder(
            books.number(), msc // 1000, msc, 0, 0, request.expiration, request.type,
            request.type_time, request.type_filling, mt5.ORDER_STATE_PLACED, request.magic,
            request.position, 0, reason, lots(request.volume), lots(request.volume), price,
            request.sl, request.tp, price, stoplimit, request.symbol, request.comment, "",
        )  # fmt: skip

    def _protect(self, books: Books, request: TradeRequest) -> Answer:
        held = self._position(books, request)
        if (held.sl, held.tp) == (request.sl, request.tp):
            return Answer(mt5.TRADE_RETCODE_NO_CHANGES)
        msc = self.market.clock.msc()
        books.positions[held.identifier] = held._replace(
            sl=request.sl, tp=request.tp, time_update=msc // 1000, time_update_msc=msc
        )
        return Answer(mt5.TRADE_RETCODE_DONE)

    def _deal(self, books: Books, request: TradeRequest) -> Answer:
        plan = self.plans.popleft() if self.plans else Plan()
        if plan.retcode:
            return Answer(plan.retcode)
        order = books.place(self._order(books, request))
        if plan.waits:
            self.waiting.append((books, order.ticket))
            return Answer(mt5.TRADE_RETCODE_PLACED, 0, order.ticket, is_lost=plan.is_lost)
        deals = self.fill(books, order, plan.parts)
        volume = lots(sum(deal.volume for deal in deals))
        whole = volume == order.volume_initial
        return Answer(
            mt5.TRADE_RETCODE_DONE if whole else mt5.TRADE_RETCODE_DONE_PARTIAL,
            deals[0].ticket, order.ticket, volume, deals[0].price, plan.is_lost,
        )  # fmt: skip

    def fill(
        self, books: Books, order: TradeOrder, parts: Iterable[float] = (1.0,), comment: str = ""
    ) -> list[TradeDeal]:
        """Fill shares of an order at the present price; what they leave of it is cancelled.

        A partly filled order whose rest was cancelled has the state CANCELED here: the reference
        doesn't say which.
        """
        step = self.market.symbols[order.symbol].volume_step
        price = self.market.price(order.symbol, side_of(order.type))
        deals = []
        for share in parts:
            left = books.orders[order.ticket].volume_current if order.ticket in books.orders else 0
            volume = min(lots(max(round(order.volume_initial * share / step), 1) * step), left)
            if volume:
                deals.append(books.fill(order.ticket, volume, price, comment))
        if order.ticket in books.orders:
            books.finish(order.ticket, mt5.ORDER_STATE_CANCELED)
        return deals

    # prices

    def quote(self, symbol: str, bid: float, ask: float | None = None, keep: bool = True) -> None:
        """A new price: waiting orders, stops and targets, and margin look at it."""
        self.market.quote(symbol, bid, ask, keep=keep)
        waiting, self.waiting = self.waiting, []
        for books, ticket in waiting:
            if ticket in books.orders and books.orders[ticket].symbol == symbol:
                self.fill(books, books.orders[ticket])
            elif ticket in books.orders:
                self.waiting.append((books, ticket))
        for books in self.accounts.values():
            self._look_at_orders(books, symbol)
            self._look_at_stops(books, symbol)
            self.look_at_margin(books)

    def _is_reached(self, kind: int, symbol: str, price: float) -> bool:
        now = self.market.price(symbol, side_of(kind))
        falls = (kind in LIMITS) == (side_of(kind) == 0)  # a limit to buy waits for a fall
        return now <= price if falls else now >= price

    def _look_at_orders(self, books: Books, symbol: str) -> None:
        now = self.market.clock.msc() // 1000
        for ticket, order in [*books.orders.items()]:
            if order.symbol != symbol or order.type not in PENDING:
                continue
            if 0 < order.time_expiration <= now:
                books.finish(ticket, mt5.ORDER_STATE_EXPIRED)
            elif self._is_reached(order.type, symbol, order.price_open):
                if order.type in STOP_LIMITS:
                    books.orders[ticket] = order._replace(
                        type=STOP_LIMITS[order.type], price_open=order.price_stoplimit,
                        price_stoplimit=0.0,
                    )  # fmt: skip
                else:
                    self.fill(books, order)

    def _look_at_stops(self, books: Books, symbol: str) -> None:
        for held in [*books.positions.values()]:
            if held.symbol != symbol:
                continue
            price = self.market.price(symbol, 1 - held.type)
            sign = -1 if held.type else 1
            if held.sl and sign * (price - held.sl) <= 0:
                self.end(books, held, mt5.ORDER_REASON_SL, f"[sl {held.sl:g}]")
            elif held.tp and sign * (price - held.tp) >= 0:
                self.end(books, held, mt5.ORDER_REASON_TP, f"[tp {held.tp:g}]")

    def look_at_margin(self, books: Books) -> None:
        """Stop out: the position that loses most is closed until the level is above the limit."""
        while books.positions:
            account = books.account()
            if not account.margin or account.margin_level > books.so_so:
                return
            worst = min(books.shown_positions(), key=lambda p: p.profit)
            shown = f"[so {account.margin_level:.2f}%/{account.equity:.2f}/{account.margin:.2f}]"
            self.end(books, worst, mt5.ORDER_REASON_SO, shown)

    def end(self, books: Books, held: TradePosition, reason: int, comment: str = "") -> TradeDeal:
        """The server closes a position by an order of its own."""
        request = TradeRequest(
            mt5.TRADE_ACTION_DEAL, held.magic, 0, held.symbol, held.volume, 0.0, 0.0, 0.0, 0.0, 0,
            1 - held.type, mt5.ORDER_FILLING_FOK, mt5.ORDER_TIME_GTC, 0, comment,
            held.identifier, 0,
        )  # fmt: skip
        order = books.place(self._order(books, request, reason=reason))
        return self.fill(books, order, comment=comment)[0]
