"""Rules, tags and what trades risked on the report: drawn, equal to SQL, or a short sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser
from psycopg.rows import dict_row
from pytest_postgresql.executors import NoopExecutor

import reporting
import rows
from conftest import Address
from test_report import ARTEFACTS, COLORS, chrome, near, numeral, picture

__all__ = ["chrome"]
ODD_TAG = "<b>FOMO</b> </script>"
DRAWN = {"tags": ("gain", "loss")}


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


@pytest.fixture(scope="module")
def database(server: Address, template: NoopExecutor) -> Iterator[str]:
    """Name of a database with a user who has rules and a journal, and one who has neither."""
    with reporting.database(server, template, "report_risk") as name:
        with closing(psycopg.connect(server.dsn(name, "rubi_app"), autocommit=True)) as app:
            user = reporting.full_user(app)
            account = app.execute("SELECT id FROM mt5_accounts").fetchone()[0]
            add_rules(app, user, account)
            add_journal(app, user, account)
            rows.user(app, username="nobody")
        yield name


@pytest.fixture(scope="module")
def page_of(
    server: Address, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Writes a user's page as rubi_readonly; answers the file."""
    return reporting.pages(server.dsn(database, "rubi_readonly"), tmp_path_factory.mktemp("pages"))


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1400, "light"), (1400, "dark")])
def test_new_parts_are_drawn_and_fit(
    chrome: Browser, page_of: Callable[..., Path], width: int, scheme: str
) -> None:
    with reporting.opened(chrome, page_of("trader"), width, scheme) as seen:
        assert seen.complaints == []
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width
        assert seen.page.locator("#tags b, #tags img").count() == 0
        for name, colors in DRAWN.items():
            image = picture(seen.page.locator(f"#plot-{name}").screenshot())
            for color in colors:
                assert near(image, COLORS[scheme][color]) > 60, (name, color)
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        seen.page.add_style_tag(content="nav { position: static; }")
        for part in ("rules", "tags"):
            seen.page.locator(f"#{part}").screenshot(
                path=ARTEFACTS / f"{part}-{width}-{scheme}.png"
            )


def test_axe_finds_nothing_in_the_new_parts(chrome: Browser, page_of: Callable[..., Path]) -> None:
    with reporting.opened(chrome, page_of("trader"), 390) as seen:
        found = Axe().run(seen.page, context={"exclude": [[".plot > div"]]})
        assert found.violations_count == 0, found.generate_report()


def test_figures_of_rules_and_tags_equal_those_of_sql(
    chrome: Browser, page_of: Callable[..., Path], server: Address, database: str
) -> None:
    with reporting.opened(chrome, page_of("trader")) as seen:
        shown = seen.figures()
    with closing(psycopg.connect(server.dsn(database), row_factory=dict_row)) as sql:
        rules = sql.execute("SELECT * FROM risk_state").fetchall()
        tags = sql.execute("SELECT * FROM tag_results").fetchall()
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


def test_a_user_without_rules_or_tags_reads_a_sentence(
    chrome: Browser, page_of: Callable[..., Path]
) -> None:
    with reporting.opened(chrome, page_of("nobody"), 390) as seen:
        text = seen.text()
        for words in ("No risk rule holds", "No trade of the period has a tag"):
            assert words in text
        assert not re.search(r"None|NaN|undefined|Infinity", text)
        assert seen.complaints == []


def test_a_strategy_shows_its_own_rules(page_of: Callable[..., Path]) -> None:
    page = page_of("trader", strategy=reporting.STRATEGY).read_text()
    assert "No risk rule holds for this strategy" in page
