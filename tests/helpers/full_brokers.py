"""The stand-in's broker with what the demo has no need of: kinds of orders, parts of fills, several
accounts, and what a broker does to an account's history afterwards.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from rubi.terminal import books as plain_books
from rubi.terminal import broker as plain_broker
from rubi.terminal import constants as mt5
from rubi.terminal import market as plain_market
from rubi.terminal.books import decimal, lots, side_of
from rubi.terminal.broker import Answer
from rubi.terminal.records import Tick, TradeDeal, TradeOrder, TradePosition, TradeRequest

PENDING = frozenset(range(mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_SELL_STOP_LIMIT + 1))
LIMITS = frozenset({mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_SELL_LIMIT})
STOP_LIMITS = {
    mt5.ORDER_TYPE_BUY_STOP_LIMIT: mt5.ORDER_TYPE_BUY_LIMIT,
    mt5.ORDER_TYPE_SELL_STOP_LIMIT: mt5.ORDER_TYPE_SELL_LIMIT,
}


@dataclass
class Market(plain_market.Market):
    """Quotes are kept as ticks; bars are those that a test lays here."""

    ticks: dict[str, list[Tick]] = field(default_factory=dict)
    bars: dict[tuple[str, int], list[tuple]] = field(default_factory=dict)

    def quote(
        self, symbol: str, bid: float, ask: float | None = None, msc: int | None = None,
        keep: bool = True,
    ) -> Tick:  # fmt: skip
        """A new price. keep: copy_ticks_range shows it too."""
        tick = super().quote(symbol, bid, ask, msc)
        if keep:
            self.ticks.setdefault(symbol, []).append(tick)
        return tick


@dataclass
class Books(plain_books.Books):
    """One account. archived: what the broker no longer shows."""

    password: str = "secret"
    archived: dict[int, TradeDeal] = field(default_factory=dict)
    archived_orders: dict[int, TradeOrder] = field(default_factory=dict)

    def cancel_deal(self, ticket: int) -> TradeDeal:
        """The broker takes a deal back: another type, its result becomes zero.

        The reference names a balance operation beside it; with both, the money would be taken
        twice, so the stand-in has none. Of positions it says nothing: volumes are kept as deals
        tell them, so that one goes that only this deal opened, and one that it closed is open.
        """
        old = self.deals[ticket]
        self._move(old, -1)
        kind = mt5.DEAL_TYPE_SELL_CANCELED if old.type else mt5.DEAL_TYPE_BUY_CANCELED
        new = old._replace(type=kind, profit=0.0, commission=0.0, swap=0.0, fee=0.0)
        self.deals[ticket] = new
        if old.entry == mt5.DEAL_ENTRY_OUT:
            self._reopen(old)
        elif self._opening(old.position_id) is None:
            self.positions.pop(old.position_id, None)
        return new

    def _opening(self, identifier: int) -> TradeDeal | None:
        """The first deal that opened a position and was not taken back."""
        trades = (mt5.DEAL_TYPE_BUY, mt5.DEAL_TYPE_SELL)
        return next(
            (
                deal
                for deal in (self.archived | self.deals).values()
                if deal.position_id == identifier
                and deal.entry == mt5.DEAL_ENTRY_IN
                and deal.type in trades
            ),
            None,
        )

    def _reopen(self, closing: TradeDeal) -> None:
        """What a deal closed is open again; a position that was gone, at its first price."""
        identifier = closing.position_id
        if held := self.positions.get(identifier):
            more = lots(held.volume + closing.volume)
            self.positions[identifier] = held._replace(volume=more)
        elif deal := self._opening(identifier):
            self.positions[identifier] = TradePosition(
                identifier, deal.time, deal.time_msc, deal.time, deal.time_msc, deal.type,
                deal.magic, identifier, deal.reason, closing.volume, deal.price, 0.0, 0.0,
                deal.price, 0.0, 0.0, deal.symbol, deal.comment, "",
            )  # fmt: skip

    def archive(self, before_msc: int, correction: bool = True) -> list[TradeDeal]:
        """The broker drops old history of positions that are closed; a correction of 0.00 stays."""
        old = [
            deal
            for deal in self.deals.values()
            if deal.time_msc < before_msc and deal.position_id not in self.positions
        ]
        for deal in old:
            self.archived[deal.ticket] = self.deals.pop(deal.ticket)
        for order in [*self.done_orders.values()]:
            if order.time_done_msc < before_msc and order.position_id not in self.positions:
                self.archived_orders[order.ticket] = self.done_orders.pop(order.ticket)
        if correction and old:
            self.operation(0.0, mt5.DEAL_TYPE_CORRECTION, "archived")
        return old

    def close_by(self, order: TradeOrder) -> list[TradeDeal]:
        """Two opposite positions end each other: two deals OUT_BY, the pair's result in the first.

        Each side closes at the other's opening price.
        https://www.mql5.com/en/book/automation/experts/experts_closeby
        """
        msc = self.market.clock.msc()
        pair = self.positions[order.position_id], self.positions[order.position_by_id]
        volume = order.volume_initial
        made = []
        for held, other in (pair, pair[::-1]):
            profit, swap = self._result(held, volume, other.price_open)
            rest = lots(held.volume - volume)
            if rest:
                self.positions[held.identifier] = held._replace(
                    volume=rest, swap=float(decimal(held.swap) - swap),
                    time_update=msc // 1000, time_update_msc=msc,
                )  # fmt: skip
            else:
                del self.positions[held.identifier]
            made.append(self.book(TradeDeal(
                self.number(), order.ticket, msc // 1000, msc, other.type, mt5.DEAL_ENTRY_OUT_BY,
                order.magic, held.identifier, order.reason, volume, other.price_open, 0.0,
                float(swap), 0.0 if made else float(profit), 0.0, held.symbol, order.comment, "",
            )))  # fmt: skip
        self.orders[order.ticket] = order._replace(volume_current=0.0)
        self.finish(order.ticket, mt5.ORDER_STATE_FILLED)
        return made

    def charge_swap(self, amount: float) -> None:
        """Rollover: each open position gets the same swap, booked when it closes."""
        for identifier, held in self.positions.items():
            swap = float(self.money(decimal(held.swap) + decimal(amount)))
            self.positions[identifier] = held._replace(swap=swap)


@dataclass
class Broker(plain_broker.Broker):
    """parts: shares of the volume of the next market orders, a deal each; what a share leaves of
    1 is cancelled.
    """

    parts: deque[tuple[float, ...]] = field(default_factory=deque)

    def open_account(self, login: int, deposit: float = 0, **more: object) -> Books:
        """A new account, with its first deposit."""
        self.accounts[login] = books = Books(self.market, login, **more)
        if deposit:
            books.operation(deposit, comment="initial deposit")
        return books

    # requests

    def check(self, books: Books, request: TradeRequest) -> int:
        """Return code that a request would get; 0: none against it."""
        if request.action == mt5.TRADE_ACTION_PENDING:
            return self._check_volume(request) or self._check_pending(books, request)
        if request.action == mt5.TRADE_ACTION_SLTP:
            return 0 if self._position(books, request) else mt5.TRADE_RETCODE_POSITION_CLOSED
        if request.action in (mt5.TRADE_ACTION_MODIFY, mt5.TRADE_ACTION_REMOVE):
            return 0 if request.order in books.orders else mt5.TRADE_RETCODE_INVALID_ORDER
        if request.action == mt5.TRADE_ACTION_CLOSE_BY:
            return self._check_close_by(books, request)
        return super().check(books, request)

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
        if request.action == mt5.TRADE_ACTION_DEAL and not self.parts:
            return super().send(books, request)
        if refused := self.check(books, request):
            return Answer(refused)
        done = Answer(mt5.TRADE_RETCODE_DONE)
        if request.action == mt5.TRADE_ACTION_DEAL:
            return self._fill_parts(books, books.place(self._order(books, request)))
        if request.action == mt5.TRADE_ACTION_PENDING:
            price = {"price_open": request.price, "price_current": request.price}
            order = books.place(self._order(books, request)._replace(
                price_stoplimit=request.stoplimit, **price
            ))  # fmt: skip
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

    def _protect(self, books: Books, request: TradeRequest) -> Answer:
        held = self._position(books, request)
        if (held.sl, held.tp) == (request.sl, request.tp):
            return Answer(mt5.TRADE_RETCODE_NO_CHANGES)
        msc = self.market.clock.msc()
        books.positions[held.identifier] = held._replace(
            sl=request.sl, tp=request.tp, time_update=msc // 1000, time_update_msc=msc
        )
        return Answer(mt5.TRADE_RETCODE_DONE)

    def _fill_parts(self, books: Books, order: TradeOrder) -> Answer:
        """A partly filled order whose rest was cancelled has the state CANCELED here: the reference
        doesn't say which.
        """
        step = self.market.symbols[order.symbol].volume_step
        price = self.market.price(order.symbol, side_of(order.type))
        deals = []
        for share in self.parts.popleft():
            left = books.orders[order.ticket].volume_current if order.ticket in books.orders else 0
            volume = min(lots(max(round(order.volume_initial * share / step), 1) * step), left)
            if volume:
                deals.append(books.fill(order.ticket, volume, price))
        if is_part := order.ticket in books.orders:
            books.finish(order.ticket, mt5.ORDER_STATE_CANCELED)
        return Answer(
            mt5.TRADE_RETCODE_DONE_PARTIAL if is_part else mt5.TRADE_RETCODE_DONE,
            deals[0].ticket, order.ticket, lots(sum(deal.volume for deal in deals)), price,
        )  # fmt: skip

    # prices

    def look(self, books: Books, symbol: str) -> None:
        """Waiting orders come before stops and margin."""
        self._look_at_orders(books, symbol)
        super().look(books, symbol)

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
