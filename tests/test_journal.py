"""The journal: notes, tags and answers of trips, orders and days, and who may read them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date

import psycopg
import pytest
from psycopg import errors

import mt5
import rows
from journal import answer, entry, results, set_tag, tag
from mt5 import BUY, INOUT, OUT, SELL, deal

Connect = Callable[..., psycopg.Connection]
TRIP = {"position_id": 900, "leg": 1}


GOOD = {
    "a trip": TRIP,
    "a later leg": TRIP | {"leg": 2},
    "an order": {"order_ticket": 901},
    "a day of the account": {"day": date(2026, 1, 5), "clock": "Europe/Athens"},
    "a day of the user": {"day": date(2026, 1, 5), "clock": "UTC", "account_id": None},
}
BAD = {
    "nothing": ({}, "journal_entries_one_subject_check"),
    "trip and order": (TRIP | {"order_ticket": 901}, "journal_entries_one_subject_check"),
    "no account": (TRIP | {"account_id": None}, "journal_entries_account_given_check"),
    "no leg": ({"position_id": 900}, "journal_entries_leg_of_position_check"),
    "leg of an order": (
        {"order_ticket": 901, "leg": 1}, "journal_entries_leg_of_position_check",
    ),
    "leg 0": (TRIP | {"leg": 0}, "journal_entries_leg_positive_check"),
    "no clock": ({"day": date(2026, 1, 5)}, "journal_entries_clock_of_day_check"),
    "clock of a trip": (TRIP | {"clock": "UTC"}, "journal_entries_clock_of_day_check"),
    "no such account": (TRIP | {"account_id": 0}, "journal_entries_account_id_user_id_fkey"),
    "long note": (TRIP | {"note": "x" * 65537}, "long_text_length_check"),
    "ticket 0": ({"order_ticket": 0}, "ticket_positive_check"),
}  # fmt: skip


@pytest.mark.parametrize("what", GOOD)
def test_a_subject_has_one_entry(
    app: psycopg.Connection, user: int, account: int, what: str
) -> None:
    values = {"account_id": account, "note": "n"} | GOOD[what]
    entry(app, user, **values)
    with pytest.raises(errors.UniqueViolation) as caught:
        entry(app, user, **values)
    assert caught.value.diag.constraint_name == "journal_entries_subject_key"


@pytest.mark.parametrize("what", BAD)
def test_a_bad_entry_is_refused(
    app: psycopg.Connection, user: int, account: int, what: str
) -> None:
    values, constraint = BAD[what]
    with pytest.raises(psycopg.Error) as caught:
        entry(app, user, **({"account_id": account} | values))
    assert caught.value.diag.constraint_name == constraint


@pytest.mark.parametrize("kind", ["setup", "mistake", "market", "emotion"])
def test_a_tag_is_one_whatever_its_case(app: psycopg.Connection, user: int, kind: str) -> None:
    tag(app, user, "FOMO", kind)
    tag(app, rows.user(app), "fomo", kind)
    with pytest.raises(errors.UniqueViolation) as caught:
        tag(app, user, "fomo", kind)
    assert caught.value.diag.constraint_name == "journal_tags_user_id_kind_name_lower_key"


def test_a_tag_of_another_kind_is_refused(app: psycopg.Connection, user: int) -> None:
    with pytest.raises(errors.CheckViolation) as caught:
        tag(app, user, "x", "weather")
    assert caught.value.diag.constraint_name == "journal_tags_kind_known_check"


def test_a_note_survives_a_rebuild_and_shows_when_its_trip_is_gone(
    db: psycopg.Connection, user: int, account: int
) -> None:
    found = "SELECT entry_id, note, is_found, symbol FROM journal ORDER BY entry_id"
    # reversed at 11:00: leg 1 was long, leg 2 is short
    deals = [
        deal("2026-01-05 10:00", ticket=900, order=900, position_id=900),
        deal("2026-01-05 11:00", ticket=901, order=901, position_id=900, type=SELL, entry=INOUT,
             volume=2.0, profit=10.0),
        deal("2026-01-05 12:00", ticket=902, order=902, position_id=900, type=BUY, entry=OUT,
             profit=-5.0),
    ]  # fmt: skip
    mt5.ingest(db, "deals", account, deals)
    first = entry(db, user, account_id=account, note="long", **TRIP)
    second = entry(db, user, account_id=account, position_id=900, leg=2, note="short")
    breakout = tag(db, user, "breakout")
    set_tag(db, user, first, breakout)
    before = results(db, "tag_results", "name")
    assert [row[3] for row in before] == [1]
    db.execute("DELETE FROM mt5_trips WHERE account_id = %s", [account])
    assert db.execute(found).fetchall() == [
        (first, "long", False, None), (second, "short", False, None)
    ]  # fmt: skip
    db.execute("SELECT rebuild_mt5_trips(%s)", [account])
    assert db.execute(found).fetchall() == [
        (first, "long", True, "EURUSD"), (second, "short", True, "EURUSD")
    ]  # fmt: skip
    assert results(db, "tag_results", "name") == before
    # taken back by MT5: the deals that reversed and closed are cancelled
    cancelled = [d | {"type": 13 if d["type"] == BUY else 14, "profit": 0.0} for d in deals]
    mt5.ingest(db, "deals", account, cancelled)
    assert {row[:3] for row in db.execute(found)} == {
        (first, "long", False), (second, "short", False)
    }  # fmt: skip
    assert results(db, "tag_results", "name") == []


def become(connection: psycopg.Connection, user: int) -> None:
    connection.execute("SET LOCAL ROLE rubi_tenant")
    connection.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(user)])


def test_a_tenant_keeps_its_own_journal(
    rolled_back: psycopg.Connection, db: psycopg.Connection
) -> None:
    c = rolled_back
    mine, theirs = rows.user(c), rows.user(c)
    session = rows.session(c, theirs)
    account = c.execute(
        "SELECT account_id FROM mt5_sessions WHERE session_id = %s", [session]
    ).fetchone()[0]
    their_entry = entry(c, theirs, account_id=account, order_ticket=1, note="secret")
    their_tag = tag(c, theirs, "secret")
    set_tag(c, theirs, their_entry, their_tag)
    rows.closed_order(c, theirs, account_id=account, mt5_order_id="1")
    become(c, mine)
    for relation in ("journal_entries", "journal_tags", "journal_entry_tags", "journal",
                     "journal_trades", "tag_results"):  # fmt: skip
        assert c.execute(f"SELECT count(*) FROM {relation}").fetchone() == (0,), relation
    own = entry(c, mine, day=date(2026, 1, 5), clock="UTC", note="calm")
    calm = tag(c, mine, "calm", "emotion")
    set_tag(c, mine, own, calm)
    question = rows.insert(c, "journal_questions", user_id=mine, question="Slept well?")
    answer(c, mine, own, question, True)
    c.execute("UPDATE journal_answers SET is_kept = FALSE")
    c.execute("UPDATE journal_entries SET note = 'less calm'")
    assert c.execute("SELECT note, tags, kept, broken FROM journal").fetchall() == [
        ("less calm", ["emotion: calm"], 0, 1)
    ]
    for statement, values in (
        ("INSERT INTO journal_entries (user_id, account_id, order_ticket) VALUES (%s, %s, 2)",
         [mine, account]),
        ("INSERT INTO journal_entries (user_id, account_id, order_ticket) VALUES (%s, %s, 2)",
         [theirs, account]),
        ("INSERT INTO journal_entry_tags (user_id, entry_id, tag_id) VALUES (%s, %s, %s)",
         [mine, own, their_tag]),
        ("INSERT INTO journal_entry_tags (user_id, entry_id, tag_id) VALUES (%s, %s, %s)",
         [mine, their_entry, calm]),
        ("UPDATE journal_entries SET user_id = %s", [theirs]),
    ):  # fmt: skip
        with pytest.raises(psycopg.Error) as caught, c.transaction():
            c.execute(statement, values)
        assert caught.value.sqlstate in {"42501", "23503"}, statement
    c.execute("DELETE FROM journal_entries")
    c.execute("RESET ROLE")
    assert c.execute("SELECT note FROM journal_entries").fetchall() == [("secret",)]


@pytest.mark.parametrize("statement", ["SELECT note FROM journal_entries", "SELECT * FROM journal"])
def test_an_analyst_reads_results_and_no_note(connect_as: Connect, statement: str) -> None:
    analyst = connect_as("rubi_readonly")
    for relation in ("tag_results", "checklist_results", "journal_trades"):
        analyst.execute(f"SELECT * FROM {relation}")
    with pytest.raises(errors.InsufficientPrivilege):
        analyst.execute(statement)


def test_changes_of_the_journal_leave_a_trace(
    app: psycopg.Connection, db: psycopg.Connection, user: int, account: int
) -> None:
    of = entry(app, user, account_id=account, note="first", **TRIP)
    which = tag(app, user, "breakout")
    set_tag(app, user, of, which)
    app.execute("UPDATE journal_entries SET note = 'second' WHERE id = %s", [of])
    app.execute("DELETE FROM journal_entry_tags")
    assert db.execute(
        "SELECT table_name, action, old_values ->> 'note', new_values ->> 'note' FROM audit.changes"
        " WHERE table_name LIKE 'journal%%' ORDER BY id"
    ).fetchall() == [
        ("journal_entries", "INSERT", None, None),
        ("journal_tags", "INSERT", None, None),
        ("journal_entry_tags", "INSERT", None, None),
        ("journal_entries", "UPDATE", "first", "second"),
        ("journal_entry_tags", "DELETE", None, None),
    ]


def test_a_deleted_strategy_takes_its_questions_and_leaves_the_notes(
    app: psycopg.Connection, user: int, account: int
) -> None:
    strategy = rows.strategy(app, user)
    question = rows.insert(
        app, "journal_questions", user_id=user, strategy_id=strategy, question="Trend up?"
    )
    of = entry(app, user, account_id=account, note="n", **TRIP)
    answer(app, user, of, question, True)
    app.execute("DELETE FROM trading_strategies WHERE id = %s", [strategy])
    assert app.execute("SELECT note, kept FROM journal").fetchall() == [("n", 0)]
