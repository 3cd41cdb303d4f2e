"""Steps of an installation, and its checklist: the view monitoring.installation and points beyond.

The view is asked about the database; the files on disk, a login as the API, health as rubi_monitor
sees it and an SQLite file beside are looked at here.
"""

from rubi import early  # noqa: F401  # isort: skip

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rubi import ROOT, connecting
from rubi.cli import Failure, console, one_line
from rubi.deploying import applying, history, passwords, sqlfiles

EXTENSIONS = ("timescaledb", "pg_stat_statements", "uuid-ossp")
SIGNS = {True: ("ok", "green"), False: ("FAILED", "bold red"), None: ("-", "dim")}


def connect(dsn: str, database: str) -> psycopg.Connection:
    """Connect to a database of the server. Raises Failure with the cause in one line."""
    try:
        return connecting.session(dsn, "install", dbname=database, connect_timeout=10)
    except psycopg.OperationalError as error:
        raise Failure(f"no connection: {one_line(error)}") from error


def first_connection(dsn: str, database: str) -> tuple[psycopg.Connection, bool]:
    """A connection to the database, or to one where it can be created; whether it exists.

    The server's words would not tell: they may be in any language.
    """
    given = conninfo_to_dict(dsn).get("dbname") or os.environ.get("PGDATABASE")
    failure = None
    for name in dict.fromkeys(filter(None, (database, given, "postgres", "rdb", "template1"))):
        try:
            connection = connect(dsn, str(name))
        except Failure as error:
            failure = failure or error
            if isinstance(error.__cause__, psycopg.errors.ConnectionTimeout):
                raise
            continue
        there = "SELECT FROM pg_database WHERE datname = %s"
        if name != database and connection.execute(there, [database]).rowcount:
            connection.close()
            break  # this role may not connect to it
        return connection, name == database
    raise failure or Failure("no database to connect to")


def check_server(connection: psycopg.Connection, exists: bool) -> str:
    """Raises Failure when version, extension or rights do not suffice; answers the findings."""
    major = connecting.check_version(connection)
    version = connection.execute(
        "SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'"
    ).fetchone()
    if not version:
        raise Failure("the server has no TimescaleDB: choose one that offers the extension")
    may_roles, may_databases, is_superuser = connection.execute(
        "SELECT rolcreaterole OR rolsuper, rolcreatedb OR rolsuper, rolsuper FROM pg_roles"
        " WHERE rolname = current_user"
    ).fetchone()
    if not may_roles:
        raise Failure(
            f"{connection.info.user} may not create roles: connect as who administers the server, "
            "a role with CREATEROLE"
        )
    if not exists and not may_databases:
        raise Failure(f"{connection.info.user} may not create databases: give it CREATEDB")
    kind = "superuser" if is_superuser else "no superuser"
    return f"PostgreSQL {major}, TimescaleDB {version[0]}, {connection.info.user} is {kind}"


def create_extensions(connection: psycopg.Connection) -> str:
    """Create missing extensions. Raises Failure naming those that only the service can create."""
    there = {name for (name,) in connection.execute("SELECT extname FROM pg_extension")}
    made = []
    connection.execute("SET client_min_messages = error")
    for name in EXTENSIONS:
        if name in there:
            continue
        try:
            connection.execute(
                sql.SQL("CREATE EXTENSION IF NOT EXISTS {}").format(sql.Identifier(name))
            )
        except psycopg.errors.InsufficientPrivilege as error:
            raise Failure(
                f"extension {name} can only be created by the server's administrator: have "
                f'CREATE EXTENSION "{name}" run in database {connection.info.dbname}, then again'
            ) from error
        made.append(name)
    return f"created {', '.join(made)}" if made else "all there"


def deploy_files(dsn: str, database: str) -> str:
    """Apply what is due, one runner at a time."""
    files = sqlfiles.read_files()
    with connecting.connect(make_conninfo(dsn, dbname=database)) as connection:
        if history.due(files, history.applied(connection)):
            passwords.make_app_role(connection)
        done = applying.apply_due(connection, files)
    return f"{len(done)} of {len(files)} files applied" if done else "nothing to do"


def first_readings(connection: psycopg.Connection) -> str:
    """Chunks for the coming weeks, and the first reading of sizes and proofs."""
    connection.execute("CALL monitoring.make_chunks_ahead()")
    if connection.execute("SELECT FROM monitoring.proof_readings LIMIT 1").rowcount:
        return "there already"
    connection.execute("SELECT monitoring.take_readings()")
    return "taken"


class Line(NamedTuple):
    """A point of the checklist; ok is None for a point that somebody else has to see to."""

    name: str
    ok: bool | None
    detail: str


def files(connection: psycopg.Connection) -> Line:
    due = history.due(sqlfiles.read_files(), history.applied(connection))
    if due:
        return Line("files", False, f"{len(due)} files are not applied: {due[0][0].path}")
    return Line("files", True, "all are applied")


def monitoring(connection: psycopg.Connection) -> Line:
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL ROLE rubi_monitor")
        counted = connection.execute(
            "SELECT status, count(*), string_agg(name, ', ') FROM monitoring.health"
            " GROUP BY status ORDER BY status"
        ).fetchall()
        spots = [row[0] for row in connection.execute("SELECT subject FROM monitoring.blind_spots")]
    said = ", ".join(
        f"{count} {status}" + (f" ({names})" if status in ("critical", "warning") else "")
        for status, count, names in counted
    )
    blind = f"; out of sight: {', '.join(spots)}" if spots else ""
    is_well = all(status != "critical" for status, *_ in counted)
    return Line("monitoring", is_well, said + blind)


def sqlite(_: psycopg.Connection) -> Line:
    for path in (Path("rubi_studio.db"), ROOT / "rubi_studio.db"):
        if path.exists():
            return Line(
                "SQLite data", None, f"{path} is here: migrate it (docs/guides/moving-in.md)"
            )
    return Line("SQLite data", True, "no rubi_studio.db here")


def from_the_api(dsn: str, password: str | None) -> Callable[[psycopg.Connection], Line]:
    """Logs in as rubi_app and works as the API does."""

    def check(connection: psycopg.Connection) -> Line:
        name = "connection as rubi_app"
        if password is None:
            return Line(name, None, "its password is not known here: give RUBI_APP_PASSWORD")
        try:
            with (
                passwords.log_in(connection, dsn, password) as app,
                app.transaction(force_rollback=True),
            ):
                app.execute(
                    "INSERT INTO users (email, username, hashed_password)"
                    " VALUES ('checklist@example.com', 'checklist', '!')"
                )
                app.execute("SELECT * FROM user_trading_stats")
        except psycopg.Error as error:
            return Line(name, False, one_line(error))
        return Line(name, True, "wrote and read, rolled back")

    return check


def checklist(connection: psycopg.Connection, dsn: str, password: str | None) -> Iterator[Line]:
    """The checklist in order; a point that raises an error has failed."""
    try:
        yield from [
            Line(*row)
            for row in connection.execute(
                "SELECT point, is_well, detail FROM monitoring.installation"
            ).fetchall()
        ]
    except psycopg.Error as error:
        yield Line("installation", False, one_line(error))
    for check in (files, from_the_api(dsn, password), monitoring, sqlite):
        try:
            yield check(connection)
        except psycopg.Error as error:
            yield Line(check.__name__.replace("_", " "), False, one_line(error))


def show_checklist(connection: psycopg.Connection, dsn: str, password: str | None) -> int:
    """Print a line each; answers how many failed."""
    failed = 0
    for line in checklist(connection, dsn, password):
        sign, style = SIGNS[line.ok]
        failed += line.ok is False
        console.print(f"{sign:<7}", style=style, end="")
        console.print(f"{line.name}: {line.detail}")
    return failed
