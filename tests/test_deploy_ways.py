"""psql with install.sql, a bundle, files by hand and the runner leave the same database."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

import deploying
import running
from conftest import Address
from rubi import ROOT, connecting
from rubi.deploying import history, sqlfiles
from rubi.waiting import until

FILES = sqlfiles.read_files()


@pytest.fixture(scope="module")
def by_runner(server: Address, fresh_install: str) -> tuple[dict, list]:
    """The runner's results."""
    return deploying.left(server, fresh_install)


@pytest.fixture
def db(db: psycopg.Connection) -> psycopg.Connection:
    """The deployed database; who deploys owns it."""
    db.execute(f"ALTER DATABASE {db.info.dbname} OWNER TO rubi_admin")
    return db


def test_install_sql_leaves_what_the_runner_leaves(
    server: Address, empty_database: Callable[..., str], psql: Callable, by_runner: tuple
) -> None:
    name = empty_database()
    for _ in range(2):  # a second time changes nothing
        done = psql(name, "-f", "install.sql")
        assert done.returncode == 0, done.stderr
        assert deploying.left(server, name) == by_runner


def test_bundle_leaves_what_the_runner_leaves(
    server: Address,
    empty_database: Callable[..., str],
    psql: Callable,
    by_runner: tuple,
    tmp_path: Path,
) -> None:
    name = empty_database()
    script = tmp_path / "bundle.sql"
    deploying.run(server, name, "bundle", "--output", str(script))
    for _ in range(2):
        done = psql(name, "-f", str(script))
        assert done.returncode == 0, done.stderr
        assert deploying.left(server, name) == by_runner
    assert "nothing to do" in deploying.run(server, name, "apply").stdout


def test_files_by_hand_and_baseline_leave_what_the_runner_leaves(
    server: Address, empty_database: Callable[..., str], psql: Callable, by_runner: tuple
) -> None:
    name, scratch = empty_database(), empty_database()
    for file in FILES:
        assert psql(name, "-f", file.path).returncode == 0
    assert deploying.left(server, name) == (by_runner[0], [])
    deploying.run(server, name, "baseline", "--scratch", scratch)
    assert deploying.left(server, name) == by_runner


def test_baseline_of_a_database_that_differs_writes_nothing_and_says_how(
    server: Address, db: psycopg.Connection
) -> None:
    db.execute("DELETE FROM deploy.history")
    db.execute("ALTER TABLE public.users ADD COLUMN nickname text")
    done = deploying.run(server, db.info.dbname, "baseline", user="postgres", code=4)
    assert "column public.users.nickname: here, but made by no file" in done.stdout
    assert deploying.count(server, db.info.dbname) == 0


def test_bundle_of_a_change_carries_it_and_its_history(
    server: Address, db: psycopg.Connection, psql: Callable, tmp_path: Path
) -> None:
    name = db.info.dbname
    folder = deploying.copy_files(tmp_path)
    (folder / deploying.INDEX).write_text(deploying.INDEX_TEXT)
    (folder / "schema/0999_test.sql").write_text("COMMENT ON SCHEMA deploy IS '$body$ :x';\n")
    script = tmp_path / "bundle.sql"
    deploying.run(server, name, "bundle", "--files", str(folder), "--output", str(script))
    done = psql(name, "-f", str(script))
    assert done.returncode == 0, done.stderr
    assert db.execute(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_test'::regclass"
    ).fetchone() == (True,)
    assert db.execute(
        "SELECT path, tool, body ~ 'body' FROM deploy.history ORDER BY id DESC LIMIT 2"
    ).fetchall() == [(deploying.INDEX, "psql", False), ("schema/0999_test.sql", "psql", True)]
    deploying.run(server, name, "plan", "--files", str(folder))


def test_install_sql_runs_a_file_that_cannot_run_in_a_transaction(
    db: psycopg.Connection, psql: Callable, tmp_path: Path
) -> None:
    folder = deploying.copy_files(tmp_path)
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    (folder / deploying.INDEX).write_text(deploying.INDEX_TEXT)
    lines = (ROOT / "install.sql").read_text().splitlines(keepends=True)
    head = [line for line in lines if "/0" in line or not line.startswith("\\set file ")]
    (folder / "install.sql").write_text(
        "".join(head) + f"\\set file {deploying.INDEX} \\ir deploy/apply.psql\n"
    )
    db.execute("CREATE INDEX idx_test ON mt5_accounts (created_at)")
    db.execute("UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'idx_test'::regclass")
    done = psql(db.info.dbname, "-f", "install.sql", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert db.execute(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'idx_test'::regclass"
    ).fetchone() == (True,)
    assert db.execute("SELECT path FROM deploy.history ORDER BY id DESC LIMIT 1").fetchone() == (
        deploying.INDEX,
    )


def test_install_sql_and_the_runner_find_the_same_files_due(
    server: Address, db: psycopg.Connection, psql: Callable, tmp_path: Path
) -> None:
    """A changed view, a new file, and a run that ended between the files that follow a change."""
    folder = deploying.copy_files(tmp_path)
    shutil.copytree(ROOT / "deploy", folder / "deploy")
    shutil.copy(ROOT / "install.sql", folder)
    deploying.edit(folder, "views/3160_open_positions_with_session.sql", add="-- changed\n")
    ended = sqlfiles.File("functions/2830_read_policies.sql", "SELECT 1;")
    with connecting.connect(server.dsn(db.info.dbname, "rubi_admin")) as connection:
        history.record_file(connection, ended, "runner")
    done = deploying.run(server, db.info.dbname, "plan", "--files", str(folder), "--json", code=3)
    planned = [one["path"] for one in json.loads(done.stdout)["due"]]
    done = psql(db.info.dbname, "-f", "install.sql", cwd=folder)
    applied = re.findall(r"^applied (.*)$", done.stdout, re.MULTILINE)
    assert (done.returncode, applied) == (0, planned)
    assert planned[0] == "functions/2830_read_policies.sql"
    assert len(planned) > 50
    done = psql(db.info.dbname, "-f", "install.sql", cwd=folder)
    assert (done.returncode, done.stdout) == (0, "")


def test_bundle_for_another_state_is_refused(
    server: Address, db: psycopg.Connection, psql: Callable, tmp_path: Path
) -> None:
    name = db.info.dbname
    folder = deploying.copy_files(tmp_path)
    deploying.edit(folder, "views/3100_user_trading_stats.sql", add="-- one\n")
    script = tmp_path / "bundle.sql"
    deploying.run(server, name, "bundle", "--files", str(folder), "--output", str(script))
    deploying.edit(folder, "views/3100_user_trading_stats.sql", add="-- two\n")
    deploying.run(server, name, "apply", "--files", str(folder))
    before = deploying.left(server, name)
    done = psql(name, "-v", "VERBOSITY=verbose", "-f", str(script))
    assert done.returncode == 3
    assert "RB003" in done.stderr
    assert deploying.left(server, name) == before


def test_psql_stops_while_a_deployment_is_at_work(
    db: psycopg.Connection, psql: Callable, connect_as: Callable[..., psycopg.Connection]
) -> None:
    other = connect_as("rubi_admin")
    other.execute("SELECT pg_advisory_lock(1381319241)")
    done = psql(db.info.dbname, "-v", "VERBOSITY=verbose", "-f", "install.sql")
    assert done.returncode == 3
    assert "RB002" in done.stderr
    assert str(other.info.backend_pid) in done.stderr
    other.close()


def test_psql_waits_a_moment_for_a_session_that_is_ending(
    db: psycopg.Connection, psql: Callable, connect_as: Callable[..., psycopg.Connection]
) -> None:
    ending = connect_as("rubi_admin")
    ending.execute("SELECT pg_advisory_lock(1381319241)")
    sleeping = (
        "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event = 'PgSleep'"
    )
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(psql, db.info.dbname, "-f", "deploy/lock.sql")
        until("psql waits", lambda: asked.done() or db.execute(sleeping).rowcount, 30)
        ending.close()
        assert asked.result(30).returncode == 0


def test_changed_run_once_file_is_refused_by_psql_too(
    db: psycopg.Connection, psql: Callable
) -> None:
    db.execute("UPDATE deploy.history SET sha256 = repeat('0', 64) WHERE path ~ '0130'")
    done = psql(db.info.dbname, "-v", "VERBOSITY=verbose", "-f", "install.sql")
    assert done.returncode == 3
    assert "RB001" in done.stderr


def test_rehearsal_shows_what_a_change_makes_and_leaves_nothing(
    server: Address, db: psycopg.Connection, empty_database: Callable[..., str], tmp_path: Path
) -> None:
    name, scratch = db.info.dbname, empty_database()
    folder = deploying.copy_files(tmp_path)
    (folder / "schema/0999_test.sql").write_text(
        "CALL deploy.become_owner();\nCREATE TABLE public.new (id bigint);\n"
    )
    (folder / deploying.INDEX).write_text(deploying.INDEX_TEXT)
    before, empty = deploying.left(server, name), deploying.left_in_catalog(server, scratch)
    arguments = ["plan", "--rehearse", "--files", str(folder)]
    done = deploying.run(server, name, *arguments, "--scratch", scratch, code=3)
    assert "+ table public.new" in done.stdout
    assert "+ index public.mt5_accounts.idx_test" in done.stdout
    (folder / "schema/0999_test.sql").write_text("SELECT 1;\nSELECT nothing;\n")
    done = deploying.run(server, name, *arguments, user="postgres", code=1)
    assert "schema/0999_test.sql:2: " in done.stderr
    assert deploying.left(server, name) == before
    assert deploying.left_in_catalog(server, scratch) == empty
    assert not db.execute("SELECT FROM pg_database WHERE datname ~ '^rubi_scratch_'").rowcount


def test_printed_bundle_is_utf_8_whatever_the_terminal_takes(
    server: Address, db: psycopg.Connection, tmp_path: Path
) -> None:
    folder = deploying.copy_files(tmp_path)
    text = "COMMENT ON SCHEMA deploy IS 'é ✓';\n"
    (folder / "schema/0999_test.sql").write_text(text, encoding="utf-8")
    env = running.environment(deploying.environment(server, db.info.dbname), without=())
    env |= {"PYTHONIOENCODING": "latin-1"}
    command = [*deploying.PROGRAM, "bundle", "--files", folder]
    done = subprocess.run(command, env=env, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert text.encode() in done.stdout
