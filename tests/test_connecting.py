"""Connections of commands: no limit of a role ends the work, no error repeats a password."""

from __future__ import annotations

import psycopg
import pytest

from conftest import Address
from rubi import connecting
from rubi.cli import new_app, one_line, run

LIMITS = [
    "statement_timeout", "transaction_timeout", "idle_session_timeout",
    "idle_in_transaction_session_timeout",
]  # fmt: skip
FOUND = "SELECT name, setting FROM pg_settings WHERE name = ANY (%s)"


def test_limits_that_a_role_has_for_other_work_do_not_end_this(
    server: Address, monkeypatch: pytest.MonkeyPatch
) -> None:
    with psycopg.connect(server.dsn()) as connection:
        known = [name for name, _ in connection.execute(FOUND, [LIMITS])]
    monkeypatch.setenv("PGOPTIONS", " ".join(f"-c {name}=30s" for name in known))
    with connecting.session(server.dsn(), "test") as connection:
        assert dict(connection.execute(FOUND, [LIMITS]).fetchall()) == dict.fromkeys(known, "0")


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://u:sec%ret@host/d", 'postgresql://u:sec"ret@[host/d',
        "host=h password=sec ret", "host=h password='sec ret", "postgresql://u:secret@host/d?x=y",
    ],
)  # fmt: skip
def test_part_of_a_connection_string_that_can_not_be_read_is_not_repeated(dsn: str) -> None:
    with pytest.raises(psycopg.ProgrammingError) as refused:
        psycopg.conninfo.conninfo_to_dict(dsn)
    said = one_line(refused.value)
    assert said
    assert "ret" not in said


@pytest.mark.parametrize(
    ("statement", "cure"),
    [
        # PostgreSQL's own hint speaks of explicit type casts
        ("SELECT find_user('ann')", "python scripts/deploy.py status tells\n"),
        ("CREATE TABLE test ()", "on a standby: connect to its primary\n"),
    ],
)
def test_a_wrong_database_or_server_is_told_with_the_cure(
    server: Address,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    statement: str,
    cure: str,
) -> None:
    app = new_app("Asks.")

    @app.command()
    def ask() -> None:
        with psycopg.connect(server.dsn()) as connection:
            connection.execute("SET default_transaction_read_only = on")
            connection.commit()
            connection.execute(statement)

    monkeypatch.setattr("sys.argv", ["ask"])
    app.info.no_args_is_help = False
    with pytest.raises(SystemExit):
        run(app)
    assert capsys.readouterr().err.endswith(cure)


def test_host_of_a_variable_that_is_unknown_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "nowhere.invalid")
    with pytest.raises(psycopg.OperationalError) as refused:
        psycopg.connect("")
    assert "nowhere.invalid" in one_line(refused.value)
