"""The books of one account as an MT5 server keeps them: orders, deals, positions, balance.

The balance is the sum of what deals moved. Rules are those of MetaQuotes' pages "Deal properties",
"Position properties" and "Orders, positions and deals" (https://www.mql5.com/en/articles/211);
where they say nothing, a comment does.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal

from rubi.terminal import constants as mt5
from rubi.terminal.market import Market, decimal, rounded
from rubi.terminal.records import AccountInfo, TradeDeal, TradeOrder, TradePosition

BUYS = frozenset({
    mt5.ORDER_TYPE_BUY, mt5.ORDER_TYPE_BUY_LIMIT, mt5.ORDER_TYPE_BUY_STOP,
    mt5.ORDER_TYPE_BUY_STOP_LIMIT,
})  # fmt: skip
CREDITS = frozenset({mt5.DEAL_TYPE_CREDIT})


def lots(volume: float) -> float:
    """A volume without what floats add at its end: MT5 has 8 decimals."""
    return round(volume, 8)


def side_of(order_type: int) -> int:
    """What the fill of an order is: 0 a buy, 1 a sell."""
    return 0 if order_type in BUYS else 1


@dataclass
class Books:
    """One account. margin_mode: 0 netting, 2 hedging, as ENUM_ACCOUNT_MARGIN_MODE."""

    market: Market
    login: int
    server: str = "StandIn-Demo"
    margin_mode: int = mt5.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING
    currency: str = "USD"
    digits: int = 2
    leverage: int = 100
    name: str = "A. Trader"
    company: str = "Stand-in Ltd"
    so_call: float = 50.0
    so_so: float = 30.0
    limit_orders: int = 200
    commission: Decimal = Decimal(0)  # of a lot and deal, a charge is negative
    commissions: dict[str, Decimal] = field(default_factory=dict)  # of symbols that differ
    balance: Decimal = Decimal(0)
    credit: Decimal = Decimal(0)
    positions: dict[int, TradePosition] = field(default_factory=dict)  # by identifier
    orders: dict[int, TradeOrder] = field(default_factory=dict)  # that wait
    done_orders: dict[int, TradeOrder] = field(default_factory=dict)
    deals: dict[int, TradeDeal] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._numbers = random.Random(self.login)
        self._last = self._numbers.randrange(10**6, 10**8)

    def number(self) -> int:
        """The next ticket: a server counts for all its accounts, so one account sees gaps."""
        self._last += self._numbers.randrange(1, 4)
        return self._last

    def money(self, amount: Decimal) -> Decimal:
        """In the digits of the account's currency."""
        return rounded(amount, self.digits)

    def is_hedging(self) -> bool:
        """Whether a symbol can have several positions."""
        return self.margin_mode == mt5.ACCOUNT_MARGIN_MODE_RETAIL_HEDGING

    # deals

    def book(self, deal: TradeDeal) -> TradeDeal:
        """Write a deal down and move the money."""
        self.deals[deal.ticket] = deal
        self._move(deal, 1)
        return deal

    def _move(self, deal: TradeDeal, sign: int) -> None:
        amount = sum(map(decimal, (deal.profit, deal.commission, deal.swap, deal.fee)), Decimal(0))
        if deal.type in CREDITS:
            self.credit += sign * amount
        else:
            self.balance += sign * amount

    def operation(
        self, amount: float, kind: int = mt5.DEAL_TYPE_BALANCE, comment: str = ""
    ) -> TradeDeal:
        """A deal that moves money only: no order, no position, no symbol."""
        msc = self.market.clock.msc()
        return self.book(TradeDeal(
            self.number(), 0, msc // 1000, msc, kind, mt5.DEAL_ENTRY_IN, 0, 0,
            mt5.DEAL_REASON_CLIENT, 0.0, 0.0, 0.0, 0.0, float(amount), 0.0, "", comment, "",
        ))  # fmt: skip

    # orders

    def place(self, order: TradeOrder) -> TradeOrder:
        self.orders[order.ticket] = order
        return order

    def finish(self, ticket: int, state: int, comment: str | None = None) -> TradeOrder:
        msc = self.market.clock.msc()
        order = self.orders.pop(ticket)
        self.done_orders[ticket] = order = order._replace(
            state=state, time_done=msc // 1000, time_done_msc=msc,
            comment=order.comment if comment is None else comment,
        )  # fmt: skip
        return order

    def fill(self, ticket: int, volume: float, price: float, comment: str = "") -> TradeDeal:
        """A part of a waiting order is filled, or the rest of it."""
        order = self.orders[ticket]
        held = self._counterpart(order)
        side = side_of(order.type)
        if held is None:
            entry, profit, swap = mt5.DEAL_ENTRY_IN, Decimal(0), Decimal(0)
            identifier = self._open(order, volume, price)
        else:
            identifier = held.identifier
            entry, profit, swap = self._change(held, order, side, volume, price)
        left = lots(order.volume_current - volume)
        state = mt5.ORDER_STATE_PARTIAL if left else mt5.ORDER_STATE_FILLED
        self.orders[ticket] = order._replace(
            volume_current=left, state=state, position_id=identifier, price_current=price
        )
        if not left:
            self.finish(ticket, state)
        rate = self.commissions.get(order.symbol, self.commission)
        msc = self.market.clock.msc()
        return self.book(TradeDeal(
            self.number(), ticket, msc // 1000, msc, side, entry, order.magic, identifier,
            order.reason, volume, price, float(self.money(rate * decimal(volume))), float(swap),
            float(profit), 0.0, order.symbol, comment or order.comment, "",
        ))  # fmt: skip

    def _counterpart(self, order: TradeOrder) -> TradePosition | None:
        """The position that a fill of the order changes."""
        if self.is_hedging():
            # a second fill of one order makes the position that its first fill opened larger
            return self.positions.get(order.position_id or order.ticket)
        return next((p for p in self.positions.values() if p.symbol == order.symbol), None)

    def _open(self, order: TradeOrder, volume: float, price: float) -> int:
        msc = self.market.clock.msc()
        self.positions[order.ticket] = TradePosition(
            order.ticket, msc // 1000, msc, msc // 1000, msc, side_of(order.type), order.magic,
            order.ticket, order.reason, lots(volume), price, order.sl, order.tp, price, 0.0, 0.0,
            order.symbol, order.comment, "",
        )  # fmt: skip
        return order.ticket

    def _change(
        self, held: TradePosition, order: TradeOrder, side: int, volume: float, price: float
    ) -> tuple[int, Decimal, Decimal]:
        """A fill meets a position: more, less, none, or turned; answers entry, profit, swap."""
        msc = self.market.clock.msc()
        touched = held._replace(time_update=msc // 1000, time_update_msc=msc)
        if side == held.type:
            total = lots(held.volume + volume)
            mean = (held.price_open * held.volume + price * volume) / total
            self.positions[held.identifier] = touched._replace(
                volume=total, price_open=round(mean, 8), sl=order.sl or held.sl,
                tp=order.tp or held.tp,
            )  # fmt: skip
            return mt5.DEAL_ENTRY_IN, Decimal(0), Decimal(0)
        closed = min(volume, held.volume)
        profit, swap = self._result(held, closed, price)
        rest = lots(held.volume - closed)
        if rest:
            self.positions[held.identifier] = touched._replace(
                volume=rest, swap=float(decimal(held.swap) - swap)
            )
        elif turned := lots(volume - closed):
            # the identifier stays, the ticket becomes the order's that turned it
            self.positions[held.identifier] = touched._replace(
                ticket=order.ticket, time=msc // 1000, time_msc=msc, type=side, volume=turned,
                price_open=price, sl=order.sl, tp=order.tp, swap=0.0, magic=order.magic,
                comment=order.comment, reason=order.reason,
            )  # fmt: skip
            return mt5.DEAL_ENTRY_INOUT, profit, swap
        else:
            del self.positions[held.identifier]
        return mt5.DEAL_ENTRY_OUT, profit, swap

    def _result(self, held: TradePosition, volume: float, price: float) -> tuple[Decimal, Decimal]:
        """Profit and swap of a part of a position; the swap in proportion."""
        profit = self.money(
            self.market.profit(held.symbol, held.type, volume, held.price_open, price)
        )
        share = decimal(volume) / decimal(held.volume)
        return profit, self.money(decimal(held.swap) * share)

    # what the terminal shows

    def shown_positions(self) -> Iterator[TradePosition]:
        for held in self.positions.values():
            price = self.market.price(held.symbol, 1 - held.type)
            profit = self.market.profit(held.symbol, held.type, held.volume, held.price_open, price)
            yield held._replace(price_current=price, profit=float(self.money(profit)))

    def shown_orders(self) -> Iterator[TradeOrder]:
        return iter(self.orders.values())

    def shown_deals(self) -> list[TradeDeal]:
        return sorted(self.deals.values(), key=lambda deal: (deal.time_msc, deal.ticket))

    def shown_done_orders(self) -> list[TradeOrder]:
        return sorted(self.done_orders.values(), key=lambda o: (o.time_done_msc, o.ticket))

    def margin(self) -> Decimal:
        return self.money(sum(
            (
                self.market.margin(p.symbol, p.volume, p.price_open, self.leverage)
                for p in self.positions.values()
            ), Decimal(0),
        ))  # fmt: skip

    def account(self) -> AccountInfo:
        """account_info: equity is balance, credit and what positions would bring, swaps too."""
        floating = sum(
            (decimal(p.profit) + decimal(p.swap) for p in self.shown_positions()), Decimal(0)
        )
        equity, margin = self.balance + self.credit + floating, self.margin()
        level = float(equity / margin * 100) if margin else 0.0
        return AccountInfo(
            self.login, mt5.ACCOUNT_TRADE_MODE_DEMO, self.leverage, self.limit_orders,
            mt5.ACCOUNT_STOPOUT_MODE_PERCENT, True, True, self.margin_mode, self.digits, False,
            float(self.balance), float(self.credit), float(floating), float(equity), float(margin),
            float(equity - margin), level, self.so_call, self.so_so, 0.0, 0.0, 0.0, 0.0, 0.0,
            self.name, self.server, self.currency, self.company,
        )  # fmt: skip
