"""A sampler goes on: what can't be read is said, and the rest is kept."""

from __future__ import annotations

import psycopg
import pytest

from incidents import take_soon
from rubi import health_checks

MISSING = (
    "SELECT f.subject, right(f.words, 7) FROM monitoring.facts AS f"
    " WHERE f.kind = 'samples missing' ORDER BY f.subject"
)


def replace(db: psycopg.Connection, function: str, body: str) -> None:
    """Give a function of the schema monitoring another body."""
    (definition, old) = db.execute(
        "SELECT pg_get_functiondef(p.oid), p.prosrc FROM pg_proc AS p"
        " WHERE p.proname = %s AND p.pronamespace = 'monitoring'::regnamespace",
        [function],
    ).fetchone()
    db.execute(definition.replace(old, f" BEGIN {body}; END "))


def take(db: psycopg.Connection) -> bool:
    return db.execute("SELECT monitoring.take_sample()").fetchone()[0]


def samples(db: psycopg.Connection) -> int:
    return db.execute("SELECT count(*) FROM monitoring.samples").fetchone()[0]


@pytest.mark.parametrize(
    ("function", "missing"), [("read_troubles", "troubles"), ("take_counters", "counters")]
)
@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ("PERFORM 'public.dropped'::regclass", "(42P01)"),
        # as a timeout does it, which on a slow machine may end what is before
        ("PERFORM pg_cancel_backend(pg_backend_pid()); PERFORM pg_sleep(100)", "(57014)"),
    ],
)
def test_sample_is_kept_where_a_part_of_it_fails(
    db: psycopg.Connection, function: str, missing: str, fault: str, code: str
) -> None:
    replace(db, function, fault)
    assert take(db)
    assert (samples(db), db.execute(MISSING).fetchall()) == (1, [(missing, code)])


def test_work_of_the_hour_is_done_once_where_counters_fail(db: psycopg.Connection) -> None:
    replace(db, "take_counters", "RAISE division_by_zero")
    db.execute("CREATE TABLE monitoring.turns ()")
    db.execute("GRANT INSERT ON monitoring.turns TO rubi_owner")
    replace(db, "turn_rings", "INSERT INTO monitoring.turns DEFAULT VALUES")
    for _ in range(2):
        db.execute("SELECT monitoring.keep_samples()")
    assert db.execute("SELECT count(*) FROM monitoring.turns").fetchone() == (1,)
    # and again in the next hour
    db.execute("UPDATE monitoring.counter_readings SET taken_at = taken_at - interval '1 hour'")
    db.execute("SELECT monitoring.keep_samples()")
    assert db.execute("SELECT count(*) FROM monitoring.turns").fetchone() == (2,)


def test_samples_go_on_when_the_clock_was_set_back(db: psycopg.Connection) -> None:
    assert take(db)
    db.execute("UPDATE monitoring.samples SET taken_at = taken_at + interval '2 hours'")
    db.execute("UPDATE monitoring.counter_readings SET taken_at = taken_at + interval '2 hours'")
    assert take(db)
    assert not take_soon(db)  # half a second is still waited for
    assert samples(db) == 2
    assert db.execute("SELECT min(gap_ms) FROM monitoring.samples").fetchone() == (0,)
    assert db.execute(MISSING).fetchall() == []


def test_samples_of_the_first_time_end_none_after_the_clock_was_set_back(
    db: psycopg.Connection,
) -> None:
    """An hour of samples, of which half has passed again."""
    db.execute(
        "INSERT INTO monitoring.samples (taken_at, gap_ms, sessions, causes, counts, ages_ms)"
        " SELECT now() + n * interval '0.4 seconds', 400, 5, '{}', '{}', '{}'"
        " FROM generate_series(-4500, 4500) AS n"
    )
    before = samples(db)
    assert take(db)
    assert not take_soon(db)
    # the minute's work, too
    found = "SELECT count(*) FROM monitoring.counter_readings WHERE kind = 'sampler'"
    assert (samples(db) - before, db.execute(found).fetchone()) == (1, (1,))
    db.execute("SELECT pg_sleep(0.6)")
    assert take(db)
    gaps = "SELECT min(gap_ms), bool_or(gap_ms > 500) FROM monitoring.samples WHERE sessions <> 5"
    assert db.execute(gaps).fetchone() == (0, True)


def test_sampler_over_a_dead_network_ends_within_a_minute(db: psycopg.Connection) -> None:
    """A service starts it again; else nobody looks for a quarter of an hour."""
    info = db.info
    dsn = f"host={info.host} port={info.port} user=rubi_monitor dbname={info.dbname}"
    with health_checks.connect(dsn) as connection:
        given = connection.info.get_parameters()
    assert int(given["tcp_user_timeout"]) <= 60_000
    assert int(given["keepalives_idle"]) + 3 * int(given["keepalives_interval"]) <= 60
