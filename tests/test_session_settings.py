"""Settings of a database that change how values are written do not change what commands say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psycopg

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
    shown = page.read_text()
    for name, value in ODD.items():
        db.execute(f"ALTER DATABASE {db.info.dbname} SET {name} = '{value}'")
    again = load(path, "--user", "ann")
    assert (again.returncode, again.stderr) == (0, "")
    assert again.stdout.splitlines()[3:] == first.stdout.splitlines()[3:]
    done = run_script("report.py", "--user", "ann", "--out", str(page), env=variables)
    assert (done.returncode, done.stderr) == (0, "")
    assert page.read_text() == shown
