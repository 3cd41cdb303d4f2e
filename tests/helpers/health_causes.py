"""Drives each check of monitoring.health into warning, critical and back by really causing it.

A cause is a generator: it does something, then yields the status that the check must show.
"""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg

import rows
import servers
from conftest import Address
from rubi.waiting import until

Cause = Callable[["Watched"], Iterator[str]]
CAUSES: dict[str, Cause] = {}


class Watched:
    """A database with a superuser's connection and rubi_monitor's, which asks for the health."""

    def __init__(self, server: Address, name: str, folder: str) -> None:
        self.server, self.name, self.folder = server, name, folder
        self.admin = self.connect()
        self.monitor = self.connect("rubi_monitor")
        self.opened: list[psycopg.Connection] = []

    def connect(self, role: str | None = None) -> psycopg.Connection:
        return psycopg.connect(self.server.dsn(self.name, role), autocommit=True)

    def another(self) -> psycopg.Connection:
        """One more superuser's connection."""
        self.opened.append(self.connect())
        return self.opened[-1]

    def close_others(self) -> None:
        for connection in self.opened:
            connection.close()
        self.opened.clear()

    def run(self, *statements: str) -> None:
        for statement in statements:
            self.admin.execute(statement)
        self.admin.execute("SELECT pg_stat_force_next_flush()")

    def health(self, name: str) -> tuple:
        """Status, value and detail of a check."""
        return self.monitor.execute(
            "SELECT status, value, detail FROM monitoring.health WHERE name = %s", [name]
        ).fetchone()

    def value(self, name: str) -> float:
        return float(self.health(name)[1])

    def set(self, name: str, warning: float, critical: float) -> None:
        self.admin.execute(
            "UPDATE monitoring.thresholds SET warning = %s, critical = %s WHERE name = %s",
            [warning, critical, name],
        )


def drives(name: str) -> Callable[[Cause], Cause]:
    """Says which check a cause is for."""

    def register(cause: Cause) -> Cause:
        CAUSES[name] = cause
        return cause

    return register


@contextmanager
def blocked(watched: Watched) -> Iterator[None]:
    """A session that idles in a transaction with a lock, and another one that waits for it."""
    holder, waiter = watched.another(), watched.another()
    holder.execute("BEGIN; LOCK TABLE public.mt5_symbols IN ACCESS EXCLUSIVE MODE")
    thread = threading.Thread(target=waiter.execute, args=["SELECT FROM public.mt5_symbols"])
    thread.start()
    try:
        yield
    finally:
        holder.execute("ROLLBACK")
        thread.join()
        watched.close_others()


def by_time(name: str) -> Cause:
    """The longer the session idles and the other one waits, the worse."""

    def cause(watched: Watched) -> Iterator[str]:
        watched.set(name, 0.01, 1.5)
        with blocked(watched):
            yield "warning"
            yield "critical"
        yield "ok"

    return cause


for _name in ("blocked_sessions", "idle_transactions", "long_transactions"):
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
    watched.set("slow_statements", 100, 250)
    for status, seconds in (("warning", 0.11), ("critical", 0.26)):
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
    # all of them are requested: a timed one would take half a minute, so the threshold moves
    shared = "checkpointer" if watched.admin.info.server_version >= 170000 else "bgwriter"
    watched.run(f"SELECT pg_stat_reset_shared('{shared}')")
    watched.set("checkpoints", 30, 101)
    for _ in range(10):
        watched.run("SELECT pg_current_xact_id()", "CHECKPOINT")
    yield "warning"
    watched.set("checkpoints", 30, 60)
    yield "critical"
    watched.run(f"SELECT pg_stat_reset_shared('{shared}')")
    # making and dropping databases asks for checkpoints too
    watched.set("checkpoints", 101, 102)
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


def bar(watched: Watched, at: str, symbol: str = "TEST", timeframe: str = "M1") -> None:
    watched.run(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
        f" VALUES ('{symbol}', '{timeframe}', {at}, 1, 1, 1, 1)"
    )


def drop_bars(watched: Watched) -> None:
    watched.run(
        "SELECT drop_chunks('market_data', older_than => 'infinity'::timestamptz)",
        "DELETE FROM market_series",
        "DELETE FROM internal.bar_changes",
    )


@drives("chunk_count")
def chunk_count(watched: Watched) -> Iterator[str]:
    watched.set("chunk_count", 4, 7)
    for status, months in (("warning", range(0, 8, 2)), ("critical", range(8, 14, 2))):
        for month in months:
            bar(watched, f"now() - interval '{month} months'")
        yield status
    drop_bars(watched)
    yield "ok"


@drives("chunk_memory")
def chunk_memory(watched: Watched) -> Iterator[str]:
    watched.monitor.execute("SET effective_cache_size = '1MB'")
    for status, first in (("warning", 1), ("critical", 17001)):
        watched.run(
            "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
            " SELECT 'TEST', 'M1', timestamptz '2026-11-04' + n * interval '30 seconds',"
            f" 1, 1, 1, 1 FROM generate_series({first}, {first + 16999}) AS n"
        )
        yield status
    drop_bars(watched)
    yield "ok"
    watched.monitor.execute("RESET effective_cache_size")


@drives("chunks_ahead")
def chunks_ahead(watched: Watched) -> Iterator[str]:
    bar(watched, "now() - interval '40 days'")
    yield "critical"
    watched.run("SELECT set_chunk_time_interval('market_data', interval '1 hour')")
    bar(watched, "now() + interval '2 hours'")  # a chunk that ends in 2 to 3 hours
    yield "warning"
    watched.run("SELECT set_chunk_time_interval('market_data', interval '30 days')")
    watched.run("CALL monitoring.make_chunks_ahead()")
    yield "ok"
    drop_bars(watched)
    watched.run(
        "SELECT drop_chunks(format('%I.%I', hypertable_schema, hypertable_name)::regclass,"
        " newer_than => now()) FROM timescaledb_information.hypertables"
    )


@drives("policies")
def policies(watched: Watched) -> Iterator[str]:
    """A job as the Timescale licence makes them, which no scheduler of this server runs."""
    jobs = next(
        name
        for name in ("_timescaledb_catalog.bgw_job", "_timescaledb_config.bgw_job")
        if watched.admin.execute("SELECT to_regclass(%s)", [name]).fetchone()[0]
    )
    watched.run(
        f"INSERT INTO {jobs} (id, application_name, schedule_interval, max_runtime, max_retries,"
        " retry_period, proc_schema, proc_name, owner, scheduled, fixed_schedule) VALUES (4711,"
        " 'test', '10 minutes', '0', -1, '0', 'public', 'policy', 'rubi_owner', TRUE, FALSE)",
        "INSERT INTO monitoring.policy_runs (job_id) VALUES (4711)",
    )
    for status, hours in (("ok", 6), ("warning", 7), ("critical", 49)):
        watched.run(
            f"UPDATE monitoring.policy_runs SET enabled_at = now() - interval '{hours} hours'"
        )
        yield status
    watched.run("UPDATE monitoring.policy_runs SET attempted_at = now(), succeeded_at = now()")
    yield "ok"
    watched.run("DELETE FROM monitoring.policy_runs", f"DELETE FROM {jobs} WHERE id = 4711")


def by_age(name: str, kind: str, warning: int, critical: int) -> Cause:
    """The last good run gets older; the newer ones failed."""

    def cause(watched: Watched) -> Iterator[str]:
        watched.run("UPDATE deploy.history SET applied_at = now() - interval '1 year'")
        yield "critical"
        for status, hours in (("critical", critical), ("warning", warning), ("ok", 1)):
            watched.run(
                "INSERT INTO monitoring.backup_runs (kind, started_at, finished_at, succeeded)"
                f" VALUES ('{kind}', now() - interval '{hours} hours 1 minute',"
                f" now() - interval '{hours} hours', true),"
                f" ('{kind}', now() - interval '5 minutes', now(), false)"
            )
            yield status
        watched.run(
            "DELETE FROM monitoring.backup_runs", "UPDATE deploy.history SET applied_at = now()"
        )

    return cause


CAUSES["backup_age"] = by_age("backup_age", "backup", 27, 51)
CAUSES["drill_age"] = by_age("drill_age", "drill", 193, 769)


@drives("market_lag")
def market_lag(watched: Watched) -> Iterator[str]:
    watched.run(
        "INSERT INTO market_series (symbol, timeframe, source) VALUES ('TEST', 'M1', 'Live')",
        "INSERT INTO market_calendars (symbol, calendar) VALUES ('TEST', 'always')",
    )
    for status, minutes in (("critical", 60), ("warning", 12), ("ok", 0)):
        bar(watched, f"date_trunc('minute', now()) - interval '{minutes} minutes'")
        yield status
    drop_bars(watched)
    watched.run("DELETE FROM market_calendars")


def session_of(watched: Watched) -> str:
    return str(rows.session(watched.admin, rows.user(watched.admin), server="Broker-Live"))


def end_sessions(watched: Watched) -> None:
    watched.run("UPDATE mt5_sessions SET is_active = FALSE")


@drives("snapshot_lag")
def snapshot_lag(watched: Watched) -> Iterator[str]:
    session = session_of(watched)
    watched.run("UPDATE mt5_sessions SET connected_at = now() - interval '1 day'")
    yield "critical"
    for status, minutes in (("critical", 90), ("warning", 15), ("ok", 1)):
        watched.run(
            "INSERT INTO account_snapshots (session_id, balance, equity, timestamp)"
            f" VALUES ('{session}', 1, 1, now() - interval '{minutes} minutes')"
        )
        yield status
    end_sessions(watched)
    watched.run("SELECT drop_chunks('account_snapshots', older_than => 'infinity'::timestamptz)")


@drives("ping_lag")
def ping_lag(watched: Watched) -> Iterator[str]:
    session = session_of(watched)
    for status, minutes in (("warning", 3), ("critical", 15), ("ok", 0)):
        watched.run(
            f"UPDATE mt5_sessions SET last_ping = now() - interval '{minutes} minutes'"
            f" WHERE session_id = '{session}'"
        )
        yield status
    end_sessions(watched)


@drives("proofs")
def proofs(watched: Watched) -> Iterator[str]:
    user = rows.user(watched.admin)
    for number in range(10):
        rows.strategy(watched.admin, user, name=f"s{number}")
    for status, count in (("warning", 1), ("critical", 10), ("ok", 0)):
        watched.run(
            "SET session_replication_role = replica",
            f"UPDATE trading_strategies AS s SET total_trades = (n <= {count})::integer"
            " FROM (SELECT id, row_number() OVER () AS n FROM trading_strategies"
            f" WHERE user_id = {user}) AS t WHERE s.id = t.id",
            "RESET session_replication_role",
        )
        watched.monitor.execute("SET default_transaction_read_only = off")
        watched.monitor.execute("SELECT monitoring.take_readings()")
        yield status


@drives("performance_failures")
def performance_failures(watched: Watched) -> Iterator[str]:
    for status, count in (("warning", 1), ("critical", 10)):
        watched.run(
            "INSERT INTO monitoring.performance_failures (user_id, strategy_id, period_start,"
            f" period_end, code, message) SELECT n, {count}, '2026-01-01', '2026-02-01', '22003',"
            f" 'too large' FROM generate_series(1, {count}) AS n"
        )
        yield status
    watched.run("DELETE FROM monitoring.performance_failures")
    yield "ok"


def sent_claims(watched: Watched, count: int, sent: bool) -> None:
    """Claims of pending signals whose lease ended an hour ago."""
    user = rows.user(watched.admin)
    account = rows.insert(
        watched.admin, "mt5_accounts", user_id=user, server="s", account_number="1", broker="b"
    )
    for _ in range(count):
        rows.insert(
            watched.admin, "signal_claims", signal_id=rows.signal(watched.admin, user),
            account_id=account, lane=-user, attempt=1, worker="w", claimed_at="2026-01-05 10:00+00",
            lease_until="2026-01-05 10:01+00", sent_at="2026-01-05 10:00+00" if sent else None,
        )  # fmt: skip


@drives("claims_in_doubt")
def claims_in_doubt(watched: Watched) -> Iterator[str]:
    for status, count in (("warning", 1), ("critical", 9)):
        sent_claims(watched, count, sent=True)
        yield status
    watched.run("DELETE FROM signal_claims")
    yield "ok"


@drives("claims_not_taken_up")
def claims_not_taken_up(watched: Watched) -> Iterator[str]:
    sent_claims(watched, 1, sent=False)
    yield "critical"
    watched.run(
        "UPDATE signal_claims SET claimed_at = now() - interval '2 hours',"
        " lease_until = now() - interval '10 minutes'"
    )
    yield "warning"
    watched.run("DELETE FROM signal_claims")
    yield "ok"


@drives("proof_age")
def proof_age(watched: Watched) -> Iterator[str]:
    watched.run("SELECT monitoring.take_readings()")
    for status, hours in (("warning", 30), ("critical", 30)):
        watched.run(
            f"UPDATE monitoring.proof_readings SET taken_at = taken_at - interval '{hours} hours'"
        )
        yield status
    watched.run("SELECT monitoring.take_readings()")
    yield "ok"


@drives("vanished_days")
def vanished_days(watched: Watched) -> Iterator[str]:
    watched.set("vanished_days", 1, 3)
    for day in range(4):
        bar(watched, f"date_trunc('day', now(), 'UTC') - interval '{day} days' + interval '1 hour'")
    watched.run("SELECT monitoring.take_readings()")
    for status, days in (("warning", 1), ("critical", 4)):
        watched.run(f"DELETE FROM market_data WHERE timestamp > now() - interval '{days} days'")
        watched.run("SELECT monitoring.take_readings()")
        yield status
    watched.run(
        "INSERT INTO monitoring.dropped_ranges (relation, range_start, range_end, reason)"
        " VALUES ('public.market_data', '1970-01-01', '2100-01-01', 'a test')"
    )
    yield "ok"
    drop_bars(watched)


@drives("known_holes")
def known_holes(watched: Watched) -> Iterator[str]:
    function = servers.drop_chunk(watched.admin)
    watched.set("known_holes", 1, 2)
    watched.run(f"GRANT EXECUTE ON FUNCTION {function} TO public")
    yield "warning"
    watched.set("known_holes", 1, 1)
    yield "critical"
    watched.run(f"REVOKE EXECUTE ON FUNCTION {function} FROM public")
    yield "ok"


@drives("server_clocks")
def server_clocks(watched: Watched) -> Iterator[str]:
    watched.set("server_clocks", 1, 2)
    watched.run("SELECT measure_mt5_clock('Server-A', 'EURUSD', 180, '2026-01-05 10:00+00')")
    yield "warning"  # no rule
    watched.run(
        "INSERT INTO mt5_server_clocks (server, clock) VALUES ('Server-A', 'America/New_York+7'),"
        " ('Server-B', 'America/New_York+7')",
        "SELECT measure_mt5_clock('Server-B', 'EURUSD', 60, '2026-01-05 10:00+00')",
    )
    yield "critical"  # winter: 120 minutes by both rules
    watched.run(
        "UPDATE mt5_server_clocks SET clock = 'UTC+3' WHERE server = 'Server-A'",
        "UPDATE mt5_server_clocks SET clock = 'UTC+1' WHERE server = 'Server-B'",
    )
    yield "ok"
    watched.run("DELETE FROM mt5_clock_readings", "DELETE FROM mt5_server_clocks")
