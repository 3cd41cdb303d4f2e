"""scripts/load_mt5.py: a report opens its account, or is refused, as a person runs it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

import mt5
import mt5_files
import mt5_history
import rows
from mt5_history import History
from mt5_loading import CLOCK, Run, counts, load, number, refused, user

__all__ = ["load", "user"]  # fixtures


@pytest.fixture
def history() -> History:
    return mt5_history.make(21, True, 40)


@pytest.fixture
def report(tmp_path: Path, history: History) -> Path:
    return mt5_files.write_xlsx(tmp_path / "ReportHistory-50000001.xlsx", history,
                                mt5_files.Quirks("French"))  # fmt: skip


def test_a_report_opens_its_account_and_its_results_are_there(
    db: psycopg.Connection, user: int, load: Run, report: Path, history: History
) -> None:
    first = load(report, "--user", "ann", *CLOCK)
    assert counts(first)["deals"] == [len(history.deals), 0, 0, 0]
    for said in (
        "account 50000001 at Broker-Demo 2 (Broker (Europe) Ltd), USD, opened",
        "which is America/New_York+7",
        f"{len(history.positions)} positions closed, {len(history.open)} open",
        f"balance {history.deals[-1]['balance']:,} USD",
        "equal to the report's totals, 35 of its own results",
        "next: .venv/bin/python scripts/report.py --user ann --account ",
    ):
        assert said in first.stdout
    assert first.stderr == ""  # no library's warnings
    assert db.execute(
        "SELECT server, account_number, currency, broker, trade_mode, margin_mode FROM mt5_accounts"
    ).fetchall() == [("Broker-Demo 2", "50000001", "USD", "Broker (Europe) Ltd", 0, 2)]
    closed = sum(deal["profit"] + deal["commission"] + deal["swap"] for deal in history.deals
                 if deal["truth"] in {row["ticket"] for row in history.positions})  # fmt: skip
    trips = "SELECT count(*), sum(net_result) FROM mt5_trips WHERE closed_at IS NOT NULL"
    orders = (
        "SELECT count(*), sum(profit + commission + swap) FROM trading_orders"
        " WHERE closed_at IS NOT NULL"
    )
    for query in (trips, orders):
        assert db.execute(query).fetchone() == (len(history.positions), closed)
    trades = db.execute(
        "SELECT total_trades, total_profit FROM calculate_performance_metrics(%s, NULL, %s, %s)",
        [user, "2025-01-01 00:00+00", "2026-01-01 00:00+00"],
    ).fetchone()
    assert trades == (len(history.positions), closed)
    assert mt5.violations(db) == {}


def test_the_same_report_again_changes_nothing_and_finds_its_account_alone(
    db: psycopg.Connection, user: int, load: Run, report: Path, history: History, tmp_path: Path
) -> None:
    load(report, "--user", "ann", *CLOCK)
    before = db.execute("SELECT d.xmin, d.* FROM trading_deals AS d ORDER BY d.ticket").fetchall()
    again = load(report)
    assert counts(again)["deals"] == [0, 0, len(history.deals), 0]
    assert "opened" not in again.stdout
    html = mt5_files.write_html(tmp_path / "r.html", history, mt5_files.Quirks("Bulgarian"))
    assert counts(load(html))["deals"] == [0, 0, len(history.deals), 0]
    after = db.execute("SELECT d.xmin, d.* FROM trading_deals AS d ORDER BY d.ticket").fetchall()
    assert before == after
    assert number(db, "mt5_reports") == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"account": "50000001 (EUR, Broker-Demo 2, demo, Hedge)"}, "is of currency EUR"),
        ({"account": "50000001 (USD, Broker-Demo 2, real, Hedge)"}, "is of kind real"),
        ({"account": "50000001 (USD, Broker-Demo 2, demo, Netting)"}, "is of way of positions"),
    ],
)
def test_a_report_that_disagrees_with_its_account_is_refused(
    db: psycopg.Connection, user: int, load: Run, report: Path, history: History, tmp_path: Path,
    change: dict[str, str], said: str,
) -> None:  # fmt: skip
    load(report, "--user", "ann", *CLOCK)
    other = mt5_files.write_xlsx(tmp_path / "o.xlsx", history, mt5_files.Quirks(**change))
    refused(load(other, "--user", "ann"), 1, said)
    assert number(db, "mt5_reports") == 1


def test_a_company_that_took_another_name_is_the_account_s(
    db: psycopg.Connection, user: int, load: Run, report: Path, history: History, tmp_path: Path
) -> None:
    """Brokers rename themselves; the server and the number are the account."""
    load(report, "--user", "ann", *CLOCK)
    quirks = mt5_files.Quirks(company="Broker Global Ltd")
    later = mt5_files.write_xlsx(tmp_path / "o.xlsx", history, quirks)
    assert counts(load(later))["deals"] == [0, 0, len(history.deals), 0]
    assert db.execute("SELECT broker FROM mt5_accounts").fetchall() == [("Broker Global Ltd",)]


def test_a_report_of_another_account_is_not_loaded_into_the_one_named(
    db: psycopg.Connection, user: int, load: Run, report: Path
) -> None:
    account = mt5.open_account(db, user, login=7002)
    said = f"is of account 50000001, account {account} has 7002; of these 2 files none was stored"
    refused(load(report, report, "--account", account, *CLOCK), 1, said)
    refused(load(report, *CLOCK), 2, "name its owner with --user")
    refused(load(report, "--user", "nobody", *CLOCK), 1, "there is no user nobody")
    assert number(db, "trading_deals") == 0


def test_the_clock_of_a_new_server_is_asked_for_and_kept_once_given(
    db: psycopg.Connection, user: int, load: Run, report: Path
) -> None:
    refused(load(report, "--user", "ann"), 2, "--server-clock with NY+7")
    refused(load(report, "--user", "ann", "--server-clock", "Mars/Crater+9"), 2, "no time zone")
    refused(load(report, "--user", "ann", "--server-clock", "seven"), 2, "is no clock")
    assert number(db, "mt5_accounts") + number(db, "mt5_server_clocks") == 0
    assert load(report, "--user", "ann", "--server-clock", "UTC+3").returncode == 0
    assert db.execute("SELECT server, clock FROM mt5_server_clocks").fetchall() == [
        ("Broker-Demo 2", "UTC+3")
    ]
    refused(load(report, *CLOCK), 1, "runs by UTC+3, not by NY+7")
    assert "which is UTC+3" in load(report).stdout


@pytest.mark.parametrize("given", ["--dry-run", "--server-clock"])
def test_a_file_of_which_nothing_is_stored_leaves_no_account_and_no_clock(
    db: psycopg.Connection, user: int, load: Run, tmp_path: Path, given: str
) -> None:
    history = mt5_history.make(5, True, 5)
    if given == "--dry-run":
        path = mt5_files.write_xlsx(tmp_path / "r.xlsx", history, mt5_files.Quirks())
        assert "no row was stored" in load(path, "--user", "ann", *CLOCK, given).stdout
    else:
        for row in (*history.deals, *history.orders):
            row["symbol"] = "E" * 801
        path = mt5_files.write_xlsx(tmp_path / "r.xlsx", history, mt5_files.Quirks())
        refused(load(path, "--user", "ann", *CLOCK), 1, "no row could be stored")
    for table in ("mt5_accounts", "mt5_server_clocks", "trading_deals", "mt5_rejects"):
        assert number(db, table) == 0, table


def test_a_rejected_row_is_set_aside_and_the_exit_code_says_so(
    db: psycopg.Connection, user: int, load: Run, tmp_path: Path
) -> None:
    history = mt5_history.make(5, True, 5)
    history.deals[-1]["symbol"] = "E" * 801
    path = mt5_files.write_xlsx(tmp_path / "r.xlsx", history, mt5_files.Quirks())
    done = load(path, "--user", "ann", *CLOCK)
    assert counts(done, 1)["deals"] == [len(history.deals) - 1, 0, 0, 1]
    assert "set aside in mt5_rejects: deals: symbol is too long" in done.stderr
    assert "1 rows were rejected" in done.stderr
    assert number(db, "mt5_rejects") == 1


def test_all_files_are_read_before_the_first_is_stored(
    db: psycopg.Connection, user: int, load: Run, report: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.xlsx"
    bad.write_bytes(b"PK\x03\x04 nothing")
    refused(load(report, bad, "--user", "ann", *CLOCK), 1, "bad.xlsx is no readable report")
    assert number(db, "mt5_accounts") == 0


def test_names_of_files_are_not_cut(user: int, load: Run, history: History, tmp_path: Path) -> None:
    names = [f"ReportHistory-of-a-long-name-{'x' * 60}-{n}.xlsx" for n in (1, 2)]
    for name in names:
        mt5_files.write_xlsx(tmp_path / name, history, mt5_files.Quirks())
    done = load(*(tmp_path / name for name in names), "--user", "ann", *CLOCK)
    for name in names:
        assert f"{name}: deals: " in done.stdout


def test_a_clock_that_bars_prove_wrong_is_refused_and_the_right_one_is_not(
    db: psycopg.Connection, user: int, load: Run, tmp_path: Path
) -> None:
    """The server runs by UTC+2; bars of the deals' minutes hold their prices there alone."""
    history = mt5_history.make(8, True, 40)
    deals = [deal for deal in history.deals if deal["truth"] and deal["symbol"] == "EURUSD"]
    assert len(deals) >= 5
    db.execute(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
        " SELECT 'EURUSD', 'M1', date_trunc('minute', to_timestamp(d.t - 7200)), min(d.p),"
        " max(d.p), min(d.p), min(d.p), 1 FROM unnest(%s::bigint[], %s::numeric[]) AS d (t, p)"
        " GROUP BY 3",
        [[deal["time"] for deal in deals], [deal["price"] for deal in deals]],
    )
    path = mt5_files.write_xlsx(tmp_path / "r.xlsx", history, mt5_files.Quirks())
    refused(load(path, "--user", "ann", "--server-clock", "UTC+5"), 1,
            "is wrong by -3 hours, or that of its bars")  # fmt: skip
    assert number(db, "mt5_accounts") + number(db, "mt5_server_clocks") == 0
    right = load(path, "--user", "ann", "--server-clock", "UTC+2")
    assert right.returncode == 0
    assert "deals lie within the bars of their minutes" in right.stdout


def test_a_tenant_sees_the_reports_of_its_own_accounts_only(
    db: psycopg.Connection, user: int, load: Run, report: Path,
    connect_as: Callable[..., psycopg.Connection],
) -> None:  # fmt: skip
    load(report, "--user", "ann", *CLOCK)
    app = connect_as("rubi_app", autocommit=False)
    other = rows.user(db, email="other@example.com")
    for who, seen in ((user, 1), (other, 0)):
        app.execute("SET LOCAL ROLE rubi_tenant")
        app.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(who)])
        assert app.execute("SELECT count(*) FROM mt5_reports").fetchone() == (seen,)
        app.rollback()


def test_a_report_row_without_its_period_is_refused(db: psycopg.Connection, user: int) -> None:
    account = mt5.open_account(db, user)
    with pytest.raises(psycopg.errors.NotNullViolation):
        db.execute("SELECT ingest_mt5_report(%s, %s)", [account, Jsonb({"deals": 1})])
    with pytest.raises(psycopg.errors.CheckViolation, match="mt5_reports_period_ordered_check"):
        db.execute(
            "SELECT ingest_mt5_report(%s, %s)",
            [account, Jsonb({"deals": 1, "first_msc": 2, "last_msc": 1})],
        )
