"""The report in a real browser: drawn, silent, equal to SQL, readable by everybody."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import datetime
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
from reporting import ARTEFACTS, COLORS, equal, near, numeral, one_account, picture
from rubi.reporting import wording


@pytest.fixture(scope="module")
def database(server: Address, template: NoopExecutor) -> Iterator[str]:
    """Name of a database with a user who has everything, and users who have little."""
    with reporting.database(server, template, "report") as name:
        with closing(psycopg.connect(server.dsn(name, "rubi_app"), autocommit=True)) as app:
            reporting.full_user(app)
            rows.user(app, username="nobody")
            single = rows.user(app, username="single")
            account = one_account(app, single)
            reporting.trade(app, single, 0, 25, account_id=account)
            loser = rows.user(app, username="loser")
            account = one_account(app, loser)
            for number in range(12):
                reporting.trade(app, loser, number, -10 - number, account_id=account)
            unpriced = rows.user(app, username="unpriced")
            account = one_account(app, unpriced)
            for number, net in enumerate((5, -3, 8)):
                reporting.trade(app, unpriced, number, net, symbol="GHOST", account_id=account)
            mixed = rows.user(app, username="mixed")
            account = one_account(app, mixed)
            other = one_account(app, mixed, account_number="9", currency="EUR")
            for number in range(3):
                reporting.trade(app, mixed, number, 7, account_id=account)
            reporting.trade(app, mixed, 3, 1000, account_id=other)
            rows.user(app, username="nameless")
        yield name


@pytest.fixture(scope="module")
def chrome() -> Iterator[Browser]:
    with reporting.browser() as started:
        yield started


@pytest.fixture(scope="module")
def page_of(
    server: Address, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Callable[..., Path]:
    """Writes a user's page as rubi_readonly; answers the file."""
    return reporting.pages(server.dsn(database, "rubi_readonly"), tmp_path_factory.mktemp("pages"))


# figures that tests/test_report_risk.py looks at
ELSEWHERE = {"rules", "tags", "checklist", "multiples", "ratios"}
DRAWN = {
    "equity": ("accent", "loss"), "curve": ("accent", "loss"), "distribution": ("gain", "loss"),
    "weekdays": ("gain", "loss"), "symbols": ("gain",), "hours": ("gain", "loss"),
    "candles": ("gain", "loss"),
}  # fmt: skip


@pytest.mark.parametrize(("width", "scheme"), [(380, "light"), (1400, "light"), (1400, "dark")])
def test_every_plot_is_drawn_and_the_page_says_and_asks_nothing(
    chrome: Browser, page_of: Callable[..., Path], width: int, scheme: str
) -> None:
    path = page_of("trader")
    with reporting.opened(chrome, path, width, scheme) as seen:
        assert seen.complaints == []
        assert seen.requests == [path.as_uri()]
        assert seen.page.evaluate("document.documentElement.scrollWidth") == width
        for name, colors in DRAWN.items():
            image = picture(seen.page.locator(f"#plot-{name}").screenshot())
            for color in colors:
                assert near(image, COLORS[scheme][color]) > 60, (name, color)
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        seen.page.screenshot(path=ARTEFACTS / f"report-{width}-{scheme}.png", full_page=True)


def test_labels_of_an_axis_differ_however_narrow_its_range(
    chrome: Browser, page_of: Callable[..., Path], server: Address, database: str
) -> None:
    with closing(psycopg.connect(server.dsn(database, "rubi_app"), autocommit=True)) as app:
        rows.session(app, rows.user(app, username="narrow"), account_number="78")
        app.execute(
            "INSERT INTO account_snapshots (session_id, balance, equity, timestamp)"
            " SELECT s.session_id, 10000000, 10000000 + 500 * n, timestamptz '2026-01-05'"
            " + n * interval '1 day' FROM mt5_sessions AS s CROSS JOIN generate_series(0, 9) AS n"
            " WHERE s.account_number = '78'"
        )
    with reporting.opened(chrome, page_of("narrow")) as seen:
        labels = seen.page.locator("#plot-equity svg text").all_text_contents()
    money = [label for label in labels if label.endswith("M")]
    assert len(set(money)) == len(money) > 2, labels
    assert "1" not in labels and "\u22121" in labels, "no fall is drawn as a gain"


def test_figures_of_the_page_equal_those_of_sql(
    chrome: Browser, page_of: Callable[..., Path], server: Address, database: str
) -> None:
    with reporting.opened(chrome, page_of("trader")) as seen:
        shown = seen.figures()
    with closing(psycopg.connect(server.dsn(database), row_factory=dict_row)) as sql:
        user = sql.execute("SELECT id FROM users WHERE username = 'trader'").fetchone()["id"]
        checked = set()

        def check(name: str, value: Decimal | int | None, digits: int, factor: int = 1) -> None:
            assert equal(shown[name], value, digits, factor), (name, shown[name], value)
            checked.add(name)

        last = sql.execute("SELECT max(closed_at) AS at FROM trading_orders WHERE user_id = %s",
                           [user]).fetchone()["at"]  # fmt: skip
        metrics = sql.execute(
            "SELECT * FROM calculate_performance_metrics(%s, NULL, '2026-01-05', %s)",
            [user, last.date().replace(day=last.day + 1)],
        ).fetchone()
        digits = {"money": 2, "percent": 2, "share": 2, "ratio": 3, "count": 0, "lots": 8}
        for group in wording.METRICS.values():
            for column, _, kind in group:
                name = f"metrics.{column}"
                if metrics[column] is None:
                    reason = wording.reason(column, metrics["reasons"][column])
                    assert shown[name] == reason, name
                    checked.add(name)
                elif kind in digits:
                    check(name, metrics[column], digits[kind], 100 if kind == "share" else 1)
                elif kind == "time":
                    assert shown[name] == wording.duration(metrics[column])
                    checked.add(name)
                else:
                    assert shown[name] == str(metrics[column])
                    checked.add(name)
        for column, _, kind in wording.CARDS:
            check(f"cards.{column}", metrics[column], digits[kind], 100 if kind == "share" else 1)
        for column, _ in wording.DRAWDOWNS:
            check(f"metrics.{column}", metrics[column], 2)
            check(f"metrics.{column}_percent", metrics[f"{column}_percent"], 2)
            for part in ("_started_at", "_trough_at", "_recovered_at"):
                at = metrics[column + part]
                name = f"metrics.{column}{part}"
                if at is None:
                    assert shown[name] == wording.REASONS[metrics["reasons"][column + part]]
                else:
                    assert shown[name] == f"{at:%Y-%m-%d %H:%M}"
                checked.add(name)
        for row in sql.execute("SELECT * FROM monthly_results WHERE user_id = %s", [user]):
            check(f"months.{row['month']}", row["net_profit"], 2)
        for row in sql.execute("SELECT * FROM symbol_results WHERE user_id = %s", [user]):
            for column, places in (("trades", 0), ("win_rate", 2), ("net_profit", 2),
                                   ("profit_factor", 3), ("average_profit", 2)):  # fmt: skip
                check(f"symbols.{row['symbol']}.{column}", row[column], places)
        for row in sql.execute("SELECT * FROM hour_results WHERE user_id = %s", [user]):
            for column, places in (("trades", 0), ("win_rate", 2), ("net_profit", 2)):
                check(f"hours.{row['hour']}.{column}", row[column], places)
        for row in sql.execute("SELECT * FROM exposure_by_symbol WHERE user_id = %s", [user]):
            for column in ("positions", "long_volume", "short_volume", "net_volume", "net_profit"):
                check(f"exposure.{row['symbol']}.{column}", row[column], 2)
        for row in sql.execute("SELECT * FROM account_risk WHERE user_id = %s", [user]):
            for column in ("balance", "equity", "drawdown_percent", "loss_against_equity",
                           "margin_level", "distance_to_margin_call"):  # fmt: skip
                check(f"risk.{row['account_number']}.{column}", row[column], 2)
        for row in sql.execute(
            "SELECT DISTINCT ON (date_trunc('month', day)) day, balance, equity, drawdown_percent"
            " FROM daily_equity WHERE user_id = %s ORDER BY date_trunc('month', day), day DESC",
            [user],
        ):
            check(f"equity.{row['day']}.balance", row["balance"], 2)
            check(f"equity.{row['day']}.equity", row["equity"], 2)
            check(f"equity.{row['day']}.drawdown", row["drawdown_percent"], 2)
        for row in sql.execute(
            "SELECT o.id, o.volume, o.open_price, o.close_price, t.net FROM closed_trades AS t"
            " JOIN trading_orders AS o ON o.id = t.order_id WHERE t.user_id = %s"
            " ORDER BY t.closed_at DESC, o.id DESC LIMIT 20",
            [user],
        ):
            for column in ("volume", "open_price", "close_price"):
                check(f"trade.{row['id']}.{column}", row[column], 8)
            check(f"trade.{row['id']}.net", row["net"], 2)
        bins = {name: numeral(text) for name, text in shown.items() if "distribution." in name}
        assert sum(bins.values()) == metrics["total_trades"]
        for name in bins:
            low = Decimal(name.removeprefix("distribution."))
            width = Decimal(10)  # of 220 in at most 36 parts
            counted = sql.execute(
                "SELECT count(*) AS trades FROM closed_trades"
                " WHERE user_id = %s AND net >= %s AND net < %s", [user, low, low + width]
            ).fetchone()["trades"]  # fmt: skip
            check(name, counted, 0)
    assert {name for name in shown if name.split(".")[0] not in ELSEWHERE} - checked == set()
    assert len(checked) > 200


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (1400, "light"),
        pytest.param(380, "light", marks=pytest.mark.slow),
        pytest.param(380, "dark", marks=pytest.mark.slow),
        pytest.param(1400, "dark", marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing_to_complain_about(
    chrome: Browser, page_of: Callable[..., Path], width: int, scheme: str
) -> None:
    with reporting.opened(chrome, page_of("trader"), width, scheme) as seen:
        # thousands of shapes inside a plot say nothing to it; the plot itself is looked at
        found = Axe().run(seen.page, context={"exclude": [[".plot > div"]]})
        assert found.violations_count == 0, found.generate_report()


def test_plots_are_walked_through_with_the_keyboard(
    chrome: Browser, page_of: Callable[..., Path]
) -> None:
    with reporting.opened(chrome, page_of("trader")) as seen:
        page = seen.page
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        said = page.locator("#say")
        for name in DRAWN:
            plot = page.locator(f"#plot-{name}")
            plot.focus()
            before = plot.screenshot()
            page.keyboard.press("ArrowRight")
            first = said.text_content()
            page.keyboard.press("ArrowRight")
            second = said.text_content()
            assert first and second and first != second, name
            page.keyboard.press("End")
            assert said.text_content() not in (first, second)
            assert plot.screenshot() != before, name  # the tooltip is there
        page.locator("#plot-candles").focus()
        page.keyboard.press("Escape")
        whole = page.locator("#plot-candles").screenshot()
        page.keyboard.press("+")
        assert page.locator("#plot-candles").screenshot() != whole
        assert seen.complaints == []


def test_candles_show_bars_and_trades_of_the_symbol(page_of: Callable[..., Path]) -> None:
    plots = plots_of(page_of("trader"))
    candles = plots["candles0"]
    assert (candles["symbol"], candles["timeframe"]) == ("EURUSD", "H1")
    assert len(candles["trades"]) == 50
    for trade in candles["trades"]:
        opened = candles["times"][trade["from"]]
        assert opened <= candles["times"][trade["to"]]
    assert "EURUSD, H1: 50 of 60 trades" in page_of("trader").read_text()


def plots_of(path: Path) -> dict:
    text = re.search(r'<script type="application/json" id="plots">(.*?)</script>',
                     path.read_text(), re.DOTALL)  # fmt: skip
    return json.loads(text[1])


def test_names_that_look_like_markup_stay_text(
    chrome: Browser, page_of: Callable[..., Path]
) -> None:
    with reporting.opened(chrome, page_of("trader", strategy=reporting.STRATEGY)) as seen:
        assert seen.page.locator("h1").text_content() == f"trader · {reporting.STRATEGY}"
        assert reporting.ODD_SYMBOL in seen.page.locator("#symbols").text_content()
        assert seen.page.locator("img").count() == 0
        seen.page.locator("#plot-symbols").focus()
        for _ in range(3):
            seen.page.keyboard.press("ArrowRight")
        assert seen.page.locator("img").count() == 0
        assert seen.complaints == []
        assert "A strategy has no equity of its own" in seen.text()


@pytest.mark.parametrize(
    ("user", "said", "plots"),
    [
        ("nobody", ["No trade was closed in the period", "no trade was closed", "No position"], 0),
        ("single", ["25.00", "100.00 %", "no trade lost"], 6),
        ("loser", ["\N{MINUS SIGN}186.00", "0.00 %", "no trade won"], 6),
        ("unpriced", ["Symbols without bars", "GHOST", "so there are no candles"], 5),
        ("mixed", ["money of several currencies has no sum", "Trades in EUR", "--account"], 6),
    ],
)
def test_users_with_little_get_a_page_that_makes_sense(
    chrome: Browser, page_of: Callable[..., Path], user: str, said: list[str], plots: int
) -> None:
    with reporting.opened(chrome, page_of(user), 380) as seen:
        text = seen.text()
        assert [words for words in said if words not in text] == []
        assert not re.search(r"None|NaN|undefined|Infinity|\bnull\b", text.replace("NULL", ""))
        assert seen.complaints == []
        assert seen.page.evaluate("document.documentElement.scrollWidth") == 380
        assert seen.page.locator(".plot svg").count() == plots
        for plot in seen.page.locator(".plot").all():
            assert len(picture(plot.screenshot()).getcolors(10**6)) > 20
        ARTEFACTS.mkdir(parents=True, exist_ok=True)
        seen.page.screenshot(path=ARTEFACTS / f"{user}-380.png", full_page=True)


def test_one_account_of_a_user_with_two_currencies_has_figures(
    page_of: Callable[..., Path],
) -> None:
    page = page_of("mixed", account="9").read_text()
    assert "mixed · account 9" in page
    assert 'data-figure="months.2026-01-01">1,000.00' in page
    assert "has no sum" not in page


def test_period_and_strategy_limit_what_counts(page_of: Callable[..., Path]) -> None:
    def trades(**scope: object) -> int:
        return plots_of(page_of("trader", **scope))["curve"]["trades"]

    def at(text: str) -> datetime:
        return datetime.fromisoformat(text)

    assert trades() == 120
    assert trades(strategy=reporting.STRATEGY) == 80
    january = trades(end=at("2026-02-01T00:00+00:00"))
    assert 0 < january < 120
    assert january + trades(start=at("2026-02-01T00:00+00:00")) == 120
