"""Row security at its edges: what errors, plans, functions and chunks tell, and its known limit."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import errors

from tenants import SECRET, Two, become, setup


@pytest.fixture
def two(rolled_back: psycopg.Connection) -> Two:
    """Two users in a transaction that is rolled back."""
    return setup(rolled_back)


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


def test_known_limit_who_sends_sql_can_leave_the_role(two: Two) -> None:
    """Row security guards against wrong values, not against SQL injection: see security.md."""
    two.connection.execute("RESET ROLE")
    counted = "SELECT count(*) FROM trading_orders WHERE symbol IN ('mine', 'THEIRS')"
    assert two.connection.execute(counted).fetchone() == (2,)
    become(two.connection, two.theirs["user"])
    assert two.connection.execute("SELECT symbol FROM trading_orders").fetchall() == [(SECRET,)]
    two.connection.execute("DO 'BEGIN RESET ROLE; END'")
    assert two.connection.execute("SELECT current_user").fetchone() == ("rubi_app",)
