"""Restoring: into which database, as whom, which backup, and without superuser."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pyrage
import pytest

import backing
import bars
import rows
from backing import backup, refused
from conftest import Address
from ephemeral import deploy_all
from rubi.backups import drilling, places


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
