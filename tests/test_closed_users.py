"""Closing a user: final, complete and repeatable."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

import mt5
import rows
from interleaving import walk

Connect = Callable[..., psycopg.Connection]

CLOSED_WRITES = {
    "user": "UPDATE users SET email = 'jane@example.com' WHERE id = {user}",
    "reopening": "UPDATE users SET closed_at = NULL, is_active = TRUE WHERE id = {user}",
    "strategy": "INSERT INTO trading_strategies (user_id, name) VALUES ({user}, 's')",
    "strategy again": "UPDATE trading_strategies SET is_active = TRUE WHERE user_id = {user}",
    "signal": "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time)"
    " VALUES ({user}, 'EURUSD', 'BUY', 1, now())",
    "signal again": "UPDATE trading_signals SET status_message = 'x' WHERE user_id = {user}",
    "order": "INSERT INTO trading_orders (user_id, symbol, order_type, volume)"
    " VALUES ({user}, 'EURUSD', 'BUY', 1)",
    "order again": "UPDATE trading_orders SET stop_loss = 1 WHERE user_id = {user}",
    "account": "INSERT INTO mt5_accounts (user_id, server, account_number, broker)"
    " VALUES ({user}, 's', '1', 'b')",
    "account again": "UPDATE mt5_accounts SET account_number = '471108150' WHERE user_id = {user}",
    "session": "INSERT INTO mt5_sessions (user_id, account_number, broker)"
    " VALUES ({user}, '471108150', 'b')",
    "heartbeat": "UPDATE mt5_sessions SET last_ping = now() WHERE user_id = {user}",
    "position": "INSERT INTO trading_positions (session_id, ticket, symbol, type, volume,"
    " open_price, current_price, open_time)"
    " SELECT session_id, '1', 'EURUSD', 'BUY', 1, 1, 1, now() FROM mt5_sessions"
    " WHERE user_id = {user} LIMIT 1",
    "snapshot": "INSERT INTO account_snapshots (session_id, balance, equity)"
    " SELECT session_id, 1, 1 FROM mt5_sessions WHERE user_id = {user} LIMIT 1",
    "journal": "INSERT INTO journal_entries (user_id, account_id, order_ticket)"
    " VALUES ({user}, {account}, 1)",
    "journal's tag": "INSERT INTO journal_tags (user_id, kind, name)"
    " VALUES ({user}, 'setup', 'mine')",
    "journal's question": "INSERT INTO journal_questions (user_id, question)"
    " VALUES ({user}, 'mine?')",
    "state": "UPDATE mt5_account_states SET name = 'Jane' WHERE account_id = {account}",
    "reject": "INSERT INTO mt5_rejects (account_id, source, reason, element)"
    " VALUES ({account}, 'deals', 'x', '{{}}')",
    "gateway's heartbeat": "SELECT ingest_mt5_account({user}, '{info}')",
    "gateway's deals": "SELECT ingest_mt5_deals({account}, '[]')",
    "gateway's orders": "SELECT ingest_mt5_orders({account}, '[]')",
    "gateway's positions": "SELECT ingest_mt5_positions({account}, '[]', now())",
    "gateway's symbols": "SELECT ingest_mt5_symbols({account}, '[]', now())",
    "gateway's report": "SELECT ingest_mt5_report({account}, "
    '\'{{"first_msc": 1, "last_msc": 2, "deals": 1}}\')',
    "gateway's send": "SELECT log_mt5_order_send({account}, '{{}}', NULL, now())",
}


def lived(db: psycopg.Connection) -> dict[str, Any]:
    """A user with a row wherever one can be: the names for CLOSED_WRITES."""
    user = rows.user(db, email="jane@example.com", username="Jane")
    info = mt5.account(login=471108150, name="Jane Doe")
    account = mt5.open_account(db, user, login=471108150, name="Jane Doe")
    rows.strategy(db, user, name="Jane's best", description="of Jane")
    db.execute("UPDATE trading_strategies SET name = 'Jane''s very best'")
    gone = rows.strategy(db, user, name="Jane's worst")
    db.execute("UPDATE trading_strategies SET name = 'Jane''s lost' WHERE id = %s", [gone])
    db.execute("DELETE FROM trading_strategies WHERE id = %s", [gone])
    rows.signal(db, user, status="REJECTED", status_message="Jane said no")
    rows.order(db, user)
    session = db.execute("SELECT session_id FROM mt5_sessions").fetchone()[0]
    rows.position(db, session, comment="Jane")
    mt5.ingest(db, "deals", account, [{"ticket": "Jane"}])
    db.execute(
        "SELECT log_mt5_order_send(%s, %s, %s, now())",
        [account, Jsonb({"action": 1, "comment": "Jane"}), Jsonb({"comment": "for Jane"})],
    )
    db.execute(
        "INSERT INTO migration.leftovers VALUES ('csv', 'users', 1, %s, to_jsonb('Jane 1'::text)),"
        " ('csv', 'account_snapshots', 1, %s, to_jsonb('Jane 2'::text))",
        [str(user), str(session)],
    )
    db.execute(
        "INSERT INTO migration.rejects (source, table_name, source_row, rule, detail, row_values)"
        " VALUES ('csv', 'users', 2, 'r', 'd', %s), ('csv', 'trading_orders', 3, 'r', 'd', %s)",
        [Jsonb({"email": "Jane@example.com"}), Jsonb({"user_id": user, "note": "Jane 3"})],
    )
    journal(db, user, account)
    return {"user": user, "account": account, "info": json.dumps(info)}


def journal(db: psycopg.Connection, user: int, account: int) -> None:
    """Words of the user, those of before a change and of a deleted entry included."""
    of = {"user_id": user, "account_id": account}
    for ticket in (7, 8):
        rows.insert(db, "journal_entries", order_ticket=ticket, note="Jane feared", **of)
    rows.insert(db, "journal_tags", user_id=user, kind="emotion", name="fear of Jane")
    rows.insert(db, "journal_questions", user_id=user, question="Did Jane sleep?")
    db.execute("UPDATE journal_entries SET note = 'Jane hoped'")
    db.execute("UPDATE journal_tags SET name = 'hope of Jane'")
    db.execute("DELETE FROM journal_entries WHERE order_ticket = 8")


PERSONAL = (
    "users", "mt5_accounts", "mt5_sessions", "mt5_account_states", "mt5_rejects",
    "mt5_order_sends", "trading_strategies", "trading_signals", "trading_positions",
    "migration.leftovers", "migration.rejects", "audit.changes", "journal_entries", "journal_tags",
    "journal_questions",
)  # fmt: skip


def named(db: psycopg.Connection) -> list[str]:
    """Tables that name Jane or her login."""
    return [
        table for table in PERSONAL
        if db.execute(f"SELECT FROM {table} AS t WHERE t::text ~* 'jane|471108150'").rowcount
    ]  # fmt: skip


def test_closed_user_keeps_money_history_and_loses_its_name(app: psycopg.Connection) -> None:
    user = rows.user(app, email="jane@example.com", username="Jane")
    strategy = rows.strategy(app, user)
    signal = rows.signal(app, user)
    session = rows.session(app, user, account_number="471108150")
    rows.snapshot(app, session)
    rows.closed_order(app, user, strategy_id=strategy)
    app.execute("UPDATE users SET email = 'jane.doe@example.com' WHERE id = %s", [user])
    closed_at = app.execute("SELECT close_user(%s)", [user]).fetchone()[0]
    assert app.execute("SELECT close_user(%s)", [user]).fetchone()[0] == closed_at
    found = app.execute(
        "SELECT email, username, hashed_password, is_active, is_superuser FROM users WHERE id = %s",
        [user],
    ).fetchone()
    assert found == (f"user-{user}@closed.invalid", f"closed-{user}", "!", False, False)
    assert app.execute(
        "SELECT total_orders, total_profit FROM user_trading_stats WHERE user_id = %s", [user]
    ).fetchone() == (1, Decimal(10))
    assert app.execute("SELECT count(*) FROM account_snapshots").fetchone() == (1,)
    assert app.execute("SELECT status FROM trading_signals WHERE id = %s", [signal]).fetchone() == (
        "EXPIRED",
    )
    assert app.execute(
        "SELECT is_active, disconnected_at IS NULL, a.account_number = s.account_number"
        " FROM mt5_sessions AS s JOIN mt5_accounts AS a ON a.id = s.account_id"
    ).fetchall() == [(False, False, True)]
    for table in ("users", "mt5_accounts", "mt5_sessions", "audit.changes"):
        text = app.execute(f"SELECT string_agg(t::text, ' ') FROM {table} AS t").fetchone()[0]
        assert "jane" not in text.lower(), table
        assert "471108150" not in text, table


def test_nothing_names_a_closed_user(db: psycopg.Connection, app: psycopg.Connection) -> None:
    names = lived(db)
    assert named(db) == list(PERSONAL)
    app.execute("SELECT close_user(%s)", [names["user"]])
    assert named(db) == []


def test_closing_a_user_reads_the_users_part_of_the_trail(
    db: psycopg.Connection, app: psycopg.Connection
) -> None:
    """By indexes, however long the trail; of a strategy that another user was given, the new
    owner's names stay."""
    user = lived(db)["user"]
    heir = rows.user(db)
    given = rows.strategy(db, user, name="Jane's heritage")
    db.execute("UPDATE trading_strategies SET user_id = %s WHERE id = %s", [heir, given])
    for name in ("one", "two"):
        db.execute("UPDATE trading_strategies SET name = %s WHERE id = %s", [name, given])
    db.execute(
        "INSERT INTO audit.changes (table_name, row_id, action, old_values, new_values)"
        " SELECT 'trading_orders', n, 'UPDATE', '{\"profit\": 1}', '{\"profit\": 2}'"
        " FROM generate_series(1, 20000) AS n"
    )
    db.execute("ANALYZE audit.changes")
    read = (
        "SELECT seq_tup_read FROM pg_stat_xact_user_tables WHERE relid = 'audit.changes'::regclass"
    )
    with app.transaction():
        before = app.execute(read).fetchone()[0]
        app.execute("SELECT close_user(%s)", [user])
        assert app.execute(read).fetchone()[0] == before
    names = db.execute(
        "SELECT old_values ->> 'name', new_values ->> 'name' FROM audit.changes"
        " WHERE table_name = 'trading_strategies' AND row_id = %s AND action = 'UPDATE'"
        " ORDER BY id",
        [given],
    ).fetchall()
    assert names[-1] == ("one", "two")


@pytest.mark.parametrize("what", CLOSED_WRITES)
def test_what_is_written_for_a_living_user_is_refused_for_a_closed_one(
    db: psycopg.Connection, connect_as: Connect, what: str
) -> None:
    names = lived(db)
    writer = connect_as("rubi_ingest" if what.startswith("gateway") else "rubi_app")
    statement = CLOSED_WRITES[what].format(**names)
    with writer.transaction(force_rollback=True):
        assert writer.execute(statement).rowcount == 1
    db.execute("SELECT close_user(%s)", [names["user"]])
    with pytest.raises(psycopg.DatabaseError) as caught:
        writer.execute(statement)
    assert caught.value.sqlstate == "RB024"
    assert caught.value.diag.constraint_name == "user_is_open"


@pytest.mark.parametrize("what", ["signal", "order", "order again"])
def test_type_of_a_session_does_not_open_a_closed_user(
    db: psycopg.Connection, connect_as: Connect, what: str
) -> None:
    """Triggers without a search_path find types in pg_temp first; this one would always be NULL."""
    names = lived(db)
    db.execute("SELECT close_user(%s)", [names["user"]])
    writer = connect_as("rubi_app")
    writer.execute("CREATE TYPE pg_temp.timestamptz AS ()")
    with pytest.raises(psycopg.DatabaseError) as caught:
        writer.execute(CLOSED_WRITES[what].format(**names))
    assert caught.value.sqlstate == "RB024"


def test_a_closed_user_is_nobody_as_a_tenant(
    db: psycopg.Connection, app: psycopg.Connection
) -> None:
    names = lived(db)
    tenant = "SELECT set_config('app.user_id', %s, TRUE)", [str(names["user"])]
    count = "SELECT count(*) FROM trading_orders"
    with app.transaction():
        app.execute("SET LOCAL ROLE rubi_tenant")
        app.execute(*tenant)
        assert app.execute(count).fetchone() == (1,)
    app.execute("SELECT close_user(%s)", [names["user"]])
    with pytest.raises(errors.InsufficientPrivilege), app.transaction():
        app.execute("SET LOCAL ROLE rubi_tenant")
        app.execute(*tenant)
        assert app.execute(count).fetchone() == (0,)
        rows.order(app, names["user"])


def test_names_of_a_closed_user_may_be_somebody_elses(app: psycopg.Connection) -> None:
    user = rows.user(app)
    rows.user(app, username=f"Closed-{user}")
    rows.user(app, email=f"USER-{user}@closed.invalid")
    # and the user's own accounts may be called as one of them would be
    first = rows.session(app, user, account_number="1")
    account = app.execute(
        "SELECT account_id FROM mt5_sessions WHERE session_id = %s", [first]
    ).fetchone()[0]
    rows.session(app, user, account_number=f"closed-{account}")
    closed_at = app.execute("SELECT close_user(%s)", [user]).fetchone()[0]
    query = "SELECT username, email FROM users WHERE id = %s"
    found = app.execute(query, [user]).fetchone()
    assert found[0].startswith(f"closed-{user}-")
    assert app.execute("SELECT close_user(%s)", [user]).fetchone()[0] == closed_at
    assert app.execute(query, [user]).fetchone() == found


def test_closing_again_completes_what_came_in_between(
    db: psycopg.Connection, app: psycopg.Connection
) -> None:
    names = lived(db)
    closed_at = app.execute("SELECT close_user(%s)", [names["user"]]).fetchone()[0]
    # what only the owner can, by loading old rows
    db.execute("UPDATE mt5_account_states SET name = 'Jane'")
    rows.strategy(db, names["user"], name="Jane's")
    db.execute(
        "INSERT INTO migration.leftovers VALUES ('x', 'users', 1, %s, to_jsonb('Jane'::text))",
        [str(names["user"])],
    )
    assert app.execute("SELECT close_user(%s)", [names["user"]]).fetchone()[0] == closed_at
    assert named(db) == []


def test_closing_waits_for_what_is_being_written_and_what_is_written_waits_for_it(
    db: psycopg.Connection, connect_as: Connect
) -> None:
    names = lived(db)
    sessions = [connect_as("rubi_app"), connect_as("rubi_ingest")]
    for session in sessions:
        session.execute("SET lock_timeout = '60s'")

    def close(connection: psycopg.Connection) -> None:
        connection.execute("BEGIN")
        connection.execute("SELECT close_user(%s)", [names["user"]])

    def commit(connection: psycopg.Connection) -> None:
        connection.execute("COMMIT")

    def beat(connection: psycopg.Connection) -> None:
        connection.execute(CLOSED_WRITES["gateway's heartbeat"].format(**names))

    with pytest.raises(psycopg.DatabaseError) as caught:
        walk(db, sessions, [[close, commit], [beat]], (0, 1, 0))
    assert caught.value.sqlstate == "RB024"
    assert named(db) == []


def test_closing_an_unknown_user_is_refused(app: psycopg.Connection) -> None:
    with pytest.raises(psycopg.DatabaseError) as caught:
        app.execute("SELECT close_user(999999)")
    assert caught.value.sqlstate == "RB021"


def test_login_can_be_used_by_another_user_after_closing(app: psycopg.Connection) -> None:
    user = rows.user(app, email="a@x.org", username="a")
    app.execute("SELECT close_user(%s)", [user])
    assert rows.user(app, email="a@x.org", username="a") != user


def test_row_of_another_is_not_given_to_a_closed_user(
    app: psycopg.Connection, db: psycopg.Connection
) -> None:
    closed, other = rows.user(db), rows.user(db)
    strategy = rows.strategy(db, other)
    db.execute("SELECT close_user(%s)", [closed])
    with pytest.raises(psycopg.Error) as caught:
        app.execute("UPDATE trading_strategies SET user_id = %s WHERE id = %s", [closed, strategy])
    assert caught.value.sqlstate == "RB024"
