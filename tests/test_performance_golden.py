"""Calculated results equal the references on generated histories and on the demo's replay."""

from __future__ import annotations

import math
import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

import backing
import performance_reference as reference
import rows
from histories import START, calculate, generate, store
from performance_reference import Trade
from rubi.bars import samples
from rubi.demo import replaying

HISTORIES = 320
RATIOS = (
    "sharpe_ratio", "sortino_ratio", "calmar_ratio", "annual_return", "max_drawdown_percent",
)  # fmt: skip
KINDS = ("absolute", "maximal", "relative")


def assert_close(row: dict, name: str, expected: object, tolerance: float = 1e-9) -> None:
    """Equal within a relative tolerance; what is undefined there is NULL with a reason here."""
    value = row[name]
    if expected is None or (isinstance(expected, float) and not math.isfinite(expected)):
        assert value is None, name
        assert row["reasons"][name], name
    elif isinstance(expected, Decimal | float):
        assert value is not None, (name, row["reasons"].get(name), expected)
        assert abs(Decimal(value) - Decimal(expected)) <= abs(Decimal(expected)) * Decimal(
            str(tolerance)
        ), (name, value, expected)
    elif isinstance(expected, timedelta):
        assert abs(value - expected) <= timedelta(microseconds=1), name
    else:
        assert value == expected, name


def assert_equals_quantstats(row: dict, trades: list[Trade]) -> None:
    """quantstats leaves break-even trades out of its win rate; here they count among all."""
    decided = row["total_trades"] - row["break_even_trades"]
    if not decided:
        return
    expected = reference.by_trade(trades)
    assert_close(row, "win_rate", Decimal(expected["win_rate"]) * decided / row["total_trades"])
    if row["losing_trades"]:
        assert_close(row, "profit_factor", expected["profit_factor"])


def assert_equals_references(
    row: dict, trades: list[Trade], end: datetime, opening: Decimal,
    flows: list[tuple[datetime, Decimal]], periods: float = 365, risk_free: float = 0,
) -> None:  # fmt: skip
    """Every figure of the row against the references."""
    for name, expected in reference.restate(trades).items():
        assert_close(row, name, expected, 1e-25)
    assert_equals_quantstats(row, trades)
    series = reference.returns(trades, START, end, opening, flows)
    assert row["observations"] == len(series)
    for name, expected in reference.ratios(series, periods, risk_free).items():
        assert_close(row, name, expected)
    total, points = Decimal(0), []
    for trade in trades:
        total += trade.net
        points.append((trade.closed, total, sum((a for at, a in flows if at <= trade.closed), 0)))
    found = reference.falls(points, START, opening)
    for kind, fall in found.items():
        name = f"balance_drawdown_{kind}"
        assert_close(row, name, fall.money, 1e-25)
        assert_close(row, f"{name}_percent", fall.percent, 1e-25)
        times = (fall.started, fall.trough, fall.recovered) if fall.money else (None,) * 3
        for part, expected in zip(("started_at", "trough_at", "recovered_at"), times, strict=True):
            assert_close(row, f"{name}_{part}", expected)
    assert row["max_drawdown"] == found["maximal"].money
    assert_close(
        row, "recovery_factor",
        total / found["maximal"].money if found["maximal"].money else None, 1e-25,
    )  # fmt: skip
    assert row["time_under_water"] == reference.under_water(trades, end)


def test_300_generated_histories_of_strategies_equal_the_references(
    app: psycopg.Connection,
) -> None:
    random_ = random.Random(7)
    user = rows.user(app)
    for _ in range(HISTORIES - 80):
        days = random_.choice([2, 5, 30, 90])
        end = START + timedelta(days=days)
        periods, risk_free = random_.choice([(365, "0"), (252, "0.02"), (365, "0.05")])
        strategy = rows.strategy(app, user)
        trades = store(app, user, strategy, None, generate(random_, days))
        row = calculate(app, user, strategy, START, end, 100000, periods, Decimal(risk_free))
        assert_equals_references(row, trades, end, Decimal(100000), [], periods, float(risk_free))


def test_80_generated_histories_of_users_with_deposits_equal_the_references(
    app: psycopg.Connection,
) -> None:
    random_ = random.Random(8)
    for _ in range(80):
        days = random_.choice([5, 30, 90])
        end = START + timedelta(days=days)
        user = rows.user(app)
        session = rows.session(app, user)
        account = app.execute("SELECT id FROM mt5_accounts WHERE user_id = %s", [user]).fetchone()[
            0
        ]
        trades = store(app, user, None, account, generate(random_, days))
        flows = [
            (
                START + timedelta(seconds=random_.randrange(days * 86400)),
                Decimal(random_.choice([-500, 1000, 25000])),
            )
            for _ in range(random_.choice([0, 1, 3]))
        ]
        for at, amount in flows:
            rows.deposit(app, account, amount, at)
        rows.snapshot(
            app, session, balance=50000, equity=50000, timestamp=START - timedelta(seconds=1)
        )
        row = calculate(app, user, None, START, end)
        assert row["opening_balance"] == 50000
        assert_equals_references(row, trades, end, Decimal(50000), flows)


@pytest.fixture(
    params=[1, pytest.param(0, marks=pytest.mark.slow)], ids=["two markets", "all markets"]
)
def replayed(app: psycopg.Connection, request: pytest.FixtureRequest) -> tuple[int, int]:
    """User and strategy of the demo's replay."""
    backing.fill(app, samples.MARKETS[request.param :])
    return app.execute("SELECT user_id, id FROM trading_strategies").fetchone()


def test_the_replay_of_the_demo_equals_the_references(
    app: psycopg.Connection, replayed: tuple[int, int]
) -> None:
    user, strategy = replayed
    first, end = datetime(2004, 1, 1, tzinfo=UTC), datetime(2025, 1, 1, tzinfo=UTC)
    trades = [
        Trade(*row)
        for row in app.execute(
            "SELECT id, opened_at, closed_at, profit + commission + swap FROM trading_orders"
            " WHERE closed_at IS NOT NULL ORDER BY closed_at, id"
        )
    ]
    series = reference.returns(trades, first, end, replaying.START_BALANCE, [])
    found = reference.falls(
        [
            (trade.closed, sum(t.net for t in trades[: number + 1]), Decimal(0))
            for number, trade in enumerate(trades)
        ],
        first,
        replaying.START_BALANCE,
    )
    for who in (None, strategy):
        row = calculate(app, user, who, first, end)
        assert (
            row["opening_balance"] == replaying.START_BALANCE
        )  # from the first snapshot, backwards
        assert row["observations"] == len(series)
        for name, expected in reference.ratios(series, 365, 0).items():
            assert_close(row, name, expected)
        for name, expected in reference.restate(trades).items():
            assert_close(row, name, expected, 1e-25)
        assert_equals_quantstats(row, trades)
        for kind in KINDS:
            assert_close(row, f"balance_drawdown_{kind}", found[kind].money, 1e-25)
            assert_close(row, f"balance_drawdown_{kind}_percent", found[kind].percent, 1e-25)
    snapshots = app.execute(
        "SELECT timestamp, equity FROM account_snapshots ORDER BY timestamp"
    ).fetchall()
    opening = snapshots[0][1]
    lowest = high = opening
    deepest = Decimal(0)
    for _, equity in snapshots:
        high, lowest = max(high, equity), min(lowest, equity)
        deepest = max(deepest, high - equity)
    row = calculate(app, user, None, first, end)
    assert row["equity_drawdown_maximal"] == deepest
    assert row["equity_drawdown_absolute"] == opening - lowest
