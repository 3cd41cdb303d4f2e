"""Passwords that install.py makes: none is lost, none is replaced behind somebody's back."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psycopg
import pytest

from conftest import Address
from rubi.cli import Failure
from rubi.deploying import installing, locks, passwords
from test_installer import DATABASE, PROGRAM, environment, install, installed, managed

__all__ = ["installed", "managed"]  # fixtures
HASH = "SELECT rolpassword FROM pg_authid WHERE rolname = 'rubi_app'"


def shown(text: str) -> dict[str, str]:
    return dict(re.findall(r"^  (RUBI_\w+)=(\S+)$", text, re.M))


def test_password_that_was_set_is_shown_though_a_later_step_fails(
    installed: tuple[Address, Path],
) -> None:
    with psycopg.connect(installed[0].dsn(DATABASE), autocommit=True) as connection:
        connection.execute("ALTER PROCEDURE monitoring.make_chunks_ahead RENAME TO hidden")
        done = install(installed, "--new-passwords")
        connection.execute("ALTER PROCEDURE monitoring.hidden RENAME TO make_chunks_ahead")
    assert done.returncode == 1
    told = shown(done.stdout)
    assert set(told) == {"RUBI_APP_PASSWORD", "RUBI_ADMIN_PASSWORD"}
    dsn = installed[0].dsn(DATABASE, "rubi_app")
    psycopg.connect(dsn, password=told["RUBI_APP_PASSWORD"]).close()


def test_two_installations_set_passwords_one_after_the_other(
    installed: tuple[Address, Path],
) -> None:
    with psycopg.connect(installed[0].dsn(DATABASE), autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", [locks.KEY])
        before = other.execute(HASH).fetchone()
        process = subprocess.Popen(
            [*PROGRAM, "--new-passwords"], env=environment(installed), stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            # the installation gives up after a minute, and then says no more
            assert any("waiting for another deployment: pid " in line for line in process.stdout)
            assert other.execute(HASH).fetchone() == before
            other.execute("SELECT pg_advisory_unlock(%s)", [locks.KEY])
            _, wrong = process.communicate(timeout=60)
        finally:
            process.kill()
        assert process.returncode == 0, wrong
        assert other.execute(HASH).fetchone() != before


def test_database_is_found_missing_whatever_the_servers_language(
    server: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    connect = installing.connect

    def in_french(dsn: str, database: str) -> psycopg.Connection:
        try:
            return connect(dsn, database)
        except Failure as error:
            raise Failure("la base de données n'existe pas") from error.__cause__

    monkeypatch.setattr(installing, "connect", in_french)
    connection, exists = installing.first_connection(server.dsn(), "rubi_not_there")
    with connection:
        assert (connection.info.dbname, exists) == ("postgres", False)


def test_database_that_a_role_may_not_enter_is_not_taken_for_missing(server: Address) -> None:
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE rubi_closed")
        connection.execute("REVOKE CONNECT ON DATABASE rubi_closed FROM public")
        try:
            with pytest.raises(Failure, match=r"^no connection: .*rubi_closed"):
                installing.first_connection(server.dsn(user="rubi_admin"), "rubi_closed")
        finally:
            connection.execute("DROP DATABASE rubi_closed")


def test_file_that_can_not_be_written_is_not_said_to_hold_passwords(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = passwords.Passwords(tmp_path / "missing" / "file")
    with pytest.raises(FileNotFoundError):
        kept.make("RUBI_APP_PASSWORD")
    kept.tell()
    assert capsys.readouterr().out == ""
