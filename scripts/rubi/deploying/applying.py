"""Applies one file and records it: tries again where another session holds a lock."""

from collections.abc import Callable
from contextlib import nullcontext
from time import monotonic, sleep

import psycopg

from rubi.cli import Failure, console
from rubi.deploying import locks
from rubi.deploying.history import applied, due, record_file
from rubi.deploying.sqlfiles import File, SqlFailure, run_statements


def apply_file(
    connection: psycopg.Connection,
    file: File,
    wait: float = 60,
    lock_timeout: float = locks.LOCK_TIMEOUT,
    watch: locks.Watch | None = None,
) -> None:
    """Run one file and record it, in one transaction unless the file can't run in one.

    A try that gets no lock within lock_timeout seconds, or a deadlock, is repeated until wait
    seconds have passed. Raises Failure with file, line and cause.
    """
    end = monotonic() + wait
    pauses = iter(locks.PAUSES)
    again = False
    while True:
        left = max(0.1, end - monotonic())
        try:
            with watch.one_try(again) if watch else nullcontext():
                run_and_record(connection, file, lock_timeout, left)
            return
        except SqlFailure as failure:
            if not locks.is_passing(failure.error):
                raise
            why = f"{failure}, {watch.blockers}" if watch and watch.blockers else str(failure)
            left = end - monotonic()
            if left <= 0:
                raise Failure(f"{why}: given up after {wait:g} s, not applied") from failure
        pause = min(next(pauses, locks.PAUSES[-1]), left)
        console.print(f"  {why}: again in {pause:.1f} s")
        sleep(pause)
        again = True


def apply_due(
    connection: psycopg.Connection,
    files: list[File],
    wait: float = 60,
    lock_timeout: float = locks.LOCK_TIMEOUT,
    told: Callable[[File, str], object] = lambda file, reason: None,
) -> list[tuple[File, str]]:
    """Apply what is due, one runner at a time, and answer it; no lock is taken for nothing."""
    if not due(files, applied(connection)):
        return []
    with locks.only_runner(connection, wait), locks.Watch(connection) as watch:
        # another runner may have done it meanwhile
        todo = due(files, applied(connection))
        for file, reason in todo:
            apply_file(connection, file, wait, lock_timeout, watch)
            told(file, reason)
    return todo


def run_and_record(
    connection: psycopg.Connection, file: File, lock_timeout: float, left: float
) -> None:
    try:
        connection.execute(f"SET lock_timeout = {int(min(lock_timeout, left) * 1000)}")
        if not file.alone:
            with connection.transaction():
                run_statements(connection, file)
                record_file(connection, file, "runner")
                connection.execute("RESET ROLE")
            return
        started = connection.execute("SELECT clock_timestamp()").fetchone()[0]
        connection.execute("CALL deploy.drop_invalid_indexes(%s)", [file.text])
        # a concurrent build waits for old transactions, which holds up nobody
        connection.execute(f"SET lock_timeout = {int(left * 1000)}")
        run_statements(connection, file)
        record_file(connection, file, "runner", started)
    except psycopg.Error as error:  # at commit, or of the connection
        raise SqlFailure(file, None, error) from error
