"""A trader whose orders, deals and stops reach the ledger as the gateway would send them."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from decimal import Decimal

import psycopg

import mt5
from mt5 import BUY, IN, OUT

D = Decimal
TOLD_AT = "2026-01-05 00:00+00"
DAY = "2026-01-05"  # by the server's clock, two hours ahead of UTC
STOCK = {"name": "ACME", "trade_calc_mode": 32, "trade_contract_size": 1.0,
         "trade_tick_size": 0.01, "trade_tick_value": 0.01, "trade_tick_value_profit": 0.01,
         "trade_tick_value_loss": 0.01, "digits": 2}  # fmt: skip
CROSS = {"name": "GBPJPY", "currency_base": "GBP", "currency_profit": "JPY", "digits": 3,
         "trade_tick_size": 0.001}  # fmt: skip


@dataclass
class Trader:
    """An account in USD whose trades are told by their history."""

    db: psycopg.Connection
    user: int
    account: int = 0
    tickets: itertools.count = field(default_factory=lambda: itertools.count(1))

    def __post_init__(self) -> None:
        self.account = mt5.open_account(self.db, self.user, taken_at="2026-01-01")

    def told(self, at: str = TOLD_AT, **fields: object) -> None:
        mt5.ingest(self.db, "symbols", self.account, [mt5.symbol(**fields)], at)

    def trade(
        self,
        prices: tuple[float, float],
        stop: float | None,
        *,
        target: float = 0.0,
        side: int = BUY,
        volume: float = 1.0,
        symbol: str = "ACME",
        at: str = f"{DAY} 12:00:00",
        until: str = f"{DAY} 13:00:00",
        **money: float,
    ) -> int:
        """A closed trade; without a stop its order is not known. Answers its position."""
        ticket = next(self.tickets)
        if stop is not None:
            mt5.ingest(self.db, "orders", self.account, [mt5.order(
                at, ticket=ticket, type=side, sl=stop, tp=target, symbol=symbol,
                volume_initial=volume,
            )])  # fmt: skip
        mt5.ingest(self.db, "deals", self.account, [
            mt5.deal(at, ticket=2 * ticket, order=ticket, position_id=ticket, type=side, entry=IN,
                     volume=volume, price=prices[0], symbol=symbol),
            mt5.deal(until, ticket=2 * ticket + 1, order=10**6 + ticket, position_id=ticket,
                     type=1 - side, entry=OUT, volume=volume, price=prices[1], symbol=symbol,
                     **money),
        ])  # fmt: skip
        return ticket

    def risk(self, position: int, *columns: str, view: str = "trip_risks") -> tuple:
        return self.db.execute(
            f"SELECT {', '.join(columns)} FROM {view} WHERE position_id = %s", [position]
        ).fetchone()

    def group(self, *columns: str, of_prices: bool = False, by: str = "all") -> list[tuple]:
        return self.db.execute(
            f"SELECT {', '.join(columns)} FROM group_r(%s, p_of_prices => %s)"
            " WHERE grouped_by = %s ORDER BY 1", [self.user, of_prices, by],
        ).fetchall()  # fmt: skip
