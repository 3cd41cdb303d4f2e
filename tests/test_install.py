"""psql, the runner and files by hand leave the same database, as a role that is no superuser."""

from __future__ import annotations

import random
import re
import subprocess
from collections.abc import Callable

import psycopg
import pytest

import deploying
from conftest import ROOT, Address
from ephemeral import deploy_all
from rubi import connecting
from rubi.cli import Failure
from rubi.deploying import applying, sqlfiles

Psql = Callable[..., subprocess.CompletedProcess[str]]
MakeDatabase = Callable[..., str]


# what a role or a database may have by default
ODD = (
    "-c search_path=nowhere -c standard_conforming_strings=off -c escape_string_warning=off"
    " -c default_transaction_read_only=on -c default_transaction_isolation=serializable"
    " -c datestyle=SQL,DMY -c intervalstyle=iso_8601 -c bytea_output=escape"
)


def dump(server: Address, dbname: str) -> str:
    """The schema as pg_dump writes it, without its random \\restrict tokens."""
    text = subprocess.check_output(
        [server.binaries / "pg_dump", "--schema-only", "-d", server.dsn(dbname)],
        text=True,
        stderr=subprocess.DEVNULL,  # circular foreign keys of TimescaleDB's own catalog
    )
    return re.sub(r"^\\(un)?restrict .*$", "", text, flags=re.MULTILINE)


def history(server: Address, dbname: str) -> list[tuple]:
    with psycopg.connect(server.dsn(dbname)) as connection:
        return connection.execute(
            "SELECT path, kind, sha256, body, applied_by FROM deploy.history ORDER BY id"
        ).fetchall()


def test_psql_and_runner_leave_the_same(
    server: Address, empty_database: MakeDatabase, psql: Psql, monkeypatch: pytest.MonkeyPatch
) -> None:
    by_psql, by_runner = empty_database(), empty_database()
    with monkeypatch.context() as odd:
        odd.setenv("PGOPTIONS", ODD)
        done = psql(by_psql, "-f", "install.sql")
    assert (done.returncode, done.stderr) == (0, "")
    deploy_all(server.dsn(by_runner, "rubi_admin"))
    assert dump(server, by_psql) == dump(server, by_runner)
    assert history(server, by_psql) == history(server, by_runner)
    assert len(history(server, by_psql)) == len(sqlfiles.read_files())


def test_runner_begins_with_the_settings_that_files_are_written_for(
    server: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", ODD)
    with connecting.connect(server.dsn()) as connection:
        for line in (ROOT / "deploy/session.sql").read_text().splitlines():
            if setting := re.match(r"SET (\w+) = '?(.*?)'?;", line):
                assert connection.execute(f"SHOW {setting[1]}").fetchone() == (setting[2],)


def test_database_of_another_encoding_is_refused(
    server: Address, new_database: Callable[[], str], psql: Psql
) -> None:
    """As a template1 of LATIN1 or SQL_ASCII makes one."""
    name = new_database()
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name} ENCODING LATIN1 LOCALE 'C' TEMPLATE template0")
    said = f"database {name} is encoded as LATIN1, and needs UTF8"
    done = psql(name, "-f", "install.sql")
    assert done.returncode == 3
    assert said in done.stderr
    with (
        pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=said),
        connecting.connect(server.dsn(name)),
    ):
        pass


def test_second_run_changes_nothing(
    server: Address, empty_database: MakeDatabase, psql: Psql
) -> None:
    name = empty_database()
    deploy_all(server.dsn(name, "rubi_admin"))
    before = dump(server, name), history(server, name)
    deploy_all(server.dsn(name, "rubi_admin"))
    done = psql(name, "-f", "install.sql")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (dump(server, name), history(server, name)) == before


def test_superuser_without_anything_prepared_installs_too(
    server: Address, template: object, empty_database: MakeDatabase, psql: Psql
) -> None:
    # template first: roles belong to who makes them, and rubi_admin makes them in the other tests
    name = empty_database(extensions=False)
    done = psql(name, "-f", "install.sql", user=server.user)
    assert done.returncode == 0, done.stderr
    # the TimescaleDB of PostgreSQL 15 welcomes with a warning
    assert done.stderr == "" or done.stderr.count("WARNING") == done.stderr.count("WELCOME TO") == 1


def test_administrator_after_a_superuser_is_told_what_a_superuser_must_run(
    server: Address, db: psycopg.Connection, psql: Psql
) -> None:
    """As a role that makes roles, and is no member of those that another one made."""
    db.execute("CREATE ROLE rubi_second LOGIN CREATEROLE")
    try:
        # of the cluster's other databases, too, where nothing is installed yet
        for name in [db.info.dbname, "postgres"][: 1 + (db.info.server_version >= 160000)]:
            said = deploying.run(server, name, "plan", user="rubi_second", code=1).stderr
            assert f"rubi_second may not deploy to database {name}" in said
        grant = re.search("GRANT .* TO rubi_second WITH ADMIN OPTION", said)[0]
        assert grant in psql(name, "-f", "install.sql", user="rubi_second").stderr
        db.execute(grant)
        for done in (
            deploying.run(server, db.info.dbname, "apply", user="rubi_second"),
            psql(db.info.dbname, "-f", "install.sql", user="rubi_second"),
        ):
            assert (done.returncode, done.stderr) == (0, "")
        with db.transaction(force_rollback=True):
            db.execute("SET SESSION AUTHORIZATION rubi_second")
            db.execute("ALTER ROLE rubi_app PASSWORD NULL")
            db.execute("SET ROLE rubi_monitor")
    finally:
        db.execute("DROP ROLE rubi_second")


def test_role_that_makes_no_roles_is_not_told_to_become_the_owner(
    server: Address, shared_database: str
) -> None:
    said = deploying.run(server, shared_database, "status", user="rubi_app", code=1).stderr
    assert "permission denied" in said and "GRANT" not in said


def test_installs_where_the_provider_owns_public(
    server: Address, empty_database: MakeDatabase, psql: Psql
) -> None:
    """A managed service's database: an internal role owns it, rubi_admin may only create."""
    name = empty_database(owner=None)
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute(f"GRANT CREATE, CONNECT, TEMPORARY ON DATABASE {name} TO rubi_admin")
        connection.execute("GRANT CREATE, USAGE ON SCHEMA public TO rubi_admin")
    for _ in range(2):
        done = psql(name, "-f", "install.sql")
        assert (done.returncode, done.stderr) == (0, "")
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute(f"GRANT CONNECT ON DATABASE {name} TO rubi_app")
        owners = connection.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('public', 'deploy')"
        ).fetchall()
    assert owners == [("rubi_admin",)]
    # what a superuser adds is the owner's too: else the administrator could not replace it
    done = psql(name, "-f", "schema/0010_deploy.sql", user=server.user)
    assert done.returncode == 0, done.stderr
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute("CALL deploy.become_owner()")
        connection.execute("CREATE TABLE public.later ()")
        assert connection.execute(
            "SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname IN ('public', 'deploy')"
        ).fetchall() == owners  # fmt: skip
    with psycopg.connect(server.dsn(name, "rubi_app")) as app:
        app.execute(
            "INSERT INTO users (email, username, hashed_password) VALUES ('a@b.c', 'a', '!')"
        )
        app.execute("SELECT * FROM user_trading_stats")


def test_runner_reads_libpq_variables(
    server: Address, empty_database: MakeDatabase, run_script: Psql
) -> None:
    variables = {
        "PGHOST": server.host,
        "PGPORT": str(server.port),
        "PGUSER": "rubi_admin",
        "PGDATABASE": empty_database(),
    }
    assert run_script("deploy.py", "apply", env=variables).returncode == 0


def test_file_that_fails_halfway_leaves_nothing(
    server: Address, empty_database: MakeDatabase
) -> None:
    name = empty_database()
    deploy_all(server.dsn(name, "rubi_admin"))
    broken = sqlfiles.File(
        "schema/9999_broken.sql", "CREATE TABLE public.half (id int);\nSELECT\n    nonsense;"
    )
    with (
        connecting.connect(server.dsn(name, "rubi_admin")) as connection,
        pytest.raises(Failure, match=r"schema/9999_broken\.sql:3: column \"nonsense\""),
    ):
        applying.apply_file(connection, broken)
    with psycopg.connect(server.dsn(name)) as connection:
        assert connection.execute("SELECT to_regclass('public.half')").fetchone() == (None,)
        assert connection.execute(
            "SELECT count(*) FROM deploy.history WHERE path LIKE '%broken%'"
        ).fetchone() == (0,)


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["schema/0100_a.sql", "views/0100_b.sql"], "same number"),
        (["schema/users.sql"], "NNNN_topic.sql"),
    ],
)
def test_wrong_file_names_are_refused(tmp_path, names: list[str], said: str) -> None:
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(Failure, match=said):
        sqlfiles.read_files(tmp_path)


def test_numbered_files_hold_plain_sql() -> None:
    """No psql meta-commands, no transaction control, no cascade, header in the first lines."""
    for file in sqlfiles.read_files():
        lines = file.text.splitlines()
        assert lines[0].startswith(f"-- {file.path.split('/')[1]}: "), file.path
        assert not re.search(r"^\s*\\", file.text, flags=re.MULTILINE), file.path
        assert not re.search(r"^(BEGIN|COMMIT)\b.*;", file.text, flags=re.MULTILINE), file.path
        assert not re.search(r"DROP .*CASCADE", file.text), file.path


def test_missing_extension_is_named(server: Address, empty_database: MakeDatabase) -> None:
    name = empty_database(extensions=False)
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} OWNER TO rubi_admin")
    with pytest.raises(Failure, match=r"schema/0020_extensions\.sql:\d+: .*permission"):
        deploy_all(server.dsn(name, "rubi_admin"))


@pytest.mark.parametrize("order", ["backwards", "shuffled"])
def test_any_file_run_again_alone_leaves_the_same(
    server: Address, empty_database: MakeDatabase, psql: Psql, order: str
) -> None:
    """As a DBA does by hand; what a file takes away, no later file of this test brings back."""
    name = empty_database()
    deploy_all(server.dsn(name, "rubi_admin"))
    before = dump(server, name)
    paths = [file.path for file in reversed(sqlfiles.read_files())]
    if order == "shuffled":
        random.Random(23).shuffle(paths)
    arguments = [word for path in paths for word in ("-f", path, "-c", "RESET ROLE")]
    done = psql(name, *arguments)
    assert (
        done.returncode,
        [line for line in done.stderr.splitlines() if "NOTICE" not in line],
    ) == (0, [])
    assert dump(server, name) == before
