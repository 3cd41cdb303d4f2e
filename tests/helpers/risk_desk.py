"""An account with risk rules, as the tests of rules use it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg

import mt5
import rows

PRAGUE = "Europe/Prague"
NOON = datetime(2026, 1, 5, 11, tzinfo=UTC)  # a Monday, noon in Prague
DAY = timedelta(days=1)


@dataclass
class Desk:
    """An account whose heartbeats come through the gateway's call."""

    connection: psycopg.Connection
    user: int
    account: int = 0
    login: int = 1001

    def heartbeat(self, at: datetime, balance: object, equity: object | None = None) -> None:
        self.account = mt5.open_account(
            self.connection, self.user, login=self.login, balance=float(balance),
            equity=float(balance if equity is None else equity), taken_at=at,
        )  # fmt: skip

    def rule(self, kind: str, amount: object, unit: str, **values: object) -> int:
        values = {
            "user_id": self.user, "account_id": self.account, "name": kind, "kind": kind,
            "amount": amount, "unit": unit, "clock": PRAGUE, "valid_from": NOON, "max_age": None,
        } | values  # fmt: skip
        return rows.insert(self.connection, "risk_rules", **values)

    def told(self, *columns: str, event: str = "breach") -> list[tuple]:
        return self.connection.execute(
            f"SELECT {', '.join(columns)} FROM risk_breaches WHERE account_id = %s AND event = %s"
            " ORDER BY id",
            [self.account, event],
        ).fetchall()

    def level(self, rule: int) -> Decimal:
        return self.connection.execute(
            "SELECT level FROM risk_state WHERE rule_id = %s", [rule]
        ).fetchone()[0]


def picture(*volumes: float, **fields: object) -> list[dict]:
    return [
        mt5.position(ticket=index, identifier=index, volume=volume, **fields)
        for index, volume in enumerate(volumes, 1)
    ]
