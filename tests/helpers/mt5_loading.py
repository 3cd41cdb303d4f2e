"""Runs scripts/load_mt5.py as a person does, and reads what it says."""

from __future__ import annotations

import re
from collections.abc import Callable

import psycopg
import pytest

import conftest
import rows
from running import Done, run_program

Run = Callable[..., Done]
CLOCK = ("--server-clock", "NY+7")
COUNTED = re.compile(r"^.*: (\w+): (\d+) inserted, (\d+) updated, (\d+) unchanged, (\d+) rejected$")


@pytest.fixture
def user(db: psycopg.Connection) -> int:
    return rows.user(db, email="owner@example.com", username="ann")


@pytest.fixture
def load(db: psycopg.Connection, server: conftest.Address) -> Run:
    """Runs the command line against the test's database, as the API's role."""

    def run(*arguments: object) -> Done:
        variables = {
            "PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": "rubi_app",
            "PGDATABASE": db.info.dbname, "COLUMNS": "40",
        }  # fmt: skip
        return run_program("load_mt5", *arguments, env=variables)

    return run


def counts(done: Done, code: int = 0) -> dict[str, list[int]]:
    """The command's numbers of rows: kind to its four counts."""
    assert done.returncode == code, done.stdout + done.stderr
    found = [COUNTED.match(line) for line in done.stdout.splitlines()]
    return {match[1]: [int(match[i]) for i in range(2, 6)] for match in found if match}


def refused(done: Done, code: int, said: str) -> None:
    """A single line on the screen, and that code."""
    assert (done.returncode, len(done.stderr.splitlines())) == (code, 1), done.stderr
    assert said in done.stderr


def number(db: psycopg.Connection, table: str) -> int:
    return db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
