"""Every form of a value in a source arrives as what was meant."""

from __future__ import annotations

import json
import uuid
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import psycopg
import pytest

import moving
from moving import D, at

ATHENS = ZoneInfo("Europe/Athens")
NEW_YORK = ZoneInfo("America/New_York")


def julian(moment: datetime) -> float:
    return moment.timestamp() / 86400 + 2440587.5


def seven_ahead(moment: datetime) -> str:
    """A broker's clock: New York and 7 hours."""
    local = moment.astimezone(NEW_YORK).replace(tzinfo=None).timestamp() + 7 * 3600
    return datetime.fromtimestamp(local).strftime("%Y.%m.%d %H:%M:%S")


# name: forms of values, further arguments, what the output says of created_at or so
FORMS: dict[str, tuple[dict[Any, moving.Form], tuple[str, ...], str]] = {
    "plain": ({}, (), "ISO, UTC assumed"),
    "iso with T": ({datetime: lambda t: moving.iso(t).replace(" ", "T")}, (), "ISO, UTC"),
    "iso with Z": ({datetime: lambda t: moving.iso(t) + "Z"}, (), "ISO with zone"),
    "iso with offset": (
        {datetime: lambda t: t.astimezone(ATHENS).isoformat()}, (), "ISO with zone"
    ),
    "iso with short offset": (
        {datetime: lambda t: t.astimezone(ATHENS).strftime("%Y-%m-%d %H:%M:%S%z")}, (),
        "ISO with zone",
    ),
    "iso with zero fraction": ({datetime: lambda t: moving.iso(t) + ".000000"}, (), "ISO, UTC"),
    "iso without seconds": ({datetime: lambda t: moving.iso(t)[:16]}, (), "ISO, UTC assumed"),
    "days only": ({datetime: lambda t: moving.iso(t)[:10]}, (), "date, UTC assumed"),
    "epoch seconds": ({datetime: lambda t: int(t.timestamp())}, (), "epoch seconds"),
    "epoch seconds as float": ({datetime: lambda t: t.timestamp()}, (), "epoch seconds"),
    "epoch milliseconds": (
        {datetime: lambda t: int(t.timestamp() * 1000)}, (), "epoch milliseconds"
    ),
    "epoch as text": ({datetime: lambda t: f" {int(t.timestamp())} "}, (), "epoch seconds"),
    "julian days": ({datetime: julian}, (), "julian day"),
    "dotted": (
        {datetime: lambda t: moving.iso(t).replace("-", ".")}, (), "dotted, UTC assumed"
    ),
    "local times": (
        {datetime: lambda t: t.astimezone(ATHENS).strftime("%Y-%m-%d %H:%M:%S")},
        ("--zone", "Europe/Athens"), "ISO, Europe/Athens assumed",
    ),
    "broker's clock": ({datetime: seven_ahead}, ("--zone", "NY+7"), "dotted, NY+7 assumed"),
    "t and f": ({bool: lambda b: "t" if b else "f"}, (), ""),
    "true and FALSE": ({bool: lambda b: "true" if b else "FALSE"}, (), ""),
    "yes and no": ({bool: lambda b: "Yes" if b else "no"}, (), ""),
    "numbers as text": ({Decimal: lambda d: f" {d:f} ", int: str}, (), ""),
    "numbers with exponent": ({Decimal: lambda d: f"{d:e}"}, (), ""),
    "numbers of the last bit": ({Decimal: lambda d: float(d) + 1e-10}, (), ""),
    "words in any case": (
        {name: lambda w: w and w.lower().replace("_", " ")
         for name in ("signal_type", "status", "order_type", "type", "timeframe")}, (), "",
    ),
    "empty for null": ({type(None): lambda _: ""}, (), ""),
    "uuid as hex": ({uuid.UUID: lambda u: u.hex.upper()}, (), ""),
    "uuid as bytes": ({uuid.UUID: lambda u: u.bytes}, (), ""),
    "json with odd blanks": (
        {list: lambda v: json.dumps(v, indent=3),
         dict: lambda v: json.dumps(v, indent=1, default=float)}, (), "",
    ),
    "numbers where text is": (
        {name: lambda t: t and int(t) for name in ("mt5_order_id", "ticket", "account_number")},
        (), "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_form_arrives_as_what_was_meant(db: psycopg.Connection, tmp_path: Path, name: str) -> None:
    forms, arguments, said = FORMS[name]
    expected = moving.truth()
    rows = moving.truth()
    if name == "numbers of the last bit":  # noise behind the columns' digits
        del rows["performance_metrics"], expected["performance_metrics"]
        for row in (*rows["account_snapshots"], *expected["account_snapshots"]):
            row.pop("margin_level")
    if name == "empty for null":  # a NOT NULL text has no empty value to stand for NULL
        rows["trading_strategies"][0]["description"] = None
    done = moving.run(db, moving.build(tmp_path / "a.db", rows, forms), *arguments)
    assert done.returncode == 0, done
    moving.same(db, expected)
    assert moving.rejects(db) == {}
    assert said in done.stdout
    assert "DIFFERS" not in done.stdout
    assert done.stdout.count(" equal") == len(rows)


def test_fraction_of_a_second_is_kept(db: psycopg.Connection, tmp_path: Path) -> None:
    rows = {"market_data": moving.truth()["market_data"][:3]}
    kept = ["2025-03-10 00:00:00.123456", "2025-03-10T00:00:00.5Z", 1741564800123]
    for row, text in zip(rows["market_data"], kept, strict=True):
        row["timestamp"] = text
    assert moving.run(db, moving.build(tmp_path / "a.db", rows)).returncode == 0
    found = [row["timestamp"] for row in moving.stored(db, "market_data", ["timestamp"])]
    assert found == [
        at("2025-03-10 00:00:00.123456"), at("2025-03-10 00:00:00.5"),
        datetime(2025, 3, 10, 0, 0, 0, 123000, tzinfo=UTC),
    ]  # fmt: skip


def test_float_noise_does_not_arrive(db: psycopg.Connection, tmp_path: Path) -> None:
    rows = {"market_data": moving.truth()["market_data"]}
    opens = [1.1, 0.1 + 0.2, 98765432.1, 1.123456785, 5e-9]
    for row, price in zip(rows["market_data"], opens, strict=True):
        row |= {"open": price, "high": 1e9, "low": -1.0, "close": 0}
    assert moving.run(db, moving.build(tmp_path / "a.db", rows)).returncode == 0
    found = [row["open"] for row in moving.stored(db, "market_data", ["open"])]
    assert found == [D("1.1"), D("0.3"), D("98765432.1"), D("1.12345679"), D("0.00000001")]


def test_hour_that_comes_twice_is_read_as_postgresql_reads_it(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    rows = {"market_data": moving.truth()["market_data"][:3]}
    times = ["2025-10-26 03:30:00", "2025-03-30 03:30:00", "2025-10-26 04:30:00"]
    for row, text in zip(rows["market_data"], times, strict=True):
        row["timestamp"] = text
    file = moving.build(tmp_path / "a.db", rows)
    assert moving.run(db, file, "--zone", "Europe/Athens").returncode == 0
    db.execute("SET timezone = 'Europe/Athens'")
    read = [db.execute("SELECT %s::timestamptz", [text]).fetchone()[0] for text in times]
    assert [r["timestamp"] for r in moving.stored(db, "market_data", ["timestamp"])] == read
