"""What becomes of signals that workers claim: old clients, expiry, orders, the trace."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import psycopg
import pytest
from psycopg.types.json import Jsonb

import mt5
import rows
from desk import Connect, Desk, assert_refused
from interleaving import waits


@pytest.fixture
def desk(db: psycopg.Connection, connect_as: Connect) -> Desk:
    return Desk(db, connect_as)


def test_old_client_decides_a_pending_signal_itself(desk: Desk, connect_as: Connect) -> None:
    signals = [desk.signal(), desk.signal()]
    app = connect_as("rubi_app")
    update = "UPDATE trading_signals SET status = 'EXECUTED' WHERE id = %s"
    with app.transaction():
        app.execute(update, [signals[0]])
        assert [found for _, found in desk.claim(limit=9)] == signals[1:]
    assert desk.claim(limit=9) == []
    assert desk.status(signals[0]) == "EXECUTED"


def test_what_an_old_client_decided_meanwhile_stays(desk: Desk) -> None:
    signal = desk.signal()
    ((claim, _),) = desk.claim()
    desk.sent(claim)
    desk.db.execute("UPDATE trading_signals SET status = 'REJECTED' WHERE id = %s", [signal])
    assert desk.settle(claim, "EXECUTED") == "REJECTED"


def test_signal_that_an_old_client_decided_is_not_sent(desk: Desk) -> None:
    signal = desk.signal()
    ((claim, _),) = desk.claim()
    desk.db.execute("UPDATE trading_signals SET status = 'EXECUTED' WHERE id = %s", [signal])
    assert_refused("RB031", lambda: desk.sent(claim))
    assert desk.db.execute("SELECT count(*) FROM mt5_order_sends").fetchone() == (0,)


def expire(db: psycopg.Connection) -> None:
    db.execute("CALL expire_signals()")


@pytest.mark.parametrize(
    ("state", "status"),
    [("waiting", "EXPIRED"), ("released", "EXPIRED"), ("lapsed", "EXPIRED"), ("held", "PENDING"),
     ("sent", "PENDING")],
)  # fmt: skip
def test_signal_expires_unless_a_worker_has_it(desk: Desk, state: str, status: str) -> None:
    signal = desk.signal(valid_until="2100-01-01")
    if state != "waiting":
        ((claim, _),) = desk.claim()
        if state == "released":
            desk.release(claim)
        elif state == "lapsed":
            desk.end_lease(claim)
        elif state == "sent":
            desk.sent(claim)
    desk.db.execute("UPDATE trading_signals SET valid_until = now() WHERE id = %s", [signal])
    expire(desk.db)
    assert desk.status(signal) == status
    assert desk.claim(limit=9) == []


def test_lease_ends_with_the_signal(desk: Desk) -> None:
    desk.signal(valid_until="2100-01-01")
    soon = desk.db.execute("SELECT now() + interval '1 hour'").fetchone()[0]
    signal = desk.signal(valid_until=soon)
    desk.claim(limit=9, lease="2 hours")
    assert desk.db.execute(
        "SELECT lease_until FROM signal_claims WHERE signal_id = %s", [signal]
    ).fetchone() == (soon,)


def test_partly_executed_copied_signal_is_executed_when_its_time_is_over(desk: Desk) -> None:
    signal = desk.copied(valid_until="2100-01-01")
    ((claim, _),) = desk.claim()
    desk.sent(claim)
    desk.settle(claim, "EXECUTED")
    desk.db.execute("UPDATE trading_signals SET valid_until = now() WHERE id = %s", [signal])
    expire(desk.db)
    assert desk.status(signal) == "EXECUTED"


def test_signal_whose_time_is_prolonged_is_claimable_again(desk: Desk) -> None:
    signal = desk.signal(valid_until="2020-01-01")
    desk.signal()
    assert len(desk.claim(limit=9)) == 1
    time.sleep(0.03)
    desk.claim(limit=9)
    desk.db.execute("UPDATE trading_signals SET valid_until = NULL WHERE id = %s", [signal])
    assert [found for _, found in desk.claim(limit=9)] == [signal]


def test_signal_that_is_prolonged_while_held_lets_others_pass(desk: Desk) -> None:
    held = desk.signal(valid_until="2100-01-01")
    ((claim, _),) = desk.claim()
    desk.db.execute("UPDATE trading_signals SET valid_until = '2101-01-01' WHERE id = %s", [held])
    behind = desk.signal()
    assert [found for _, found in desk.claim(account=1)] == [behind]
    desk.end_lease(claim)
    assert [found for _, found in desk.claim(account=1)] == [held]


def test_signal_that_is_being_sent_when_its_time_ends_does_not_expire(
    desk: Desk, connect_as: Connect
) -> None:
    other = connect_as()
    for seconds in (1, 20):  # the second where the machine stood still in the first
        after = "SELECT clock_timestamp() + make_interval(secs => %s)"
        soon = desk.db.execute(after, [seconds]).fetchone()[0]
        signal = desk.signal(valid_until=soon)
        claims = desk.claim()
        desk.worker.execute("BEGIN")
        with suppress(IndexError, psycopg.DatabaseError):
            desk.sent(claims[0][0])
            break
        desk.worker.execute("ROLLBACK")
    desk.db.execute("SELECT pg_sleep_until(%s)", [soon])
    with ThreadPoolExecutor(1) as pool:
        expiring = pool.submit(expire, other)
        waits(desk.db, other)
        desk.worker.execute("COMMIT")
        expiring.result(60)
    assert desk.status(signal) == "PENDING"


def test_queue_is_kept_short_and_loses_nothing(desk: Desk) -> None:
    for _ in range(100):
        desk.signal()
    for _ in range(8):
        for claim, _ in desk.claim(limit=10):
            desk.end_lease(claim)
    desk.db.execute("UPDATE trading_signals SET status = 'REJECTED' WHERE id % 2 = 0")
    expire(desk.db)
    waiting = desk.db.execute(
        "SELECT count(DISTINCT signal_id) FROM internal.signal_queue"
    ).fetchone()[0]
    assert waiting == 50
    found = {signal for _, signal in desk.claim(limit=1000)}
    assert found == {
        id for (id,) in desk.db.execute("SELECT id FROM trading_signals WHERE status = 'PENDING'")
    }
    (marks,) = desk.db.execute("SELECT count(*) FROM internal.signal_marks").fetchone()
    assert marks <= 4


def test_marks_of_a_restored_dump_are_forgotten(desk: Desk) -> None:
    """Their transactions are another server's, ahead of this one's or, later, behind it."""
    signal = desk.signal()
    desk.db.execute(
        "INSERT INTO internal.signal_marks (lane, made_at, server, ready_at, entry_id, seen_until,"
        " unseen_xids, left_ready_at, left_ids) SELECT -%s, now(), 1, now() + interval '1 day', 1,"
        " x, '{}', '{}', '{}' FROM unnest(ARRAY['4000000000'::xid8]) AS x",
        [desk.user],
    )
    assert [found for _, found in desk.claim()] == [signal]
    expire(desk.db)
    assert not desk.db.execute("SELECT FROM internal.signal_marks WHERE server = 1").rowcount


@pytest.mark.parametrize(
    ("limit", "lease"), [(0, "1 minute"), (1001, "1 minute"), (1, "0 seconds"), (1, "2 days")]
)
def test_limit_and_lease_have_bounds(desk: Desk, limit: int, lease: str) -> None:
    assert_refused("RB035", lambda: desk.claim(limit=limit, lease=lease))
    assert desk.claim(limit=1000, lease="1 day") == []


def test_claims_of_another_user_are_not_there(desk: Desk) -> None:
    desk.signal()
    ((claim, _),) = desk.claim()
    desk.worker.execute("SELECT set_config('app.user_id', %s, FALSE)", [str(desk.user + 1)])
    assert_refused("RB051", desk.claim)
    assert_refused("RB030", lambda: desk.sent(claim))
    assert_refused("RB030", lambda: desk.settle(claim, "REJECTED"))
    assert_refused("RB030", lambda: desk.release(claim))
    desk.worker.execute("SELECT set_config('app.user_id', %s, FALSE)", [str(desk.user)])
    desk.sent(claim)


def test_closed_user_has_no_claims(desk: Desk) -> None:
    desk.signal()
    desk.signal()
    ((claim, _),) = desk.claim()
    desk.db.execute("SELECT close_user(%s)", [desk.user])
    assert_refused("RB024", desk.claim)
    assert_refused("RB024", lambda: desk.sent(claim))
    assert_refused("RB024", lambda: desk.settle(claim, "REJECTED"))
    assert_refused("RB024", lambda: desk.release(claim))


def trade(desk: Desk, claim: int, account: int, ticket: int, deals_first: bool) -> None:
    """The order of a claim is sent, filled and closed; the gateway is quicker or slower."""
    desk.sent(claim)
    number = desk.accounts[account]
    deals = [
        mt5.deal("2026-01-05 10:00", ticket=ticket, order=ticket, position_id=ticket),
        mt5.deal("2026-01-05 11:00", ticket=ticket + 1, order=ticket + 1, position_id=ticket,
                 type=mt5.SELL, entry=mt5.OUT, price=1.2, profit=8.0),
    ]  # fmt: skip
    if deals_first:
        mt5.ingest(desk.db, "deals", number, deals)
    desk.worker.execute(
        "SELECT log_mt5_order_send(%s, '{}', %s, now(), now(), p_claim_id => %s)",
        [number, Jsonb({"retcode": 10009, "order": ticket, "deal": ticket}), claim],
    )
    if not deals_first:
        mt5.ingest(desk.db, "deals", number, deals)
    desk.settle(claim, "EXECUTED", "filled")


@pytest.mark.parametrize("mapped", [False, True])
@pytest.mark.parametrize("deals_first", [False, True])
def test_order_of_a_claim_carries_signal_and_strategy(
    desk: Desk, deals_first: bool, mapped: bool
) -> None:
    """Also where the worker's magic number stands for another strategy."""
    if mapped:
        other = rows.strategy(desk.db, desk.user, name="other")
        desk.db.execute(
            "INSERT INTO mt5_magic_strategies (account_id, user_id, magic, strategy_id)"
            " SELECT id, user_id, 0, %s FROM mt5_accounts WHERE user_id = %s", [other, desk.user],
        )  # fmt: skip
    signal = desk.copied()
    for account in (0, 1):
        ((claim, _),) = desk.claim(account=account)
        trade(desk, claim, account, 900 + 10 * account, deals_first)
    found = desk.db.execute(
        "SELECT signal_id, strategy_id, profit FROM trading_orders ORDER BY id"
    ).fetchall()
    # a signal is in one order: the copy counts for the strategy
    assert found == [(signal, desk.strategy, 8), (None, desk.strategy, 8)]
    counted = "SELECT id FROM trading_strategies WHERE total_trades = 2"
    assert desk.db.execute(counted).fetchall() == [(desk.strategy,)]
    sends = desk.db.execute("SELECT count(*), count(claim_id) FROM mt5_order_sends").fetchone()
    assert sends == (2, 2)


def test_deals_of_two_accounts_with_one_signal_come_at_the_same_time(
    desk: Desk, connect_as: Connect
) -> None:
    """Neither ingest knows of the other's order: the second takes the strategy alone."""
    signal = desk.copied()
    gateways = [connect_as("rubi_ingest") for _ in range(2)]
    given = []
    for account, number in enumerate(desk.accounts):
        ((claim, _),) = desk.claim(account=account)
        desk.sent(claim)
        ticket = 900 + 10 * account
        desk.worker.execute(
            "SELECT log_mt5_order_send(%s, '{}', %s, now(), now(), p_claim_id => %s)",
            [number, Jsonb({"retcode": 10009, "order": ticket, "deal": ticket}), claim],
        )
        deal = mt5.deal("2026-01-05 10:00", ticket=ticket, order=ticket, position_id=ticket)
        given.append(["SELECT ingest_mt5_deals(%s, %s)", [number, Jsonb([deal])]])
    with ThreadPoolExecutor(1) as thread:
        with gateways[0].transaction():
            gateways[0].execute(*given[0])
            second = thread.submit(gateways[1].execute, *given[1])
            waits(desk.db, gateways[1])
        second.result(timeout=60)
    found = desk.db.execute(
        "SELECT signal_id, strategy_id, made_by FROM trading_orders ORDER BY mt5_order_id"
    ).fetchall()
    assert found == [(signal, desk.strategy, "api"), (None, desk.strategy, "api")]


def test_trace_tells_the_steps_of_own_signals(desk: Desk, connect_as: Connect) -> None:
    signal = desk.signal()
    ((claim, _),) = desk.claim()
    trade(desk, claim, 0, 900, deals_first=False)
    tenant = connect_as("rubi_app")
    steps = {}
    for user in (desk.user, rows.user(desk.db)):
        with tenant.transaction():
            tenant.execute("SET LOCAL ROLE rubi_tenant")
            tenant.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(user)])
            steps[user] = tenant.execute(
                "SELECT what, ticket, at IS NOT NULL, since_before >= '0' FROM signal_trace(%s)",
                [signal],
            ).fetchall()
    own, foreign = steps.values()
    assert foreign == []
    assert sorted(what for what, *_ in own) == sorted(
        ["signal", "received", "claim", "sent", "answer", "deal", "executed", "closed"]
    )
    assert all(timed for _, _, timed, _ in own)
    assert all(later for *_, later in own[1:])


@pytest.mark.parametrize(("order", "results"), [(1, [5]), (2, [5, 7]), (3, [7])])
def test_trace_on_netting_tells_the_legs_of_the_signals_deals(
    desk: Desk, order: int, results: list[int]
) -> None:
    """A reversal ends one leg and begins the next."""
    signal, number = desk.signal(), desk.accounts[0]
    ((claim, _),) = desk.claim()
    own = {"position_id": 1, "symbol": "EURUSD"}
    deals = [
        mt5.deal(mt5.NOON, ticket=1, **own),
        mt5.deal("2026-01-05 12:01", ticket=2, type=1, entry=2, volume=2.0, profit=5, **own),
        mt5.deal("2026-01-05 12:02", ticket=3, type=0, entry=1, profit=7, **own),
    ]
    mt5.ingest(desk.db, "deals", number, deals)
    desk.worker.execute(
        "SELECT log_mt5_order_send(%s, '{}', %s, now(), now(), p_claim_id => %s)",
        [number, Jsonb({"retcode": 10009, "order": order, "deal": order}), claim],
    )
    found = desk.db.execute(
        "SELECT detail FROM signal_trace(%s) WHERE what = 'closed' ORDER BY step", [signal]
    ).fetchall()
    assert [detail for (detail,) in found] == [f"net {result}" for result in results]


def test_claim_whose_order_is_logged_counts_as_sent(desk: Desk) -> None:
    desk.signal()
    ((claim, _),) = desk.claim()
    desk.worker.execute(
        "SELECT log_mt5_order_send(%s, '{}', NULL, now(), p_claim_id => %s)",
        [desk.accounts[0], claim],
    )
    desk.end_lease(claim)
    assert desk.claim(limit=9) == []
    assert desk.db.execute("SELECT claim_id FROM claims_in_doubt").fetchall() == [(claim,)]


def test_claim_of_another_account_is_refused_in_the_log(desk: Desk) -> None:
    desk.signal()
    ((claim, _),) = desk.claim()
    log = "SELECT log_mt5_order_send(%s, '{}', NULL, now(), p_claim_id => %s)"
    assert_refused("RB030", lambda: desk.worker.execute(log, [desk.accounts[1], claim]))
    desk.worker.execute(log, [desk.accounts[0], claim])


def test_worker_does_not_wait_for_an_ingest(desk: Desk, connect_as: Connect) -> None:
    signal = desk.signal()
    other = connect_as("rubi_ingest")
    with other.transaction():
        other.execute("SELECT ingest_mt5_deals(%s, '[]')", [desk.accounts[0]])
        desk.worker.execute("SET lock_timeout = '5s'")
        ((claim, found),) = desk.claim()
        desk.sent(claim)
        desk.settle(claim, "EXECUTED")
    assert found == signal
