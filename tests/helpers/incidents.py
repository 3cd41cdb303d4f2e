"""Troubles that are really staged while samples are taken, and the name of each on the page.

An incident is a generator: what stands before its yield is the trouble, what follows ends it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg

import health_data_causes as data
from health_causes import CAUSES
from health_failure_causes import deadlock
from health_server_causes import blocked, write_wal
from health_watched import Watched
from rubi.waiting import until

Incident = Callable[[Watched], Iterator[None]]
# kind that the page must name: what is staged
INCIDENTS: dict[str, tuple[str, Incident]] = {}
SECRET = "geheim-4711"


def staged(title: str, kind: str) -> Callable[[Incident], Incident]:
    """Says which kind an incident must be named."""

    def register(incident: Incident) -> Incident:
        INCIDENTS[title] = kind, incident
        return incident

    return register


def in_thread(connection: psycopg.Connection, statement: str) -> threading.Thread:
    """Runs a statement that will wait or be ended."""

    def run() -> None:
        with suppress(psycopg.Error):  # ended by the test
            connection.execute(statement)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


def take_soon(db: psycopg.Connection) -> bool:
    """Ask for a sample within half a second of the sample before, however slow the machine is."""
    cursor = db.execute(
        "UPDATE monitoring.samples SET taken_at = clock_timestamp()"
        " WHERE ctid = (SELECT ctid FROM monitoring.samples ORDER BY age(xmin) LIMIT 1);"
        " SELECT monitoring.take_sample()"
    )
    cursor.nextset()
    return cursor.fetchone()[0]


def until_waiting(watched: Watched, count: int) -> None:
    """Sessions wait for a lock, and long enough to be written down."""
    until(
        f"{count} sessions wait for 0.25 seconds",
        lambda: (
            watched.admin.execute(
                "SELECT count(DISTINCT pid) FROM pg_locks"
                " WHERE NOT granted AND waitstart < clock_timestamp() - interval '0.25 seconds'"
            ).fetchone()[0]
            >= count
        ),
        30,
    )


@staged("idle in transaction with a lock", "idle in transaction")
def idle_with_lock(watched: Watched) -> Iterator[None]:
    with blocked(watched):
        until_waiting(watched, 1)
        yield


@staged("long snapshot", "long snapshot")
def long_snapshot(watched: Watched) -> Iterator[None]:
    reader = watched.another()
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
    reader.execute(f"SELECT '{SECRET}'")
    reader.execute("SELECT pg_sleep(0.2)")
    yield
    watched.close_others()


@staged("lock queue behind ALTER TABLE", "lock queue")
def lock_queue(watched: Watched) -> Iterator[None]:
    reader, changer, other = watched.another(), watched.another(), watched.another()
    reader.execute("BEGIN; SELECT FROM public.mt5_symbols")
    threads = [in_thread(changer, "ALTER TABLE public.mt5_symbols ADD COLUMN n integer")]
    until_waiting(watched, 1)
    threads.append(in_thread(other, f"SELECT FROM public.mt5_symbols WHERE symbol = '{SECRET}'"))
    until_waiting(watched, 2)
    yield
    changer.cancel()
    reader.execute("ROLLBACK")
    for thread in threads:
        thread.join()
    watched.close_others()


@staged("deadlock", "deadlocks")
def two_in_a_deadlock(watched: Watched) -> Iterator[None]:
    deadlock(watched)
    yield


@staged("connection storm", "connection storm")
def connection_storm(watched: Watched) -> Iterator[None]:
    for _ in range(65):
        watched.connect().close()
    yield


@staged("checkpoint storm", "checkpoint storm")
def checkpoint_storm(watched: Watched) -> Iterator[None]:
    for _ in range(4):
        watched.run("SELECT pg_current_xact_id()", "CHECKPOINT")
    yield


@staged("archiver fails", "archiver failures")
def archiver_fails(watched: Watched) -> Iterator[None]:
    failed = "SELECT failed_count FROM pg_stat_archiver"
    (before,) = watched.admin.execute(failed).fetchone()
    (folder,) = watched.admin.execute("SHOW data_directory").fetchone()
    (Path(folder) / "archive_fails").touch()
    write_wal(watched, 1)
    until("archiving fails", lambda: watched.admin.execute(failed).fetchone()[0] > before, 30)
    yield
    (Path(folder) / "archive_fails").unlink()
    write_wal(watched, 1)


@staged("bulk load", "bulk load")
def bulk_load(watched: Watched) -> Iterator[None]:
    watched.run(
        "CREATE TABLE public.test (n integer)",
        "INSERT INTO public.test SELECT generate_series(1, 150000)",
    )
    yield
    watched.run("DROP TABLE public.test")


@staged("COPY that goes on", "bulk load")
def copy_goes_on(watched: Watched) -> Iterator[None]:
    watched.run("CREATE TABLE public.test (n integer)")
    with watched.another().cursor().copy("COPY public.test FROM STDIN") as copy:
        for number in range(50_000):
            copy.write_row([number])
        until(
            "the server copies",
            lambda: watched.admin.execute("SELECT FROM pg_stat_progress_copy").rowcount,
        )
        watched.admin.execute("SELECT pg_sleep(0.2)")
        yield
    watched.close_others()
    watched.run("DROP TABLE public.test")


@staged("chunk made in the middle", "chunk made")
def chunk_made(watched: Watched) -> Iterator[None]:
    data.bar(watched, "now() - interval '400 days'")
    yield
    data.drop_bars(watched)


@staged("deploy waits for a lock", "deploy waiting for a lock")
def deploy_waits(watched: Watched) -> Iterator[None]:
    reader, deployer = watched.another(), watched.another()
    reader.execute("BEGIN; SELECT FROM public.mt5_symbols")
    deployer.execute("SET application_name = 'rubi deploy'")
    thread = in_thread(deployer, "ALTER TABLE public.mt5_symbols ADD COLUMN n integer")
    until_waiting(watched, 1)
    yield
    deployer.cancel()
    thread.join()
    watched.close_others()


@staged("deploy", "deploy")
def deploy(watched: Watched) -> Iterator[None]:
    watched.run(
        "INSERT INTO deploy.history (path, kind, sha256, body, tool, tool_version, duration_ms)"
        f" VALUES ('views/3999_test.sql', 'changed', repeat('0', 64), '{SECRET}', 'runner', '3', 9)"
    )
    yield
    watched.run("DELETE FROM deploy.history WHERE path = 'views/3999_test.sql'")


@staged("dump", "backup running")
def dump(watched: Watched) -> Iterator[None]:
    reader = watched.another()
    reader.execute("SET application_name = 'pg_dump'")
    reader.execute("BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT pg_sleep(0.2)")
    yield
    watched.close_others()


@staged("backup that ended", "backup running")
def backup_ended(watched: Watched) -> Iterator[None]:
    watched.run(
        "INSERT INTO monitoring.backup_runs (kind, started_at, finished_at, succeeded)"
        " VALUES ('backup', now() - interval '1 minute', now(), TRUE)"
    )
    yield
    watched.run("DELETE FROM monitoring.backup_runs")


@staged("temporary files", "temporary files")
def temporary_files(watched: Watched) -> Iterator[None]:
    watched.run(
        "SET work_mem = '64kB'",
        "SELECT count(*) FROM (SELECT repeat('x', 300) || n AS t FROM"
        " generate_series(1, 300000) AS n ORDER BY 1 OFFSET 0) AS t",
        "RESET work_mem",
    )
    yield


@staged("vacuum of a big table", "vacuum")
def vacuum(watched: Watched) -> Iterator[None]:
    worker = watched.another()
    watched.run(
        "CREATE TABLE public.test AS SELECT n, repeat('x', 900) AS pad"
        " FROM generate_series(1, 20000) AS n"
    )
    worker.execute("SET vacuum_cost_delay = 100; SET vacuum_cost_limit = 10")
    thread = in_thread(worker, "VACUUM public.test")
    until(
        "the table is vacuumed",
        lambda: watched.admin.execute("SELECT FROM pg_stat_progress_vacuum").rowcount,
    )
    watched.admin.execute("SELECT pg_sleep(0.2)")
    yield
    worker.cancel()
    thread.join()
    watched.close_others()
    watched.run("DROP TABLE public.test")


@staged("statement_timeout storm", "statement timeouts")
def timeouts(watched: Watched) -> Iterator[None]:
    """The sessions have no limit of their own: what is near the role's stays for the sample."""
    watched.run(f"ALTER ROLE rubi_app IN DATABASE {watched.name} SET statement_timeout = '1s'")
    connections = [watched.connect("rubi_app") for _ in range(12)]
    for connection in connections:
        connection.execute("SET statement_timeout = 0")
    threads = [in_thread(c, f"SELECT pg_sleep(600), '{SECRET}'") for c in connections]
    until(
        "the statements have run for 0.8 seconds",
        lambda: (
            watched.admin.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE usename = 'rubi_app'"
                " AND query ~ 'pg_sleep' AND datname = %s"
                " AND query_start < clock_timestamp() - interval '0.8 seconds'",
                [watched.name],
            ).fetchone()[0]
            == 12
        ),
    )
    yield
    for thread, connection in zip(threads, connections, strict=True):
        connection.cancel()
        thread.join()
        connection.close()
    watched.run(f"ALTER ROLE rubi_app IN DATABASE {watched.name} RESET statement_timeout")


@staged("rollbacks", "rollbacks")
def rollbacks(watched: Watched) -> Iterator[None]:
    for _ in range(200):
        watched.admin.execute("BEGIN; ROLLBACK")
    watched.run()
    yield


@staged("sequential scans of a hot table", "sequential scans")
def sequential_scans(watched: Watched) -> Iterator[None]:
    watched.run("CREATE TABLE public.test AS SELECT generate_series(1, 100000) AS n")
    for _ in range(12):
        watched.run("SELECT count(*) FROM public.test")
    yield
    watched.run("DROP TABLE public.test")


def by_health(check: str) -> Incident:
    """The cause of a check of health, at its first level."""

    def incident(watched: Watched) -> Iterator[None]:
        levels = CAUSES[check](watched)
        for status in levels:
            if status != "ok":
                break
        yield
        for _ in levels:
            pass

    return incident


for _title, _kind, _check in (
    ("ingest lag", "ingest lag", "market_lag"),
    ("snapshots stay away", "ingest lag", "snapshot_lag"),
    ("terminal away", "ping lag", "ping_lag"),
    ("replication slot left behind", "replication slots", "replication_slots"),
    ("failed policy job", "failed jobs", "failed_jobs"),
    ("failed job of pg_cron", "failed schedules", "failed_schedules"),
    ("prepared transaction left", "prepared transactions", "prepared_transactions"),
):
    INCIDENTS[_title] = _kind, by_health(_check)
