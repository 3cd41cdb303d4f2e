"""Frozen history and the audit trail."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors

import mt5
import rows

Connect = Callable[..., psycopg.Connection]


def trail(connection: psycopg.Connection, table: str, row: int) -> list[tuple]:
    return connection.execute(
        "SELECT action, old_values, new_values FROM audit.changes"
        " WHERE table_name = %s AND row_id = %s ORDER BY id",
        [table, row],
    ).fetchall()


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("profit", 11), ("commission", -1), ("swap", -1), ("close_price", 2), ("open_price", 2),
        ("volume", 2), ("opened_at", "2026-01-05 09:00+00"), ("closed_at", "2026-01-06 09:00+00"),
        ("closed_at", None), ("symbol", "GBPUSD"), ("order_type", "SELL"),
    ],
)  # fmt: skip
def test_closed_order_is_frozen_for_the_api_and_not_for_the_owner(
    app: psycopg.Connection, connect_as: Connect, column: str, value: Any
) -> None:
    order = rows.closed_order(app, rows.user(app))
    statement = f"UPDATE trading_orders SET {column} = %s WHERE id = %s"
    with pytest.raises(psycopg.DatabaseError) as caught:
        app.execute(statement, [value, order])
    assert caught.value.sqlstate == "RB020"
    assert caught.value.diag.constraint_name == "trading_orders_closed_is_frozen"
    owner = connect_as("rubi_admin")
    owner.execute("SET ROLE rubi_owner")
    assert owner.execute(statement, [value, order]).rowcount == 1
    assert [action for action, *_ in trail(app, "trading_orders", order)] == ["INSERT", "UPDATE"]


def test_closed_order_without_an_account_may_be_given_its_own_once(app: psycopg.Connection) -> None:
    user = rows.user(app)
    order = rows.closed_order(app, user)
    for number in ("1001", "1002"):
        rows.session(app, user, account_number=number)
    statement = (
        "UPDATE trading_orders SET account_id = (SELECT id FROM mt5_accounts"
        " WHERE account_number = %s) WHERE id = %s"
    )
    assert app.execute(statement, ["1001", order]).rowcount == 1
    with pytest.raises(psycopg.DatabaseError) as caught:
        app.execute(statement, ["1002", order])
    assert caught.value.sqlstate == "RB020"


def test_closed_order_may_still_be_given_to_a_strategy(app: psycopg.Connection) -> None:
    user = rows.user(app)
    order, strategy = rows.closed_order(app, user), rows.strategy(app, user)
    app.execute(
        "UPDATE trading_orders SET strategy_id = %s, profit = profit, stop_loss = 1 WHERE id = %s",
        [strategy, order],
    )


def test_open_order_is_not_frozen(app: psycopg.Connection) -> None:
    order = rows.order(app, rows.user(app))
    app.execute("UPDATE trading_orders SET volume = 2, open_price = 3 WHERE id = %s", [order])


def test_counters_are_written_by_the_database_only(
    app: psycopg.Connection, connect_as: Connect
) -> None:
    user = rows.user(app)
    with pytest.raises(psycopg.DatabaseError) as caught:
        rows.strategy(app, user, total_trades=3)
    assert caught.value.sqlstate == "RB022"
    strategy = rows.strategy(app, user, total_trades=0)
    for column in ("total_trades", "total_profit"):
        with pytest.raises(psycopg.DatabaseError) as caught:
            app.execute(f"UPDATE trading_strategies SET {column} = 5 WHERE id = %s", [strategy])
        assert caught.value.sqlstate == "RB022"
    app.execute("UPDATE trading_strategies SET total_trades = 0, name = 'n'")
    owner = connect_as("rubi_admin")
    owner.execute("UPDATE trading_strategies SET total_trades = 5 WHERE id = %s", [strategy])


def test_trail_has_old_and_new_values_of_changed_columns(app: psycopg.Connection) -> None:
    app.execute("SET app.user_id = '7'")
    user = rows.user(app)
    order = rows.order(app, user)
    app.execute(
        "UPDATE trading_orders SET close_price = 1.2, profit = 5,"
        " closed_at = '2026-01-05 12:00+00' WHERE id = %s",
        [order],
    )
    app.execute("DELETE FROM trading_orders WHERE id = %s", [order])
    insert, update, delete = trail(app, "trading_orders", order)
    assert insert == ("INSERT", None, None)
    assert update[1] == {"profit": 0, "closed_at": None, "close_price": None}
    assert update[2]["profit"] == 5
    assert delete[1]["symbol"] == "EURUSD"
    assert delete[2] is None
    found = app.execute("SELECT DISTINCT login, app_user_id FROM audit.changes WHERE id > 1")
    assert found.fetchall() == [("rubi_app", "7")]


def test_trail_covers_users_accounts_and_strategies(app: psycopg.Connection) -> None:
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    rows.session(app, user)
    app.execute("UPDATE users SET is_superuser = TRUE WHERE id = %s", [user])
    app.execute("UPDATE trading_strategies SET name = 'new' WHERE id = %s", [strategy])
    app.execute("UPDATE mt5_accounts SET leverage = 30")
    assert trail(app, "users", user)[1] == (
        "UPDATE", {"is_superuser": False}, {"is_superuser": True},
    )  # fmt: skip
    assert trail(app, "trading_strategies", strategy)[1][2] == {"name": "new"}
    account = app.execute("SELECT id FROM mt5_accounts").fetchone()[0]
    assert [row[0] for row in trail(app, "mt5_accounts", account)] == ["INSERT", "UPDATE"]


def test_trail_never_holds_a_hash(app: psycopg.Connection) -> None:
    user = rows.user(app)
    app.execute("UPDATE users SET hashed_password = %s", ["$2b$12$" + "b" * 53])
    app.execute("DELETE FROM users WHERE id = %s", [user])
    text = app.execute("SELECT string_agg(c::text, ' ') FROM audit.changes AS c").fetchone()[0]
    assert "$2b$" not in text
    assert text.count("(not kept)") >= 3


def test_update_that_changes_nothing_leaves_no_trace(app: psycopg.Connection) -> None:
    user = rows.user(app)
    app.execute("UPDATE users SET username = username WHERE id = %s", [user])
    assert [row[0] for row in trail(app, "users", user)] == ["INSERT"]


def test_update_of_all_columns_leaves_all_their_values(
    db: psycopg.Connection, app: psycopg.Connection
) -> None:
    user, other = rows.user(app), rows.user(app)
    order = rows.closed_order(app, user)
    signal, strategy = rows.signal(app, other), rows.strategy(app, other)
    account = mt5.open_account(db, other)
    db.execute(
        "UPDATE trading_orders SET id = 99, signal_id = %s, user_id = %s, strategy_id = %s,"
        " account_id = %s, mt5_order_id = '1', mt5_position_id = '2', symbol = 'GBPUSD',"
        " order_type = 'SELL', volume = 2, open_price = 2, close_price = 3, stop_loss = 4,"
        " take_profit = 5, profit = 6, commission = 7, swap = 8,"
        " opened_at = opened_at - interval '1 hour', closed_at = closed_at + interval '1 hour',"
        " time_ambiguous = TRUE, client_request_id = 'r' WHERE id = %s",
        [signal, other, strategy, account, order],
    )
    columns = set(app.execute("SELECT to_jsonb(o) FROM trading_orders AS o").fetchone()[0])
    columns -= {"made_by"}  # an order with a signal is the API's
    _, (action, old, new) = trail(app, "trading_orders", order)
    assert action == "UPDATE"
    assert set(old) == set(new) == columns
    assert (old["symbol"], new["symbol"]) == ("EURUSD", "GBPUSD")


def test_trail_is_read_by_time_through_an_index(db: psycopg.Connection) -> None:
    db.execute("SET enable_seqscan = off")
    plan = db.execute(
        "EXPLAIN SELECT FROM audit.changes WHERE changed_at >= '2026-01-01 00:00+00'"
        " AND changed_at < '2026-01-02 00:00+00'"
    ).fetchall()
    assert "idx_changes_changed_at" in str(plan)


def test_counters_leave_no_trace(app: psycopg.Connection) -> None:
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    rows.closed_order(app, user, strategy_id=strategy)
    assert [row[0] for row in trail(app, "trading_strategies", strategy)] == ["INSERT"]


@pytest.mark.parametrize(
    "role", ["rubi_app", "rubi_tenant", "rubi_readonly", "rubi_monitor", "rubi_backup"]
)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit.changes SET login = 'x'",
        "DELETE FROM audit.changes",
        "TRUNCATE audit.changes",
        "INSERT INTO audit.changes (table_name, row_id, action) VALUES ('users', 1, 'DELETE')",
    ],
)
def test_trail_is_append_only(db: psycopg.Connection, role: str, statement: str) -> None:
    rows.user(db)
    db.execute(f"SET ROLE {role}")
    with pytest.raises((errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)):
        db.execute(statement)


# Each column of an order with another value, in SQL.
CHANGED = {
    "id": "id + 1000", "signal_id": "(SELECT max(id) FROM trading_signals)",
    "user_id": "(SELECT max(id) FROM users)",
    "strategy_id": "(SELECT max(id) FROM trading_strategies)",
    "account_id": "(SELECT max(id) FROM mt5_accounts)", "mt5_order_id": "'7'",
    "mt5_position_id": "'8'", "symbol": "'GBPUSD'", "order_type": "'SELL'", "volume": "0.3",
    "open_price": "NULL", "close_price": "1.5", "stop_loss": "1.1", "take_profit": "1.3",
    "profit": "-4", "commission": "-0.7", "swap": "-0.2", "opened_at": "opened_at - interval '1 d'",
    "closed_at": "closed_at + interval '1 d'", "time_ambiguous": "TRUE",
    "client_request_id": "'again'", "made_by": "'deals'",
}  # fmt: skip


def test_each_column_of_an_order_is_among_the_changed_ones(catalog: psycopg.Connection) -> None:
    columns = catalog.execute(
        "SELECT array_agg(attname::text) FROM pg_attribute"
        " WHERE attrelid = 'trading_orders'::regclass AND attnum > 0 AND NOT attisdropped"
    ).fetchone()[0]
    assert set(columns) == set(CHANGED)


@pytest.mark.parametrize(
    "columns",
    [[name] for name in CHANGED]
    + [
        ["close_price", "profit", "commission", "swap", "closed_at"],
        ["close_price", "profit", "commission", "swap", "closed_at", "stop_loss"],
        ["profit", "symbol"],
    ],
    ids=",".join,
)
def test_trail_of_an_order_has_the_changed_columns_and_no_other(
    db: psycopg.Connection, columns: list[str]
) -> None:
    user = rows.user(db)
    rows.session(db, user)
    rows.strategy(db, user)
    rows.signal(db, user)
    order = rows.closed_order(db, user)
    rows.user(db, email="other@example.com", username="other")
    whole = "SELECT to_jsonb(o) FROM trading_orders AS o"
    before = db.execute(whole).fetchone()[0]
    db.execute(f"UPDATE trading_orders SET {', '.join(f'{c} = {CHANGED[c]}' for c in columns)}")
    after = db.execute(whole).fetchone()[0]
    named = {column for column in before if before[column] != after[column]}
    assert named >= set(columns)
    assert trail(db, "trading_orders", order)[1:] == [
        ("UPDATE", {c: before[c] for c in named}, {c: after[c] for c in named})
    ]


def test_update_of_an_order_that_changes_nothing_leaves_no_trace(app: psycopg.Connection) -> None:
    order = rows.closed_order(app, rows.user(app))
    app.execute("UPDATE trading_orders SET profit = profit, symbol = symbol")
    assert [action for action, *_ in trail(app, "trading_orders", order)] == ["INSERT"]


def make_by_ingest(db: psycopg.Connection, account: int) -> None:
    mt5.ingest(db, "deals", account, [mt5.deal(ticket=n) for n in (1, 2, 3)])


def make_by_deleting(db: psycopg.Connection, account: int) -> None:
    make_by_ingest(db, account)
    db.execute("DELETE FROM trading_orders")


def make_by_rebuilding(db: psycopg.Connection, account: int) -> None:
    make_by_ingest(db, account)
    db.execute("DELETE FROM mt5_trips")
    db.execute("DELETE FROM trading_orders")
    db.execute("SELECT rebuild_mt5_trips(%s)", [account])


def make_by_hand(db: psycopg.Connection, account: int) -> None:
    user = db.execute("SELECT user_id FROM mt5_accounts WHERE id = %s", [account]).fetchone()[0]
    for _ in range(3):
        rows.order(db, user, account_id=account, made_by="deals")


@pytest.mark.parametrize(
    "make", [make_by_ingest, make_by_deleting, make_by_rebuilding, make_by_hand]
)
def test_order_made_from_deals_leaves_one_trace(
    db: psycopg.Connection, make: Callable[[psycopg.Connection, int], None]
) -> None:
    account = mt5.open_account(db, rows.user(db))
    db.execute("SELECT set_config('app.user_id', user_id::text, FALSE) FROM mt5_accounts")
    make(db, account)
    assert (
        db.execute(
            "SELECT o.made_by, c.action, c.login = session_user, c.app_user_id = o.user_id::text"
            " FROM trading_orders AS o LEFT JOIN audit.changes AS c"
            " ON c.table_name = 'trading_orders' AND c.row_id = o.id ORDER BY o.id"
        ).fetchall()
        == [("deals", "INSERT", True, True)] * 3
    )
