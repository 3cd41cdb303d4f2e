"""Runs the runner as a program, and looks at what it left."""

from __future__ import annotations

import secrets
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

import running
from conftest import Address, prepare_database
from rubi import ROOT
from rubi.deploying import catalog, sqlfiles
from running import Done

PROGRAM = [sys.executable, str(ROOT / "scripts/deploy.py")]
INDEX = "indexes/1999_test.sql"
INDEX_TEXT = """-- 1999_test.sql: a file of the tests that can't run in a transaction.
-- no-transaction: CREATE INDEX CONCURRENTLY
CREATE INDEX CONCURRENTLY IF NOT EXISTS idx_test ON public.mt5_accounts (created_at);
"""


def environment(server: Address, dbname: str, user: str = "rubi_admin") -> dict[str, str]:
    """libpq's variables for a database of the test server."""
    variables = {
        "PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": user, "PGDATABASE": dbname,
        "LC_ALL": "C.UTF-8",
    }  # fmt: skip
    if server.password and user == server.user:
        variables["PGPASSWORD"] = server.password
    return variables


def start(
    server: Address, dbname: str, *arguments: str, user: str = "rubi_admin"
) -> subprocess.Popen[str]:
    """Start deploy.py."""
    return running.start("deploy", *arguments, env=environment(server, dbname, user), without=())


def run_program(
    server: Address, dbname: str, *arguments: str, user: str = "rubi_admin", code: int = 0
) -> Done:
    """Run deploy.py as a program of its own; it has to end with the exit code given."""
    env = environment(server, dbname, user)
    return checked(running.run_program("deploy", *arguments, env=env, without=()), code)


def run(
    server: Address, dbname: str, *arguments: str, user: str = "rubi_admin", code: int = 0
) -> Done:
    """The same within this process, which saves the start of Python."""
    env = environment(server, dbname, user)
    return checked(running.run("deploy", *arguments, env=env, without=()), code)


def checked(done: Done, code: int) -> Done:
    """No other exit code, no traceback, and a failure in one line."""
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    if code == 1:
        assert len(done.stderr.splitlines()) == 1, done.stderr
    return done


def copy_files(folder: Path) -> Path:
    """A copy of the repository's files to be changed by a test."""
    for name in (*sqlfiles.ONCE, *sqlfiles.CHANGED):
        shutil.copytree(ROOT / name, folder / name)
    return folder


def edit(folder: Path, path: str, old: str = "", new: str = "", add: str = "") -> None:
    """Change a file of a copy."""
    text = (folder / path).read_text()
    assert old in text
    (folder / path).write_text(text.replace(old, new, 1) + add)


@contextmanager
def database(server: Address) -> Iterator[str]:
    """A database as a provider makes it, for fixtures that serve several tests."""
    name = f"rubi_{secrets.token_hex(4)}"
    execute(server, f"CREATE DATABASE {name} TEMPLATE template0")
    prepare_database(server.dsn(name))
    try:
        yield name
    finally:
        execute(server, f"DROP DATABASE {name} WITH (FORCE)")


def execute(server: Address, statement: str) -> None:
    """Run a statement as superuser, in the maintenance database."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(statement)


def left(server: Address, dbname: str) -> tuple[dict, list]:
    """The catalog, and the history without the tool's name, as a superuser sees them."""
    with psycopg.connect(server.dsn(dbname)) as connection:
        history = connection.execute(
            "SELECT path, kind, sha256, body, applied_by FROM deploy.history ORDER BY id"
        ).fetchall()
    return left_in_catalog(server, dbname), history


def left_in_catalog(server: Address, dbname: str) -> dict:
    """The catalog as a superuser sees it."""
    with psycopg.connect(server.dsn(dbname)) as connection:
        found = catalog.snapshot(connection)
    return {key: item.definition for key, item in found.items()}


def count(server: Address, dbname: str) -> int:
    """Rows in the history; 0 before there is one."""
    with psycopg.connect(server.dsn(dbname)) as connection:
        if not connection.execute("SELECT to_regclass('deploy.history')").fetchone()[0]:
            return 0
        return connection.execute("SELECT count(*) FROM deploy.history").fetchone()[0]
