"""Rights of each role, tried by becoming the role."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors, sql

import rows

TABLES = [
    *("account_snapshots", "market_data", "mt5_accounts", "mt5_sessions", "performance_metrics"),
    *("trading_orders", "trading_positions", "trading_signals", "trading_strategies", "users"),
]
ROLES = ["rubi_app", "rubi_ingest", "rubi_readonly", "rubi_monitor", "rubi_backup"]


def has_rights(connection: psycopg.Connection, role: str, table: str, rights: str) -> list[bool]:
    query = "SELECT has_table_privilege(%s, %s, %s)"
    return [
        connection.execute(query, [role, table, right]).fetchone()[0] for right in rights.split()
    ]


# made from other rows, or the deployment's
MADE = {
    "balance_operations", "mt5_codes", "mt5_deal_types", "mt5_events", "mt5_first_stops",
    "mt5_tick_values", "mt5_trips", "risk_breaches", "risk_states", "risk_templates",
    "signal_claims",
}  # fmt: skip
WRITTEN_BY_API = {
    "public.account_snapshots": "INSERT UPDATE DELETE",
    "public.currency_pairs": "INSERT UPDATE DELETE",
    "public.gateway_series": "INSERT UPDATE DELETE",  # what a user wants read
    "public.gateway_watermarks": "INSERT UPDATE DELETE",  # set back to read history again
    "public.journal_answers": "INSERT UPDATE DELETE",
    "public.journal_entries": "INSERT UPDATE DELETE",
    "public.journal_entry_tags": "INSERT UPDATE DELETE",
    "public.journal_questions": "INSERT UPDATE DELETE",
    "public.journal_tags": "INSERT UPDATE DELETE",
    "public.market_archives": "INSERT UPDATE DELETE",
    "public.market_calendar_clocks": "INSERT UPDATE DELETE",
    "public.market_calendars": "INSERT UPDATE DELETE",
    "public.market_data": "INSERT UPDATE DELETE",
    "public.market_holidays": "INSERT UPDATE DELETE",
    "public.market_retention": "INSERT UPDATE DELETE",
    "public.market_rollups": "INSERT UPDATE DELETE",
    "public.market_series": "INSERT UPDATE DELETE",
    "public.market_sessions": "INSERT UPDATE DELETE",
    "public.market_ticks": "INSERT UPDATE DELETE",
    "public.mt5_account_states": "INSERT UPDATE DELETE",
    "public.mt5_accounts": "INSERT UPDATE DELETE",
    "public.mt5_clock_readings": "INSERT UPDATE DELETE",
    "public.mt5_explanations": "INSERT UPDATE DELETE",
    "public.mt5_magic_strategies": "INSERT UPDATE DELETE",
    "public.mt5_order_sends": "INSERT UPDATE DELETE",
    "public.mt5_orders": "INSERT UPDATE DELETE",
    "public.mt5_rejects": "INSERT UPDATE DELETE",
    "public.mt5_reports": "INSERT UPDATE DELETE",
    "public.mt5_server_clocks": "INSERT UPDATE DELETE",
    "public.mt5_sessions": "INSERT UPDATE DELETE",
    "public.mt5_symbol_map": "INSERT UPDATE DELETE",
    "public.mt5_symbols": "INSERT UPDATE DELETE",
    "public.my_account_snapshots": "INSERT",  # the tenant's door, which the API may use too
    "public.open_positions_with_session": "INSERT UPDATE DELETE",  # the base's view, as promised
    "public.performance_metrics": "INSERT UPDATE DELETE",
    "public.resampled_bars": "INSERT UPDATE DELETE",  # refresh_resampled_bars() runs as its caller
    "public.risk_rules": "INSERT UPDATE",  # of the columns that end one
    "public.trading_deals": "INSERT UPDATE DELETE",
    "public.trading_orders": "INSERT UPDATE DELETE",
    "public.trading_positions": "INSERT UPDATE DELETE",
    "public.signal_intents": "INSERT",  # stays as it was given
    "public.trading_signals": "INSERT UPDATE DELETE",
    "public.trading_strategies": "INSERT UPDATE DELETE",
    "public.user_trading_stats": "INSERT UPDATE DELETE",  # the base's view, as promised
    "public.users": "INSERT UPDATE DELETE",
}


def test_api_writes_these_relations_and_no_other(catalog: psycopg.Connection) -> None:
    """A view or derived table made later is writable by default rights until its file says no."""
    found = catalog.execute(
        "SELECT n.nspname || '.' || c.relname, string_agg(r.name, ' ' ORDER BY r.place)"
        " FROM pg_class AS c INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        " CROSS JOIN (VALUES (1, 'INSERT'), (2, 'UPDATE'), (3, 'DELETE'), (4, 'TRUNCATE'))"
        " AS r (place, name) WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f')"
        " AND n.nspname !~ '^pg_|^information_schema$'"
        " AND (has_table_privilege('rubi_app', c.oid, r.name) OR r.place < 3"
        " AND has_any_column_privilege('rubi_app', c.oid, r.name)) GROUP BY 1"
    ).fetchall()
    ours = {name: rights for name, rights in found if not name.startswith("_timescaledb")}
    assert ours == WRITTEN_BY_API


@pytest.mark.parametrize("table", sorted(MADE))
def test_api_reads_what_is_made_from_other_rows(app: psycopg.Connection, table: str) -> None:
    app.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(table)))
    with pytest.raises(errors.InsufficientPrivilege):
        app.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))


def test_api_reads_and_writes_every_table(db: psycopg.Connection) -> None:
    found = db.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " AND relkind = 'r' ORDER BY 1"
    ).fetchall()
    assert {name for (name,) in found} >= set(TABLES)
    for (table,) in found:
        rights = "SELECT" if table in MADE else "SELECT INSERT UPDATE DELETE"
        if table in ("risk_rules", "signal_intents"):
            rights = "SELECT INSERT"
        assert all(has_rights(db, "rubi_app", table, rights)), table
        assert not any(has_rights(db, "rubi_app", table, "TRUNCATE TRIGGER REFERENCES")), table


@pytest.mark.parametrize("role", [*ROLES, "rubi_tenant"])
@pytest.mark.parametrize("table", ["trading_orders", "trading_strategies"])
def test_only_the_owner_may_correct_history(db: psycopg.Connection, role: str, table: str) -> None:
    # functions/2151_order_guards.sql takes the right to put triggers on a table for it
    assert has_rights(db, role, table, "TRIGGER") == [False]


def test_api_uses_every_sequence(db: psycopg.Connection) -> None:
    missing = db.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'S'"
        " AND NOT (has_sequence_privilege('rubi_app', oid, 'USAGE')"
        " AND has_sequence_privilege('rubi_app', oid, 'SELECT'))"
    ).fetchall()
    assert missing == []


def test_api_gets_rights_on_tables_made_later(
    app: psycopg.Connection, connect_as: Callable[..., psycopg.Connection]
) -> None:
    owner = connect_as("rubi_admin")
    owner.execute("CALL deploy.become_owner()")
    owner.execute("CREATE TABLE public.later (id bigint GENERATED BY DEFAULT AS IDENTITY, n int)")
    app.execute("INSERT INTO later (n) VALUES (1)")
    app.execute("UPDATE later SET n = 2")
    app.execute("SELECT currval('later_id_seq')")
    app.execute("DELETE FROM later")


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE public.mine (id int)",
        "DROP TABLE users",
        "ALTER TABLE users ADD COLUMN x int",
        "TRUNCATE users",
        "SELECT * FROM internal.strategy_counter_deltas",
        "SELECT * FROM deploy.history",
        "SET ROLE rubi_owner",
    ],
)
def test_api_may_not_change_the_schema(rolled_back: psycopg.Connection, statement: str) -> None:
    with pytest.raises(errors.InsufficientPrivilege):
        rolled_back.execute(statement)


def test_no_role_has_a_password_or_power(db: psycopg.Connection) -> None:
    found = db.execute(
        "SELECT rolname FROM pg_authid WHERE rolname LIKE 'rubi\\_%'"
        " AND (rolpassword IS NOT NULL OR rolsuper OR rolbypassrls OR rolreplication)"
    ).fetchall()
    assert found == []
    logins = db.execute(
        "SELECT rolname FROM pg_authid WHERE rolcanlogin AND rolname LIKE 'rubi\\_%' ORDER BY 1"
    ).fetchall()
    assert [name for (name,) in logins] == sorted([*ROLES, "rubi_admin"])


def test_analyst_reads_all_but_hashes(connect_as: Callable[..., psycopg.Connection]) -> None:
    analyst = connect_as("rubi_readonly")
    for table in set(TABLES) - {"users"}:
        analyst.execute(sql.SQL("SELECT * FROM {} LIMIT 0").format(sql.Identifier(table)))
    analyst.execute("SELECT id, email, username FROM users")
    analyst.execute("SELECT * FROM user_trading_stats")
    for statement in ("SELECT hashed_password FROM users", "SELECT * FROM users"):
        with pytest.raises(errors.InsufficientPrivilege):
            analyst.execute(statement)
    with pytest.raises((errors.InsufficientPrivilege, errors.ReadOnlySqlTransaction)):
        analyst.execute("DELETE FROM trading_orders")


def test_analyst_cannot_write_after_leaving_read_only_mode(
    connect_as: Callable[..., psycopg.Connection],
) -> None:
    analyst = connect_as("rubi_readonly")
    analyst.execute("SET default_transaction_read_only = off")
    with pytest.raises(errors.InsufficientPrivilege):
        analyst.execute("DELETE FROM trading_orders")


def test_monitor_reads_its_views_and_no_rows_of_users(
    db: psycopg.Connection, connect_as: Callable[..., psycopg.Connection]
) -> None:
    rows.user(db)
    monitor = connect_as("rubi_monitor")
    views = db.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = 'monitoring'::regnamespace"
        " AND relkind = 'v' AND relname <> 'installation'"  # for who deploys
    ).fetchall()
    assert len(views) >= 7
    for (view,) in views:
        monitor.execute(sql.SQL("SELECT * FROM monitoring.{}").format(sql.Identifier(view)))
    with pytest.raises(errors.InsufficientPrivilege):
        monitor.execute("SELECT * FROM users")


def test_administrator_is_locked(db: psycopg.Connection) -> None:
    found = db.execute(
        "SELECT email, username, is_superuser, is_active, hashed_password FROM users"
    ).fetchall()
    assert found == [("admin@rubi-studio.com", "admin", True, True, "!")]


def test_api_runs_in_utc(app: psycopg.Connection) -> None:
    assert app.execute("SHOW timezone").fetchone() == ("UTC",)


def test_old_statements_of_the_api_still_work(app: psycopg.Connection) -> None:
    """Inserts and updates as they were written for the base, without any new column."""
    user = app.execute(
        "INSERT INTO users (email, username, hashed_password) VALUES ('a@b.c', 'a', %s)"
        " RETURNING id",
        [rows.HASH],
    ).fetchone()[0]
    session = app.execute(
        "INSERT INTO mt5_sessions (user_id, account_number, broker, server, balance, currency)"
        " VALUES (%s, '123', 'B', 'B-Live', 1000.50, 'USD') RETURNING session_id",
        [user],
    ).fetchone()[0]
    signal = app.execute(
        "INSERT INTO trading_signals (user_id, symbol, signal_type, entry_price, stop_loss,"
        " take_profit, volume, signal_time) VALUES (%s, 'EURUSD', 'BUY', 1.1, 1.0, 1.2, 0.1, now())"
        " RETURNING id",
        [user],
    ).fetchone()[0]
    app.execute(
        "UPDATE trading_signals SET status = 'EXECUTED', executed_at = now() WHERE id = %s",
        [signal],
    )
    order = app.execute(
        "INSERT INTO trading_orders (id, signal_id, user_id, mt5_order_id, symbol, order_type,"
        " volume, open_price) VALUES (42, %s, %s, '900', 'EURUSD', 'BUY', 0.1, 1.1) RETURNING id",
        [signal, user],
    ).fetchone()[0]
    app.execute(
        "INSERT INTO trading_positions (session_id, ticket, symbol, type, volume, open_price,"
        " current_price, open_time) VALUES (%s, '900', 'EURUSD', 'BUY', 0.1, 1.1, 1.1, now())",
        [session],
    )
    updated = app.execute(
        "UPDATE trading_positions SET current_price = 1.15, profit = 5 WHERE ticket = '900'"
    )
    assert updated.rowcount == 1
    app.execute("UPDATE mt5_sessions SET last_ping = now() WHERE session_id = %s", [session])
    app.execute("DELETE FROM trading_positions WHERE ticket = '900'")
    app.execute(
        "UPDATE trading_orders SET close_price = 1.2, profit = 10, closed_at = now() WHERE id = %s",
        [order],
    )
    assert app.execute(
        "SELECT total_orders, total_profit FROM user_trading_stats WHERE user_id = %s", [user]
    ).fetchone() == (1, 10)
