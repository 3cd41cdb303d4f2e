"""scripts/install.sh on a fresh server, as the administrator of a managed service: no superuser."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from conftest import ROOT, Address, Server
from deploying import left_in_catalog
from rubi.deploying import open_rights

DATABASE = "rubi_trading"
ADMIN_PASSWORD = "Admin-of-the-instance-1"
APP_PASSWORD = "The-password-of-the-api-1"
PROGRAM = [sys.executable, str(ROOT / "scripts/install.py")]


class Logging(Server):
    """A server that writes every statement to its log."""

    def get_server_commandline(self) -> list[str]:
        more = {
            "log_statement": "all", "logging_collector": "on", "log_directory": "log",
            "log_parameter_max_length": "-1", "log_file_mode": "0644",
        }  # fmt: skip
        return [*super().get_server_commandline(), *(f"-c{k}={v}" for k, v in more.items())]


@pytest.fixture(scope="module")
def managed(server: Address) -> Iterator[tuple[Address, Path]]:
    """A server as a provider hands it over: its own role owns the database and public."""
    with Logging(
        initdb=str(server.binaries / "initdb"),
        postgres=str(server.binaries / "postgres"),
        initdb_args="-U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync",
    ) as running:
        port = running.settings["port"]
        address = Address("127.0.0.1", port, "postgres", None, server.binaries)
        data = Path(running.get_data_directory())
        with psycopg.connect(address.dsn(), autocommit=True) as connection:
            for statement in (
                "SET log_statement = 'none'",
                f"CREATE ROLE rubi_admin LOGIN CREATEDB CREATEROLE PASSWORD '{ADMIN_PASSWORD}'",
                "GRANT pg_monitor TO rubi_admin WITH ADMIN OPTION",
                "CREATE ROLE provider",
                f"CREATE DATABASE {DATABASE} OWNER provider",
                f"GRANT CREATE, CONNECT, TEMPORARY ON DATABASE {DATABASE} TO rubi_admin",
            ):
                connection.execute(statement)
        with psycopg.connect(address.dsn(DATABASE), autocommit=True) as connection:
            connection.execute("SET client_min_messages = error")
            connection.execute("CREATE EXTENSION timescaledb")
            connection.execute("CREATE EXTENSION pg_stat_statements")
            connection.execute("ALTER SCHEMA public OWNER TO provider")
            connection.execute("GRANT CREATE, USAGE ON SCHEMA public TO rubi_admin")
            (data / "pg_hba.conf").write_text(
                "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
                "local all rubi_admin scram-sha-256\nlocal all all peer\n"  # as Debian's
            )
            connection.execute("SELECT pg_reload_conf()")
        yield address, data


def environment(managed: tuple[Address, Path], **more: str) -> dict[str, str]:
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "RUBI_A"))}
    address = managed[0]
    return clean | {
        "PGHOST": address.host, "PGPORT": str(address.port), "PGUSER": "rubi_admin",
        "PGPASSWORD": ADMIN_PASSWORD, "COLUMNS": "100",
    } | more  # fmt: skip


def install(
    managed: tuple[Address, Path], *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *arguments],
        env=environment(managed, **more),
        capture_output=True,
        text=True,
        timeout=120,
    )


@pytest.fixture
def installed(managed: tuple[Address, Path]) -> tuple[Address, Path]:
    """The same server, installed, whichever test of this file came first in this process."""
    with psycopg.connect(managed[0].dsn(DATABASE)) as connection:
        there = connection.execute("SELECT to_regclass('deploy.history')").fetchone()[0]
    if not there:
        done = install(managed, RUBI_APP_PASSWORD=APP_PASSWORD)
        assert done.returncode == 0, done.stdout + done.stderr
    return managed


def log_of(managed: tuple[Address, Path]) -> str:
    return "".join(path.read_text() for path in (managed[1] / "log").iterdir())


def state(managed: tuple[Address, Path]) -> tuple:
    """Catalog, history and passwords."""
    with psycopg.connect(managed[0].dsn(DATABASE)) as connection:
        return (
            left_in_catalog(managed[0], DATABASE),
            connection.execute("SELECT * FROM deploy.history ORDER BY id").fetchall(),
            connection.execute("SELECT * FROM users ORDER BY id").fetchall(),
            connection.execute("SELECT a::text FROM pg_authid AS a ORDER BY oid").fetchall(),
            connection.execute("SELECT * FROM monitoring.proof_readings").fetchall(),
        )


def checks(text: str) -> dict[str, str]:
    """Name of each point of the checklist and its sign."""
    return {name: sign for sign, name in re.findall(r"^(ok|FAILED|-) +([^:]+): ", text, re.M)}


def test_installation_that_was_killed_completes_with_every_check_ok(
    managed: tuple[Address, Path],
) -> None:
    process = subprocess.Popen(
        PROGRAM, env=environment(managed, RUBI_APP_PASSWORD=APP_PASSWORD),
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    end = time.monotonic() + 300
    count = 0
    with psycopg.connect(managed[0].dsn(DATABASE), autocommit=True) as connection:
        while count < 40:
            assert time.monotonic() < end and process.poll() is None
            if connection.execute("SELECT to_regclass('deploy.history')").fetchone()[0]:
                count = connection.execute("SELECT count(*) FROM deploy.history").fetchone()[0]
            arguments = Path(f"/proc/{process.pid}/cmdline")
            if arguments.exists():
                assert APP_PASSWORD not in arguments.read_text()
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = install(managed, RUBI_APP_PASSWORD=APP_PASSWORD, RUBI_ADMIN_PASSWORD="Platform-admin-1")
    assert done.returncode == 0, done.stdout + done.stderr
    found = checks(done.stdout)
    assert found.pop("automatic backups") in {"ok", "-"}  # whether a segment is archived by now
    assert found.pop("rights of PUBLIC") == "-"  # and only a superuser takes these
    assert "have a superuser run grants/6020_extensions.sql" in done.stdout
    assert set(found.values()) == {"ok"}, done.stdout
    assert sorted(found) == [
        "SQLite data", "connection as rubi_app", "extensions", "files", "functions", "indexes",
        "initial data", "instance", "logins", "manual backups", "monitoring", "rights of rubi_app",
        "tables", "triggers", "views",
    ]  # fmt: skip
    assert "Tables: account_snapshots, " in done.stdout
    assert f"postgresql://rubi_app:****@127.0.0.1:{managed[0].port}/{DATABASE}" in done.stdout


def test_second_run_changes_nothing(installed: tuple[Address, Path]) -> None:
    before = state(installed)
    done = install(installed, RUBI_APP_PASSWORD=APP_PASSWORD)
    assert done.returncode == 0, done.stdout + done.stderr
    assert set(checks(done.stdout).values()) == {"ok", "-"}
    assert "nothing to do" in done.stdout
    assert state(installed) == before


@pytest.mark.parametrize("validity", ["infinity", None], ids=["by install.sh", "by hand"])
@pytest.mark.parametrize(
    ("known", "code", "said"),
    [
        ({}, 0, None),
        ({"RUBI_APP_PASSWORD": APP_PASSWORD}, 1, "--new-passwords replaces it"),
    ],
    ids=["no password given", "an old one given"],
)
def test_password_that_was_set_by_hand_is_kept(
    installed: tuple[Address, Path],
    validity: str | None,
    known: dict[str, str],
    code: int,
    said: str | None,
) -> None:
    query = "SELECT rolpassword FROM pg_authid WHERE rolname = 'rubi_app'"
    with psycopg.connect(installed[0].dsn(DATABASE), autocommit=True) as connection:
        before = connection.execute(
            "SELECT rolpassword, rolvaliduntil::text FROM pg_authid WHERE rolname = 'rubi_app'"
        ).fetchone()
        connection.execute("ALTER ROLE rubi_app PASSWORD 'set-by-the-dba'")
        if validity is None:  # made by install.sql
            connection.execute("UPDATE pg_authid SET rolvaliduntil = NULL WHERE rolname='rubi_app'")
        kept = connection.execute(query).fetchone()
        done = install(installed, **known)
        assert connection.execute(query).fetchone() == kept
        connection.execute(
            "UPDATE pg_authid SET rolpassword = %s, rolvaliduntil = %s WHERE rolname = 'rubi_app'",
            before,
        )
    assert done.returncode == code, done.stdout + done.stderr
    # a role of install.sql: only a superuser sees whether it has a password
    assert (said or ("has one already" if validity else "may have one: ")) in done.stdout
    assert checks(done.stdout)["connection as rubi_app"] == ("FAILED" if code else "-")


def test_passwords_are_in_no_log_and_in_no_output(managed: tuple[Address, Path]) -> None:
    done = install(managed, RUBI_APP_PASSWORD=APP_PASSWORD)
    log = log_of(managed)
    assert 'ALTER ROLE "rubi_app" PASSWORD \'SCRAM-SHA-256$' in log
    for secret in (APP_PASSWORD, "Platform-admin-1", ADMIN_PASSWORD):
        assert secret not in log
        assert secret not in done.stdout + done.stderr
    with psycopg.connect(managed[0].dsn(DATABASE)) as connection:
        texts = connection.execute("SELECT string_agg(query, '') FROM pg_stat_statements")
        assert APP_PASSWORD not in texts.fetchone()[0]


def test_rotation_writes_new_passwords_to_a_file_of_mode_600(
    managed: tuple[Address, Path], tmp_path: Path
) -> None:
    file = tmp_path / "passwords"
    done = install(managed, "--new-passwords", "--password-file", str(file))
    assert done.returncode == 0, done.stdout + done.stderr
    assert file.stat().st_mode & 0o777 == 0o600
    kept = dict(line.split("=", 1) for line in file.read_text().splitlines())
    assert set(kept) == {"RUBI_APP_PASSWORD", "RUBI_ADMIN_PASSWORD"}
    assert checks(done.stdout)["connection as rubi_app"] == "ok"
    for password in kept.values():
        assert password not in done.stdout + done.stderr + log_of(managed)
    address = managed[0]
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(address.dsn(DATABASE, "rubi_app"), password=APP_PASSWORD)
    again = install(managed, "--password-file", str(file))
    assert checks(again.stdout)["connection as rubi_app"] == "ok"
    file.chmod(0o644)
    refused = install(managed, "--password-file", str(file))
    assert refused.returncode == 1
    assert "chmod 600" in refused.stderr


def test_generated_passwords_are_shown_once(managed: tuple[Address, Path]) -> None:
    """Through a socket that lets in nobody but the system's user of the role's name."""
    lock = (managed[1] / "postmaster.pid").read_text().splitlines()
    socket = {"PGHOST": lock[4], "PGPORT": lock[3]}
    done = install(managed, "--new-passwords", **socket)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"postgresql://rubi_app:****@127.0.0.1:{lock[3]}/{DATABASE}" in done.stdout
    shown = dict(re.findall(r"^  (RUBI_\w+)=(\S+)$", done.stdout, re.M))
    assert set(shown) == {"RUBI_APP_PASSWORD", "RUBI_ADMIN_PASSWORD"}
    for kind in (r"[a-z]", r"[A-Z]", r"\d", r"[-_.+]"):
        assert re.search(kind, shown["RUBI_APP_PASSWORD"])
    again = install(managed, RUBI_APP_PASSWORD=shown["RUBI_APP_PASSWORD"], **socket)
    assert "password of rubi_app · has one already" in again.stdout
    again = install(managed)
    assert again.returncode == 0
    assert not re.search(r"RUBI_\w+=", again.stdout)
    assert checks(again.stdout)["connection as rubi_app"] == "-"


@pytest.mark.parametrize(
    ("arguments", "changed", "code", "said"),
    [
        ((), {"PGPASSWORD": "wrong"}, 1, "no connection: "),
        ((), {"PGPORT": "1"}, 1, "no connection: "),
        (("--dsn", "host=127.0.0.1 password=seen"), {}, 2, "is seen in ps"),
        (("--database", "fresh"), {}, 1, 'have CREATE EXTENSION "pg_stat_statements" run'),
        ((), {"PGUSER": "small", "PGPASSWORD": "small"}, 1, "connect as who administers"),
    ],
)
def test_what_is_missing_is_said_in_one_line(
    managed: tuple[Address, Path],
    arguments: tuple[str, ...],
    changed: dict[str, str],
    code: int,
    said: str,
) -> None:
    with psycopg.connect(managed[0].dsn(), autocommit=True) as connection:
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = 'small'").rowcount:
            connection.execute("CREATE ROLE small LOGIN PASSWORD 'small'")
    done = install(managed, *arguments, **changed)
    assert done.returncode == code, done.stderr
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_missing_object_fails_the_checklist(installed: tuple[Address, Path]) -> None:
    with psycopg.connect(installed[0].dsn(DATABASE), autocommit=True) as connection:
        connection.execute("ALTER VIEW user_trading_stats RENAME TO hidden")
        limits = "UPDATE monitoring.thresholds SET %s WHERE name = 'connections'"
        connection.execute(limits % "warning = -2, critical = -1")
        done = install(installed)
        connection.execute("ALTER VIEW hidden RENAME TO user_trading_stats")
        connection.execute(limits % "warning = 80, critical = 95")
    assert done.returncode == 1
    assert checks(done.stdout)["views"] == "FAILED"
    assert "missing: public.user_trading_stats" in done.stdout
    assert "monitoring: 1 critical (connections), " in done.stdout
    assert "points of the checklist that failed: 2" in done.stderr


def test_service_takes_from_public_and_the_administrator_goes_on(
    installed: tuple[Address, Path],
) -> None:
    """What docs/guides/security.md asks the service for; here the administrator owns the tables."""
    address = installed[0]
    done = subprocess.run(
        [address.binaries / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-d",
         address.dsn(DATABASE), "-f", ROOT / open_rights.FILE],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    done = install(installed)
    assert done.returncode == 0, done.stdout + done.stderr
    assert checks(done.stdout)["rights of PUBLIC"] == "ok"
    with psycopg.connect(address.dsn(DATABASE), autocommit=True) as connection:
        connection.execute("SET SESSION AUTHORIZATION rubi_admin")
        connection.execute("CALL monitoring.make_chunks_ahead(3)")
        dropped = "SELECT drop_chunks('market_data', newer_than => now() + interval '60 days')"
        assert connection.execute(dropped).rowcount > 0


def test_shell_script_says_its_options() -> None:
    text = (ROOT / "scripts/install.sh").read_text()
    assert 'exec .venv/bin/python scripts/install.py "$@"' in text
    done = subprocess.run([*PROGRAM, "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert "--password-file" in done.stdout
