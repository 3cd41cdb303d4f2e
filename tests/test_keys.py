"""Keys and references: what is unique for whom, what may name what, what goes when a row goes."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors

import rows


@pytest.mark.parametrize(("column", "typed"), [("email", "NAME@X.org"), ("username", "NAME")])
def test_users_are_unique_without_regard_to_case(
    app: psycopg.Connection, column: str, typed: str
) -> None:
    rows.user(app, email="name@x.org", username="name")
    with pytest.raises(errors.UniqueViolation) as caught:
        rows.user(app, **{column: typed})
    assert caught.value.diag.constraint_name == f"users_{column}_lower_key"


def test_same_ticket_at_two_brokers_is_two_positions(app: psycopg.Connection) -> None:
    user = rows.user(app)
    for server in ("One-Live", "Two-Live"):
        session = rows.session(app, user, server=server)
        rows.position(app, session, ticket="777")
    assert app.execute("SELECT count(*) FROM trading_positions").fetchone()[0] == 2


def test_same_ticket_twice_in_an_account_is_refused(app: psycopg.Connection) -> None:
    user = rows.user(app)
    rows.position(app, rows.session(app, user), ticket="777")
    with pytest.raises(errors.UniqueViolation) as caught:  # a second session, the same account
        rows.position(app, rows.session(app, user), ticket="777")
    assert caught.value.diag.constraint_name == "trading_positions_ticket_account_id_key"


def test_same_order_number_in_two_accounts_is_two_orders(app: psycopg.Connection) -> None:
    user = rows.user(app)
    for number in ("1", "2"):
        rows.session(app, user, account_number=number)
    for (account,) in app.execute("SELECT id FROM mt5_accounts").fetchall():
        rows.order(app, user, mt5_order_id="5", account_id=account)
        with pytest.raises(errors.UniqueViolation):
            rows.order(app, user, mt5_order_id="5", account_id=account)


def test_order_number_without_account_is_unique_for_its_user(app: psycopg.Connection) -> None:
    one, other = rows.user(app), rows.user(app)
    rows.order(app, one, mt5_order_id="5")
    rows.order(app, other, mt5_order_id="5")
    with pytest.raises(errors.UniqueViolation) as caught:
        rows.order(app, one, mt5_order_id="5")
    assert caught.value.diag.constraint_name == "trading_orders_user_id_mt5_order_id_key"


def test_orders_without_a_number_are_not_duplicates(app: psycopg.Connection) -> None:
    user = rows.user(app)
    rows.order(app, user)
    rows.order(app, user)


@pytest.mark.parametrize("make_row", [rows.signal, rows.order])
def test_retried_request_is_stored_once(
    app: psycopg.Connection, make_row: Callable[..., int]
) -> None:
    one, other = rows.user(app), rows.user(app)
    make_row(app, one, client_request_id="r-1")
    make_row(app, other, client_request_id="r-1")
    with pytest.raises(errors.UniqueViolation) as caught:
        make_row(app, one, client_request_id="r-1")
    assert caught.value.diag.constraint_name.endswith("user_id_client_request_id_key")


@pytest.mark.parametrize(
    ("make_row", "parent", "constraint"),
    [
        (rows.signal, "strategy", "trading_signals_strategy_id_user_id_fkey"),
        (rows.order, "strategy", "trading_orders_strategy_id_user_id_fkey"),
        (rows.order, "signal", "trading_orders_signal_id_user_id_fkey"),
        (rows.order, "account", "trading_orders_account_id_user_id_fkey"),
        (rows.metrics, "strategy", "performance_metrics_strategy_id_user_id_fkey"),
    ],
)
def test_rows_of_another_user_cannot_be_named(
    app: psycopg.Connection, make_row: Callable[..., object], parent: str, constraint: str
) -> None:
    one, other = rows.user(app), rows.user(app)
    rows.session(app, other)
    foreign = {
        "strategy": rows.strategy(app, other),
        "signal": rows.signal(app, other),
        "account": app.execute("SELECT id FROM mt5_accounts").fetchone()[0],
    }[parent]
    with pytest.raises(errors.ForeignKeyViolation) as caught:
        make_row(app, one, **{f"{parent}_id": foreign})
    assert caught.value.diag.constraint_name == constraint
    make_row(app, other, **{f"{parent}_id": foreign})


@pytest.mark.parametrize("history", ["order", "snapshot"])
def test_user_with_money_history_is_not_deleted(app: psycopg.Connection, history: str) -> None:
    user = rows.user(app)
    session = rows.session(app, user)
    rows.order(app, user) if history == "order" else rows.snapshot(app, session)
    with pytest.raises(errors.ForeignKeyViolation):
        app.execute("DELETE FROM users WHERE id = %s", [user])


def test_user_without_money_history_is_deleted_with_all_that_hangs_on_it(
    app: psycopg.Connection,
) -> None:
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    rows.signal(app, user, strategy_id=strategy)
    rows.position(app, rows.session(app, user))
    rows.metrics(app, user, strategy_id=strategy)
    app.execute("DELETE FROM users WHERE id = %s", [user])
    for table in ("trading_strategies", "trading_signals", "mt5_sessions", "trading_positions"):
        assert app.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0


def test_deleted_strategy_leaves_signals_and_orders(app: psycopg.Connection) -> None:
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    signal = rows.signal(app, user, strategy_id=strategy)
    rows.closed_order(app, user, signal_id=signal)
    app.execute("DELETE FROM trading_strategies WHERE id = %s", [strategy])
    found = app.execute(
        "SELECT s.strategy_id, o.strategy_id, o.user_id FROM trading_signals AS s"
        " JOIN trading_orders AS o ON o.signal_id = s.id"
    ).fetchone()
    assert found == (None, None, user)


def test_deleted_signal_leaves_its_order(app: psycopg.Connection) -> None:
    user = rows.user(app)
    signal = rows.signal(app, user)
    order = rows.order(app, user, signal_id=signal)
    app.execute("DELETE FROM trading_signals WHERE id = %s", [signal])
    assert app.execute("SELECT id, signal_id FROM trading_orders").fetchall() == [(order, None)]


def test_ids_of_the_client_are_kept(app: psycopg.Connection) -> None:
    user = rows.user(app, id=5000)
    assert user == 5000
    assert rows.order(app, user, id=77) == 77
    assert rows.bar(app, id=9) == 9
