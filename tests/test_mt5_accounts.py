"""ingest_mt5_accounts takes many states as ingest_mt5_account takes one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

import mt5
import rows
from risk_desk import NOON

Connect = Callable[..., psycopg.Connection]
Given = tuple[int | None, Any, datetime | None]
LATER = NOON + timedelta(seconds=10)


def send(connection: psycopg.Connection, *given: Given) -> list[tuple]:
    """One call; answers the account and the code of each in the order given."""
    users, states, times = zip(*given, strict=True)
    return connection.execute(
        "SELECT account_id, code FROM ingest_mt5_accounts(%s::bigint[], %s::jsonb[],"
        " %s::timestamptz[]) ORDER BY n",
        [list(users), [None if state is None else Jsonb(state) for state in states], list(times)],
    ).fetchall()


def state(equity: float, **fields: Any) -> dict[str, Any]:
    return mt5.account(equity=equity, margin=7.5, margin_free=equity - 7.5, **fields)


def kept(db: psycopg.Connection, user: int) -> list[list[tuple]]:
    """All that follows from the states of a user, without what names the user."""
    return [
        db.execute(query, [user]).fetchall()
        for query in (
            "SELECT to_jsonb(s) - '{account_id}'::text[] FROM mt5_account_states AS s"
            " INNER JOIN mt5_accounts AS a ON a.id = s.account_id WHERE a.user_id = %s"
            " ORDER BY s.login",
            "SELECT s.account_number, s.is_active, s.last_ping, s.balance, s.equity, s.margin,"
            " s.margin_free, s.currency FROM mt5_sessions AS s WHERE s.user_id = %s ORDER BY 1",
            "SELECT s.account_number, p.timestamp, p.balance, p.equity, p.margin, p.margin_free,"
            " p.margin_level, p.profit FROM account_snapshots AS p INNER JOIN mt5_sessions AS s"
            " USING (session_id) WHERE s.user_id = %s ORDER BY 1, 2",
            "SELECT a.account_number, e.what, e.taken_at, e.new_values FROM mt5_events AS e"
            " INNER JOIN mt5_accounts AS a ON a.id = e.account_id WHERE a.user_id = %s"
            " ORDER BY 1, 3, 2",
            "SELECT a.account_number, b.event, b.day, b.first_at, b.first_value, b.worst_value"
            " FROM risk_breaches AS b INNER JOIN mt5_accounts AS a ON a.id = b.account_id"
            " WHERE b.user_id = %s ORDER BY 1, 2, 3",
        )
    ]


def test_many_states_leave_what_single_ones_leave(db: psycopg.Connection) -> None:
    one, many = rows.user(db), rows.user(db)
    rounds = [
        [(login, 10000.0 - 400 * turn * (login % 3), NOON + turn * timedelta(seconds=10))
         for login in range(1001, 1007)]
        for turn in range(4)
    ]  # fmt: skip
    rounds.append([(1001, 1.0, NOON - timedelta(hours=1)), (1002, 9999.0, LATER)])  # too late
    for turn, sent in enumerate(rounds):
        for user, alone in ((one, True), (many, False)):
            given = [(user, state(equity, login=login), at) for login, equity, at in sent]
            if alone:
                for user_id, account, at in given:
                    db.execute(
                        "SELECT ingest_mt5_account(%s, %s, %s)", [user_id, Jsonb(account), at]
                    )
            else:
                answers = send(db, *given)
                assert len({account for account, _ in answers}) == len(given)
                assert {code for _, code in answers} == {None}
            if not turn:
                db.execute(
                    "INSERT INTO risk_rules (user_id, account_id, name, kind, amount, unit, clock,"
                    " valid_from, max_age) SELECT user_id, id, 'loss', 'daily_loss', 500, 'money',"
                    " 'UTC', %s, NULL FROM mt5_accounts WHERE user_id = %s",
                    [NOON, user],
                )
    assert all(kept(db, many))
    assert kept(db, many) == kept(db, one)


def test_one_bad_state_stops_no_other(db: psycopg.Connection) -> None:
    user, closed = rows.user(db), rows.user(db)
    good = [mt5.open_account(db, user, login=login, taken_at=NOON) for login in (1001, 1002)]
    mt5.open_account(db, closed, login=1003)
    db.execute("SELECT close_user(%s)", [closed])
    answers = send(
        db,
        (user, state(500, login=1001), LATER),
        (user, {"login": 1}, LATER),
        (user, [], LATER),
        (user, None, LATER),
        (user, state(500, login="x"), LATER),
        (user, state(500, login=1002), None),
        (user, state(500, login=1002), datetime(2999, 1, 1, tzinfo=NOON.tzinfo)),
        (closed, state(500, login=1003), LATER),
        (999_999, state(500, login=1004), LATER),
        (None, state(500, login=1004), LATER),
        (user, state(501, login=1002), LATER),
        (user, state(502, login=1005), LATER),
    )
    codes = [code for _, code in answers]
    assert codes[1:5] == ["RB055"] * 4
    assert codes[5:8] == ["RB053", "RB053", "RB024"]
    assert codes[8:10] == ["23503", "23502"]
    assert [codes[index] for index in (0, 10, 11)] == [None] * 3
    assert [answers[0][0], answers[10][0]] == good
    assert db.execute(
        "SELECT login, equity FROM mt5_account_states WHERE account_id = ANY (%s) ORDER BY 1",
        [good],
    ).fetchall() == [(1001, 500), (1002, 501)]
    assert db.execute("SELECT count(*) FROM mt5_accounts").fetchone() == (4,)


@pytest.mark.parametrize(
    ("wrong", "near"),
    [
        ({"margin": -0.01}, {"margin": -1e-9}),
        ({"leverage": -1}, {"leverage": 0}),
        ({"currency_digits": 9}, {"currency_digits": 8}),
        ({"currency": "US $"}, {"currency": " USDT "}),
        ({"server": "x" * 801}, {"server": "x" * 800}),
        ({"company": "x" * 801}, {"company": "x" * 800}),
        ({"server": "\t", "company": " "}, {"server": "\t"}),
    ],
)
def test_a_state_that_a_column_refuses_is_named_and_stops_no_other(
    db: psycopg.Connection, wrong: dict, near: dict
) -> None:
    user = rows.user(db)
    for login in (1001, 1002):
        mt5.open_account(db, user, login=login, taken_at=NOON)
    other = (user, state(501, login=1002), LATER)
    bad, good = ((user, state(500, login=1001) | more, LATER) for more in (wrong, near))
    assert [code for _, code in send(db, bad, other)] == ["RB055", None]
    assert [code for _, code in send(db, good, other)] == [None, None]
    # more than a few go by another check
    many = [(user, state(500, login=login) | wrong, LATER) for login in range(1001, 1008)]
    assert {code for _, code in send(db, *many)} == {"RB055"}


@pytest.mark.parametrize("at", ["-infinity", "1989-12-31"])
def test_a_state_of_no_time_is_refused(db: psycopg.Connection, at: str) -> None:
    user = rows.user(db)
    mt5.open_account(db, user, login=1001, taken_at=NOON)
    assert db.execute(
        "SELECT code FROM ingest_mt5_accounts(ARRAY[%s]::bigint[], ARRAY[%s]::jsonb[],"
        " ARRAY[%s]::timestamptz[])", [user, Jsonb(state(500, login=1001)), at],
    ).fetchall() == [("RB053",)]  # fmt: skip


def test_a_state_that_says_no_currency_changes_none(db: psycopg.Connection) -> None:
    """A terminal that had just logged in made an account in yen one in dollars with cents."""
    user = rows.user(db)
    account = mt5.open_account(db, user, currency="JPY", currency_digits=0, taken_at=NOON)
    unsaid = mt5.account(currency="", equity=9.0)
    del unsaid["currency_digits"]
    assert send(db, (user, unsaid, LATER)) == [(account, None)]
    db.execute("SELECT ingest_mt5_account(%s, %s, %s)", [user, Jsonb(unsaid), LATER])
    assert db.execute(
        "SELECT a.currency, m.currency, s.currency_digits, s.equity FROM mt5_accounts AS a"
        " INNER JOIN mt5_sessions AS m ON a.id = m.account_id"
        " INNER JOIN mt5_account_states AS s ON a.id = s.account_id"
    ).fetchall() == [("JPY", "JPY", 0, 9)]


def test_states_of_one_account_follow_their_times(db: psycopg.Connection) -> None:
    user = rows.user(db)
    account = mt5.open_account(db, user, taken_at=NOON)
    later = [(user, state(equity), LATER + timedelta(seconds=equity)) for equity in (3, 1, 2)]
    assert send(db, *later) == [(account, None)] * 3
    assert db.execute("SELECT equity FROM mt5_account_states").fetchone() == (3,)
    assert db.execute("SELECT equity FROM account_snapshots ORDER BY timestamp").fetchall() == [
        (10000,),
        (1,),
        (2,),
        (3,),
    ]


def test_changed_terms_are_kept(db: psycopg.Connection) -> None:
    user = rows.user(db)
    account = mt5.open_account(db, user, leverage=100)
    assert send(db, (user, state(1, leverage=30), LATER)) == [(account, None)]
    assert db.execute("SELECT leverage FROM mt5_accounts").fetchone() == (30,)


def test_an_ended_session_is_followed_by_a_new_one(db: psycopg.Connection) -> None:
    user = rows.user(db)
    account = mt5.open_account(db, user, taken_at=NOON)
    db.execute("UPDATE mt5_sessions SET is_active = FALSE")
    assert send(db, (user, state(1), LATER)) == [(account, None)]
    assert db.execute("SELECT count(*), count(*) FILTER (WHERE is_active) FROM mt5_sessions"
    ).fetchone() == (2, 1)  # fmt: skip


def test_states_for_another_user_than_the_sessions_are_refused(db: psycopg.Connection) -> None:
    user, other = rows.user(db), rows.user(db)
    mine, theirs = (mt5.open_account(db, of) for of in (user, other))
    db.execute("SELECT set_config('app.user_id', %s, FALSE)", [str(user)])
    assert send(db, (user, state(1), LATER), (other, state(1), LATER)) == [
        (mine, None), (None, "RB051"),
    ]  # fmt: skip
    assert db.execute("SELECT equity FROM mt5_account_states WHERE account_id = %s", [theirs]
    ).fetchone() == (10000,)  # fmt: skip


def test_nothing_given_stores_nothing(db: psycopg.Connection) -> None:
    query = "SELECT FROM ingest_mt5_accounts(%s::bigint[], %s::jsonb[], %s::timestamptz[])"
    for nothing in ([], None):
        assert db.execute(query, [nothing] * 3).rowcount == 0


@pytest.mark.parametrize("role", ["rubi_ingest", "rubi_app"])
def test_gateway_and_api_may_send_many(
    db: psycopg.Connection, connect_as: Connect, role: str
) -> None:
    user = rows.user(db)
    [(account, code)] = send(connect_as(role), (user, state(1), NOON))
    assert (account is not None, code) == (True, None)


def test_other_roles_may_not_send(connect_as: Connect) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        send(connect_as("rubi_readonly"), (1, state(1), NOON))


def test_a_new_session_begins_with_the_figures_last_seen(db: psycopg.Connection, user: int) -> None:
    """Positions may come before the first heartbeat of a session: not as a loss of everything."""
    account = mt5.open_account(
        db, user, balance=5000.0, equity=4900.0, margin=100.0, margin_free=4800.0
    )
    db.execute("UPDATE mt5_sessions SET is_active = FALSE, disconnected_at = now()")
    mt5.ingest(db, "positions", account, [])
    figures = "SELECT balance, equity, margin, margin_free FROM mt5_sessions WHERE is_active"
    assert db.execute(figures).fetchall() == [(5000, 4900, 100, 4800)]
    assert db.execute("SELECT equity, drawdown FROM account_risk").fetchall() == [(4900, 0)]
