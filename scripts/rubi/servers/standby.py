"""A standby of this machine: its start, its streaming, its address."""

from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from rubi.cli import Failure
from rubi.servers import pgtools
from rubi.waiting import until

WAIT = 60


def wait_for(connection: psycopg.Connection, name: str, state: str) -> None:
    """Return when a standby streams in that state; raise Failure after a minute."""
    query = (
        "SELECT FROM pg_stat_replication WHERE application_name = %s AND state = 'streaming'"
        " AND sync_state = %s"
    )
    until(
        f"standby {name} streams (its log says what stops it)",
        lambda: connection.execute(query, [name, state]).rowcount,
        WAIT,
    )


def answers(dsn: str) -> bool:
    """Whether a server takes connections, also of other roles."""
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError as error:
        return error.sqlstate is not None or "FATAL" in str(error)
    return True


def own_dsn(folder: Path) -> str:
    """The address of a local server, from its postmaster.pid."""
    lines = (folder / "postmaster.pid").read_text().splitlines()
    return make_conninfo(host=lines[4], port=lines[3], user="postgres", dbname="postgres")


def control(tools: Path, folder: Path, command: str) -> None:
    """pg_ctl, waiting until it is done; the server's log lies in its folder."""
    log = folder / "standby.log"
    try:
        pgtools.run(
            tools / "pg_ctl", f"--pgdata={folder}", f"--log={log}", f"--timeout={WAIT}", "--wait",
            command, as_server=True,
        )  # fmt: skip
    except Failure as error:
        lines = log.read_text().splitlines() if log.exists() else []
        cause = next((line for line in reversed(lines) if "FATAL" in line), None)
        raise Failure(f"{error}{f': {cause}' if cause else ''}") from error
