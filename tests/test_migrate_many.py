"""Many bars: rows that share a key, readers meanwhile, and the thread that reads ahead."""

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

import moving
from rubi.moving import pipeline, row_batches


def test_rows_that_share_a_key_are_named_as_ever(db: psycopg.Connection, tmp_path: Path) -> None:
    file = moving.bars(tmp_path / "a.db", [("A", 1.5, 7), ("A", 2.5, 7), ("B", -0.5, -7)])
    with closing(sqlite3.connect(file)) as source, source:
        source.execute(
            "UPDATE market_data SET timestamp = '2024-02-28 00:00:00' WHERE id > ?",
            [moving.ROWS + 10],
        )
    done = moving.run(db, file)
    assert done.returncode == 1
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


def test_bars_can_be_read_while_bars_are_moved(
    db: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    connect_as: Callable[..., psycopg.Connection],
) -> None:  # fmt: skip
    reader = connect_as("rubi_app")
    reader.execute("SET lock_timeout = '5s'")
    query = "SELECT count(*) FROM market_data"
    counts = []
    monkeypatch.setattr(
        pipeline.Mover, "set_sequence", lambda *_: counts.append(reader.execute(query).fetchone())
    )
    assert moving.run(db, moving.bars(tmp_path / "a.db", [])).returncode == 0
    assert counts == [(0,)]
    assert reader.execute(query).fetchone() == (moving.ROWS + 10,)


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
