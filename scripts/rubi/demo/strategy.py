"""The demo's strategy: a fast mean of closes crosses a slow one."""

from __future__ import annotations

from decimal import Decimal

from rubi.bars.samples import Bar


def crossovers(bars: list[Bar]) -> dict[int, tuple[str, Decimal, Decimal]]:
    """Bars at whose close the fast mean crosses the slow one: index to side and both means."""
    market = bars[0].market
    closes = [bar.close for bar in bars]
    fast = slow = Decimal(0)
    result = {}
    above = None
    for index, close in enumerate(closes):
        fast += close - (closes[index - market.fast] if index >= market.fast else 0)
        slow += close - (closes[index - market.slow] if index >= market.slow else 0)
        if index < market.slow - 1:
            continue
        means = fast / market.fast, slow / market.slow
        if above is not None and (means[0] > means[1]) != above:
            result[index] = ("BUY" if means[0] > means[1] else "SELL", *means)
        above = means[0] > means[1]
    return result
