"""A standby of this machine: its start, its streaming, its address."""

from contextlib import suppress
from pathlib import Path

import psycopg
from psycopg import pq
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
    """Whether a server is there, also one that lets other roles in, or nobody yet."""
    found = pq.PGconn.ping(dsn.encode())
    return found in (pq.Ping.OK, pq.Ping.REJECT)


def drop_slot(connection: psycopg.Connection, name: str) -> None:
    """Drop the slot of a standby that came to nothing: WAL would be kept for it until the disk of
    the primary is full."""
    with suppress(psycopg.Error):  # the cause is told
        connection.execute(
            "SELECT pg_drop_replication_slot(s.slot_name) FROM pg_replication_slots AS s"
            " WHERE s.slot_name = %s AND NOT s.active",
            [name],
        )


def own_dsn(folder: Path) -> str:
    """The address of a local server, from its postmaster.pid."""
    lines = (folder / "postmaster.pid").read_text(encoding="utf-8").splitlines()
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
        if not log.exists():
            raise
        raise Failure(f"{error}: {pgtools.last_words(log)}") from error
