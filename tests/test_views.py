"""user_trading_stats, open_positions_with_session, and the name of a market session."""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest

import rows


def stats(connection: psycopg.Connection, user_id: int) -> tuple:
    return connection.execute(
        "SELECT total_strategies, total_signals, executed_signals, total_orders, open_orders,"
        " total_profit, average_profit FROM user_trading_stats WHERE user_id = %s",
        [user_id],
    ).fetchone()


def test_stats_do_not_multiply_children(rolled_back: psycopg.Connection) -> None:
    user = rows.user(rolled_back)
    for _ in range(4):
        rows.strategy(rolled_back, user)
    rolled_back.execute(
        "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time, status)"
        " SELECT %s, 'EURUSD', 'BUY', 1, now(), (ARRAY['EXECUTED', 'REJECTED'])[1 + n %% 2]"
        "::signal_status_enum FROM generate_series(1, 400) AS n",
        [user],
    )
    rolled_back.execute(
        "INSERT INTO trading_orders (user_id, symbol, order_type, volume, profit, opened_at,"
        " close_price, closed_at) SELECT %s, 'EURUSD', 'BUY', 1, 10, '2026-01-01',"
        " CASE WHEN n > 20 THEN 1.1 END, CASE WHEN n > 20 THEN timestamptz '2026-01-02' END"
        " FROM generate_series(1, 200) AS n",
        [user],
    )
    assert stats(rolled_back, user) == (4, 400, 200, 200, 20, Decimal(2000), Decimal(10))


def test_stats_of_a_user_with_nothing_are_zero(rolled_back: psycopg.Connection) -> None:
    assert stats(rolled_back, rows.user(rolled_back)) == (0, 0, 0, 0, 0, 0, 0)


def test_stats_have_one_row_a_user(rolled_back: psycopg.Connection) -> None:
    for _ in range(3):
        rows.closed_order(rolled_back, rows.user(rolled_back))
    counted = rolled_back.execute(
        "SELECT count(*), count(DISTINCT user_id) FROM user_trading_stats"
    ).fetchone()
    assert counted == (4, 4)  # with the administrator


def test_open_positions_show_active_sessions_only(rolled_back: psycopg.Connection) -> None:
    user = rows.user(rolled_back)
    active = rows.session(rolled_back, user)
    ended = rows.session(rolled_back, user, account_number="1002", is_active=False)
    shown = rows.position(rolled_back, active)
    rows.position(rolled_back, ended)
    found = rolled_back.execute(
        "SELECT id, account_number, broker, user_id FROM open_positions_with_session"
    ).fetchall()
    assert found == [(shown, "1001", "Broker", user)]


def test_open_positions_have_every_column_of_the_table(catalog: psycopg.Connection) -> None:
    columns = "SELECT column_name FROM information_schema.columns WHERE table_name = %s"
    table = {row[0] for row in catalog.execute(columns, ["trading_positions"])}
    view = {row[0] for row in catalog.execute(columns, ["open_positions_with_session"])}
    assert view == table | {"account_number", "broker", "user_id"}


# winter, summer, a week in which New York alone has changed its clock, and the nights in which
# Europe, then New York, go back to winter's
@pytest.mark.parametrize(("friday", "tokyo_opens"), [
    ("2026-01-09", "19:00"), ("2026-07-10", "20:00"), ("2026-03-13", "20:00"),
    ("2026-10-23", "20:00"), ("2026-10-30", "19:00"),
])  # fmt: skip
def test_no_market_is_open_on_a_weekend(
    rolled_back: psycopg.Connection, friday: str, tokyo_opens: str
) -> None:
    """Local times of New York: the week ends on Friday at 17:00; Tokyo's Monday begins the next."""
    found = rolled_back.execute(
        "SELECT string_agg(name_market_session((%s::date + days + at) AT TIME ZONE"
        " 'America/New_York'), '; ' ORDER BY days, at)"
        " FROM (VALUES (0, time '16:59'), (0, '17:00'), (0, '20:30'), (1, '10:00'), (2, '10:00'),"
        " (2, '17:00'), (2, %s::time - interval '1 minute'), (2, %s)) AS v (days, at)",
        [friday, tokyo_opens, tokyo_opens],
    )
    assert found.fetchone() == ("New York; ; ; ; ; ; ; Tokyo",)
