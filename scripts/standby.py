"""Makes a streaming standby of a self-hosted server, and promotes it when the primary is lost.

Runs as root or the server's user (postgres) on the machine of the standby.
Docs: docs/guides/self-hosted-backups.md.
"""

import re
from pathlib import Path
from time import monotonic
from typing import Annotated

import psycopg
import typer
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from rubi.cli import Failure, console, new_app, run, step
from rubi.servers import embedded, pgtools
from rubi.servers.standby import answers, control, drop_slot, own_dsn, wait_for

app = new_app(__doc__)
Folder = Annotated[Path, typer.Argument(help="data folder of the standby")]
Programs = Annotated[Path | None, typer.Option(help="folder of pg_ctl; else found by version")]


@app.command()
def make(
    folder: Folder,
    primary: Annotated[
        str, typer.Option(help="connection string of a superuser there; else PG* variables")
    ] = "",
    name: Annotated[str, typer.Option(help="name of the standby and of its slot")] = "standby1",
    port: Annotated[int, typer.Option(help="port of the standby")] = 5432,
    socket: Annotated[str, typer.Option(help="folder of its socket")] = "/var/run/postgresql",
    synchronous: Annotated[
        bool, typer.Option(help="the primary answers a commit when it is safe here too")
    ] = False,
    programs: Programs = None,
) -> None:
    """Copy the primary, start, and wait until it streams."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        raise typer.BadParameter("--name: small letters, digits and underscores")
    if folder.exists() and any(folder.iterdir()):
        raise Failure(f"{folder} is not empty: a standby begins with an empty folder")
    user = embedded.server_user()
    if user and folder.exists() and folder.stat().st_uid != user.pw_uid:
        raise Failure(f"{folder} is not {user.pw_name}'s: chown {user.pw_name} {folder}")
    with psycopg.connect(primary, autocommit=True) as connection:
        tools = programs or pgtools.programs_for(connection.info.server_version // 10000)
        slot = connection.execute(
            "SELECT active FROM pg_replication_slots WHERE slot_name = %s", [name]
        ).fetchone()
        if slot and slot[0]:
            raise Failure(f"the primary has a standby {name} already: give another --name")
        embedded.owned_folder(folder)
        with step("primary copied"):
            try:
                pgtools.run(
                    tools / "pg_basebackup", f"--pgdata={folder}", "--write-recovery-conf",
                    f"--slot={name}", *([] if slot else ["--create-slot"]), "--checkpoint=fast",
                    env=pgtools.environment(make_conninfo(primary, application_name=name)),
                    as_server=True,
                )  # fmt: skip
            except BaseException:
                if not slot:
                    drop_slot(connection, name)
                raise
        with (folder / "postgresql.auto.conf").open("a", encoding="utf-8") as conf:
            conf.write(f"port = {port}\nunix_socket_directories = '{socket}'\n")
        with step("standby started"):
            control(tools, folder, "start")
        if synchronous:
            connection.execute(
                sql.SQL("ALTER SYSTEM SET synchronous_standby_names = {}").format(name)
            )
            connection.execute("SELECT pg_reload_conf()")
        with step("synchronous" if synchronous else "streaming"):
            wait_for(connection, name, "sync" if synchronous else "async")
    console.print(f"standby {name} in {folder} follows; to take over: standby.py promote {folder}")


@app.command()
def promote(
    folder: Folder,
    force: Annotated[bool, typer.Option(help="though the primary answers")] = False,
    programs: Programs = None,
) -> None:
    """Make the standby the primary. The old one must be down and stay down."""
    if not (folder / "standby.signal").exists():
        raise Failure(f"{folder} is no standby, or was promoted already")
    major = int((folder / "PG_VERSION").read_text(encoding="utf-8"))
    tools = programs or pgtools.programs_for(major)
    settings = (folder / "postgresql.auto.conf").read_text(encoding="utf-8")
    conninfo = re.findall(r"^primary_conninfo = '(.*)'$", settings, flags=re.MULTILINE)[-1]
    parts = conninfo_to_dict(conninfo.replace("''", "'"))
    for key in ("dbname", "application_name", "replication"):
        parts.pop(key, None)
    if not force and answers(make_conninfo(**parts, dbname="postgres", connect_timeout="5")):
        raise Failure("the primary still answers: stop it first, or both will take writes")
    with step("promoted") as notes:
        began = monotonic()
        control(tools, folder, "promote")
        notes.append(f"{monotonic() - began:.1f} s")
    with psycopg.connect(own_dsn(folder), autocommit=True) as connection:
        # a copy of the primary's setting would make every commit wait for a standby of this one
        connection.execute("ALTER SYSTEM RESET synchronous_standby_names")
        connection.execute("SELECT pg_reload_conf()")
        if connection.execute("SELECT pg_is_in_recovery()").fetchone()[0]:
            raise Failure("the server is still in recovery: see its log")
    console.print("this server is the primary now; never start the old one again as it is")


if __name__ == "__main__":
    run(app)
