"""The source's writes: stopped while the last rows are copied, refused when they have been."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from threading import Event, Thread
from time import monotonic, sleep

import psycopg
from psycopg import sql

from rubi.cli import Failure
from rubi.queries import queries, run_each
from rubi.upgrading.parts import Table

SQL = queries(__file__)
# writers behind the lock wait no longer for a try that fails
TRY = "2s"
TRIES_END = 20
# seconds after which a session that rests has told the statistics of all its writes, and a bit
REST = 12


def lock(old: psycopg.Connection, tables: list[Table]) -> float:
    """Hold every write, within a transaction; answers when they began to wait. Raises Failure when
    those that are under way don't end."""
    names = sql.SQL(", ").join(sql.SQL("ONLY {}").format(table.relation) for table in tables)
    end = monotonic() + TRIES_END
    while True:
        began = monotonic()
        try:
            with old.transaction():
                old.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(TRY))
                old.execute(sql.SQL("LOCK TABLE {} IN SHARE ROW EXCLUSIVE MODE").format(names))
                old.execute("SET LOCAL lock_timeout = 0")
            return began
        except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
            if monotonic() > end:
                raise Failure(
                    f"writes under way did not end within {TRIES_END} s, nothing was changed:"
                    f" {who(old, tables)}"
                ) from error
        sleep(0.5)


def who(old: psycopg.Connection, tables: list[Table]) -> str:
    """Sessions that hold what writing takes, in words."""
    found = old.execute(SQL.WRITERS, {"tables": [table.oid for table in tables]}).fetchall()
    return ", ".join(f"{role} ({pid})" for role, pid in found) or "end what writes, and try again"


def end_sessions(old: psycopg.Connection) -> list[str]:
    """End sessions that may have written: only then do the statistics tell of all their writes.
    Answers their roles."""
    ended = []
    with as_login(old):  # the owner of tables may end nobody
        for pid, role in old.execute(SQL.SESSIONS).fetchall():
            with suppress(psycopg.errors.InsufficientPrivilege), old.transaction():
                old.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
            old.execute("SELECT pg_stat_clear_snapshot()")
            if old.execute("SELECT FROM pg_stat_activity WHERE pid = %s", [pid]).rowcount:
                raise Failure(
                    f"a session of {role} (process {pid}) does not end: end it; nothing was changed"
                )
            ended.append(role)
    return ended


@contextmanager
def as_login(old: psycopg.Connection) -> Iterator[None]:
    """As the role that logged in, which may see more of other sessions than the tables' owner."""
    old.execute("RESET ROLE")
    yield
    old.execute("CALL deploy.become_owner()")


def told(old: psycopg.Connection, moment: datetime) -> bool:
    """Wait until the statistics tell of all writes before a moment, of superusers' sessions, too;
    FALSE where one does not come to rest in time."""
    waiting, end = None, monotonic() + REST
    while True:
        old.execute("SELECT pg_stat_clear_snapshot()")
        with as_login(old):
            found = {pid for (pid,) in old.execute(SQL.UNTOLD, {"start": moment})}
        # a session that has rested once has told all
        waiting = found if waiting is None else waiting & found
        if not waiting or monotonic() > end:
            return not waiting
        sleep(0.3)


def close(old: psycopg.Connection, tables: list[Table]) -> None:
    """Have the source refuse writes from the end of this transaction on, those that wait too."""
    old.execute(SQL.REFUSE)
    run_each(old, SQL.CLOSE, {"tables": [table.oid for table in tables]})


def is_closed(old: psycopg.Connection) -> bool:
    """Whether the source refuses writes."""
    return old.execute("SELECT to_regproc('deploy.refuse_writes') IS NOT NULL").fetchone()[0]


def reopen(old: psycopg.Connection) -> int:
    """Let the source take writes again; answers how many tables refused them."""
    with old.transaction():
        found = run_each(old, SQL.OPEN)
        old.execute("DROP FUNCTION IF EXISTS deploy.refuse_writes()")
    return found


@contextmanager
def limited(seconds: float, *connections: psycopg.Connection) -> Iterator[None]:
    """Cancel what connections do after so many seconds, and raise Failure then."""
    done, late = Event(), Event()

    def watch() -> None:
        if done.wait(seconds):
            return
        late.set()
        while not done.wait(0.2):
            for connection in connections:
                with suppress(psycopg.Error):
                    connection.cancel_safe(timeout=2)

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    except psycopg.errors.QueryCanceled as error:
        if not late.is_set():
            raise
        raise Failure(
            f"not done within {seconds:g} s, nothing was changed and writes go on: --ahead until"
            " a run takes less, or a higher --limit"
        ) from error
    finally:
        done.set()
        thread.join()
