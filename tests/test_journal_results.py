"""Results of trades by tag and by rule of a checklist kept or broken."""

from __future__ import annotations

import random
from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import errors

import mt5
import rows
from journal import answer, entry, results, round_trip, set_tag, tag
from mt5 import deal

D = Decimal


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
