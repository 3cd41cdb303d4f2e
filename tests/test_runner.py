"""The runner: what is due, what is refused, and how it fails."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pglast
import psycopg
import pytest

import deploying
from conftest import Address
from rubi import ROOT, connecting
from rubi.cli import Failure
from rubi.deploying import applying, history, sqlfiles

FILES = sqlfiles.read_files()


@pytest.fixture
def live(db: psycopg.Connection) -> str:
    """Name of a deployed database."""
    return db.info.dbname


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the files, to be changed."""
    return deploying.copy_files(tmp_path)


def test_plan_writes_nothing_and_apply_ends_what_it_announced(
    server: Address, empty_database: Callable[..., str]
) -> None:
    name = empty_database()
    announced = json.loads(deploying.run(server, name, "plan", "--json", code=3).stdout)
    assert [one["path"] for one in announced["due"]] == [file.path for file in FILES]
    with psycopg.connect(server.dsn(name)) as connection:
        assert connection.execute("SELECT to_regnamespace('deploy')").fetchone() == (None,)
    done = json.loads(deploying.run(server, name, "apply", "--json").stdout)
    assert [one["path"] for one in done["applied"]] == [file.path for file in FILES]
    assert "nothing to do" in deploying.run(server, name, "plan").stdout
    assert json.loads(deploying.run(server, name, "apply", "--json").stdout)["applied"] == []
    assert deploying.count(server, name) == len(FILES)


def test_plan_needs_no_lock_and_apply_none_when_nothing_is_due(
    server: Address, live: str, db: psycopg.Connection
) -> None:
    db.execute("SELECT pg_advisory_lock(1381319241)")
    assert "nothing to do" in deploying.run(server, live, "plan").stdout
    assert "nothing to do" in deploying.run(server, live, "apply", "--wait", "0").stdout


def test_status_says_when_by_whom_and_with_what(server: Address, live: str, copy: Path) -> None:
    said = deploying.run(server, live, "status").stdout.splitlines()
    assert said[-1] == f"due: 0 of {len(said) - 1} files"
    deploying.edit(copy, "views/3100_user_trading_stats.sql", add="-- changed\n")
    report = deploying.run(server, live, "status", "--files", str(copy), "--json", code=3).stdout
    rows = {row["path"]: row for row in json.loads(report)}
    assert rows["schema/0100_users.sql"]["state"] == "applied"
    assert rows["schema/0100_users.sql"]["tool"] == "runner"
    assert rows["schema/0100_users.sql"]["applied_by"] == "rubi_admin"
    assert rows["views/3100_user_trading_stats.sql"]["state"] == "due: changed"


def test_wrong_usage_ends_with_2(server: Address, live: str) -> None:
    deploying.run_program(server, live, "aply", code=2)
    deploying.run(server, live, "apply", "--wait", "-1", code=2)


def test_changed_run_once_file_is_refused_with_its_diff(
    server: Address, live: str, copy: Path
) -> None:
    deploying.edit(copy, "schema/0100_users.sql", "is_active boolean", "is_live boolean")
    done = deploying.run(server, live, "apply", "--files", str(copy), code=1)
    assert "schema/0100_users.sql" in done.stderr
    lines = [line.split("boolean")[0].strip() for line in done.stdout.splitlines()]
    assert "-    is_active" in lines
    assert "+    is_live" in lines
    done = deploying.run(server, live, "plan", "--files", str(copy), "--json", code=1)
    assert "schema/0100_users.sql" in json.loads(done.stdout)["error"]
    assert deploying.count(server, live) == len(FILES)


def test_changed_line_ends_are_no_change(server: Address, live: str, copy: Path) -> None:
    path = copy / "schema/0100_users.sql"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n") + b"\r\n\r\n")
    deploying.run(server, live, "plan", "--files", str(copy))


def test_changed_view_makes_all_later_files_run_again(
    server: Address, live: str, copy: Path
) -> None:
    deploying.edit(copy, "views/3160_open_positions_with_session.sql", add="-- changed\n")
    done = deploying.run(server, live, "apply", "--files", str(copy), "--json").stdout
    later = [f.path for f in FILES if not f.once and f.number >= "3160"]
    assert [one["path"] for one in json.loads(done)["applied"]] == later
    deploying.run(server, live, "plan", "--files", str(copy))
    deploying.run(server, live, "plan", code=3)


def test_run_that_ended_between_reruns_goes_on_where_it_stopped(live: str, server: Address) -> None:
    files = [
        sqlfiles.File(f.path, f.text + "\n-- changed") if f.number == "3100" else f for f in FILES
    ]
    with connecting.connect(server.dsn(live, "rubi_admin")) as connection:
        first, second, *later = history.due(files, history.applied(connection))
        assert first[0].number == "3100"
        applying.apply_file(connection, first[0])
        applying.apply_file(connection, second[0])
        assert [f for f, _ in history.due(files, history.applied(connection))] == [
            f for f, _ in later
        ]
        for file, _ in later:
            applying.apply_file(connection, file)
        assert history.due(files, history.applied(connection)) == []


@pytest.mark.parametrize("command", ["plan", "apply", "status"])
def test_database_newer_than_the_files_is_refused(
    server: Address, live: str, copy: Path, command: str
) -> None:
    (copy / "schema/0400_performance_metrics.sql").unlink()
    done = deploying.run(server, live, command, "--files", str(copy), code=1)
    assert "0400_performance_metrics.sql" in done.stderr


def test_rerunnable_file_gone_from_disk_is_reported(server: Address, live: str, copy: Path) -> None:
    (copy / "views/3160_open_positions_with_session.sql").unlink()
    report = json.loads(deploying.run(server, live, "apply", "--files", str(copy), "--json").stdout)
    assert report["gone"] == ["views/3160_open_positions_with_session.sql"]


def test_two_files_with_one_number_are_refused(copy: Path) -> None:
    sqlfiles.read_files(copy)
    (copy / "schema/0100_again.sql").write_text("SELECT 1;\n")
    with pytest.raises(Failure, match="has the same number"):
        sqlfiles.read_files(copy)


def test_install_sql_names_every_file_in_order() -> None:
    lines = (ROOT / "install.sql").read_text().splitlines()
    named = [line.split()[2] for line in lines if line.startswith("\\set file ")]
    assert named == [file.path for file in FILES]


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("\n" * 39 + "SELEC 1;\nSELECT 2;\n", 40, "syntax error"),
        ("SELECT 1;\n\n-- why\nSELECT * FROM public.nowhere;\n", 4, "nowhere"),
        ("SELECT ';';\n/* ; */\nCREATE EXTENSION nowhere;\n", 3, "nowhere"),
        ("DO $$\nBEGIN\n    PERFORM 1;\n    RAISE 'no';\nEND\n$$;\n", 4, "no"),
        ("SELECT 1;\nDELETE FROM pg_authid;\n", 2, "permission denied"),
    ],
    ids=["syntax", "order", "extension", "block", "rights"],
)
def test_failing_statement_is_named_with_file_line_and_cause(
    server: Address, live: str, tmp_path: Path, text: str, line: int, said: str
) -> None:
    folder = deploying.copy_files(tmp_path)
    (folder / "schema/0999_test.sql").write_text("CREATE TABLE public.half (id int);" + text)
    done = deploying.run(server, live, "apply", "--files", str(folder), code=1)
    assert f"schema/0999_test.sql:{line}: " in done.stderr
    assert said in done.stderr
    with psycopg.connect(server.dsn(live)) as connection:
        assert connection.execute("SELECT to_regclass('public.half')").fetchone() == (None,)


def test_role_without_rights_is_told_so(
    server: Address, empty_database: Callable[..., str]
) -> None:
    name = empty_database(owner=None)
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS test_nobody")
        connection.execute("CREATE ROLE test_nobody LOGIN")
    done = deploying.run_program(server, name, "apply", user="test_nobody", code=1)
    assert done.stderr.startswith("error: schema/0010_deploy.sql:")
    # PostgreSQL 15 sees first that the role may not become rubi_owner
    assert any(said in done.stderr for said in ("permission denied", "must have admin option"))


def test_files_are_cut_into_statements_as_the_server_cuts_them() -> None:
    texts = [file.text for file in FILES]
    texts += [
        "SELECT 'a;''b', E'\\';', \"c;\"\"\", $$;$$, $x$ $$ ; $x$; SELECT a$b$ FROM t$b$;",
        "-- ; '\nSELECT 1 /* ; ' */; /* nothing */",
        "SELECT $1; SELECT 1 - -1; SELECT 'x'::text;",
    ]
    for text in texts:
        ours = [statement for _, statement in sqlfiles.statements(text)]
        theirs = [pglast.prettify(one) for one in pglast.split(text)]
        assert [pglast.prettify(one) for one in ours] == theirs
        for begin, statement in sqlfiles.statements(text):
            assert text[begin : begin + len(statement)] == statement


def test_file_outside_a_transaction_holds_one_statement_that_can_be_run_again() -> None:
    for file in FILES:
        if file.alone:
            ((_, statement),) = sqlfiles.statements(file.text)
            assert "IF NOT EXISTS" in statement
