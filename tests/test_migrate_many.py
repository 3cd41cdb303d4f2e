"""Many bars: their key built when all are in; and the thread that reads ahead."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from time import sleep
from unittest import mock

import psycopg
import pytest

import deploying
import moving
import servers
from conftest import Address
from rubi.moving import late_key, row_batches

LATER = "built at the end"
KEYS = (
    "SELECT regexp_replace(c.conname, '^\\d+_(\\d+_)?|_\\d+$', '', 'g'), c.contype, c.convalidated,"
    " pg_get_constraintdef(c.oid), obj_description(c.oid, 'pg_constraint'), i.indisvalid,"
    " i.indisclustered, i.indisreplident, k.reloptions, r.relreplident, r.relkind,"
    " c.conrelid = 'public.market_data'::regclass"
    " FROM pg_constraint AS c JOIN pg_class AS r ON r.oid = c.conrelid"
    " LEFT JOIN pg_index AS i ON i.indexrelid = c.conindid"
    " LEFT JOIN pg_class AS k ON k.oid = c.conindid"
    " WHERE c.conrelid = 'public.market_data'::regclass OR c.conrelid IN"
    " (SELECT inhrelid FROM pg_inherits WHERE inhparent = 'public.market_data'::regclass)"
    " ORDER BY 1, 2, 4, 12"
)


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A batch counts as many."""
    monkeypatch.setattr(late_key, "MANY", moving.ROWS)


@pytest.mark.usefixtures("many")
def test_rows_that_share_a_key_are_named_as_ever(db: psycopg.Connection, tmp_path: Path) -> None:
    file = moving.bars(tmp_path / "a.db", [("A", 1.5, 7), ("A", 2.5, 7), ("B", -0.5, -7)])
    with closing(sqlite3.connect(file)) as source, source:
        source.execute(
            "UPDATE market_data SET timestamp = '2024-02-28 00:00:00' WHERE id > ?",
            [moving.ROWS + 10],
        )
    done = moving.run(db, file)
    assert done.returncode == 1
    assert LATER in done.stdout
    assert "to name them" in done.stdout
    assert moving.rejects(db) == {
        ("market_data", moving.ROWS + 12): "market_data_pkey",
        ("market_data", moving.ROWS + 13): "market_data_volume_not_negative_check",
    }
    assert f"{moving.ROWS + 13:,} rows read, {moving.ROWS + 11:,} moved, 2 REJECTED" in done.stdout
    # the rejected ones are read once more for what is kept of them
    assert f"timestamp: ISO, UTC assumed {moving.ROWS + 13 + 2:,}\n" in done.stdout
    assert "22 of 22" in done.stdout
    found = db.execute("SELECT symbol, bars FROM market_series ORDER BY 1").fetchall()
    assert found == [("A", 1), ("EURUSD", moving.ROWS + 10)]
    assert db.execute("SELECT open FROM market_data WHERE symbol = 'A'").fetchone() == (1.5,)


@pytest.mark.usefixtures("many")
def test_batch_that_is_not_plain_goes_value_by_value(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    file = moving.bars(tmp_path / "a.db", [("A,B", 1.5, 7), ("Bär", -0.0, 7), (None, 1.5, 7)])
    with closing(sqlite3.connect(file)) as source, source:
        source.execute("UPDATE market_data SET symbol = CAST(x'41ff' AS text) WHERE id = 7")
    done = moving.run(db, file)
    assert done.returncode == 1
    assert moving.rejects(db) == {
        ("market_data", 7): "market_data_symbol_is_text",
        ("market_data", moving.ROWS + 13): "market_data_symbol_not_null",
    }
    assert "22 of 22" in done.stdout
    found = db.execute(
        "SELECT symbol, open FROM market_data WHERE id > %s ORDER BY id", [moving.ROWS + 10]
    )
    assert found.fetchall() == [("A,B", 1.5), ("Bär", 0)]


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize("argument", [(), ("--dry-run",)])
def test_catalog_is_as_before(
    db: psycopg.Connection, server: Address, tmp_path: Path, argument: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    db.execute("COMMENT ON CONSTRAINT market_data_pkey ON market_data IS 'One a moment.'")
    name = db.info.dbname
    left = deploying.left_in_catalog(server, name)
    before = db.execute(KEYS).fetchall()
    file = moving.bars(tmp_path / "a.db", [])
    done = moving.run(db, file, *argument)
    assert (done.returncode, LATER in done.stdout) == (0, True), done
    found = db.execute(KEYS).fetchall()
    assert deploying.left_in_catalog(server, name) == left
    assert [key for key in found if key[-1]] == [key for key in before if key[-1]]
    if argument:
        assert found == before
        return
    assert db.execute("SELECT current_setting('lock_timeout')").fetchone() == ("0",)
    # chunks have what they have when the key is there from the beginning
    db.execute("SELECT drop_chunks('market_data', newer_than => timestamptz '1971-01-01')")
    monkeypatch.setattr(late_key, "MANY", moving.ROWS * 9)
    db.execute("DELETE FROM migration.progress")
    done = moving.run(db, file)
    assert (done.returncode, LATER in done.stdout) == (0, False), done
    assert db.execute(KEYS).fetchall() == found
    assert len(found) > len(before)


@pytest.mark.usefixtures("many")
@pytest.mark.parametrize(
    ("statement", "arguments"),
    [
        ("SELECT", ("--resume",)),
        ("INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
         " VALUES ('Z', 'M1', '2024-02-28', 1, 1, 1, 1)", ()),
        ("ALTER INDEX market_data_pkey SET (fillfactor = 80)", ()),
        ("COMMENT ON INDEX market_data_pkey IS 'kept'", ()),
        # as with the columnstore, which the Apache edition does not have
        (servers.COLUMNSTORE, ()),
        ("CREATE VIEW by_key AS SELECT symbol, timeframe, timestamp, open FROM market_data"
         " GROUP BY symbol, timeframe, timestamp", ()),
    ],
)  # fmt: skip
def test_key_stays_where_it_has_to(
    db: psycopg.Connection, tmp_path: Path, statement: str, arguments: tuple[str, ...]
) -> None:
    db.execute(statement)
    before = db.execute(KEYS).fetchall()
    number = "SELECT conindid FROM pg_constraint WHERE conname = 'market_data_pkey'"
    index = db.execute(number).fetchone()
    done = moving.run(db, moving.bars(tmp_path / "a.db", []), *arguments)
    assert (done.returncode, LATER in done.stdout) == (0, False), done
    assert db.execute(number).fetchone() == index
    assert [k for k in db.execute(KEYS).fetchall() if k[-1]] == [k for k in before if k[-1]]


@pytest.mark.usefixtures("many")
def test_lock_that_is_not_to_be_had_is_done_without(
    db: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    connect_as: Callable[..., psycopg.Connection],
) -> None:  # fmt: skip
    monkeypatch.setattr(late_key, "WAIT", "50ms")
    reader = connect_as("rubi_app")
    with reader.transaction():
        reader.execute("SELECT FROM market_data")
        done = moving.run(db, moving.bars(tmp_path / "a.db", []))
    assert done.returncode == 0, done
    assert LATER not in done.stdout
    assert "market_data keeps its key meanwhile: canceling statement" in done.stdout
    assert "22 of 22" in done.stdout


@pytest.mark.usefixtures("many")
def test_reader_of_bars_waits_and_then_reads(
    db: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    connect_as: Callable[..., psycopg.Connection],
) -> None:  # fmt: skip
    reader = connect_as("rubi_app")
    query = (
        "SELECT count(*) FROM market_data WHERE symbol = 'EURUSD' AND timeframe = 'M1'"
        " AND timestamp >= '2024-02-28'"
    )
    assert reader.execute(query, prepare=True).fetchone() == (0,)
    build = late_key.Key.build
    waited = []

    def try_to_read(key: late_key.Key, connection: psycopg.Connection) -> None:
        reader.execute("SET lock_timeout = '50ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            reader.execute(query, prepare=True)
        waited.append(key.name)
        build(key, connection)

    monkeypatch.setattr(late_key.Key, "build", try_to_read)
    assert moving.run(db, moving.bars(tmp_path / "a.db", [])).returncode == 0
    assert waited == ["market_data_pkey"]
    assert reader.execute(query, prepare=True).fetchone() == (moving.ROWS + 10,)


def test_ctrl_c_while_the_reading_thread_starts_leaves_nobody_reading() -> None:
    """Once in sixty Ctrl-Cs the source was closed under the thread: a crash, or a traceback."""
    begun: list[int] = []

    def items() -> Iterator[int]:
        begun.append(1)
        sleep(0.2)
        yield 1

    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        start(thread)
        raise KeyboardInterrupt

    with (
        mock.patch.object(threading.Thread, "start", interrupted),
        pytest.raises(KeyboardInterrupt),
    ):
        list(row_batches.ahead(items()))
    assert not begun
