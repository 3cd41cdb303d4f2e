"""Counters of strategies follow their orders exactly, also under many writers."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import psycopg
import pytest

import rows


def test_strategy_inserted_again_under_its_id_counts_from_nothing(
    db: psycopg.Connection, app: psycopg.Connection
) -> None:
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    order = rows.closed_order(app, user, strategy_id=strategy)
    counters = "SELECT total_trades, winning_trades, total_profit FROM trading_strategies"
    with app.transaction():
        app.execute("DELETE FROM trading_strategies WHERE id = %s", [strategy])
        rows.strategy(app, user, id=strategy)
    assert app.execute(counters).fetchall() == [(0, 0, Decimal(0))]
    app.execute("UPDATE trading_orders SET strategy_id = %s WHERE id = %s", [strategy, order])
    assert app.execute(counters).fetchall() == [(1, 1, Decimal(10))]
    with app.transaction():
        app.execute("DELETE FROM trading_strategies WHERE id = %s", [strategy])
        rows.strategy(app, user, id=strategy)
        app.execute("UPDATE trading_orders SET strategy_id = %s WHERE id = %s", [strategy, order])
    assert app.execute(counters).fetchall() == [(1, 1, Decimal(10))]
    assert db.execute("SELECT count(*) FROM monitoring.strategy_counter_violations").fetchone() == (
        0,
    )


def counters(connection: psycopg.Connection, strategy: int) -> tuple[int, int, Decimal]:
    return connection.execute(
        "SELECT total_trades, winning_trades, total_profit FROM trading_strategies WHERE id = %s",
        [strategy],
    ).fetchone()


def violations(connection: psycopg.Connection) -> int:
    return connection.execute(
        "SELECT violations FROM monitoring.proofs WHERE name = 'strategy counters'"
    ).fetchone()[0]


def test_counters_follow_orders_and_corrections(db: psycopg.Connection) -> None:
    app = db  # the owner's side: closed orders are frozen for the API
    user = rows.user(app)
    one, other = rows.strategy(app, user), rows.strategy(app, user)
    order = rows.order(app, user, strategy_id=one)
    assert counters(app, one) == (0, 0, 0)
    app.execute(
        "UPDATE trading_orders SET closed_at = now(), close_price = 1, profit = 10, commission = -3"
        " WHERE id = %s",
        [order],
    )
    assert counters(app, one) == (1, 1, 7)
    app.execute("UPDATE trading_orders SET swap = -8 WHERE id = %s", [order])
    assert counters(app, one) == (1, 0, -1)
    app.execute("UPDATE trading_orders SET strategy_id = %s WHERE id = %s", [other, order])
    assert (counters(app, one), counters(app, other)) == ((0, 0, 0), (1, 0, -1))
    app.execute("UPDATE trading_orders SET closed_at = NULL WHERE id = %s", [order])
    assert counters(app, other) == (0, 0, 0)
    rows.closed_order(app, user, strategy_id=other)
    app.execute("DELETE FROM trading_orders WHERE close_price = 1.2")
    assert counters(app, other) == (0, 0, 0)
    assert violations(db) == 0


def test_cancelled_pending_order_does_not_count(app: psycopg.Connection) -> None:
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    rows.order(app, user, strategy_id=strategy, order_type="BUY_LIMIT", closed_at="2026-02-01")
    assert counters(app, strategy) == (0, 0, 0)


def test_counters_ignore_what_a_savepoint_took_back(
    app: psycopg.Connection, db: psycopg.Connection
) -> None:
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    with app.transaction():
        rows.closed_order(app, user, strategy_id=strategy)
        with app.transaction(force_rollback=True):
            rows.closed_order(app, user, strategy_id=strategy)
        rows.closed_order(app, user, strategy_id=strategy)
    assert counters(app, strategy) == (2, 2, 20)
    assert violations(db) == 0


def test_counter_proof_finds_a_wrong_counter(
    app: psycopg.Connection, db: psycopg.Connection
) -> None:
    strategy = rows.strategy(app, rows.user(app))
    assert violations(db) == 0
    db.execute("UPDATE trading_strategies SET total_trades = 1 WHERE id = %s", [strategy])
    assert violations(db) == 1


@pytest.mark.parametrize("won", [-1, 2])
def test_strategy_wins_from_none_to_all_of_its_trades(db: psycopg.Connection, won: int) -> None:
    """Not even the owner, who may correct counters, can say otherwise."""
    strategy = rows.strategy(db, rows.user(db))
    statement = "UPDATE trading_strategies SET total_trades = 1, winning_trades = %s WHERE id = %s"
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        db.execute(statement, [won, strategy])
    assert caught.value.diag.constraint_name == "trading_strategies_winning_trades_range_check"
    for won_of_one in (0, 1):
        assert db.execute(statement, [won_of_one, strategy]).rowcount == 1


def test_counters_are_exact_under_eight_writers(
    app: psycopg.Connection, db: psycopg.Connection, connect_as: Callable[..., psycopg.Connection]
) -> None:
    user = rows.user(app)
    strategies = [rows.strategy(app, user) for _ in range(4)]

    def write(number: int) -> None:
        connection = connect_as("rubi_app")
        for turn in range(15):
            # each writer goes through the strategies in another order
            order = strategies[number % 4 :] + strategies[: number % 4]
            with connection.transaction():
                made = [
                    rows.closed_order(connection, user, strategy_id=s, profit=turn - 5)
                    for s in (order if turn % 2 else reversed(order))
                ]
                connection.execute(
                    "UPDATE trading_orders SET strategy_id = %s WHERE id = %s",
                    [strategies[turn % 4], made[0]],
                )
                connection.execute("DELETE FROM trading_orders WHERE id = %s", [made[1]])

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert violations(db) == 0
    assert sum(counters(app, s)[0] for s in strategies) == 8 * 15 * 3


FORGED = ("one", "many", "again", "nonsense", "")


@pytest.mark.parametrize("forged", FORGED)
def test_counters_are_exact_whatever_a_role_says_of_the_transaction(
    app: psycopg.Connection, db: psycopg.Connection, forged: str
) -> None:
    user = rows.user(app)
    strategies = [rows.strategy(app, user) for _ in range(2)]
    for local in (False, True):
        with app.transaction():
            app.execute("SELECT set_config('rubi.counting', %s, %s)", [forged, local])
            for strategy in strategies * 2:
                order = rows.closed_order(app, user, strategy_id=strategy)
            app.execute("SELECT set_config('rubi.counting', %s, %s)", [forged, local])
            app.execute("DELETE FROM trading_orders WHERE id = %s", [order])
    assert [counters(app, strategy)[0] for strategy in strategies] == [4, 2]
    assert violations(db) == 0


@pytest.mark.parametrize("when", ["deferred", "immediate", "in between"])
def test_counters_are_exact_when_constraints_are_checked_early(
    app: psycopg.Connection, db: psycopg.Connection, when: str
) -> None:
    user = rows.user(app)
    strategies = [rows.strategy(app, user) for _ in range(2)]
    with app.transaction():
        if when == "immediate":
            app.execute("SET CONSTRAINTS ALL IMMEDIATE")
        rows.closed_order(app, user, strategy_id=strategies[0])
        rows.closed_order(app, user, strategy_id=strategies[1], profit=-3)
        if when == "in between":
            app.execute("SET CONSTRAINTS ALL IMMEDIATE")
            app.execute("SET CONSTRAINTS ALL DEFERRED")
        rows.closed_order(app, user, strategy_id=strategies[1])
    assert [counters(app, strategy)[0] for strategy in strategies] == [1, 2]
    assert violations(db) == 0


@pytest.mark.parametrize("closed", ["before", "after", "both"])
@pytest.mark.parametrize("counted", [False, True])
def test_strategy_under_the_id_of_a_deleted_one_counts_its_own_orders(
    app: psycopg.Connection, db: psycopg.Connection, closed: str, counted: bool
) -> None:
    """Deleted and inserted again in one transaction, with orders closed around."""
    user = rows.user(app)
    strategy, other = rows.strategy(app, user), rows.strategy(app, user)
    if counted:
        rows.closed_order(app, user, strategy_id=strategy)
    with app.transaction():
        if closed != "after":
            rows.closed_order(app, user, strategy_id=strategy)
        app.execute("DELETE FROM trading_strategies WHERE id = %s", [strategy])
        rows.strategy(app, user, id=strategy)
        if closed != "before":
            rows.closed_order(app, user, strategy_id=strategy)
            rows.closed_order(app, user, strategy_id=other)
    own = int(closed != "before")
    assert (counters(app, strategy)[0], counters(app, other)[0]) == (own, own)
    assert violations(db) == 0


def test_deltas_of_counters_leave_no_row(app: psycopg.Connection, db: psycopg.Connection) -> None:
    user = rows.user(app)
    strategy = rows.strategy(app, user)
    with app.transaction():
        for _ in range(3):
            rows.closed_order(app, user, strategy_id=strategy)
    assert counters(app, strategy)[0] == 3
    assert db.execute("SELECT count(*) FROM internal.strategy_counter_deltas").fetchone() == (0,)


def test_writers_of_one_order_and_of_many_neither_deadlock_nor_miscount(
    app: psycopg.Connection, db: psycopg.Connection, connect_as: Callable[..., psycopg.Connection]
) -> None:
    user = rows.user(app)
    strategies = [rows.strategy(app, user) for _ in range(3)]

    def write(number: int) -> None:
        connection = connect_as("rubi_app")
        for turn in range(12):
            order = strategies if turn % 2 else strategies[::-1]
            if number % 2:
                for strategy in order:
                    rows.closed_order(connection, user, strategy_id=strategy)
            else:
                with connection.transaction():
                    for strategy in order:
                        rows.closed_order(connection, user, strategy_id=strategy)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(write, range(6)))
    assert [counters(app, strategy)[0] for strategy in strategies] == [6 * 12] * 3
    assert violations(db) == 0


def test_transaction_of_many_orders_reads_each_delta_of_counters_once(
    db: psycopg.Connection,
) -> None:
    """Each delta has a trigger at commit; those that find theirs applied must not look at all."""
    user = rows.user(db)
    strategy = rows.strategy(db, user)
    order = rows.closed_order(db, user, strategy_id=strategy)
    count = 1000
    read = (
        "SELECT sum(idx_tup_read) FROM pg_stat_user_indexes"
        " WHERE relid = 'internal.strategy_counter_deltas'::regclass"
    )
    db.execute("SELECT pg_stat_force_next_flush()")
    before = db.execute(read).fetchone()[0]
    with db.transaction():
        db.execute(
            "INSERT INTO trading_orders (user_id, strategy_id, symbol, order_type, volume,"
            " open_price, close_price, profit, opened_at, closed_at)"
            " SELECT user_id, strategy_id, symbol, order_type, volume, open_price, close_price,"
            " profit, opened_at, closed_at FROM trading_orders, generate_series(1, %s)"
            " WHERE id = %s",
            [count, order],
        )
    db.execute("SELECT pg_stat_force_next_flush()")
    assert counters(db, strategy)[0] == count + 1
    assert db.execute(read).fetchone()[0] - before <= 5 * count
