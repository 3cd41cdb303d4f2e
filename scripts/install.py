"""Installs the database on any server, a managed one included, and checks the installation.

Connect with libpq's variables, a service file or --dsn, as a role that may create databases and
roles; no superuser is needed. Running it again changes nothing. Passwords come from
RUBI_APP_PASSWORD and RUBI_ADMIN_PASSWORD or are generated; they are shown once, or written to a
file that only you read, and the server is sent their hashes only.
"""

from __future__ import annotations

from rubi import early  # noqa: F401  # isort: skip

import os
import secrets
import string
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import bcrypt
import psycopg
import typer
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rubi import connecting
from rubi.cli import Failure, console, new_app, run, step
from rubi.connecting import Dsn
from rubi.deploying import applying, checklist, history, locks, open_rights, sqlfiles

DATABASE = "rubi_trading"
# extension and whether the service's administrator may have to create it
EXTENSIONS = ("timescaledb", "pg_stat_statements", "uuid-ossp")
ADMINISTRATOR = "admin@rubi-studio.com"
# rubi_app is valid until then before this installer gave it a password: nobody can log in with one
NO_PASSWORD_YET = "-infinity"

app = new_app(__doc__)
app.info.no_args_is_help = False


def connect(dsn: str, database: str) -> psycopg.Connection:
    """Connect to a database of the server. Raises Failure with the cause in one line."""
    try:
        return psycopg.connect(
            dsn, dbname=database, autocommit=True, application_name="rubi install",
            connect_timeout=10,
        )  # fmt: skip
    except psycopg.OperationalError as error:
        raise Failure(f"no connection: {str(error).splitlines()[0]}") from error


def first_connection(dsn: str, database: str) -> tuple[psycopg.Connection, bool]:
    """A connection to the database, or to one where it can be created; whether it exists."""
    given = conninfo_to_dict(dsn).get("dbname") or os.environ.get("PGDATABASE")
    failure = None
    for name in dict.fromkeys(filter(None, (database, given, "postgres", "rdb", "template1"))):
        try:
            return connect(dsn, str(name)), name == database
        except Failure as error:
            failure = failure or error
            if "does not exist" not in str(error):
                raise
    raise failure or Failure("no database to connect to")


def check_server(connection: psycopg.Connection, exists: bool) -> str:
    """Raises Failure when version, extension or rights do not suffice; answers what was found."""
    if connection.info.server_version < 150000:
        raise Failure(
            f"PostgreSQL {connection.info.server_version // 10000} is too old: 15 or newer needed"
        )
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
        raise Failure(f"{connection.info.user} may not create roles: give it CREATEROLE")
    if not exists and not may_databases:
        raise Failure(f"{connection.info.user} may not create databases: give it CREATEDB")
    kind = "superuser" if is_superuser else "no superuser"
    major = connection.info.server_version // 10000
    return f"PostgreSQL {major}, TimescaleDB {version[0]}, {connection.info.user} is {kind}"


def create_extensions(connection: psycopg.Connection) -> str:
    """Create what is missing. Raises Failure naming what only the service can create."""
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
        if not history.due(files, history.applied(connection)):
            return "nothing to do"
        make_app_role(connection)
        with locks.only_runner(connection, wait=60):
            todo = history.due(files, history.applied(connection))
            for file, _ in todo:
                applying.apply_file(connection, file)
    return f"{len(todo)} of {len(files)} files applied"


def new_password() -> str:
    """24 characters; the services ask for lower, upper, digit and special."""
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-_.+")
    alphabet = "".join(kinds)
    characters = [secrets.choice(kind) for kind in kinds]
    characters += [secrets.choice(alphabet) for _ in range(24 - len(kinds))]
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)


class Passwords:
    """Where passwords come from and go to: the environment, a file, or the screen once."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.kept = {}
        self.shown: dict[str, str] = {}
        if path and path.exists():
            if path.stat().st_mode & 0o077:
                raise Failure(f"{path} can be read by others: chmod 600 {path}")
            pairs = (line.partition("=") for line in path.read_text().splitlines())
            self.kept = {name: value for name, _, value in pairs if value}

    def known(self, name: str) -> str | None:
        """The password that the environment or the file holds."""
        return os.environ.get(name) or self.kept.get(name)

    def make(self, name: str) -> str:
        """A known password, or a new one: kept before the server is told."""
        password = self.known(name)
        if password is None:
            password = new_password()
            self.shown[name] = password
            if self.path:
                self.kept[name] = password
                self.write()
        if not 8 <= len(password.encode()) <= 72:
            raise Failure(f"{name} needs 8 to 72 bytes")
        return password

    def write(self) -> None:
        """Replace the file in one step; nobody else ever reads it."""
        new = self.path.with_name(self.path.name + ".new")
        new.unlink(missing_ok=True)
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.writelines(f"{name}={value}\n" for name, value in self.kept.items())
        new.replace(self.path)


def logs_in(dsn: str, database: str, password: str) -> bool:
    """Whether rubi_app is let in with this password, and not with another one."""
    let_in = []
    for tried in (password, password + "x"):
        try:
            psycopg.connect(
                dsn, dbname=database, user="rubi_app", password=tried, connect_timeout=10
            ).close()
            let_in.append(True)
        except psycopg.OperationalError:
            let_in.append(False)
    return let_in == [True, False]


def make_app_role(connection: psycopg.Connection) -> None:
    """Make rubi_app before its rights are given, marked as never having had a password."""
    # another installation of this cluster may be quicker
    with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        connection.execute(f"CREATE ROLE rubi_app LOGIN VALID UNTIL '{NO_PASSWORD_YET}'")


def has_password(connection: psycopg.Connection) -> bool:
    """Whether rubi_app has a password; true where nobody but a superuser could know."""
    is_new, readable = connection.execute(
        "SELECT rolvaliduntil IS NOT DISTINCT FROM %s,"
        " has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT')"
        " FROM pg_roles WHERE rolname = 'rubi_app'", [NO_PASSWORD_YET],
    ).fetchone()  # fmt: skip
    if is_new or not readable:
        return not is_new
    return connection.execute(
        "SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'rubi_app'"
    ).fetchone()[0]


def set_app_password(
    connection: psycopg.Connection, dsn: str, passwords: Passwords, *, again: bool
) -> str:
    """Give rubi_app a password unless it has one, which the API may be using."""
    name = "RUBI_APP_PASSWORD"
    if not again and has_password(connection):
        known = passwords.known(name)
        if known and not logs_in(dsn, connection.info.dbname, known):
            return f"left as it is, though it is not {name}'s: --new-passwords replaces it"
        return "has one already"
    if again and not os.environ.get(name):
        passwords.kept.pop(name, None)
    password = passwords.make(name)
    hashed = connection.pgconn.encrypt_password(password.encode(), b"rubi_app", b"scram-sha-256")
    try:
        connection.execute(
            sql.SQL("ALTER ROLE rubi_app PASSWORD {} VALID UNTIL 'infinity'").format(
                hashed.decode()
            )
        )
    except psycopg.errors.InsufficientPrivilege:
        passwords.shown.pop(name, None)
        return "the service made this role: set its password through the service"
    return "set"


def set_administrator_password(
    connection: psycopg.Connection, passwords: Passwords, *, again: bool
) -> str:
    """Unlock the platform's administrator unless somebody has."""
    locked = connection.execute(
        "SELECT hashed_password LIKE '!%%' FROM public.users WHERE email = %s", [ADMINISTRATOR]
    ).fetchone()
    if not locked:
        raise Failure(f"{ADMINISTRATOR} is missing: deploy seed/5100_administrator.sql")
    name = "RUBI_ADMIN_PASSWORD"
    if not locked[0] and not again:
        return "has one already"
    if again and not os.environ.get(name):
        passwords.kept.pop(name, None)
    hashed = bcrypt.hashpw(passwords.make(name).encode(), bcrypt.gensalt())
    connection.execute(
        "UPDATE public.users SET hashed_password = %s WHERE email = %s",
        [hashed.decode(), ADMINISTRATOR],
    )
    return "set"


def first_readings(connection: psycopg.Connection) -> str:
    """Chunks for the coming weeks, and the first reading of sizes and proofs."""
    connection.execute("CALL monitoring.make_chunks_ahead()")
    if connection.execute("SELECT FROM monitoring.proof_readings LIMIT 1").rowcount:
        return "there already"
    connection.execute("SELECT monitoring.take_readings()")
    return "taken"


@app.callback(invoke_without_command=True)
def main(
    dsn: Dsn = "",
    database: Annotated[str, typer.Option(help="Database to install into")] = DATABASE,
    password_file: Annotated[
        Path | None, typer.Option(help="File of mode 600 for the passwords; else shown once")
    ] = None,
    new_passwords: Annotated[
        bool, typer.Option(help="Set both passwords anew: rotation, or when they are lost")
    ] = False,
) -> None:
    """Install, check, and print how to connect."""
    if conninfo_to_dict(dsn).get("password"):
        raise typer.BadParameter("a password in --dsn is seen in ps: use PGPASSWORD or ~/.pgpass")
    passwords = Passwords(password_file)
    with step("server") as notes:
        connection, exists = first_connection(dsn, database)
        with connection:
            notes.append(check_server(connection, exists))
            if not exists:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
                notes.append(f"database {database} created")
    with connect(dsn, database) as connection:
        connection.execute("SET timezone = 'UTC'")
        with step("extensions") as notes:
            notes.append(create_extensions(connection))
        with step("schema") as notes:
            notes.append(deploy_files(dsn, database))
            if not open_rights.close(connection):
                notes.append(f"a superuser is to run {open_rights.FILE}")
        with step("password of rubi_app") as notes:
            notes.append(set_app_password(connection, dsn, passwords, again=new_passwords))
        with step(f"password of {ADMINISTRATOR}") as notes:
            notes.append(set_administrator_password(connection, passwords, again=new_passwords))
        with step("chunks and readings") as notes:
            notes.append(first_readings(connection))
        tables = [
            name
            for (name,) in connection.execute(
                "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
            )
        ]
        console.print(f"\nTables: {', '.join(tables)}\n", soft_wrap=True)
        failed = show_checklist(
            connection, make_conninfo(dsn, dbname=database), passwords.known("RUBI_APP_PASSWORD")
            or passwords.shown.get("RUBI_APP_PASSWORD"),
        )  # fmt: skip
        host = connection.info.host or "localhost"
        console.print(
            f"\npostgresql://rubi_app:****@{host}:{connection.info.port}/{database}",
            markup=False, soft_wrap=True,
        )  # fmt: skip
    if password_file and passwords.shown:
        console.print(f"passwords are in {password_file}", soft_wrap=True)
    elif passwords.shown:
        console.print("shown once, keep them now:")
        for name, password in passwords.shown.items():
            print(f"  {name}={password}")
    if failed:
        raise Failure(f"{failed} points of the checklist failed")


def show_checklist(connection: psycopg.Connection, dsn: str, password: str | None) -> int:
    """Print a line each; answers how many failed."""
    failed = 0
    for line in checklist.lines(connection, dsn, password):
        sign, style = {True: ("ok", "green"), False: ("FAILED", "bold red"), None: ("-", "dim")}[
            line.ok
        ]
        failed += line.ok is False
        console.print(f"[{style}]{sign:<7}[/]{line.name}: ", end="", soft_wrap=True)
        console.print(line.detail, markup=False, soft_wrap=True)
    return failed


if __name__ == "__main__":
    run(app)
