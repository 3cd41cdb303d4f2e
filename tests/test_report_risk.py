"""Rules, tags and what trades risked on the report: drawn, equal to SQL, or a short sentence."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from psycopg.rows import dict_row
from pytest_postgresql.executors import NoopExecutor

import mt5
import reporting
import rows
from conftest import Address
from reporting import ARTEFACTS, COLORS, near, numeral, picture
from rubi.reporting import ratios as report_ratios
from rubi.reporting import wording

ODD_TAG = "<b>FOMO</b> </script>"
PARTS = {"trader": ("rules", "tags", "ratios"), "risky": ("multiples", "ratios")}
DRAWN = {"trader": ("tags",), "risky": ("multiples", "excursions")}


def add_rules(connection: psycopg.Connection, user: int, account: int) -> None:
    """A rule of each kind, kept, close to its limit and broken."""
    values = {
        "user_id": user, "account_id": account, "clock": "UTC", "valid_from": "2026-01-01",
        "max_age": None,
    }  # fmt: skip
    for kind, amount, unit, more in (
        ("daily_loss", 3000, "money", {}),
        ("maximum_loss", 5, "percent_of_initial", {"initial_capital": 10000}),
        ("trailing", 100, "money", {"initial_capital": 10000}),
        ("profit_target", 8, "percent_of_initial", {"initial_capital": 10000}),
        ("trading_days", 10, "days", {}),
        ("consistency", 30, "percent_of_profit", {}),
        ("maximum_lots", "1.4", "lots", {}),
        ("maximum_positions", 2, "positions", {}),
    ):
        rows.insert(
            connection, "risk_rules", name=kind.replace("_", " ").capitalize(), kind=kind,
            amount=amount, unit=unit, **(values | more),
        )  # fmt: skip
    connection.execute("SELECT evaluate_risk(%s)", [account])


def add_journal(connection: psycopg.Connection, user: int, account: int) -> None:
    """Tags on some of the won and of the lost trades and on a day, and a checklist."""
    won, lost, market, tired = [
        rows.insert(connection, "journal_tags", user_id=user, kind=kind, name=name)
        for kind, name in (
            ("setup", "pullback"), ("mistake", ODD_TAG), ("market", "r\u00e9union de la BCE"),
            ("emotion", "tired"),
        )
    ]  # fmt: skip
    question = rows.insert(
        connection, "journal_questions", user_id=user,
        question="Was the stop set before the entry, at a level that the chart gave?",
    )  # fmt: skip
    orders = connection.execute(
        "SELECT id, profit FROM trading_orders WHERE close_price IS NOT NULL ORDER BY id"
    ).fetchall()
    for number, (order, profit) in enumerate(orders):
        connection.execute(
            "UPDATE trading_orders SET mt5_order_id = %s, account_id = %s WHERE id = %s",
            [str(5000 + number), account, order],
        )
        entry = rows.insert(
            connection, "journal_entries", user_id=user, account_id=account,
            order_ticket=5000 + number,
        )  # fmt: skip
        tag = market if number % 9 == 0 else won if profit > 1 else lost
        if number % 2:
            rows.insert(connection, "journal_entry_tags", user_id=user, entry_id=entry, tag_id=tag)
        rows.insert(
            connection, "journal_answers", user_id=user, entry_id=entry, question_id=question,
            is_kept=number % 5 > 1,
        )  # fmt: skip
    day = rows.insert(connection, "journal_entries", user_id=user, day="2026-01-09", clock="UTC")
    rows.insert(connection, "journal_entry_tags", user_id=user, entry_id=day, tag_id=tired)


def add_trips(connection: psycopg.Connection) -> None:
    """A user with 72 trades by deals, of a 20-pip stop except each ninth, over M1 bars."""
    user = rows.user(connection, username="risky")
    account = mt5.open_account(connection, user, login=9, taken_at="2026-01-01")
    symbol = mt5.symbol(name="EURUSD")
    mt5.ingest(connection, "symbols", account, [symbol], "2026-01-04 00:00+00")
    orders, deals = [], []
    for number in range(72):
        opened = datetime(2026, 1, 5, 8) + timedelta(hours=7 * number)
        ticket = 100 + 2 * number
        move = round(0.0035 * math.sin(number * 1.9) + 0.0004, 5)
        stop = 0.0 if number % 9 == 0 else 1.098
        orders.append(mt5.order(f"{opened}", ticket=ticket, sl=stop))
        deals += [
            mt5.deal(f"{opened}", ticket=ticket, position_id=ticket, commission=-3.5),
            mt5.deal(
                f"{opened + timedelta(hours=5)}", ticket=ticket + 1, position_id=ticket,
                type=mt5.SELL, entry=mt5.OUT, price=round(1.1 + max(move, -0.0021), 5),
                profit=round(max(move, -0.0021) * 100000, 2), commission=-3.5,
            ),
        ]  # fmt: skip
    mt5.ingest(connection, "orders", account, orders)
    mt5.ingest(connection, "deals", account, deals)
    tag = rows.insert(connection, "journal_tags", user_id=user, kind="setup", name="range")
    for number in range(0, 72, 4):
        entry = rows.insert(
            connection, "journal_entries", user_id=user, account_id=account,
            position_id=100 + 2 * number, leg=1,
        )  # fmt: skip
        rows.insert(connection, "journal_entry_tags", user_id=user, entry_id=entry, tag_id=tag)
    connection.execute(
        """
        INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close, volume)
        SELECT 'EURUSD', 'M1', t, p, p + 0.0003, p - 0.0003, p, 100
        FROM generate_series(timestamptz '2026-01-05', '2026-01-27', '1 minute')
            WITH ORDINALITY AS g (t, n)
        CROSS JOIN LATERAL (SELECT (1.1 + 0.0014 * sin(n / 97.0))::numeric(12, 5) AS p) AS x
        """
    )


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with reporting.browser() as started:
        yield started


@pytest.fixture(scope="module")
def database(server: Address, template: NoopExecutor) -> Iterator[str]:
    """Name of a database with a user who has rules and a journal, and one who has neither."""
    with reporting.database(server, template, "report_risk") as name:
        with closing(psycopg.connect(server.dsn(name, "rubi_app"), autocommit=True)) as app:
            user = reporting.full_user(app)
            account = app.execute("SELECT id FROM mt5_accounts").fetchone()[0]
            add_rules(app, user, account)
            add_journal(app, user, account)
            add_trips(app)
            rows.user(app, username="nobody")
        yield name


@pytest.fixture(scope="module")
def page_of(
    server: Address, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Writes a user's page as rubi_readonly; answers the file."""
    return reporting.pages(server.dsn(database, "rubi_readonly"), tmp_path_factory.mktemp("pages"))


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1400, "light"), (1400, "dark")])
@pytest.mark.parametrize("user", PARTS)
def test_new_parts_are_drawn_and_fit(
    chrome: Browser, page_of: Callable[..., Path], width: int, scheme: str, user: str
) -> None:
    with reporting.opened(chrome, page_of(user), width, scheme) as seen:
        assert seen.complaints == []
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width
        assert seen.page.locator("#tags b, #tags img").count() == 0
        for name in DRAWN[user]:
            image = picture(seen.page.locator(f"#plot-{name}").screenshot())
            for color in ("gain", "loss"):
                assert near(image, COLORS[scheme][color]) > 60, (name, color)
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        seen.page.add_style_tag(content="nav { position: static; }")
        for part in PARTS[user]:
            seen.page.locator(f"#{part}").screenshot(
                path=ARTEFACTS / f"{user}-{part}-{width}-{scheme}.png"
            )


@pytest.mark.parametrize("user", PARTS)
def test_axe_finds_nothing_in_the_new_parts(
    chrome: Browser, page_of: Callable[..., Path], user: str
) -> None:
    with reporting.opened(chrome, page_of(user), 390) as seen:
        found = Axe().run(seen.page, context={"exclude": [[".plot > div"]]})
        assert found.violations_count == 0, found.generate_report()


def test_figures_of_rules_and_tags_equal_those_of_sql(
    chrome: Browser, page_of: Callable[..., Path], server: Address, database: str
) -> None:
    with reporting.opened(chrome, page_of("trader")) as seen:
        shown = seen.figures()
    with closing(psycopg.connect(server.dsn(database), row_factory=dict_row)) as sql:
        rules = sql.execute("SELECT * FROM risk_state").fetchall()
        tags = sql.execute(
            "SELECT t.* FROM tag_results AS t JOIN users AS u ON u.id = t.user_id"
            " WHERE u.username = 'trader'"
        ).fetchall()
        answers = sql.execute("SELECT * FROM checklist_results").fetchall()
    assert (len(rules), len(tags), len(answers)) == (8, 4, 2)
    for rule in rules:
        name = f"rules.{rule['rule_id']}"
        assert numeral(shown[f"{name}.value"]) == round(rule["value"], 2)
        room = shown[f"{name}.room"]
        sign = -1 if room.endswith(("beyond", "more than asked")) else 1
        assert sign * numeral(room) == round(rule["room"], 2), rule["kind"]
        assert rule["status"] in {
            "✓ kept": ("ok",), "✓ reached": ("reached",), "… open": ("open",),
            "! close": ("warning",), "✗ broken": ("broken",),
        }[shown[f"{name}.state"]]  # fmt: skip
    assert {rule["status"] for rule in rules} >= {"ok", "warning", "broken", "open"}
    for row in tags:
        name = f"tags.{row['kind']}: {row['name']}" + (" (day)" if row["scope"] == "day" else "")
        for column, digits in (("trades", 0), ("win_rate", 2), ("net_profit", 2)):
            shown_value = numeral(shown[f"{name}.{column}"])
            assert abs(shown_value - row[column]) <= Decimal(1).scaleb(-digits) / 2, name
    for row in answers:
        name = f"checklist.{row['question_id']}.{row['is_kept']}"
        assert numeral(shown[f"{name}.trades"]) == row["trades"]
        assert numeral(shown[f"{name}.net_profit"]) == round(row["net_profit"], 2)


def close_to(shown: str, value: Any, digits: int, factor: int = 1) -> bool:
    """Whether a figure shows SQL's value, rounded to its digits."""
    if value is None:
        return shown == wording.NONE
    return abs(float(numeral(shown)) - factor * float(value)) <= 0.5001 * 10**-digits


def test_figures_in_r_equal_those_of_sql(
    chrome: Browser, page_of: Callable[..., Path], server: Address, database: str
) -> None:
    with reporting.opened(chrome, page_of("risky")) as seen:
        tagged = seen.figures()["tags.setup: range.expectancy_r"]
        shown = {
            name.removeprefix("multiples."): text
            for name, text in seen.figures().items()
            if name.startswith("multiples.")
        }
        text = seen.page.locator("#multiples").inner_text()
    with closing(psycopg.connect(server.dsn(database), row_factory=dict_row)) as sql:
        user = sql.execute("SELECT id FROM users WHERE username = 'risky'").fetchone()["id"]
        groups = sql.execute("SELECT * FROM group_r(%s)", [user]).fetchall()
        tags = sql.execute("SELECT * FROM tag_results WHERE user_id = %s", [user]).fetchall()
        found = sql.execute(
            "SELECT r FROM trip_risks WHERE user_id = %s AND r IS NOT NULL", [user]
        ).fetchall()
    assert [(row["trades"], row["trades_in_r"]) for row in tags] == [(18, 16)]
    assert close_to(tagged, tags[0]["expectancy_r"], 3)
    checked = {"left_out"}
    assert shown["left_out"] == "8 without a stop"
    assert "Left out: 8 without a stop" in text
    for row in groups:
        group = row["grouped_by"]
        if group == "strategy":
            continue  # the only one: the whole
        name = "" if group == "all" else f"{group}.{row[group]}."
        columns = {"expectancy_r": 3, "sqn": 3, "trades": 0}
        for column, digits in (columns if group == "all" else columns | {"left_out": 0}).items():
            assert close_to(shown[name + column], row[column], digits), (name, column)
            checked.add(name + column)
    bins = {name.removeprefix("bins."): int(shown[name]) for name in shown if "bins." in name}
    assert sum(bins.values()) == len(found) == 64
    for low, trades in bins.items():
        inside = [row for row in found if 0 <= row["r"] - Decimal(low) < Decimal("0.5")]
        assert len(inside) == trades, low
    assert set(shown) - checked == {f"bins.{low}" for low in bins}


@pytest.mark.parametrize("user", ["trader", "risky", "nobody"])
def test_ratios_equal_those_of_sql(
    chrome: Browser, page_of: Callable[..., Path], server: Address, database: str, user: str
) -> None:
    with reporting.opened(chrome, page_of(user)) as seen:
        shown = seen.figures()
        page = seen.page
        text = page.locator("#ratios").text_content()
        period = re.search(r"from (\S+) to (\S+) \(UTC\)", page.locator("header").inner_text())
    with closing(psycopg.connect(server.dsn(database), row_factory=dict_row)) as sql:
        found = sql.execute(
            "SELECT c.* FROM users AS u CROSS JOIN calculate_ratios(u.id, NULL, %s::timestamptz,"
            " %s::timestamptz + interval '1 day') AS c WHERE u.username = %s",
            [period[1], period[2], user],
        ).fetchall()
    assert len(found) == 20
    digits = {"percent": 2, "money": 2, "ratio": 3, "probability": 2, "days": 0, "deviations": 3}
    for row in found:
        name, places = f"ratios.{row['ratio']}", digits[row["unit"]]
        factor = 100 if row["unit"] == "probability" else 1
        if row["value"] is None:
            assert name not in shown
            assert report_ratios.label(row) in text
            continue
        assert close_to(shown[name], row["value"], places, factor), name
        if row["low"] is not None:
            for shown_end, end in zip(
                shown[f"{name}.interval"].split(" to "), (row["low"], row["high"]), strict=True
            ):
                assert close_to(shown_end, end, places), name


def test_a_user_without_rules_or_tags_reads_a_sentence(
    chrome: Browser, page_of: Callable[..., Path]
) -> None:
    with reporting.opened(chrome, page_of("nobody"), 390) as seen:
        text = seen.text()
        for words in (
            "No risk rule holds",
            "No trade of the period has a tag",
            "nothing is known of its risk",
            "no trade was closed in the period",
        ):
            assert words in text
        assert not re.search(r"None|NaN|undefined|Infinity", text)
        assert seen.complaints == []


def test_a_strategy_shows_its_own_rules(page_of: Callable[..., Path]) -> None:
    page = page_of("trader", strategy=reporting.STRATEGY).read_text()
    assert "No risk rule holds for this strategy" in page
