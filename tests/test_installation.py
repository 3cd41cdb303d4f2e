"""monitoring.installation: whether all that the files make is there, for a DBA without Python."""

from __future__ import annotations

import psycopg
import pytest

from conftest import Address
from rubi.waiting import until


def not_well(db: psycopg.Connection) -> list[tuple[str, str]]:
    return db.execute(
        "SELECT point, detail FROM monitoring.installation WHERE NOT is_well"
    ).fetchall()


def test_installation_as_the_files_made_it_is_well(db: psycopg.Connection) -> None:
    assert not_well(db) == []
    points = [row[0] for row in db.execute("SELECT point FROM monitoring.installation")]
    assert points == [
        "instance", "automatic backups", "extensions", "tables", "indexes", "triggers", "views",
        "functions", "initial data", "rights of rubi_app", "logins", "rights of PUBLIC",
        "manual backups",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("break_it", "point", "missing"),
    [
        ("DROP TABLE migration.given_ids", "tables", "migration.given_ids"),
        ("DROP INDEX idx_open_orders", "indexes", "idx_open_orders"),
        ("ALTER TABLE users DISABLE TRIGGER users_70_audit", "triggers", "users_70_audit"),
        ("DROP VIEW signal_funnel", "views", "public.signal_funnel"),
        ("DROP FUNCTION close_user(bigint)", "functions", "public.close_user"),
        ("REVOKE DELETE ON users FROM rubi_app", "rights of rubi_app", "DELETE on public.users"),
        (
            "REVOKE SELECT ON audit.changes FROM rubi_backup",
            "manual backups",
            "SELECT on audit.changes for rubi_backup",
        ),
        (
            "ALTER ROLE rubi_ingest RENAME TO lost",
            "logins",
            "LOGIN and CONNECT for rubi_ingest (on a managed service by its API)",
        ),
        (
            "ALTER ROLE rubi_ingest NOLOGIN",
            "logins",
            "LOGIN and CONNECT for rubi_ingest (on a managed service by its API)",
        ),
    ],
)
def test_what_is_missing_is_named(
    db: psycopg.Connection, break_it: str, point: str, missing: str
) -> None:
    with db.transaction(force_rollback=True):
        db.execute(break_it)
        assert not_well(db) == [(point, f"missing: {missing}")]


def test_installation_without_its_administrator_is_not_well(db: psycopg.Connection) -> None:
    with db.transaction(force_rollback=True):
        db.execute("UPDATE users SET is_superuser = FALSE WHERE username = 'admin'")
        assert not_well(db) == [("initial data", "the administrator is missing")]


def point(db: psycopg.Connection, name: str) -> tuple:
    """is_well and detail of a point."""
    return db.execute(
        "SELECT is_well, detail FROM monitoring.installation WHERE point = %s", [name]
    ).fetchone()


def test_extension_whose_view_raises_an_error_is_not_said_to_be_well(
    db: psycopg.Connection,
) -> None:
    """As one does that is created and not preloaded; here it may not be read."""
    with db.transaction(force_rollback=True):
        db.execute("REVOKE ALL ON pg_stat_statements FROM rubi_owner")
        db.execute("SET LOCAL ROLE rubi_owner")
        is_well, detail = point(db, "extensions")
        assert is_well is None and "statements are not visible: permission denied" in detail


def test_extension_whose_library_is_not_loaded_is_not_well(
    db: psycopg.Connection, server: Address
) -> None:
    """As on a server that does not preload it; here by a setting of its own."""
    dsn = server.dsn(db.info.dbname)
    with psycopg.connect(dsn, options="-c timescaledb.disable_load=on") as connection:
        assert [name for name, _ in not_well(connection)] == ["extensions"]


def test_archiving_without_a_command_is_not_well(db: psycopg.Connection) -> None:
    """The server tells of no failure then, and keeps all WAL."""
    db.execute("SELECT pg_current_xact_id(), pg_switch_wal()")
    until("a segment is archived", lambda: point(db, "automatic backups")[0])
    db.execute("ALTER SYSTEM SET archive_command = ''")
    try:
        db.execute("SELECT pg_reload_conf()")
        until("it is said", lambda: point(db, "automatic backups")[0] is False)
        assert "archive_command and archive_library are empty" in point(db, "automatic backups")[1]
        (value,) = db.execute(
            "SELECT value FROM monitoring.server_health WHERE name = 'archiver_failures'"
        ).fetchone()
        assert value > 0
    finally:
        db.execute("ALTER SYSTEM RESET archive_command")
        db.execute("SELECT pg_reload_conf()")
    until("it is well again", lambda: point(db, "automatic backups")[0])
