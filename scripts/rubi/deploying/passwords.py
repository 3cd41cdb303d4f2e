"""Passwords of the installation: their origins, and setting them."""

from rubi import early  # noqa: F401  # isort: skip

import os
import secrets
import string
from contextlib import suppress
from pathlib import Path

import psycopg

from rubi.cli import Failure, console, replace_private
from rubi.connecting import set_password

ADMINISTRATOR = "admin@rubi-studio.com"
# rubi_app is valid until this time before the installer gives it a password: no login succeeds
NO_PASSWORD_YET = "-infinity"


def new_password() -> str:
    """24 characters; the services ask for lower, upper, digit and special."""
    kinds = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-_.+")
    alphabet = "".join(kinds)
    characters = [secrets.choice(kind) for kind in kinds]
    characters += [secrets.choice(alphabet) for _ in range(24 - len(kinds))]
    secrets.SystemRandom().shuffle(characters)
    return "".join(characters)


class Passwords:
    """Origin and end of passwords: the environment, a file, or the screen once."""

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self.kept = {}
        self.shown: dict[str, str] = {}
        if path and path.exists():
            if path.stat().st_mode & 0o077:
                raise Failure(f"{path} can be read by others: chmod 600 {path}")
            pairs = (line.partition("=") for line in path.read_text(encoding="utf-8").splitlines())
            self.kept = {name: value for name, _, value in pairs if value}

    def known(self, name: str) -> str | None:
        """The password that the environment or the file holds."""
        return os.environ.get(name) or self.kept.get(name)

    def make(self, name: str) -> str:
        """A known password, or a new one: kept before the server is told."""
        password = self.known(name)
        if password is None:
            password = new_password()
            if self.path:
                self.kept[name] = password
                lines = (f"{name}={value}\n" for name, value in self.kept.items())
                replace_private(self.path, "".join(lines))
            self.shown[name] = password
        if not 8 <= len(password.encode()) <= 72:
            raise Failure(f"{name} needs 8 to 72 bytes")
        return password

    def tell(self) -> None:
        """Say what was made: the file that keeps passwords, or each of them, once."""
        if self.shown and self.path:
            console.print(f"passwords are in {self.path}")
        elif self.shown:
            console.print("shown once, keep them now:")
            for name, password in self.shown.items():
                print(f"  {name}={password}", flush=True)


def log_in(connection: psycopg.Connection, dsn: str, password: str) -> psycopg.Connection:
    """rubi_app by its password. A socket of Debian's servers lets in nobody but the system's user
    of the same name: the password is then for 127.0.0.1."""
    wanted = {"dbname": connection.info.dbname, "user": "rubi_app", "password": password}
    try:
        return psycopg.connect(dsn, **wanted, connect_timeout=10)
    except psycopg.OperationalError:
        if not connection.info.host.startswith("/"):
            raise
        return psycopg.connect(dsn, **wanted, connect_timeout=10, host="127.0.0.1")


def logs_in(connection: psycopg.Connection, dsn: str, password: str) -> bool:
    """Whether rubi_app is let in with this password, and not with another one."""
    let_in = []
    for tried in (password, password + "x"):
        try:
            log_in(connection, dsn, tried).close()
            let_in.append(True)
        except psycopg.OperationalError:
            let_in.append(False)
    return let_in == [True, False]


def make_app_role(connection: psycopg.Connection) -> None:
    """Make rubi_app before its rights are given, marked as never having had a password."""
    # another installation of this cluster may be quicker
    with suppress(psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation):
        connection.execute(f"CREATE ROLE rubi_app LOGIN VALID UNTIL '{NO_PASSWORD_YET}'")


def has_password(connection: psycopg.Connection) -> bool | None:
    """Whether rubi_app has a password; None where only a superuser could know."""
    is_new, is_set, readable = connection.execute(
        "SELECT rolvaliduntil IS NOT DISTINCT FROM %s, rolvaliduntil IS NOT DISTINCT FROM %s,"
        " has_column_privilege('pg_catalog.pg_authid', 'rolpassword', 'SELECT')"
        " FROM pg_roles WHERE rolname = 'rubi_app'", [NO_PASSWORD_YET, "infinity"],
    ).fetchone()  # fmt: skip
    if is_new or not readable:
        return False if is_new else is_set or None
    return connection.execute(
        "SELECT rolpassword IS NOT NULL FROM pg_authid WHERE rolname = 'rubi_app'"
    ).fetchone()[0]


def set_app_password(
    connection: psycopg.Connection, dsn: str, passwords: Passwords, *, again: bool
) -> str:
    """Give rubi_app a password unless it has one, which the API may be using."""
    name = "RUBI_APP_PASSWORD"
    has = has_password(connection)
    if not again and has is not False:
        known = passwords.known(name)
        if known and not logs_in(connection, dsn, known):
            return f"left as it is, though it is not {name}'s: --new-passwords replaces it"
        return "has one already" if has or known else "may have one: --new-passwords sets another"
    if again and not os.environ.get(name):
        passwords.kept.pop(name, None)
    password = passwords.make(name)
    try:
        set_password(connection, "rubi_app", password, valid="infinity")
    except psycopg.errors.InsufficientPrivilege:
        passwords.shown.pop(name, None)
        return "the service made this role: set its password through the service"
    return "set"


def set_administrator_password(
    connection: psycopg.Connection, passwords: Passwords, *, again: bool
) -> str:
    """Unlock the platform's administrator unless somebody has."""
    import bcrypt

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
