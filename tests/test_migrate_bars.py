"""Bars by the batch: a value of another form than the others arrives as it is meant."""

from __future__ import annotations

import secrets
import sqlite3
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import moving
from moving import D
from rubi.moving.sources import ROWS


@pytest.mark.parametrize(
    ("symbol", "price", "volume", "stored"),
    [
        ("A,B", 1.5, 1, ("A,B", D("1.5"), 1)),
        ('A"B', 1.5, 1, ('A"B', D("1.5"), 1)),
        ("[A]", 1.5, 1, ("[A]", D("1.5"), 1)),
        ("A.0", 2.0, 1, ("A.0", D("2"), 1)),
        ("null", 1.5, 1, ("null", D("1.5"), 1)),
        ("A\\tB", 1.5, 1, ("A\\tB", D("1.5"), 1)),
        ("Bär", "1.50", "3", ("Bär", D("1.5"), 3)),
        ("A", -0.0, 2.0, ("A", D("0"), 2)),
        ("A", 0.1 + 0.2, 1, ("A", D("0.3"), 1)),
        ("A", 123456.123456785, 1, ("A", D("123456.12345679"), 1)),
        ("A", 1.5, 2**62, ("A", D("1.5"), 2**62)),
        (b"A", 1.5, 1, ("A", D("1.5"), 1)),
        (7, 1, 1, ("7", D("1"), 1)),
    ],
)
def test_values_that_could_mislead_arrive_as_they_are(
    db: psycopg.Connection, tmp_path: Path, symbol: object, price: object, volume: object,
    stored: tuple,
) -> None:  # fmt: skip
    done = moving.run(db, moving.bars(tmp_path / "a.db", [(symbol, price, volume)]))
    assert done.returncode == 0, done
    assert "22 of 22" in done.stdout
    last = "SELECT symbol, open, volume FROM market_data ORDER BY id DESC LIMIT 1"
    assert db.execute(last).fetchone() == stored
    # equality without the proof
    assert db.execute(
        "SELECT count(*), sum(open), sum(volume), max(high), min(low) FROM market_data"
    ).fetchone() == (
        ROWS + 11,
        D("1.1") * (ROWS + 10) + stored[1],
        7 * (ROWS + 10) + stored[2],
        900000,
        D("-1.5"),
    )


def test_long_values_do_not_fill_the_memory(db: psycopg.Connection, tmp_path: Path) -> None:
    file = moving.bars(tmp_path / "a.db", [(secrets.token_hex(50_000), 1.5, 7)] * 30)
    done = moving.run(db, file)
    assert (done.returncode, "DIFFERS" in done.stdout) == (1, False), done
    assert set(moving.rejects(db).values()) == {"symbol_length_check"}
    assert f"{ROWS + 40:,} rows read, {ROWS + 10:,} moved, 30 REJECTED" in done.stdout


def test_missing_symbol_is_no_symbol_called_null(db: psycopg.Connection, tmp_path: Path) -> None:
    done = moving.run(db, moving.bars(tmp_path / "a.db", [(None, 1.5, 1), ("A", 1.5, None)]))
    assert done.returncode == 1
    assert moving.rejects(db) == {("market_data", ROWS + 11): "market_data_symbol_not_null"}
    assert db.execute("SELECT volume FROM market_data WHERE symbol = 'A'").fetchone() == (0,)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("volume = 2.9999999999999996", "market_data_volume_is_integer"),
        ("volume = 3.0000000000000004", "market_data_volume_is_integer"),
        ("timestamp = CAST('2025-01-02 00:00:00' AS blob)", "market_data_timestamp_is_time"),
        ("symbol = 1e20", "100000000000000000000"),
        ("symbol = 0.1 + 0.2", "0.30000000000000004"),
        ("symbol = 1.5, open = '1.5'", "1.5"),
        ("volume = 3.0", None),
    ],
)
def test_number_that_sqlite_writes_otherwise_goes_the_ordinary_way(
    db: psycopg.Connection, tmp_path: Path, change: str, rule: str | None
) -> None:
    """SQLite writes a REAL with 15 digits, and bytes that are put to a text as text."""
    file = moving.bars(tmp_path / "a.db", [("A", 1.5, 1), ("A", 1.5, 3)])
    with closing(sqlite3.connect(file)) as source, source:
        source.execute(f"UPDATE market_data SET {change} WHERE id = {ROWS + 11}")
    done = moving.run(db, file)
    assert "22 of 22" in done.stdout
    rejected = {("market_data", ROWS + 11): rule} if rule and rule.startswith("market") else {}
    assert (done.returncode, moving.rejects(db)) == (len(rejected), rejected)
    rest = db.execute(
        "SELECT symbol, volume FROM market_data WHERE id > %s ORDER BY id", [ROWS + 10]
    ).fetchall()
    if rejected:
        assert rest == [("A", 3)]
    else:
        assert rest == [(rule or "A", 3 if rule is None else 1), ("A", 3)]
