"""Old ticks, events and audit leave the database only when a proved file has them."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path
from typing import ClassVar

import duckdb
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg import sql

import servers
from archived import TABLES, fill, run, told
from rubi.archives.rows import read_rows
from rubi.bars.archive import Store


@pytest.mark.parametrize(
    "by_column", [False, pytest.param(True, marks=servers.LICENSED)], ids=["by row", "by column"]
)
def test_archived_dropped_and_restored_rows_are_equal_value_for_value(
    db: psycopg.Connection, tmp_path: Path, by_column: bool
) -> None:
    fill(db)
    if by_column:
        db.execute(
            "ALTER TABLE market_ticks SET (timescaledb.compress,"
            " timescaledb.compress_segmentby = 'symbol',"
            " timescaledb.compress_orderby = 'timestamp, seq')"
        )
        db.execute(
            "SELECT compress_chunk(c) FROM"
            " show_chunks('market_ticks', newer_than => timestamptz '1971-01-01',"
            " older_than => now() - interval '60 days') AS c"
        )
    before = told(db)
    done = run(db, "write", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert told(db) == before  # archiving drops nothing
    assert run(db, "write", tmp_path).stdout.strip() == "nothing due"
    done = run(db, "drop", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    left = told(db)
    for table in TABLES:
        assert 0 < len(left[table]) < len(before[table]), table
        assert set(left[table]) < set(before[table]), table
        at = db.execute(
            "SELECT time_column FROM monitoring.lifecycle WHERE relation = %s", [table]
        ).fetchone()[0]
        oldest = db.execute(
            f"SELECT min({at}) > now() - l.keep_full - interval '32 days'"
            f" FROM {table}, monitoring.lifecycle AS l WHERE l.relation = %s GROUP BY l.keep_full",
            [table],
        ).fetchone()
        assert oldest == (True,), table
    assert run(db, "verify", tmp_path).returncode == 0
    for table in TABLES:
        done = run(db, "restore", tmp_path, "--table", table)
        assert (done.returncode, done.stderr) == (0, "")
    assert told(db) == before
    assert db.execute("SELECT count(*) FROM monitoring.vanished_days").fetchone() == (0,)


def test_duckdb_reads_archived_ticks_as_the_database_had_them(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    fill(db)
    query = (
        "SELECT symbol, count(*), sum(bid), sum(volume_real), min(timestamp), max(timestamp)"
        " FROM {} GROUP BY symbol ORDER BY symbol"
    )
    before = db.execute(query.format("market_ticks")).fetchall()
    run(db, "write", tmp_path)
    run(db, "drop", tmp_path)
    with duckdb.connect() as lake:
        lake.execute("SET timezone = 'UTC'")
        files = f"read_parquet('{tmp_path}/market_ticks/**/*.parquet', hive_partitioning = true)"
        archived = lake.execute(query.format(files)).fetchall()
    here = db.execute(query.format("market_ticks")).fetchall()
    whole = [
        (a[0], a[1] + b[1], a[2] + b[2], a[3] + b[3], a[4], b[5])
        for a, b in zip(archived, here, strict=True)
    ]
    assert whole == before


def first_file(folder: Path, table: str) -> Path:
    return min((folder / table).rglob("*.parquet"))


def test_damaged_file_stops_the_drop(db: psycopg.Connection, tmp_path: Path) -> None:
    fill(db)
    run(db, "write", tmp_path)
    before = told(db)
    path = first_file(tmp_path, "audit_changes")
    data = path.read_bytes()
    path.write_bytes(data[:50] + bytes([data[50] ^ 1]) + data[51:])
    done = run(db, "drop", tmp_path)
    assert done.returncode == 1
    assert str(path.relative_to(tmp_path)) in done.stderr and "nothing was dropped" in done.stderr
    assert told(db) == before
    # without its note the month stays, and the next write makes the file again
    db.execute("CALL follow_lifecycle(p_files_verified => TRUE)")
    assert before["audit.changes"][-1] in told(db)["audit.changes"]
    assert run(db, "write", tmp_path).returncode == 0
    assert run(db, "drop", tmp_path).returncode == 0
    assert before["audit.changes"][-1] not in told(db)["audit.changes"]


@pytest.mark.parametrize(
    ("table", "change"),
    [
        ("public.market_ticks",
         "UPDATE market_ticks SET bid = bid + 1e-8 WHERE timestamp < now() - interval '101 days'"),
        ("public.market_ticks",
         "INSERT INTO market_ticks (symbol, timestamp, bid)"
         " VALUES ('EURUSD', now() - interval '101 days', 1)"),
        ("audit.changes", "UPDATE audit.changes SET row_id = 0 WHERE id = 90"),
        ("audit.changes", "DELETE FROM audit.changes WHERE id = 90"),
    ],
)  # fmt: skip
def test_rows_that_changed_after_archiving_stay(
    db: psycopg.Connection, tmp_path: Path, table: str, change: str
) -> None:
    fill(db)
    run(db, "write", tmp_path, "--table", table)
    db.execute(change)
    before = set(told(db)[table])
    run(db, "drop", tmp_path)
    left = set(told(db)[table])
    changed = db.execute(
        "SELECT count(*) FROM monitoring.due_archives(%s)", [table]
    ).fetchone()[0]  # fmt: skip
    assert changed >= 1
    assert run(db, "write", tmp_path, "--table", table).returncode == 0
    assert run(db, "drop", tmp_path).returncode == 0
    assert len(told(db)[table]) < len(left)
    archived = sum(
        note for (note,) in db.execute("SELECT row_count FROM monitoring.archives").fetchall()
    )
    files = sum(pq.read_metadata(path).num_rows for path in tmp_path.rglob("*.parquet"))
    assert archived == files == len(before) - len(told(db)[table])


def test_rows_that_come_for_a_dropped_time_get_a_file_of_their_own(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    fill(db)
    run(db, "write", tmp_path)
    run(db, "drop", tmp_path)
    before = len(list(tmp_path.rglob("*.parquet")))
    (at,) = db.execute(
        "SELECT range_start + interval '1 hour' FROM monitoring.archives"
        " WHERE relation = 'public.market_ticks' AND part = 'EURUSD' ORDER BY 1 LIMIT 1"
    ).fetchone()
    db.execute("INSERT INTO market_ticks (symbol, timestamp, bid) VALUES ('EURUSD', %s, 1)", [at])
    assert run(db, "write", tmp_path).returncode == 0
    assert run(db, "drop", tmp_path).returncode == 0
    assert db.execute(
        "SELECT count(*) FROM market_ticks WHERE timestamp = %s", [at]
    ).fetchone() == (0,)
    assert len(list(tmp_path.rglob("*.parquet"))) == before + 1
    assert len(list(tmp_path.rglob("*_2.parquet"))) == 1


def test_held_table_is_archived_and_keeps_its_rows(db: psycopg.Connection, tmp_path: Path) -> None:
    fill(db)
    db.execute("UPDATE monitoring.lifecycle SET legal_hold = TRUE")
    before = told(db)
    assert run(db, "write", tmp_path).returncode == 0
    assert run(db, "drop", tmp_path).returncode == 0
    assert told(db) == before
    assert db.execute("SELECT count(*) FROM monitoring.archives").fetchone()[0] > 10


def test_plan_says_what_archiving_and_dropping_then_do(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    fill(db)
    db.execute("ANALYZE")
    query = (
        "SELECT relation, sum(row_count)::bigint FROM monitoring.plan_lifecycle()"
        " WHERE step = ANY (%s) GROUP BY 1"
    )
    planned = dict(db.execute(query, [["archive"]]).fetchall())
    before = {table: len(found) for table, found in told(db).items()}
    run(db, "write", tmp_path)
    again = dict(db.execute(query, [["drop"]]).fetchall())
    run(db, "drop", tmp_path)
    gone = {table: before[table] - len(found) for table, found in told(db).items()}
    assert gone == again == planned
    assert json.dumps(gone)


@pytest.mark.parametrize("arguments", [["--table", "public.users"], ["--table", "market_ticks"]])
def test_table_without_archives_is_named(
    db: psycopg.Connection, tmp_path: Path, arguments: list[str]
) -> None:
    done = run(db, "write", tmp_path, *arguments)
    assert done.returncode == 1
    assert arguments[1] in done.stderr


class NotedBytes(io.BytesIO):
    """A file of Python's that knows which threads used it."""

    threads: ClassVar[set[int]] = set()

    def note(self, name: str, *arguments: object) -> object:
        self.threads.add(threading.get_ident())
        return getattr(super(), name)(*arguments)

    def read(self, *arguments: object) -> object:
        return self.note("read", *arguments)

    def seek(self, *arguments: object) -> object:
        return self.note("seek", *arguments)


def test_no_thread_of_arrow_reads_a_file_of_pythons(
    db: psycopg.Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a thread may outlive the call, and aborts a program that ends: four times in 240 runs
    of verify on a loaded machine (apache/arrow#34314, #50482)."""
    monkeypatch.setattr(io, "BytesIO", NotedBytes)
    monkeypatch.setattr(NotedBytes, "threads", set())
    rows = read_rows(db, "monitoring.lifecycle", sql.SQL("true"), "relation")
    everything = pa.table({name: range(2000) for name in "abcdef"})
    store = Store(str(tmp_path))
    store.put("all.parquet", everything)
    assert store.load("all.parquet")[0] == everything
    assert rows.num_rows
    assert NotedBytes.threads <= {threading.get_ident()}
