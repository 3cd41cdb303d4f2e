"""scripts/load_mt5.py: what comes after a first report: longer ones, the API's rows, dumps."""

from __future__ import annotations

import json
from pathlib import Path

import psycopg
import pytest

import mt5
import mt5_files
import mt5_history
from mt5_history import History
from mt5_loading import CLOCK, Run, counts, load, number, refused, user

__all__ = ["load", "user"]  # fixtures


def test_a_longer_report_adds_what_is_new_and_gives_it_positions(
    db: psycopg.Connection, user: int, load: Run, tmp_path: Path
) -> None:
    """A report of the last weeks, then one of all: what was cut is whole, the opening balance 0."""
    history = mt5_history.make(30, True, 50)
    short = mt5_history.cut(history, 0.5)
    assert short.opening != 0
    for part in (short, history):
        path = mt5_files.write_html(tmp_path / "r.html", part, mt5_files.Quirks())
        assert counts(load(path, "--user", "ann", *CLOCK))["deals"][3] == 0
        assert mt5.violations(db) == {}
        assert db.execute("SELECT opening_balance FROM mt5_account_states").fetchone() == (
            part.opening,
        )
    assert db.execute(
        "SELECT count(*) FROM mt5_trips WHERE closed_at IS NOT NULL AND is_whole"
    ).fetchone() == (len(history.positions),)
    assert number(db, "trading_deals") == len(history.deals)
    assert db.execute("SELECT history_from FROM mt5_account_states").fetchone() == (None,)


def api_deals(history: History) -> list[dict[str, object]]:
    """The same deals as the API gives them: with position, milliseconds and reason."""
    sides, entries = {"buy": 0, "sell": 1}, {"in": 0, "out": 1, "in/out": 2, "out by": 3}
    return [
        {
            "ticket": deal["ticket"], "order": deal["order"], "time": deal["time"],
            "time_msc": deal["time"] * 1000 + n % 900, "type": sides.get(deal["type"], 2),
            "entry": entries.get(deal["entry"], 0), "magic": 7, "reason": 3,
            "position_id": deal["truth"] or 0, "external_id": "",
            **{name: float(deal[name]) for name in
               ("volume", "price", "commission", "swap", "profit", "fee")},
            "symbol": deal["symbol"], "comment": deal["comment"],
        }
        for n, deal in enumerate(history.deals)
    ]  # fmt: skip


@pytest.mark.parametrize("share", [0, 0.4])
@pytest.mark.parametrize("hedging", [True, False])
def test_rows_from_the_api_replace_those_of_a_report_without_doubling(
    db: psycopg.Connection, user: int, load: Run, tmp_path: Path, share: float, hedging: bool
) -> None:
    history = mt5_history.make(41, hedging, 40)
    part = mt5_history.cut(history, share) if share else history
    path = mt5_files.write_xlsx(tmp_path / "r.xlsx", part, mt5_files.Quirks())
    load(path, "--user", "ann", *CLOCK)
    account = db.execute("SELECT id FROM mt5_accounts").fetchone()[0]
    dump = tmp_path / "deals.json"
    dump.write_text(json.dumps(api_deals(history)))
    new = len(history.deals) - len(part.deals)
    assert counts(load(dump, "--account", account))["deals"] == [new, len(part.deals), 0, 0]
    assert mt5.violations(db) == {}
    assert db.execute("SELECT opening_balance FROM mt5_account_states").fetchone() == (0,)
    assert number(db, "trading_deals") == len(history.deals)
    assert db.execute(
        "SELECT count(*) FROM trading_deals WHERE position_id IS NULL OR source = 'report'"
    ).fetchone() == (0,)
    # and the report never takes back what the API said
    assert counts(load(path))["deals"] == [0, 0, len(part.deals), 0]
    assert mt5.violations(db) == {}


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
    call = (dump, lines, "--user", "owner@example.com", *CLOCK)
    dry = load(*call, "--dry-run")
    assert "no row was stored" in dry.stdout
    assert number(db, "mt5_accounts") == 0
    first = load(*call)
    assert "times are read by the clock of Broker-Live: America/New_York+7" in first.stdout
    assert counts(first, 1) == counts(dry, 1)
    assert counts(first, 1) == {
        "account": [0, 1, 0, 0], "symbols": [1, 0, 0, 0], "orders": [1, 0, 0, 0],
        "deals": [2, 0, 0, 1], "positions": [1, 0, 0, 0],
    }  # fmt: skip
    assert counts(load(*call), 1)["deals"] == [0, 0, 2, 1]
    assert number(db, "trading_deals") == 4
    assert db.execute("SELECT reason FROM mt5_rejects").fetchall() == [("profit is no number",)]
    assert mt5.violations(db) == {}


def test_wrong_use_is_one_line(user: int, load: Run, tmp_path: Path) -> None:
    empty, bad = tmp_path / "empty.json", tmp_path / "bad.jsonl"
    empty.write_text("[]")
    bad.write_text('{"ticket": 1}\n{"ticket": \n')
    refused(load(tmp_path / "none.json"), 1, "is no file")
    refused(load(empty), 1, "unknown contents")
    refused(load(bad), 1, "bad.jsonl:2: no JSON")
    refused(load(empty, "--kind", "deals"), 2, "which account?")
    assert load(empty, "--kind", "rumours").returncode == 2
    assert load(empty, "--word", "achat").returncode == 2
