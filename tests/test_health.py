"""monitoring.health: each check is really caused; what can't be seen is said; scripts/health.py."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Iterator

import psycopg
import pytest
from pytest_postgresql.executors import NoopExecutor

import running
from conftest import Address
from health_causes import CAUSES, Watched
from health_server_causes import blocked
from health_watched import watch
from rubi.waiting import until

Script = Callable[..., subprocess.CompletedProcess[str]]
MARKS = {
    # a standby's lag waits on the machine's load
    "replication_lag": pytest.mark.slow,
    "known_holes": pytest.mark.needs(before="2.29.1", why="TimescaleDB has mended its holes"),
}
VIEWS = """
    SELECT c.relname FROM pg_class AS c
    WHERE c.relnamespace = 'monitoring'::regnamespace AND c.relkind = 'v'
        AND c.relname <> 'installation' -- for who deploys
    ORDER BY 1
"""


@pytest.fixture(scope="module")
def watched(
    server: Address, template: NoopExecutor, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    """Each test leaves its health good."""
    yield from watch(server, template, "watched", str(tmp_path_factory.mktemp("wal")))


@pytest.fixture
def thresholds(watched: Watched) -> Iterator[None]:
    """A test's settings are set back."""
    before = watched.admin.execute(
        "SELECT warning, critical, name FROM monitoring.thresholds"
    ).fetchall()
    yield
    for warning, critical, name in before:
        watched.set(name, warning, critical)


def becomes(watched: Watched, name: str, status: str) -> None:
    """Statistics of other sessions arrive within a second or two, and time passes."""
    until(f"{name} is {status}", lambda: watched.health(name)[0] == status, 60, pause=0.02)


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=MARKS.get(name, ())) for name in CAUSES],
)
def test_check_follows_its_cause_and_comes_back(
    watched: Watched, thresholds: None, name: str
) -> None:
    watched.run("SELECT monitoring.take_sample()")  # the age of the last is health, too
    becomes(watched, name, "ok")
    seen = []
    try:
        for status in CAUSES[name](watched):
            becomes(watched, name, status)
            seen.append(status)
    finally:
        watched.run("RESET ROLE", "RESET ALL", "DROP TABLE IF EXISTS public.test, public.small")
    assert {"warning", "critical"} < set(seen)
    assert "ok" in seen[1:]
    becomes(watched, name, "ok")


def test_every_check_has_a_cause_a_threshold_and_words(watched: Watched) -> None:
    found = watched.monitor.execute(
        "SELECT name, status, warning, critical, meaning, action FROM monitoring.health"
    ).fetchall()
    assert sorted(CAUSES) == sorted(row[0] for row in found)
    assert all(None not in row for row in found)
    thresholds = watched.admin.execute("SELECT name FROM monitoring.thresholds").fetchall()
    assert {name for (name,) in thresholds} == set(CAUSES)


def test_changed_thresholds_outlive_a_deployment(watched: Watched, thresholds: None) -> None:
    from rubi import ROOT

    watched.set("connections", 1, 2)
    watched.admin.execute((ROOT / "seed/5890_monitoring_thresholds.sql").read_text())
    watched.admin.execute("RESET ROLE")
    kept = watched.admin.execute(
        "SELECT warning, critical FROM monitoring.thresholds WHERE name = 'connections'"
    ).fetchone()
    assert kept == (1, 2)


def test_level_without_a_threshold_is_never_reached(watched: Watched, thresholds: None) -> None:
    watched.set("database_size", None, None)
    assert watched.health("database_size")[0] == "ok"


@pytest.mark.parametrize(
    "values", ["90, 80, 'above'", "80, 90, 'below'", "1, 2, 'sideways'", "'NaN', 1, 'above'"]
)
def test_thresholds_in_the_wrong_order_are_refused(watched: Watched, values: str) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        watched.admin.execute(
            "INSERT INTO monitoring.thresholds (name, warning, critical, worse, unit, meaning,"
            f" action) VALUES ('test', {values}, '', '', '')"
        )


def test_every_view_runs_as_rubi_monitor(watched: Watched) -> None:
    views = [name for (name,) in watched.admin.execute(VIEWS)]
    assert len(views) > 40
    for name in views:
        watched.monitor.execute(f"SELECT * FROM monitoring.{name}")
    assert watched.monitor.execute("SELECT subject FROM monitoring.blind_spots").fetchall() == []


@pytest.mark.parametrize(
    ("log", "role", "seen"),
    [("all", "", True), ("ddl,role", "", True), ("none", "auditor", True), ("none", "", False)],
)
def test_pgaudit_that_ends_the_server_is_named(
    db: psycopg.Connection, log: str, role: str, seen: bool
) -> None:
    """timescaledb#7667: COPY into a hypertable; settings are all that tells of pgaudit."""
    for name, value in (("pgaudit.log", log), ("pgaudit.role", role)):
        db.execute("SELECT set_config(%s, %s, FALSE)", [name, value])
    spots = db.execute("SELECT subject FROM monitoring.blind_spots").fetchall()
    assert (("pgaudit",) in spots) is seen


def test_tables_of_moving_in_are_watched_like_others(db: psycopg.Connection) -> None:
    rows = db.execute(
        "SELECT table_name FROM monitoring.stored_tables WHERE table_schema = 'migration'"
    ).fetchall()
    assert ("rejects",) in rows


def test_without_pg_monitor_the_views_say_what_they_cannot_see(watched: Watched) -> None:
    other = watched.another()
    other.execute("BEGIN; SELECT 1")
    views = [name for (name,) in watched.admin.execute(VIEWS)]
    with watched.admin.transaction(force_rollback=True):
        watched.admin.execute("REVOKE pg_monitor FROM rubi_monitor GRANTED BY rubi_admin")
        watched.admin.execute("SET LOCAL SESSION AUTHORIZATION rubi_monitor")
        for name in views:
            watched.admin.execute(f"SELECT * FROM monitoring.{name}")
        (spot,) = watched.admin.execute("SELECT * FROM monitoring.blind_spots").fetchall()
        assert spot[0] == "sessions of other roles"
        assert "GRANT pg_monitor TO rubi_monitor" in spot[2]
        unknown = watched.admin.execute(
            "SELECT name, detail FROM monitoring.health WHERE status = 'unknown' ORDER BY name"
        ).fetchall()
        used = watched.admin.execute(
            "SELECT used, idle FROM monitoring.connection_usage"
        ).fetchone()
    assert unknown == [
        ("idle_transactions", "not visible without pg_monitor"),
        ("long_transactions", "not visible without pg_monitor"),
        ("oldest_snapshot", "not visible without pg_monitor"),
    ]
    assert used[0] >= 3
    assert used[1] is None
    watched.close_others()


def test_without_pg_stat_statements_the_views_say_so(watched: Watched) -> None:
    with watched.admin.transaction(force_rollback=True):
        watched.admin.execute("DROP EXTENSION pg_stat_statements")
        watched.admin.execute("SET LOCAL SESSION AUTHORIZATION rubi_monitor")
        for view in ("slow_statements", "frequent_statements"):
            (row,) = watched.admin.execute(f"SELECT calls, query FROM monitoring.{view}").fetchall()
            assert row == (None, "not visible: CREATE EXTENSION pg_stat_statements")
        health = watched.admin.execute(
            "SELECT status, detail FROM monitoring.health WHERE name = 'slow_statements'"
        ).fetchone()
        spots = watched.admin.execute("SELECT subject FROM monitoring.blind_spots").fetchall()
    assert health == ("unknown", "not visible: CREATE EXTENSION pg_stat_statements")
    assert spots == [("statements",)]


def test_statements_that_may_not_be_read_are_said(watched: Watched) -> None:
    with watched.admin.transaction(force_rollback=True):
        watched.admin.execute(
            "REVOKE ALL ON public.pg_stat_statements FROM public, rubi_monitor, pg_read_all_stats"
        )
        watched.admin.execute("SET LOCAL SESSION AUTHORIZATION rubi_monitor")
        (row,) = watched.admin.execute(
            "SELECT calls, query FROM monitoring.slow_statements"
        ).fetchall()
    assert row == (None, "not visible: permission denied for view pg_stat_statements")


def test_blocking_shows_the_tree_with_root_depth_and_lock(watched: Watched) -> None:
    with blocked(watched):
        tree = "SELECT depth, pid = root_pid, lock, state FROM monitoring.blocking"
        until("the tree grows", lambda: watched.monitor.execute(tree).rowcount > 1, pause=0.02)
        found = watched.monitor.execute(tree).fetchall()
    assert found == [
        (0, True, None, "idle in transaction"),
        (1, False, "AccessShareLock on mt5_symbols", "active"),
    ]


def test_growth_is_the_difference_of_readings(watched: Watched) -> None:
    watched.admin.execute(
        "INSERT INTO monitoring.size_readings (relation, taken_on, bytes)"
        " SELECT 'database', (now() AT TIME ZONE 'UTC')::date - d, 1000 * d"
        " FROM (VALUES (7), (30)) AS t (d)"
    )
    size, week, month = watched.monitor.execute(
        "SELECT bytes, bytes_in_7_days, bytes_in_30_days FROM monitoring.growth"
        " WHERE relation = 'database'"
    ).fetchone()
    assert (size - week, size - month) == (7000, 30000)


def test_sizes_of_a_hypertable_are_those_of_its_chunks(watched: Watched) -> None:
    watched.run(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
        " SELECT 'SIZE', 'D1', timestamptz '2025-01-01' + n * interval '1 day', 1, 1, 1, 1"
        " FROM generate_series(0, 99) AS n"
    )
    chunks, total = watched.monitor.execute(
        "SELECT chunks, total_bytes FROM monitoring.table_sizes WHERE table_name = 'market_data'"
    ).fetchone()
    own, expected, ranges = watched.monitor.execute(
        "SELECT pg_total_relation_size('market_data'), sum(total_bytes)::bigint, count(*)"
        " FROM monitoring.chunk_sizes WHERE table_name = 'market_data'"
    ).fetchone()
    assert (chunks, total) == (ranges, expected + own)
    names = watched.monitor.execute(
        "SELECT index_name FROM monitoring.index_sizes WHERE table_name = 'market_data'"
    ).fetchall()
    assert names == [("market_data_pkey",)]
    watched.run(
        "SELECT drop_chunks('market_data', older_than => 'infinity'::timestamptz)",
        "DELETE FROM market_series",
        "DELETE FROM internal.bar_changes",
    )


def environment(watched: Watched) -> dict[str, str]:
    return {
        "PGHOST": watched.server.host, "PGPORT": str(watched.server.port),
        "PGUSER": "rubi_monitor", "PGDATABASE": watched.name,
    }  # fmt: skip


def test_script_prints_json_and_nagios_and_ends_with_its_codes(
    watched: Watched, thresholds: None, run_script: Script
) -> None:
    env = environment(watched)
    asked = ["--check", "database_size", "--check", "sequences"]
    size = watched.value("database_size")
    for code, limits in ((0, (size * 2, size * 3)), (1, (1, size * 3)), (2, (1, 2))):
        watched.set("database_size", *limits)
        done = run_script("health.py", "--json", *asked, env=env)
        assert done.returncode == code, done.stderr
        assert [row["name"] for row in json.loads(done.stdout)] == ["database_size", "sequences"]
    done = run_script("health.py", "--nagios", *asked, env=env)
    assert done.returncode == 2
    assert done.stdout.startswith("RUBI CRITICAL - database_size critical ")
    assert done.stdout.split("|")[0].endswith("MB) ")  # the detail: where it is
    assert "| database_size=" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    done = run_script("health.py", env=env)
    assert done.returncode == 2
    assert "see monitoring.growth" in done.stdout
    # in a pipe each check is one line, with where the trouble is
    lines = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert lines["database_size"].split()[1] == "critical"
    assert lines["claims_not_taken_up"].endswith(" claims")
    assert "…" not in done.stdout


@pytest.mark.parametrize(
    ("arguments", "changed"),
    [
        ((), {"PGPORT": "1"}),
        (("--check", "nonsense"), {}),
        (("--nonsense",), {}),
        ((), {"PGDATABASE": "postgres"}),
    ],
)
def test_script_that_cannot_ask_is_unknown(
    watched: Watched, run_script: Script, arguments: tuple, changed: dict[str, str]
) -> None:
    done = run_script("health.py", *arguments, env=environment(watched) | changed)
    assert done.returncode == 3, done
    assert done.stderr
    assert "Traceback" not in done.stderr


def test_script_that_cannot_ask_tells_nagios_so(watched: Watched, run_script: Script) -> None:
    done = run_script("health.py", "--nagios", env=environment(watched) | {"PGPORT": "1"})
    assert (done.returncode, done.stdout[:15]) == (3, "RUBI UNKNOWN - ")


def test_script_watches_until_interrupted(watched: Watched) -> None:
    process = running.start(
        "health", "--json", "--check", "proofs", "--watch", "0.1", env=environment(watched)
    )
    for _ in range(2):
        assert json.loads(process.stdout.readline())[0]["name"] == "proofs"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in said


def test_sampler_that_is_told_to_end_says_the_shells_code(watched: Watched) -> None:
    process = running.start("health", "sample", "--every", "60", env=environment(watched))
    waits = "SELECT FROM pg_stat_activity WHERE state = 'idle' AND query ~ 'take_sample'"
    try:
        until("the sampler waits", lambda: watched.admin.execute(waits).rowcount)
        process.terminate()
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert (process.returncode, said) == (143, "stopped by a signal\n")


def test_script_records_readings(watched: Watched, run_script: Script) -> None:
    count = "SELECT count(DISTINCT taken_at) FROM monitoring.proof_readings"
    before = watched.admin.execute(count).fetchone()[0]
    done = run_script("health.py", "record", env=environment(watched))
    assert (done.returncode, done.stdout) == (0, "recorded; 0 rows contradict a proof\n")
    assert watched.admin.execute(count).fetchone()[0] == before + 1


def test_composite_foreign_key_is_served_by_an_index_on_its_first_column(
    db: psycopg.Connection,
) -> None:
    found = "SELECT constraint_name FROM monitoring.foreign_keys_without_index"
    names = {row[0] for row in db.execute(found)}
    assert not names & {
        "trading_orders_strategy_id_user_id_fkey", "trading_orders_account_id_user_id_fkey",
    }  # fmt: skip
    db.execute("DROP INDEX idx_orders_strategy_closed")
    db.execute("CREATE INDEX ON trading_orders (user_id, opened_at)")
    names = {row[0] for row in db.execute(found)}
    assert "trading_orders_strategy_id_user_id_fkey" in names
