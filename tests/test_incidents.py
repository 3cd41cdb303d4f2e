"""What happened at three: samples, what they keep, and monitoring.incident()."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import psycopg
import pytest
from pytest_postgresql.executors import NoopExecutor

import running
from conftest import Address
from health_watched import Watched, watch
from incidents import INCIDENTS, SECRET, in_thread, take_soon
from rubi.waiting import until

KEPT = """
    SELECT count(*) FROM (
        SELECT to_jsonb(f)::text AS t FROM monitoring.facts AS f
        UNION ALL SELECT to_jsonb(c)::text FROM monitoring.sampled_causes AS c
        UNION ALL SELECT to_jsonb(r)::text FROM monitoring.counter_readings AS r
    ) AS kept WHERE position(%s IN kept.t) > 0
"""


@pytest.fixture(scope="module")
def watched(
    server: Address, template: NoopExecutor, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Watched]:
    for it in watch(server, template, "incidents", str(tmp_path_factory.mktemp("wal"))):
        it.monitor.execute("SET default_transaction_read_only = off")
        yield it


@pytest.fixture(autouse=True)
def apart(watched: Watched) -> None:
    """Counters begin with the test, and thresholds are as they come."""
    watched.run("SELECT monitoring.keep_samples(TRUE)")


def now(watched: Watched) -> str:
    return watched.admin.execute("SELECT clock_timestamp()").fetchone()[0]


def sample(watched: Watched) -> None:
    """One sample, in which a tenth of a second is long; half a second must have passed."""
    take = "SELECT monitoring.take_sample('0.1 seconds')"
    until("a sample is taken", lambda: watched.monitor.execute(take).fetchone()[0])


def part(found: dict, name: str) -> list[dict]:
    """The rows of a part of the page."""
    return [row for row in found["rows"] if row["part"] == name]


def look_back(watched: Watched, begin: str) -> tuple[dict, str]:
    """JSON and page of the time since begin."""
    watched.admin.execute("SELECT pg_stat_force_next_flush()")
    watched.monitor.execute("SELECT monitoring.keep_samples(TRUE)")
    return watched.monitor.execute(
        "SELECT monitoring.incident_json(%(from)s, clock_timestamp()),"
        " monitoring.incident(%(from)s, clock_timestamp())",
        {"from": begin},
    ).fetchone()


@pytest.mark.parametrize("title", INCIDENTS)
def test_incident_is_named(watched: Watched, title: str) -> None:
    kind, incident = INCIDENTS[title]
    before = watched.admin.execute(
        "SELECT warning, critical, name FROM monitoring.thresholds"
    ).fetchall()
    watched.end_others()
    watched.monitor.execute("SELECT pg_stat_force_next_flush()")
    watched.run("SELECT monitoring.keep_samples(TRUE)")
    begin = now(watched)
    try:
        for _ in incident(watched):
            sample(watched)
            found, page = look_back(watched, begin)
    finally:
        watched.end_others()
        watched.run("RESET ROLE", "RESET ALL")
        for warning, critical, name in before:
            watched.set(name, warning, critical)
    assert kind in found["found"], found["rows"]
    assert f" {kind}: " in page
    assert len(page.splitlines()) <= 75
    assert SECRET not in page and SECRET not in str(found)
    assert watched.admin.execute(KEPT, [SECRET]).fetchone() == (0,)


def test_quiet_time_has_no_incident(watched: Watched) -> None:
    watched.admin.execute("SELECT pg_sleep(1.1)")
    watched.run("SELECT monitoring.keep_samples(TRUE)")
    begin = now(watched)
    for _ in range(2):
        sample(watched)
    found, page = look_back(watched, begin)
    assert set(found["found"]) <= {"samples missing"}, found["rows"]
    assert "Found: nothing" in page


def test_page_says_who_blocked_whom_and_with_what(watched: Watched) -> None:
    begin = now(watched)
    for _ in INCIDENTS["lock queue behind ALTER TABLE"][1](watched):
        sample(watched)
    found, page = look_back(watched, begin)
    (queue,) = [r["words"] for r in part(found, "time line") if r["name"] == "lock queue"]
    assert "ALTER TABLE public.mt5_symbols ADD COLUMN n integer" in queue
    assert "SELECT FROM public.mt5_symbols WHERE symbol = ?" in queue
    assert "AccessShareLock on public.mt5_symbols" in queue
    (waiting,) = [r for r in part(found, "peaks") if r["name"] == "waiting for a lock"]
    assert waiting["figures"] == {"sessions": 2}
    assert "Lock:relation" in page
    assert part(found, "waits")[0]["name"] == "Lock:relation"


def test_one_sampler_at_a_time(watched: Watched) -> None:
    other = watched.another()
    sample(watched)
    watched.admin.execute("SELECT pg_sleep(0.6)")
    other.execute("BEGIN")
    assert other.execute("SELECT monitoring.take_sample()").fetchone() == (True,)
    assert watched.monitor.execute("SELECT monitoring.take_sample()").fetchone() == (False,)
    other.execute("COMMIT")
    # several that came late together: the first has sampled already
    assert not take_soon(watched.admin)
    watched.close_others()


def test_locked_table_leaves_the_sample_and_says_so(watched: Watched) -> None:
    begin = now(watched)
    other = watched.another()
    other.execute("BEGIN; LOCK TABLE public.mt5_sessions IN ACCESS EXCLUSIVE MODE")
    sample(watched)
    found, _ = look_back(watched, begin)
    assert "samples missing" in found["found"]
    assert part(found, "samples")[0]["figures"]["samples"] == 1
    watched.close_others()


def test_samples_of_a_role_outside_pg_monitor_hold_its_own_sessions(watched: Watched) -> None:
    sample(watched)
    with watched.admin.transaction(force_rollback=True):
        watched.admin.execute("UPDATE monitoring.samples SET taken_at = taken_at - interval '9s'")
        watched.admin.execute("REVOKE pg_monitor FROM rubi_monitor GRANTED BY rubi_admin")
        watched.admin.execute("SET LOCAL SESSION AUTHORIZATION rubi_monitor")
        watched.admin.execute("SET LOCAL transaction_read_only = off")
        assert watched.admin.execute("SELECT monitoring.take_sample()").fetchone() == (True,)
        watched.admin.execute("SELECT monitoring.keep_samples(TRUE)")


def test_statements_are_told_without_pg_stat_statements(watched: Watched) -> None:
    """Without an identifier the text itself, free of constants, is one."""
    sleeper = watched.another()
    sleeper.execute("SET compute_query_id = off")
    begin = now(watched)
    thread = in_thread(sleeper, f"SELECT pg_sleep(600), '{SECRET}' AS without_number")
    until(
        "the statement runs",
        lambda: (
            watched.admin.execute(
                "SELECT FROM pg_stat_activity WHERE query LIKE '%%without_number%%'"
                " AND query_id IS NULL AND pid <> pg_backend_pid()"
            ).rowcount
        ),
    )
    sample(watched)
    sleeper.cancel()
    thread.join()
    with watched.admin.transaction(force_rollback=True):
        watched.admin.execute("DROP EXTENSION pg_stat_statements")
        watched.admin.execute("SET LOCAL SESSION AUTHORIZATION rubi_monitor")
        watched.admin.execute("SET LOCAL transaction_read_only = off")
        watched.admin.execute("SELECT monitoring.keep_samples(TRUE)")
        (found,) = watched.admin.execute(
            "SELECT monitoring.incident_json(%s, clock_timestamp())", [begin]
        ).fetchone()
    texts = [row["words"] for row in part(found, "statements")]
    assert "SELECT pg_sleep(?), ? AS without_number" in texts
    watched.close_others()


@pytest.mark.parametrize(
    ("before", "after", "rise"),
    [
        ('{"a": 1, "b": 2, "c": "x"}', '{"a": 3, "b": 2, "c": "y"}', {"a": 2}),
        ('{"a": 5, "b": 2}', '{"a": 3, "b": 2}', {"a": 3, "b": 2}),  # reset in between
        ("{}", '{"a": 1}', {"a": 1}),
    ],
)
def test_counters_rise_from_reading_to_reading(
    catalog: psycopg.Connection, before: str, after: str, rise: dict
) -> None:
    query = "SELECT monitoring.counters_between(%s, %s)"
    assert catalog.execute(query, [before, after]).fetchone() == (rise,)


def test_reset_of_the_database_leaves_other_counters(watched: Watched) -> None:
    take = "SELECT monitoring.take_counters(FALSE)"
    before = """UPDATE monitoring.counter_readings SET counters = counters || '{"blks_hit": 1e15}'
        WHERE kind = 'server' AND subject = ''"""
    watched.run(take, before, "SELECT pg_stat_clear_snapshot()", take)
    risen, whole = watched.admin.execute(
        "SELECT (SELECT (f.figures -> 'wal_bytes')::numeric FROM monitoring.facts AS f"
        " WHERE f.figures ? 'wal_bytes' ORDER BY f.seen_at DESC LIMIT 1), w.wal_bytes"
        " FROM pg_stat_wal AS w"
    ).fetchone()
    assert (risen or 0) < whole / 2


def test_minutes_and_hours_have_the_seconds_of_their_samples(watched: Watched) -> None:
    """Three samples of an hour and a half ago, a second apart, two sessions each."""
    watched.run(
        "INSERT INTO monitoring.sampled_causes (id, role_name, event, statement)"
        " VALUES (4711, 'rubi_app', 'Lock:tuple', '')",
        "INSERT INTO monitoring.samples (taken_at, gap_ms, sessions, causes, counts, ages_ms)"
        " SELECT date_trunc('hour', now()) - interval '90 minutes' + n * interval '1 second',"
        " 1000, 5, '{4711}', '{2}', '{70}' FROM generate_series(1, 3) AS n",
        "UPDATE monitoring.counter_readings SET taken_at = taken_at - interval '3 hours'"
        " WHERE kind = 'sampler'",
        "SELECT monitoring.keep_samples()",
    )
    kept = (
        "SELECT f.kind, f.figures FROM monitoring.facts AS f"
        " WHERE f.kind IN ('minute', 'hour') AND f.subject = '4711' ORDER BY f.kind"
    )
    figures = {"sessions": 2, "seconds": 6, "age_ms": 70}
    assert watched.admin.execute(kept).fetchall() == [("hour", figures), ("minute", figures)]
    # when the samples are gone the page is made of the minutes, and of the hours after these
    seconds = (
        "SELECT sum(w.seconds) FROM monitoring.list_waits(now() - interval '4 hours', now()) AS w"
        " WHERE w.cause = 4711"
    )
    for gone in ("samples WHERE causes = '{4711}'", "facts WHERE kind = 'minute'"):
        assert watched.admin.execute(seconds).fetchone() == (6,)
        watched.run(f"DELETE FROM monitoring.{gone}")
    assert watched.admin.execute(seconds).fetchone() == (6,)


def test_next_part_of_the_ring_is_emptied_when_nobody_reads_it(watched: Watched) -> None:
    (slot,) = watched.admin.execute(
        "SELECT mod(extract(EPOCH FROM now())::bigint / 86400 + 1, 3)"
    ).fetchone()
    watched.run(
        "INSERT INTO monitoring.samples (taken_at, gap_ms, sessions, causes, counts, ages_ms, slot)"
        f" SELECT now() - interval '2 days', 1, 1, '{{}}', '{{}}', '{{}}', {slot}"
    )
    rows = f"SELECT count(*) FROM monitoring.samples WHERE slot = {slot}"
    dump = watched.another()
    dump.execute(f"BEGIN; SELECT FROM monitoring.samples_{slot}")
    watched.monitor.execute("SELECT monitoring.keep_samples(TRUE)")
    assert watched.admin.execute(rows).fetchone() == (1,)
    watched.close_others()
    watched.monitor.execute("SELECT monitoring.keep_samples(TRUE)")
    assert watched.admin.execute(rows).fetchone() == (0,)


def test_time_line_of_a_chunk_made_and_dropped_names_it_once(watched: Watched) -> None:
    begin = now(watched)
    for _ in INCIDENTS["chunk made in the middle"][1](watched):
        look_back(watched, begin)
    found, _ = look_back(watched, begin)
    assert [r["words"] for r in part(found, "time line") if r["name"] == "chunk made"] == [
        "of public.market_data"
    ]


def test_time_line_names_the_first_file_of_a_deploy(watched: Watched) -> None:
    begin = now(watched)
    with watched.admin.transaction(force_rollback=True):
        watched.admin.execute(
            "INSERT INTO deploy.history"
            " (path, kind, sha256, body, tool, tool_version, duration_ms, applied_at)"
            " SELECT t.path, 'changed', repeat('0', 64), '', 'runner', '3', 9, now() + t.after"
            " FROM (VALUES ('schema/0999_first.sql', interval '0'),"
            " ('functions/2999_second.sql', interval '1 microsecond')) AS t (path, after)"
        )
        (found,) = watched.admin.execute(
            "SELECT monitoring.incident_json(%s, now() + interval '1 second')", [begin]
        ).fetchone()
    deploys = [r["words"] for r in part(found, "time line") if r["name"] == "deploy"]
    assert [w.split(",")[0] for w in deploys] == ["2 files from schema/0999_first.sql on"]


def environment(watched: Watched) -> dict[str, str]:
    return {
        "PGHOST": watched.server.host, "PGPORT": str(watched.server.port),
        "PGUSER": "rubi_monitor", "PGDATABASE": watched.name,
    }  # fmt: skip


def test_script_takes_samples_and_prints_the_page(
    watched: Watched, run_script: Callable[..., running.Done]
) -> None:
    count = "SELECT count(*) FROM monitoring.samples"
    (before,) = watched.admin.execute(count).fetchone()
    watched.admin.execute("SELECT pg_sleep(0.6)")
    done = run_script(
        "health.py", "sample", "--every", "1", "--for", "1.5", env=environment(watched)
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert watched.admin.execute(count).fetchone()[0] > before
    span = ("2026-01-05 02:55+00", "2026-01-05 03:15+00")
    done = run_script("health.py", "incident", *span, env=environment(watched))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(
        "2026-01-05 02:55:00 to 2026-01-05 03:15:00 UTC\nFound: nothing, as"
    )
    assert "  taken: 0 samples" in done.stdout
    done = run_script("health.py", "incident", *span, "--json", env=environment(watched))
    assert json.loads(done.stdout)["found"] == []
    for wrong in (("at three", "today"), span[::-1]):
        done = run_script("health.py", "incident", *wrong, env=environment(watched))
        assert done.returncode == 3
        assert len(done.stderr.strip().splitlines()) == 1


def test_script_goes_on_after_a_sample_that_failed(watched: Watched) -> None:
    count = "SELECT count(*) FROM monitoring.samples"
    (before,) = watched.admin.execute(count).fetchone()
    other = watched.another()
    other.execute("BEGIN; LOCK TABLE monitoring.sampled_causes IN ACCESS EXCLUSIVE MODE")
    watched.admin.execute("SELECT pg_sleep(0.6)")
    process = running.start("health", "sample", "--every", "1", env=environment(watched))
    try:
        for _ in range(2):
            assert process.stdout.readline().startswith("no sample: ")
        watched.close_others()
        until("a sample is taken", lambda: watched.admin.execute(count).fetchone()[0] > before)
    finally:
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (143, "stopped by a signal\n")


def test_ring_turns_below_many_sampled_causes(db: psycopg.Connection) -> None:
    """Days of a busy server: a cause that nothing names leaves, without a look at each for each."""
    db.execute(
        "INSERT INTO monitoring.sampled_causes (id, role_name, event, statement, seen_on)"
        " SELECT n, 'r', 'e', '', current_date - n % 2 * 10 FROM generate_series(1, 100000) AS n"
    )
    db.execute(
        "INSERT INTO monitoring.facts (kind, subject, began_at, seen_at)"
        " SELECT 'minute', n % 1000, now() - n * interval '1 second', now()"
        " FROM generate_series(1, 100000) AS n"
    )
    db.execute("ANALYZE monitoring.sampled_causes, monitoring.facts")
    db.execute("SET statement_timeout = '60s'")
    db.execute("SELECT monitoring.turn_rings()")
    # those of today, and the odd ones that a minute names
    assert db.execute("SELECT count(*) FROM monitoring.sampled_causes").fetchone() == (50500,)
