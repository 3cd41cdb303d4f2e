"""updated_at, accounts of rows, strategies of orders, signal status."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import errors

import rows


@pytest.mark.parametrize(
    "table", ["users", "trading_strategies", "mt5_sessions", "trading_positions"]
)
def test_updated_at_follows_an_update(app: psycopg.Connection, table: str) -> None:
    user = rows.user(app)
    rows.strategy(app, user)
    rows.position(app, rows.session(app, user))
    query = f"UPDATE {table} SET id = id RETURNING updated_at = now()"
    assert app.execute(f"UPDATE {table} SET updated_at = '2000-01-01'").rowcount
    assert all(row[0] for row in app.execute(query).fetchall())


def test_one_function_sets_updated_at(catalog: psycopg.Connection) -> None:
    """So that moving in can put it off on a table, and no other rule with it."""
    found = catalog.execute(
        "SELECT t.tgrelid::regclass::text, t.tgfoid::regproc::text FROM pg_trigger AS t"
        " WHERE t.tgname LIKE '%_90_updated_at' AND t.tgrelid = ANY ("
        "'{users, trading_strategies, mt5_sessions, trading_positions}'::regclass[]) ORDER BY 1"
    ).fetchall()
    assert found == [
        (table, "set_updated_at")
        for table in ("mt5_sessions", "trading_positions", "trading_strategies", "users")
    ]


def test_session_gets_the_account_of_server_and_login(app: psycopg.Connection) -> None:
    user = rows.user(app)
    for values in ({"server": "A"}, {"server": "A"}, {"server": "B"}, {}, {"server": " "}):
        rows.session(app, user, **values)
    rows.session(app, rows.user(app), server="A")
    found = app.execute(
        "SELECT a.server, count(*) FROM mt5_sessions AS s JOIN mt5_accounts AS a"
        " ON a.id = s.account_id GROUP BY a.id ORDER BY 1, 2"
    ).fetchall()
    # the broker's name stands in for a missing server; another user's login is another account
    assert found == [("A", 1), ("A", 2), ("B", 1), ("Broker", 2)]


def test_session_that_changes_its_login_changes_its_account(app: psycopg.Connection) -> None:
    user = rows.user(app)
    rows.session(app, user)
    app.execute("UPDATE mt5_sessions SET account_number = '2002'")
    found = app.execute(
        "SELECT a.account_number FROM mt5_sessions AS s JOIN mt5_accounts AS a"
        " ON a.id = s.account_id"
    ).fetchall()
    assert found == [("2002",)]


def test_two_first_sessions_of_an_account_at_once_make_one_account(
    app: psycopg.Connection, connect_as: Callable[..., psycopg.Connection]
) -> None:
    user = rows.user(app)
    connections = [connect_as("rubi_app") for _ in range(4)]
    with ThreadPoolExecutor() as pool:
        list(pool.map(lambda c: [rows.session(c, user) for _ in range(10)], connections))
    assert app.execute("SELECT count(*) FROM mt5_accounts").fetchone()[0] == 1


def test_position_takes_the_account_of_its_session(app: psycopg.Connection) -> None:
    position = rows.position(app, rows.session(app, rows.user(app)))
    found = app.execute(
        "SELECT p.account_id = s.account_id FROM trading_positions AS p"
        " JOIN mt5_sessions AS s USING (session_id) WHERE p.id = %s",
        [position],
    ).fetchone()
    assert found == (True,)


def test_position_of_an_unknown_session_is_refused(app: psycopg.Connection) -> None:
    with pytest.raises(errors.ForeignKeyViolation) as caught:
        rows.position(app, "00000000-0000-4000-8000-000000000000")
    assert caught.value.diag.constraint_name == "trading_positions_session_id_fkey"


def test_order_takes_the_strategy_of_its_signal(app: psycopg.Connection) -> None:
    user = rows.user(app)
    strategy, other = rows.strategy(app, user), rows.strategy(app, user)
    taken = rows.order(app, user, signal_id=rows.signal(app, user, strategy_id=strategy))
    given = rows.order(
        app, user, signal_id=rows.signal(app, user, strategy_id=strategy), strategy_id=other
    )
    later = rows.order(app, user)
    app.execute(
        "UPDATE trading_orders SET signal_id = %s WHERE id = %s",
        [rows.signal(app, user, strategy_id=strategy), later],
    )
    found = dict(app.execute("SELECT id, strategy_id FROM trading_orders").fetchall())
    assert found == {taken: strategy, given: other, later: strategy}


@pytest.mark.parametrize("status", ["EXECUTED", "REJECTED", "EXPIRED"])
def test_pending_signal_can_be_decided_once(app: psycopg.Connection, status: str) -> None:
    signal = rows.signal(app, rows.user(app))
    app.execute("UPDATE trading_signals SET status = %s WHERE id = %s", [status, signal])
    app.execute("UPDATE trading_signals SET status = %s WHERE id = %s", [status, signal])
    for other in {"PENDING", "EXECUTED", "REJECTED", "EXPIRED"} - {status}:
        with pytest.raises(psycopg.DatabaseError) as caught:
            app.execute("UPDATE trading_signals SET status = %s WHERE id = %s", [other, signal])
        assert caught.value.sqlstate == "RB010"
        assert caught.value.diag.constraint_name == "trading_signals_status_from_pending"


def test_executed_signal_says_when(app: psycopg.Connection) -> None:
    user = rows.user(app)
    inserted = rows.signal(app, user, status="EXECUTED")
    updated = rows.signal(app, user)
    app.execute("UPDATE trading_signals SET status = 'EXECUTED' WHERE id = %s", [updated])
    given = rows.signal(app, user, status="EXECUTED", executed_at="2026-01-05 10:00+00")
    found = app.execute(
        "SELECT id FROM trading_signals WHERE executed_at > now() - interval '1 minute' ORDER BY 1"
    ).fetchall()
    assert found == [(inserted,), (updated,)]
    assert app.execute(
        "SELECT executed_at = '2026-01-05 10:00+00' FROM trading_signals WHERE id = %s", [given]
    ).fetchone()[0]
