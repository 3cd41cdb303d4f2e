"""Risk rules where more than one account, session or time is at play."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import errors

import mt5
import rows
from desk import Connect
from interleaving import DEADLINE, waits
from risk_desk import DAY, NOON, Desk, picture

NOW = datetime.now(UTC)


@pytest.fixture
def desk(app: psycopg.Connection) -> Desk:
    desk = Desk(app, rows.user(app))
    desk.heartbeat(NOON - timedelta(hours=1), 100000)
    return desk


class Pair:
    """Two accounts that trade one strategy, which has a rule."""

    def __init__(self, desk: Desk, kind: str, amount: int, unit: str, **values: object) -> None:
        self.desk = desk
        self.strategy = rows.strategy(desk.connection, desk.user)
        self.accounts = [desk.account]
        desk.login = 1002
        desk.heartbeat(NOON - timedelta(hours=1), 100000)
        self.accounts.append(desk.account)
        for account in self.accounts:
            desk.connection.execute(
                "INSERT INTO mt5_magic_strategies (account_id, user_id, magic, strategy_id)"
                " VALUES (%s, %s, 77, %s)",
                [account, desk.user, self.strategy],
            )
        self.rule = desk.rule(
            kind, amount, unit, account_id=None, strategy_id=self.strategy, warning_share=1,
            **values,
        )  # fmt: skip

    def show(
        self, index: int, positions: int, at: datetime, connection: psycopg.Connection | None = None
    ) -> None:
        mt5.ingest(
            connection or self.desk.connection, "positions", self.accounts[index],
            picture(*[1] * positions, magic=77), at,
        )  # fmt: skip

    def told(self, *columns: str) -> list[tuple]:
        return self.desk.connection.execute(
            f"SELECT {', '.join(columns)} FROM risk_breaches WHERE rule_id = %s"
            " AND event = 'breach' ORDER BY id",
            [self.rule],
        ).fetchall()


def test_breach_of_a_strategy_is_told_once_a_day_whichever_account_has_it(desk: Desk) -> None:
    """The first account leaves: the same breach goes on in the second alone."""
    pair = Pair(desk, "maximum_positions", 1, "positions")
    pair.show(0, 1, NOON)
    pair.show(1, 2, NOON + timedelta(minutes=1))
    pair.show(0, 0, NOON + timedelta(minutes=2))
    pair.show(1, 3, NOON + timedelta(minutes=3))
    assert pair.told("account_id", "first_value", "worst_value") == [(pair.accounts[0], 3, 3)]
    pair.show(1, 2, NOON + DAY)
    assert pair.told("account_id")[1:] == [(pair.accounts[1],)]


def test_two_accounts_of_a_strategy_that_come_together_see_each_other(
    desk: Desk, connect_as: Connect
) -> None:
    pair = Pair(desk, "maximum_lots", 1, "lots")
    first, second = connect_as("rubi_ingest"), connect_as("rubi_ingest")
    with ThreadPoolExecutor(1) as thread:
        with first.transaction():
            pair.show(0, 1, NOON, first)
            later = thread.submit(pair.show, 1, 1, NOON, second)
            waits(desk.connection, second)
        later.result(DEADLINE)
    assert pair.told("first_value") == [(2,)]


def test_an_open_transaction_on_a_rule_of_a_strategy_holds_up_no_account(
    desk: Desk, connect_as: Connect
) -> None:
    """And what is judged meanwhile is told, by the rule as it stood."""
    pair = Pair(desk, "maximum_lots", 1, "lots")
    gateway = connect_as("rubi_ingest")
    gateway.execute("SET lock_timeout = '1ms'")
    with desk.connection.transaction():
        desk.connection.execute("UPDATE risk_rules SET name = 'new' WHERE id = %s", [pair.rule])
        pair.show(0, 2, NOON, gateway)
    assert pair.told("first_value") == [(2,)]


@pytest.mark.parametrize("rules", [1, 3])
def test_many_pictures_of_a_strategy_in_two_accounts_are_one_exact_breach(
    desk: Desk, connect_as: Connect, rules: int
) -> None:
    """Each account's session shows more and more; nobody waits for ever, and the worst of the day
    is the sum of both."""
    pair = Pair(desk, "maximum_lots", 1, "lots")
    for _ in range(rules - 1):
        desk.rule("maximum_positions", 1, "positions", account_id=None,
                  strategy_id=pair.strategy)  # fmt: skip
    most = 8

    gateways = [connect_as("rubi_ingest") for _ in pair.accounts]

    def show_all(index: int) -> None:
        for number in range(1, most + 1):
            pair.show(index, number, NOON + timedelta(seconds=number), gateways[index])

    with ThreadPoolExecutor(2) as threads:
        for done in [threads.submit(show_all, index) for index in (0, 1)]:
            done.result(DEADLINE)
    assert pair.told("worst_value") == [(2 * most,)]


def test_accounts_without_the_strategy_do_not_wait(desk: Desk, connect_as: Connect) -> None:
    pair = Pair(desk, "maximum_lots", 1, "lots")
    desk.login = 1003
    desk.heartbeat(NOON, 100000)
    desk.rule("maximum_lots", 1, "lots")
    first, second = connect_as("rubi_ingest"), connect_as("rubi_ingest")
    second.execute("SET lock_timeout = '1ms'")
    with first.transaction():
        pair.show(0, 2, NOON, first)
        mt5.ingest(second, "positions", desk.account, picture(2), NOON)
        with pytest.raises(errors.LockNotAvailable):
            pair.show(1, 1, NOON, second)
    assert len(desk.told("id")) == len(pair.told("id")) == 1


def may(desk: Desk, *arguments: object) -> tuple[bool, list[str]]:
    slots = ", ".join(["%s"] * (1 + len(arguments)))
    return desk.connection.execute(
        f"SELECT allowed, reasons FROM may_trade({slots})", [desk.account, *arguments]
    ).fetchone()


RULES = {
    "daily_loss": ("money", False), "maximum_positions": ("positions", False),
    "profit_target": ("money", True),
}  # fmt: skip


@pytest.mark.parametrize("kind", RULES)
@pytest.mark.parametrize(("age", "max_age", "stale"), [
    (timedelta(minutes=1), timedelta(minutes=5), False),
    (timedelta(minutes=6), timedelta(minutes=5), True),
    (timedelta(minutes=6), timedelta(minutes=30), False),
    (timedelta(days=30), None, False),
    # a client's clock that is ahead
    (timedelta(hours=-3), timedelta(minutes=5), True),
    (timedelta(hours=-3), None, False),
])  # fmt: skip
def test_an_account_that_fell_silent_may_not_trade(
    desk: Desk, kind: str, age: timedelta, max_age: timedelta | None, stale: bool
) -> None:
    unit, is_free = RULES[kind]
    now = datetime.now(UTC)
    desk.login = 1002
    desk.heartbeat(now - max(age, timedelta(0)), 100000)
    desk.connection.execute("UPDATE mt5_sessions SET last_ping = %s", [now - age])
    desk.rule(
        kind, 5, unit, valid_from=now - 40 * DAY, max_age=max_age,
        initial_capital=100000 if is_free else None,
    )  # fmt: skip
    desk.connection.execute("SELECT evaluate_risk()")
    state = desk.connection.execute("SELECT is_stale, status = 'stale' FROM risk_state").fetchone()
    assert state == (stale, stale)
    allowed = not stale or is_free
    assert may(desk) == (allowed, [] if allowed else [f"{kind}: {kind}", "stale_heartbeat"])
    desk.connection.execute("UPDATE mt5_sessions SET last_ping = %s", [now])
    assert may(desk) == (True, [])


def test_positions_of_a_strategy_without_magic_numbers_are_evaluated(desk: Desk) -> None:
    """Positions that the API writes itself are judged by no picture."""
    strategy = rows.strategy(desk.connection, desk.user)
    desk.rule("maximum_positions", 1, "positions", account_id=None, strategy_id=strategy)
    order = {"account_id": desk.account, "strategy_id": strategy, "mt5_order_id": "1"}
    rows.order(desk.connection, desk.user, **order)
    (session,) = desk.connection.execute("SELECT session_id FROM mt5_sessions").fetchone()
    rows.position(desk.connection, session, ticket="1")
    assert desk.connection.execute("SELECT evaluate_risk()").fetchone() == (1,)


def test_a_silent_account_of_a_strategy_makes_its_rule_stale(desk: Desk) -> None:
    """With stored positions or without, because the strategy may have opened some there since; no
    longer when its number has come to stand for another strategy and nothing of it is open, or
    when the account is closed."""
    pair = Pair(desk, "maximum_positions", 5, "positions", max_age=timedelta(minutes=5))
    now = datetime.now(UTC)
    desk.heartbeat(now, 100000)
    stale = (False, ["maximum_positions: maximum_positions", "stale_heartbeat"])
    for positions in (1, 0):
        pair.show(0, positions, NOON + timedelta(hours=2 - positions))
        assert may(desk, pair.strategy) == stale
        assert may(desk) == (True, [])
    silent, fine = pair.accounts[0], (True, [])
    desk.connection.execute("UPDATE mt5_accounts SET closed_at = now() WHERE id = %s", [silent])
    assert may(desk, pair.strategy) == fine
    desk.connection.execute("UPDATE mt5_accounts SET closed_at = NULL WHERE id = %s", [silent])
    assert may(desk, pair.strategy) == stale
    pair.show(0, 1, NOON + timedelta(hours=3))
    desk.connection.execute(
        "INSERT INTO mt5_magic_strategies (account_id, user_id, magic, valid_from)"
        " VALUES (%s, %s, 77, %s)",
        [silent, desk.user, now - timedelta(minutes=1)],
    )
    assert may(desk, pair.strategy) == stale
    pair.show(0, 0, NOON + timedelta(hours=4))
    assert may(desk, pair.strategy) == fine


def test_an_account_of_a_strategy_that_was_never_heard_of_makes_its_rule_stale(desk: Desk) -> None:
    pair = Pair(desk, "maximum_positions", 5, "positions", max_age=timedelta(minutes=5))
    desk.connection.execute("UPDATE mt5_sessions SET last_ping = %s", [datetime.now(UTC)])
    assert may(desk, pair.strategy) == (True, [])
    for table in ("account_snapshots", "mt5_sessions"):
        desk.connection.execute(
            f"DELETE FROM {table} WHERE session_id IN"
            " (SELECT session_id FROM mt5_sessions WHERE account_id = %s)",
            [pair.accounts[0]],
        )
    assert may(desk, pair.strategy)[0] is False
    desk.connection.execute("DELETE FROM mt5_magic_strategies")
    assert may(desk, pair.strategy) == (True, [])


def test_a_rule_of_the_past_measures_each_snapshot_since_then(desk: Desk) -> None:
    """As a rule that was there from the beginning; breaches are of the days that showed them."""
    beats = [100000, 94000, 101000, 98000, 95000, 99000]
    rule = {"kind": "trailing", "amount": 5000, "unit": "money", "initial_capital": 100000}
    living = desk.rule(**rule)
    for hour, balance in enumerate(beats):
        desk.heartbeat(NOON + timedelta(hours=9 * hour), balance)
    late = desk.rule(**rule)
    half = desk.rule(**rule, valid_from=NOON + timedelta(hours=18))
    assert desk.connection.execute("SELECT evaluate_risk(%s)", [desk.account]).fetchone()[0] > 0
    columns = "day, event, level, first_at, first_value, worst_value"
    told, states = {}, {}
    for which in (living, late, half):
        told[which] = desk.connection.execute(
            f"SELECT {columns} FROM risk_breaches WHERE rule_id = %s ORDER BY first_at", [which]
        ).fetchall()
        states[which] = desk.connection.execute(
            "SELECT day, opening, highest, worst_room, worst_at, seen_at FROM risk_states"
            " WHERE rule_id = %s", [which],
        ).fetchone()  # fmt: skip
    assert told[late] == told[living]
    assert states[late] == states[living]
    assert [row[3] for row in told[living] if row[1] == "breach"] == [
        NOON + timedelta(hours=9), NOON + timedelta(hours=36),
    ]  # fmt: skip
    assert [row[3] for row in told[half] if row[1] == "breach"] == [NOON + timedelta(hours=36)]


def test_an_ended_rule_stays_ended(desk: Desk) -> None:
    rule = desk.rule("daily_loss", 5, "money")
    end = "UPDATE risk_rules SET valid_to = %s WHERE id = %s"
    desk.connection.execute(end, [NOW + DAY, rule])
    desk.connection.execute(end, [NOON + DAY, rule])
    for moment in (NOW + DAY, "infinity", NOON + timedelta(hours=1)):
        with pytest.raises(psycopg.Error) as caught:
            desk.connection.execute(end, [moment, rule])
        assert caught.value.sqlstate == "RB073"
    desk.connection.execute(end, [NOON + DAY, rule])
    desk.connection.execute("UPDATE risk_rules SET name = 'old' WHERE id = %s", [rule])


def claimed(desk: Desk, worker: psycopg.Connection) -> list[int]:
    return [
        row[0]
        for row in worker.execute(
            "SELECT signal_id FROM claim_signals(%s, 'worker', 9)", [desk.account]
        ).fetchall()
    ]


def test_claims_obey_rules_where_the_account_wants_it(desk: Desk, connect_as: Connect) -> None:
    """Signals to close, and of other strategies, come; what is refused comes when it may."""
    pair = Pair(desk, "maximum_positions", 5, "positions")
    db, worker = desk.connection, connect_as("rubi_ingest")
    desk.heartbeat(NOW, 100000)
    db.execute("UPDATE trading_strategies SET max_positions = 1")
    pair.show(1, 1, NOW)
    db.execute("UPDATE mt5_accounts SET obeys_rules = TRUE WHERE id = %s", [desk.account])
    refused = rows.signal(db, desk.user, strategy_id=pair.strategy)
    free = [
        rows.signal(db, desk.user, strategy_id=pair.strategy, signal_type="CLOSE_BUY"),
        rows.signal(db, desk.user, strategy_id=rows.strategy(db, desk.user)),
        rows.signal(db, desk.user),
    ]
    assert claimed(desk, worker) == free
    rule = desk.rule("maximum_lots", 1, "lots")
    pair.show(1, 0, NOW + timedelta(milliseconds=1))
    assert claimed(desk, worker) == [refused]
    pair.show(1, 1, NOW + timedelta(milliseconds=2))
    assert may(desk)[1] == ["maximum_lots: maximum_lots"]
    more = rows.signal(db, desk.user)
    assert claimed(desk, worker) == []
    db.execute("UPDATE risk_rules SET valid_to = now() WHERE id = %s", [rule])
    assert claimed(desk, worker) == [more]


def test_claims_ask_no_rule_where_the_account_does_not_want_it(
    desk: Desk, connect_as: Connect
) -> None:
    desk.rule("maximum_lots", 1, "lots")
    mt5.ingest(desk.connection, "positions", desk.account, picture(1))
    signal = rows.signal(desk.connection, desk.user)
    assert may(desk)[0] is False
    assert claimed(desk, connect_as("rubi_ingest")) == [signal]


def test_a_pending_order_makes_a_trading_day_once_it_is_filled(desk: Desk) -> None:
    desk.rule("trading_days", 4, "days", clock="UTC")
    days = "SELECT value FROM risk_state"
    order = mt5.order("2026-01-06 12:00:00", ticket=9, type=2, state=1, price_open=1.1)
    mt5.ingest(desk.connection, "orders", desk.account, [order])
    assert desk.connection.execute(days).fetchone() == (0,)
    mt5.ingest(desk.connection, "orders", desk.account, [order | {"state": 4}])
    mt5.ingest(desk.connection, "deals", desk.account, [
        mt5.deal("2026-01-07 12:00:00", ticket=1, order=9, position_id=9)
    ])  # fmt: skip
    assert desk.connection.execute(days).fetchone() == (1,)
    rows.order(
        desk.connection, desk.user, account_id=desk.account, order_type="SELL_STOP",
        opened_at="2026-01-08 10:00+00",
    )  # fmt: skip
    assert desk.connection.execute(days).fetchone() == (1,)
