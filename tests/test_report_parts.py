"""The report's command, and parts of the page that need no browser."""

from __future__ import annotations

import hashlib
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import psycopg
import pypdfium2
import pytest
from psycopg.rows import dict_row
from pytest_postgresql.executors import NoopExecutor

import mt5
import reporting
import rows
from conftest import ROOT, Address
from reporting import COLORS, near
from rubi.reporting import candles as report_market
from rubi.reporting import figures, wording, writing
from rubi.reporting import plots as report_plots

Script = Callable[..., subprocess.CompletedProcess[str]]
# columns that the heading of the page shows
UNLISTED = {
    "id", "user_id", "strategy_id", "account_id", "all_accounts", "period_start", "period_end",
    "calculated_at", "reasons",
}  # fmt: skip


@pytest.fixture(scope="module")
def database(server: Address, template: NoopExecutor) -> Iterator[str]:
    """Name of a database with a user who has everything."""
    with reporting.database(server, template, "report_parts") as name:
        with closing(psycopg.connect(server.dsn(name, "rubi_app"), autocommit=True)) as app:
            reporting.full_user(app)
        yield name


def test_equity_of_two_currencies_is_no_curve(server: Address, database: str) -> None:
    """The trade names no account: neither of both is the report's currency."""
    dsn, lengths = server.dsn(database, "rubi_app"), []
    with closing(psycopg.connect(dsn, autocommit=True)) as app:
        user = rows.user(app, username="several")
        reporting.trade(app, user, 0, 5)
        for number, currency in enumerate(("USD", "USD", "JPY")):
            session = rows.session(app, user, account_number=str(number), currency=currency)
            rows.snapshot(app, session, timestamp=f"2026-01-0{number + 5} 10:00+00")
            with closing(psycopg.connect(dsn)) as connection:
                lengths.append(len(writing.make(connection, "several").equity))
    assert lengths == [1, 2, 0]


def test_money_has_the_digits_of_its_currency(server: Address, database: str) -> None:
    """A thousandth of twelve bitcoin was 0.00, in words and in plots."""
    dsn = server.dsn(database)
    with closing(psycopg.connect(dsn, autocommit=True)) as db:
        for name, digits in (("coin", 8), ("yen", 0)):
            user = rows.user(db, username=name)
            account = mt5.open_account(
                db, user, currency=name.upper(), currency_digits=digits, balance=12.0, equity=12.0,
                server=name, taken_at="2026-01-05",
            )  # fmt: skip
            reporting.trade(db, user, 0, 0.00012345, account_id=account)
    with closing(psycopg.connect(server.dsn(database, "rubi_readonly"))) as connection:
        coin, yen = writing.make(connection, "coin"), writing.make(connection, "yen")
    assert 'data-figure="metrics.total_profit">0.00012345<' in writing.as_page(coin)
    assert 'data-figure="metrics.opening_balance">12<' in writing.as_page(yen)
    drawn = report_plots.plots(coin, wording.Writer("COIN", writing.money_digits(coin)))
    assert drawn["symbols"]["net"] == [0.00012345]
    assert drawn["curve"]["points"][-1][1] == 0.00012345


def test_drawing_fewer_points_loses_no_peak_and_no_fall(
    server: Address, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def curve(points: int) -> figures.Report:
        monkeypatch.setattr(figures, "POINTS", points)
        monkeypatch.setattr(report_plots, "POINTS", points)
        with psycopg.connect(server.dsn(database, "rubi_app")) as connection:
            return writing.make(connection, "trader")

    every, few = curve(1000), curve(7)
    write = wording.Writer("USD")
    assert len(every.curve) == 120
    assert len(few.curve) == 7
    for name, ends in (("low", min), ("high", max), ("fall", max)):
        wanted = ends(row[name] for row in every.curve)
        assert ends(row[name] for row in few.curve) == wanted
    assert few.curve[-1]["last"] == every.curve[-1]["last"]
    assert sum(row["trades"] for row in few.curve) == 120
    assert "120 trades are drawn in 7 groups" in report_plots.curve_note(few, write)
    monkeypatch.setattr(report_plots, "POINTS", 1000)
    assert report_plots.curve_note(every, write) == ""


@pytest.mark.parametrize(
    ("number", "said"), [(0, "0 trades"), (1, "1 trade"), (1000, "1,000 trades")]
)
def test_noun_agrees_with_its_number(number: int, said: str) -> None:
    assert wording.counted(number, "trades") == said


def test_a_year_made_of_one_good_day_is_written() -> None:
    """A first day of +31.8 % is 10^43 in a year; Decimal holds 28 digits."""
    share = Decimal("47198199396133701710842773003225767915395692.7666")
    assert wording.Writer("USD")(share, "share") == "4.72e+45 %"
    assert wording.Writer("USD")(Decimal("999999999999999.12"), "money") == "999,999,999,999,999.12"


def test_every_figure_of_the_metrics_is_on_the_page(catalog: psycopg.Connection) -> None:
    columns = catalog.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'performance_metrics'::regclass"
        " AND attnum > 0 AND NOT attisdropped"
    ).fetchall()
    listed = {column for group in wording.METRICS.values() for column, *_ in group}
    listed |= {column + part for column, _ in wording.DRAWDOWNS for part in wording.DRAWDOWN_PARTS}
    assert {name for (name,) in columns} == listed | UNLISTED


def test_reasons_are_those_of_the_performance_page() -> None:
    page = (
        (ROOT / "docs/reference/performance.md")
        .read_text()
        .split("| code | meaning |")[1]
        .split("\n## ")[0]
    )
    listed = {
        code.strip()
        for cell in re.findall(r"^\| ([a-z_, ]+) \|", page, re.MULTILINE)
        for code in cell.split(",")
    }
    assert listed == set(wording.REASONS)


def test_the_plot_library_is_the_one_that_was_released() -> None:
    """Taken as it is from the package echarts; README.md beside it says how to renew it."""
    library = ROOT / "scripts/rubi/reporting/page/echarts.min.js"
    read_me = (ROOT / "scripts/rubi/reporting/page/README.md").read_text()
    assert hashlib.sha256(library.read_bytes()).hexdigest() in read_me
    assert f'"{writing.ECHARTS}"' in library.read_text()
    assert f"echarts@{writing.ECHARTS}" in read_me


@pytest.mark.slow
def test_command_writes_page_picture_and_pdf(
    server: Address, database: str, run_script: Script, tmp_path: Path
) -> None:
    dsn = server.dsn(database, "rubi_readonly")
    for format, begins in (("html", b"<!DOCTYPE html>"), ("png", b"\x89PNG"), ("pdf", b"%PDF")):
        out = tmp_path / f"report.{format}"
        done = run_script(
            "report.py", "--user", "trader@example.com", "--from", "2026-01-01", "--to",
            "2026-03-01", "--format", format, "--out", str(out), "--dsn", dsn,
        )  # fmt: skip
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f"wrote {out}\n"
        assert out.read_bytes().startswith(begins)
    paper = pypdfium2.PdfDocument(tmp_path / "report.pdf")
    first = paper[0].render(scale=1).to_pil().convert("RGB")
    assert near(first, COLORS["light"]["accent"]) > 200
    assert near(first.crop((first.width * 4 // 5, 0, first.width, first.height)),
                COLORS["light"]["accent"]) > 20, "the plot reaches the right edge"  # fmt: skip
    assert 4 <= len(paper) <= 9
    paper.close()


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["--user", "who"], 1, "no user who: give a username"),
        (["--user", "trader", "--strategy", "none"], 1, "no strategy none of that user"),
        (["--user", "trader", "--account", "0"], 1, "no account 0 of that user"),
        (["--user", "trader", "--symbol", "XX"], 1, "no trade of XX"),
        (["--user", "trader", "--from", "2026-02-01", "--to", "2026-01-01"], 1, "is no period"),
        (["--user", "trader", "--from", "yesterday"], 2, "yesterday is no day"),
        (["--user", "trader", "--risk-free", "0,02"], 2, "0.02 is two percent"),
        (["--user", "trader", "--out", "/nowhere/r.html"], 1, "a folder that exists"),
        (["--user", "trader", "--format", "png"], 1, "with .venv/bin/python scripts/chromium.py"),
    ],
)  # fmt: skip
def test_command_says_in_one_line_what_is_wrong(
    server: Address, database: str, run_script: Script, tmp_path: Path, arguments: list[str],
    code: int, said: str,
) -> None:  # fmt: skip
    if "--out" not in arguments:
        arguments = [*arguments, "--out", str(tmp_path / "r.html")]
    environment = {"RUBI_HOME": str(tmp_path), "PATH": "/nowhere"}
    dsn = server.dsn(database, "rubi_readonly")
    done = run_script("report.py", *arguments, "--dsn", dsn, env=environment)
    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len(done.stderr.splitlines()) == 1
    assert not (tmp_path / "r.html").exists()


def test_chromium_that_is_none_is_said(run_script: Script, tmp_path: Path) -> None:
    done = run_script("chromium.py", env={"RUBI_CHROMIUM": str(tmp_path / "none")})
    assert done.returncode == 1
    assert "unset or fix it" in done.stderr


def test_proofs_that_the_login_may_not_read_are_not_asked_for(
    connect_as: Callable[..., psycopg.Connection], monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = report_market.proof_notes(connect_as("rubi_monitor"))
    assert [note.title for note in notes] == ["Proofs"]
    # a refusal would be an ERROR in the server's log with each report
    monkeypatch.setattr(report_market, "rows", lambda *_: pytest.fail("asked for the proofs"))
    notes = report_market.proof_notes(connect_as("rubi_ingest"))
    assert "may not read" in notes[0].text


def test_limit_of_the_proofs_ends_with_them(
    db: psycopg.Connection, connect_as: Callable[..., psycopg.Connection]
) -> None:
    """What is read after them, ratios of years, may take longer."""
    connection = connect_as("rubi_monitor")
    with connection.transaction():
        before = connection.execute("SHOW statement_timeout").fetchone()
        report_market.proof_notes(connection)
        assert connection.execute("SHOW statement_timeout").fetchone() == before


@pytest.mark.parametrize(("symbols", "rows_listed", "is_said"), [(40, 40, False), (50, 40, True)])
def test_table_of_many_symbols_says_how_many_it_leaves_out(
    db: psycopg.Connection, server: Address, symbols: int, rows_listed: int, is_said: bool
) -> None:
    user = rows.user(db, username="many")
    rows.session(db, user)
    db.execute(
        "INSERT INTO trading_orders (user_id, account_id, symbol, order_type, volume, open_price,"
        " close_price, profit, opened_at, closed_at) SELECT %s, a.id, 'S' || n, 'BUY', 1, 1, 2, n,"
        " '2026-01-05', '2026-01-06' FROM mt5_accounts AS a, generate_series(1, %s) AS n",
        [user, symbols],
    )
    page = writing.make_page(server.dsn(db.info.dbname, "rubi_readonly"), "many")
    assert page.count('data-figure="symbols.S') == 5 * rows_listed  # figures of a row
    said = f"The best and worst 40 of {symbols} are listed; symbol_results has all."
    assert (said in page) == is_said


@pytest.mark.parametrize(("frame", "calendar"), [("W1", "forex"), ("H1", "empty")])
def test_gaps_that_cannot_be_told_are_not_asked_for(
    db: psycopg.Connection, frame: str, calendar: str
) -> None:
    rows.bar(db, timeframe=frame)
    bars = db.cursor(row_factory=dict_row).execute("SELECT * FROM market_data").fetchall()
    db.execute(
        "INSERT INTO market_calendar_clocks (calendar) VALUES (%s) ON CONFLICT DO NOTHING",
        [calendar],
    )
    db.execute("INSERT INTO market_calendars (symbol, calendar) VALUES ('EURUSD', %s)", [calendar])
    candles = report_market.Candles("EURUSD", "EURUSD", frame, frame, bars, [], 0)
    # find_bar_gaps would raise, and nothing here catches an error
    assert report_market.gap_note(db, candles).state == "open"
