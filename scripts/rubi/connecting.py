"""The way of commands to a database: their common options, and the connection."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated, Any

import typer

from rubi import OLDEST, ROOT
from rubi.cli import Failure, console

if TYPE_CHECKING:
    import psycopg

# "already exists, skipping" of relations, objects, columns and schemas: notices of a second run
EXPECTED_NOTICES = {"42P07", "42710", "42701", "42P06", "00000"}
# by SET: PGTZ and PGDATESTYLE would win over options. Limits of a role, of which servers before 17
# lack one, are for its other work: a restore is silent for hours on one of its connections.
AT_WORK = (
    "SET timezone = 'UTC'; SET datestyle = 'ISO, MDY'; SET default_transaction_read_only = off;"
    " SELECT set_config(s.name, '0', FALSE) FROM pg_catalog.pg_settings AS s WHERE s.name IN ("
    "'statement_timeout', 'transaction_timeout', 'idle_session_timeout',"
    " 'idle_in_transaction_session_timeout')"
)
# a dead network is noticed within half a minute, for programs that run for years: else a quarter of
# an hour passes
ALIVE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}
Dsn = Annotated[
    str, typer.Option(help="libpq connection string or URL; else PG* variables or a service file")
]
Scratch = Annotated[
    str,
    typer.Option(
        help="Database to build in, empty except for extensions, and empty afterwards; without it "
        "one is created and dropped"
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON")]


def kept_alive(dsn: str) -> dict[str, int]:
    """ALIVE, but what the connection string says itself: with several hosts its connect_timeout is
    the time that each dead one takes."""
    from psycopg.conninfo import conninfo_to_dict

    said = conninfo_to_dict(dsn)
    return {name: value for name, value in ALIVE.items() if name not in said}


def set_password(connection: psycopg.Connection, role: str, password: str, valid: str = "") -> None:
    """Give a role a password; the server sees its SCRAM hash only, which no log then holds."""
    from psycopg import sql

    hashed = connection.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    ).decode()
    statement = sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(role), hashed)
    if valid:
        statement += sql.SQL(" VALID UNTIL {}").format(valid)
    connection.execute(statement)


def session(dsn: str, name: str, **more: Any) -> psycopg.Connection:
    """A connection in autocommit and UTC, without the limits that a role has for its other work.

    Raises Failure behind a pool of transactions: the next client would be without limits, too.
    """
    import psycopg  # a call for --help must not wait for this import

    connection = psycopg.connect(dsn, autocommit=True, application_name=f"rubi {name}", **more)
    if connection.execute("SELECT current_setting('rubi.pooled', TRUE)").fetchone()[0] == "on":
        connection.close()
        raise Failure("this is a pool of transactions: connect to the server directly")
    connection.execute(AT_WORK)
    return connection


@contextmanager
def connect(dsn: str = "") -> Iterator[psycopg.Connection]:
    """A session that reports what is worth reading of a file's notices."""
    from psycopg.rows import namedtuple_row

    with session(dsn, "deploy", row_factory=namedtuple_row, prepare_threshold=None) as connection:
        check_version(connection)
        connection.execute((ROOT / "deploy/session.sql").read_text(encoding="utf-8"))
        connection.execute("SET intervalstyle = postgres; SET bytea_output = hex")
        connection.add_notice_handler(show_notice)
        yield connection


def check_version(connection: psycopg.Connection) -> int:
    """The server's major version. Raises Failure when it is too old."""
    major = connection.info.server_version // 10000
    if major < OLDEST:
        raise Failure(f"PostgreSQL {major} is too old: {OLDEST} or newer needed")
    return major


def show_notice(diagnostic: psycopg.errors.Diagnostic) -> None:
    """Print a server's notice unless it only says that an object exists already."""
    if diagnostic.sqlstate not in EXPECTED_NOTICES or diagnostic.severity_nonlocalized == "WARNING":
        console.print(f"  {diagnostic.severity_nonlocalized}: {diagnostic.message_primary}")
