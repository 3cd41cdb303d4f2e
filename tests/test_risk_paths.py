"""Random paths of equity are judged as a plain restatement of the rules judges them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import psycopg
import pytest

import rows
from risk_desk import NOON, PRAGUE, Desk


@pytest.fixture
def desk(app: psycopg.Connection) -> Desk:
    """An account of 100,000, heard of an hour before the rules begin."""
    desk = Desk(app, rows.user(app))
    desk.heartbeat(NOON - timedelta(hours=1), 100000)
    return desk


# A plain restatement of the rules on equity, written from the comments of risk_rules.
@dataclass
class Plain:
    kind: str
    amount: Decimal
    unit: str
    basis: str
    initial: Decimal
    lock: Decimal | None
    touching: bool
    day: date | None = None
    opening: Decimal = Decimal(0)
    highest: Decimal = Decimal(0)
    last: tuple[Decimal, Decimal] | None = None
    first_breach: datetime | None = None
    levels: list[Decimal] = field(default_factory=list)

    def of(self, balance: Decimal, equity: Decimal) -> Decimal:
        return {"balance": balance, "equity": equity, "higher": max(balance, equity)}[self.basis]

    def step(self, at: datetime, balance: Decimal, equity: Decimal) -> None:
        today = at.astimezone(ZoneInfo(PRAGUE)).date()
        if today != self.day:
            self.opening = self.initial if self.last is None else self.of(*self.last)
            self.highest = max(self.highest, self.initial, self.opening)
            self.day = today
        if self.kind == "trailing":
            self.highest = max(self.highest, self.of(balance, equity))
        self.last = (balance, equity)
        limit = {
            "money": self.amount,
            "percent_of_initial": self.initial * self.amount / 100,
            "percent_of_basis": self.opening * self.amount / 100,
        }[self.unit]
        floor = {
            "daily_loss": self.opening - limit, "maximum_loss": self.initial - limit,
            "trailing_day": self.highest - limit, "trailing": self.highest - limit,
        }[self.kind]  # fmt: skip
        if self.lock is not None:
            floor = min(floor, self.lock)
        self.levels.append(floor)
        if equity < floor or (self.touching and equity == floor):
            self.first_breach = self.first_breach or at


def random_rule(source: random.Random) -> Plain:
    kind = source.choice(("daily_loss", "maximum_loss", "trailing_day", "trailing"))
    units = ["money", "percent_of_initial"] + ["percent_of_basis"] * (kind == "daily_loss")
    unit = source.choice(units)
    return Plain(
        kind=kind,
        amount=Decimal(source.randint(1, 10) * (300 if unit == "money" else 1)),
        unit=unit,
        basis=source.choice(("balance", "equity", "higher")),
        initial=Decimal(30000),
        lock=Decimal(30000) if kind.startswith("trailing") and source.random() < 0.4 else None,
        touching=source.random() < 0.3,
    )


def random_path(source: random.Random, steps: int) -> Iterator[tuple[datetime, Decimal, Decimal]]:
    """Heartbeats over days with whole weekends and nights without any, over both clock changes."""
    # a path takes 69 days at most: none reaches into the future
    at = NOON - timedelta(days=source.randint(70, 370))
    balance = Decimal(30000)
    for _ in range(steps):
        at += timedelta(minutes=source.choice((1, 30, 240, 1500, 4000)))
        if source.random() < 0.4:
            balance += source.randint(-400, 420)
        yield at, balance, balance + source.randint(-900, 900)


def compare_paths(connection: psycopg.Connection, seed: int, paths: int, steps: int) -> int:
    """Answers how many rules were broken on the way."""
    broken = 0
    for path in range(paths):
        source = random.Random(seed * 100_003 + path)
        desk = Desk(connection, rows.user(connection), login=5000 + path)
        beats = list(random_path(source, steps))
        desk.heartbeat(beats[0][0], *beats[0][1:])
        plain = [random_rule(source) for _ in range(4)]
        rules = [
            desk.rule(
                rule.kind, rule.amount, rule.unit, basis=rule.basis, lock_level=rule.lock,
                touching_breaks=rule.touching, initial_capital=rule.initial,
                valid_from=beats[0][0],
            )
            for rule in plain
        ]  # fmt: skip
        for beat in beats:
            desk.heartbeat(*beat)
            found = connection.execute(
                "SELECT find_risk_level(r, s.opening, s.highest), b.first_at FROM risk_rules AS r"
                " JOIN risk_states AS s ON s.rule_id = r.id LEFT JOIN LATERAL (SELECT min(first_at)"
                " AS first_at FROM risk_breaches WHERE rule_id = r.id AND event = 'breach') AS b"
                " ON TRUE WHERE r.account_id = %s ORDER BY r.id",
                [desk.account],
            ).fetchall()
            for rule in plain:
                rule.step(*beat)
            assert found == [(rule.levels[-1], rule.first_breach) for rule in plain], (
                seed, path, beat, rules,
            )  # fmt: skip
        broken += sum(rule.first_breach is not None for rule in plain)
    return broken


def test_random_paths_are_judged_as_plain_words_say(app: psycopg.Connection) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    assert compare_paths(app, seed, 12, 25) > 5


@pytest.mark.slow
def test_a_thousand_paths_are_judged_as_plain_words_say(app: psycopg.Connection) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    assert compare_paths(app, seed, 1000, 25) > 500
