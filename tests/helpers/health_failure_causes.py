"""Causes of the checks of what fails, locks or is left behind on the server."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psycopg

from health_server_causes import write_wal
from health_watched import Watched, drives
from rubi.waiting import until


@drives("waiting_locks")
def waiting_locks(watched: Watched) -> Iterator[str]:
    watched.set("waiting_locks", 1, 3)
    holder = watched.another()
    holder.execute("BEGIN; LOCK TABLE public.mt5_symbols IN ACCESS EXCLUSIVE MODE")
    threads = []
    for status, count in (("warning", 1), ("critical", 2)):
        for _ in range(count):
            waiter = watched.another()
            threads.append(
                threading.Thread(target=waiter.execute, args=["SELECT FROM public.mt5_symbols"])
            )
            threads[-1].start()
        yield status
    holder.execute("ROLLBACK")
    for thread in threads:
        thread.join()
    watched.close_others()
    yield "ok"


@drives("archiver_failures")
def archiver_failures(watched: Watched) -> Iterator[str]:
    (folder,) = watched.admin.execute("SHOW data_directory").fetchone()
    failing = Path(folder) / "archive_fails"
    write_wal(watched, 1)
    watched.set("archiver_failures", 0.01, 999_999)
    failing.touch()
    try:
        write_wal(watched, 1)
        yield "warning"
        watched.set("archiver_failures", 0.01, 0.02)
        yield "critical"
    finally:
        failing.unlink()
    write_wal(watched, 1)  # the archiver sleeps for a minute after three failures
    yield "ok"


def deadlock(watched: Watched) -> None:
    """Two sessions lock two tables in opposite order; one of them fails."""
    first, second = watched.another(), watched.another()
    for connection in (first, second):
        connection.execute("SET deadlock_timeout = '10ms'")
    first.execute("BEGIN; LOCK TABLE public.mt5_symbols")
    second.execute("BEGIN; LOCK TABLE public.mt5_rejects")
    failed = []

    def cross(connection: psycopg.Connection, table: str) -> None:
        try:
            connection.execute(f"LOCK TABLE public.{table}")
        except psycopg.errors.DeadlockDetected as error:
            failed.append(error)
        connection.execute("ROLLBACK")
        connection.execute("SELECT pg_stat_force_next_flush()")

    threads = [
        threading.Thread(target=cross, args=[connection, table])
        for connection, table in ((first, "mt5_rejects"), (second, "mt5_symbols"))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(failed) == 1
    watched.close_others()


@drives("deadlocks")
def deadlocks(watched: Watched) -> Iterator[str]:
    watched.set("deadlocks", 1, 2)
    for status in ("warning", "critical"):
        deadlock(watched)
        yield status
        watched.run("SELECT monitoring.keep_samples()")  # counted once, before and after
        yield status
    # the hour passes
    watched.run(
        "UPDATE monitoring.facts SET began_at = began_at - interval '2 hours',"
        " seen_at = seen_at - interval '2 hours' WHERE kind = 'server'"
    )
    yield "ok"


@drives("failed_jobs")
def failed_jobs(watched: Watched) -> Iterator[str]:
    """Jobs as the Timescale licence makes them, and failures as its scheduler notes them."""
    found = watched.admin.execute(
        "SELECT max(c.oid::regclass::text) FILTER (WHERE relname = 'bgw_job'),"
        " max(c.oid::regclass::text) FILTER (WHERE relname <> 'bgw_job')"
        " FROM pg_class AS c WHERE relkind = 'r'"
        " AND relname IN ('bgw_job', 'bgw_job_stat_history', 'job_errors')"
    ).fetchone()
    jobs, history = found
    error = {"message": "disk full", "sqlerrcode": "53100"}
    noted = "job_id, execution_start, execution_finish, succeeded, data", {"error_data": error}
    if history.endswith("job_errors"):  # 2.11
        noted = "job_id, start_time, finish_time, pid, error_data", error
    watched.set("failed_jobs", 1, 2)
    for status, job in (("warning", 4711), ("critical", 4712)):
        watched.run(
            f"INSERT INTO {jobs} (id, application_name, schedule_interval, max_runtime,"
            " max_retries, retry_period, proc_schema, proc_name, owner, scheduled, fixed_schedule)"
            f" VALUES ({job}, 'test', '10 minutes', '0', -1, '0', 'public', 'policy',"
            " 'rubi_owner', TRUE, FALSE)",
            f"INSERT INTO monitoring.policy_runs (job_id) VALUES ({job})",
            f"INSERT INTO {history} ({noted[0]})"
            f" SELECT {job}, now(), now(), {'1' if 'pid' in noted[0] else 'FALSE'},"
            f" '{json.dumps(noted[1])}'",
        )
        yield status
    watched.run("UPDATE monitoring.policy_runs SET attempted_at = now(), succeeded_at = now()")
    yield "ok"
    watched.run(
        "DELETE FROM monitoring.policy_runs",
        f"DELETE FROM {history} WHERE job_id IN (4711, 4712)",
        f"DELETE FROM {jobs} WHERE id IN (4711, 4712)",
    )


@drives("failed_schedules")
def failed_schedules(watched: Watched) -> Iterator[str]:
    """Tables in pg_cron's form: tests/test_schedules.py has its own ones."""
    watched.set("failed_schedules", 1, 2)
    watched.run(
        "CREATE SCHEMA cron",
        "CREATE TABLE cron.job (jobid bigint, jobname text, command text, database text,"
        " active boolean)",
        "CREATE TABLE cron.job_run_details (jobid bigint, runid bigint, status text,"
        " return_message text, end_time timestamptz)",
        "INSERT INTO cron.job SELECT n, 'job ' || n, 'SELECT 1', current_database(), TRUE"
        " FROM generate_series(1, 2) AS n",
        "GRANT USAGE ON SCHEMA cron TO public",
        "GRANT SELECT ON ALL TABLES IN SCHEMA cron TO public",
    )
    for status, job in (("warning", 1), ("critical", 2)):
        watched.run(
            f"INSERT INTO cron.job_run_details VALUES ({job}, {job}, 'failed', 'no', now())"
        )
        yield status
    # the other job runs each 5 seconds, and the failed one once a week
    watched.run(
        "INSERT INTO cron.job_run_details"
        " SELECT 1, n, 'succeeded', '', now() FROM generate_series(10, 150000) AS n"
    )
    yield "warning"
    watched.run(
        "INSERT INTO cron.job_run_details"
        " SELECT n, n + 200000, 'succeeded', '', now() FROM generate_series(1, 2) AS n"
    )
    yield "ok"
    watched.run("DROP TABLE cron.job_run_details", "DROP TABLE cron.job", "DROP SCHEMA cron")


@drives("prepared_transactions")
def prepared_transactions(watched: Watched) -> Iterator[str]:
    watched.set("prepared_transactions", 0.01, 1.5)
    watched.run("BEGIN", "SELECT pg_current_xact_id()", "PREPARE TRANSACTION 'left'")
    yield "warning"
    yield "critical"
    watched.run("ROLLBACK PREPARED 'left'")
    yield "ok"


@drives("checksum_failures")
def checksum_failures(watched: Watched) -> Iterator[str]:
    """A page is damaged on disk, in a database whose files were copied past the cache."""
    watched.set("checksum_failures", 1, 2)
    name = f"{watched.name}_damaged"
    watched.run(f"CREATE DATABASE {name} TEMPLATE template0")
    try:
        dsn = watched.server.dsn(name)
        with closing(psycopg.connect(dsn, autocommit=True)) as connection:
            connection.execute("CREATE TABLE damaged AS SELECT 1 AS n")
        copy = f"{name}_copy"
        watched.run(f"CREATE DATABASE {copy} TEMPLATE {name} STRATEGY file_copy")
        with closing(psycopg.connect(watched.server.dsn(copy), autocommit=True)) as connection:
            (folder, path) = connection.execute(
                "SELECT current_setting('data_directory'), pg_relation_filepath('damaged')"
            ).fetchone()
            with (Path(folder) / path).open("r+b") as file:
                file.seek(4000)
                file.write(b"damage")
            for status in ("warning", "critical"):
                try:
                    connection.execute("SELECT * FROM damaged")
                except psycopg.errors.DataCorrupted:
                    connection.execute("SELECT pg_stat_force_next_flush()")
                yield status
        watched.run(f"DROP DATABASE {copy}")
        yield "ok"
    finally:
        watched.run(f"DROP DATABASE IF EXISTS {name}_copy", f"DROP DATABASE IF EXISTS {name}")


@drives("autovacuum_off")
def autovacuum_off(watched: Watched) -> Iterator[str]:
    watched.run("CREATE TABLE public.test (n integer) WITH (autovacuum_enabled = off)")
    yield "warning"
    watched.run("DROP TABLE public.test")
    yield "ok"
    try:
        watched.run("ALTER SYSTEM SET autovacuum = off", "SELECT pg_reload_conf()")
        yield "critical"
    finally:
        watched.run("ALTER SYSTEM RESET autovacuum", "SELECT pg_reload_conf()")
    yield "ok"


@drives("extensions_behind")
def extensions_behind(watched: Watched) -> Iterator[str]:
    watched.set("extensions_behind", 1, 2)
    before = watched.admin.execute(
        "SELECT extversion, extname FROM pg_extension WHERE extname <> 'timescaledb' LIMIT 2"
    ).fetchall()
    assert len(before) == 2
    for status, (_, name) in zip(("warning", "critical"), before, strict=True):
        watched.run(f"UPDATE pg_extension SET extversion = '0' WHERE extname = '{name}'")
        yield status
    for version, name in before:
        watched.run(f"UPDATE pg_extension SET extversion = '{version}' WHERE extname = '{name}'")
    yield "ok"


@drives("collation_versions")
def collation_versions(watched: Watched) -> Iterator[str]:
    watched.set("collation_versions", 1, 2)
    for status, name in (("warning", "c1"), ("critical", "c2")):
        watched.run(
            f"CREATE COLLATION public.{name} (provider = icu, locale = 'und')",
            f"CREATE TABLE public.of_{name} (t text COLLATE public.{name})",
            f"UPDATE pg_collation SET collversion = '0' WHERE collname = '{name}'",
        )
        yield status
    for name in ("c1", "c2"):
        watched.run(f"DROP TABLE public.of_{name}", f"DROP COLLATION public.{name}")
    yield "ok"


@drives("sample_age")
def sample_age(watched: Watched) -> Iterator[str]:
    until(
        "a sample is taken",
        lambda: watched.admin.execute("SELECT monitoring.take_sample()").fetchone()[0],
    )
    yield "ok"
    for status, age in (("warning", "2 minutes"), ("critical", "20 minutes")):
        watched.run(f"UPDATE monitoring.samples SET taken_at = taken_at - interval '{age}'")
        yield status
    watched.run("SELECT monitoring.take_sample()")
    yield "ok"
