"""Causes of the checks of the server: connections, statements, indexes, replication, sizes."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import psycopg

from health_watched import CAUSES, Cause, Watched, drives
from rubi.waiting import until


@contextmanager
def blocked(watched: Watched) -> Iterator[None]:
    """A session that idles in a transaction with a lock, and another one that waits for it."""
    holder, waiter = watched.another(), watched.another()
    holder.execute("BEGIN; SELECT pg_current_xact_id()")
    holder.execute("LOCK TABLE public.mt5_symbols IN ACCESS EXCLUSIVE MODE")
    thread = threading.Thread(target=waiter.execute, args=["SELECT FROM public.mt5_symbols"])
    thread.start()
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        thread.join()
        watched.close_others()


def by_time(name: str) -> Cause:
    """The longer the session idles and the other one waits, the worse; time is not waited for."""

    def cause(watched: Watched) -> Iterator[str]:
        watched.set(name, 0.01, 999_999)
        with blocked(watched):
            yield "warning"
            watched.set(name, 0.01, 0.02)
            yield "critical"
        yield "ok"

    return cause


for _name in ("blocked_sessions", "idle_transactions", "long_transactions", "oldest_snapshot"):
    CAUSES[_name] = by_time(_name)


@drives("connections")
def connections(watched: Watched) -> Iterator[str]:
    used, usable = watched.monitor.execute(
        "SELECT used, usable FROM monitoring.connection_usage"
    ).fetchone()
    watched.set("connections", 100 * (used + 1.5) / usable, 100 * (used + 3.5) / usable)
    for status in ("warning", "critical"):
        watched.another(), watched.another()
        yield status
    watched.close_others()
    yield "ok"


@drives("slow_statements")
def slow_statements(watched: Watched) -> Iterator[str]:
    watched.run("SELECT pg_stat_statements_reset()")
    for status, seconds, critical in (("warning", 0.11, 999_999), ("critical", 0.26, 250)):
        watched.set("slow_statements", 100, critical)
        for _ in range(5):
            # a constant does not make another statement, a name does
            watched.run(f"SELECT pg_sleep({seconds}) AS {status}, {'1, ' * len(status)} 1")
        yield status
    watched.run("SELECT pg_stat_statements_reset()")
    yield "ok"


@drives("unused_indexes")
def unused_indexes(watched: Watched) -> Iterator[str]:
    now = watched.value("unused_indexes")
    watched.set("unused_indexes", now + 1, now + 100_000)
    watched.run(
        "CREATE TABLE public.test AS SELECT n FROM generate_series(1, 100) AS n",
        "CREATE INDEX idx_test ON public.test (n)",
    )
    yield "warning"
    watched.run("INSERT INTO public.test SELECT n FROM generate_series(1, 20000) AS n")
    yield "critical"
    watched.run(
        "SET enable_seqscan = off", "SELECT FROM public.test WHERE n = 5", "RESET enable_seqscan"
    )
    yield "ok"
    watched.run("DROP TABLE public.test")


@drives("duplicate_indexes")
def duplicate_indexes(watched: Watched) -> Iterator[str]:
    watched.run(
        "CREATE TABLE public.test (a bigint, b bigint)",
        "CREATE INDEX test_0 ON public.test (a, b)",
        "CREATE INDEX test_1 ON public.test (a)",
    )
    yield "warning"
    for number in range(2, 6):
        watched.run(f"CREATE INDEX test_{number} ON public.test (a, b)")
    yield "critical"
    for number in range(1, 6):
        watched.run(f"DROP INDEX public.test_{number}")
    yield "ok"
    watched.run("DROP TABLE public.test")


@drives("invalid_indexes")
def invalid_indexes(watched: Watched) -> Iterator[str]:
    watched.run("CREATE TABLE public.test AS SELECT 1 AS n FROM generate_series(1, 2)")
    for number in range(1, 4):
        try:
            watched.admin.execute(f"CREATE UNIQUE INDEX CONCURRENTLY i{number} ON public.test (n)")
        except psycopg.errors.UniqueViolation:
            yield {1: "warning", 2: "warning", 3: "critical"}[number]
    watched.run("DROP TABLE public.test")
    yield "ok"


@drives("missing_indexes")
def missing_indexes(watched: Watched) -> Iterator[str]:
    columns = [f"c{number}" for number in range(5)]
    watched.run(
        f"CREATE TABLE public.test ({', '.join(f'{column} bigint' for column in columns)})",
        "INSERT INTO public.test (c0) SELECT NULL FROM generate_series(1, 50000)",
    )
    for number, column in enumerate(columns):
        watched.run(f"ALTER TABLE public.test ADD FOREIGN KEY ({column}) REFERENCES public.users")
        if number in (0, 4):
            yield "critical" if number else "warning"
    for column in columns:
        watched.run(f"CREATE INDEX ON public.test ({column})")
    yield "ok"
    watched.run("DROP TABLE public.test")


@drives("cache_hits")
def cache_hits(watched: Watched) -> Iterator[str]:
    # a table over a quarter of shared_buffers is read through a small ring, past the cache
    watched.set("cache_hits", 85, 60)
    watched.run(
        "CREATE TABLE public.test (pad text)",
        "ALTER TABLE public.test ALTER COLUMN pad SET STORAGE PLAIN",
        "CREATE TABLE public.small (pad text)",
        "ALTER TABLE public.small ALTER COLUMN pad SET STORAGE PLAIN",
        "INSERT INTO public.small SELECT repeat('x', 7000) FROM generate_series(1, 1000)",
    )
    with watched.admin.cursor().copy("COPY public.test FROM STDIN") as copy:
        for _ in range(5000):
            copy.write_row(["x" * 7000])
    watched.run()  # its own figures before they are reset
    watched.run("SELECT pg_stat_reset()", "SET max_parallel_workers_per_gather = 0")
    for _ in range(6):
        watched.run("SELECT count(*) FROM public.test")
    yield "critical"
    for status in ("warning", "ok"):
        share = 0.7 if status == "warning" else 0.9
        for _ in range(500):
            if watched.value("cache_hits") >= share * 100:
                break
            watched.run("SELECT count(*) FROM public.small")
        yield status
    watched.run("DROP TABLE public.test", "DROP TABLE public.small", "SELECT pg_stat_reset()")


@drives("bloat")
def bloat(watched: Watched) -> Iterator[str]:
    watched.run(
        "CREATE TABLE public.test AS SELECT n, repeat('x', 500) AS pad"
        " FROM generate_series(1, 30000) AS n",
        "ALTER TABLE public.test OWNER TO rubi_owner",
    )
    for status, left in (("warning", 3), ("critical", 15)):
        watched.run(f"DELETE FROM public.test WHERE n % {left} > 0", "VACUUM ANALYZE public.test")
        yield status
    watched.run("VACUUM FULL ANALYZE public.test")
    yield "ok"
    watched.run("DROP TABLE public.test")


@drives("dead_rows")
def dead_rows(watched: Watched) -> Iterator[str]:
    watched.run(
        "CREATE TABLE public.test AS SELECT n FROM generate_series(1, 2000) AS n",
        "ANALYZE public.test",
        "UPDATE public.test SET n = n",
    )
    yield "warning"
    for _ in range(3):
        watched.run("UPDATE public.test SET n = n")
    yield "critical"
    watched.run("VACUUM public.test")
    yield "ok"
    watched.run("DROP TABLE public.test")


@drives("wraparound")
def wraparound(watched: Watched) -> Iterator[str]:
    now = watched.value("wraparound")
    watched.set("wraparound", now + 200, now + 1000)
    for status, count in (("warning", 300), ("critical", 900)):
        watched.run(
            f"DO $$ BEGIN FOR i IN 1..{count} LOOP"
            " PERFORM pg_current_xact_id(); COMMIT; END LOOP; END $$"
        )
        yield status
    names = watched.admin.execute("SELECT datname, datallowconn FROM pg_database").fetchall()
    for name, allowed in names:
        watched.run(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true')
        with closing(psycopg.connect(watched.server.dsn(name), autocommit=True)) as connection:
            connection.execute("VACUUM (FREEZE)")
        watched.run(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS {allowed}')
    yield "ok"


@drives("sequences")
def sequences(watched: Watched) -> Iterator[str]:
    watched.run("SET ROLE rubi_owner", "CREATE SEQUENCE public.test MAXVALUE 100", "RESET ROLE")
    for status, number in (("warning", 75), ("critical", 95)):
        watched.run(f"SELECT setval('public.test', {number})")
        yield status
    watched.run("ALTER SEQUENCE public.test MAXVALUE 1000000")
    yield "ok"
    watched.run("DROP SEQUENCE public.test")


def write_wal(watched: Watched, megabytes: int) -> None:
    watched.run(f"SELECT pg_logical_emit_message(false, 'test', repeat('x', {megabytes << 20}))")
    watched.run("SELECT pg_switch_wal()")


@drives("replication_lag")
def replication_lag(watched: Watched) -> Iterator[str]:
    watched.set("replication_lag", 40 << 20, 80 << 20)
    standby = subprocess.Popen(
        [watched.server.binaries / "pg_receivewal", "--synchronous", "--no-loop", "-s", "1",
         "-D", watched.folder, "-d", watched.server.dsn()],
    )  # fmt: skip
    try:
        state = "SELECT state FROM pg_stat_replication"
        until(
            "the standby streams",
            lambda: watched.admin.execute(state).fetchall() == [("streaming",)],
        )
        yield "ok"
        os.kill(standby.pid, signal.SIGSTOP)
        for status in ("warning", "critical"):
            for _ in range(3):
                write_wal(watched, 1)
            yield status
        os.kill(standby.pid, signal.SIGCONT)
        yield "ok"
    finally:
        standby.send_signal(signal.SIGCONT)
        standby.terminate()
        standby.wait()


@drives("replication_slots")
def replication_slots(watched: Watched) -> Iterator[str]:
    watched.set("replication_slots", 20 << 20, 60 << 20)
    watched.run("CHECKPOINT")  # a slot keeps what came after it
    watched.run("SELECT pg_create_physical_replication_slot('test', true)")
    for status in ("warning", "critical"):
        for _ in range(3):
            write_wal(watched, 1)
        yield status
    watched.run("SELECT pg_drop_replication_slot('test')")
    yield "ok"


@drives("checkpoints")
def checkpoints(watched: Watched) -> Iterator[str]:
    # without samples, as on a new server: ten by command are few beside a day's 288 by time
    shared = "checkpointer" if watched.admin.info.server_version >= 170000 else "bgwriter"
    watched.run(
        f"SELECT pg_stat_reset_shared('{shared}')",
        "DELETE FROM monitoring.counter_readings WHERE subject = 'checkpoints'",
    )
    for _ in range(10):
        watched.run("SELECT pg_current_xact_id()", "CHECKPOINT")
    until("the checkpoints are counted", lambda: watched.value("checkpoints") > 3)
    yield "ok"
    watched.run("SELECT monitoring.take_counters(FALSE)")
    for status, requested in (("warning", 200), ("critical", 900)):
        watched.run(
            "INSERT INTO monitoring.facts (kind, subject, began_at, seen_at, figures) VALUES"
            " ('server', 'checkpoints', now() - interval '20 hours', now(),"
            f" jsonb_build_object('requested', {requested}))"
        )
        yield status
    # what a day ago asked for them is over
    watched.run(
        "UPDATE monitoring.facts SET began_at = began_at - interval '5 hours'"
        " WHERE subject = 'checkpoints'"
    )
    yield "ok"


@drives("temporary_files")
def temporary_files(watched: Watched) -> Iterator[str]:
    watched.run("SELECT pg_stat_reset()")
    watched.set("temporary_files", 1 << 20, 4 << 20)
    for status in ("warning", "critical"):
        for _ in range(1 if status == "warning" else 3):
            watched.run(
                "SET work_mem = '64kB'",
                "SELECT count(*) FROM (SELECT n FROM generate_series(1, 100000) AS n"
                " ORDER BY n DESC OFFSET 0) AS t",
                "RESET work_mem",
            )
        yield status
    watched.run("SELECT pg_stat_reset()")
    yield "ok"


@drives("database_size")
def database_size(watched: Watched) -> Iterator[str]:
    now = watched.value("database_size")
    watched.set("database_size", now + (1 << 20), now + (4 << 20))
    watched.run("CREATE TABLE public.test (n bigint)")
    for status, count in (("warning", 50_000), ("critical", 150_000)):
        watched.run(f"INSERT INTO public.test SELECT n FROM generate_series(1, {count}) AS n")
        yield status
    watched.run("DROP TABLE public.test")
    yield "ok"
