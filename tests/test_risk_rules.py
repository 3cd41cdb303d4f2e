"""Risk rules: worked examples of their publishers, refusals, who hears of a breach."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import errors

import mt5
import rows
from risk_desk import DAY, NOON, PRAGUE, Desk, picture

Connect = Callable[..., psycopg.Connection]


@pytest.fixture
def desk(app: psycopg.Connection) -> Desk:
    """An account of 100,000, heard of an hour before the rules begin."""
    desk = Desk(app, rows.user(app))
    desk.heartbeat(NOON - timedelta(hours=1), 100000)
    return desk


def test_daily_loss_counts_from_the_balance_at_midnight_in_prague(desk: Desk) -> None:
    """FTMO's academy, lesson Maximum Daily Loss: of 200,000 with 5 percent, a closed profit of
    4,000 lets 14,000 be lost until midnight; then 10,000 from the balance of midnight."""
    desk.login = 1002
    desk.heartbeat(NOON, 200000)
    rule = desk.rule("daily_loss", 5, "percent_of_initial", initial_capital=200000)
    desk.heartbeat(NOON + timedelta(minutes=1), 204000)
    assert desk.level(rule) == 190000
    desk.heartbeat(NOON + timedelta(hours=11), 204000, 191000)  # 13,000 are floating
    assert desk.told("rule_id") == []
    midnight = datetime(2026, 1, 6, tzinfo=ZoneInfo(PRAGUE))
    desk.heartbeat(midnight, 204000, 191000)
    assert desk.level(rule) == 194000
    assert desk.told("first_at", "day", "level", "first_value") == [
        (midnight, date(2026, 1, 6), 194000, 191000)
    ]


def test_trailing_day_follows_the_highest_balance_of_midnight(desk: Desk) -> None:
    """FTMO, Maximum Loss Limit of the 1-step challenge: 90,000, then 94,000 after a day that ended
    at 104,000, and still 94,000 after one that ended at 103,000."""
    rule = desk.rule("trailing_day", 10, "percent_of_initial", initial_capital=100000)
    levels = []
    for day, balance in enumerate((104000, 103000, 103000)):
        at = NOON + day * DAY
        desk.heartbeat(at, balance, 109000)  # floating profit of the day doesn't count
        levels.append(desk.level(rule))
    assert levels == [90000, 94000, 94000]


def test_trailing_follows_each_high_of_equity(desk: Desk) -> None:
    """Runvigil's example of an intraday trail of 2,500 on 50,000: the floor of 47,500 rises to
    49,000 with 1,500 of floating profit and stays there."""
    desk.login = 1003
    desk.heartbeat(NOON, 50000)
    rule = desk.rule("trailing", 2500, "money", basis="equity", initial_capital=50000)
    desk.heartbeat(NOON + timedelta(minutes=1), 50000, 50000)
    assert desk.level(rule) == 47500
    desk.heartbeat(NOON + timedelta(minutes=2), 50000, 51500)
    assert desk.level(rule) == 49000
    desk.heartbeat(NOON + timedelta(minutes=3), 50200, 50200)
    assert desk.level(rule) == 49000
    desk.heartbeat(NOON + timedelta(minutes=4), 50200, 49000)
    assert desk.told("id") == []
    desk.heartbeat(NOON + timedelta(minutes=5), 50200, 48999)
    assert desk.told("first_value") == [(48999,)]


def test_a_locked_trail_stops_at_its_level(desk: Desk) -> None:
    """Of 50,000 with 2,000, after 57,000 the floor is 50,000, as guides of the kind say."""
    desk.login = 1004
    desk.heartbeat(NOON, 50000)
    rule = desk.rule("trailing_day", 2000, "money", initial_capital=50000, lock_level=50000)
    desk.heartbeat(NOON + DAY, 57000)
    desk.heartbeat(NOON + 2 * DAY, 54000)
    assert desk.level(rule) == 50000


def test_higher_of_balance_and_equity_opens_the_day(desk: Desk) -> None:
    """Quantum Funding's examples of 3 percent: 98,940 after a midnight with 102,000 of equity,
    97,000 after one with 98,000 of equity and a balance of 100,000."""
    levels = []
    for login, equity in ((1005, 102000), (1006, 98000)):
        desk.login = login
        desk.heartbeat(NOON, 100000, equity)
        rule = desk.rule("daily_loss", 3, "percent_of_basis", basis="higher")
        desk.heartbeat(NOON + DAY, 100000, equity)
        levels.append(desk.level(rule))
    assert levels == [98940, 97000]


@pytest.mark.parametrize(("touching", "equity", "broken"), [
    (False, "90000", False), (False, "89999.99", True), (True, "90000", True),
    (True, "90000.01", False),
])  # fmt: skip
def test_maximum_loss_is_broken_below_or_at_its_limit(
    desk: Desk, touching: bool, equity: str, broken: bool
) -> None:
    desk.rule(
        "maximum_loss", 10, "percent_of_initial", initial_capital=100000, touching_breaks=touching
    )
    desk.heartbeat(NOON, 100000, equity)
    assert len(desk.told("id")) == broken


def test_breach_keeps_its_first_and_worst_moment(desk: Desk) -> None:
    desk.rule("maximum_loss", 10000, "money", initial_capital=100000)
    for minute, equity in enumerate((91900, 89000, 85000, 88000)):
        desk.heartbeat(NOON + timedelta(minutes=minute), 100000, equity)
    assert desk.told("first_value", "worst_value", "worst_at") == [
        (89000, 85000, NOON + timedelta(minutes=2))
    ]
    assert desk.told("first_value", event="warning") == [(91900,)]
    assert desk.told("(worst_evidence ->> 'equity')::numeric") == [(85000,)]
    assert desk.connection.execute(
        "SELECT status, forbids_trading, worst_room FROM risk_state"
    ).fetchall() == [("broken", True, -5000)]


def test_profit_target_is_reached_by_its_basis(desk: Desk) -> None:
    desk.rule("profit_target", 10, "percent_of_initial", initial_capital=100000)
    desk.heartbeat(NOON, 109999, 115000)
    assert desk.told("id", event="reached") == []
    desk.heartbeat(NOON + DAY, 110000)
    assert desk.told("first_value", event="reached") == [(110000,)]


def test_a_soft_daily_loss_forbids_until_the_day_ends(desk: Desk, db: psycopg.Connection) -> None:
    now = datetime.now(UTC)
    desk.rule(
        "daily_loss", 1000, "money", initial_capital=100000, is_final=False, clock="UTC",
        valid_from=now - 3 * DAY,
    )  # fmt: skip
    may = "SELECT allowed, reasons FROM may_trade(%s)"
    desk.heartbeat(now - DAY, 100000, 98000)
    desk.heartbeat(now - timedelta(seconds=1), 100000, 100000)
    assert desk.connection.execute(may, [desk.account]).fetchone() == (True, [])
    desk.heartbeat(now, 100000, 98000)
    assert desk.connection.execute(may, [desk.account]).fetchone() == (
        False, ["daily_loss: daily_loss"],
    )  # fmt: skip


def test_template_makes_the_rules_of_its_publisher(desk: Desk) -> None:
    """The 1-step example again: 90,000 on the first day, 94,000 after a day that ended at 104,000;
    the trail of 50,000 locks at 50,100."""
    make = "SELECT apply_risk_template(%s, %s, %s, %s)"
    level = "SELECT kind, level, status FROM risk_state WHERE kind = ANY(%s) ORDER BY kind"
    desk.connection.execute(make, [desk.account, "one-step challenge", 100000, NOON])
    desk.connection.execute("UPDATE risk_rules SET max_age = NULL")
    desk.heartbeat(NOON, 104000)
    desk.heartbeat(NOON + DAY, 104000)
    assert desk.connection.execute(level, [["daily_loss", "trailing_day", "profit_target"]]
    ).fetchall() == [
        ("daily_loss", 101000, "ok"), ("profit_target", 110000, "open"),
        ("trailing_day", 94000, "ok"),
    ]  # fmt: skip
    desk.login = 1007
    desk.heartbeat(NOON, 50000)
    desk.connection.execute(make, [desk.account, "intraday trailing", 50000, NOON])
    desk.connection.execute("UPDATE risk_rules SET max_age = NULL")
    desk.heartbeat(NOON + DAY, 50000, 57000)
    assert desk.connection.execute(level, [["trailing"]]).fetchall() == [("trailing", 50100, "ok")]
    with pytest.raises(psycopg.Error) as caught:
        desk.connection.execute(make, [desk.account, "no such set", 1, NOON])
    assert caught.value.sqlstate == "RB072"


@pytest.mark.parametrize(("values", "constraint"), [
    ({"account_id": None}, "risk_rules_account_or_strategy_check"),
    ({"kind": "luck"}, "risk_rules_kind_known_check"),
    ({"unit": "lots"}, "risk_rules_unit_of_kind_check"),
    ({"amount": 101}, "risk_rules_amount_range_check"),
    ({"amount": 0}, "risk_rules_amount_range_check"),
    ({"basis": "credit"}, "risk_rules_basis_known_check"),
    ({"initial_capital": None}, "risk_rules_initial_capital_given_check"),
    ({"lock_level": 1}, "risk_rules_lock_level_of_trailing_check"),
    ({"least_day_profit": 1}, "risk_rules_least_day_profit_of_days_check"),
    ({"valid_to": NOON}, "risk_rules_valid_to_after_from_check"),
    ({"max_age": timedelta(0)}, "risk_rules_max_age_range_check"),
])  # fmt: skip
def test_rule_that_means_nothing_is_refused(
    desk: Desk, values: dict[str, object], constraint: str
) -> None:
    sound = {"kind": "maximum_loss", "amount": 10, "unit": "percent_of_initial"}
    sound["initial_capital"] = 100000
    with pytest.raises(errors.CheckViolation) as caught:
        desk.rule(**(sound | values))
    assert caught.value.diag.constraint_name == constraint
    assert desk.rule(**sound)


@pytest.mark.parametrize("change", ["amount = 5000", "valid_from = now()", "kind = 'trailing'"])
def test_a_rule_is_never_changed(desk: Desk, change: str) -> None:
    rule = desk.rule("daily_loss", 1000, "money")
    with pytest.raises(errors.InsufficientPrivilege):
        desk.connection.execute(f"UPDATE risk_rules SET {change} WHERE id = %s", [rule])


def test_a_rule_is_ended_and_never_deleted(desk: Desk) -> None:
    rule = desk.rule("daily_loss", 1000, "money")
    with pytest.raises(errors.InsufficientPrivilege):
        desk.connection.execute("DELETE FROM risk_rules WHERE id = %s", [rule])
    desk.connection.execute("UPDATE risk_rules SET valid_to = %s WHERE id = %s", [NOON + DAY, rule])
    desk.heartbeat(NOON, 100000, 99500)
    desk.heartbeat(NOON + DAY, 10)
    assert desk.told("id") == []
    assert desk.connection.execute(
        "SELECT worst_room, worst_at FROM risk_states WHERE rule_id = %s", [rule]
    ).fetchone() == (500, NOON)


def test_rules_are_asked_of_snapshots_that_the_api_writes(
    desk: Desk, app: psycopg.Connection
) -> None:
    """In the order of time, also where many came since the last evaluation."""
    desk.rule("trailing", 1000, "money", basis="equity", initial_capital=100000)
    session = app.execute("SELECT session_id FROM mt5_sessions").fetchone()[0]
    for minute, equity in enumerate((99500, 101000, 99999, 102000)):
        rows.snapshot(
            app, session, balance=100000, equity=equity, timestamp=NOON + timedelta(minutes=minute)
        )
    assert app.execute("SELECT evaluate_risk()").fetchone() == (1,)
    assert desk.told("first_at", "first_value") == [(NOON + timedelta(minutes=2), 99999)]
    assert app.execute("SELECT evaluate_risk()").fetchone() == (0,)


def test_tenant_sees_its_own_rules_and_asks_of_its_own_accounts(
    desk: Desk, connect_as: Connect
) -> None:
    rule = desk.rule("maximum_loss", 10, "percent_of_initial", initial_capital=100000)
    desk.heartbeat(NOON, 80000)
    other = rows.user(desk.connection)
    tenant = connect_as("rubi_app")
    for user, seen, reasons in (
        (desk.user, [(rule,)], ["maximum_loss: maximum_loss"]),
        (other, [], ["unknown_account"]),
    ):
        with tenant.transaction():
            tenant.execute("SET LOCAL ROLE rubi_tenant")
            tenant.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(user)])
            for relation in ("risk_state", "risk_states", "risk_breaches"):
                assert tenant.execute(f"SELECT rule_id FROM {relation}").fetchall() == seen
            assert tenant.execute(
                "SELECT reasons FROM may_trade(%s)", [desk.account]
            ).fetchone() == (reasons,)


def test_subscriber_hears_of_a_breach(desk: Desk, connect_as: Connect) -> None:
    listener = connect_as("rubi_app")
    listener.execute("SELECT subscribe('rubi_risk')")
    rule = desk.rule("maximum_loss", 10, "percent_of_initial", initial_capital=100000)
    desk.heartbeat(NOON, 80000)
    desk.heartbeat(NOON + timedelta(minutes=1), 70000)
    heard = [json.loads(n.payload) for n in listener.notifies(timeout=60, stop_after=1)]
    assert [event["rule"] for event in heard[0]["events"]] == [rule]
    assert list(listener.notifies(timeout=0.5)) == []


def test_lots_positions_and_weekends_are_judged_with_each_picture(desk: Desk) -> None:
    desk.rule("maximum_lots", 3, "lots", warning_share=1)
    desk.rule("maximum_positions", 2, "positions", warning_share=1)
    desk.rule("no_weekend", 1, "hours")
    friday = datetime(2026, 1, 9, 23, 30, tzinfo=ZoneInfo(PRAGUE))
    for at, volumes, kinds in (
        (NOON, (1, 2), []),
        (NOON + timedelta(hours=1), (1, 2.01), ["maximum_lots"]),
        (NOON + timedelta(hours=2), (1, 1, 1), ["maximum_positions"]),
        (friday - timedelta(hours=1), (1,), []),
        (friday, (), []),
        (friday + timedelta(minutes=1), (1,), ["no_weekend"]),
        (friday + DAY, (1,), ["no_weekend"]),
        (friday + 3 * DAY, (1,), []),
    ):
        before = len(desk.told("id"))
        mt5.ingest(desk.connection, "positions", desk.account, picture(*volumes), at)
        found = desk.connection.execute(
            "SELECT r.kind FROM risk_breaches AS b JOIN risk_rules AS r ON r.id = b.rule_id"
            " WHERE b.event = 'breach' ORDER BY b.id OFFSET %s",
            [before],
        ).fetchall()
        assert [kind for (kind,) in found] == kinds, at


def test_strategy_may_not_open_more_than_its_positions(desk: Desk) -> None:
    strategy = rows.strategy(desk.connection, desk.user, max_positions=2)
    desk.connection.execute(
        "INSERT INTO mt5_magic_strategies (account_id, user_id, magic, strategy_id)"
        " VALUES (%s, %s, 77, %s)",
        [desk.account, desk.user, strategy],
    )
    may = "SELECT allowed, reasons FROM may_trade(%s, %s)"
    mt5.ingest(desk.connection, "positions", desk.account, picture(1, magic=77))
    assert desk.connection.execute(may, [desk.account, strategy]).fetchone() == (True, [])
    mt5.ingest(desk.connection, "positions", desk.account, picture(1, 1, magic=77))
    assert desk.connection.execute(may, [desk.account, strategy]).fetchone() == (
        False, ["max_positions of the strategy"],
    )  # fmt: skip
    mt5.ingest(desk.connection, "positions", desk.account, picture(1, 1, magic=78))
    assert desk.connection.execute(may, [desk.account, strategy]).fetchone() == (True, [])


@pytest.mark.parametrize("magic", [None, "its own", "another's"])
@pytest.mark.parametrize("told", [False, True])
def test_positions_that_signals_opened_count_for_their_strategy(
    desk: Desk, told: bool, magic: str | None
) -> None:
    """Whatever magic number they have, and from the order's number on."""
    db = desk.connection
    strategy, other = (rows.strategy(db, desk.user, name=n, max_positions=1) for n in "ab")
    if magic:
        db.execute(
            "INSERT INTO mt5_magic_strategies (account_id, user_id, magic, strategy_id)"
            " VALUES (%s, %s, 77, %s)",
            [desk.account, desk.user, strategy if magic == "its own" else other],
        )
    signal = rows.signal(db, desk.user, strategy_id=strategy)
    rows.order(db, desk.user, signal_id=signal, account_id=desk.account, mt5_order_id="1")
    desk.rule("maximum_positions", 1, "positions", account_id=None, strategy_id=strategy)
    if told:
        mt5.ingest(
            db, "deals", desk.account, [mt5.deal(ticket=1, order=1, position_id=1, magic=77)]
        )
    mt5.ingest(db, "positions", desk.account, picture(1, magic=77))
    found = "SELECT strategy_id, ticket FROM strategy_positions"
    assert db.execute(found).fetchall() == [(strategy, "1")]
    assert db.execute("SELECT worst_value, event FROM risk_breaches").fetchall() == [(1, "warning")]
    may = "SELECT (may_trade(%s, id)).reasons FROM trading_strategies ORDER BY name"
    reasons = ["max_positions of the strategy", "maximum_positions: maximum_positions"]
    assert db.execute(may, [desk.account]).fetchall() == [(reasons,), ([],)]
    if told:  # swap was charged by opening again: another ticket, the same identifier
        mt5.ingest(db, "positions", desk.account, [mt5.position(ticket=9, identifier=1, magic=77)])
        assert db.execute(found).fetchall() == [(strategy, "9")]
    mt5.ingest(db, "positions", desk.account, [])
    assert db.execute(found).fetchall() == []


@pytest.mark.parametrize(("owner", "answer"), [
    ("own", (True, [])), ("another", (False, ["unknown_strategy"])),
    ("none", (False, ["unknown_strategy"])),
])  # fmt: skip
def test_strategy_trades_in_accounts_of_its_own_user(
    desk: Desk, owner: str, answer: tuple[bool, list[str]]
) -> None:
    user = {"own": desk.user, "another": rows.user(desk.connection)}.get(owner)
    strategy = rows.strategy(desk.connection, user) if user else -1
    found = desk.connection.execute(
        "SELECT allowed, reasons FROM may_trade(%s, %s)", [desk.account, strategy]
    )
    assert found.fetchone() == answer
