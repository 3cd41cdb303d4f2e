"""The demo's strategy: a fast mean of closes crosses a slow one; the stop is a mean range away."""

from decimal import Decimal

from rubi.bars.samples import Bar

# of the slow mean of ranges: wide, because the crossing ends most trades
STOP_RANGES = {"H1": 12, "D1": 6, "MN1": 2}


def find_stop(bars: list[Bar], index: int, side: str) -> Decimal:
    """Stop loss of a trade by the crossing at a bar, as many digits as its close has."""
    market, close = bars[index].market, bars[index].close
    latest = bars[index - market.slow + 1 : index + 1]
    mean = sum((bar.high - bar.low for bar in latest), Decimal(0)) / len(latest)
    distance = min(STOP_RANGES[market.timeframe] * mean, close / 2)
    return (close - distance if side == "BUY" else close + distance).quantize(close)


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
