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
    assert compare_paths(app, 1, 12, 25) > 5


@pytest.mark.slow
def test_a_thousand_paths_are_judged_as_plain_words_say(app: psycopg.Connection) -> None:
    seed = random.randrange(10**6)
    print("seed", seed)
    assert compare_paths(app, seed, 1000, 25) > 500


def test_a_session_without_figures_is_no_loss(app: psycopg.Connection) -> None:
    """The API's INSERT leaves the figures out until the first heartbeat."""
    user = rows.user(app)
    desk = Desk(app, user)
    key = {"account_number": "1001", "broker": "Broker Ltd", "server": "Broker-Live"}
    rows.session(app, user, **key)
    desk.account = app.execute("SELECT id FROM mt5_accounts").fetchone()[0]
    rule = desk.rule("maximum_loss", 10, "percent_of_initial", initial_capital=1000)
    state = "SELECT status, value, forbids_trading FROM risk_state WHERE rule_id = %s"
    assert app.execute(state, [rule]).fetchone() == ("unknown", None, True)

    app.execute("UPDATE mt5_sessions SET balance = 1000, equity = 980, margin_free = 980")
    rows.session(app, user, **key)
    assert app.execute(state, [rule]).fetchone() == ("ok", 980, False)
    assert app.execute("SELECT equity, drawdown FROM account_risk").fetchone() == (980, 0)
    # what is said counts, and what is of another time
    rows.session(app, user, **key, balance=5, equity=5)
    rows.session(app, user, **key, last_ping=NOON)
    assert app.execute(
        "SELECT balance, equity, margin_free FROM mt5_sessions ORDER BY id"
    ).fetchall() == [(1000, 980, 980), (1000, 980, 980), (5, 5, 0), (0, 0, 0)]


def test_a_heartbeat_without_a_snapshot_shows_a_broken_rule(app: psycopg.Connection) -> None:
    desk = Desk(app, rows.user(app))
    desk.heartbeat(NOON, 1000)
    rules = [
        desk.rule(kind, 100, "money", initial_capital=1000, touching_breaks=touching)
        for kind, touching in (("maximum_loss", True), ("maximum_loss", False))
    ]
    shown = []
    for equity in (901, 900, 899):
        app.execute("UPDATE mt5_sessions SET equity = %s", [equity])
        shown.append([
            app.execute("SELECT status FROM risk_state WHERE rule_id = %s", [rule]).fetchone()[0]
            for rule in rules
        ])  # fmt: skip
    assert shown == [["warning", "warning"], ["broken", "warning"], ["broken", "broken"]]
