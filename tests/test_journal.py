"""The journal: notes, tags and kept rules of trips, orders and days, and results by them."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import errors

import mt5
import rows
from mt5 import BUY, INOUT, OUT, SELL, deal

Connect = Callable[..., psycopg.Connection]
D = Decimal
TRIP = {"position_id": 900, "leg": 1}


def entry(connection: psycopg.Connection, user: int, **values: Any) -> int:
    return rows.insert(connection, "journal_entries", user_id=user, **values)


def tag(connection: psycopg.Connection, user: int, name: str, kind: str = "setup") -> int:
    return rows.insert(connection, "journal_tags", user_id=user, kind=kind, name=name)


def set_tag(connection: psycopg.Connection, user: int, of: int, which: int) -> int:
    return rows.insert(connection, "journal_entry_tags", user_id=user, entry_id=of, tag_id=which)


def answer(connection: psycopg.Connection, user: int, of: int, question: int, kept: bool) -> int:
    return rows.insert(
        connection, "journal_answers", user_id=user, entry_id=of, question_id=question,
        is_kept=kept,
    )  # fmt: skip


def round_trip(position: int, opened: str, closed: str, profit: float) -> list[dict[str, Any]]:
    """Deals of a position that was bought and sold; times on the server's clock, UTC+2."""
    return [
        deal(opened, ticket=position, order=position, position_id=position),
        deal(closed, ticket=position + 1, order=position + 1, position_id=position, type=SELL,
             entry=OUT, profit=profit),
    ]  # fmt: skip


@pytest.fixture
def user(db: psycopg.Connection) -> int:
    return rows.user(db)


@pytest.fixture
def account(db: psycopg.Connection, user: int) -> int:
    return mt5.open_account(db, user, taken_at="2026-01-01")


def results(db: psycopg.Connection, view: str, *columns: str) -> list[tuple]:
    """Rows of a view of results; means with two decimals."""
    return db.execute(
        f"SELECT {', '.join(columns)}, scope, currency, trades, winning_trades, losing_trades,"
        f" round(win_rate, 2), net_profit, round(average_profit, 2) FROM {view}"
        f" ORDER BY {', '.join(columns)}, scope, currency"
    ).fetchall()


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


def test_results_by_tag_count_a_trade_once_and_keep_currencies_apart(
    db: psycopg.Connection, user: int, account: int
) -> None:
    euros = mt5.open_account(db, user, login=7002, currency="EUR", taken_at="2026-01-01")
    for number, profit in ((100, 30.0), (200, -10.0), (300, 0.0)):
        mt5.ingest(db, "deals", account, round_trip(
            number, "2026-01-05 10:00", "2026-01-05 11:00", profit,
        ))  # fmt: skip
    mt5.ingest(db, "deals", euros, round_trip(100, "2026-01-05 10:00", "2026-01-05 11:00", 7.0))
    mt5.ingest(db, "deals", account, [deal("2026-01-05 10:00", ticket=400, position_id=400)])
    breakout, chased = tag(db, user, "breakout"), tag(db, user, "chased", "mistake")
    for which, number in ((account, 100), (account, 200), (account, 300), (account, 400),
                          (euros, 100)):  # fmt: skip
        of = entry(db, user, account_id=which, position_id=number, leg=1)
        set_tag(db, user, of, breakout)
    # the opening order of the first trade has the tag as well
    set_tag(db, user, entry(db, user, account_id=account, order_ticket=100), breakout)
    set_tag(db, user, entry(db, user, account_id=account, order_ticket=200), chased)
    assert results(db, "tag_results", "kind", "name") == [
        ("mistake", "chased", "trade", "USD", 1, 0, 1, D(0), D(-10), D(-10)),
        ("setup", "breakout", "trade", "EUR", 1, 1, 0, D(100), D(7), D(7)),
        ("setup", "breakout", "trade", "USD", 3, 1, 1, D("33.33"), D(20), D("6.67")),
    ]


def test_results_by_tag_have_r_where_the_risk_is_known(
    db: psycopg.Connection, user: int, account: int
) -> None:
    """Two trades of a stop 100 pips away, 1,000 USD for a lot: 500 won is 0.5 R. One without."""
    mt5.ingest(db, "symbols", account, [mt5.symbol(name="EURUSD")], "2026-01-04 00:00+00")
    won = tag(db, user, "pullback")
    for number, profit, stop in ((100, 500.0, 1.09), (200, -1000.0, 1.09), (300, 70.0, 0.0)):
        opened, closed = "2026-01-05 10:00", "2026-01-05 11:00"
        mt5.ingest(db, "orders", account, [mt5.order(opened, ticket=number, sl=stop)])
        mt5.ingest(db, "deals", account, round_trip(number, opened, closed, profit))
        set_tag(db, user, entry(db, user, account_id=account, position_id=number, leg=1), won)
    assert db.execute(
        "SELECT trades, trades_in_r, round(expectancy_r, 3) FROM tag_results"
    ).fetchall() == [(3, 2, D("-0.250"))]


def test_a_day_ends_by_its_own_clock(db: psycopg.Connection, user: int, account: int) -> None:
    """Closed at 23:30 in UTC of the 5th, which is the 6th in Athens."""
    mt5.ingest(db, "deals", account, round_trip(100, "2026-01-05 10:00", "2026-01-06 01:30", 5.0))
    tired = tag(db, user, "tired", "emotion")
    for day in (5, 6):
        of = entry(db, user, day=date(2026, 1, day), clock="Europe/Athens")
        assert of
    athens = [e for (e,) in db.execute("SELECT id FROM journal_entries ORDER BY day")]
    set_tag(db, user, athens[0], tired)
    assert results(db, "tag_results", "name") == []
    set_tag(db, user, athens[1], tired)
    expected = [("tired", "day", "USD", 1, 1, 0, D(100), D(5), D(5))]
    assert results(db, "tag_results", "name") == expected
    db.execute("UPDATE journal_entries SET clock = 'UTC'")  # now the 5th is the day
    assert results(db, "tag_results", "name") == expected
    db.execute("DELETE FROM journal_entries WHERE day = '2026-01-05'")
    assert results(db, "tag_results", "name") == []


def test_results_by_rule_tell_kept_from_broken(
    db: psycopg.Connection, user: int, account: int
) -> None:
    question = rows.insert(
        db, "journal_questions", user_id=user, question="Stop set before the entry?"
    )
    for number, profit, kept in ((100, 30.0, True), (200, -10.0, False), (300, -4.0, False)):
        mt5.ingest(db, "deals", account, round_trip(
            number, "2026-01-05 10:00", "2026-01-05 11:00", profit,
        ))  # fmt: skip
        of = entry(db, user, account_id=account, position_id=number, leg=1)
        answer(db, user, of, question, kept)
    assert results(db, "checklist_results", "is_kept") == [
        (False, "trade", "USD", 2, 0, 2, D(0), D(-14), D(-7)),
        (True, "trade", "USD", 1, 1, 0, D(100), D(30), D(30)),
    ]
    assert db.execute("SELECT kept, broken FROM journal ORDER BY position_id").fetchall() == [
        (1, 0), (0, 1), (0, 1)
    ]  # fmt: skip
    with pytest.raises(errors.UniqueViolation) as caught:
        answer(db, user, of, question, True)
    assert caught.value.diag.constraint_name == "journal_answers_entry_id_question_id_key"


@pytest.mark.parametrize("seed", range(3))
def test_results_by_tag_equal_a_plain_restatement(
    db: psycopg.Connection, user: int, seed: int
) -> None:
    """Random trades of the API and of deals with random tags, and random days."""
    draw = random.Random(seed)
    accounts = [
        mt5.open_account(db, user, login=login, currency=currency, taken_at="2026-01-01")
        for login, currency in ((1, "USD"), (2, "EUR"), (3, "USD"))
    ]
    currencies = dict(zip(accounts, ("USD", "EUR", "USD"), strict=True))
    tags = {name: tag(db, user, name, "market") for name in ("range", "trend", "news")}
    said: dict[tuple[int, int], dict[str, Any]] = {}  # by account and number
    marks: dict[tuple[str, str], set[tuple[int, int]]] = defaultdict(set)
    start = datetime(2026, 1, 5, tzinfo=UTC)
    for number in range(1000, 1080):
        account = draw.choice(accounts)
        closed = start + timedelta(minutes=draw.randrange(60, 7200))
        net = D(draw.randrange(-500, 500)) / 100 if draw.random() < 0.9 else D(0)
        rows.closed_order(
            db, user, account_id=account, mt5_order_id=str(number), closed_at=closed,
            opened_at=closed - timedelta(minutes=5), profit=net,
        )  # fmt: skip
        said[account, number] = {"closed": closed, "net": net}
        for name in tags:
            if draw.random() < 0.4:
                marks[name, "trade"].add((account, number))
        own = [name for name in tags if (account, number) in marks[name, "trade"]]
        if own:
            of = entry(db, user, account_id=account, order_ticket=number)
            for name in own:
                set_tag(db, user, of, tags[name])
    zone = "America/New_York"
    for day in (5, 6, 7):
        name = draw.choice(list(tags))
        of = entry(db, user, day=date(2026, 1, day), clock=zone)
        set_tag(db, user, of, tags[name])
        marks[name, "day"] |= {
            key for key, trade in said.items()
            if trade["closed"].astimezone(ZoneInfo(zone)).date() == date(2026, 1, day)
        }  # fmt: skip
    expected = []
    for (name, scope), keys in marks.items():
        for currency in ("EUR", "USD"):
            nets = [said[key]["net"] for key in keys if currencies[key[0]] == currency]
            if nets:
                won, lost = sum(n > 0 for n in nets), sum(n < 0 for n in nets)
                expected.append((
                    name, scope, currency, len(nets), won, lost,
                    round(D(100) * won / len(nets), 2), sum(nets), round(sum(nets) / len(nets), 4),
                ))  # fmt: skip
    found = db.execute(
        "SELECT name, scope, currency, trades, winning_trades, losing_trades, round(win_rate, 2),"
        " net_profit, round(average_profit, 4) FROM tag_results"
    ).fetchall()
    assert sorted(found) == sorted(expected)


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


def test_an_analyst_reads_results_and_no_note(connect_as: Connect) -> None:
    analyst = connect_as("rubi_readonly")
    for relation in ("tag_results", "checklist_results", "journal_trades"):
        analyst.execute(f"SELECT * FROM {relation}")
    for statement in ("SELECT note FROM journal_entries", "SELECT * FROM journal"):
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
