"""The views of results, exposure, execution and risk, read as rubi_readonly."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

import mt5
import rows
from histories import calculate
from performing import PERIOD, account, trade

RESULTS = (
    "daily_results", "monthly_results", "symbol_results", "strategy_results", "session_results",
    "weekday_results", "hour_results",
)  # fmt: skip
VIEWS = (
    *RESULTS, "snapshots_by_account", "closed_trades", "daily_equity", "trade_series",
    "exposure_by_symbol", "exposure_by_currency", "signal_executions", "execution_quality",
    "signal_funnel", "account_risk",
)  # fmt: skip
Connect = Callable[..., psycopg.Connection]


@pytest.mark.parametrize("view", VIEWS)
def test_every_view_runs_as_its_reader_and_says_what_it_holds(
    db: psycopg.Connection, connect_as: Connect, view: str
) -> None:
    connect_as("rubi_readonly").execute(f"SELECT * FROM {view}")
    options, uncommented = db.execute(
        "SELECT c.reloptions, (SELECT count(*) FROM pg_attribute AS a WHERE a.attrelid = c.oid"
        " AND a.attnum > 0 AND col_description(c.oid, a.attnum) IS NULL)"
        " FROM pg_class AS c WHERE c.oid = %s::regclass AND obj_description(c.oid) IS NOT NULL",
        [view],
    ).fetchone()
    if view != "snapshots_by_account":  # the barrier over the hypertable
        assert [option.lower() for option in options] == ["security_invoker=true"]
    assert uncommented == 0


@pytest.mark.parametrize(
    ("strategy", "index"), [(1, "idx_orders_strategy_closed"), (None, "idx_orders_user_closed")]
)
def test_only_the_groups_own_trades_are_read(
    db: psycopg.Connection, strategy: int | None, index: str
) -> None:
    """The plan without values, as measure_performance keeps it, on a table of some size."""
    db.execute("SET plan_cache_mode = force_generic_plan")
    db.execute("SET session_replication_role = replica")
    db.execute(
        "INSERT INTO trading_orders (user_id, strategy_id, symbol, order_type, volume,"
        " open_price, close_price, opened_at, closed_at)"
        " SELECT n %% 9, n %% 9, 'EURUSD', 'BUY', 1, 1, 1, t, t"
        " FROM generate_series(1, 3000) AS n,"
        " LATERAL (SELECT %s::timestamptz + n * interval '10 min') AS x (t)",
        [PERIOD[0]],
    )
    db.execute("ANALYZE trading_orders")
    db.execute(
        "PREPARE events AS SELECT * FROM performance_events"
        "($1, $2, $3, NULL, TRUE, $4, $5, NULL, 0)"
    )
    plan = psycopg.ClientCursor(db).execute(
        "EXPLAIN EXECUTE events(1, %s, %s, %s, %s)", [strategy, strategy is not None, *PERIOD]
    )
    used = [line for (line,) in plan if " on idx_orders" in line or " using idx_orders" in line]
    assert any(index in line for line in used), used
    assert not any("idx_orders_closed_at" in line for line in used)


def test_analysts_calculate_and_read_but_store_nothing(
    app: psycopg.Connection, connect_as: Connect
) -> None:
    user = rows.user(app)
    trade(app, user, 5, 10)
    reader = connect_as("rubi_readonly")
    assert calculate(reader, user, None, *PERIOD)["total_profit"] == 10
    reader.execute("SELECT * FROM balance_operations")
    reader.execute("SET default_transaction_read_only = off")
    with pytest.raises(errors.InsufficientPrivilege):
        reader.execute("SELECT refresh_performance_metrics(%s, %s)", PERIOD)


def month_of_trades(app: psycopg.Connection) -> tuple[int, int, int]:
    """Thirty trades in euro, dollar and without an account; the user, strategy, euro account."""
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    euro, _ = account(app, user, account_number="1", currency="EUR")
    dollar, _ = account(app, user, account_number="2", currency="USD")
    for day in range(1, 31):
        trade(
            app, user, day, (day % 5 - 2) * 10, commission="-0.5", symbol=f"S{day % 3}",
            account_id=(euro, dollar, None)[day % 3], strategy_id=strategy if day % 2 else None,
            opened_at=f"2026-01-{day:02} {day % 12:02}:30+00",
        )  # fmt: skip
    return user, strategy, euro


@pytest.mark.parametrize("view", RESULTS)
def test_results_by_each_key_add_up_to_the_closed_trades_of_each_currency(
    app: psycopg.Connection, connect_as: Connect, view: str
) -> None:
    user, *_ = month_of_trades(app)
    rows.order(app, user)
    found = connect_as("rubi_readonly").execute(
        "SELECT currency, sum(trades), sum(winning_trades), sum(net_profit) AS net"
        f" FROM {view} GROUP BY 1 ORDER BY 1"
    ).fetchall()  # fmt: skip
    assert [row[:3] for row in found] == [("EUR", 10, 4), ("USD", 10, 4), (None, 10, 4)]
    assert sum(row[3] for row in found) == -15


def test_results_by_month_are_of_the_month_of_closing(
    app: psycopg.Connection, connect_as: Connect
) -> None:
    month_of_trades(app)
    monthly = connect_as("rubi_readonly").execute("SELECT DISTINCT month FROM monthly_results")
    assert monthly.fetchall() == [(date(2026, 1, 1),)]


@pytest.mark.parametrize("key", ["month", "symbol", "hour", "weekday"])
@pytest.mark.parametrize("currency", ["EUR", None])
def test_groups_of_one_pass_are_those_of_the_views(
    app: psycopg.Connection, connect_as: Connect, key: str, currency: str | None
) -> None:
    user, *_ = month_of_trades(app)
    trade(app, rows.user(app), 3, 100)
    view = {"month": "monthly"}.get(key, key)
    of_views, of_function = (
        connect_as("rubi_readonly")
        .execute(
            f"SELECT {key}, trades, winning_trades, win_rate, net_profit, profit_factor,"
            f" average_profit FROM {source} ORDER BY 1",
            {"user": user, "currency": currency, "key": key},
        )
        .fetchall()
        for source in (
            f"{view}_results WHERE user_id = %(user)s"
            " AND currency IS NOT DISTINCT FROM %(currency)s",
            "group_trades(%(user)s, '2026-01-01', '2026-02-01', %(currency)s)"
            " WHERE grouped_by = %(key)s",
        )
    )
    assert of_views == of_function
    assert of_views


def test_groups_count_the_trades_of_a_scope_only(
    app: psycopg.Connection, connect_as: Connect
) -> None:
    user, strategy, euro = month_of_trades(app)
    counted = (
        "SELECT sum(trades) FROM group_trades(%s, '2026-01-04', '2026-01-30', 'EUR', %s, %s)"
        " WHERE grouped_by = 'symbol'"
    )
    reader = connect_as("rubi_readonly")
    for asked, trades in (((None, None), 8), ((strategy, None), 4), ((None, euro), 8)):
        assert reader.execute(counted, [user, *asked]).fetchone() == (trades,)
    assert reader.execute(counted, [user, None, euro + 1]).fetchone() == (None,)


def test_the_market_session_is_that_of_opening_in_local_time(
    app: psycopg.Connection, connect_as: Connect
) -> None:
    user = rows.user(app)
    for opened in ("2026-01-07 03:00", "2026-01-07 14:00", "2026-07-07 07:00", "2026-01-07 23:00"):
        trade(
            app, user, 8, 1, opened_at=f"{opened}+00", closed_at="2026-08-01 00:00+00"
        )  # 7:00 UTC is 8:00 in London's summer, and 16:00 in Tokyo
    found = connect_as("rubi_readonly").execute("SELECT session FROM session_results ORDER BY 1")
    assert found.fetchall() == [("",), ("London, New York",), ("Tokyo",), ("Tokyo, London",)]


def test_series_are_trades_in_a_row(app: psycopg.Connection, connect_as: Connect) -> None:
    user = rows.user(app)
    for day, net in enumerate((5, 5, -1, 0, 2), 1):
        trade(app, user, day, net)
    found = connect_as("rubi_readonly").execute(
        "SELECT number, side, trades, net_profit FROM trade_series ORDER BY number"
    )
    assert found.fetchall() == [(1, 1, 2, 10), (2, -1, 1, -1), (3, 0, 1, 0), (4, 1, 1, 2)]


def test_daily_equity_falls_from_the_highest_so_far(
    app: psycopg.Connection, connect_as: Connect
) -> None:
    session = rows.session(app, rows.user(app))
    for at, equity in (("01 10", 1000), ("01 12", 1250), ("01 14", 1200), ("02 10", 1000)):
        rows.snapshot(app, session, equity=equity, timestamp=f"2026-01-{at}:00+00")
    found = connect_as("rubi_readonly").execute(
        "SELECT equity, lowest_equity, highest_equity, equity_high, drawdown, drawdown_percent"
        " FROM daily_equity ORDER BY day"
    )
    assert found.fetchall() == [(1200, 1000, 1250, 1250, 50, 4), (1000, 1000, 1000, 1250, 250, 20)]


def test_exposure_nets_lots_of_a_symbol_and_money_of_a_currency(
    app: psycopg.Connection, connect_as: Connect
) -> None:
    session = rows.session(app, rows.user(app), currency="EUR")
    rows.position(app, session, volume=3, profit=10, swap=-1)
    rows.position(app, session, volume=1, type="SELL", profit=-4)
    rows.position(app, session, symbol="GOOG", profit=5)
    ended = rows.session(app, rows.user(app), is_active=False)
    rows.position(app, ended)
    reader = connect_as("rubi_readonly")
    assert reader.execute(
        "SELECT symbol, currency, positions, long_volume, short_volume, net_volume, net_profit"
        " FROM exposure_by_symbol ORDER BY symbol"
    ).fetchall() == [("EURUSD", "EUR", 2, 3, 1, 2, 5), ("GOOG", "EUR", 1, 1, 0, 1, 5)]
    assert reader.execute(
        "SELECT currency, positions, symbols, net_profit FROM exposure_by_currency"
    ).fetchall() == [("EUR", 3, 2, 10)]


def test_slippage_is_what_a_fill_is_worse_and_latency_from_receipt(
    app: psycopg.Connection, connect_as: Connect
) -> None:
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    for kind, fill in (("BUY", "1.1003"), ("SELL", "1.1003")):
        signal = rows.signal(
            app, user, strategy_id=strategy, signal_type=kind, entry_price="1.1000",
            status="EXECUTED", received_at="2026-01-05 10:00:01+00",
            executed_at="2026-01-05 10:00:01.25+00",
        )  # fmt: skip
        rows.closed_order(app, user, signal_id=signal, open_price=fill)
    rows.signal(app, user, strategy_id=strategy, status="REJECTED")
    rows.signal(app, user, strategy_id=strategy)
    reader = connect_as("rubi_readonly")
    assert reader.execute(
        "SELECT signal_type, slippage, latency, transit FROM signal_executions ORDER BY signal_id"
    ).fetchall() == [
        ("BUY", Decimal("0.0003"), timedelta(milliseconds=250), timedelta(seconds=1)),
        ("SELL", Decimal("-0.0003"), timedelta(milliseconds=250), timedelta(seconds=1)),
    ]
    assert reader.execute(
        "SELECT signals, priced_signals, average_slippage, worst_slippage, median_latency"
        " FROM execution_quality"
    ).fetchall() == [(2, 2, 0, Decimal("0.0003"), timedelta(milliseconds=250))]
    assert reader.execute(
        "SELECT signals, pending, rejected, expired, executed, orders, closed, won,"
        " round(execution_rate, 4) FROM signal_funnel"
    ).fetchall() == [(4, 1, 1, 0, 2, 2, 2, 2, Decimal("66.6667"))]


def test_risk_is_measured_from_the_high_the_day_and_the_margin_levels(
    app: psycopg.Connection, connect_as: Connect
) -> None:
    user = rows.user(app)
    number, session = account(app, user, balance=1000, equity=900, margin=500)
    reader = connect_as("rubi_readonly")
    day_start = reader.execute("SELECT find_server_day_start(%s, now())", [number]).fetchone()[0]
    rows.snapshot(app, session, equity=1200, timestamp=day_start - timedelta(days=3))
    rows.snapshot(
        app, session, balance=1050, equity=1100, timestamp=day_start - timedelta(seconds=1)
    )
    rows.snapshot(app, session, balance=7, equity=8, timestamp=day_start + timedelta(seconds=1))
    risk = (
        "SELECT equity_high, drawdown, drawdown_percent, day_balance, day_equity,"
        " loss_against_balance, loss_against_equity, margin_level, distance_to_margin_call,"
        " distance_to_stop_out FROM account_risk"
    )
    assert reader.execute(risk).fetchall() == [
        (1200, 300, 25, 1050, 1100, 150, 200, 180, None, None)
    ]
    app.execute(
        "UPDATE mt5_accounts SET margin_so_mode = 0, margin_so_call = 100, margin_so_so = 50"
    )
    assert reader.execute(risk).fetchone()[-2:] == (400, 650)


@pytest.mark.parametrize(
    ("at", "start"),
    [
        ("2026-01-07 21:59+00", datetime(2026, 1, 6, 22, tzinfo=UTC)),
        ("2026-01-07 22:00+00", datetime(2026, 1, 7, 22, tzinfo=UTC)),
        # New York has changed its clocks, Europe not yet
        ("2026-03-10 21:30+00", datetime(2026, 3, 10, 21, tzinfo=UTC)),
    ],
)
def test_the_server_day_begins_when_new_york_stops_trading(
    app: psycopg.Connection, at: str, start: datetime
) -> None:
    found = app.execute("SELECT find_server_day_start(1, %s)", [at]).fetchone()[0]
    assert found == start, at


@pytest.mark.parametrize(
    ("at", "start"),
    [
        # UTC + 3 until the clock showed February, Athens (UTC + 2, from March 29 on + 3) since
        ("2026-01-07 20:59+00", datetime(2026, 1, 6, 21, tzinfo=UTC)),
        ("2026-01-07 21:00+00", datetime(2026, 1, 7, 21, tzinfo=UTC)),
        ("2026-02-10 21:59+00", datetime(2026, 2, 9, 22, tzinfo=UTC)),
        ("2026-02-10 22:00+00", datetime(2026, 2, 10, 22, tzinfo=UTC)),
        ("2026-04-10 21:00+00", datetime(2026, 4, 10, 21, tzinfo=UTC)),
    ],
)
def test_the_server_day_follows_the_rules_of_the_server_s_clock(
    app: psycopg.Connection, at: str, start: datetime
) -> None:
    number, _ = account(app, rows.user(app))
    server = app.execute("SELECT server FROM mt5_accounts WHERE id = %s", [number]).fetchone()[0]
    app.execute(
        "INSERT INTO mt5_server_clocks (server, valid_from, clock) VALUES"
        " (%s, '-infinity', 'UTC+3'), (%s, '2026-02-01', 'Europe/Athens')",
        [server, server],
    )
    found = app.execute("SELECT find_server_day_start(%s, %s)", [number, at]).fetchone()[0]
    assert found == start, at


@pytest.mark.parametrize(
    ("at", "start"),
    [
        # in the Azores the clock goes back from 1 to 0 on October 25: 1:00 UTC
        ("2026-10-24 23:59+00", datetime(2026, 10, 24, 0, tzinfo=UTC)),
        ("2026-10-25 00:30+00", datetime(2026, 10, 25, 0, tzinfo=UTC)),
        ("2026-10-25 01:30+00", datetime(2026, 10, 25, 0, tzinfo=UTC)),
        ("2026-10-26 00:59+00", datetime(2026, 10, 25, 0, tzinfo=UTC)),
        ("2026-10-26 01:00+00", datetime(2026, 10, 26, 1, tzinfo=UTC)),
    ],
)
def test_a_day_begins_when_its_clock_shows_midnight_first(
    app: psycopg.Connection, at: str, start: datetime
) -> None:
    number, _ = account(app, rows.user(app), server="Azores")
    app.execute(
        "INSERT INTO mt5_server_clocks (server, clock) VALUES ('Azores', 'Atlantic/Azores')"
    )
    found = app.execute("SELECT find_server_day_start(%s, %s)", [number, at]).fetchone()[0]
    assert found == start


def test_margin_levels_come_with_the_account_and_stay_when_it_does_not_tell(
    db: psycopg.Connection,
) -> None:
    user = rows.user(db)
    number = mt5.open_account(db, user, margin_so_call=80.0, margin_so_so=40.0)
    levels = "SELECT margin_so_mode, margin_so_call, margin_so_so FROM mt5_accounts WHERE id = %s"
    assert db.execute(levels, [number]).fetchone() == (0, 80, 40)
    silent = mt5.account()
    for field in ("margin_so_mode", "margin_so_call", "margin_so_so"):
        del silent[field]
    db.execute("SELECT ingest_mt5_account(%s, %s)", [user, Jsonb(silent)])
    assert db.execute(levels, [number]).fetchone() == (0, 80, 40)
    mt5.open_account(db, user, margin_so_call=90.0, margin_so_so=45.0)
    assert db.execute(levels, [number]).fetchone() == (0, 90, 45)
