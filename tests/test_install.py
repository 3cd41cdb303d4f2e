"""psql, the runner and files by hand leave the same database, as a role that is no superuser."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import psycopg
import pytest

import deploy
from conftest import Address, deploy_all

Psql = Callable[..., subprocess.CompletedProcess[str]]
MakeDatabase = Callable[..., str]


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


def test_install_lists_every_file_in_order() -> None:
    text = (deploy.ROOT / "install.sql").read_text()
    listed = re.findall(r"^\\set file (\S+)", text, flags=re.MULTILINE)
    assert listed == [file.path for file in deploy.read_files()]


def test_psql_and_runner_leave_the_same(
    server: Address, empty_database: MakeDatabase, psql: Psql
) -> None:
    by_psql, by_runner = empty_database(), empty_database()
    done = psql(by_psql, "-f", "install.sql")
    assert (done.returncode, done.stderr) == (0, "")
    deploy_all(server.dsn(by_runner, "rubi_admin"))
    assert dump(server, by_psql) == dump(server, by_runner)
    assert history(server, by_psql) == history(server, by_runner)
    assert len(history(server, by_psql)) == len(deploy.read_files())


def test_second_run_changes_nothing(
    server: Address, empty_database: MakeDatabase, psql: Psql
) -> None:
    name = empty_database()
    deploy_all(server.dsn(name, "rubi_admin"))
    before = dump(server, name), history(server, name)
    deploy_all(server.dsn(name, "rubi_admin"))
    done = psql(name, "-f", "install.sql")
    assert (done.returncode, done.stderr) == (0, "")
    assert (dump(server, name), history(server, name)) == before


def test_files_by_hand_leave_the_same_catalog(
    server: Address, empty_database: MakeDatabase, psql: Psql
) -> None:
    by_hand, by_runner = empty_database(), empty_database()
    for _ in range(2):
        for file in deploy.read_files():
            done = psql(by_hand, "-f", file.path)
            assert done.returncode == 0, (file.path, done.stderr)
    deploy_all(server.dsn(by_runner, "rubi_admin"))
    assert dump(server, by_hand) == dump(server, by_runner)


def test_superuser_without_anything_prepared_installs_too(
    server: Address, empty_database: MakeDatabase, psql: Psql
) -> None:
    name = empty_database(extensions=False)
    done = psql(name, "-f", "install.sql", user=server.user)
    assert (done.returncode, done.stderr) == (0, "")


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
    with psycopg.connect(server.dsn(name, "rubi_app")) as app:
        app.execute(
            "INSERT INTO users (email, username, hashed_password) VALUES ('a@b.c', 'a', '!')"
        )
        app.execute("SELECT * FROM user_trading_stats")


def test_runner_says_what_it_did(
    server: Address, empty_database: MakeDatabase, run_script: Psql
) -> None:
    name = empty_database()
    dsn = ("--dsn", server.dsn(name, "rubi_admin"))
    assert run_script("deploy.py", "status", *dsn).returncode == deploy.PENDING
    done = run_script("deploy.py", "apply", *dsn)
    count = len(deploy.read_files())
    assert (done.returncode, done.stderr) == (0, "")
    assert f"{count} of {count} files applied" in done.stdout
    assert "nothing to do" in run_script("deploy.py", "apply", *dsn).stdout
    assert run_script("deploy.py", "status", *dsn).returncode == 0


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


def test_changed_file_runs_again_with_all_later_ones() -> None:
    files = deploy.read_files()
    recorded = {file.path: file.sha256 for file in files}
    changed = next(file for file in files if file.path.startswith("views/"))
    recorded[changed.path] = "0" * 64
    todo = [file.path for file, _ in deploy.due(files, recorded)]
    paths = [file.path for file in files]
    assert todo == paths[paths.index(changed.path) :]


def test_changed_run_once_file_is_refused_by_the_server_too(
    server: Address, empty_database: MakeDatabase
) -> None:
    name = empty_database()
    deploy_all(server.dsn(name, "rubi_admin"))
    with (
        psycopg.connect(server.dsn(name, "rubi_admin"), autocommit=True) as connection,
        pytest.raises(psycopg.DatabaseError) as caught,
    ):
        connection.execute(
            "SELECT deploy.record_file('schema/0100_users.sql', 'other', 'psql', '17', now())"
        )
    assert caught.value.sqlstate == "RB001"


def test_file_that_fails_halfway_leaves_nothing(
    server: Address, empty_database: MakeDatabase
) -> None:
    name = empty_database()
    deploy_all(server.dsn(name, "rubi_admin"))
    broken = deploy.File(
        "schema/9999_broken.sql", "CREATE TABLE public.half (id int);\nSELECT\n    nonsense;"
    )
    with (
        deploy.connect(server.dsn(name, "rubi_admin")) as connection,
        pytest.raises(deploy.Failure, match=r"schema/9999_broken\.sql:3: column \"nonsense\""),
    ):
        deploy.apply_file(connection, broken)
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
    with pytest.raises(deploy.Failure, match=said):
        deploy.read_files(tmp_path)


def test_numbered_files_hold_plain_sql() -> None:
    """No psql meta-commands, no transaction control, no cascade, header in the first lines."""
    for file in deploy.read_files():
        lines = file.text.splitlines()
        assert lines[0].startswith(f"-- {file.path.split('/')[1]}: "), file.path
        assert any(line.startswith("-- needs: ") for line in lines[:4]), file.path
        assert any(re.match(r"-- (no-)?transaction: ", line) for line in lines[:6]), file.path
        assert not re.search(r"^\s*\\", file.text, flags=re.MULTILINE), file.path
        assert not re.search(r"^(BEGIN|COMMIT)\b.*;", file.text, flags=re.MULTILINE), file.path
        assert not re.search(r"DROP .*CASCADE", file.text), file.path
        folder_digit = dict(zip([*deploy.ONCE, *deploy.CHANGED], "0123456", strict=True))
        folder, name = file.path.split("/")
        assert name[0] == folder_digit[folder], file.path


def test_missing_extension_is_named(server: Address, empty_database: MakeDatabase) -> None:
    name = empty_database(extensions=False)
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} OWNER TO rubi_admin")
    with pytest.raises(deploy.Failure, match=r"schema/0020_extensions\.sql:\d+: .*permission"):
        deploy_all(server.dsn(name, "rubi_admin"))


def test_role_without_rights_is_refused_in_one_line(
    server: Address, empty_database: MakeDatabase, run_script: Psql
) -> None:
    name = empty_database()
    deploy_all(server.dsn(name, "rubi_admin"))
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute(
            "UPDATE deploy.history SET sha256 = repeat('0', 64) WHERE kind <> 'once'"
        )
    done = run_script("deploy.py", "apply", "--dsn", server.dsn(name, "rubi_backup"))
    assert done.returncode == 1
    assert len(done.stderr.splitlines()) == 1
    assert "permission denied" in done.stderr or "read-only" in done.stderr
