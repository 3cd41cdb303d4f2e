"""Symbols and quotes of a broker, and the clock of its server."""

import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

from rubi.terminal import constants as mt5
from rubi.terminal.records import TEXTS, SymbolInfo, Tick


class Clock:
    """The server's clock: what MT5 stores as if it were UTC, in milliseconds.

    Most brokers run New York time and seven hours. The clock follows the machine's until `at` or
    `set` stops it at a moment, which `advance` moves.
    """

    def __init__(
        self, zone: str = "America/New_York", shift: float = 7, at: datetime | None = None
    ) -> None:
        self.stopped_at = at
        self.change(zone, shift)

    def change(self, zone: str, shift: float = 0) -> None:
        """The broker moves its server to another rule: a zone and hours beside it."""
        self.zone, self.shift = ZoneInfo(zone), timedelta(hours=shift)

    def set(self, at: datetime | None) -> None:
        """Stop at a moment; None: follow the machine again."""
        self.stopped_at = at

    def advance(self, seconds: float) -> None:
        """Move a stopped clock; one that runs stays."""
        if self.stopped_at:
            self.stopped_at += timedelta(seconds=seconds)

    def now(self) -> datetime:
        return self.stopped_at or datetime.fromtimestamp(time.time(), UTC)

    def msc(self, at: datetime | None = None) -> int:
        """Milliseconds on the server's clock, now or at a moment."""
        local = (at or self.now()).astimezone(self.zone).replace(tzinfo=UTC) + self.shift
        return (local - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def decimal(value: float) -> Decimal:
    """A float as it is written."""
    return Decimal(repr(float(value)))


def rounded(value: Decimal, digits: int) -> Decimal:
    """Half away from zero, as money is rounded."""
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


def symbol_info(name: str, digits: int, contract: float, **more: Any) -> SymbolInfo:
    """A symbol; what is not given is empty, or as it is at a dealer of currencies."""
    point = round(10.0**-digits, digits)
    known = {
        "name": name, "digits": digits, "point": point, "trade_tick_size": point,
        "trade_contract_size": float(contract), "spread_float": True, "select": True,
        "visible": True, "custom": False, "margin_hedged_use_leg": False,
        "trade_mode": mt5.SYMBOL_TRADE_MODE_FULL,
        "trade_exemode": mt5.SYMBOL_TRADE_EXECUTION_MARKET, "expiration_mode": 15,
        "filling_mode": 3, "order_mode": 127, "swap_mode": 1, "swap_rollover3days": 3,
        "volume_min": 0.01, "volume_max": 500.0, "volume_step": 0.01,
        "margin_hedged": float(contract), "currency_base": name[:3],
        "currency_profit": name[3:6] or "USD", "currency_margin": name[:3], "path": name,
    }  # fmt: skip
    empty = {f: "" if f in TEXTS else 0 for f in SymbolInfo._fields}
    return SymbolInfo(**(empty | known | more))


@dataclass
class Market:
    """What the server quotes. Profits are in the account's currency: no rate is between."""

    clock: Clock
    symbols: dict[str, SymbolInfo] = field(default_factory=dict)
    last: dict[str, Tick] = field(default_factory=dict)

    def add(self, name: str, digits: int = 5, contract: float = 100_000, **more: Any) -> None:
        self.symbols[name] = symbol_info(name, digits, contract, **more)

    def quote(
        self, symbol: str, bid: float, ask: float | None = None, msc: int | None = None
    ) -> Tick:
        """A new price."""
        msc = self.clock.msc() if msc is None else msc
        self.last[symbol] = tick = Tick(
            msc // 1000, float(bid), float(bid if ask is None else ask), 0.0, 0, msc,
            mt5.TICK_FLAG_BID | mt5.TICK_FLAG_ASK, 0.0,
        )  # fmt: skip
        return tick

    def info(self, symbol: str) -> SymbolInfo | None:
        """symbol_info with the latest price."""
        info, tick = self.symbols.get(symbol), self.last.get(symbol)
        if info and tick:
            spread = round((tick.ask - tick.bid) / info.point)
            value = info.trade_contract_size * info.point
            return info._replace(
                time=tick.time, bid=tick.bid, ask=tick.ask, spread=spread,
                trade_tick_value=value, trade_tick_value_profit=value, trade_tick_value_loss=value,
            )  # fmt: skip
        return info

    def profit(
        self, symbol: str, side: int, volume: float, opened: float, closed: float
    ) -> Decimal:
        """(closed - opened) * volume * contract for a buy, in account currency, unrounded.

        https://www.mql5.com/en/docs/trading/ordercalcprofit: the formula of forex and CFD symbols.
        """
        info = self.symbols[symbol]
        move = decimal(closed) - decimal(opened)
        units = decimal(volume) * decimal(info.trade_contract_size)
        return (-move if side else move) * units

    def margin(self, symbol: str, volume: float, price: float, leverage: int) -> Decimal:
        """volume * contract * price / leverage, unrounded: as SYMBOL_CALC_MODE_CFDLEVERAGE.

        Simple: positions against each other in one symbol are not netted, and rates of margin,
        which MT5 has by symbol and kind of order, are 1.
        """
        info = self.symbols[symbol]
        units = decimal(volume) * decimal(info.trade_contract_size)
        return units * decimal(price) / leverage

    def price(self, symbol: str, side: int) -> float:
        """What a buy (0) or a sell (1) pays now."""
        tick = self.last[symbol]
        return tick.bid if side else tick.ask
