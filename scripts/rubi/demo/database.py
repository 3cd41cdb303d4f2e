"""The demo's database, on its own server or a given one, where nothing else is touched."""

import secrets

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from rubi import connecting
from rubi.cli import Failure
from rubi.demo import replaying
from rubi.demo.desk import EMAIL
from rubi.demo.server import DATABASE, Demo
from rubi.deploying import applying, open_rights, sqlfiles
from rubi.deploying.history import OtherFiles
from rubi.servers import debian

# The comment by which the demo knows its database and roles on a server that was given to it.
MARK = "made by scripts/demo.sh, which may change everything here"
ROLES = {"rubi_admin": "LOGIN CREATEDB CREATEROLE", "rubi_app": "LOGIN", "rubi_ingest": "LOGIN"}
READERS = ("rubi_readonly", "rubi_monitor", "rubi_backup")  # the pages' examples run as they


def prepare(demo: Demo) -> str:
    """What a managed service does: roles, database, extensions; answers versions."""
    maintenance = conninfo_to_dict(demo.given).get("dbname") if demo.given else "postgres"
    with psycopg.connect(
        demo.dsn("postgres", str(maintenance or "postgres")), autocommit=True
    ) as con:
        major = connecting.check_version(con)
        found = con.execute(
            "SELECT default_version FROM pg_available_extensions WHERE name = 'timescaledb'"
        ).fetchone()
        if not found:
            raise Failure("that server has no TimescaleDB: install it, or unset RUBI_SERVER_URL")
        if demo.given:
            refuse_foreign(con)
        make_roles(con)
        for role in ROLES:
            set_password(demo, con, role)
        if is_half_made(demo, con):
            con.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(DATABASE)))
        make_database(con)
    with psycopg.connect(demo.dsn("postgres"), autocommit=True) as con:
        con.execute("SET client_min_messages = error")
        for name in ("timescaledb", "pg_stat_statements"):
            con.execute(f"CREATE EXTENSION IF NOT EXISTS {name}")
        open_rights.close(con)
        return f"PostgreSQL {major}, TimescaleDB {found[0]}"


def is_half_made(demo: Demo, connection: psycopg.Connection) -> bool:
    """Whether a replay began in the database and never came to its end.

    The books of the terminal ended with the run that was interrupted: nothing can go on there.
    """
    if not connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
        return False
    with psycopg.connect(demo.dsn("postgres"), autocommit=True) as inside:
        try:
            begun = inside.execute("SELECT FROM users WHERE email = %s", [EMAIL]).rowcount
        except psycopg.errors.UndefinedTable:
            return False
        return bool(begun) and not replaying.is_complete(inside)


def deploy_files(demo: Demo) -> str:
    """Apply what is due as rubi_admin, no superuser. Raises Failure."""
    files = sqlfiles.read_files()
    with connecting.connect(demo.dsn("rubi_admin")) as connection:
        try:
            done = applying.apply_due(connection, files)
        except OtherFiles as failure:
            clean = f"DROP DATABASE {DATABASE} there" if demo.given else "scripts/demo.sh clean"
            raise Failure(
                f"the demo's database was made by another checkout: {clean}, then start it again"
            ) from failure
    with psycopg.connect(demo.dsn()) as connection:
        open_rights.close(connection)
        # on a given server they may be somebody's
        for role in () if demo.given else READERS:
            set_password(demo, connection, role)
    return f"{len(done)} of {len(files)} files applied"


def set_password(demo: Demo, connection: psycopg.Connection, role: str) -> None:
    """Give a role a random password; the server sees its SCRAM hash only."""
    passwords = demo.passwords()
    password = passwords.get(role) or secrets.token_urlsafe(24)
    connecting.set_password(connection, role, password)
    with debian.readable_by_all():
        demo.folder.mkdir(parents=True, exist_ok=True)
    demo.save_passwords(passwords | {role: password})


def refuse_foreign(connection: psycopg.Connection) -> None:
    """Raises Failure when a given server has a database or roles of our names that aren't ours."""
    foreign = connection.execute(
        "SELECT 'database ' || datname FROM pg_database WHERE datname = %(database)s"
        " AND shobj_description(oid, 'pg_database') IS DISTINCT FROM %(mark)s"
        " UNION ALL SELECT 'role ' || rolname FROM pg_roles WHERE rolname = ANY (%(roles)s)"
        " AND shobj_description(oid, 'pg_authid') IS DISTINCT FROM %(mark)s",
        {"database": DATABASE, "roles": list(ROLES), "mark": MARK},
    ).fetchone()
    if foreign:
        raise Failure(
            f"that server has a {foreign[0]} that the demo did not make: "
            "give RUBI_SERVER_URL another server, or unset it"
        )


def make_roles(connection: psycopg.Connection) -> None:
    """The administrator of a managed service, and the API's role made by it; both marked."""
    for role, attributes in ROLES.items():
        if connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [role]).rowcount:
            continue
        with connection.transaction():
            if role != "rubi_admin":
                connection.execute("SET LOCAL ROLE rubi_admin")
            name = sql.Identifier(role)
            connection.execute(sql.SQL(f"CREATE ROLE {{}} {attributes}").format(name))
            connection.execute(sql.SQL("COMMENT ON ROLE {} IS {}").format(name, MARK))
    connection.execute("GRANT pg_monitor TO rubi_admin WITH ADMIN OPTION")


def make_database(connection: psycopg.Connection) -> None:
    """The database, under another name until it carries the mark."""
    if connection.execute("SELECT FROM pg_database WHERE datname = %s", [DATABASE]).rowcount:
        return
    new = sql.Identifier(f"{DATABASE}_of_the_demo")
    connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(new))
    connection.execute(sql.SQL("CREATE DATABASE {} OWNER rubi_admin").format(new))
    connection.execute(sql.SQL("COMMENT ON DATABASE {} IS {}").format(new, MARK))
    connection.execute(
        sql.SQL("ALTER DATABASE {} RENAME TO {}").format(new, sql.Identifier(DATABASE))
    )
