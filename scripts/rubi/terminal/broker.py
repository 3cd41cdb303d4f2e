"""A trade server: takes requests of order_send, fills orders, lets stops and margin work.

Return codes are those of https://www.mql5.com/en/docs/constants/errorswarnings/enum_trade_return_codes
"""

from dataclasses import dataclass, field

from rubi.terminal import constants as mt5
from rubi.terminal.books import Books, lots, side_of
from rubi.terminal.market import Market
from rubi.terminal.records import TradeDeal, TradeOrder, TradePosition, TradeRequest


@dataclass
class Answer:
    retcode: int
    deal: int = 0
    order: int = 0
    volume: float = 0.0
    price: float = 0.0


@dataclass
class Broker:
    market: Market
    accounts: dict[int, Books] = field(default_factory=dict)

    # requests

    def check(self, books: Books, request: TradeRequest) -> int:
        """Return code that a request would get; 0: none against it."""
        if request.action != mt5.TRADE_ACTION_DEAL:
            return mt5.TRADE_RETCODE_INVALID
        return self._check_volume(request) or self._check_deal(books, request)

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
        price = self.market.price(request.symbol, request.type)
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

    def send(self, books: Books, request: TradeRequest) -> Answer:
        """Carry a request out, at the present price."""
        if refused := self.check(books, request):
            return Answer(refused)
        order = books.place(self._order(books, request))
        deal = self.fill(books, order)
        return Answer(mt5.TRADE_RETCODE_DONE, deal.ticket, order.ticket, deal.volume, deal.price)

    def _order(
        self, books: Books, request: TradeRequest, reason: int = mt5.ORDER_REASON_EXPERT
    ) -> TradeOrder:
        msc = self.market.clock.msc()
        return TradeOrder(
            books.number(), msc // 1000, msc, 0, 0, request.expiration, request.type,
            request.type_time, request.type_filling, mt5.ORDER_STATE_PLACED, request.magic,
            request.position, 0, reason, lots(request.volume), lots(request.volume), 0.0,
            request.sl, request.tp, 0.0, 0.0, request.symbol, request.comment, "",
        )  # fmt: skip

    def fill(self, books: Books, order: TradeOrder, comment: str = "") -> TradeDeal:
        """Fill an order at the present price."""
        price = self.market.price(order.symbol, side_of(order.type))
        return books.fill(order.ticket, order.volume_current, price, comment)

    # prices

    def quote(self, symbol: str, bid: float, ask: float | None = None) -> None:
        """A new price: stops, targets and margin of all accounts look at it."""
        self.market.quote(symbol, bid, ask)
        for books in self.accounts.values():
            self.look(books, symbol)

    def look(self, books: Books, symbol: str) -> None:
        """What a new price of a symbol does to an account."""
        self._look_at_stops(books, symbol)
        self.look_at_margin(books)

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
        return self.fill(books, order, comment)
