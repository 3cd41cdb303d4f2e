"""Causes of the checks of the data: chunks, policies, backups, feeds, proofs, clocks."""

from __future__ import annotations

from collections.abc import Iterator

import rows
import servers
from health_watched import CAUSES, Cause, Watched, drives


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


@drives("backup_rights")
def backup_rights(watched: Watched) -> Iterator[str]:
    watched.set("backup_rights", 1, 2)
    watched.run("CREATE SCHEMA lab", "CREATE TABLE lab.results ()")
    yield "warning"
    watched.run("CREATE SEQUENCE lab.numbers")
    yield "critical"
    watched.run("DROP SCHEMA lab CASCADE")
    yield "ok"


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


@drives("lifecycle")
def lifecycle(watched: Watched) -> Iterator[str]:
    watched.run(
        "INSERT INTO account_snapshots (session_id, balance, equity, timestamp)"
        f" VALUES ('{session_of(watched)}', 1, 1, now() - interval '100 days')"
    )
    yield "ok"  # the policy is new
    for status, hours in (("warning", 80), ("critical", 400)):
        watched.run(f"UPDATE monitoring.lifecycle SET began_at = now() - interval '{hours} hours'")
        yield status
    watched.run("CALL public.follow_lifecycle()")
    yield "ok"
    end_sessions(watched)
    watched.run("DELETE FROM account_snapshots", "DELETE FROM monitoring.thinned_days")


@drives("disk_full")
def disk_full(watched: Watched) -> Iterator[str]:
    """The database had a tenth of its size a month ago."""
    watched.run(
        "SELECT monitoring.take_readings()",
        "INSERT INTO monitoring.size_readings (relation, taken_on, bytes)"
        " SELECT relation, taken_on - 30, bytes / 10 FROM monitoring.size_readings"
        " WHERE relation = 'database'",
    )
    (size,) = watched.admin.execute(
        "SELECT bytes FROM monitoring.growth WHERE relation = 'database'"
    ).fetchone()
    for status, critical in (("ok", 4), ("warning", 1.5), ("critical", 1.1)):
        watched.set("database_size", None, size * critical)
        yield status
    watched.set("database_size", None, None)
    yield "ok"
    watched.run("DELETE FROM monitoring.size_readings WHERE taken_on < current_date - 20")


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
    # the third as a report opens it: its deals are old, and no heartbeat came
    stages = (("warning", 3, 60), ("critical", 15, 60), ("ok", 15, 0), ("critical", 15, 60))
    for status, minutes, connected in (*stages, ("ok", 0, 60)):
        watched.run(
            f"UPDATE mt5_sessions SET last_ping = now() - interval '{minutes} minutes',"
            f" connected_at = now() - interval '{connected} minutes'"
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
