"""Generated reports, in all languages and forms, against the reader and the database.

Twelve in each run; `--slow` runs 500. Nothing is lost: each row is read as it was written. Nothing
is guessed: a deal has the position it had at the broker, or none.
"""

from __future__ import annotations

import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Jsonb

import mt5
import mt5_files
import mt5_history
from mt5_history import History
from mt5_languages import LANGUAGES
from rubi.mt5 import booking
from rubi.mt5.report import Report, read_report

SIDES = {"buy": 0, "sell": 1}
ENTRIES = {"in": 0, "out": 1, "in/out": 2, "out by": 3}
CP1252 = {*bytes(n for n in range(256) if n not in (129, 141, 143, 144, 157)).decode("cp1252")}
FORMS = ("xlsx", "html", "csv ,", "csv ;", "csv ; comma", "csv tab comma", "csv cp1252")
Drawn = tuple[History, Path, mt5_files.Quirks]


def draw(seed: int, folder: Path) -> Drawn:
    """A history and a file of it; seed decides everything."""
    rand = random.Random(seed)
    hedging, digits = rand.random() < 0.6, rand.choice([2, 2, 2, 0])
    history = mt5_history.make(seed, hedging, rand.randrange(1, 60), digits)
    if rand.random() < 0.25 and len(history.deals) > 12:
        history = mt5_history.cut(history, rand.uniform(0.2, 0.6))
    quirks = mt5_files.Quirks(
        language=rand.choice(list(LANGUAGES)),
        account=rand.choice(["50000001 (USD, Broker-Demo 2, demo, {way})",
                             "7 (USDT, Wide, Server, real, {way})",
                             "123456789\u00a0(USC,\u00a0X-Live,\u00a0contest,\u00a0{way})"]),
        columns=rand.choice([13, 14, 14, 15]),
        titles=rand.random() < 0.8,
        blank=rand.choice([" ", "\u00a0", "\u202f", ""]),
        minus=rand.choice(["-", "- ", "-\u00a0"]),
        colspan=rand.choice(["2", "0", "-1", "4294967295", "", "x"]),
        odd_byte=rand.random() < 0.5,
    )  # fmt: skip
    form = rand.choice(FORMS)
    path = folder / f"{seed} {form.replace(' ', '-').replace(',', 'c').replace(';', 's')}"
    if form == "xlsx":
        mt5_files.write_xlsx(path, history, quirks)
    elif form == "html":
        mt5_files.write_html(path, history, quirks)
    else:
        sign = {",": ",", ";": ";"}.get(form.split()[1], "\t" if "tab" in form else ";")
        has_letters = set(str(LANGUAGES[quirks.language])) <= CP1252
        coding = (
            "cp1252"
            if "cp1252" in form and has_letters
            else rand.choice(["utf-8", "utf-8-sig", "utf-16"])
        )
        mt5_files.write_csv(path, history, quirks, sign, "comma" in form, coding)
    return history, path, quirks


def expected_deals(drawn: Drawn) -> list[tuple[Any, ...]]:
    history, _, quirks = drawn
    return [
        (deal["ticket"], deal["time"], deal["symbol"],
         SIDES.get(deal["type"], 2), ENTRIES.get(deal["entry"]), deal["volume"], deal["price"],
         deal["order"], deal["commission"], deal["fee"] if quirks.columns > 13 else None,
         deal["swap"], deal["profit"], deal["balance"])
        for deal in history.deals
    ]  # fmt: skip


def read_deals(report: Report) -> list[tuple[Any, ...]]:
    def exact(value: Any) -> Any:
        return Decimal(str(value)) if isinstance(value, float) else value

    names = ("ticket", "time", "symbol", "type", "entry", "volume", "price", "order", "commission",
             "fee", "swap", "profit", "balance")  # fmt: skip
    return [tuple(exact(deal.get(name)) for name in names) for deal in report.deals]


def check_reading(drawn: Drawn) -> Report:
    """Every row of every list is there, as it was written, and adds up."""
    history, path, quirks = drawn
    report = read_report(path)
    assert read_deals(report) == expected_deals(drawn)
    assert [row["ticket"] for row in report.orders] == [row["ticket"] for row in history.orders]
    assert [(row["volume_initial"], row["volume_current"]) for row in report.orders] == [
        (float(row["asked"]), float(row["asked"] - row["filled"])) for row in history.orders
    ]
    assert [
        (row["ticket"], row["time"], row["time_close"], Decimal(str(row["profit"])))
        for row in report.positions
    ] == [(row["ticket"], row["time"], row["time_close"], row["profit"])
          for row in history.positions]  # fmt: skip
    assert [row["ticket"] for row in report.open_positions] == [
        row["ticket"] for row in history.open
    ]
    assert booking.differences(report) == []
    assert report.account["margin_mode"] == (2 if history.hedging else 0)
    assert report.account["company"] == quirks.company
    return report


def twin_key(deal: dict[str, Any]) -> tuple[Any, ...]:
    """All fields of a deal except its ticket: twins are worth the same anywhere."""
    names = ("time", "symbol", "type", "volume", "price", "profit", "swap", "commission")
    return tuple(deal[name] for name in names)


def told_by_api(deal: dict[str, Any]) -> dict[str, Any]:
    """What history_deals_get answers of a deal."""
    return mt5.deal(
        ticket=deal["ticket"], order=deal["order"], position_id=deal["truth"] or 0,
        type=SIDES.get(deal["type"], 2), entry=ENTRIES.get(deal["entry"], 0),
        time=deal["time"], time_msc=deal["time"] * 1000, symbol=deal["symbol"],
        **{name: float(deal[name])
           for name in ("volume", "price", "profit", "commission", "fee", "swap")},
    )  # fmt: skip


def tell_newer_half(
    connection: psycopg.Connection, user: int, drawn: Drawn, report: Report
) -> None:
    """A gateway that began in the middle of the history; the report brings what is older."""
    account = connection.execute(
        "SELECT ingest_mt5_account(%s, %s, '2025-01-01')",
        [user, Jsonb(booking.state(report))],
    ).fetchone()[0]
    deals = drawn[0].deals
    mt5.ingest(connection, "deals", account, [told_by_api(d) for d in deals[len(deals) // 2 :]])


def check_booking(
    connection: psycopg.Connection, user: int, drawn: Drawn, report: Report
) -> tuple[int, int]:
    """Book it; answers how many deals there are, and how many have no position."""
    history = drawn[0]
    # 13 columns have no fee, and a cut report is all that there is
    if drawn[2].columns > 13 and not history.opening and len(history.deals) % 2:
        tell_newer_half(connection, user, drawn, report)
    outcome = booking.book(connection, report, user, 0, "NY+7")
    assert outcome.differences == []
    assert outcome.given >= 30
    assigned = dict(connection.execute(
        "SELECT ticket, position_id FROM trading_deals WHERE account_id = %s", [outcome.account]
    ).fetchall())  # fmt: skip
    trades = [deal for deal in history.deals if deal["truth"]]
    given: dict[tuple[Any, ...], Counter[int]] = {}
    truth: dict[tuple[Any, ...], Counter[int]] = {}
    for deal in trades:
        truth.setdefault(twin_key(deal), Counter())[deal["truth"]] += 1
        if assigned[deal["ticket"]] is not None:
            given.setdefault(twin_key(deal), Counter())[assigned[deal["ticket"]]] += 1
    for key, positions in given.items():
        assert positions <= truth[key], (drawn[1], key, positions, truth[key])
    assert outcome.without == sum(assigned[deal["ticket"]] is None for deal in trades)
    assert mt5.violations(connection) == {}
    # the running balance is the column of the report, in its order
    ledger = connection.execute(
        "SELECT ticket, balance FROM account_ledger WHERE account_id = %s"
        " ORDER BY time_msc, ticket",
        [outcome.account],
    ).fetchall()
    assert ledger == [(deal["ticket"], deal["balance"]) for deal in history.deals]
    return len(trades), outcome.without


def campaign(db: psycopg.Connection, user: int, folder: Path, seeds: range) -> Counter[str]:
    """Read and book so many files, each in a transaction that is rolled back."""
    seen: Counter[str] = Counter()
    for seed in seeds:
        drawn = draw(seed, folder)
        report = check_reading(drawn)
        with db.transaction(force_rollback=True):
            trades, without = check_booking(db, user, drawn, report)
        drawn[1].unlink()
        seen.update(files=1, trades=trades, without=without)
        # a history that is whole tells nearly all; what begins late may not
        seen.update({"cut" if drawn[0].opening else "whole": without})
    return seen


def test_generated_reports_are_read_and_booked_without_loss_or_guess(
    db: psycopg.Connection, user: int, tmp_path: Path
) -> None:
    assert campaign(db, user, tmp_path, range(12))["files"] == 12


def test_earlier_closings_of_a_position_whose_last_one_the_api_told_are_found(
    db: psycopg.Connection, account: int
) -> None:
    opening, first, last = [
        mt5.deal(f"2026-01-0{day} 12:00", ticket=900 + day, order=900, position_id=900, **fields)
        for day, fields in (
            (5, {"volume": 1.0}),
            (6, {"volume": 0.4, "type": mt5.SELL, "entry": mt5.OUT, "profit": 5.0}),
            (7, {"volume": 0.6, "type": mt5.SELL, "entry": mt5.OUT, "profit": 7.0}),
        )
    ]
    mt5.ingest(db, "deals", account, [last])
    for deal in (opening, first):
        del deal["position_id"]
    mt5.ingest(db, "deals", account, [opening, first], "report")
    listed = {
        "ticket": 900, "symbol": "EURUSD", "type": 0, "time": opening["time"], "volume": 1.0,
        "time_close": last["time"], "price_close": 1.1, "profit": 12.0, "swap": 0.0,
    }  # fmt: skip
    db.execute("SELECT ingest_mt5_report(%s, %s)", [account, Jsonb({
        "first_msc": opening["time_msc"], "last_msc": last["time_msc"], "deals": 2,
        "positions": [listed],
    })])  # fmt: skip
    found = mt5.trips(db, account, "side", "volume_opened", "volume_closed", "net_result")
    assert found == [("BUY", 1, 1, 12)]


@pytest.mark.slow
def test_500_generated_reports_are_read_and_booked_without_loss_or_guess(
    db: psycopg.Connection, user: int, tmp_path: Path
) -> None:
    seen = campaign(db, user, tmp_path, range(1000, 1500))
    print(dict(seen))
    assert seen["files"] == 500
    assert seen["without"] <= seen["trades"] // 100, dict(seen)
