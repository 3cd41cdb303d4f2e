"""Files that are no database, cut, locked or in use; and a move that was killed and goes on."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

import moving
from moving import D


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "the file is empty"),
        (bytes(range(256)) * 64, "no SQLite database, or an encrypted one"),
        (b"id,email\n1,a@b\n", "no SQLite database"),
    ],
    ids=["empty", "encrypted", "text"],
)
def test_file_that_is_no_database_is_named(
    db: psycopg.Connection, tmp_path: Path, data: bytes, said: str
) -> None:
    (tmp_path / "given.db").write_bytes(data)
    done = moving.run(db, tmp_path / "given.db")
    assert done.returncode == 1
    assert said in done.stderr


def test_file_that_is_missing_or_of_others_is_named(db: psycopg.Connection, tmp_path: Path) -> None:
    assert "no such file" in moving.run(db, tmp_path / "none.db").stderr
    assert not (tmp_path / "none.db").exists()
    other = moving.build(tmp_path / "other.db", {"things": [{"id": 1}]})
    assert "no table of ours" in moving.run(db, other).stderr


def test_truncated_file_leaves_nothing(db: psycopg.Connection, tmp_path: Path) -> None:
    rows = {"market_data": [moving.truth()["market_data"][0] | {"id": n, "symbol": f"S{n}"}
                            for n in range(3000)]}  # fmt: skip
    path = moving.build(tmp_path / "a.db", rows)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) * 2 // 3])
    assert "is damaged or cut off" in moving.run(db, path).stderr
    # a page in the middle that holds nonsense is met while reading
    path.write_bytes(whole[:40960] + b"\xff" * 8192 + whole[49152:])
    assert "is damaged" in moving.run(db, path).stderr
    assert db.execute("SELECT count(*) FROM market_data").fetchone()[0] == 0
    assert db.execute("SELECT count(*) FROM migration.progress").fetchone()[0] == 0


def test_locked_file_is_waited_for_and_named(db: psycopg.Connection, tmp_path: Path) -> None:
    path = moving.build(tmp_path / "a.db", moving.truth())
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("BEGIN EXCLUSIVE")
        done = moving.run(db, path, "--wait", "0.2")
        assert (done.returncode, "kept it locked for 0.2 s" in done.stderr) == (1, True)
    assert moving.run(db, path).returncode == 0


def test_file_is_read_while_an_application_writes_and_is_not_changed(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    path = moving.build(tmp_path / "a.db", moving.truth())
    with closing(sqlite3.connect(path)) as application:
        application.execute("PRAGMA journal_mode = wal")
        application.execute("UPDATE market_data SET volume = 555 WHERE id = 61")
        application.commit()
        before = path.read_bytes(), (tmp_path / "a.db-wal").read_bytes()
        application.execute("BEGIN IMMEDIATE")
        application.execute("DELETE FROM market_data")
        assert moving.run(db, path).returncode == 0
        assert (path.read_bytes(), (tmp_path / "a.db-wal").read_bytes()) == before
        application.rollback()
    expected = moving.truth()
    expected["market_data"][0]["volume"] = 555  # stands in the log only
    moving.same(db, expected)


def program(db: psycopg.Connection, *arguments: object) -> subprocess.Popen[str]:
    """The script as a program of its own."""
    script = Path(moving.migrate_sqlite.__file__)
    info = db.info
    variables = {"PGHOST": info.host, "PGPORT": str(info.port), "PGUSER": "rubi_admin",
                 "PGDATABASE": info.dbname}  # fmt: skip
    return subprocess.Popen(
        [sys.executable, script, *map(str, arguments)], env=os.environ | variables,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.fixture
def large(tmp_path: Path) -> Path:
    """A file whose move takes a second or two, with rejects and leftovers in it."""
    rows = moving.truth()
    bar = rows["market_data"][0] | {"note": "kept"}
    rows["market_data"] += [
        bar | {"id": 1000 + n, "symbol": f"S{n % 10}", "high": D("1.0" if n % 501 == 0 else "1.3"),
               "timestamp": bar["timestamp"].replace(month=1 + n % 12, minute=n % 60,
                                                     hour=n // 60 % 24, second=n // 1440)}
        for n in range(12_000)
    ]  # fmt: skip
    order = rows["trading_orders"][0]
    rows["trading_orders"] += [
        order | {"id": 1000 + n, "signal_id": None, "strategy_id": 3, "mt5_order_id": f"t{n}",
                 "volume": D(n % 50)} for n in range(2_000)
    ]  # fmt: skip
    return moving.build(tmp_path / "large.db", rows)


def everything(db: psycopg.Connection) -> dict[str, object]:
    """Traces of a move, except for numbers and times that differ between two runs."""
    found = {}
    for table in moving.truth():
        drop = "'account_id', 'updated_at'" if table == "mt5_sessions" else "'account_id'"
        found[table] = db.execute(
            f"SELECT count(*), sum(hashtextextended((to_jsonb(t) - ARRAY[{drop}])::text, 0))"
            f" FROM public.{table} AS t WHERE to_jsonb(t) ->> 'username' IS DISTINCT FROM 'admin'"
        ).fetchone()
    for table, drop in (("rejects", "rejected_at"), ("leftovers", "")):
        found[table] = db.execute(
            f"SELECT count(*), sum(hashtextextended((to_jsonb(t) - '{drop}')::text, 0))"
            f" FROM migration.{table} AS t"
        ).fetchone()
    found["series"] = db.execute(
        "SELECT symbol, timeframe, bars FROM market_series ORDER BY 1, 2"
    ).fetchall()
    found["sessions"] = db.execute(
        "SELECT s.id, a.server, a.account_number FROM mt5_sessions AS s JOIN mt5_accounts AS a"
        " ON a.id = s.account_id ORDER BY 1"
    ).fetchall()
    found["proofs"] = db.execute(
        "SELECT DISTINCT ON (table_name, measure) table_name, measure, source_value, holds"
        " FROM migration.proofs ORDER BY table_name, measure, id DESC"
    ).fetchall()
    return found


def killed_and_resumed(db: psycopg.Connection, file: Path, times: int, step: float) -> None:
    """Kill the move at moments that fall anywhere in it, then let it end."""
    import random

    generator = random.Random(times)
    for _ in range(times):
        process = program(db, file, "--resume")
        try:
            process.wait(generator.uniform(0.3, step))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
        process.communicate()


@pytest.mark.parametrize(
    "times",
    [pytest.param(1, id="once"), pytest.param(20, marks=pytest.mark.slow, id="twenty times")],
)
def test_killed_move_that_is_resumed_equals_one_that_was_not(
    db: psycopg.Connection, large: Path, postgresql, times: int, template, server, tmp_path: Path
) -> None:
    copy = tmp_path / "whole" / large.name
    copy.parent.mkdir()
    shutil.copy(large, copy)
    killed_and_resumed(db, large, times, 1.5 if times == 3 else 2.5)
    done = moving.run(db, large, "--resume")
    assert (done.returncode, "DIFFERS" in done.stdout) == (1, False), done  # with rejects
    resumed = everything(db)
    name = f"{db.info.dbname}_whole"
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template.template_dbname}")
        try:
            from conftest import copy_rights

            copy_rights(connection, template.template_dbname, name)
            with closing(psycopg.connect(server.dsn(name), autocommit=True)) as other:
                assert moving.run(other, copy).returncode == 1
                whole = everything(other)
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    assert resumed == whole
    assert resumed["market_data"][0] == 12_005 - resumed["rejects"][0] + 40
    again = moving.run(db, large, "--resume")
    assert "trading_orders: 2,002 rows read, 0 moved, 1,962 there already" in again.stdout


@pytest.mark.parametrize("folder", [".", "/", "tests"])
def test_folder_is_refused_in_one_line(db: psycopg.Connection, folder: str) -> None:
    for done in (moving.run(db, folder), moving.run_csv(db, folder, "--table", "users")):
        assert (done.returncode, done.stderr.count("\n")) == (1, 1)


def test_unfinished_move_wants_to_be_resumed(db: psycopg.Connection, tmp_path: Path) -> None:
    file = moving.build(tmp_path / "a.db", moving.truth())
    assert moving.run(db, file).returncode == 0
    db.execute("UPDATE migration.progress SET finished_at = NULL WHERE table_name = 'users'")
    assert "--resume" in moving.run(db, file).stderr
    assert moving.run(db, file, "--resume").returncode == 0
    assert moving.run(db, file, "--resume", "--dry-run").returncode == 1
