"""The trading report as a page, a picture or a PDF."""

import base64
import hashlib
import json
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import psycopg

from rubi import ROOT
from rubi.cli import Failure
from rubi.reporting import multiples, ratios, wording
from rubi.reporting import plots as report_plots
from rubi.reporting.candles import read_market
from rubi.reporting.figures import Report, read
from rubi.reporting.risk import checklist, read_risk, rule_in_words
from rubi.reporting.scope import find_scope

FOLDER = ROOT / "scripts/rubi/reporting/page"
ECHARTS = "6.1.0"
PARTS = {
    "curves": "Equity", "result": "Result", "months": "Months", "distribution": "Distribution",
    "multiples": "R", "symbols": "Symbols", "hours": "Hours", "tags": "Tags",
    "candles": "Candles", "exposure": "Open now", "rules": "Rules", "trades": "Trades",
    "ratios": "Ratios", "metrics": "Figures",
    "drawdowns": "Drawdowns", "quality": "Quality",
}  # fmt: skip
LISTED = 40  # rows of a table of symbols, tags or strategies


class Format(StrEnum):
    html = "html"
    png = "png"
    pdf = "pdf"


def sha256(text: str) -> str:
    """As a content security policy names a script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def money_digits(report: Report) -> int:
    """The currency's digits; untold they are two, or eight for a few units (bitcoin)."""
    if report.digits is not None:
        return report.digits
    names = ("gross_profit", "gross_loss", "opening_balance", "max_drawdown")
    largest = max((abs(report.metrics[name] or 0) for name in names), default=0)
    return 2 if largest >= 10 or not largest else 8


def years(months: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows of the heat map; the colour's depth is relative to the largest month."""
    largest = max((abs(row["net_profit"]) for row in months), default=0)
    by_key = {(row["key"].year, row["key"].month): row for row in months}
    result = []
    for year in sorted({year for year, _ in by_key}, reverse=True):
        cells = [by_key.get((year, month)) for month in range(1, 13)]
        for cell in filter(None, cells):
            level = int(1 + 3 * abs(cell["net_profit"]) / largest) if cell["net_profit"] else 0
            cell["heat"] = f"{'up' if cell['net_profit'] > 0 else 'down'}{level}" if level else ""
        total = sum(cell["net_profit"] for cell in cells if cell)
        result.append({"year": year, "months": cells, "total": total})
    return result


def as_page(report: Report) -> str:
    import jinja2
    from markupsafe import Markup

    scope = report.scope
    write = wording.Writer(scope.currency, money_digits(report))
    drawn = report_plots.plots(report, write) | multiples.plots(report.multiples, write)
    plots = {name: plot for name, plot in drawn.items() if plot}
    library, script, style = (
        (FOLDER / name).read_text(encoding="utf-8")
        for name in ("echarts.min.js", "page.js", "style.css")
    )
    # no text of the data may end the script element
    data = json.dumps(plots, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        trim_blocks=False,
        undefined=jinja2.StrictUndefined,
    )
    month_ends = {(row["day"].year, row["day"].month): row for row in report.equity}
    return environment.get_template("page.html.j2").render(
        r=report, m=report.metrics, s=scope, write=write, plots=plots,
        sign=wording.sign, moment=wording.moment, day=lambda at: f"{at:%Y-%m-%d}",
        last_day=f"{scope.end - timedelta(microseconds=1):%Y-%m-%d}",
        reason=wording.reason, cards=wording.CARDS, signed=wording.SIGNED,
        metrics=wording.METRICS,
        drawdowns=wording.DRAWDOWNS,
        drawdown_parts=[(part, "percent" if part == "_percent" else "moment")
                        for part in wording.DRAWDOWN_PARTS[1:]],
        parts=PARTS.items(), years=years(report.months), month_names=wording.MONTHS,
        month_ends=list(month_ends.values()), bin_label=report_plots.bin_label,
        curve_note=report_plots.curve_note(report, write), shown_symbols=report_plots.BARS,
        rules=[rule_in_words(row, write, report.made_at) for row in report.rules],
        ratios=ratios.known(report.ratios, write, True),
        more_ratios=ratios.known(report.ratios, write, False),
        unknown_ratios=ratios.unknown(report.ratios),
        multiples=report.multiples, multiple_bins=multiples.bins(report.multiples, write),
        left_out=multiples.left_out, in_r=multiples.in_r,
        checklist=checklist(report.checklist),
        listed=LISTED, tag_rows=report_plots.extremes(report.tags, LISTED),
        symbol_rows=report_plots.extremes(report.symbols, LISTED),
        echarts_version=ECHARTS, hashes=f"{sha256(library)} {sha256(script)}",
        style=Markup(style), library=Markup(library), script=Markup(script), data=Markup(data),
    )  # fmt: skip


def as_picture(page: str, kind: Format, out: Path, width: int, dark: bool) -> None:
    import tempfile

    from playwright.sync_api import Error, sync_playwright

    from rubi.servers import chromium

    program = chromium.found()
    if program is None:
        raise Failure(
            "no Chromium here for png and pdf: install it, name it with RUBI_CHROMIUM, or get one "
            "with .venv/bin/python scripts/chromium.py"
        )
    chromium.make_driver_run(chromium.playwright_node())
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder, "report.html")
        source.write_text(page, encoding="utf-8")
        try:
            with sync_playwright() as driver:
                browser = driver.chromium.launch(executable_path=program)
                shown = browser.new_page(
                    viewport={"width": width, "height": 900},
                    color_scheme="dark" if dark else "light",
                )
                shown.goto(source.as_uri())
                if kind == Format.png:
                    shown.screenshot(path=out, full_page=True)
                else:
                    shown.emulate_media(media="print")  # the plots are drawn for paper
                    shown.pdf(path=out, prefer_css_page_size=True, print_background=True)
                browser.close()
        except Error as error:
            raise Failure(f"Chromium made no {kind}: {error.message.splitlines()[0]}") from error


def make(
    connection: psycopg.Connection,
    user: str,
    strategy: str | None = None,
    account: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    symbol: str | None = None,
    risk_free: Decimal = Decimal(0),
) -> Report:
    """Read a report in one read-only transaction, so that all figures are of one moment."""
    connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
    connection.read_only = True
    with connection.transaction():
        connection.execute(
            "SET LOCAL timezone = 'UTC'; SET LOCAL search_path = public;"
            " SET LOCAL intervalstyle = postgres; SET LOCAL extra_float_digits = 1"
        )
        scope = find_scope(connection, user, strategy, account, start, end)
        report = read(connection, scope, risk_free)
        if symbol and symbol not in {row["key"] for row in report.symbols}:
            raise Failure(f"no trade of {symbol} in the period")
        read_market(connection, report, symbol)
        read_risk(connection, report)
        multiples.read_multiples(connection, report)
        ratios.read_ratios(connection, report, risk_free)
    return report


def make_page(dsn: str, user: str, **scope: Any) -> str:
    """The page of a user's report; scope as `make` takes it."""
    with psycopg.connect(dsn, application_name="rubi report") as connection:
        return as_page(make(connection, user, **scope))
