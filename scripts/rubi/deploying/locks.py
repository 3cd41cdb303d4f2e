"""Waiting for others: one runner at a time, and locks that another session holds.

No statement here waits without a bound, and every wait names the other session.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from time import monotonic, sleep
from typing import Annotated, Self

import psycopg
import typer
from psycopg.conninfo import make_conninfo

from rubi.cli import Failure, console

Wait = Annotated[
    float,
    typer.Option(min=0, help="Seconds to go on trying for a lock, and for another runner to end"),
]
LockTimeout = Annotated[
    float,
    typer.Option(
        min=0.01, help="Seconds that one try may queue for a lock while others queue behind"
    ),
]
# Requests that queue behind a try wait so long. Who holds the lock is done in milliseconds or keeps
# it for longer than any client waits: with 0.4 s, thirty changes beside a dump and an open report
# kept a twentieth of all requests waiting, 375 ms each.
LOCK_TIMEOUT = 0.02
KEY = 1381319241  # the same in lock.sql
RETRIED = {"55P03", "40P01"}  # lock_not_available, deadlock_detected
PAUSES = (0.1, 0.2, 0.5, 1, 2)
SESSION = (
    "format('pid %%s (%%s)', a.pid, concat_ws(', ', a.usename, nullif(a.application_name, ''),"
    " a.client_addr, a.state, 'for ' || extract(epoch FROM clock_timestamp() - coalesce("
    "a.xact_start, a.backend_start))::integer || ' s'))"
)


@contextmanager
def only_runner(connection: psycopg.Connection, wait: float) -> Iterator[None]:
    """Hold the lock of the one runner, which ends with the connection at the latest.

    Polls: a session waiting inside a statement would hold a snapshot, and CREATE INDEX CONCURRENTLY
    of the runner at work would wait for that. Raises Failure after wait seconds.
    """
    began = monotonic()
    said = ""
    while not connection.execute("SELECT pg_try_advisory_lock(%s)", [KEY]).fetchone()[0]:
        row = connection.execute(
            f"SELECT {SESSION} FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)"  # noqa: S608
            " WHERE l.locktype = 'advisory' AND l.classid = 0 AND l.objid = %s AND l.granted"
            " AND a.datname = current_database()",
            [KEY],
        ).fetchone()
        holder = row[0] if row else "somebody"
        if monotonic() - began >= wait:
            raise Failure(f"another deployment is at work, given up after {wait:g} s: {holder}")
        if not said:
            console.print(f"waiting for another deployment: {holder}")
        said = holder
        sleep(min(0.2, max(0.01, wait)))
    try:
        yield
    finally:
        if not connection.closed and not connection.broken:
            connection.execute("SELECT pg_advisory_unlock(%s)", [KEY])


class Watch:
    """Finds the sessions that block a file, over a connection of its own.

    The first try is watched when it takes long; the ones after it from their beginning, since they
    may be over in milliseconds.
    """

    def __init__(self, connection: psycopg.Connection) -> None:
        self.pid = connection.info.backend_pid
        self.dsn = make_conninfo(connection.info.dsn, password=connection.info.password)
        self.blockers = ""
        self.since = monotonic()
        self.again = self.trying = self.seen = False
        self.done = threading.Event()
        self.thread = threading.Thread(target=self.look, daemon=True)

    def __enter__(self) -> Self:
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.done.set()
        self.thread.join()

    @contextmanager
    def one_try(self, again: bool) -> Iterator[None]:
        """A try, the first of a file or one after it: then the blocker of the last stays known."""
        if not again:
            self.blockers = ""
        self.since, self.again, self.trying, self.seen = monotonic(), again, True, False
        try:
            yield
            self.again = False
        except BaseException:
            self.again = True  # from here on, so that the connection is there for the next try
            raise
        finally:
            self.trying = False

    def look(self) -> None:
        """Ask while a try takes long or is not the first, until all is done."""
        while not self.done.wait(0.02):
            if not self.is_late():
                continue
            try:
                with psycopg.connect(
                    self.dsn,
                    autocommit=True,
                    connect_timeout=5,
                    application_name="rubi deploy watch",
                ) as connection:
                    while self.is_late() and not self.done.wait(0.003):
                        if self.trying and not self.seen:
                            self.ask(connection)
            except psycopg.Error:
                return  # the file's own error is the one to report

    def is_late(self) -> bool:
        """Whether somebody seems to be in the way."""
        return self.again or (self.trying and monotonic() - self.since > 0.2)

    def ask(self, connection: psycopg.Connection) -> None:
        """Look once; print the first answer of this file."""
        seen = connection.execute(
            f"SELECT string_agg({SESSION}, '; '), (SELECT coalesce(l.relation::regclass::text,"  # noqa: S608
            " l.locktype) FROM pg_locks AS l WHERE l.pid = %(pid)s AND NOT l.granted LIMIT 1)"
            " FROM pg_stat_activity AS a WHERE a.pid = ANY (pg_blocking_pids(%(pid)s))",
            {"pid": self.pid},
        ).fetchone()
        if seen and seen[0]:
            self.seen = True
            first = not self.blockers
            self.blockers = f"waiting for a lock on {seen[1]}, held by {seen[0]}"
            if first:
                console.print(f"  {self.blockers}")


def is_passing(error: psycopg.Error) -> bool:
    """Whether trying again may help.

    Roles belong to the cluster: when two of its databases are deployed in parallel, one of them
    meets an internal error or a unique index of the catalog.
    """
    if error.sqlstate == "XX000":
        return "tuple concurrently" in str(error)
    if error.sqlstate == "23505":
        return error.diag.schema_name == "pg_catalog"
    return error.sqlstate in RETRIED
