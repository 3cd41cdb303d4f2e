"""refresh_performance_metrics: what is stored, replaced and refused, also while others write."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable
from decimal import Decimal

import psycopg
import pytest
from psycopg import errors

import rows
from histories import calculate
from performing import PERIOD, account, trade


def test_refresh_stores_every_user_and_strategy_as_calculated_and_replaces(
    app: psycopg.Connection,
) -> None:
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    trade(app, user, 5, 10, strategy_id=strategy)
    own = rows.metrics(app, user)  # written by a client: nobody's business
    for net in (None, Decimal("-3.25")):
        if net:
            trade(app, user, 6, net)
        stored = app.execute("SELECT refresh_performance_metrics(%s, %s)", PERIOD).fetchone()[0]
        assert stored == 3  # the administrator, the user, the strategy
    for who in (None, strategy):
        cursor = app.cursor(row_factory=psycopg.rows.dict_row)
        cursor.execute(
            "SELECT * FROM performance_metrics WHERE user_id = %s AND method_version = 1"
            " AND strategy_id IS NOT DISTINCT FROM %s",
            [user, who],
        )
        (row,) = cursor.fetchall()
        expected = calculate(app, user, who, *PERIOD)
        for name in ("id", "calculated_at"):
            assert row.pop(name) and expected.pop(name, True) is not False
        assert row == expected
    assert app.execute("SELECT count(*) FROM performance_metrics WHERE id = %s", [own]).fetchone()


@pytest.mark.parametrize(
    ("closed", "trades", "stored"),
    [
        (None, 0, 2),
        ("2026-01-20 00:00+00", 0, 2),
        ("2025-12-31 00:00+00", 0, 0),
        ("2025-12-31 00:00+00", 1, 2),  # the broker's clock was wrong, or a row came late
    ],
)
def test_refresh_stores_nothing_of_who_was_closed_before_the_period(
    db: psycopg.Connection, closed: str | None, trades: int, stored: int
) -> None:
    user = rows.user(db)
    strategy = rows.strategy(db, user)
    for day in range(5, 5 + trades):
        trade(db, user, day, 10, strategy_id=strategy)
    db.execute(
        "UPDATE users SET is_active = %s, closed_at = %s WHERE id = %s",
        [closed is None, closed, user],
    )
    db.execute("SELECT refresh_performance_metrics(%s, %s)", PERIOD)
    found = db.execute(
        "SELECT count(*) FROM performance_metrics WHERE user_id = %s", [user]
    ).fetchone()
    assert found == (stored,)


def test_metrics_of_a_deleted_strategy_go_with_it(app: psycopg.Connection) -> None:
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    for who in (None, strategy):
        rows.metrics(app, user, strategy_id=who)
    app.execute("DELETE FROM trading_strategies WHERE id = %s", [strategy])
    assert app.execute("SELECT strategy_id FROM performance_metrics").fetchall() == [(None,)]


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"sharpe_ratio": "NaN"}, "performance_metrics_figures_finite_check"),
        ({"sortino_ratio": "Infinity"}, "performance_metrics_figures_finite_check"),
        ({"equity_drawdown_relative": "NaN"}, "performance_metrics_figures_finite_check"),
        ({"balance_drawdown_relative": -1}, "performance_metrics_drawdowns_not_negative_check"),
        ({"reasons": "[]"}, "performance_metrics_reasons_form_check"),
        ({"basis": "guess"}, "performance_metrics_basis_known_check"),
        ({"observations": -1}, "performance_metrics_observations_not_negative_check"),
        ({"account_id": 1}, "performance_metrics_one_account_is_not_all_check"),
    ],
)
def test_stored_figure_without_sense_is_refused(
    rolled_back: psycopg.Connection, values: dict[str, object], constraint: str
) -> None:
    user = rows.user(rolled_back)
    with pytest.raises(errors.CheckViolation) as error:
        rows.metrics(rolled_back, user, **values)
    assert error.value.diag.constraint_name == constraint


def test_stored_figures_below_zero_and_drawdowns_of_zero_are_accepted(
    rolled_back: psycopg.Connection,
) -> None:
    good = {"sharpe_ratio": -1, "sortino_ratio": 2, "balance_drawdown_relative": 0}
    rows.metrics(rolled_back, rows.user(rolled_back), basis="equity", observations=0, **good)


def test_balance_operations_are_stored_once_and_never_of_nothing(db: psycopg.Connection) -> None:
    user = rows.user(db)
    number, _ = account(db, user)
    values = {"user_id": user, "account_id": number, "occurred_at": PERIOD[0], "mt5_deal_id": "1"}
    refused = {0: "balance_operations_amount_not_zero_check", "NaN": "amount_not_nan_check"}
    for amount, rule in refused.items():
        with pytest.raises(errors.CheckViolation) as error:
            rows.insert(db, "balance_operations", amount=amount, **values)
        assert error.value.diag.constraint_name == rule
    rows.insert(db, "balance_operations", amount=-1, **values)
    with pytest.raises(errors.UniqueViolation) as error:
        rows.insert(db, "balance_operations", amount=-1, **values)
    assert error.value.diag.constraint_name == "balance_operations_mt5_deal_id_account_id_key"


def test_refresh_while_orders_are_written_never_counts_half(
    app: psycopg.Connection, connect_as: Callable[..., psycopg.Connection]
) -> None:
    """Every transaction writes a win and the same loss: each row is even, and its net is zero."""
    user = rows.user(app)
    strategies = [rows.strategy(app, user) for _ in range(3)]
    done = threading.Event()
    failures: list[BaseException] = []
    written: list[int] = []
    seen: set[int] = set()

    def write() -> None:
        try:
            connection = connect_as("rubi_app", autocommit=False)
            for number in itertools.count():
                if number >= 120 and (len(seen) > 2 or number == 5000):
                    return
                written.append(number)
                for net in (number + 1, -number - 1):
                    trade(
                        connection, user, 1 + number % 28, net, strategy_id=strategies[number % 3]
                    )
                connection.commit()
        except BaseException as error:
            failures.append(error)
        finally:
            done.set()

    def refresh() -> None:
        try:
            connection = connect_as("rubi_app")
            while not done.is_set():
                connection.execute("SELECT refresh_performance_metrics(%s, %s)", PERIOD)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for work in (write, refresh, refresh)]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for trades, won, lost, net, gain, loss in app.execute(
            "SELECT total_trades, winning_trades, losing_trades, total_profit, gross_profit,"
            " gross_loss FROM performance_metrics WHERE user_id = %s",
            [user],
        ):
            assert (won, lost, net, gain) == (trades // 2, trades // 2, 0, -loss)
            assert trades % 2 == 0
            seen.add(trades)
    assert not failures
    assert len(seen) > 2
    app.execute("SELECT refresh_performance_metrics(%s, %s)", PERIOD)
    assert app.execute(
        "SELECT strategy_id IS NULL, sum(total_trades) FROM performance_metrics"
        " WHERE user_id = %s GROUP BY 1 ORDER BY 1",
        [user],
    ).fetchall() == [(False, 2 * len(written)), (True, 2 * len(written))]


def test_failure_of_one_strategy_is_a_row_and_stops_nobody(
    db: psycopg.Connection, app: psycopg.Connection
) -> None:
    bad, good = rows.user(app), rows.user(app)
    spoilt, sound = rows.strategy(app, bad), rows.strategy(app, bad)
    for user, strategy in ((bad, spoilt), (bad, sound), (good, None)):
        trade(app, user, 5, 10, strategy_id=strategy)
    db.execute(
        "ALTER TABLE performance_metrics ADD CONSTRAINT spoilt CHECK"
        f" (strategy_id IS DISTINCT FROM {spoilt})"
    )
    app.execute("SELECT refresh_performance_metrics(%s, %s)", PERIOD)
    measured = "SELECT user_id, strategy_id FROM performance_metrics WHERE total_trades > 0"
    assert set(app.execute(measured)) == {(bad, None), (bad, sound), (good, None)}
    failures = "SELECT user_id, strategy_id, code FROM monitoring.performance_failures"
    assert db.execute(failures).fetchall() == [(bad, spoilt, "23514")]
    # the next one that can, does
    db.execute("ALTER TABLE performance_metrics DROP CONSTRAINT spoilt")
    app.execute("SELECT refresh_performance_metrics(%s, %s)", PERIOD)
    assert (bad, spoilt) in set(app.execute(measured))
    assert db.execute(failures).fetchall() == []


def test_fault_of_the_server_stops_the_refresh(
    db: psycopg.Connection, app: psycopg.Connection
) -> None:
    trade(app, rows.user(app), 5, 10)
    db.execute(
        "CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE disk_full; END $$;"
        " CREATE TRIGGER full_disk BEFORE INSERT ON performance_metrics"
        " FOR EACH ROW EXECUTE FUNCTION fill()"
    )
    with pytest.raises(psycopg.errors.DiskFull):
        app.execute("SELECT refresh_performance_metrics(%s, %s)", PERIOD)
