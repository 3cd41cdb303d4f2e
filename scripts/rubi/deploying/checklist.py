"""The checklist of an installation: a line each, found out by asking the database."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg

from rubi import ROOT
from rubi.deploying import history, sqlfiles

BASE_TABLES = (
    "users", "trading_strategies", "mt5_sessions", "trading_signals", "trading_orders",
    "trading_positions", "account_snapshots", "market_data", "performance_metrics",
)  # fmt: skip
LOGINS = ("rubi_app", "rubi_ingest", "rubi_readonly", "rubi_monitor", "rubi_backup")


class Line(NamedTuple):
    """One point of the checklist; ok is None for what somebody else has to see to."""

    name: str
    ok: bool | None
    detail: str


def named(pattern: str) -> set[str]:
    """What the files create, by a pattern with one group."""
    return {
        name
        for file in sqlfiles.read_files()
        for name in re.findall(pattern, file.text, re.MULTILINE)
    }


def missing(connection: psycopg.Connection, wanted: set[str], query: str) -> list[str]:
    """Names that the query does not find."""
    return sorted(wanted - {row[0] for row in connection.execute(query)})


def all_there(name: str, wanted: set[str], lacking: list[str]) -> Line:
    """A line about a kind of object."""
    detail = f"{len(wanted)}" if not lacking else f"missing: {', '.join(lacking)}"
    return Line(name, not lacking, detail)


def instance(connection: psycopg.Connection) -> Line:
    version, size, ssl = connection.execute(
        "SELECT current_setting('server_version'), pg_size_pretty(pg_database_size("
        "current_database())), coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = "
        "pg_backend_pid()), FALSE)"
    ).fetchone()
    encrypted = "encrypted" if ssl else "not encrypted"
    return Line("instance", True, f"PostgreSQL {version}, {size}, this connection {encrypted}")


def automatic_backups(connection: psycopg.Connection) -> Line:
    mode = connection.execute("SELECT current_setting('archive_mode')").fetchone()[0]
    if mode != "off":
        return Line("automatic backups", True, f"archive_mode is {mode}")
    return Line(
        "automatic backups", None, "the managed service takes them: see terraform/ or its console"
    )


def extensions(connection: psycopg.Connection) -> Line:
    found = dict(connection.execute("SELECT extname, extversion FROM pg_extension").fetchall())
    wanted = ("timescaledb", "pg_stat_statements", "uuid-ossp")
    lacking = [name for name in wanted if name not in found]
    edition = connection.execute("SELECT monitoring.timescaledb_edition()").fetchone()[0]
    detail = f"timescaledb {found.get('timescaledb')} ({edition} edition)"
    return Line("extensions", not lacking, f"missing: {lacking}" if lacking else detail)


def schema(connection: psycopg.Connection) -> Line:
    wanted = named(r"^CREATE TABLE IF NOT EXISTS ([\w.]+)")
    query = "SELECT schemaname || '.' || tablename FROM pg_tables"
    due = history.due(sqlfiles.read_files(), history.applied(connection))
    if due:
        return Line("schema", False, f"{len(due)} files are not applied: {due[0][0].path}")
    return all_there("schema", wanted, missing(connection, wanted, query))


def indexes(connection: psycopg.Connection) -> Line:
    wanted = named(r"^CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?IF NOT EXISTS (\w+)")
    dropped = named(r"^DROP INDEX IF EXISTS (?:\w+\.)?(\w+)")
    query = (
        "SELECT c.relname FROM pg_class AS c JOIN pg_index AS i ON i.indexrelid = c.oid"
        " WHERE i.indisvalid"
    )
    return all_there("indexes", wanted - dropped, missing(connection, wanted - dropped, query))


def triggers(connection: psycopg.Connection) -> Line:
    wanted = named(r"^\s*CREATE (?:OR REPLACE )?(?:CONSTRAINT )?TRIGGER (\w+)")
    if connection.execute("SELECT monitoring.has_columnstore('market_data')").fetchone()[0]:
        wanted.discard("market_data_50_deleted")  # columnstore refuses it
    query = "SELECT tgname FROM pg_trigger WHERE tgenabled = 'O'"
    return all_there("triggers", wanted, missing(connection, wanted, query))


def views(connection: psycopg.Connection) -> Line:
    wanted = named(r"^CREATE (?:OR REPLACE )?VIEW ([\w.]+)")
    query = "SELECT schemaname || '.' || viewname FROM pg_views"
    return all_there("views", wanted, missing(connection, wanted, query))


def initial_data(connection: psycopg.Connection) -> Line:
    row = connection.execute(
        "SELECT is_superuser, hashed_password LIKE '!%' FROM users"
        " WHERE email = 'admin@rubi-studio.com'"
    ).fetchone()
    if not row or not row[0]:
        return Line("initial data", False, "the administrator is missing")
    codes = connection.execute("SELECT count(*) FROM mt5_deal_types").fetchone()[0]
    state = "locked" if row[1] else "has a password"
    return Line("initial data", codes > 0, f"administrator {state}, {codes} deal types")


def rights(connection: psycopg.Connection) -> Line:
    lacking = [
        f"{right} on {table}"
        for table in BASE_TABLES
        for right in ("SELECT", "INSERT", "UPDATE", "DELETE")
        if not connection.execute(
            "SELECT has_table_privilege('rubi_app', 'public.' || %s, %s)", [table, right]
        ).fetchone()[0]
    ]
    lacking += [
        f"CONNECT for {role} (grant it through the service's API)"
        for role in LOGINS
        if not connection.execute(
            "SELECT has_database_privilege(%s, current_database(), 'CONNECT')", [role]
        ).fetchone()[0]
    ]
    return Line("rights", not lacking, f"missing: {', '.join(lacking)}" if lacking else "rubi_app")


def manual_backups(connection: psycopg.Connection) -> Line:
    unread = [
        name
        for (name,) in connection.execute(
            "SELECT schemaname || '.' || tablename FROM pg_tables WHERE schemaname IN"
            " ('public', 'monitoring', 'internal', 'audit', 'deploy') AND NOT"
            " has_table_privilege('rubi_backup', format('%I.%I', schemaname, tablename), 'SELECT')"
        )
    ]
    detail = f"rubi_backup can't read {', '.join(unread)}" if unread else "rubi_backup reads all"
    return Line("manual backups", not unread, detail)


def monitoring(connection: psycopg.Connection) -> Line:
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL ROLE rubi_monitor")
        counted = dict(
            connection.execute(
                "SELECT status, count(*) FROM monitoring.health GROUP BY status"
            ).fetchall()
        )
        spots = [row[0] for row in connection.execute("SELECT subject FROM monitoring.blind_spots")]
    said = ", ".join(f"{count} {status}" for status, count in sorted(counted.items()))
    blind = f"; out of sight: {', '.join(spots)}" if spots else ""
    return Line("monitoring", "critical" not in counted, said + blind)


def public_rights(connection: psycopg.Connection) -> Line:
    open_rights = connection.execute(
        "SELECT count(*), string_agg(DISTINCT hole, '; ') FROM monitoring.open_rights"
    ).fetchone()
    if not open_rights[0]:
        return Line("rights of PUBLIC", True, "none that nobody needs")
    return Line(
        "rights of PUBLIC", None,
        f"every role may use {open_rights[0]} objects that nobody needs"
        f"{f' ({open_rights[1]})' if open_rights[1] else ''}: have a superuser run"
        " grants/6020_extensions.sql, docs/security.md has the words for the service's support",
    )  # fmt: skip


def sqlite(_: psycopg.Connection) -> Line:
    for path in (Path("rubi_studio.db"), ROOT / "rubi_studio.db"):
        if path.exists():
            return Line("SQLite data", None, f"{path} is here: migrate it (docs/moving-in.md)")
    return Line("SQLite data", True, "no rubi_studio.db here")


def from_the_api(dsn: str, password: str | None) -> Callable[[psycopg.Connection], Line]:
    """Logs in as rubi_app and works as the API does."""

    def check(_: psycopg.Connection) -> Line:
        name = "connection as rubi_app"
        if password is None:
            return Line(name, None, "its password is not known here: give RUBI_APP_PASSWORD")
        try:
            with psycopg.connect(
                dsn, user="rubi_app", password=password, connect_timeout=10
            ) as app, app.transaction(force_rollback=True):  # fmt: skip
                app.execute(
                    "INSERT INTO users (email, username, hashed_password)"
                    " VALUES ('checklist@example.com', 'checklist', '!')"
                )
                app.execute("SELECT * FROM user_trading_stats")
        except psycopg.Error as error:
            return Line(name, False, str(error).splitlines()[0])
        return Line(name, True, "wrote and read, rolled back")

    return check


def lines(connection: psycopg.Connection, dsn: str, password: str | None) -> Iterator[Line]:
    """The checklist in order; what raises an error has failed."""
    for check in (
        instance, automatic_backups, extensions, schema, indexes, triggers, views, initial_data,
        rights, public_rights, from_the_api(dsn, password), manual_backups, monitoring, sqlite,
    ):  # fmt: skip
        try:
            yield check(connection)
        except psycopg.Error as error:
            yield Line(check.__name__.replace("_", " "), False, str(error).splitlines()[0])
