"""Settings of a role or a database for its other work stop no command, and change no answer."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

import limits
import mt5_files
import mt5_history
from conftest import Address
from mt5_loading import CLOCK, Run, load, user
from running import Done

__all__ = ["load", "user"]  # fixtures

ODD = {
    "datestyle": "SQL, DMY", "timezone": "Asia/Shanghai", "intervalstyle": "sql_standard",
    "bytea_output": "escape", "extra_float_digits": "-15",
}  # fmt: skip


def without_minute(page: Path) -> str:
    """A report without the time at which it was made."""
    text, count = re.subn(r"Made [\d :-]+ UTC", "", page.read_text())
    assert count == 1
    return text


def test_commands_say_the_same(
    db: psycopg.Connection,
    user: int,
    load: Run,
    server: Address,
    run_script: Callable[..., Done],
    tmp_path: Path,
) -> None:
    path = mt5_files.write_xlsx(
        tmp_path / "r.xlsx", mt5_history.make(21, True, 40), mt5_files.Quirks()
    )
    variables = {
        "PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": "rubi_app",
        "PGDATABASE": db.info.dbname,
    }  # fmt: skip
    page = tmp_path / "report.html"
    first = load(path, "--user", "ann", *CLOCK)
    run_script("report.py", "--user", "ann", "--out", str(page), env=variables)
    shown = without_minute(page)
    for name, value in ODD.items():
        db.execute(f"ALTER DATABASE {db.info.dbname} SET {name} = '{value}'")
    again = load(path, "--user", "ann")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[3:] == first.stdout.splitlines()[3:]
    done = run_script("report.py", "--user", "ann", "--out", str(page), env=variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert without_minute(page) == shown


def test_load_has_the_time_that_it_takes(
    db: psycopg.Connection, user: int, load: Run, tmp_path: Path
) -> None:
    path = mt5_files.write_xlsx(
        tmp_path / "r.xlsx", mt5_history.make(21, True, 5), mt5_files.Quirks()
    )
    limits.refuse_under(db, "trading_deals")
    done = load(path, "--user", "ann", *CLOCK)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert db.execute("SELECT FROM trading_deals").rowcount


def test_file_by_hand_keeps_its_backslashes(
    db: psycopg.Connection, psql: Callable[..., Done], monkeypatch: pytest.MonkeyPatch
) -> None:
    shown = "SELECT pg_get_viewdef('monitoring.foreign_keys_without_index'::regclass)"
    (before,) = db.execute(shown).fetchone()
    monkeypatch.setenv(
        "PGOPTIONS", "-c standard_conforming_strings=off -c escape_string_warning=off"
    )
    done = psql(db.info.dbname, "-f", "views/3852_monitoring_indexes.sql")
    assert (done.returncode, done.stderr) == (0, "")
    assert db.execute(shown).fetchone() == (before,)
    assert "\\(" in before
