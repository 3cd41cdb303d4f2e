"""Archives written, dropped and restored again, or by two runs, lose and repeat nothing."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from psycopg.rows import namedtuple_row

from archived import fill, run, told
from rubi.archives import archiving
from rubi.bars.archive import Store
from rubi.cli import Failure


def late(relation: str, columns: str, values: str) -> str:
    """A row that comes for the oldest time of a table that was archived."""
    return (
        f"INSERT INTO {relation} ({columns}) SELECT min(range_start) + interval '1 hour', {values}"
        f" FROM monitoring.archives WHERE relation = '{relation}' AND part IN ('', 'EURUSD')"
    )


LATE = {
    "audit.changes": late(
        "audit.changes", "changed_at, table_name, row_id, action", "'users', 1, 'UPDATE'"
    ),
    "public.market_ticks": late("public.market_ticks", "timestamp, symbol, bid", "'EURUSD', 1"),
}


@pytest.mark.parametrize("table", LATE)
@pytest.mark.parametrize("changes", [False, True], ids=["as they were", "changed"])
def test_restored_files_of_one_time_leave_together(
    db: psycopg.Connection, tmp_path: Path, table: str, changes: bool
) -> None:
    fill(db)
    only = ("--table", table)
    for come in ("SELECT", LATE[table]):
        db.execute(come)
        run(db, "write", tmp_path, *only)
        run(db, "drop", tmp_path)
    left = told(db)[table]
    run(db, "restore", tmp_path, *only)
    if changes:
        db.execute(LATE[table].replace("'1 hour'", "'2 hours'"))
    whole = len(told(db)[table])
    done = run(db, "write", tmp_path, *only)
    assert (done.returncode, done.stdout.strip() == "nothing due") == (0, not changes)
    done = run(db, "drop", tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert told(db)[table] == left
    files = sum(pq.read_metadata(path).num_rows for path in tmp_path.rglob("*.parquet"))
    assert files == whole - len(left)


def test_erased_month_is_no_step_any_more(db: psycopg.Connection, tmp_path: Path) -> None:
    fill(db)
    run(db, "write", tmp_path)
    db.execute("DELETE FROM mt5_rejects WHERE rejected_at < now() - interval '420 days'")
    run(db, "write", tmp_path)
    run(db, "drop", tmp_path)
    assert db.execute("SELECT * FROM monitoring.lifecycle_steps()").fetchall() == []
    # the next month that is old enough would bring their steps back
    assert (
        db.execute("SELECT location FROM monitoring.archives WHERE dropped_at IS NULL").fetchall()
        == []
    )


@pytest.mark.parametrize("table", LATE)
def test_writer_that_is_late_leaves_the_file_of_a_faster_one(
    db: psycopg.Connection,
    tmp_path: Path,
    connect_as: Callable[..., psycopg.Connection],
    table: str,
) -> None:
    fill(db)
    owner = connect_as("rubi_admin")
    (policy,) = archiving.policies(owner, table)
    with owner.cursor(row_factory=namedtuple_row) as cursor:
        due = cursor.execute(
            "SELECT * FROM monitoring.due_archives(%s) WHERE part IN ('', 'EURUSD') LIMIT 1",
            [table],
        ).fetchone()
    run(db, "write", tmp_path)
    path = tmp_path / policy.location(due)
    first = path.stat()
    store = Store(str(tmp_path))
    assert archiving.write_one(owner, store, policy, due) is None
    db.execute("CALL follow_lifecycle(p_files_verified => TRUE)")
    assert archiving.write_one(owner, store, policy, due) is None
    db.execute(LATE[table])
    assert archiving.write_one(owner, store, policy, due).number == 2
    assert path.stat() == first


def test_nothing_leaves_by_a_note_alone(db: psycopg.Connection, tmp_path: Path) -> None:
    """The files may be lost before the night: SQL can't see them, and drops nothing."""
    fill(db)
    before = told(db)
    run(db, "write", tmp_path)
    shutil.rmtree(tmp_path)
    db.execute("CALL follow_lifecycle()")
    assert run(db, "drop", tmp_path).returncode == 1
    assert told(db) == before


def test_file_of_before_a_column_came_is_read(db: psycopg.Connection, tmp_path: Path) -> None:
    fill(db)
    before = told(db)["public.mt5_rejects"]
    run(db, "write", tmp_path)
    run(db, "drop", tmp_path)
    db.execute("ALTER TABLE mt5_rejects ADD COLUMN severity integer DEFAULT 1 NOT NULL")
    assert run(db, "verify", tmp_path).returncode == 0
    done = run(db, "restore", tmp_path, "--table", "public.mt5_rejects")
    assert (done.returncode, done.stderr) == (0, "")
    db.execute("ALTER TABLE mt5_rejects DROP COLUMN severity")
    assert told(db)["public.mt5_rejects"] == before


NO_LONGER = {
    "kept": "UPDATE monitoring.lifecycle SET way = 'kept', keep_full = NULL, archive_by = NULL,"
    " part_column = NULL",
    "without a policy": "DELETE FROM monitoring.lifecycle",
}


@pytest.mark.parametrize("change", NO_LONGER)
def test_files_of_a_table_that_is_not_archived_any_more_are_verified(
    db: psycopg.Connection, tmp_path: Path, change: str
) -> None:
    fill(db)
    run(db, "write", tmp_path)
    run(db, "drop", tmp_path)
    (files,) = db.execute("SELECT count(*) FROM monitoring.archives").fetchone()
    db.execute(f"{NO_LONGER[change]} WHERE relation = 'public.market_ticks'")
    done = run(db, "verify", tmp_path)
    assert (done.returncode, done.stdout.split()[:3]) == (0, [str(files), "of", str(files)])
    damaged = next((tmp_path / "market_ticks").rglob("*.parquet"))
    damaged.write_bytes(damaged.read_bytes()[:-1])
    done = run(db, "verify", tmp_path)
    assert (done.returncode, done.stdout.split()[:3]) == (1, [str(files - 1), "of", str(files)])


def test_step_that_another_run_did_is_done(db: psycopg.Connection, tmp_path: Path) -> None:
    """Each run lists its steps when it begins."""
    fill(db)
    run(db, "write", tmp_path)
    steps = db.execute(
        "SELECT relation, step, range_start, range_end, chunk::oid"
        " FROM monitoring.lifecycle_steps()"
    ).fetchall()
    assert {step for _, step, *_ in steps} == {"drop"}
    db.execute("CALL follow_lifecycle(p_files_verified => TRUE)")
    for step in steps:
        assert db.execute(
            "SELECT internal.take_lifecycle_step(%s, %s, %s, %s, %s)", step
        ).fetchone() == (0,)


@pytest.mark.parametrize(
    "change",
    ["legal_hold = TRUE", "keep_full = '90 years'", "keep_full = NULL",
     "way = 'kept', keep_full = NULL, archive_by = NULL, part_column = NULL"],
)  # fmt: skip
def test_policy_that_changed_since_steps_were_listed_keeps_the_rows(
    db: psycopg.Connection, tmp_path: Path, change: str
) -> None:
    fill(db)
    run(db, "write", tmp_path)
    steps = db.execute(
        "SELECT relation, step, range_start, range_end, chunk FROM monitoring.lifecycle_steps()"
    ).fetchall()
    before = told(db)
    db.execute(f"UPDATE monitoring.lifecycle SET {change} WHERE way = 'archived'")
    for step in steps:
        db.execute("SELECT internal.take_lifecycle_step(%s, %s, %s, %s, %s)", step)
    assert told(db) == before


@pytest.mark.parametrize("table", LATE)
def test_late_row_of_an_archived_time_under_hold_is_a_step(
    db: psycopg.Connection, tmp_path: Path, table: str
) -> None:
    steps = "SELECT relation, step FROM monitoring.lifecycle_steps() WHERE relation = %s"
    fill(db)
    db.execute("UPDATE monitoring.lifecycle SET legal_hold = TRUE")
    run(db, "write", tmp_path)
    assert db.execute(steps, [table]).fetchall() == []
    db.execute(LATE[table])
    assert db.execute(steps, [table]).fetchall() == [(table, "archive")]
    run(db, "write", tmp_path)
    assert db.execute(steps, [table]).fetchall() == []


def test_file_is_on_the_disk_itself_before_its_rows_may_go(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: synced.append(os.fstat(handle).st_ino))
    Store(str(tmp_path)).put("a=1/b=2/rows.parquet", pa.table({"n": [1]}))
    folder = tmp_path / "a=1/b=2"
    found = (folder / "rows.parquet", folder, folder.parent, tmp_path)
    assert synced == [path.stat().st_ino for path in found]


def test_key_in_an_address_is_not_repeated() -> None:
    with pytest.raises(Failure, match="nope://…@bucket") as refused:
        Store("nope://name:secret@bucket")
    assert "secret" not in str(refused.value)


def test_folder_without_any_file_is_another_place(db: psycopg.Connection, tmp_path: Path) -> None:
    fill(db)
    run(db, "write", tmp_path / "here")
    notes = "SELECT count(*) FROM monitoring.archives"
    before = db.execute(notes).fetchone()
    done = run(db, "verify", tmp_path / "elsewhere")
    assert (done.returncode, "is this their place" in done.stderr) == (1, True)
    assert db.execute(notes).fetchone() == before
