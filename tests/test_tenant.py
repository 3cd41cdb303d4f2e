"""Row security: a tenant sees and writes its own rows; each attempt at another's fails.

Two users with equal data. The attacker is user "mine"; whatever it gets to see or change of
"theirs" is a failure. Tenants supply values, the API supplies the SQL: what SET, RESET and DO allow
is tested as a known limit at the end.
"""

from __future__ import annotations

from decimal import Decimal

import psycopg
import pytest
from psycopg import errors

import rows
from tenants import AMOUNT, SECRET, TABLES, Connect, Two, become, make_user, setup

# insufficient_privilege, with_check_option_violation, foreign_key_violation, closed order
REFUSED = {"42501", "44000", "23503", "RB020"}


@pytest.fixture
def two(rolled_back: psycopg.Connection) -> Two:
    """Two users in a transaction that is rolled back."""
    return setup(rolled_back)


@pytest.mark.parametrize("table", TABLES)
def test_tenant_sees_its_own_rows_and_only_those(two: Two, table: str) -> None:
    key = TABLES[table]
    own = two.mine["session" if key == "session_id" else "user"]
    assert two.connection.execute(f"SELECT {key} FROM {table}").fetchall() == [(own,)]


def test_every_view_with_a_user_shows_the_tenant_its_own(two: Two) -> None:
    """Whatever a tenant may read and that says whose it is."""
    found = two.connection.execute(
        "SELECT c.oid::regclass::text FROM pg_class AS c JOIN pg_attribute AS a"
        " ON a.attrelid = c.oid AND a.attname = 'user_id'"
        " WHERE c.relkind IN ('r', 'v') AND c.relnamespace = 'public'::regnamespace"
        " AND has_any_column_privilege(c.oid, 'SELECT')"
    ).fetchall()
    filled = 0
    for (relation,) in found:
        owners = two.connection.execute(f"SELECT DISTINCT user_id FROM {relation}").fetchall()
        assert owners in ([], [(two.mine["user"],)]), relation
        filled += len(owners)
    assert filled > 15


@pytest.mark.parametrize(
    "value", ["", "0", "-1", " 1", "1 ", "1;", "abc", "1e3", "NULL", "9" * 30, "1 OR TRUE", "0x1"]
)
@pytest.mark.parametrize("table", ["users", "trading_orders", "my_account_snapshots"])
def test_unset_or_malformed_user_sees_nothing(two: Two, table: str, value: str) -> None:
    become(two.connection, value)
    assert two.connection.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_never_set_user_sees_nothing(app: psycopg.Connection, connect_as: Connect) -> None:
    make_user(app, SECRET)
    fresh = connect_as("rubi_app")
    fresh.execute("SET ROLE rubi_tenant")
    for table in TABLES:
        assert fresh.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table


# Statements that may answer, but never with a row of theirs.
READS = [
    "SELECT symbol FROM trading_orders",
    "SELECT symbol FROM trading_orders WHERE id = %(order)s",
    "SELECT symbol FROM trading_orders WHERE user_id = %(user)s OR TRUE",
    "SELECT o.symbol FROM trading_orders AS o JOIN trading_signals AS s ON TRUE",
    "SELECT s.symbol FROM users AS u RIGHT JOIN trading_signals AS s ON s.user_id = %(user)s",
    "SELECT p.symbol FROM trading_positions AS p FULL JOIN mt5_sessions AS s USING (session_id)",
    "SELECT symbol FROM trading_positions WHERE session_id = %(session)s",
    "SELECT symbol FROM open_positions_with_session WHERE user_id = %(user)s",
    "SELECT username FROM user_trading_stats",
    "SELECT email FROM users WHERE email LIKE '%%THEIRS%%'",
    "SELECT name FROM trading_strategies UNION ALL SELECT symbol FROM trading_signals",
    "WITH t AS MATERIALIZED (SELECT * FROM trading_orders) SELECT symbol FROM t",
    "SELECT (SELECT string_agg(symbol, ',') FROM trading_signals)",
    "SELECT array_agg(o::text) FROM trading_orders AS o",
    "SELECT xmlforest(symbol)::text FROM trading_signals",
    "SELECT query_to_xml('SELECT * FROM trading_orders', TRUE, FALSE, '')::text",
    "SELECT table_to_xml('trading_signals', TRUE, FALSE, '')::text",
    "SELECT broker FROM mt5_accounts WHERE id = %(account)s",
    "SELECT server FROM mt5_sessions WHERE session_id = %(session)s",
    "SELECT balance::text FROM my_account_snapshots WHERE session_id = %(session)s",
    f"SELECT balance::text FROM my_account_snapshots WHERE balance = {AMOUNT}",
    f"SELECT total_profit::text FROM performance_metrics WHERE total_profit = {AMOUNT}",
    "SELECT symbol FROM trading_orders WHERE symbol = 'THEIRS' AND 1 / (id - %(order)s + 1) > 0",
    "SELECT equity::text FROM snapshots_by_account"
    f" WHERE account_id = %(account)s OR balance = {AMOUNT}",
    "SELECT find_account_balance(%(account)s, now())::text",
    "SELECT m::text FROM calculate_performance_metrics(%(user)s, NULL, '2026-01-01', '2026-02-01')"
    " AS m WHERE m.total_trades > 0",
    "SELECT amount::text FROM balance_operations",
    "SELECT most_common_vals::text FROM pg_stats WHERE schemaname = 'public'",
    "SELECT symbol FROM ONLY trading_orders TABLESAMPLE SYSTEM (100)",
    "SELECT symbol FROM trading_orders FOR UPDATE",
    "UPDATE trading_signals SET confidence = 1 WHERE symbol = 'THEIRS' RETURNING symbol",
    "UPDATE trading_signals SET confidence = 1 RETURNING symbol",
    "UPDATE trading_orders AS o SET stop_loss = 1 FROM trading_signals AS s"
    " WHERE s.id = o.signal_id RETURNING o.symbol",
    "UPDATE users SET username = 'x' WHERE id = %(user)s RETURNING email",
    "UPDATE trading_positions SET profit = 1 WHERE ticket = '1' RETURNING symbol",
    "DELETE FROM trading_signals WHERE id = %(signal)s RETURNING symbol",
    "DELETE FROM trading_strategies WHERE user_id = %(user)s RETURNING name",
    "DELETE FROM trading_positions WHERE id = %(position)s RETURNING symbol",
]


@pytest.mark.parametrize("statement", READS)
def test_reading_attempt_never_answers_with_their_row(two: Two, statement: str) -> None:
    answer = []
    try:
        with two.connection.transaction():
            answer = two.connection.execute(statement, two.values()).fetchall()
    except errors.InsufficientPrivilege:
        pass
    assert SECRET not in str(answer)
    assert str(AMOUNT) not in str(answer)
    two.connection.execute("RESET ROLE")
    untouched = two.connection.execute(
        "SELECT s.confidence, p.profit, t.name FROM trading_signals AS s, trading_positions AS p,"
        " trading_strategies AS t WHERE s.id = %(signal)s AND p.id = %(position)s"
        " AND t.id = %(strategy)s",
        two.theirs,
    ).fetchone()
    assert untouched == (Decimal("0.50"), 0, SECRET)


# Statements that must be refused outright.
WRITES = [
    "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time)"
    " VALUES (%(user)s, 'X', 'BUY', 1, now())",
    "INSERT INTO trading_orders (user_id, symbol, order_type, volume)"
    " VALUES (%(user)s, 'X', 'BUY', 1)",
    "INSERT INTO trading_strategies (user_id, name) VALUES (%(user)s, 'x')",
    "INSERT INTO mt5_sessions (user_id, account_number, broker) VALUES (%(user)s, '1', 'x')",
    "INSERT INTO mt5_accounts (user_id, server, account_number, broker)"
    " VALUES (%(user)s, 'x', '1', 'x')",
    "CREATE SCHEMA mine",
    "INSERT INTO trading_positions (session_id, ticket, symbol, type, volume, open_price,"
    " current_price, open_time) VALUES (%(session)s, '2', 'X', 'BUY', 1, 1, 1, now())",
    "INSERT INTO my_account_snapshots (session_id, balance, equity, timestamp)"
    " VALUES (%(session)s, 1, 1, now())",
    "INSERT INTO my_account_snapshots (session_id, balance, equity, timestamp)"
    " VALUES (%(session)s, 1, 1, '2026-01-05 10:00+00') ON CONFLICT DO NOTHING",
    "INSERT INTO trading_signals (user_id, strategy_id, symbol, signal_type, volume, signal_time)"
    " VALUES (%(my_user)s, %(strategy)s, 'X', 'BUY', 1, now())",
    "INSERT INTO trading_orders (user_id, signal_id, symbol, order_type, volume)"
    " VALUES (%(my_user)s, %(signal)s, 'X', 'BUY', 1)",
    "INSERT INTO trading_orders (user_id, account_id, symbol, order_type, volume)"
    " VALUES (%(my_user)s, %(account)s, 'X', 'BUY', 1)",
    "UPDATE trading_orders SET account_id = %(account)s",
    "UPDATE trading_signals SET strategy_id = %(strategy)s",
    "UPDATE trading_signals SET user_id = %(user)s",
    "UPDATE trading_orders SET user_id = %(user)s",
    "UPDATE trading_positions SET session_id = %(session)s",
    "UPDATE users SET is_superuser = TRUE",
    "UPDATE users SET id = %(user)s",
    "SELECT hashed_password FROM users",
    "INSERT INTO trading_orders (id, user_id, symbol, order_type, volume)"
    " VALUES (%(order)s, %(my_user)s, 'X', 'BUY', 1)",
    "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time,"
    " client_request_id) VALUES (%(user)s, 'X', 'BUY', 1, now(), 'r')"
    " ON CONFLICT (user_id, client_request_id) DO UPDATE SET volume = 2 RETURNING symbol",
    "INSERT INTO trading_positions (session_id, ticket, symbol, type, volume, open_price,"
    " current_price, open_time) VALUES (%(session)s, '1', 'X', 'BUY', 1, 1, 1, now())"
    " ON CONFLICT (ticket, account_id) DO UPDATE SET profit = 1 RETURNING symbol",
    "MERGE INTO trading_signals AS t USING (SELECT %(user)s::bigint AS id) AS s ON FALSE"
    " WHEN NOT MATCHED THEN INSERT (user_id, symbol, signal_type, volume, signal_time)"
    " VALUES (s.id, 'X', 'BUY', 1, now())",
    "SELECT * FROM account_snapshots",
    "INSERT INTO account_snapshots (session_id, balance, equity) VALUES (%(session)s, 1, 1)",
    "SELECT * FROM market_data",
    "UPDATE my_account_snapshots SET session_id = %(session)s",
    "DELETE FROM my_account_snapshots",
    "SELECT * FROM audit.changes",
    "SELECT * FROM internal.strategy_counter_deltas",
    "SELECT * FROM monitoring.strategy_counter_violations",
    "SELECT * FROM monitoring.proofs",
    "SELECT close_user(%(user)s)",
    "TRUNCATE trading_signals",
    "LOCK TABLE users IN ACCESS EXCLUSIVE MODE",
    "ALTER TABLE trading_orders DISABLE ROW LEVEL SECURITY",
    "DROP POLICY trading_orders_tenant ON trading_orders",
    "CREATE FUNCTION public.peek() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TEMPORARY VIEW v AS SELECT * FROM trading_orders",
    "SELECT pg_read_file('postgresql.conf')",
    "SELECT drop_chunks('account_snapshots', now())",
]  # fmt: skip
COUNTED = (
    "SELECT (SELECT count(*) FROM trading_signals), (SELECT count(*) FROM trading_orders),"
    " (SELECT count(*) FROM trading_positions), (SELECT count(*) FROM account_snapshots),"
    " (SELECT count(*) FROM mt5_accounts), (SELECT count(*) FROM trading_strategies)"
)


@pytest.mark.parametrize("statement", WRITES)
def test_attempt_is_refused(two: Two, statement: str) -> None:
    c = two.connection
    c.execute("RESET ROLE")
    before = c.execute(COUNTED).fetchone()
    become(c, two.mine["user"])
    values = {name: value for name, value in two.values().items() if f"%({name})s" in statement}
    with pytest.raises(psycopg.Error) as caught, c.transaction():
        c.execute(statement, values or None)
    assert caught.value.sqlstate in REFUSED, caught.value
    c.execute("RESET ROLE")
    assert c.execute(COUNTED).fetchone() == before


@pytest.mark.parametrize("table", ["trading_orders", "trading_signals", "mt5_sessions"])
def test_copy_holds_own_rows_only(two: Two, table: str) -> None:
    with two.connection.cursor().copy(f"COPY {table} TO STDOUT") as copy:
        text = b"".join(copy)
    assert b"mine" in text
    assert SECRET.encode() not in text


def test_copy_of_a_hypertable_is_refused(two: Two) -> None:
    with (
        pytest.raises(errors.InsufficientPrivilege),
        two.connection.transaction(),
        two.connection.cursor().copy("COPY account_snapshots TO STDOUT") as copy,
    ):
        copy.read()


def test_tenant_can_do_its_work(two: Two) -> None:
    """The nearest good rows: what was refused for theirs is accepted for one's own."""
    c, user = two.connection, two.mine["user"]
    strategy = rows.strategy(c, user)
    session = c.execute(
        "INSERT INTO mt5_sessions (user_id, account_number, broker) VALUES (%s, '9', 'b')"
        " RETURNING session_id",
        [user],
    ).fetchone()[0]
    signal = rows.signal(c, user, strategy_id=strategy)
    order = rows.order(c, user, signal_id=signal, account_id=two.mine["account"])
    rows.position(c, session)
    c.execute(
        "INSERT INTO my_account_snapshots (session_id, balance, equity) VALUES (%s, 1, 1)",
        [session],
    )
    c.execute(
        "UPDATE trading_orders SET closed_at = now(), close_price = 1, profit = 5 WHERE id = %s",
        [order],
    )
    c.execute("UPDATE users SET username = 'renamed'")
    c.execute("SELECT count(*) FROM market_bars")
    c.execute("DELETE FROM trading_positions")
    c.execute("SET CONSTRAINTS ALL IMMEDIATE")  # counters are applied at commit
    query = "SELECT total_trades, total_profit FROM trading_strategies WHERE id = %s"
    assert c.execute(query, [strategy]).fetchone() == (1, 5)
