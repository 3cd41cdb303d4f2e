"""Symbols, bars and ticks as the package hands them over."""

from collections.abc import Callable
from typing import Any

from rubi.terminal import constants as mt5
from rubi.terminal.connection import Connection, in_group, seconds
from rubi.terminal.records import RATE, TICK, SymbolInfo, Tick

TRADES = mt5.TICK_FLAG_LAST | mt5.TICK_FLAG_VOLUME
QUOTES = mt5.TICK_FLAG_BID | mt5.TICK_FLAG_ASK
WANTED = {mt5.COPY_TICKS_ALL: -1, mt5.COPY_TICKS_INFO: QUOTES, mt5.COPY_TICKS_TRADE: TRADES}


class Prices(Connection):
    def symbols_total(self) -> int | None:
        return self.answer(lambda: len(self.market.symbols))

    def symbols_get(self, group: str | None = None) -> tuple[SymbolInfo, ...] | None:
        """Symbols that masks leave."""
        return self.answer(lambda: tuple(
            self.market.info(name) for name in self.market.symbols if in_group(name, group)
        ))  # fmt: skip

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

    def symbol_select(self, symbol: str, enable: bool = True, /) -> bool:
        """Show a symbol in Market Watch."""
        return bool(self.known(symbol, lambda: True))

    def _rates(self, symbol: str, timeframe: int, choose: Callable[[list[tuple]], list]) -> Any:
        """Bars, of those that the terminal keeps on its charts: the latest `maxbars`."""

        def work() -> Any:
            import numpy

            bars = self.market.bars.get((symbol, timeframe), [])
            return numpy.array(choose(bars[-self.maxbars :]), dtype=RATE)

        return self.known(symbol, work)

    def _counted(self, count: int) -> int:
        """Raises ValueError where more bars are asked for than the terminal keeps."""
        if not 0 < count <= self.maxbars:
            raise ValueError
        return count

    def copy_rates_range(self, symbol: str, timeframe: int, first: Any, last: Any, /) -> Any:
        """Bars that open between two dates, both included."""
        return self._rates(symbol, timeframe, lambda bars: [
            bar for bar in bars if seconds(first) <= bar[0] <= seconds(last)
        ])  # fmt: skip

    def copy_rates_from(self, symbol: str, timeframe: int, until: Any, count: int, /) -> Any:
        """The last bars that open up to a date."""
        return self._rates(symbol, timeframe, lambda bars: [
            bar for bar in bars if bar[0] <= seconds(until)
        ][-self._counted(count) :])  # fmt: skip

    def copy_rates_from_pos(self, symbol: str, timeframe: int, start: int, count: int, /) -> Any:
        """Bars counted back from the present one, 0."""
        return self._rates(
            symbol, timeframe,
            lambda bars: bars[: len(bars) - start][-self._counted(count) :],
        )  # fmt: skip

    def _ticks(self, symbol: str, flags: int, choose: Callable[[], list[Tick]]) -> Any:
        def work() -> Any:
            import numpy

            return numpy.array([t for t in choose() if t.flags & WANTED[flags]], dtype=TICK)

        return self.known(symbol, work)

    def copy_ticks_range(self, symbol: str, first: Any, last: Any, flags: int, /) -> Any:
        """Ticks between two dates, both included."""
        return self._ticks(symbol, flags, lambda: [
            tick for tick in self.market.ticks_from(symbol, seconds(first) * 1000)
            if tick.time_msc <= seconds(last) * 1000
        ])  # fmt: skip

    def copy_ticks_from(self, symbol: str, first: Any, count: int, flags: int, /) -> Any:
        """The first ticks from a date on."""
        return self._ticks(symbol, flags, lambda: self.market.ticks_from(
            symbol, seconds(first) * 1000
        )[:count])  # fmt: skip

    def market_book_add(self, symbol: str, /) -> bool:
        """The stand-in has no depth of market."""
        return bool(self.known(symbol, lambda: self.fail(mt5.RES_E_UNSUPPORTED)))

    market_book_release = market_book_get = market_book_add
