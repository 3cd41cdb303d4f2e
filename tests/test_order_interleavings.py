"""One order in every interleaving of the steps of the API and the gateway."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

import psycopg
import pytest
from psycopg.pq import TransactionStatus
from psycopg.types.json import Jsonb

import mt5
import rows
from interleaving import Step, orders_of, waits, walk
from mt5 import OUT, SELL, deal

Connect = Callable[..., psycopg.Connection]
D = Decimal


class Trade:
    """A user with an account, a strategy and a signal, and the deals of the signal's order."""

    def __init__(self, db: psycopg.Connection) -> None:
        self.user = rows.user(db)
        self.account = mt5.open_account(db, self.user, taken_at="2026-01-01")
        self.strategy = rows.strategy(db, self.user)
        self.signal = rows.signal(db, self.user, strategy_id=self.strategy)
        opening = deal("2026-01-05 10:00", ticket=1, order=900, position_id=900, commission=-1.0)
        closing = deal(
            "2026-01-05 11:00", ticket=2, position_id=900, type=SELL, entry=OUT, price=1.2,
            profit=8.0,
        )  # fmt: skip
        self.deals = [opening, closing]


def execute(query: str, *values: object) -> Step:
    """A step that executes a statement."""

    def step(connection: psycopg.Connection) -> None:
        connection.execute(query, values)

    return step


BEGIN, COMMIT = execute("BEGIN"), execute("COMMIT")


def repeated(step: Step) -> Step:
    """The step, once more after each deadlock, as docs/guides/api.md asks of clients.

    In a transaction it is the first step after BEGIN. A step that is quicker than the one that
    waited for it meets that one again.
    """

    def again(connection: psycopg.Connection) -> None:
        try:
            step(connection)
        except psycopg.errors.DeadlockDetected:
            if connection.info.transaction_status == TransactionStatus.INERROR:
                connection.execute("ROLLBACK")
                connection.execute("BEGIN")
            again(connection)

    return again


INSERT = (
    "INSERT INTO trading_orders (user_id, signal_id, symbol, order_type, volume, mt5_order_id)"
    " VALUES (%s, %s, 'EURUSD', 'BUY', 1, %s)"
)
OF_SIGNAL = " WHERE signal_id = %s"


def insert(trade: Trade, number: str | None = None) -> Step:
    return execute(INSERT, trade.user, trade.signal, number)


def number_later(trade: Trade) -> list[Step]:
    set_number = "UPDATE trading_orders SET mt5_order_id = '900'" + OF_SIGNAL
    return [BEGIN, insert(trade), execute(set_number, trade.signal), COMMIT]


def number_in_a_transaction_of_its_own(trade: Trade) -> list[Step]:
    _, first, second, _ = number_later(trade)
    return [first, BEGIN, second, COMMIT]


def number_and_account_later(trade: Trade) -> list[Step]:
    both = "UPDATE trading_orders SET mt5_order_id = '900', account_id = %s" + OF_SIGNAL
    return [BEGIN, insert(trade), execute(both, trade.account, trade.signal), COMMIT]


def number_then_account(trade: Trade) -> list[Step]:
    begin, first, second, commit = number_later(trade)
    account = "UPDATE trading_orders SET account_id = %s" + OF_SIGNAL
    return [begin, first, second, execute(account, trade.account, trade.signal), commit]


def account_in_a_transaction_of_its_own(trade: Trade) -> list[Step]:
    account = "UPDATE trading_orders SET account_id = %s" + OF_SIGNAL
    named = execute(account, trade.account, trade.signal)
    return [*number_later(trade)[1:3], BEGIN, named, COMMIT]


def number_from_the_beginning(trade: Trade) -> list[Step]:
    upsert = (
        INSERT + " ON CONFLICT (mt5_order_id, account_id)"
        " DO UPDATE SET signal_id = excluded.signal_id"
    )
    return [BEGIN, execute(upsert, trade.user, trade.signal, "900"), COMMIT]


def closed_by_the_api_first(trade: Trade) -> list[Step]:
    close = "UPDATE trading_orders SET close_price = 1.3, closed_at = now(), profit = 7" + OF_SIGNAL
    begin, first, second, commit = number_later(trade)
    return [first, execute(close, trade.signal), begin, second, commit]


def deals_of(trade: Trade, deals: list[dict]) -> Step:
    return execute("SELECT ingest_mt5_deals(%s, %s)", trade.account, Jsonb(deals))


def gateway(trade: Trade) -> list[Step]:
    """The opening deal in a transaction, both deals in the next call."""
    both = deals_of(trade, trade.deals)
    return [BEGIN, deals_of(trade, trade.deals[:1]), COMMIT, both]


@pytest.mark.parametrize(
    "api",
    [
        number_later,
        number_in_a_transaction_of_its_own,
        number_and_account_later,
        number_then_account,
        account_in_a_transaction_of_its_own,
        number_from_the_beginning,
        closed_by_the_api_first,
    ],
)
def test_an_order_of_the_api_and_its_deals_are_one_row_in_every_interleaving(
    db: psycopg.Connection, connect_as: Connect, api: Callable[[Trade], list[Step]]
) -> None:
    sessions = [connect_as("rubi_app"), connect_as("rubi_ingest")]
    for session in sessions:
        session.execute("SET lock_timeout = '60s'")
    steps = (len(api(Trade(db))), 4)
    for turns in orders_of(*steps):
        trade = Trade(db)
        walk(db, sessions, [api(trade), gateway(trade)], turns)
        found = db.execute(
            "SELECT signal_id, strategy_id, account_id, mt5_order_id, mt5_position_id, close_price,"
            " profit, commission FROM trading_orders WHERE user_id = %s",
            [trade.user],
        ).fetchall()
        assert found == [
            (trade.signal, trade.strategy, trade.account, "900", "900", D("1.2"), D(8), D(-1))
        ], turns
        counters = db.execute(
            "SELECT total_trades, winning_trades, total_profit FROM trading_strategies"
            " WHERE id = %s",
            [trade.strategy],
        ).fetchone()
        assert counters == (1, 1, D(7)), turns
    assert mt5.violations(db) == {}


def test_row_that_gets_a_signal_meanwhile_is_not_given_away(
    db: psycopg.Connection, connect_as: Connect
) -> None:
    """The API makes the row of the deals its own while another order is about to take its place."""
    trade = Trade(db)
    mt5.ingest(db, "deals", trade.account, trade.deals)
    other = rows.order(db, trade.user, mt5_order_id=None)
    sessions = [connect_as("rubi_app"), connect_as("rubi_app")]
    own = "UPDATE trading_orders SET signal_id = %s WHERE user_id = %s AND mt5_order_id = '900'"
    take = "UPDATE trading_orders SET mt5_order_id = '900' WHERE id = %s"
    scripts = [[BEGIN, execute(own, trade.signal, trade.user), COMMIT], [execute(take, other)]]
    with pytest.raises(psycopg.errors.UniqueViolation):
        walk(db, sessions, scripts, (0, 0, 1, 0))
    found = db.execute(
        "SELECT signal_id, profit FROM trading_orders WHERE user_id = %s AND mt5_order_id = '900'",
        [trade.user],
    ).fetchall()
    assert found == [(trade.signal, D(8))]


def meet(db: psycopg.Connection, scripts: list[tuple[psycopg.Connection, Step]]) -> None:
    """Has two steps begin at once that want order 900: they wait behind a third session."""
    db.execute("BEGIN")
    db.execute("SELECT FROM trading_orders WHERE mt5_order_id = '900' FOR UPDATE")
    with ThreadPoolExecutor(2) as threads:
        running = []
        for session, step in scripts:
            running.append(threads.submit(step, session))
            waits(db, session)
        db.execute("ROLLBACK")
        for future in running:
            future.result(timeout=60)


def test_order_that_takes_the_place_of_another_meets_new_deals_of_its_trip(
    db: psycopg.Connection, connect_as: Connect
) -> None:
    """Both want the trip and its order, and take them in the same order."""
    trade = Trade(db)
    mt5.ingest(db, "deals", trade.account, trade.deals[:1])
    insert(trade)(db)
    take = "UPDATE trading_orders SET mt5_order_id = '900', account_id = %s" + OF_SIGNAL
    taken = execute(take, trade.account, trade.signal)
    told = deals_of(trade, trade.deals)
    meet(db, [(connect_as("rubi_app"), taken), (connect_as("rubi_ingest"), told)])
    found = db.execute(
        "SELECT signal_id, profit FROM trading_orders WHERE user_id = %s", [trade.user]
    ).fetchall()
    assert found == [(trade.signal, D(8))]


def test_order_that_the_api_deletes_meets_new_deals_of_its_trip(
    db: psycopg.Connection, connect_as: Connect
) -> None:
    """A DELETE has its order before its trip: one of both is told so, and nothing is lost."""
    trade = Trade(db)
    mt5.ingest(db, "deals", trade.account, trade.deals[:1])
    deleted = repeated(execute("DELETE FROM trading_orders WHERE mt5_order_id = '900'"))
    told = repeated(deals_of(trade, trade.deals))
    meet(db, [(connect_as("rubi_app"), deleted), (connect_as("rubi_ingest"), told)])
    left = db.execute(
        "SELECT made_by, profit FROM trading_orders WHERE user_id = %s", [trade.user]
    ).fetchall()
    assert left == [("deals", D(8))]
    assert db.execute("SELECT FROM monitoring.trip_violations").fetchall() == []


@pytest.mark.parametrize("account", ["named", "not named"])
def test_deals_of_an_order_that_the_api_deletes_are_stored_in_every_interleaving(
    db: psycopg.Connection, connect_as: Connect, account: str
) -> None:
    sessions = [connect_as("rubi_app"), connect_as("rubi_ingest")]
    for session in sessions:
        session.execute("SET lock_timeout = '60s'")
    for turns in orders_of(3, 4):
        trade = Trade(db)
        number = rows.order(
            db, trade.user, mt5_order_id="900", strategy_id=trade.strategy,
            account_id=trade.account if account == "named" else None,
        )  # fmt: skip
        delete = execute("DELETE FROM trading_orders WHERE id = %s", number)
        told = [repeated(step) for step in gateway(trade)]
        walk(db, sessions, [[BEGIN, repeated(delete), COMMIT], told], turns)
        stored = db.execute(
            "SELECT count(*) FROM trading_deals WHERE account_id = %s", [trade.account]
        ).fetchone()
        assert stored == (2,), turns
        left = db.execute(
            "SELECT made_by FROM trading_orders WHERE user_id = %s", [trade.user]
        ).fetchall()
        # the deals make an order of their own, whether they come before the order goes or after
        assert left == [("deals",)], turns
    assert db.execute("SELECT FROM monitoring.trip_violations").fetchall() == []
    assert db.execute("SELECT FROM monitoring.strategy_counter_violations").fetchall() == []
