"""Installs the database on any server, a managed one included, and checks the installation.

Connect with libpq's variables, a service file or --dsn, as a role that may create databases and
roles; no superuser is needed. Running it again changes nothing. Passwords come from
RUBI_APP_PASSWORD and RUBI_ADMIN_PASSWORD or are generated; passwords are shown once, or written to
a file that only you read, and the server gets their hashes only.
"""

from rubi import early  # noqa: F401  # isort: skip

from pathlib import Path
from typing import Annotated

import typer
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from rubi.cli import Failure, console, new_app, run, step
from rubi.connecting import Dsn
from rubi.deploying import installing, locks, open_rights, passwords

DATABASE = "rubi_trading"

app = new_app(__doc__)
app.info.no_args_is_help = False


@app.callback(invoke_without_command=True)
def main(
    dsn: Dsn = "",
    database: Annotated[str, typer.Option(help="Database to install into")] = DATABASE,
    password_file: Annotated[
        Path | None, typer.Option(help="File of mode 600 for the passwords; else shown once")
    ] = None,
    new_passwords: Annotated[
        bool, typer.Option(help="Set new passwords for both: a rotation, or after a loss")
    ] = False,
) -> None:
    """Install, check, and print how to connect."""
    if conninfo_to_dict(dsn).get("password"):
        raise typer.BadParameter("a password in --dsn is seen in ps: use PGPASSWORD or ~/.pgpass")
    kept = passwords.Passwords(password_file)
    try:
        failed = install(dsn, database, kept, new_passwords)
    finally:
        kept.tell()  # the server knows them, also where a later step failed
    if failed:
        raise Failure(f"points of the checklist that failed: {failed}")


def install(dsn: str, database: str, kept: passwords.Passwords, again: bool) -> int:
    """All steps; answers how many points of the checklist failed."""
    with step("server") as notes:
        connection, exists = installing.first_connection(dsn, database)
        with connection:
            notes.append(installing.check_server(connection, exists))
            if not exists:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
                notes.append(f"database {database} created")
    with installing.connect(dsn, database) as connection:
        with step("extensions") as notes:
            notes.append(installing.create_extensions(connection))
        with step("schema") as notes:
            notes.append(installing.deploy_files(dsn, database))
            if not open_rights.close(connection):
                notes.append(f"a superuser is to run {open_rights.FILE}")
        # one at a time: of two installations one would show passwords that the other replaced
        with locks.only_runner(connection, 60):
            with step("password of rubi_app") as notes:
                notes.append(passwords.set_app_password(connection, dsn, kept, again=again))
            with step(f"password of {passwords.ADMINISTRATOR}") as notes:
                notes.append(passwords.set_administrator_password(connection, kept, again=again))
        with step("chunks and readings") as notes:
            notes.append(installing.first_readings(connection))
        (tables,) = connection.execute(
            "SELECT string_agg(tablename, ', ' ORDER BY tablename) FROM pg_tables"
            " WHERE schemaname = 'public'"
        ).fetchone()
        console.print(f"\nTables: {tables}\n")
        failed = installing.show_checklist(
            connection, dsn, kept.known("RUBI_APP_PASSWORD") or kept.shown.get("RUBI_APP_PASSWORD")
        )
        host = connection.info.host
        host = "127.0.0.1" if host.startswith("/") else host  # by password, as the check is
        console.print(f"\npostgresql://rubi_app:****@{host}:{connection.info.port}/{database}")
    return failed


if __name__ == "__main__":
    run(app)
