"""Bars as a maker would write them, and what of them is stored."""

from __future__ import annotations

import random
from decimal import Decimal
from pathlib import Path

import psycopg

from bar_makers import Bar, Maker


def generated(maker: Maker, count: int = 40, seed: int = 1) -> list[Bar]:
    """Bars a step apart with a hole, negative prices and prices of 8 decimals among them."""
    chance = random.Random(seed)
    made, at = [], maker.since
    for n in range(count):
        places = chance.choice((2, 5, 8))
        prices = sorted(round(Decimal(chance.uniform(1, 9)), places) for _ in range(4))
        if n % 9 == 8:
            prices = [price - 10 for price in prices]
        middle = prices[1:3]
        chance.shuffle(middle)
        volume = Decimal(chance.randrange(10**9))
        if maker.parts:
            volume += Decimal(chance.randrange(10**8)).scaleb(-8)
        made.append(
            Bar(at, middle[0], prices[3], prices[0], middle[1], volume, chance.randrange(500))
        )
        at += maker.step * (3 if n == 5 else 1)
    return made


def write(folder: Path, maker: Maker, lines: list[str]) -> Path:
    path = folder / maker.name
    path.write_text("\n".join(lines) + "\n", newline="")
    return path


def stored(market: psycopg.Connection) -> list[tuple]:
    return market.execute(
        "SELECT timestamp, open, high, low, close, volume, real_volume FROM market_data"
        " ORDER BY timestamp"
    ).fetchall()
