"""Made-up histories of deals, and what they say by a plain walk: written without the SQL."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, localcontext
from typing import Any
from zoneinfo import ZoneInfo

import mt5
from mt5 import BUY, IN, INOUT, OUT, OUT_BY, SELL

D = Decimal
ZERO = D(0)
UNIT = D("0.00000001")
MONEY = ("profit", "commission", "swap", "fee")
CREDITS = (3, 20)
CANCELLED = (13, 14)
# the clocks of Europe and New York go back, a year ends, the clocks go forward
STARTS = ("2026-10-20 00:00", "2025-12-20 00:00", "2026-03-01 00:00")


@dataclass(frozen=True)
class Clock:
    """A server's clock: so many hours ahead of a zone."""

    zone: str = "America/New_York"
    hours: int = 7

    def __str__(self) -> str:
        return f"{self.zone}{self.hours:+}" if self.hours else self.zone

    def utc(self, msc: int) -> datetime:
        """Of an hour that the clock shows twice the later one."""
        shown = datetime(1970, 1, 1) + timedelta(milliseconds=msc) - timedelta(hours=self.hours)
        return shown.replace(tzinfo=ZoneInfo(self.zone), fold=1).astimezone(UTC)

    def shows(self, msc: int) -> bool:
        """Not within the hour that the clock leaves out."""
        back = self.utc(msc).astimezone(ZoneInfo(self.zone)).replace(tzinfo=UTC)
        return back.timestamp() + self.hours * 3600 == msc / 1000


CLOCKS = (
    Clock(), Clock("Europe/Athens", 0), Clock("UTC", 3), Clock("Australia/Sydney", 0),
    Clock("Atlantic/Azores", 0),
)  # fmt: skip


def money_of(deal: dict) -> Decimal:
    return sum((D(str(deal[name])) for name in MONEY), ZERO)


def walk_order(deal: dict) -> tuple[int, int]:
    return deal["time_msc"], deal["ticket"]


@dataclass
class Leg:
    """A round trip."""

    position: int
    number: int
    side: str | None = None
    opened: Decimal = ZERO
    closed: Decimal = ZERO
    opened_worth: Decimal = ZERO
    closed_worth: Decimal = ZERO
    parts: dict[str, Decimal] = field(default_factory=lambda: dict.fromkeys(MONEY, ZERO))
    opened_at: datetime | None = None
    last_at: datetime | None = None
    magic: int | None = None
    clock: Clock = CLOCKS[0]
    symbol: str = ""

    def add(self, deal: dict, closes: Decimal | None = None, *, rest: bool = False) -> None:
        """The deal's money; of a reversal that closes so much its part, or the rest."""
        for name in MONEY:
            amount = D(str(deal[name]))
            if closes is not None and name in ("commission", "fee"):
                part = amount * closes / D(str(deal["volume"]))
                part = part.quantize(UNIT, ROUND_HALF_UP)
                amount = amount - part if rest else part
            elif rest:
                amount = ZERO
            self.parts[name] += amount

    def open(self, deal: dict, volume: Decimal) -> None:
        if self.opened_at is None:
            self.opened_at, self.magic = self.clock.utc(deal["time_msc"]), deal["magic"]
        self.side = "BUY" if deal["type"] == BUY else "SELL"
        self.symbol = deal["symbol"]
        self.opened += volume
        self.opened_worth += volume * D(str(deal["price"]))

    def close(self, deal: dict, volume: Decimal) -> None:
        self.closed += volume
        self.closed_worth += volume * D(str(deal["price"]))
        self.last_at = self.clock.utc(deal["time_msc"])

    @property
    def net(self) -> Decimal:
        return sum(self.parts.values(), ZERO)

    @property
    def closed_at(self) -> datetime | None:
        return self.last_at if self.closed and self.closed >= self.opened else None


def legs_of(deals: list[dict], clock: Clock = CLOCKS[0]) -> list[Leg]:
    """Round trips of all positions, by their deals in MT5's order."""
    found: list[Leg] = []
    with localcontext() as context:
        context.prec = 60
        for position in sorted({d["position_id"] for d in deals if d["position_id"]}):
            legs = [Leg(position, 1, clock=clock)]
            net = ZERO
            for deal in sorted(deals, key=walk_order):
                if deal["position_id"] != position or deal["type"] in (*CREDITS, *CANCELLED):
                    continue
                volume = D(str(deal["volume"]))
                signed = volume if deal["type"] == BUY else -volume
                if deal["type"] not in (BUY, SELL) or deal["reason"] in (7, 8, 9, 10):
                    legs[-1].add(deal)
                    continue
                if deal["entry"] == INOUT:
                    legs[-1].close(deal, abs(net))
                    legs[-1].add(deal, abs(net))
                    legs.append(Leg(position, len(legs) + 1, clock=clock))
                    legs[-1].open(deal, volume - abs(net))
                    legs[-1].add(deal, abs(net), rest=True)
                else:
                    (legs[-1].open if deal["entry"] == IN else legs[-1].close)(deal, volume)
                    legs[-1].add(deal)
                net += signed
            found += [leg for leg in legs if leg.side]
    return found


def operations_of(deals: list[dict]) -> dict[str, Decimal]:
    """Money that is no part of a trade, by ticket."""
    traded = {leg.position for leg in legs_of(deals)}
    return {
        str(deal["ticket"]): money_of(deal)
        for deal in deals
        if deal["type"] not in (BUY, SELL, *CREDITS)
        and (deal["type"] in CANCELLED or deal["position_id"] not in traded)
        and money_of(deal)
    }


def balances_of(deals: list[dict]) -> list[tuple[int, Decimal, Decimal]]:
    """Ticket, balance and credit after each deal."""
    balance = credit = ZERO
    found = []
    for deal in sorted(deals, key=walk_order):
        if deal["type"] in CREDITS:
            credit += money_of(deal)
        else:
            balance += money_of(deal)
        found.append((deal["ticket"], balance, credit))
    return found


def balance_before(deals: list[dict], at: datetime, clock: Clock) -> Decimal:
    return sum(
        (
            money_of(d)
            for d in deals
            if d["type"] not in CREDITS and clock.utc(d["time_msc"]) < at
        ), ZERO
    )  # fmt: skip


class Broker:
    """Draws a legal history of one account."""

    def __init__(self, source: random.Random) -> None:
        self.source = source
        self.hedging = source.random() < 0.5
        self.ticket = source.choice([0, 2**53, 2**63 - 100_000])
        self.rule = source.choice(CLOCKS)
        self.start = self.clock = mt5.msc(source.choice(STARTS))
        self.digits = source.choice([0, 2, 2, 8])
        self.deals: list[dict] = []
        self.open: dict[int, list[Any]] = {}  # position -> [symbol, signed volume]
        self.step = source.choice([D(1), D("0.01"), D("0.001"), UNIT])
        # crude oil was sold below 0
        self.low = source.choice([90_000, -40_000])
        self.book(2, profit=source.choice([10.0**-self.digits, 1_000.0, 100_000.0]))

    def cents(self, least: int, most: int) -> float:
        """In the smallest unit of the account's currency."""
        return self.source.randint(least, most) / 10**self.digits

    def book(self, kind: int, **fields: Any) -> dict:
        """One deal; some share a millisecond."""
        self.ticket += 1
        self.clock += self.source.choice([0, 1, 999, 600_000, 40_000_000])
        while not self.rule.shows(self.clock):
            self.clock += 3_600_000
        made = mt5.money(0.0, kind=kind, ticket=self.ticket) | {
            "time_msc": self.clock, "time": self.clock // 1000,
        } | fields  # fmt: skip
        self.deals.append(made)
        return made

    def fill(self, position: int, signed: Decimal, entry: int, symbol: str, **fields: Any) -> None:
        closes = entry != IN
        profit = self.source.choice([self.cents(-30_000, 31_000), 0.0]) if closes else 0.0
        self.book(
            BUY if signed > 0 else SELL, entry=entry, volume=float(abs(signed)), symbol=symbol,
            position_id=position, price=self.source.randint(self.low, 120_000) / 100_000,
            commission=self.source.choice([0.0, self.cents(-900, 40), -1e-08]),
            fee=self.source.choice([0.0, self.cents(-90, 0)]),
            swap=self.cents(-300, 300) if closes else 0.0, magic=self.source.randint(0, 2),
            **({"profit": profit, "order": 5_000_000 + len(self.deals)} | fields),
        )  # fmt: skip
        held = self.open.setdefault(position, [symbol, ZERO])
        held[1] += signed
        if not held[1]:
            del self.open[position]

    def amount(self) -> Decimal:
        return self.source.randint(1, 300) * self.step

    def money(self) -> None:
        """Deposits, credit, charges, some of them of a position, open or closed."""
        kind = self.source.choice([2, 2, 3, 4, 5, 7, 8, 10, 12, 15, 17, 19, 20, 99])
        known = [d["position_id"] for d in self.deals if d["position_id"]]
        position = 0
        if kind in (8, 15, 17, 99) and known and self.source.random() < 0.8:
            position = self.source.choice(known)
        name = "commission" if kind in (7, 8, 10) else "profit"
        self.book(kind, position_id=position, **{name: self.cents(-3_000, 5_000)})

    def act(self) -> None:
        symbol = self.source.choice(["EURUSD.m", "Volatility 75 (1s) Index"])
        held = [p for p, (s, _) in self.open.items() if s == symbol]
        what = self.source.choice(["open", "open", "close", "close", "turn", "money", "roll"])
        if what == "money":
            self.money()
            return
        volume = self.amount()
        if what == "open" or not held:
            side = self.source.choice([1, -1])
            position = self.ticket + 1
            if held and not self.hedging:
                position = held[0]
                side = 1 if self.open[position][1] > 0 else -1
            self.fill(position, side * volume, IN, symbol)
            return
        position = self.source.choice(held)
        net = self.open[position][1]
        side = 1 if net > 0 else -1
        if what == "roll":  # swap re-opening: volume, but neither opens nor closes
            self.book(SELL, entry=OUT, volume=float(abs(net)), position_id=position, reason=7,
                      symbol=symbol, swap=self.cents(-200, 0), order=0)  # fmt: skip
        elif what == "turn" and not self.hedging:
            self.fill(position, -net - side * volume, INOUT, symbol)
        elif what == "turn":
            self.close_by(position, symbol, side)
        else:
            self.fill(position, -side * min(abs(net), volume), OUT, symbol)

    def close_by(self, position: int, symbol: str, side: int) -> None:
        others = [p for p, (s, v) in self.open.items() if s == symbol and (v > 0) != (side > 0)]
        if not others:
            return
        other = self.source.choice(others)
        volume = min(abs(self.open[position][1]), abs(self.open[other][1]))
        number = 7_000_000 + len(self.deals)
        self.fill(position, -side * volume, OUT_BY, symbol, order=number)
        self.fill(other, side * volume, OUT_BY, symbol, order=number, profit=0.0)

    def correct(self) -> list[dict]:
        """Later versions of some deals: other money, or a trade that was taken back."""
        changed = []
        positions = sorted({d["position_id"] for d in self.deals if d["type"] in (BUY, SELL)})
        gone = self.source.choice([0, *positions])
        for number, deal in enumerate(self.deals):
            if gone and deal["position_id"] == gone and deal["type"] in (BUY, SELL):
                later = deal | {"type": deal["type"] + 13, "profit": 0.0, "swap": 0.0}
            elif self.source.random() < 0.05:
                later = deal | {"profit": self.cents(-5_000, 5_000), "comment": "corrected"}
            elif self.source.random() < 0.05 and deal["type"] in (BUY, SELL):
                # a position of its own may even be closed before it was opened
                moment = deal["time_msc"] + self.source.randint(0, 999_999) * self.hedging
                later = deal | {"price": self.source.randint(self.low, 120_000) / 100_000}
                if self.rule.shows(moment):
                    later |= {"time_msc": moment, "time": moment // 1000}
            else:
                continue
            self.deals[number] = later
            changed.append(later)
        self.open.pop(gone, None)
        return changed


def draw(seed: int) -> Broker:
    broker = Broker(random.Random(seed))
    for _ in range(broker.source.randint(0, 60)):
        broker.act()
    return broker
