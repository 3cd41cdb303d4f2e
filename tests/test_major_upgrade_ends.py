"""The last rows of a move between two servers: held writes, a closed source, the way back."""

from __future__ import annotations

from contextlib import closing

import psycopg
import pytest

import rows
import running
import upgraded
from backing import refused
from rubi.upgrading import closing as source_writes
from rubi.upgrading import parts, passes
from upgraded import Side, servers, sides, source

__all__ = ["servers", "sides", "source"]  # fixtures


def test_writes_go_on_where_the_last_rows_take_too_long(
    sides: tuple[Side, Side], source: Side
) -> None:
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    with source.connect() as connection:
        rows.user(connection)
    with closing(psycopg.connect(sides[1].dsn("postgres"))) as holder:
        holder.execute("LOCK users IN SHARE MODE")
        refused(upgraded.copy(*sides, "--finish", "--limit", 1), "not done within 1 s")
    with source.connect() as connection:
        rows.user(connection)
    upgraded.said(upgraded.copy(*sides, "--finish"))
    assert upgraded.differing(sides) == []


def test_writes_are_not_held_for_a_tool_that_is_gone(
    sides: tuple[Side, Side], source: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    seen = {}

    def look(old: psycopg.Connection, *_: object) -> None:
        for name in ("idle_in_transaction_session_timeout", "tcp_keepalives_idle"):
            query = "SELECT reset_val, setting FROM pg_settings WHERE name = %s"
            seen[name] = old.execute(query, [name]).fetchone()
        raise KeyboardInterrupt

    monkeypatch.setattr(source_writes, "close", look)
    assert upgraded.copy(*sides, "--finish", "--limit", 30).returncode == 130
    assert seen["idle_in_transaction_session_timeout"][1] == "40000"
    assert "10" in seen["tcp_keepalives_idle"]
    with source.connect("rubi_app") as api:
        rows.user(api)


def test_writer_that_does_not_end_is_named(
    sides: tuple[Side, Side], source: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_writes, "TRIES_END", 1)
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    with closing(psycopg.connect(source.dsn("rubi_app"))) as writer:
        rows.user(writer)
        refused(upgraded.copy(*sides, "--finish"), f"rubi_app ({writer.info.backend_pid})")
        writer.commit()
        ended = upgraded.said(upgraded.copy(*sides, "--finish"))
    assert "ended 1 session(s) of rubi_app" in ended
    assert upgraded.differing(sides) == []


def test_closed_source_refuses_open_sessions_until_reopened(
    sides: tuple[Side, Side], source: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_writes, "REST", 0)  # the session that is open is a superuser's
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    with source.connect() as connection:
        deletes = [
            f"DELETE FROM {table} WHERE FALSE"
            for table in ("users", "account_snapshots", "audit.changes")
        ]
        for statement in deletes:
            connection.execute(statement)
        upgraded.said(upgraded.copy(*sides, "--finish"))
        for delete in deletes:
            truncate = delete.replace("DELETE FROM", "TRUNCATE").replace("WHERE FALSE", "CASCADE")
            for statement in (delete, truncate):
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                    connection.execute(statement)
        refused(upgraded.copy(*sides, "--ahead"), "the source is closed already")
        upgraded.said(upgraded.copy(source, None, "--reopen"))
        for statement in deletes:
            connection.execute(statement)


def test_what_is_left_after_the_last_rows_may_be_done_later(
    sides: tuple[Side, Side], source: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    with monkeypatch.context() as patch:
        patch.setattr(parts, "validate", interrupt)
        assert upgraded.copy(*sides, "--finish").returncode == 130
    with sides[1].connect("rubi_app") as api:
        user = rows.user(api)
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            rows.strategy(api, user + 1)
    assert "foreign keys validated" in upgraded.said(upgraded.copy(*sides, "--finish"))
    with sides[1].connect() as connection:
        assert connection.execute("SELECT FROM users WHERE id = %s", [user]).rowcount == 1
        loose = "SELECT FROM pg_constraint WHERE NOT convalidated"
        assert connection.execute(loose).rowcount == 0


def test_copy_in_one_go_ends_what_was_copied_ahead(sides: tuple[Side, Side], source: Side) -> None:
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    with source.connect() as connection:
        connection.execute("SELECT drop_chunks('market_ticks', now() - interval '8 days')")
        connection.execute("UPDATE mt5_sessions SET balance = 7")
    upgraded.said(upgraded.copy(*sides))
    assert upgraded.differing(sides) == []


def test_copy_in_one_go_that_was_ended_after_its_rows_is_gone_on_with(
    sides: tuple[Side, Side], source: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(parts, "validate", interrupt)
        assert upgraded.copy(*sides).returncode == 130
    assert "foreign keys validated" in upgraded.said(upgraded.copy(*sides))
    assert upgraded.differing(sides) == []
    assert upgraded.copied_parts(sides[1]) == 0


def test_target_that_was_finished_before_the_source_was_closed_is_gone_on_with(
    sides: tuple[Side, Side], source: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A source that is lost between the two commits takes writes on; none is lost."""
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    with monkeypatch.context() as patch:
        patch.setattr(source_writes, "close", lambda *_: None)
        patch.setattr(passes, "settle_down", interrupt)
        assert upgraded.copy(*sides, "--finish").returncode == 130
    with source.connect("rubi_app") as api:
        rows.strategy(api, rows.user(api))
    upgraded.said(upgraded.copy(*sides, "--finish"))
    assert upgraded.differing(sides) == []
    with pytest.raises(psycopg.errors.ReadOnlySqlTransaction), source.connect() as connection:
        rows.user(connection)


def test_row_that_the_target_lost_before_the_source_was_reopened_is_copied(
    sides: tuple[Side, Side], source: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    with monkeypatch.context() as patch:
        patch.setattr(passes, "settle_down", interrupt)
        assert upgraded.copy(*sides, "--finish").returncode == 130
    with sides[1].connect() as connection:
        connection.execute("UPDATE market_ticks SET bid = 2; UPDATE mt5_sessions SET balance = 7")
    upgraded.said(upgraded.copy(source, None, "--reopen"))
    upgraded.said(upgraded.copy(*sides, "--finish"))
    assert upgraded.differing(sides) == []


def test_row_that_is_committed_while_writers_are_waited_for_is_copied(
    sides: tuple[Side, Side], source: Side, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever isolation the role has by default."""
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    lock = source_writes.lock

    def write_and_lock(*given: object) -> float:
        with source.connect("rubi_app") as api:
            rows.user(api)
        return lock(*given)

    monkeypatch.setattr(source_writes, "lock", write_and_lock)
    with source.connect() as connection:
        setting = "IN DATABASE {} SET default_transaction_isolation = serializable"
        connection.execute(f"ALTER ROLE rubi_admin {setting.format(source.database)}")
    upgraded.said(upgraded.copy(*sides, "--finish"))
    assert upgraded.differing(sides) == []


def interrupt(*_: object) -> None:
    """Ctrl-C."""
    raise KeyboardInterrupt


def test_target_of_another_source_is_refused(sides: tuple[Side, Side], source: Side) -> None:
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    other = Side(source.cluster, f"{source.database}_other").clone()
    refused(upgraded.copy(other, sides[1], "--ahead"), "a copy of another database")


def test_target_that_did_not_close_the_source_is_refused(
    sides: tuple[Side, Side], source: Side
) -> None:
    """What is left to do there would be forgotten: it has no foreign keys."""
    other = Side(sides[1].cluster, f"{sides[1].database}_other").clone()
    for target in (other, sides[1]):
        upgraded.said(upgraded.copy(source, target, "--ahead"))
    upgraded.said(upgraded.copy(*sides, "--finish"))
    refused(upgraded.copy(source, other, "--finish"), "closed by a copy into another target")
    assert upgraded.copied_parts(other) > 0
    upgraded.said(upgraded.copy(*sides, "--finish"))


def test_target_in_use_is_refused(sides: tuple[Side, Side], source: Side) -> None:
    refused(upgraded.copy(*reversed(sides), "--ahead"), "the wrong way round?")


def test_two_runs_into_one_target_are_refused(sides: tuple[Side, Side]) -> None:
    with passes.connected(*(side.dsn() for side in sides)):
        refused(upgraded.copy(*sides, "--ahead"), "another run copies into this target")


def test_last_rows_need_those_ahead(sides: tuple[Side, Side]) -> None:
    refused(upgraded.copy(*sides, "--finish"), "run this with --ahead first")


@pytest.mark.parametrize("given", [("--ahead", "--finish"), ("--reopen",)])
def test_options_that_contradict_are_wrong_usage(given: tuple[str, ...]) -> None:
    done = running.run("copy_database", "--from", "x", "--to", "y", *given, env={})
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)


@pytest.mark.parametrize("step", ["--ahead", "--finish"])
def test_copy_begins_again_where_files_were_deployed_meanwhile(
    sides: tuple[Side, Side], source: Side, step: str
) -> None:
    upgraded.said(upgraded.copy(*sides, "--ahead"))
    for side in sides:
        with side.connect() as connection:
            connection.execute(
                "INSERT INTO deploy.history"
                " (path, kind, sha256, body, tool, tool_version, duration_ms)"
                " SELECT path, kind, sha256, body, tool, tool_version, duration_ms"
                " FROM deploy.history ORDER BY id DESC LIMIT 1"
            )
    refused(upgraded.copy(*sides, step), "files were deployed in the target since")
    with source.connect("rubi_app") as api:
        rows.user(api)
