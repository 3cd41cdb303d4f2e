"""Restoring: into which database, as whom, which backup, and without superuser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import psycopg
import pyrage
import pytest

import backing
import bars
import rows
from backing import backup, refused
from conftest import ROOT, Address
from ephemeral import deploy_all
from rubi.backups import drilling, places, restoring
from rubi.cli import Failure
from rubi.waiting import until


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["age", pytest.param("ssh", marks=pytest.mark.slow)])
def test_encrypted_backup_needs_the_private_key(
    db: psycopg.Connection, server: Address, tmp_path: Path, new_database: Callable[[], str],
    kind: str,
) -> None:  # fmt: skip
    key = tmp_path / "key"
    if kind == "age":
        identity = pyrage.x25519.Identity.generate()
        key.write_text(f"# a comment, as age-keygen writes\n{identity}\n")
        public = str(identity.to_public())
    else:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key], check=True)
        public = Path(f"{key}.pub").read_text().strip()
    made = backup(server, db, tmp_path / "b", "--encrypt-to", public)
    for path in made.glob("*.age"):
        assert b"trading_orders" not in path.read_bytes()
    assert {path.suffix for path in made.iterdir()} == {".age", ".json"}
    target = new_database()
    arguments = ("restore", tmp_path / "b")
    options = {"database": target, "server": server, "user": "postgres"}
    refused(backing.run(*arguments, **options), "encrypted", "--identity")
    other = tmp_path / "other"
    other.write_text(str(pyrage.x25519.Identity.generate()))
    refused(backing.run(*arguments, "--identity", other, **options), "does not open this backup")
    done = backing.run(*arguments, "--identity", key, **options)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.slow
def test_restore_refuses_a_database_with_tables_unless_forced(
    db: psycopg.Connection, server: Address, tmp_path: Path, empty_database: Callable[..., str],
    new_database: Callable[[], str],
) -> None:  # fmt: skip
    made = backup(server, db, tmp_path)
    target = empty_database()
    with psycopg.connect(server.dsn(target), autocommit=True) as connection:
        connection.execute("CREATE TABLE public.precious (n int)")
    options = {"database": target, "server": server, "user": "postgres"}
    refused(backing.run("restore", made, **options), "has 1 tables", "--force")
    done = backing.run("restore", made / f"{made.name}.dump", "--force", **options)
    assert (done.returncode, done.stderr) == (0, "")
    kept = done.stdout.strip().rsplit(" ", 1)[-1]
    with psycopg.connect(server.dsn(kept)) as connection:
        assert connection.execute("SELECT count(*) FROM precious").fetchone() == (0,)
    with psycopg.connect(server.dsn(target)) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (1,)
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {kept} WITH (FORCE)")
    # an empty database is taken as it is
    done = backing.run("restore", made, **options | {"database": empty_database()})
    assert done.returncode == 0, done


def test_restore_needs_a_superuser_and_says_what_to_do_without(
    db: psycopg.Connection, server: Address, tmp_path: Path
) -> None:
    made = backup(server, db, tmp_path)
    done = backing.run("restore", made, database="x", server=server, user="rubi_admin")
    refused(done, "needs a superuser", "docs/guides/backups.md")


@pytest.mark.slow
def test_newest_backup_or_that_of_a_date_is_taken(
    db: psycopg.Connection, server: Address, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    old = backing.rename(backup(server, db, tmp_path), -3 * 86400)
    rows.user(db)
    backup(server, db, tmp_path)
    day = f"{places.time_of(old.name):%Y-%m-%d}"
    for arguments, users in ((["--at", day], 1), ([], 2)):
        target = new_database()
        done = backing.run(
            "restore", tmp_path, *arguments, database=target, server=server, user="postgres"
        )
        assert (done.returncode, done.stderr) == (0, "")
        with psycopg.connect(server.dsn(target)) as connection:
            assert connection.execute("SELECT count(*) FROM users").fetchone() == (users,)
    done = backing.run(
        "restore", tmp_path, "--at", "2001-01-01", database="x", server=server, user="postgres"
    )
    refused(done, "no complete backup until 2001-01-01")
    done = backing.run("restore", tmp_path, "--at", "soon", database="x", server=server)
    assert done.returncode == 2


def test_rows_go_into_a_managed_database_without_superuser(
    db: psycopg.Connection, server: Address, empty_database: Callable[..., str]
) -> None:
    """Hypertables, counters, audit trail, sequences: equal, and rubi_app works."""
    user = rows.user(db)
    strategy = rows.strategy(db, user)
    session = rows.session(db, user)
    order = rows.order(db, user, strategy_id=strategy)
    db.execute("UPDATE trading_orders SET closed_at = now(), close_price = 2, profit = 3")
    db.execute("INSERT INTO account_snapshots (session_id, balance, equity) VALUES (%s, 1, 1)",
               [session])  # fmt: skip
    bars.make(db, "2024-01-01", "2024-02-01", "1 hour")
    target = empty_database()
    arguments = ("--from", server.dsn(db.info.dbname), "--to", server.dsn(target, "rubi_admin"))
    options = {"database": target, "server": server}
    refused(
        backing.run("copy_database", *arguments, **options),
        f"--to, database {target}: no files were deployed there",
    )
    deploy_all(server.dsn(target, "rubi_admin"))
    reader = ("--from", server.dsn(db.info.dbname, "rubi_backup"), *arguments[2:])
    refused(backing.run("copy_database", *reader, **options), "rubi_backup does not own the tables")
    done = backing.run("copy_database", *arguments, **options)
    assert (done.returncode, done.stderr) == (0, "")
    with psycopg.connect(server.dsn(target), autocommit=True) as connection:
        assert connection.execute("SELECT id, profit FROM trading_orders").fetchone() == (order, 3)
        assert connection.execute(
            "SELECT count(*) FROM pg_trigger WHERE tgenabled = 'D'"
        ).fetchone() == (0,)
        drilling.use(server.dsn(target, "rubi_app"))
        drilling.check_proofs(connection)
        connection.execute("DELETE FROM deploy.history WHERE path LIKE 'grants/6710%'")
    refused(backing.run("copy_database", *arguments, **options), "grants/6710_backup_runs.sql")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_restore_that_is_stopped_leaves_neither_files_nor_a_database(
    db: psycopg.Connection, server: Address, tmp_path: Path, new_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch, number: signal.Signals,
) -> None:  # fmt: skip
    made = backup(server, db, tmp_path / "backups")
    folder = tmp_path / "files"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    target = new_database()
    begun = f"SELECT FROM pg_database WHERE datname ~ '^{target}_restoring_'"
    options = {"database": target, "server": server, "user": "postgres"}
    before = signal.signal(number, signal.SIG_DFL)  # nohup ignores one, and so would the command
    try:
        process = backing.start("restore", made, **options)
    finally:
        signal.signal(number, before)
    with process:
        until("the restore has begun", lambda: db.execute(begun).rowcount)
        assert list(folder.iterdir())
        process.send_signal(number)
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (128 + number, "stopped by a signal\n")
    assert not db.execute(begun).rowcount
    assert not list(folder.iterdir())


def test_end_between_a_query_and_its_answer_is_a_line(db: psycopg.Connection) -> None:
    """psycopg warns that it can't roll back; nobody who stops a command needs to know."""
    code = """
import os, psycopg
from rubi.cli import new_app, run
app = new_app("x")
@app.command()
def main():
    with psycopg.connect(os.environ["DSN"]) as connection:
        connection.execute("SELECT 1")
        connection.pgconn.send_query(b"SELECT pg_sleep(0.1)")
        raise KeyboardInterrupt
run(app)
"""
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": str(ROOT / "scripts"), "DSN": db.info.dsn},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


def test_cause_is_told_though_the_server_went_as_well(
    db: psycopg.Connection, server: Address, tmp_path: Path, new_database: Callable[[], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    made = backup(server, db, tmp_path)
    target = new_database()

    def fail(*_: object) -> None:
        db.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
            " WHERE application_name = 'rubi restore'"
        )
        raise Failure("the cause")

    monkeypatch.setattr(restoring, "fill", fail)
    done = backing.run("restore", made, database=target, server=server, user="postgres")
    refused(done, "error: the cause")
    (left,) = re.findall(rf"database ({target}_restoring_\w+) is left", done.stdout)
    db.execute(f"DROP DATABASE {left}")


@pytest.mark.slow
def test_database_that_was_filled_meanwhile_is_kept(
    db: psycopg.Connection, server: Address, tmp_path: Path, empty_database: Callable[..., str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    made = backup(server, db, tmp_path)
    target = empty_database()
    restore = restoring.fill

    def fill(*arguments: object) -> None:
        restore(*arguments)
        with psycopg.connect(server.dsn(target)) as connection:
            connection.execute("CREATE TABLE public.precious (n int)")

    monkeypatch.setattr(restoring, "fill", fill)
    done = backing.run("restore", made, database=target, server=server, user="postgres")
    refused(done, "has 1 tables", "what was restored is in database")
    db.execute(f"DROP DATABASE {done.stderr.split()[-1]}")
    with psycopg.connect(server.dsn(target)) as connection:
        assert connection.execute("SELECT count(*) FROM precious").fetchone() == (0,)


def test_database_that_a_pool_comes_back_to_gets_its_new_name(
    server: Address, new_database: Callable[[], str]
) -> None:
    old, new = new_database(), new_database()
    stop = threading.Event()

    def come_back() -> None:
        while not stop.is_set():
            with suppress(psycopg.Error), psycopg.connect(server.dsn(old)) as connection:
                connection.execute("SELECT pg_sleep(60)")

    there = "SELECT count(*) = 4 FROM pg_stat_activity WHERE datname = %s AND state = 'active'"
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {old}")
        pool = [threading.Thread(target=come_back, daemon=True) for _ in range(4)]
        for client in pool:
            client.start()
        try:
            until("the pool", lambda: connection.execute(there, [old]).fetchone()[0])
            restoring.rename(connection, old, new)
        finally:
            stop.set()
            for client in pool:
                client.join(30)
    with psycopg.connect(server.dsn(new)) as connection:  # which takes connections again
        assert connection.execute("SELECT 1").fetchone() == (1,)


def test_file_that_holds_no_key_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"\xff\xfe\0")
    with pytest.raises(Failure, match="does not open this backup"):
        restoring.decrypt(tmp_path, tmp_path / "key")
