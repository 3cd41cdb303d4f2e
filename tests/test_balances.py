"""A balance is the sum of the deals, of what is gone, and of what is explained."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import psycopg
import pytest

import mt5
import rows
from mt5 import OUT, SELL, deal, money

D = Decimal
FROM, TO = mt5.msc("2026-01-05"), mt5.msc("2026-01-06")
# 1000 + 5 - 1 = 1004 in the days that the broker archives, 3 after them
OLD = [
    money(1000.0, "2026-01-05 09:00", ticket=1),
    deal("2026-01-05 10:00", ticket=2, order=900, position_id=900, commission=-1.0),
    deal("2026-01-05 11:00", ticket=3, position_id=900, type=SELL, entry=OUT, profit=5.0),
    money(200.0, "2026-01-05 12:00", ticket=4, kind=3),  # credit
]
NEW = [
    deal("2026-01-07 10:00", ticket=11, order=910, position_id=910),
    deal("2026-01-07 11:00", ticket=12, position_id=910, type=SELL, entry=OUT, profit=3.0),
]


@pytest.fixture
def account(db: psycopg.Connection, user: int) -> int:
    """An account with its history, and a picture of later."""
    account = picture(db, user, 1007.0)
    mt5.ingest(db, "deals", account, OLD + NEW)
    return account


def picture(db: psycopg.Connection, user: int, balance: float, at: str = "2026-02-01") -> int:
    return mt5.open_account(db, user, balance=balance, equity=balance, taken_at=at)


def archive(db: psycopg.Connection, account: int, left: Any = ()) -> None:
    """Two readings of the old days that have only what is left."""
    for _ in range(2):
        mt5.ingest(db, "deals", account, list(left), "api", FROM, TO)
        db.execute("UPDATE internal.mt5_missed SET missed_at = missed_at - interval '10 minutes'")


def gaps(db: psycopg.Connection, *columns: str) -> list[tuple]:
    names = ", ".join(columns or ("amount", "reason", "is_explained", "made_by"))
    query = f"SELECT {names} FROM mt5_reconciliations ORDER BY period_end, amount"
    return db.execute(query).fetchall()


def balances(db: psycopg.Connection) -> dict[int, Decimal]:
    query = "SELECT ticket, balance FROM account_ledger ORDER BY time_msc, ticket"
    return dict(db.execute(query).fetchall())


def operations(db: psycopg.Connection) -> list[tuple]:
    query = "SELECT mt5_deal_id, amount FROM balance_operations ORDER BY occurred_at"
    return db.execute(query).fetchall()


def test_ledger_has_the_balance_and_the_credit_after_each_deal(
    db: psycopg.Connection, account: int
) -> None:
    query = "SELECT ticket, amount, balance, credit FROM account_ledger ORDER BY time_msc, ticket"
    assert db.execute(query).fetchall() == [
        (1, D(1000), D(1000), D(0)), (2, D(-1), D(999), D(0)), (3, D(5), D(1004), D(0)),
        (4, D(0), D(1004), D(200)), (11, D(0), D(1004), D(200)), (12, D(3), D(1007), D(200)),
    ]  # fmt: skip


def test_ledger_begins_with_the_opening_balance(db: psycopg.Connection, account: int) -> None:
    db.execute("UPDATE mt5_account_states SET opening_balance = 50")
    assert balances(db)[1] == D(1050)
    assert (D(50), "opening balance", True, "rule") in gaps(db)


def test_deals_of_one_moment_follow_each_other_by_ticket(db: psycopg.Connection, user: int) -> None:
    account = picture(db, user, 0)
    same = [money(float(amount), ticket=ticket) for ticket, amount in ((9, 1), (8, 10), (10, 100))]
    mt5.ingest(db, "deals", account, same)
    assert balances(db) == {8: D(10), 9: D(11), 10: D(111)}


def test_archived_deals_with_a_correction_of_nothing_break_no_sum(
    db: psycopg.Connection, account: int
) -> None:
    before = operations(db), balances(db)
    mt5.ingest(db, "deals", account, [money(0.0, "2026-01-20 00:00", kind=5, ticket=20)])
    archive(db, account)
    assert mt5.violations(db) == {} and gaps(db) == []
    assert operations(db) == before[0]
    assert balances(db) == before[1] | {20: D(1007)}
    listed = "SELECT ticket, amount, account_deals, account_amount FROM broker_archived_deals"
    assert db.execute(f"{listed} ORDER BY ticket").fetchall() == [
        (ticket, D(amount), 4, D(1004)) for ticket, amount in ((1, 1000), (2, -1), (3, 5), (4, 200))
    ]  # fmt: skip


@pytest.mark.parametrize("kind", [2, 5])
def test_the_deal_in_the_place_of_archived_ones_moves_nothing(
    db: psycopg.Connection, account: int, kind: int
) -> None:
    before = operations(db), balances(db)
    stands_in = money(1004.0, "2026-01-06 00:00", kind=kind, ticket=20)
    mt5.ingest(db, "deals", account, [stands_in])
    assert mt5.violations(db) == {"balances": 1}
    archive(db, account)
    assert mt5.violations(db) == {}
    assert operations(db) == before[0]
    assert balances(db) == before[1] | {20: D(1004)}
    assert gaps(db) == [(D(-1004), "archived", True, "rule")]
    evidence = db.execute("SELECT deal_ticket, evidence FROM mt5_explanations").fetchone()
    assert evidence[0] == 20 and evidence[1].startswith("the amount of 3 deals gone since 20")
    # nothing of that changes when the account's trips are made again
    db.execute("SELECT rebuild_mt5_trips(%s)", [account])
    assert mt5.violations(db) == {} and operations(db) == before[0]


@pytest.mark.parametrize("goes", [False, True])
def test_a_second_archive_has_a_deal_of_its_own(
    db: psycopg.Connection, account: int, goes: bool
) -> None:
    first = money(1004.0, "2026-01-05 23:00", ticket=20)
    mt5.ingest(db, "deals", account, [first])
    archive(db, account, [first])
    second = money(1007.0 if goes else 3.0, "2026-01-08 00:00", ticket=21)
    mt5.ingest(db, "deals", account, [second])
    for _ in range(2):
        left = [second] if goes else [first, second]
        mt5.ingest(db, "deals", account, left, "api", FROM, mt5.msc("2026-01-09"))
        db.execute("UPDATE internal.mt5_missed SET missed_at = missed_at - interval '10 minutes'")
    assert mt5.violations(db) == {}
    assert sorted(gap[0] for gap in gaps(db)) == sorted([D(-1004), D(-1007 if goes else -3)])
    assert balances(db)[21] == D(1007)


@pytest.mark.parametrize(
    "other",
    [
        {"profit": 1004.01},  # another amount
        {"type": 6},  # a bonus
        {"profit": 1000.0, "commission": -1.0},
    ],
)
def test_a_deal_that_is_not_the_sum_of_those_gone_is_money(
    db: psycopg.Connection, account: int, other: dict[str, Any]
) -> None:
    mt5.ingest(db, "deals", account, [money(1004.0, "2026-01-06 00:00", ticket=20) | other])
    archive(db, account)
    assert mt5.violations(db) == {"balances": 1}
    assert [gap[1:] for gap in gaps(db)] == [("not explained", False, None)]
    assert len(operations(db)) == 2


def test_a_deposit_of_the_amount_that_is_gone_is_a_deposit(
    db: psycopg.Connection, user: int, account: int
) -> None:
    archive(db, account)
    mt5.ingest(db, "deals", account, [money(1004.0, "2026-01-20 00:00", ticket=20)])
    picture(db, user, 2011.0, "2026-02-02")
    db.execute("SELECT monitoring.take_readings()")
    assert mt5.violations(db) == {} and gaps(db) == []
    assert len(operations(db)) == 2


def test_the_hourly_reading_explains_what_the_marking_could_not(
    db: psycopg.Connection, user: int, account: int
) -> None:
    archive(db, account)
    late = money(1004.0, "2026-02-01 10:00", ticket=20)
    mt5.ingest(db, "deals", account, [late])  # later than the picture: pending
    picture(db, user, 1007.0, "2026-02-02")
    assert mt5.violations(db) == {"balances": 1}
    db.execute("SELECT monitoring.take_readings()")
    assert mt5.violations(db) == {}
    assert gaps(db) == [(D(-1004), "archived", True, "rule")]


def test_a_wrong_explanation_is_taken_back(db: psycopg.Connection, account: int) -> None:
    before = operations(db)
    explain = (
        "INSERT INTO mt5_explanations (account_id, deal_ticket, reason, evidence)"
        " VALUES (%s, 1, 'archived', 'mistaken')"
    )
    db.execute(explain, [account])
    assert operations(db) == [] and mt5.violations(db) == {"balances": 1}
    assert balances(db)[12] == D(7)
    db.execute("UPDATE mt5_explanations SET is_explained = FALSE")
    assert operations(db) == before
    db.execute("UPDATE mt5_explanations SET is_explained = TRUE")
    db.execute("DELETE FROM mt5_explanations")
    assert operations(db) == before and mt5.violations(db) == {}


def test_proofs_take_away_only_what_is_explained(
    db: psycopg.Connection, app: psycopg.Connection, user: int, account: int
) -> None:
    picture(db, user, 995.0, "2026-02-02")
    for amount, explained in ((D(-7), True), (D(-5), False)):
        rows.insert(
            app, "mt5_explanations", account_id=account, amount=amount, is_explained=explained,
            reason="fee", evidence="statement of January", period_end="2026-01-31 00:00+00",
        )  # fmt: skip
    assert mt5.violations(db) == {"balances": 1}
    assert sorted(gaps(db)) == [
        (D(-7), "fee", True, "person"), (D(-5), "fee", False, "person"),
    ]  # fmt: skip
    app.execute("UPDATE mt5_explanations SET is_explained = TRUE")
    assert mt5.violations(db) == {}
    # an explanation counts in the running balance from its moment on
    mt5.ingest(db, "deals", account, [money(1.0, "2026-02-01 10:00", ticket=30)])
    assert [balances(db)[ticket] for ticket in (12, 30)] == [D(1007), D(996)]


def test_a_gap_lies_between_two_days(db: psycopg.Connection, user: int, account: int) -> None:
    picture(db, user, 1007.0, "2026-02-02 10:00")
    picture(db, user, 1007.0, "2026-02-03 10:00")
    picture(db, user, 997.0, "2026-02-05 09:00")  # 10 are missing
    picture(db, user, 997.0, "2026-02-06 10:00")
    mt5.ingest(db, "deals", account, [money(100.0, "2026-02-07 12:00", ticket=30)])
    # seconds before the deal, by another clock: 100 more for a moment
    picture(db, user, 1097.0, "2026-02-07 09:59:50")
    picture(db, user, 1099.0, "2026-02-08 10:00")  # and 2 are too many
    assert gaps(db, "period_start::text", "period_end::text", "amount") == [
        ("2026-02-03 10:00:00+00", "2026-02-05 09:00:00+00", D(-10)),
        ("2026-02-06 10:00:00+00", "2026-02-08 10:00:00+00", D(2)),
    ]
    total = db.execute("SELECT sum(profit + commission) FROM trading_deals WHERE type <> 3")
    assert D(1099) - total.fetchone()[0] == D(-8)


@pytest.mark.parametrize(
    ("values", "constraint"),
    [
        ({"amount": 0}, "mt5_explanations_amount_not_zero_check"),
        ({"amount": None}, "mt5_explanations_deal_or_amount_check"),
        ({"deal_ticket": 1}, "mt5_explanations_deal_or_amount_check"),
        ({"deal_ticket": 99, "amount": None}, "mt5_explanations_account_id_deal_ticket_fkey"),
        ({"evidence": " "}, "mt5_explanations_evidence_not_blank_check"),
        ({"reason": ""}, "mt5_explanations_reason_not_blank_check"),
        ({"period_end": "2026-01-01"}, "mt5_explanations_period_ordered_check"),
        ({"made_by": "nobody"}, "mt5_explanations_made_by_known_check"),
    ],
)
def test_an_explanation_says_how_much_why_and_what_shows_it(
    db: psycopg.Connection, account: int, values: dict[str, Any], constraint: str
) -> None:
    sound = {
        "account_id": account, "amount": 1, "reason": "fee", "evidence": "statement",
        "period_start": "2026-01-02", "period_end": "2026-01-02",
    }  # fmt: skip
    with pytest.raises(psycopg.errors.IntegrityError) as caught:
        rows.insert(db, "mt5_explanations", **sound | values)
    assert caught.value.diag.constraint_name == constraint
    rows.insert(db, "mt5_explanations", **sound)


@pytest.mark.parametrize("role", ["rubi_app", "rubi_readonly", "rubi_backup"])
@pytest.mark.parametrize("view", ["account_ledger", "broker_archived_deals", "mt5_reconciliations"])
def test_who_may_read_the_balances(
    connect_as: Callable[..., psycopg.Connection], account: int, role: str, view: str
) -> None:
    connect_as(role).execute(f"SELECT * FROM {view}").fetchall()
