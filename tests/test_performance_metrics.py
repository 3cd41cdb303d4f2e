"""calculate_performance_metrics at its edges: what a figure is, and why one is NULL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

import rows
from histories import calculate
from performing import PERIOD, account, trade


def reasons(row: dict, *names: str) -> set[str | None]:
    """The reason codes of some figures, which are NULL where they have one."""
    assert all((row[name] is None) == (name in row["reasons"]) for name in names)
    return {row["reasons"].get(name) for name in names}


def assert_every_null_has_a_reason(row: dict) -> None:
    nulls = {name for name, value in row.items() if value is None}
    assert nulls - {"id", "strategy_id", "account_id"} == set(row["reasons"])


def test_no_trade_is_one_row_of_zeros_and_reasons(app: psycopg.Connection) -> None:
    row = calculate(app, rows.user(app), None, *PERIOD, 1000)
    assert (row["total_trades"], row["total_profit"], row["gross_loss"], row["turnover"]) == (
        0,
    ) * 4
    assert reasons(
        row, "win_rate", "average_profit", "max_profit", "max_drawdown", "sharpe_ratio",
        "profit_factor", "calmar_ratio", "balance_drawdown_relative",
    ) == {"no_trades"}  # fmt: skip
    assert_every_null_has_a_reason(row)


def test_a_strategy_of_somebody_else_is_one_row_without_trades(app: psycopg.Connection) -> None:
    user, other = rows.user(app), rows.user(app)
    strategy = rows.strategy(app, user)
    trade(app, user, 5, 10, strategy_id=strategy)
    assert calculate(app, user, strategy, *PERIOD)["total_trades"] == 1
    assert calculate(app, other, strategy, *PERIOD)["total_trades"] == 0


def test_one_winning_trade_has_no_loss_and_no_drawdown(app: psycopg.Connection) -> None:
    user = rows.user(app)
    trade(app, user, 5, 10)
    row = calculate(app, user, None, *PERIOD, 1000)
    assert reasons(row, "profit_factor", "payoff_ratio", "average_loss") == {"no_losses"}
    assert reasons(row, "recovery_factor", "calmar_ratio") == {"no_drawdown"}
    assert reasons(row, "sortino_ratio") == {"no_losses"}
    assert row["max_drawdown"] == 0 and row["balance_drawdown_relative_percent"] == 0
    assert row["sharpe_ratio"] is not None  # 31 daily returns, not one
    assert_every_null_has_a_reason(row)


def test_one_day_is_too_few_for_a_deviation(app: psycopg.Connection) -> None:
    user = rows.user(app)
    trade(app, user, 5, -10)
    row = calculate(app, user, None, "2026-01-05 00:00+00", "2026-01-06 00:00+00", 1000)
    assert reasons(row, "sharpe_ratio", "sortino_ratio") == {"too_few"}
    assert row["observations"] == 1 and row["calmar_ratio"] is not None


def test_only_losses_have_a_profit_factor_of_zero_and_no_win(app: psycopg.Connection) -> None:
    user = rows.user(app)
    for day in (5, 6):
        trade(app, user, day, -10)
    row = calculate(app, user, None, *PERIOD, 1000)
    assert row["profit_factor"] == 0 and row["win_rate"] == 0
    assert reasons(row, "average_win", "payoff_ratio") == {"no_wins"}
    assert (row["longest_losing_series"], row["longest_losing_series_loss"]) == (2, -20)
    assert_every_null_has_a_reason(row)


def test_equal_returns_every_day_have_no_variance(app: psycopg.Connection) -> None:
    user = rows.user(app)
    balance = Decimal("1000.10")
    for day in range(1, 6):  # a hundredth of the balance, to the last decimal
        net = balance / 100
        trade(app, user, day, net)
        balance += net
    row = calculate(app, user, None, PERIOD[0], "2026-01-04 00:00+00", Decimal("1000.10"))
    assert row["observations"] == 3
    assert reasons(row, "sharpe_ratio") == {"zero_variance"}


def test_break_even_trades_alone_have_no_variance_and_no_side(app: psycopg.Connection) -> None:
    user = rows.user(app)
    trade(app, user, 5, 0)
    row = calculate(app, user, None, *PERIOD, 1000)
    assert (row["break_even_trades"], row["win_rate"]) == (1, 0)
    assert reasons(row, "sharpe_ratio") == {"zero_variance"}
    assert reasons(row, "profit_factor") == {"no_losses"}
    assert_every_null_has_a_reason(row)


def test_a_balance_at_or_below_zero_has_no_ratio(app: psycopg.Connection) -> None:
    user = rows.user(app)
    trade(app, user, 5, -1000)
    trade(app, user, 6, 500)
    row = calculate(app, user, None, *PERIOD, 1000)
    assert reasons(row, "sharpe_ratio", "sortino_ratio", "calmar_ratio", "annual_return") == {
        "non_positive_balance"
    }
    assert (row["max_drawdown"], row["observations"]) == (1000, 0)
    assert calculate(app, user, None, *PERIOD, 1001)["sharpe_ratio"] is not None
    negative = calculate(app, user, None, *PERIOD, -5)
    assert reasons(negative, "balance_drawdown_relative", "balance_drawdown_maximal_percent") == {
        "non_positive_balance"
    }
    assert_every_null_has_a_reason(negative)


def test_an_unknown_balance_leaves_money_and_says_no_balance(app: psycopg.Connection) -> None:
    user = rows.user(app)
    trade(app, user, 5, -10)
    row = calculate(app, user, None, *PERIOD)
    assert row["max_drawdown"] == 10 and row["total_profit"] == -10
    assert reasons(row, "sharpe_ratio", "opening_balance", "balance_drawdown_relative") == {
        "no_balance"
    }
    assert reasons(row, "currency") == {"no_account"}
    assert_every_null_has_a_reason(row)


def test_a_deposit_in_the_middle_is_no_return(app: psycopg.Connection) -> None:
    user = rows.user(app)
    number, session = account(app, user)
    rows.snapshot(app, session, timestamp="2025-12-31 23:00+00")
    rows.deposit(app, number, 1000, "2026-01-10 18:00+00")
    trade(app, user, 10, 100, account_id=number)
    row = calculate(app, user, None, PERIOD[0], "2026-01-11 00:00+00")
    # 100 over 1,000 plus the deposit of that day, though it came after the trade
    assert row["annual_return"] == pytest.approx(Decimal("1.05") ** Decimal("36.5") - 1)
    assert (row["max_drawdown"], row["opening_balance"]) == (0, 1000)


def test_the_period_begins_with_its_start_and_ends_before_its_end(app: psycopg.Connection) -> None:
    user = rows.user(app)
    for at in ("2025-12-31 23:59:59+00", *PERIOD):
        trade(app, user, 1, 1, closed_at=at, opened_at="2025-12-01 00:00+00")
    assert calculate(app, user, None, *PERIOD)["total_trades"] == 1


def test_cancelled_orders_are_no_trades(app: psycopg.Connection) -> None:
    user = rows.user(app)
    trade(app, user, 5, 0, order_type="BUY_LIMIT", close_price=None)
    assert calculate(app, user, None, *PERIOD)["total_trades"] == 0


def test_the_opening_balance_is_carried_from_the_nearest_snapshot(app: psycopg.Connection) -> None:
    user = rows.user(app)
    number, session = account(app, user)
    rows.snapshot(app, session, balance=1000, timestamp="2026-01-05 00:00+00")
    trade(app, user, 3, 50, account_id=number)
    trade(app, user, 6, -20, account_id=number)
    rows.deposit(app, number, 500, "2026-01-07 00:00+00")
    cases = {"2026-01-01 00:00+00": 950, "2026-01-06 00:00+00": 1000, "2026-01-08 00:00+00": 1480}
    for start, balance in cases.items():
        assert calculate(app, user, None, start, PERIOD[1])["opening_balance"] == balance, start


def test_without_snapshots_the_balance_is_what_was_deposited_and_made(
    app: psycopg.Connection,
) -> None:
    user = rows.user(app)
    number, _ = account(app, user)
    rows.deposit(app, number, 500, "2025-12-01 00:00+00")
    trade(app, user, 3, 50, account_id=number)
    assert calculate(app, user, None, *PERIOD)["opening_balance"] == 500
    assert calculate(app, user, None, "2026-01-04 00:00+00", PERIOD[1])["opening_balance"] == 550


def test_maximal_and_relative_drawdown_may_be_different_episodes(app: psycopg.Connection) -> None:
    # By hand, from 1,000: down 200 to 800 (20 %), back on the 3rd; up to 5,000; down 500 to 4,500
    # (10 %). Most money: 500; most percent: 20. Below the start: 200.
    user = rows.user(app)
    for day, net in enumerate((-200, 100, 300, 3800, -500, 100), 1):
        trade(app, user, day, net)
    row = calculate(app, user, None, *PERIOD, 1000)

    def drawdown(kind: str) -> tuple:
        name = f"balance_drawdown_{kind}"
        times = (row[f"{name}_{part}"] for part in ("started_at", "trough_at", "recovered_at"))
        return row[name], row[f"{name}_percent"], *(time and time.day for time in times)

    assert drawdown("maximal") == (500, 10, 4, 5, None)
    assert drawdown("relative") == (200, 20, 1, 1, 3)
    assert drawdown("absolute") == (200, 20, 1, 1, 3)
    assert reasons(row, "balance_drawdown_maximal_recovered_at") == {"not_recovered"}
    assert row["max_drawdown"] == 500
    assert row["recovery_factor"] == Decimal(3600) / 500
    # under water from the 1st to the 3rd, and from the 5th to the end of the month
    assert row["time_under_water"] == timedelta(days=2) + timedelta(days=26, hours=12)


def test_equity_drawdowns_come_from_snapshots_without_deposits(app: psycopg.Connection) -> None:
    # By hand: 1,000, 700 (30 %), 1,100, deposit of 4,000, 5,100, 4,500 (600 of 5,100), 5,200. The
    # deposit makes the start 5,000, of which 4,500 is 500 short.
    user = rows.user(app)
    number, session = account(app, user)
    for day, equity in enumerate((1000, 700, 1100, 5100, 4500, 5200), 1):
        rows.snapshot(app, session, equity=equity, timestamp=f"2026-01-{day:02} 00:00+00")
    rows.deposit(app, number, 4000, "2026-01-03 12:00+00")
    row = calculate(app, user, None, *PERIOD)
    assert (row["equity_drawdown_absolute"], row["equity_drawdown_absolute_percent"]) == (500, 10)
    assert (row["equity_drawdown_relative"], row["equity_drawdown_relative_percent"]) == (300, 30)
    assert row["equity_drawdown_maximal"] == 600
    assert round(row["equity_drawdown_maximal_percent"], 6) == round(Decimal(60000) / 5100, 6)
    assert row["equity_drawdown_maximal_recovered_at"] == datetime(2026, 1, 6, tzinfo=UTC)
    assert_every_null_has_a_reason(row)


def test_equity_of_two_accounts_is_their_sum(app: psycopg.Connection) -> None:
    user = rows.user(app)
    for number, days in (("1", {1: 1000, 3: 800, 5: 1000}), ("2", {2: 500, 4: 700})):
        _, session = account(app, user, account_number=number)
        for day, equity in days.items():
            rows.snapshot(app, session, equity=equity, timestamp=f"2026-01-{day:02} 00:00+00")
    # 1,500 at the start; 1,300 on the 3rd; 1,500 again on the 4th; 1,700
    row = calculate(app, user, None, *PERIOD)
    assert row["equity_drawdown_maximal"] == 200
    assert row["equity_drawdown_maximal_recovered_at"].day == 4


def test_a_strategy_has_no_equity(app: psycopg.Connection) -> None:
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    number, session = account(app, user)
    for day in (1, 10):
        rows.snapshot(app, session, timestamp=f"2026-01-{day:02} 00:00+00")
    trade(app, user, 5, 10, strategy_id=strategy, account_id=number)
    assert reasons(calculate(app, user, strategy, *PERIOD), "equity_drawdown_maximal") == {
        "no_equity"
    }
    assert calculate(app, user, None, *PERIOD)["equity_drawdown_maximal"] == 0


def test_money_of_two_currencies_has_no_sum(app: psycopg.Connection) -> None:
    user = rows.user(app)
    euro, _ = account(app, user, account_number="1", currency="EUR")
    dollar, _ = account(app, user, account_number="2", currency="USD")
    trade(app, user, 5, 10, account_id=euro)
    trade(app, user, 6, -4, account_id=dollar)
    row = calculate(app, user, None, *PERIOD, 1000)
    assert (row["total_trades"], row["win_rate"]) == (2, 50)
    assert reasons(
        row, "total_profit", "gross_profit", "max_drawdown", "sharpe_ratio", "currency",
        "opening_balance", "profit_factor", "equity_drawdown_maximal",
    ) == {"mixed_currency"}  # fmt: skip
    assert_every_null_has_a_reason(row)
    one = calculate(app, user, None, *PERIOD, 1000, p_account_id=dollar)
    assert (one["total_trades"], one["total_profit"], one["currency"]) == (1, -4, "USD")
    trade(app, user, 7, 1)  # of no account: a currency nobody knows
    app.execute("SELECT refresh_performance_metrics(%s, %s)", PERIOD)
    stored = app.execute(
        "SELECT account_id, all_accounts, total_trades, total_profit FROM performance_metrics"
        " WHERE user_id = %s ORDER BY all_accounts DESC, account_id",
        [user],
    ).fetchall()
    assert stored == [
        (None, True, 3, None), (euro, False, 1, 10), (dollar, False, 1, -4), (None, False, 1, 1),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "state"),
    [
        ((PERIOD[0], PERIOD[0]), "RB070"),
        (("-infinity", PERIOD[1]), "RB070"),
        ((PERIOD[0], "infinity"), "RB070"),
        ((*PERIOD, "NaN"), "RB071"),
        ((*PERIOD, None, 0), "RB071"),
        ((*PERIOD, None, 365, -1), "RB071"),
    ],
)
def test_arguments_without_sense_are_refused(
    app: psycopg.Connection, arguments: tuple, state: str
) -> None:
    with pytest.raises(psycopg.Error) as error:
        calculate(app, 1, None, *arguments)
    assert error.value.sqlstate == state


def test_arguments_at_the_edge_of_sense_are_taken(app: psycopg.Connection) -> None:
    calculate(app, 1, None, *PERIOD, -1, 366, Decimal("-0.9"))
