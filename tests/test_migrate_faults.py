"""A bad cell, or a view that is not ours, does not stop a move."""

from __future__ import annotations

import random
import sqlite3
import string
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import moving
from rubi import cli

# nothing of it can be compressed
LONG = "".join(random.Random(9).choices(string.ascii_letters + string.digits, k=12_000))


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"open": "1e450"}, "market_data_open_fits"),
        ({"open": "9" * 450}, "market_data_open_fits"),
        ({"open": "-1e999"}, "market_data_open_fits"),
        ({"open": "1e12"}, "market_data_open_fits"),
        ({"volume": "1e450"}, "market_data_volume_fits"),
        ({"volume": "9" * 450}, "market_data_volume_fits"),
        ({"timestamp": "1e450"}, "market_data_timestamp_is_time"),
        ({"symbol": LONG[:5_000]}, "symbol_length_check"),
        ({"symbol": LONG}, "symbol_length_check"),
    ],
    ids=range(9),
)
def test_value_beyond_all_bounds_is_rejected_alone(
    db: psycopg.Connection, tmp_path: Path, change: dict[str, object], rule: str
) -> None:
    bars = moving.truth()["market_data"]
    bars.append(bars[0] | {"id": 90} | change)
    done = moving.run(db, moving.build(tmp_path / "a.db", {"market_data": bars}))
    assert (done.returncode, "DIFFERS" in done.stdout) == (1, False), done
    assert moving.rejects(db) == {("market_data", 90): rule}
    moving.same(db, {"market_data": moving.truth()["market_data"]})


@pytest.mark.parametrize(("name", "rule"), [("open", "is_number"), ("timestamp", "is_time")])
def test_two_values_in_a_cell_are_rejected_alone(
    db: psycopg.Connection, tmp_path: Path, name: str, rule: str
) -> None:
    bars = [
        bar | {"open": str(bar["open"]), "timestamp": f"{bar['timestamp']:%Y-%m-%d %H:%M:%S}"}
        for bar in moving.truth()["market_data"]
    ]
    bars.append(bars[0] | {"id": 90, name: f"{bars[0][name]}\n{bars[0][name]}"})
    done = moving.run(db, moving.build(tmp_path / "a.db", {"market_data": bars}))
    assert (done.returncode, "DIFFERS" in done.stdout) == (1, False), done
    assert moving.rejects(db) == {("market_data", 90): f"market_data_{name}_{rule}"}


def test_numbers_just_within_the_bounds_come_in(db: psycopg.Connection, tmp_path: Path) -> None:
    bar = moving.truth()["market_data"][0]
    bar |= {"high": "0e450", "low": "-1e-999", "open": 0, "close": "1e-450"}
    assert moving.run(db, moving.build(tmp_path / "a.db", {"market_data": [bar]})).returncode == 0
    moving.same(db, {"market_data": [bar | {"high": 0, "low": 0, "close": 0}]})


def test_symbol_that_is_too_long_is_named(db: psycopg.Connection, tmp_path: Path) -> None:
    done = moving.run(db, moving.bars(tmp_path / "a.db", [(LONG[:5_000], 1.5, 7)]))
    assert done.returncode == 1, done
    assert moving.rejects(db) == {("market_data", moving.ROWS + 11): "symbol_length_check"}


def test_hint_of_several_lines_is_one_line(db: psycopg.Connection) -> None:
    db.execute("CREATE TEMPORARY TABLE long_keys (key text PRIMARY KEY)")
    with pytest.raises(psycopg.errors.ProgramLimitExceeded) as caught:
        db.execute("INSERT INTO long_keys VALUES (%s)", [LONG[:5_000]])
    assert "\n" in caught.value.diag.message_hint
    said = cli.one_line(caught.value)
    assert "\n" not in said
    assert "Values larger than 1/3 of a buffer page cannot be indexed. Consider" in said


def test_views_that_are_not_ours_need_not_work(db: psycopg.Connection, tmp_path: Path) -> None:
    file = moving.build(tmp_path / "a.db", moving.truth())
    with closing(sqlite3.connect(file)) as source, source:
        source.create_function("pips", 1, lambda value: value, deterministic=True)
        source.execute("CREATE VIEW report AS SELECT pips(id) AS pips FROM users")
        source.execute("CREATE TABLE old (x)")
        source.execute("CREATE VIEW broken AS SELECT x FROM old")
        source.execute("PRAGMA legacy_alter_table = on")
        source.execute("DROP TABLE old")
    done = moving.run(db, file)
    assert done.returncode == 0, done
    assert "broken: can't be counted (" in done.stdout
    assert "main.old), NOT TAKEN" in done.stdout
    assert "report: " in done.stdout
    moving.same(db, moving.truth())


def test_place_for_rejects_that_can_not_be_written_is_said_before_the_work(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    file = moving.build(tmp_path / "a.db", moving.truth())
    for place in (tmp_path / "nowhere" / "r.jsonl", tmp_path):
        done = moving.run(db, file, "--rejects", place)
        assert (done.returncode, "can't be written there" in done.stderr) == (1, True), done
        assert done.stdout == ""
    assert db.execute("SELECT count(*) FROM migration.progress").fetchone() == (0,)
    assert moving.run(db, file, "--rejects", tmp_path / "r.jsonl").returncode == 0
    assert not (tmp_path / "r.jsonl").exists()


def test_long_field_of_a_csv_file_is_read(db: psycopg.Connection, tmp_path: Path) -> None:
    """Longer than what Python's reader takes by itself; a column that no table of ours has."""
    rows = {"users": [row | {"note": "x" * 140_000} for row in moving.truth()["users"]]}
    done = moving.run_csv(db, *moving.write_csv(tmp_path, rows))
    assert done.returncode == 0, done
    kept = db.execute("SELECT length(row_values ->> 'note') FROM migration.leftovers").fetchall()
    assert kept == [(140_000,)] * 2
