"""scripts/load_mt5.py: dumps and trade history reports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from openpyxl import Workbook

import conftest
import load_mt5
import mt5
import rows
from cli import Failure
from mt5_report import read_report

SCRIPT = conftest.ROOT / "scripts/load_mt5.py"
Run = Callable[..., subprocess.CompletedProcess[str]]

ENGLISH = {
    "orders": ["Open Time", "Order", "Symbol", "Type", "Volume", "Price", "S / L", "T / P", "Time",
               "State", "Comment"],
    "deals": ["Time", "Deal", "Symbol", "Type", "Direction", "Volume", "Price", "Order",
              "Commission", "Fee", "Swap", "Profit", "Balance", "Comment"],
    "titles": ("Orders", "Deals", "Account:"),
    "words": {},
}  # fmt: skip
FRENCH = {
    "orders": ["Heure d'ouverture", "Ordre", "Symbole", "Type", "Volume", "Prix", "S / L", "T / P",
               "Heure", "État", "Commentaire"],
    "deals": ["Heure", "Transaction", "Symbole", "Type", "Direction", "Volume", "Prix", "Ordre",
              "Commission", "Frais", "Échange", "Bénéfice", "Solde", "Commentaire"],
    "titles": ("Ordres", "Transactions", "Compte :"),
    "words": {"filled": "exécuté", "canceled": "annulé", "balance": "solde", "buy": "achat",
              "sell": "vente", "in": "entrée", "out": "sortie"},
}  # fmt: skip


def report_rows(language: dict[str, Any]) -> list[list[str]]:
    """A report of one deposit, one trade and one cancelled order, as its cells."""

    def say(*cells: str) -> list[str]:
        return [language["words"].get(cell, cell) for cell in cells]

    orders, deals, account = language["titles"]
    return [
        ["Trade History Report"],
        [account, "", "", "7001 (USD, Broker-Live, real, Hedge)"],
        [orders],
        language["orders"],
        say("2026.01.05 10:00:00", "900", "EURUSD", "buy", "1.00 / 1.00", "market", "1.05000", "",
            "2026.01.05 10:00:00", "filled", ""),
        say("2026.01.05 10:30:00", "902", "EURUSD", "buy limit", "2.00 / 0.00", "1.00000", "", "",
            "2026.01.05 10:40:00", "canceled", ""),
        [deals],
        language["deals"],
        say("2026.01.05 09:00:00", "1", "", "balance", "", "", "", "", "0.00", "0.00", "0.00",
            "10 000.00", "10 000.00", "deposit"),
        say("2026.01.05 10:00:00", "2", "EURUSD", "buy", "in", "1.00", "1.10000", "900", "-3.50",
            "0.00", "0.00", "0.00", "9 996.50", ""),
        say("2026.01.05 11:00:00", "3", "EURUSD", "sell", "out", "1.00", "1.10500", "901", "-3.50",
            "-0.10", "-1.20", "500.00", "10 491.70", ""),
        ["", "", "", "", "", "", "", "", "-7.00", "-0.10", "-1.20", "10 500.00", "", ""],
    ]  # fmt: skip


def write_xlsx(path: Path, cells: list[list[str]]) -> Path:
    book = Workbook()
    for row in cells:
        book.active.append(row)
    book.save(path)
    return path


def write_html(path: Path, cells: list[list[str]]) -> Path:
    hidden = '<td class="hidden" colspan="8"></td>'
    body = "".join(
        f"<tr>{''.join(f'<td>{cell}</td>{hidden * (i == 2)}' for i, cell in enumerate(row))}</tr>"
        for row in cells
    )
    path.write_text(f"<html><body><table>{body}</table></body></html>", encoding="utf-16")
    return path


@pytest.fixture
def user(db: psycopg.Connection) -> int:
    return rows.user(db, email="owner@example.com")


@pytest.fixture
def load(db: psycopg.Connection, server: conftest.Address) -> Run:
    """Runs the command line against the test's database, as the API's role."""

    def run(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, SCRIPT, *map(str, arguments)],
            env=os.environ
            | {"PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": "rubi_app",
               "PGDATABASE": db.info.dbname, "COLUMNS": "200"},
            capture_output=True,
            text=True,
        )  # fmt: skip

    return run


def counts(done: subprocess.CompletedProcess[str]) -> dict[str, list[int]]:
    """The table that the command printed: kind to its four counts."""
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    return {
        cells[1]: [int(cell) for cell in cells[2:]]
        for cells in lines
        if len(cells) == 6 and cells[5].isdigit()
    }


@pytest.mark.parametrize("write", [write_xlsx, write_html])
@pytest.mark.parametrize(("language", "name"), [(ENGLISH, "English"), (FRENCH, "French")])
def test_reports_are_read_in_both_languages_and_formats(
    tmp_path: Path, write: Callable[..., Path], language: dict[str, Any], name: str
) -> None:
    report = read_report(write(tmp_path / "report", report_rows(language)))
    assert (report.language, report.account_number) == (name, "7001")
    numbers = ("ticket", "type", "entry", "volume", "price", "order", "commission", "profit")
    assert [[deal.get(key) for key in numbers] for deal in report.deals] == [
        [1, 2, None, 0, 0, 0, 0.0, 10000.0],
        [2, 0, 0, 1.0, 1.1, 900, -3.5, 0.0],
        [3, 1, 1, 1.0, 1.105, 901, -3.5, 500.0],
    ]
    assert report.deals[2]["time"] == mt5.msc("2026-01-05 11:00") // 1000
    assert (report.deals[2]["fee"], report.deals[2]["swap"]) == (-0.1, -1.2)
    states = ("ticket", "type", "state", "volume_initial", "volume_current", "sl")
    assert [[order.get(key) for key in states] for order in report.orders] == [
        [900, 0, 4, 1.0, 0.0, 1.05],
        [902, 2, 2, 2.0, 2.0, 0],
    ]


def test_a_report_is_loaded_and_upgraded_by_the_api(
    db: psycopg.Connection, user: int, load: Run, tmp_path: Path
) -> None:
    account = mt5.open_account(db, user, balance=10491.7, equity=10491.7)
    report = write_xlsx(tmp_path / "report.xlsx", report_rows(FRENCH))
    first = load(report, "--account", account)
    assert "report in French" in first.stdout
    assert counts(first) == {"orders": [2, 0, 0, 0], "deals": [3, 0, 0, 0]}
    assert mt5.violations(db) == {}
    assert counts(load(report, "--account", account))["deals"] == [0, 0, 3, 0]
    assert mt5.trips(db, account) == []  # a report names no positions
    api = tmp_path / "deals.json"
    api.write_text(json.dumps([
        mt5.money(10000.0, "2026-01-05 09:00", ticket=1),
        mt5.deal("2026-01-05 10:00", ticket=2, order=900, position_id=900, commission=-3.5),
        mt5.deal("2026-01-05 11:00", ticket=3, order=901, position_id=900, type=1, entry=1,
                 price=1.105, commission=-3.5, fee=-0.1, swap=-1.2, profit=500.0),
    ]))  # fmt: skip
    assert counts(load(api, "--account", account))["deals"] == [0, 3, 0, 0]
    assert counts(load(report, "--account", account))["deals"] == [0, 0, 3, 0]
    assert len(mt5.trips(db, account)) == 1
    assert mt5.violations(db) == {}


def test_another_language_and_another_account_are_refused(
    db: psycopg.Connection, user: int, load: Run, tmp_path: Path
) -> None:
    account = mt5.open_account(db, user, login=7002)
    german = [["Geschäfte"], ["Zeit", "Geschäft", "Symbol", "Typ", "Richtung"]]
    refused = load(write_xlsx(tmp_path / "de.xlsx", german), "--account", account)
    assert refused.returncode == 1
    assert "no list of deals in English or French" in refused.stderr
    assert "Geschäfte" in refused.stderr
    foreign = load(write_xlsx(tmp_path / "r.xlsx", report_rows(ENGLISH)), "--account", account)
    assert (foreign.returncode, db.execute("SELECT count(*) FROM trading_deals").fetchone()) == (
        1, (0,),
    )  # fmt: skip
    broken = tmp_path / "broken.xlsx"
    broken.write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(Failure, match="no readable report"):
        read_report(broken)


def test_a_whole_dump_is_loaded_twice_with_the_same_result(
    db: psycopg.Connection, user: int, load: Run, tmp_path: Path
) -> None:
    dump = tmp_path / "dump.json"
    dump.write_text(json.dumps({
        "account": mt5.account(balance=10000.0),
        "symbols": [mt5.symbol()],
        "deals": [mt5.money(10000.0, ticket=1), mt5.deal(ticket=2)],
        "orders": [mt5.order(ticket=2)],
        "positions": [mt5.position(ticket=2)],
    }))  # fmt: skip
    lines = tmp_path / "deals.jsonl"
    lines.write_text(json.dumps(mt5.money(-1.0, ticket=3)) + "\n\n"
                     + json.dumps(mt5.money(1.0, ticket=4, comment="a\0b\ud800")) + "\n"
                     + json.dumps(mt5.money(float("nan"), ticket=5)))  # fmt: skip
    call = (dump, lines, "--user", "owner@example.com")
    dry = load(*call, "--dry-run")
    assert "nothing was stored" in dry.stdout
    assert db.execute("SELECT count(*) FROM mt5_accounts").fetchone() == (0,)
    first = load(*call)
    assert counts(first) == counts(dry)
    assert counts(first) == {
        "account": [0, 1, 0, 0], "symbols": [1, 0, 0, 0], "orders": [1, 0, 0, 0],
        "deals": [2, 0, 0, 1], "positions": [1, 0, 0, 0],
    }  # fmt: skip
    assert counts(load(*call))["deals"] == [0, 0, 2, 1]
    assert db.execute("SELECT count(*) FROM trading_deals").fetchone() == (4,)
    assert db.execute("SELECT reason FROM mt5_rejects").fetchall() == [("profit is no number",)]
    assert mt5.violations(db) == {}


def test_wrong_use_is_one_line(user: int, load: Run, tmp_path: Path) -> None:
    empty, bad = tmp_path / "empty.json", tmp_path / "bad.jsonl"
    empty.write_text("[]")
    bad.write_text('{"ticket": 1}\n{"ticket": \n')
    for path, said in (
        (tmp_path / "none.json", "is no file"),
        (empty, "can't tell what it holds"),
        (bad, "bad.jsonl:2: no JSON"),
    ):
        with pytest.raises(Failure, match=re.escape(said)):
            load_mt5.read(path, None)
    done = load(empty, "--kind", "deals")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1), done.stderr
    assert "which account?" in done.stderr
    assert load(empty, "--kind", "rumours").returncode == 2
