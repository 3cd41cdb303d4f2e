"""Signals are claimed: one worker at a time, nothing sent twice, nothing lost."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest

import mt5
import rows
from desk import Connect, Desk, assert_refused
from interleaving import DEADLINE, waits
from rubi.waiting import until


@pytest.fixture
def desk(db: psycopg.Connection, connect_as: Connect) -> Desk:
    return Desk(db, connect_as)


def test_oldest_signal_is_claimed_once_by_any_account(desk: Desk) -> None:
    signals = [desk.signal() for _ in range(3)]
    first = desk.claim(limit=2)
    assert [signal for _, signal in first] == signals[:2]
    assert [signal for _, signal in desk.claim(account=1, limit=9)] == signals[2:]
    assert desk.claim(limit=9) == desk.claim(account=1, limit=9) == []


def test_signal_that_another_is_taking_is_skipped(desk: Desk, connect_as: Connect) -> None:
    signals = [desk.signal(), desk.signal()]
    other = connect_as("rubi_ingest")
    with other.transaction():
        taken = other.execute(
            "SELECT signal_id FROM claim_signals(%s, 'other')", [desk.accounts[1]]
        ).fetchall()
        assert [signal for _, signal in desk.claim(limit=9)] == signals[1:]
    assert taken == [(signals[0],)]
    assert desk.claim(limit=9) == []


def test_signal_that_is_rolled_back_by_its_worker_is_not_lost(
    desk: Desk, connect_as: Connect
) -> None:
    signals = [desk.signal() for _ in range(3)]
    other = connect_as("rubi_ingest")
    with other.transaction(force_rollback=True):
        other.execute("SELECT claim_signals(%s, 'other')", [desk.accounts[1]])
        assert [signal for _, signal in desk.claim(limit=9)] == signals[1:]
    assert [signal for _, signal in desk.claim(limit=9)] == signals[:1]


def test_signal_that_a_savepoint_gave_back_is_claimable_while_the_rest_runs(
    desk: Desk, connect_as: Connect
) -> None:
    """The lock is a subtransaction's, which no list of running transactions names."""
    signals = [desk.signal() for _ in range(3)]
    other = connect_as("rubi_ingest")
    claim = "SELECT signal_id FROM claim_signals(%s, 'other')"
    with other.transaction():
        with other.transaction(force_rollback=True):
            other.execute(claim, [desk.accounts[1]])
        with other.transaction():
            ((kept,),) = other.execute(claim, [desk.accounts[1]]).fetchall()
        found = [signal for _, signal in desk.claim(limit=9)]
        found += [signal for _, signal in desk.claim(limit=9)]
        assert sorted([kept, *found]) == signals
    assert desk.claim(limit=9) == []


def test_signal_of_a_long_transaction_is_not_lost(desk: Desk, connect_as: Connect) -> None:
    """Its place in the queue is before signals that were claimed meanwhile."""
    slow = connect_as("rubi_app")
    with slow.transaction():
        late = rows.signal(slow, desk.user)
        for _ in range(200):
            desk.signal()
        assert len(desk.claim(limit=150)) == 150
        time.sleep(0.05)  # marks are made 20 milliseconds apart
        assert len(desk.claim(limit=40)) == 40
        time.sleep(0.05)
        assert len(desk.claim()) == 1
    assert late in [signal for _, signal in desk.claim(limit=20)]


def test_many_signals_of_a_long_transaction_are_not_lost(desk: Desk, connect_as: Connect) -> None:
    """More than a mark lists: the mark goes back before them."""
    slow = connect_as("rubi_app")
    late = set()
    with slow.transaction():
        late |= {rows.signal(slow, desk.user) for _ in range(200)}
        for _ in range(50):
            desk.signal()
        for _ in range(5):
            assert len(desk.claim(limit=10)) == 10
            time.sleep(0.03)
    found = []
    for _ in range(50):
        found += [signal for _, signal in desk.claim(limit=7)]
        time.sleep(0.03)
    assert sorted(found) == sorted(late)


def test_claim_within_the_transaction_that_stores_signals(desk: Desk, connect_as: Connect) -> None:
    """A mark of one's own transaction does not cover what the same transaction stores later."""
    app = connect_as("rubi_app")
    claim = "SELECT signal_id FROM claim_signals(%s, 'w', 9)"
    with app.transaction():
        rows.signal(app, desk.user)
        assert len(app.execute(claim, [desk.accounts[0]]).fetchall()) == 1
        later = rows.signal(app, desk.user)
    assert [signal for _, signal in desk.claim(limit=9)] == [later]


def test_unsent_claim_is_claimable_when_its_lease_is_over(desk: Desk) -> None:
    signal = desk.signal()
    ((claim, _),) = desk.claim()
    assert desk.claim(account=1) == []
    desk.end_lease(claim)
    ((again, found),) = desk.claim(account=1)
    assert found == signal
    assert again != claim
    assert_refused("RB031", lambda: desk.sent(claim))
    assert_refused("RB031", lambda: desk.settle(claim, "REJECTED"))
    desk.sent(again)
    assert desk.settle(again, "EXECUTED") == "EXECUTED"
    outcomes = desk.db.execute("SELECT attempt, outcome FROM signal_claims ORDER BY id").fetchall()
    assert outcomes == [(1, "LAPSED"), (2, "EXECUTED")]


def test_real_lease_ends_by_itself(desk: Desk) -> None:
    signal = desk.signal()
    desk.claim(lease="1 second")
    found = until("the signal comes again", lambda: desk.claim(account=1), 60)
    assert [row[1] for row in found] == [signal]


def test_sent_claim_is_never_given_again_but_shown(desk: Desk, connect_as: Connect) -> None:
    signal = desk.signal()
    ((claim, _),) = desk.claim()
    send = desk.sent(claim)
    desk.end_lease(claim)
    assert desk.claim() == desk.claim(account=1) == []
    in_doubt = "SELECT claim_id, signal_id, send_id FROM claims_in_doubt"
    assert connect_as("rubi_app").execute(in_doubt).fetchall() == [(claim, signal, send)]
    assert_refused("RB032", lambda: desk.sent(claim))
    assert_refused("RB032", lambda: desk.release(claim))
    assert desk.settle(claim, "REJECTED", "never reached the broker") == "REJECTED"
    assert connect_as("rubi_app").execute(in_doubt).fetchall() == []


def test_released_signal_is_claimable_immediately(desk: Desk) -> None:
    signal = desk.signal()
    ((claim, _),) = desk.claim()
    desk.release(claim)
    desk.release(claim)  # told again: nothing more
    assert [found for _, found in desk.claim(account=1, limit=9)] == [signal]
    assert desk.claim(limit=9) == []


@pytest.mark.parametrize("outcome", ["EXECUTED", "REJECTED"])
def test_outcome_can_be_told_again_and_not_otherwise(desk: Desk, outcome: str) -> None:
    signal = desk.signal()
    ((claim, _),) = desk.claim()
    desk.sent(claim)
    assert desk.settle(claim, outcome, "said") == outcome
    assert desk.settle(claim, outcome) == outcome == desk.status(signal)
    other = "REJECTED" if outcome == "EXECUTED" else "EXECUTED"
    assert_refused("RB034", lambda: desk.settle(claim, other))
    assert_refused("RB031", lambda: desk.release(claim))


def test_unsent_claim_can_be_rejected_but_not_executed(desk: Desk) -> None:
    desk.signal()
    ((claim, _),) = desk.claim()
    assert_refused("RB033", lambda: desk.settle(claim, "EXECUTED"))
    assert_refused("RB034", lambda: desk.settle(claim, "DONE"))
    assert desk.settle(claim, "REJECTED", "too much risk") == "REJECTED"


@pytest.mark.parametrize(
    ("outcomes", "status"),
    [
        (("EXECUTED", "EXECUTED"), "EXECUTED"),
        (("REJECTED", "EXECUTED"), "EXECUTED"),
        (("EXECUTED", "REJECTED"), "EXECUTED"),
        (("REJECTED", "REJECTED"), "REJECTED"),
    ],
)
def test_last_account_of_a_copied_signal_decides_it(
    desk: Desk, outcomes: tuple[str, str], status: str
) -> None:
    signal = desk.copied()
    ((first, _),), ((second, _),) = desk.claim(limit=9), desk.claim(account=1, limit=9)
    desk.sent(first)
    desk.sent(second)
    assert desk.settle(first, outcomes[0]) == "PENDING"
    assert desk.settle(second, outcomes[1]) == status == desk.status(signal)
    assert desk.claim(limit=9) == []


def test_two_accounts_claim_a_copied_signal_in_parallel(desk: Desk, connect_as: Connect) -> None:
    signal = desk.copied()
    other = connect_as("rubi_ingest")
    with other.transaction():
        other.execute("SELECT claim_signals(%s, 'other')", [desk.accounts[1]])
        assert [found for _, found in desk.claim()] == [signal]


def test_account_is_named_before_any_claim(desk: Desk) -> None:
    intent = "INSERT INTO signal_intents (signal_id, account_id) VALUES (%s, %s)"
    signal = desk.signal()
    desk.db.execute(intent, [signal, desk.accounts[1]])
    assert desk.claim(limit=9) == []
    assert [found for _, found in desk.claim(account=1, limit=9)] == [signal]
    taken = desk.signal()
    desk.claim()
    assert_refused("RB036", lambda: desk.db.execute(intent, [taken, desk.accounts[1]]))
    foreign = mt5.open_account(desk.db, rows.user(desk.db), login=9)
    assert_refused("23503", lambda: desk.db.execute(intent, [desk.signal(), foreign]))


def test_account_that_a_signal_names_stays(desk: Desk) -> None:
    """Without the intent any other account of the user could carry the signal out."""
    named = rows.insert(
        desk.db, "mt5_accounts", user_id=desk.user, server="S", account_number="77", broker="B"
    )
    signal = desk.signal()
    desk.db.execute(
        "INSERT INTO signal_intents (signal_id, account_id) VALUES (%s, %s)", [signal, named]
    )
    drop = "DELETE FROM mt5_accounts WHERE id = %s"
    assert_refused("23503", lambda: desk.db.execute(drop, [named]))
    desk.db.execute("DELETE FROM trading_signals WHERE id = %s", [signal])
    assert desk.db.execute(drop, [named]).rowcount == 1


def test_workers_at_the_same_time_have_numbers_of_their_own(
    desk: Desk, connect_as: Connect
) -> None:
    """The first claimer is 1 and takes the oldest. A lane is its own world."""
    number = "SELECT internal.count_claimers(%s)"
    others = [connect_as("rubi_admin", autocommit=False) for _ in range(6)]
    found = [one.execute(number, [-desk.user]).fetchone()[0] for one in others]
    assert found[0] == 1 and len(set(found)) == 6
    assert others[0].execute(number, [-desk.user]).fetchone() == (1,)
    assert desk.db.execute(number, [desk.accounts[0]]).fetchone() == (1,)
    others[0].commit()
    assert desk.db.execute(number, [-desk.user]).fetchone() == (1,)
    for one in others[1:]:
        one.rollback()


def test_worker_beside_many_others_leaves_no_signal_behind(desk: Desk, connect_as: Connect) -> None:
    signals = {desk.signal() for _ in range(60)}
    others = [connect_as("rubi_ingest", autocommit=False) for _ in range(9)]
    taken = set()
    for one in others:
        rows_of = one.execute(
            "SELECT signal_id FROM claim_signals(%s, 'other', 3)", [desk.accounts[1]]
        ).fetchall()
        assert rows_of
        taken |= {signal for (signal,) in rows_of}
    found: list[int] = []
    while more := desk.claim(limit=9):
        found += [signal for _, signal in more]
    assert len(found) == len(set(found)) and set(found) == signals - taken
    for one in others:
        one.rollback()
    while more := desk.claim(limit=9):
        found += [signal for _, signal in more]
    assert sorted(found) == sorted(signals)


def test_signal_that_is_cut_short_between_look_and_lock_is_not_claimed(
    desk: Desk, db: psycopg.Connection, connect_as: Connect
) -> None:
    """A worker that is stopped after it has looked: of two signals the one that is still valid is
    claimed."""
    signals = [desk.signal(valid_until="2100-01-01") for _ in range(2)]
    db.execute("ALTER FUNCTION internal.waiting_entries RENAME TO looked_up_entries")
    db.execute(
        "CREATE FUNCTION internal.waiting_entries(bigint, internal.signal_marks, timestamptz,"
        " integer) RETURNS TABLE (ready_at timestamptz, id bigint, signal_id bigint,"
        " attempt integer, locker xid, is_open boolean) LANGUAGE sql VOLATILE AS"
        " 'SELECT * FROM internal.looked_up_entries($1, $2, $3, $4)"
        " WHERE is_open AND pg_advisory_xact_lock_shared(1) IS NOT NULL'"
    )
    worker = connect_as("rubi_ingest")
    claim = "SELECT signal_id FROM claim_signals(%s, 'worker', 9)"
    with ThreadPoolExecutor(1) as thread:
        with db.transaction():
            db.execute("SELECT pg_advisory_xact_lock(1)")
            claimed = thread.submit(lambda: worker.execute(claim, [desk.accounts[0]]).fetchall())
            waits(db, worker)
            db.execute(
                "UPDATE trading_signals SET valid_until = '2026-01-01' WHERE id = %s", signals[:1]
            )
        assert claimed.result(DEADLINE) == [(signals[1],)]
