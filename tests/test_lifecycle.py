"""Everything that grows has an end, and what is thinned still says what it said."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors

import rows
from rubi import SCHEMAS

CURVES = {
    "equity by day": "SELECT account_id, day, balance, equity, lowest_equity, highest_equity,"
    " equity_high, drawdown FROM daily_equity ORDER BY 1, 2",
    "deepest fall of equity": "SELECT max(h.high - h.equity), max(h.balance_high - h.equity) FROM ("
    " SELECT equity, max(equity) OVER w AS high, max(balance) OVER w AS balance_high"
    " FROM snapshots_by_account WINDOW w AS (ORDER BY timestamp)) AS h",
    "highest margin and lowest level": "SELECT (timestamp AT TIME ZONE 'UTC')::date, max(margin),"
    " min(nullif(margin_level, 0)) FROM snapshots_by_account GROUP BY 1 ORDER BY 1",
    "opening of each day": "SELECT d, f.balance, f.equity FROM mt5_accounts AS a"
    " CROSS JOIN generate_series(timestamptz '2025-01-06 00:00+00', '2025-03-01', '1 hour') AS d"
    " CROSS JOIN LATERAL find_account_snapshot(a.id, d, TRUE) AS f"
    " WHERE find_server_day_start(a.id, d) = d OR date_trunc('day', d, 'UTC') = d"
    " ORDER BY 1",
    "risk": "SELECT equity_high FROM account_risk",
}
JUDGED = (
    "SELECT r.kind, r.basis, b.day, b.event, CASE WHEN b.event = 'breach' AND r.kind <> 'trailing'"
    " THEN (b.level, b.worst_at, b.worst_value)::text END"
    " FROM risk_breaches AS b JOIN risk_rules AS r ON r.id = b.rule_id"
    " WHERE b.event <> 'warning' ORDER BY 1, 2, 3, 4",
    "SELECT r.kind, r.basis, s.day, s.opening, s.highest, s.worst_room, s.worst_at"
    " FROM risk_states AS s JOIN risk_rules AS r ON r.id = s.rule_id ORDER BY 1, 2",
)


def test_each_table_has_a_policy_or_says_why_it_needs_none(catalog: psycopg.Connection) -> None:
    found = catalog.execute(
        f"SELECT n.nspname || '.' || c.relname FROM pg_class AS c"
        f" INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace"
        f" WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND n.nspname IN {SCHEMAS}"
        " ORDER BY 1"
    ).fetchall()
    policies = catalog.execute("SELECT relation FROM monitoring.lifecycle ORDER BY 1").fetchall()
    assert policies == found, "a new table gets its row in seed/5750_lifecycle.sql"


def test_each_policy_names_columns_that_are_there(catalog: psycopg.Connection) -> None:
    missing = catalog.execute(
        "SELECT l.relation, n.name FROM monitoring.lifecycle AS l"
        " CROSS JOIN LATERAL (VALUES (l.time_column), (l.part_column)) AS n (name)"
        " WHERE n.name IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute AS a"
        " WHERE a.attrelid = l.relation::regclass AND a.attname = n.name)"
    ).fetchall()
    assert missing == []


def test_changed_policy_outlives_a_deployment(db: psycopg.Connection) -> None:
    from rubi import ROOT

    db.execute(
        "UPDATE monitoring.lifecycle SET keep_full = '60 days', legal_hold = TRUE, reason = 'mine'"
        " WHERE relation = 'public.account_snapshots'"
    )
    db.execute((ROOT / "seed/5750_lifecycle.sql").read_text())
    kept = db.execute(
        "SELECT keep_full::text, legal_hold, reason <> 'mine' FROM monitoring.lifecycle"
        " WHERE relation = 'public.account_snapshots'"
    ).fetchone()
    assert kept == ("60 days", True, True)


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ("keep_full = '6 days'", "lifecycle_keep_full_at_least_a_week_check"),
        ("keep_full = '101 years', keep_hourly = '101 years'", "lifecycle_hourly_for_longer_check"),
        ("keep_hourly = '8 days'", "lifecycle_hourly_for_longer_check"),
        ("keep_hourly = NULL", "lifecycle_hourly_when_thinned_check"),
        ("time_column = NULL", "lifecycle_ending_rows_have_a_time_check"),
        ("archive_by = 'day'", "lifecycle_archived_by_a_unit_check"),
        ("part_column = 'session_id'", "lifecycle_part_of_an_archive_check"),
        ("way = 'gone', keep_hourly = NULL", "lifecycle_way_known_check"),
        ("relation = 'public.users'", "lifecycle_thinned_are_snapshots_check"),
        ("way = 'kept', keep_hourly = NULL", "lifecycle_only_ending_rows_have_an_age_check"),
    ],
)
def test_policy_that_makes_no_sense_is_refused(
    db: psycopg.Connection, change: str, rule: str
) -> None:
    db.execute("DELETE FROM monitoring.lifecycle WHERE relation = 'public.users'")
    with pytest.raises(errors.CheckViolation) as caught, db.transaction():
        db.execute(
            f"UPDATE monitoring.lifecycle SET {change} WHERE relation = 'public.account_snapshots'"
        )
    assert caught.value.diag.constraint_name == rule


def account(db: psycopg.Connection, clock: str = "Asia/Kolkata") -> tuple[int, list]:
    """An account with two sessions, at a server whose day begins within an hour of UTC."""
    user = rows.user(db)
    sessions = [rows.session(db, user, server="Server-A") for _ in range(2)]
    db.execute("INSERT INTO mt5_server_clocks (server, clock) VALUES ('Server-A', %s)", [clock])
    (number,) = db.execute("SELECT id FROM mt5_accounts WHERE user_id = %s", [user]).fetchone()
    return number, sessions


def walk(db: psycopg.Connection, sessions: list, days: int = 4, pause: str = "5 minutes") -> None:
    """A random walk of balance and equity, told by one session and then by both in turn."""
    db.execute("SELECT setseed(0.4)")
    db.execute(
        "INSERT INTO account_snapshots (session_id, timestamp, balance, equity, margin,"
        " margin_level, profit)"
        " SELECT (%s::uuid[])[1 + (n %% 2) * (n / 500 %% 2)], t,"
        " 10000 + sum(b) OVER w, 10000 + sum(b + e) OVER w, abs(round(sum(e) OVER w)),"
        " 100 + abs(sum(b - e) OVER w), sum(e) OVER w"
        " FROM (SELECT t, row_number() OVER (ORDER BY t)::integer AS n,"
        " round((random() - 0.5)::numeric * 40 * (random() < 0.03)::integer, 2) AS b,"
        " round((random() - 0.5)::numeric * 30, 2) AS e FROM generate_series("
        " timestamptz '2025-01-06 00:00+00', timestamptz '2025-01-06 00:00+00'"
        " + %s * interval '1 day', %s) AS t) AS s WINDOW w AS (ORDER BY t)",
        [sessions, days, pause],
    )


@pytest.mark.parametrize("hourly", ["100 years", "7 days"], ids=["hour", "day"])
@pytest.mark.parametrize("clock", ["America/New_York+7", "Asia/Kolkata"])
def test_thinned_history_says_what_the_full_one_said(
    db: psycopg.Connection, clock: str, hourly: str
) -> None:
    """Warnings, and the first moments of breaches and targets, may lie in between: left out."""
    number, sessions = account(db, clock)
    db.execute("UPDATE mt5_sessions SET equity = 0, balance = 0")
    walk(db, sessions)
    db.execute("UPDATE monitoring.lifecycle SET keep_full = '7 days', keep_hourly = %s"
               " WHERE relation = 'public.account_snapshots'", [hourly])  # fmt: skip
    before = {name: db.execute(query).fetchall() for name, query in CURVES.items()}
    (count,) = db.execute("SELECT count(*) FROM account_snapshots").fetchone()
    whole = judged(db, number, clock)
    planned = db.execute(
        "SELECT sum(row_count) FROM monitoring.plan_lifecycle() WHERE step LIKE 'thin %'"
    ).fetchone()[0]
    db.execute("CALL follow_lifecycle()")
    (left,) = db.execute("SELECT count(*) FROM account_snapshots").fetchone()
    assert left < count * (0.1 if hourly == "7 days" else 0.8)
    assert count - left == planned
    assert {name: db.execute(query).fetchall() for name, query in CURVES.items()} == before
    assert judged(db, number, clock) == whole
    # thinned ones are thinned no further
    db.execute("DELETE FROM monitoring.thinned_days")
    db.execute("CALL follow_lifecycle()")
    assert db.execute("SELECT count(*) FROM account_snapshots").fetchone() == (left,)


def judged(db: psycopg.Connection, number: int, clock: str) -> list[tuple]:
    """What rules that begin with the history find in it, looked at again from its beginning."""
    db.execute("DELETE FROM risk_states")
    db.execute("DELETE FROM risk_breaches")
    if not db.execute("SELECT FROM risk_rules").rowcount:
        for kind, amount in (
            ("daily_loss", 60), ("maximum_loss", 150), ("trailing_day", 150), ("trailing", 150),
            ("profit_target", 50),
        ):  # fmt: skip
            for basis in ("balance", "equity", "higher"):
                db.execute(
                    "INSERT INTO risk_rules (user_id, account_id, name, kind, amount, unit, basis,"
                    " initial_capital, clock, valid_from, is_final) SELECT user_id, id, %s, %s, %s,"
                    " 'money', %s, 10000, %s, '2025-01-06 00:00+00', FALSE FROM mt5_accounts"
                    " WHERE id = %s",
                    [f"{kind} {basis}", kind, amount, basis, clock, number],
                )
    db.execute("SELECT internal.judge_snapshots(ARRAY[%s]::bigint[])", [number])
    found = [db.execute(query).fetchall() for query in JUDGED]
    assert len(found[0]) > 10
    return found


@pytest.mark.parametrize(
    ("balances", "equities", "fall"),
    [
        ([0] * 12, [700, 600, 500, 550, 900, 850, 600, 650, 950, 980, 1000, 990], (300, -500)),
        ([700, 650, 500, 600, 900, 870, 860, 650, 980, 950, 1000, 990],
         [690, 640, 490, 590, 600, 590, 580, 640, 900, 940, 995, 985], (200, 320)),
    ],
    ids=["of equity", "from the highest balance"],
)  # fmt: skip
def test_fall_within_an_hour_stays_as_deep_as_it_was(
    db: psycopg.Connection, balances: list[int], equities: list[int], fall: tuple[int, int]
) -> None:
    """Neither its high nor its low is one of the hour's."""
    _, sessions = account(db)
    for minute, (balance, equity) in enumerate(zip(balances, equities, strict=True)):
        rows.snapshot(
            db, sessions[0], balance=balance, equity=equity,
            timestamp=f"2025-01-06 10:{minute:02}+00",
        )  # fmt: skip
    query = CURVES["deepest fall of equity"]
    before = db.execute(query).fetchone()
    db.execute("CALL follow_lifecycle()")
    assert db.execute("SELECT count(*) FROM account_snapshots").fetchone()[0] < 12
    assert db.execute(query).fetchone() == before == fall


def test_held_rows_stay(db: psycopg.Connection) -> None:
    _, sessions = account(db)
    walk(db, sessions, days=2)
    db.execute("UPDATE monitoring.lifecycle SET legal_hold = TRUE")
    (count,) = db.execute("SELECT count(*) FROM account_snapshots").fetchone()
    db.execute("CALL follow_lifecycle()")
    assert db.execute("SELECT count(*) FROM account_snapshots").fetchone() == (count,)
    assert db.execute("SELECT * FROM monitoring.plan_lifecycle()").fetchall() == []
    db.execute("UPDATE monitoring.lifecycle SET legal_hold = FALSE")
    db.execute("CALL follow_lifecycle()")
    assert db.execute("SELECT count(*) FROM account_snapshots").fetchone()[0] < count


def test_thinned_chunk_is_written_again_without_gaps(db: psycopg.Connection) -> None:
    _, sessions = account(db)
    db.execute("CALL monitoring.make_snapshot_chunks('2025-01-01', '2025-02-10')")
    walk(db, sessions, days=20, pause="1 minute")
    size = "SELECT sum(pg_total_relation_size(c)) FROM show_chunks('account_snapshots') AS c"
    before = db.execute(size).fetchone()[0]
    db.execute("CALL follow_lifecycle()")
    assert db.execute(size).fetchone()[0] < before / 4
    assert db.execute(
        "SELECT count(*), count(compacted_at) FROM monitoring.thinned_days"
    ).fetchone() == (21, 21)


def test_young_snapshots_stay(db: psycopg.Connection) -> None:
    _, sessions = account(db)
    db.execute(
        "INSERT INTO account_snapshots (session_id, timestamp, balance, equity)"
        " SELECT %s, now() - n * interval '3 hours', 1, 1 FROM generate_series(0, 239) AS n",
        [sessions[0]],
    )
    db.execute("CALL follow_lifecycle()")
    assert db.execute("SELECT count(*) FROM account_snapshots").fetchone() == (240,)


@pytest.mark.parametrize(
    ("table", "column", "insert"),
    [
        ("monitoring.proof_readings", "taken_at",
         "INSERT INTO monitoring.proof_readings (name, listed_by, violations, taken_at)"
         " SELECT 'n' || n, 'v', 0, now() - n * interval '24 hours'"
         " FROM generate_series(1, 100) AS n"),
        ("monitoring.size_readings", "taken_on",
         "INSERT INTO monitoring.size_readings (relation, taken_on, bytes)"
         " SELECT 'r' || n, current_date - n, 0 FROM generate_series(1, 1000) AS n"),
        ("monitoring.dropped_ranges", "dropped_at",
         "INSERT INTO monitoring.dropped_ranges (relation, range_start, range_end, reason,"
         " dropped_at) SELECT 'r', '2020-01-01', '2020-01-02', 'r', now() - n * interval '1 day'"
         " FROM generate_series(1, 1000) AS n"),
        ("monitoring.backup_runs", "finished_at",
         "INSERT INTO monitoring.backup_runs (kind, started_at, finished_at, succeeded)"
         " SELECT 'drill', now() - n * interval '1 day', now() - n * interval '1 day', TRUE"
         " FROM generate_series(1, 2000) AS n"),
    ],
)  # fmt: skip
def test_old_readings_are_deleted(
    db: psycopg.Connection, table: str, column: str, insert: str
) -> None:
    db.execute(insert)
    db.execute("CALL follow_lifecycle()")
    kept, oldest = db.execute(
        f"SELECT count(*), (min(t.{column})::timestamptz > now() - l.keep_full - interval '1 day')"
        f" FROM {table} AS t CROSS JOIN monitoring.lifecycle AS l WHERE l.relation = %s"
        " GROUP BY l.keep_full",
        [table],
    ).fetchone()
    assert kept >= 89
    assert oldest


@pytest.mark.parametrize("hourly", ["100 years", "7 days"], ids=["hour", "day"])
def test_rule_that_begins_within_a_stretch_finds_its_own_fall_in_thinned_history(
    db: psycopg.Connection, hourly: str
) -> None:
    """The highest and lowest of the hour, and its deepest fall, are of before the rule."""
    number, sessions = account(db)
    db.execute("UPDATE mt5_sessions SET equity = 0, balance = 0")
    equity = [1000, 1900, 100, 1000, 1000, 1300, 1300, 700, 1000, 1000, 1000]
    for minute, value in enumerate(equity):
        db.execute(
            "INSERT INTO account_snapshots (session_id, timestamp, balance, equity)"
            " VALUES (%s, timestamptz '2025-01-06 10:00+00' + %s * interval '5 minutes', 1000, %s)",
            [sessions[0], minute, value],
        )
    db.execute(
        "INSERT INTO risk_rules (user_id, account_id, name, kind, amount, unit, basis,"
        " initial_capital, clock, valid_from, is_final) SELECT user_id, id, 'x', 'trailing', 500,"
        " 'money', 'equity', 1000, 'Asia/Kolkata', '2025-01-06 10:17+00', FALSE FROM mt5_accounts"
        " WHERE id = %s",
        [number],
    )
    db.execute("UPDATE monitoring.lifecycle SET keep_full = '7 days', keep_hourly = %s"
               " WHERE relation = 'public.account_snapshots'", [hourly])  # fmt: skip
    found = []
    for step in ("SELECT", "CALL follow_lifecycle()"):
        db.execute(step)
        db.execute("DELETE FROM risk_states")
        db.execute("DELETE FROM risk_breaches")
        db.execute("SELECT internal.judge_snapshots(ARRAY[%s]::bigint[])", [number])
        found.append([db.execute(query).fetchall() for query in JUDGED])
    assert found[0] == found[1]
    assert found[0][1][0][-2] == -100
    (left,) = db.execute("SELECT count(*) FROM account_snapshots").fetchone()
    assert left < len(equity)


def test_trouble_of_one_table_is_told_when_all_others_are_done(
    db: psycopg.Connection, psql: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Schedulers see what ends with an error: psql's exit code, pg_cron's failed run."""
    _, sessions = account(db)
    walk(db, sessions, days=2)
    user = rows.user(db)
    db.execute(
        "UPDATE monitoring.lifecycle SET way = 'deleted', time_column = 'created_at',"
        " keep_full = '7 days' WHERE relation = 'public.users'"
    )
    db.execute("UPDATE users SET created_at = '2020-01-01 00:00+00'")
    (count,) = db.execute("SELECT count(*) FROM account_snapshots").fetchone()
    with pytest.raises(psycopg.DatabaseError) as caught:
        db.execute("CALL follow_lifecycle()")  # users are named by their accounts: 23503
    assert caught.value.sqlstate == "RB078"
    assert "public.users" in str(caught.value) and "23503" in str(caught.value)
    assert db.execute("SELECT count(*) FROM account_snapshots").fetchone()[0] < count
    assert db.execute("SELECT FROM users WHERE id = %s", [user]).rowcount == 1
    assert psql(db.info.dbname, "-c", "CALL public.follow_lifecycle()").returncode != 0
    db.execute(
        "UPDATE monitoring.lifecycle SET way = 'kept', time_column = NULL, keep_full = NULL"
        " WHERE relation = 'public.users'"
    )
    assert psql(db.info.dbname, "-c", "CALL public.follow_lifecycle()").returncode == 0
