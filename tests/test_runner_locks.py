"""Locks, other runners, and statements outside a transaction."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest

import deploying
from conftest import Address
from rubi.deploying import locks, sqlfiles

Connect = Callable[..., psycopg.Connection]


@pytest.fixture
def pending(tmp_path: Path) -> Path:
    """Files of which two are pending, the second needs a lock on users."""
    folder = deploying.copy_files(tmp_path)
    (folder / "schema/0998_test.sql").write_text("COMMENT ON SCHEMA monitoring IS 'first';\n")
    (folder / "schema/0999_test.sql").write_text(
        "CREATE TABLE public.half (id int);\nALTER TABLE public.users ADD COLUMN nickname text;\n"
    )
    return folder


# a try of the default is over before a second connection could be made
@pytest.mark.parametrize("tries", [[], ["--lock-timeout", "0.5"]], ids=["short", "long"])
def test_lock_that_is_not_had_is_named_and_given_up_within_the_bound(
    server: Address, db: psycopg.Connection, connect_as: Connect, pending: Path, tries: list[str]
) -> None:
    holder = connect_as("rubi_app", autocommit=False)
    holder.execute("SELECT count(*) FROM users")
    for _ in range(9):  # a machine at its limit looks who is in the way when a try is over
        done = deploying.run(
            server, db.info.dbname, "apply", "--files", str(pending),
            "--wait", "1.2", *tries, code=1,
        )  # fmt: skip
        if "again in" in done.stdout and " held by " in done.stderr:
            break
    assert "schema/0999_test.sql:2: " in done.stderr
    assert "a lock on users" in done.stderr
    assert f"pid {holder.info.backend_pid} (rubi_app" in done.stderr
    assert "again in" in done.stdout
    assert db.execute("SELECT to_regclass('public.half')").fetchone() == (None,)
    assert db.execute("SELECT max(path) FROM deploy.history WHERE kind = 'once'").fetchone() == (
        "schema/0998_test.sql",
    )


def test_lock_that_is_released_in_time_is_waited_for(
    server: Address, db: psycopg.Connection, connect_as: Connect, pending: Path
) -> None:
    holder = connect_as("rubi_app", autocommit=False)
    holder.execute("SELECT count(*) FROM users")
    process = deploying.start(
        server, db.info.dbname, "apply", "--files", str(pending), "--lock-timeout", "0.7"
    )
    for line in process.stdout:
        if "again in" in line:
            holder.rollback()
            break
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    assert "applied schema/0999_test.sql" in out


def test_requests_behind_a_waiting_deployment_are_not_held_up(
    server: Address, db: psycopg.Connection, connect_as: Connect, pending: Path
) -> None:
    holder = connect_as("rubi_app", autocommit=False)
    holder.execute("SELECT count(*) FROM users")
    request = connect_as("rubi_app")
    request.execute("SET lock_timeout = '10s'")
    assert locks.LOCK_TIMEOUT < 0.3
    process = deploying.start(server, db.info.dbname, "apply", "--files", str(pending))

    def ask_until_it_ends() -> int:
        asked = 0
        while process.poll() is None:
            request.execute("SELECT count(*) FROM users")
            asked += 1
        return asked

    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(ask_until_it_ends)
        tries = 0
        for line in process.stdout:
            tries += "again in" in line
            if tries == 2:
                holder.rollback()
        # an answer that takes longer raises LockNotAvailable
        assert asked.result(60) > 0
    assert (tries >= 2, process.wait(60)) == (True, 0)


def test_second_runner_names_the_first_and_gives_up_within_its_bound(
    server: Address, db: psycopg.Connection, connect_as: Connect, pending: Path
) -> None:
    first = connect_as("rubi_admin")
    first.execute("SELECT pg_advisory_lock(1381319241)")
    done = deploying.run(
        server, db.info.dbname, "apply", "--files", str(pending), "--wait", "0.5", code=1
    )
    assert f"pid {first.info.backend_pid} (rubi_admin" in done.stderr


def test_lock_does_not_outlive_its_runner(
    server: Address, db: psycopg.Connection, connect_as: Connect, pending: Path
) -> None:
    first = connect_as("rubi_admin")
    first.execute("SELECT pg_advisory_lock(1381319241)")
    process = deploying.start(server, db.info.dbname, "apply", "--files", str(pending))
    assert "waiting for another deployment" in process.stdout.readline()
    first.close()
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, out + err


@pytest.mark.parametrize("runners", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_runners_at_once_apply_each_file_once(
    server: Address, empty_database: Callable[..., str], runners: int
) -> None:
    name = empty_database()
    with ThreadPoolExecutor(runners) as pool:
        list(
            pool.map(
                lambda _: deploying.run_program(server, name, "apply", "--wait", "300"),
                range(runners),
            )
        )
    with psycopg.connect(server.dsn(name)) as connection:
        rows = connection.execute("SELECT path FROM deploy.history ORDER BY id").fetchall()
    assert [path for (path,) in rows] == [file.path for file in sqlfiles.read_files()]


def index_state(db: psycopg.Connection) -> tuple | None:
    return db.execute(
        "SELECT indisvalid, indexrelid FROM pg_index"
        " WHERE indexrelid = to_regclass('public.idx_test')"
    ).fetchone()


def test_invalid_index_is_dropped_and_built_again(
    server: Address, db: psycopg.Connection, tmp_path: Path
) -> None:
    folder = deploying.copy_files(tmp_path)
    (folder / deploying.INDEX).write_text(deploying.INDEX_TEXT)
    db.execute("CREATE INDEX idx_test ON mt5_accounts (created_at)")
    db.execute("UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'idx_test'::regclass")
    _, before = index_state(db)
    done = deploying.run(server, db.info.dbname, "apply", "--files", str(folder))
    assert "idx_test was left invalid" in done.stdout
    valid, after = index_state(db)
    assert valid
    assert after != before


def test_statement_outside_a_transaction_that_was_not_recorded_is_resumed(
    server: Address, db: psycopg.Connection, tmp_path: Path
) -> None:
    folder = deploying.copy_files(tmp_path)
    (folder / deploying.INDEX).write_text(deploying.INDEX_TEXT)
    db.execute("CREATE INDEX idx_test ON mt5_accounts (created_at)")
    before = index_state(db)
    deploying.run(server, db.info.dbname, "apply", "--files", str(folder))
    assert index_state(db) == before
    deploying.run(server, db.info.dbname, "plan", "--files", str(folder))


def test_concurrent_build_given_up_for_an_old_transaction_is_built_by_the_next_run(
    server: Address, db: psycopg.Connection, connect_as: Connect, tmp_path: Path
) -> None:
    folder = deploying.copy_files(tmp_path)
    (folder / deploying.INDEX).write_text(deploying.INDEX_TEXT)
    holder = connect_as("rubi_app", autocommit=False)
    holder.execute("LOCK TABLE mt5_accounts IN ROW EXCLUSIVE MODE")
    arguments = ["apply", "--files", str(folder)]
    done = deploying.run(server, db.info.dbname, *arguments, "--wait", "1", code=1)
    assert deploying.INDEX in done.stderr
    assert index_state(db)[0] is False
    holder.rollback()
    deploying.run(server, db.info.dbname, *arguments)
    assert index_state(db)[0] is True


def test_invalid_index_of_a_hypertable_is_dropped_and_built_again(
    server: Address, db: psycopg.Connection, tmp_path: Path
) -> None:
    folder = deploying.copy_files(tmp_path)
    (folder / deploying.INDEX).write_text(
        "-- no-transaction: one chunk a transaction\n"
        "CREATE INDEX IF NOT EXISTS idx_test ON public.market_data (volume)\n"
        "WITH (timescaledb.transaction_per_chunk);\n"
    )
    db.execute("CREATE INDEX idx_test ON market_data (volume)")
    db.execute("UPDATE pg_index SET indisvalid = FALSE WHERE indexrelid = 'idx_test'::regclass")
    _, before = index_state(db)
    deploying.run(server, db.info.dbname, "apply", "--files", str(folder))
    valid, after = index_state(db)
    assert valid
    assert after != before


def test_two_databases_of_one_server_are_deployed_at_once(
    server: Address, empty_database: Callable[..., str]
) -> None:
    names = [empty_database() for _ in range(2)]
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: deploying.run_program(server, name, "apply"), names))
    for name in names:
        assert deploying.count(server, name) == len(sqlfiles.read_files())
