"""Trading histories as a terminal would report them, made from a seed; the truth stays beside.

An independent reading of the rules: positions, lists, balances and results are followed here deal
by deal, in plain loops, and compared with what the database makes of the report.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

START = 1_735_776_000  # Thursday, 2 January 2025 00:00 on the server's clock
SYMBOLS = {"EURUSD": "1.08", "GBPUSD.m": "1.26", "XAUUSD": "2650", "US500.cash": "5900"}


def rounded(value: Decimal, digits: int) -> Decimal:
    return value.quantize(Decimal(1).scaleb(-digits), ROUND_HALF_UP)


@dataclass
class History:
    """Lists of a report; every deal of a trade knows its position under `truth`."""

    hedging: bool
    digits: int
    deals: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    positions: list[dict[str, Any]] = field(default_factory=list)
    open: list[dict[str, Any]] = field(default_factory=list)
    opening: Decimal = Decimal(0)


class Broker:
    """Fills orders at random prices, and books what an MT5 server would."""

    def __init__(self, seed: int, hedging: bool, digits: int = 2) -> None:
        self.random = random.Random(seed)
        self.history = History(hedging, digits)
        self.now = START
        self.ticket = self.random.randrange(10**6, 10**9)
        self.balance = Decimal(0)
        self.held: dict[int, dict[str, Any]] = {}
        self.commission = self.random.choice([Decimal(0), Decimal("-0.35"), Decimal("-3")])

    def number(self) -> int:
        self.ticket += self.random.randrange(1, 4)
        return self.ticket

    def money(self, value: Decimal | float) -> Decimal:
        return rounded(Decimal(str(value)), self.history.digits)

    def price(self, symbol: str) -> Decimal:
        base = Decimal(SYMBOLS[symbol])
        return rounded(base * Decimal(str(self.random.uniform(0.99, 1.01))), 5 if base < 9 else 2)

    def book(self, **deal: Any) -> dict[str, Any]:
        """Append a deal and its balance."""
        row = {
            "time": self.now, "ticket": self.number(), "symbol": "", "type": "balance",
            "entry": "", "volume": Decimal(0), "price": Decimal(0), "order": 0,
            "commission": Decimal(0), "fee": Decimal(0), "swap": Decimal(0), "profit": Decimal(0),
            "comment": "", "truth": None,
        } | deal  # fmt: skip
        if row["type"] != "credit":
            self.balance += row["profit"] + row["commission"] + row["fee"] + row["swap"]
        row["balance"] = self.balance
        self.history.deals.append(row)
        return row

    def order(self, symbol: str, kind: str, volume: Decimal, **fields: Any) -> int:
        """Append an order that is done; answers its ticket."""
        row = {
            "time_setup": self.now, "ticket": self.number(), "symbol": symbol, "type": kind,
            "asked": volume, "filled": volume, "price": None, "sl": None, "tp": None,
            "time_done": self.now, "state": "filled", "comment": "",
        } | fields  # fmt: skip
        self.history.orders.append(row)
        return row["ticket"]

    def fill(
        self, symbol: str, side: str, entry: str, volume: Decimal, price: Decimal,
        truth: int | None, order: int, profit: Decimal = Decimal(0),
    ) -> dict[str, Any]:  # fmt: skip
        swap = self.random.choice([Decimal(0), Decimal("-0.12")]) if entry != "in" else Decimal(0)
        return self.book(
            symbol=symbol, type=side, entry=entry, volume=volume, price=price, order=order,
            commission=self.money(self.commission * volume), swap=self.money(swap), profit=profit,
            truth=truth or order, comment=self.random.choice(["", "[sl 1.05]", "EA; one, two"]),
        )  # fmt: skip

    def open_one(self, symbol: str | None = None, volume: Decimal | None = None) -> int:
        """Open a position of its own, or in netting where the symbol is flat."""
        symbol = symbol or self.random.choice(list(SYMBOLS))
        volume = volume or Decimal(self.random.randrange(1, 9)) / 10
        side = self.random.choice(["buy", "sell"])
        order = self.order(symbol, side, volume, tp=self.price(symbol))
        price = self.price(symbol)
        deal = self.fill(symbol, side, "in", volume, price, None, order)
        self.held[order] = {
            "ticket": order, "symbol": symbol, "type": side, "left": volume, "opened": volume,
            "price": price, "time": self.now, "closed": [], "commission": deal["commission"],
        }  # fmt: skip
        return order

    def close(self, ticket: int, volume: Decimal | None = None, entry: str = "out",
              order: int = 0, price: Decimal | None = None) -> None:  # fmt: skip
        """Close a position, or a part of it."""
        held = self.held[ticket]
        volume = min(volume or held["left"], held["left"])
        side = "sell" if held["type"] == "buy" else "buy"
        price = price or self.price(held["symbol"])
        order = order or self.order(held["symbol"], side, volume)
        sign = 1 if held["type"] == "buy" else -1
        size = 100000 if price < 9 else 1
        profit = self.money(sign * (price - held["price"]) * volume * size)
        deal = self.fill(held["symbol"], side, entry, volume, price, ticket, order, profit)
        held["left"] -= volume
        held["closed"].append(deal)
        held["commission"] += deal["commission"]
        if not held["left"]:
            self.list_closed(self.held.pop(ticket))

    def close_by(self, one: int, other: int) -> None:
        """Close a position by an opposite one of the same symbol."""
        volume = min(self.held[one]["left"], self.held[other]["left"])
        order = self.order(self.held[one]["symbol"], "close by", volume)
        price = self.held[other]["price"]
        for ticket in (one, other):
            self.close(ticket, volume, "out by", order, price)

    def add(self, ticket: int, volume: Decimal) -> None:
        """Netting: more on the same side."""
        held = self.held[ticket]
        order = self.order(held["symbol"], held["type"], volume)
        deal = self.fill(held["symbol"], held["type"], "in", volume, self.price(held["symbol"]),
                         ticket, order)  # fmt: skip
        held["left"] += volume
        held["commission"] += deal["commission"]

    def reverse(self, ticket: int) -> None:
        """Netting: close and open the other side by one deal; the position stays the same."""
        held = self.held[ticket]
        volume = held["left"] + Decimal("0.3")
        side = "sell" if held["type"] == "buy" else "buy"
        order = self.order(held["symbol"], side, volume)
        deal = self.fill(held["symbol"], side, "in/out", volume, self.price(held["symbol"]), ticket,
                         order, self.money(self.random.uniform(-50, 50)))  # fmt: skip
        held.update(type=side, left=Decimal("0.3"))
        held["closed"].append(deal)
        held["commission"] += deal["commission"]

    def list_closed(self, held: dict[str, Any]) -> None:
        """A row of the list of positions."""
        closed = held["closed"]
        volume = sum(deal["volume"] for deal in closed)
        mean = sum(deal["price"] * deal["volume"] for deal in closed) / volume
        price = closed[0]["price"] if len(closed) == 1 else rounded(mean, 5 if mean < 9 else 2)
        self.history.positions.append({
            "time": held["time"], "ticket": held["ticket"], "symbol": held["symbol"],
            "type": held["type"], "volume": volume, "price": held["price"], "sl": None, "tp": None,
            "time_close": closed[-1]["time"], "price_close": price,
            "commission": held["commission"], "swap": sum(deal["swap"] for deal in closed),
            "profit": sum(deal["profit"] for deal in closed),
        })  # fmt: skip


def act_hedging(broker: Broker) -> None:
    """One thing that a trader does on a hedging account."""
    rand, held = broker.random, list(broker.held)
    what = rand.random()
    if not held or what < 0.4:
        broker.open_one()
    elif what < 0.5:  # twins: two positions that differ in nothing but their tickets
        symbol = rand.choice(list(SYMBOLS))
        price = broker.price(symbol)
        for _ in range(2):
            broker.open_one(symbol, Decimal("0.2"))
        twins = list(broker.held)[-2:]
        if broker.held[twins[0]]["type"] == broker.held[twins[1]]["type"]:
            broker.now += rand.randrange(60, 9000)
            for ticket in twins:
                broker.close(ticket, price=price)
    elif what < 0.6:
        ticket = rand.choice(held)
        broker.close(ticket, broker.held[ticket]["left"] / 2)
    elif what < 0.65:
        one = rand.choice(held)
        for other in held:
            if (broker.held[other]["symbol"] == broker.held[one]["symbol"]
                    and broker.held[other]["type"] != broker.held[one]["type"]):  # fmt: skip
                broker.close_by(one, other)
                break
    else:
        broker.close(rand.choice(held))


def act_netting(broker: Broker) -> None:
    """One thing that a trader does on a netting account."""
    rand = broker.random
    symbol = rand.choice(list(SYMBOLS))
    ticket = next((key for key, row in broker.held.items() if row["symbol"] == symbol), 0)
    what = rand.random()
    if not ticket:
        broker.open_one(symbol)
    elif what < 0.3:
        broker.add(ticket, Decimal("0.2"))
    elif what < 0.5:
        broker.close(ticket, broker.held[ticket]["left"] / 2)
    elif what < 0.6:
        broker.reverse(ticket)
    else:
        broker.close(ticket)


def make(seed: int, hedging: bool = True, actions: int = 40, digits: int = 2) -> History:
    """A history of so many actions, with deposits, a withdrawal, and cancelled orders."""
    broker = Broker(seed, hedging, digits)
    broker.book(profit=Decimal(10000), comment="Initial deposit")
    for number in range(actions):
        broker.now += broker.random.choice([0, 1, 60, 3600, 86400])
        (act_hedging if hedging else act_netting)(broker)
        if number % 11 == 5:
            broker.book(profit=broker.money(broker.random.choice([500, -100])), comment="transfer")
        if number % 7 == 3:
            broker.order("EURUSD", "buy limit", Decimal("0.1"), filled=Decimal(0),
                         price=Decimal("1.01"), state="canceled")  # fmt: skip
    history = broker.history
    history.open = list(broker.held.values())
    return history


def cut(history: History, share: float) -> History:
    """The same history in a report that begins later: what was opened before is missing."""
    begin = history.deals[int(len(history.deals) * share)]["time"]
    kept = [deal for deal in history.deals if deal["time"] >= begin]
    first = kept[0]
    return History(
        history.hedging, history.digits, kept,
        [row for row in history.orders if row["time_done"] >= begin],
        [row for row in history.positions if row["time_close"] >= begin], history.open,
        first["balance"] - first["profit"] - first["commission"] - first["fee"] - first["swap"],
    )  # fmt: skip
