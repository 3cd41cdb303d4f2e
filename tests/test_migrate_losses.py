"""No row and no column is lost where SQLite lists or numbers them otherwise; a loss is seen."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import moving
import rows
from rubi.moving import proof
from rubi.moving.mapping import Move
from rubi.moving.sources import START, Rows, Sqlite

BARS = "symbol, timeframe, timestamp, open, high, low, close"
BAR = ("D1", "2024-01-01", 1, 1, 1, 1)


def bars(path: Path, table: str, symbols: str, more: str = "") -> Path:
    """A table of bars and one bar of each symbol."""
    with closing(sqlite3.connect(path)) as file, file:
        file.execute(f"CREATE TABLE market_data {table}")
        insert = f"INSERT INTO market_data ({BARS}) VALUES (?, ?, ?, ?, ?, ?, ?)"
        file.executemany(insert, [(symbol, *BAR) for symbol in symbols])
        file.executescript(more)
    return path


@pytest.mark.parametrize(
    ("table", "more"),
    [
        (f"({BARS}, volume)", "UPDATE market_data SET _rowid_ = -9223372036854775808 WHERE"
                              " symbol = 'A'"),
        (f"({BARS}, volume)", "UPDATE market_data SET _rowid_ = 9223372036854775807 WHERE"
                              " symbol = 'A'"),
        (f"({BARS}, volume, _rowid_)", ""),
        (f"({BARS}, volume, _ROWID_ INTEGER)", "UPDATE market_data SET _rowid_ = 7"),
        (f"({BARS}, volume, _rowid_, rowid)", ""),
        (f"({BARS}, volume, _rowid_, rowid, oid)", ""),
        (f"({BARS}, volume, _rowid_, PRIMARY KEY (symbol)) WITHOUT ROWID", ""),
        (f"({BARS}, volume, _rowid_, rowid, oid, PRIMARY KEY (symbol)) WITHOUT ROWID", ""),
        (f"({BARS}, volume)",
         "ALTER TABLE market_data RENAME TO b; CREATE VIEW market_data AS SELECT rowid, * FROM b"),
        (f"({BARS}, volume)",
         "ALTER TABLE market_data RENAME TO b; CREATE VIEW market_data AS SELECT * FROM b"),
    ],
    ids=range(10),
)  # fmt: skip
def test_every_row_comes_however_it_is_numbered(
    db: psycopg.Connection, tmp_path: Path, table: str, more: str
) -> None:
    file = bars(tmp_path / "a.db", table, "ABC", more)
    for _ in range(2):
        done = moving.run(db, file)
        assert (done.returncode, "DIFFERS" in done.stdout) == (0, False), done
        assert "market_data: 3 rows read" in done.stdout
        found = db.execute("SELECT symbol FROM market_data ORDER BY 1").fetchall()
        assert found == [("A",), ("B",), ("C",)]


def test_row_of_the_least_number_is_rejected_like_any_other(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    least = -(2**63)
    more = f"UPDATE market_data SET _rowid_ = {least}, high = 0.5, note = 'n' WHERE symbol = 'A'"
    file = bars(tmp_path / "a.db", f"({BARS}, note)", "AB", more)
    for _ in range(2):
        assert moving.run(db, file).returncode == 1
        assert moving.rejects(db) == {("market_data", least): "market_data_high_is_highest_check"}
        assert db.execute("SELECT symbol FROM market_data").fetchall() == [("B",)]


def test_generated_columns_come_like_others(db: psycopg.Connection, tmp_path: Path) -> None:
    table = (
        f"({BARS}, up DEFAULT 3, down DEFAULT 4, volume AS (up + down) STORED, twice AS (up * 2))"
    )
    file = bars(tmp_path / "a.db", table, "A")
    done = moving.run(db, file)
    assert done.returncode == 0, done
    assert "kept aside: up, down, twice" in done.stdout
    assert db.execute("SELECT volume FROM market_data").fetchall() == [(7,)]
    kept = db.execute("SELECT row_values FROM migration.leftovers").fetchall()
    assert kept == [({"up": 3, "down": 4, "twice": 6},)]


def test_row_that_its_reader_loses_is_seen_by_the_proof(
    db: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slices = Sqlite.slices

    def losing(source: Sqlite, *arguments: object) -> Iterator[Rows]:
        return (found[1:] for found in slices(source, *arguments))

    monkeypatch.setattr(Sqlite, "slices", losing)
    done = moving.run(db, moving.build(tmp_path / "a.db", moving.truth()))
    assert done.returncode == 1
    assert "account_snapshots rows: source 4, here 3" in done.stdout
    assert "taken back" in done.stderr
    assert db.execute("SELECT count(*) FROM account_snapshots").fetchone() == (0,)


def test_row_that_others_commit_during_the_proof_is_not_the_sources(
    db: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read_source = proof.read_source

    def beside_the_feed(
        connection: psycopg.Connection, source: object, move: Move, *more: object, keep_keys: bool
    ) -> dict:
        found = read_source(connection, source, move, *more, keep_keys=keep_keys)
        if move.table == "market_data" and not keep_keys:
            rows.bar(db, symbol="LIVE")
        return found

    monkeypatch.setattr(proof, "read_source", beside_the_feed)
    done = moving.run(db, moving.build(tmp_path / "a.db", moving.truth()), "--resume")
    assert (done.returncode, "DIFFERS" in done.stdout) == (0, False), done
    assert db.execute("SELECT FROM market_data WHERE symbol = 'LIVE'").rowcount == 1


def test_rows_of_many_batches_are_numbered_by_another_name_too(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    file = moving.bars(tmp_path / "a.db", [])
    with closing(sqlite3.connect(file)) as source, source:
        source.execute("UPDATE market_data SET id = -9223372036854775808 WHERE id = 1")
        source.execute("ALTER TABLE market_data RENAME COLUMN id TO _rowid_")
    (tmp_path / "m.toml").write_text('[columns.market_data]\n_rowid_ = "id"\n')
    done = moving.run(db, file, "--map", tmp_path / "m.toml")
    assert done.returncode == 0, done
    assert "DIFFERS" not in done.stdout


def test_row_that_was_misread_when_it_was_moved_is_seen_by_the_proof(
    db: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The proof reads the source itself: what the first reading got wrong proves nothing."""
    slices, seen = Sqlite.slices, set()

    def misreading(source: Sqlite, table: str, *arguments: object) -> Iterator[Rows]:
        for found in slices(source, table, *arguments):
            first = table not in seen and not seen.add(table)
            if first and table == "account_snapshots":  # two rows have each other's last value
                ends = [row[-1] for row in found[::-1]]
                found = [(*row[:-1], end) for row, end in zip(found, ends, strict=True)]
            yield found

    monkeypatch.setattr(Sqlite, "slices", misreading)
    done = moving.run(db, moving.build(tmp_path / "a.db", moving.truth()))
    assert done.returncode == 1
    assert "account_snapshots hash: source" in done.stdout
    assert "taken back" in done.stderr


def test_threads_that_read_one_source_get_the_rows_that_they_asked_for(tmp_path: Path) -> None:
    """Python 3.13 mixed up the statements of two threads over one connection, without an error."""
    file = moving.build(tmp_path / "a.db", moving.truth())
    source = Sqlite(file, 10)
    asked = [("users", ["id", "email"]), ("trading_orders", ["symbol", "profit"])]

    def read(number: int) -> bool:
        table, names = asked[number % 2]
        (found,) = source.batches(table, names, START)
        return (source.columns(table), found) == wanted[table]

    with closing(source), closing(sqlite3.connect(file)) as plain:
        wanted = {
            table: (
                [row[1] for row in plain.execute(f"PRAGMA table_info({table})")],
                plain.execute(f"SELECT rowid, {', '.join(names)} FROM {table}").fetchall(),
            )
            for table, names in asked
        }
        with ThreadPoolExecutor(4) as pool:
            assert all(pool.map(read, range(400)))


def test_connection_to_a_source_is_closed_to_other_threads(tmp_path: Path) -> None:
    source = Sqlite(moving.build(tmp_path / "a.db", moving.truth()), 10)
    with closing(source), pytest.raises(sqlite3.ProgrammingError):
        source.connection.execute("SELECT 1")
