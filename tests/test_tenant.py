"""Row security: a tenant sees and writes its own rows; each attempt at another's fails.

Two users with equal data. The attacker is user "mine"; whatever it gets to see or change of
"theirs" is a failure. Tenants supply values, the API supplies the SQL: what SET, RESET and DO allow
is tested as a known limit at the end.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import psycopg
import pytest
from psycopg import errors

import rows

Connect = Callable[..., psycopg.Connection]
SECRET = "THEIRS"
# insufficient_privilege, with_check_option_violation, foreign_key_violation, closed order
REFUSED = {"42501", "44000", "23503", "RB020"}


@dataclass
class Two:
    """Ids of both users' rows."""

    connection: psycopg.Connection
    mine: dict[str, object]
    theirs: dict[str, object]
    chunks: list[str]

    def values(self) -> dict[str, object]:
        """For the statements of attempts: %(user)s is theirs, %(my_user)s mine."""
        return self.theirs | {f"my_{name}": value for name, value in self.mine.items()}


def account_of(connection: psycopg.Connection, session: object) -> int:
    """The trading account of a session."""
    query = "SELECT account_id FROM mt5_sessions WHERE session_id = %s"
    return connection.execute(query, [session]).fetchone()[0]


def make_user(app: psycopg.Connection, text: str) -> dict[str, object]:
    """A row in every table, each holding a text that names its user."""
    user = rows.user(app, email=f"{text}@example.com", username=text)
    strategy = rows.strategy(app, user, name=text)
    session = rows.session(app, user, broker=text, server=text)
    signal = rows.signal(app, user, strategy_id=strategy, symbol=text, client_request_id="r")
    order = rows.closed_order(app, user, symbol=text, signal_id=signal, mt5_order_id="1")
    position = rows.position(app, session, symbol=text, ticket="1")
    rows.snapshot(app, session, balance=777 if text == SECRET else 1)
    rows.deposit(app, account_of(app, session), 777 if text == SECRET else 1, "2026-01-05 10:00+00")
    rows.metrics(app, user, strategy_id=strategy, total_profit=777 if text == SECRET else 1)
    return {
        "user": user, "strategy": strategy, "session": session, "signal": signal, "order": order,
        "position": position, "account": account_of(app, session),
    }  # fmt: skip


def become(connection: psycopg.Connection, user: object) -> None:
    """Act as a user's tenant until the end of the transaction."""
    connection.execute("SET LOCAL ROLE rubi_tenant")
    connection.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(user)])


def setup(connection: psycopg.Connection) -> Two:
    """Both users' rows; then the connection acts as the tenant "mine"."""
    mine, theirs = make_user(connection, "mine"), make_user(connection, SECRET)
    chunks = connection.execute(
        "SELECT format('%I.%I', chunk_schema, chunk_name) FROM timescaledb_information.chunks"
    ).fetchall()
    become(connection, mine["user"])
    return Two(connection, mine, theirs, [name for (name,) in chunks])


@pytest.fixture
def two(rolled_back: psycopg.Connection) -> Two:
    """Two users in a transaction that is rolled back."""
    return setup(rolled_back)


TABLES = {
    "users": "id", "trading_strategies": "user_id", "mt5_accounts": "user_id",
    "mt5_sessions": "user_id", "trading_signals": "user_id", "trading_orders": "user_id",
    "trading_positions": "session_id", "performance_metrics": "user_id",
    "my_account_snapshots": "session_id", "user_trading_stats": "user_id",
    "open_positions_with_session": "user_id",
}  # fmt: skip


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
    "SELECT balance::text FROM my_account_snapshots WHERE balance = 777",
    "SELECT total_profit::text FROM performance_metrics WHERE total_profit = 777",
    "SELECT symbol FROM trading_orders WHERE symbol = 'THEIRS' AND 1 / (id - %(order)s + 1) > 0",
    "SELECT equity::text FROM snapshots_by_account WHERE account_id = %(account)s OR balance = 777",
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
    assert "777" not in str(answer)
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


def test_no_chunk_can_be_reached(two: Two) -> None:
    assert two.chunks
    for chunk in two.chunks:
        for statement in (f"SELECT * FROM {chunk}", f"DELETE FROM {chunk}"):
            with pytest.raises(errors.InsufficientPrivilege), two.connection.transaction():
                two.connection.execute(statement)


def answers(two: Two, statement: str, guesses: list[object]) -> set[tuple]:
    """SQLSTATE and constraint of a statement for each guessed value."""
    found = set()
    for guess in guesses:
        with pytest.raises(psycopg.Error) as caught, two.connection.transaction():
            two.connection.execute(statement, {"my_user": two.mine["user"], "guess": guess})
        found.add((caught.value.sqlstate, caught.value.diag.constraint_name))
    return found


def test_error_does_not_tell_whether_a_signal_exists(two: Two) -> None:
    """Their signal, which has an order, and a missing one give the same answer."""
    statement = (
        "INSERT INTO trading_orders (user_id, signal_id, symbol, order_type, volume)"
        " VALUES (%(my_user)s, %(guess)s, 'X', 'BUY', 1)"
    )
    assert len(answers(two, statement, [two.theirs["signal"], 987654321])) == 1


def test_error_does_not_tell_whether_an_account_has_an_order(two: Two) -> None:
    statement = (
        "INSERT INTO trading_orders (user_id, account_id, mt5_order_id, symbol, order_type, volume)"
        " VALUES (%(my_user)s, %(guess)s, '1', 'X', 'BUY', 1)"
    )
    two.connection.execute("RESET ROLE")
    two.connection.execute(
        "UPDATE trading_orders SET strategy_id = strategy_id WHERE id = %(order)s", two.theirs
    )
    become(two.connection, two.mine["user"])
    assert len(answers(two, statement, [two.theirs["account"], 987654321])) == 1


@pytest.mark.parametrize("conflict", ["", " ON CONFLICT DO NOTHING"])
def test_error_does_not_tell_whether_a_snapshot_exists(two: Two, conflict: str) -> None:
    statement = (
        "INSERT INTO my_account_snapshots (session_id, balance, equity, timestamp)"
        " VALUES (%(guess)s, 1, 1, '2026-01-05 10:00+00')"
    )
    guesses = [two.theirs["session"], "00000000-0000-4000-8000-000000000000"]
    assert len(answers(two, statement + conflict, guesses)) == 1


def test_prepared_plan_follows_the_user(two: Two) -> None:
    """A plan made for one user answers for the next one when app.user_id changes."""
    query = "SELECT symbol FROM trading_orders ORDER BY id"
    for _ in range(8):
        assert two.connection.execute(query, prepare=True).fetchall() == [("mine",)]
    become(two.connection, two.theirs["user"])
    assert two.connection.execute(query, prepare=True).fetchall() == [(SECRET,)]
    become(two.connection, "")
    assert two.connection.execute(query, prepare=True).fetchall() == []


def test_search_path_does_not_mislead_policies(two: Two) -> None:
    """Nothing of another schema is asked instead, and the tenant can make none anyway."""
    two.connection.execute("SET LOCAL search_path = pg_temp, pg_catalog, public")
    query = "SELECT symbol FROM public.trading_orders"
    assert two.connection.execute(query).fetchall() == [("mine",)]


@pytest.mark.parametrize(
    ("view", "column"),
    [("my_account_snapshots", "balance"), ("performance_metrics", "total_profit")],
)
def test_leaky_function_sees_no_foreign_row(db: psycopg.Connection, view: str, column: str) -> None:
    """A cheap function that raises what it sees, in a filter that the planner would run first."""
    db.execute(
        "CREATE FUNCTION public.leak(numeric) RETURNS boolean LANGUAGE plpgsql COST 0.0001"
        " AS 'BEGIN IF $1 = 777 THEN RAISE ''seen''; END IF; RETURN TRUE; END'"
    )
    db.execute("GRANT EXECUTE ON FUNCTION public.leak TO rubi_tenant")
    with db.transaction():
        setup(db)
        query = f"SELECT count(*) FROM {view} WHERE leak({column})"
        assert db.execute(query).fetchone() == (1,)


def test_set_local_ends_with_the_transaction(app: psycopg.Connection) -> None:
    """The API's intended way: after the commit the connection is nobody's tenant."""
    with app.transaction():
        two = setup(app)
        assert app.execute("SELECT symbol FROM trading_orders").fetchall() == [("mine",)]
    found = app.execute("SELECT current_user, current_setting('app.user_id')").fetchone()
    assert found == ("rubi_app", "")
    assert two.mine["user"] != two.theirs["user"]


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


def test_known_limit_who_sends_sql_can_leave_the_role(two: Two) -> None:
    """Row security guards against wrong values, not against SQL injection: see security.md."""
    two.connection.execute("RESET ROLE")
    counted = "SELECT count(*) FROM trading_orders WHERE symbol IN ('mine', 'THEIRS')"
    assert two.connection.execute(counted).fetchone() == (2,)
    become(two.connection, two.theirs["user"])
    assert two.connection.execute("SELECT symbol FROM trading_orders").fetchall() == [(SECRET,)]
    two.connection.execute("DO 'BEGIN RESET ROLE; END'")
    assert two.connection.execute("SELECT current_user").fetchone() == ("rubi_app",)
