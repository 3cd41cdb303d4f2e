"""Every time, text and JSON document of every table has a bound, and what breaks it is named."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import psycopg
import pytest
from psycopg import errors
from psycopg.types.json import Jsonb

import mt5
import rows
from rubi import SCHEMAS

# what holds no bound of its own, and why
UNBOUNDED = {
    "deploy.history": "written by who deploys, from the repository's files",
    "migration.": "written by the owner who moves in; keeps what the source has",
}
OPEN_ENDS = {
    "public.mt5_symbols.valid_to": "infinity: the current terms",
    "public.risk_rules.valid_to": "infinity: the rule holds",
    "internal.signal_marks.made_at": "written by the claim functions alone, from the clock",
    "internal.signal_marks.ready_at": "-infinity: a mark before everything",
    "internal.signal_queue.ready_at": "written by the claim functions alone, from the clock",
    "public.mt5_magic_strategies.valid_from": "-infinity: for all time before the next row",
    "public.mt5_server_clocks.valid_from": "-infinity: for all time before the next rule",
}
COLUMNS = f"""
SELECT format('%s.%s.%s', n.nspname, c.relname, a.attname),
    a.attrelid::regclass::text, quote_ident(a.attname), format_type(a.atttypid, NULL),
    coalesce(t.typbasetype::regtype, t.oid::regtype)::text,
    ARRAY(
        SELECT pg_get_constraintdef(k.oid) FROM pg_constraint AS k
        WHERE k.contypid = a.atttypid
            OR (k.conrelid = a.attrelid AND k.contype = 'c' AND a.attnum = ANY (k.conkey))
    )
FROM pg_attribute AS a
INNER JOIN pg_class AS c ON c.oid = a.attrelid
INNER JOIN pg_namespace AS n ON n.oid = c.relnamespace
INNER JOIN (
    SELECT y.oid, nullif(y.typbasetype, 0) AS typbasetype FROM pg_type AS y
) AS t ON t.oid = a.atttypid
WHERE c.relkind IN ('r', 'p') AND a.attnum > 0 AND NOT a.attisdropped
    AND n.nspname IN {SCHEMAS}
ORDER BY 1
"""
LENGTHS = ("octet_length(", "char_length(", "pg_column_size(", " = ANY (", "{64}$", ",10}$", "'^(",
           "is_timeframe(", "::symbol_name", "::timeframe")  # fmt: skip


def columns(catalog: psycopg.Connection, *types: str) -> list[tuple]:
    """Columns of our tables whose type, or that of their domain, is one of these."""
    return [row for row in catalog.execute(COLUMNS).fetchall() if row[4] in types]


def test_every_text_and_document_has_a_bound(catalog: psycopg.Connection) -> None:
    found = columns(catalog, "text", "jsonb", "character varying")
    assert len(found) > 140
    bare = [
        name
        for name, *_, rules in found
        if not name.startswith(tuple(UNBOUNDED))
        and not any(part in rule for rule in rules for part in LENGTHS)
    ]
    assert bare == []


def test_listed_tables_without_bounds_are_nobodys_but_the_owners(
    catalog: psycopg.Connection,
) -> None:
    writers = catalog.execute(
        "SELECT DISTINCT c.oid::regclass::text, r.rolname FROM pg_class AS c"
        " CROSS JOIN pg_roles AS r WHERE c.relkind = 'r'"
        " AND c.relnamespace IN ('deploy'::regnamespace, 'migration'::regnamespace)"
        " AND r.rolname IN ('rubi_app', 'rubi_tenant', 'rubi_ingest', 'rubi_readonly')"
        " AND (has_table_privilege(r.oid, c.oid, 'INSERT')"
        " OR has_table_privilege(r.oid, c.oid, 'UPDATE'))"
    ).fetchall()
    assert writers == []


@pytest.mark.parametrize("at", ["infinity", "-infinity"])
def test_every_time_refuses_infinity(catalog: psycopg.Connection, at: str) -> None:
    """Asked of the rules themselves: a domain's value, or a CHECK with all else empty."""
    kinds = ("timestamp with time zone", "timestamp without time zone", "date")
    takes = []
    for name, table, column, kind, base, rules in columns(catalog, *kinds):
        if name.startswith(tuple(UNBOUNDED)) and kind == base:
            continue
        try:
            if kind != base:
                catalog.execute(f"SELECT %s::{kind}", [at])
            checks = " AND ".join(
                f"({rule.removeprefix('CHECK ')}) IS NOT FALSE" for rule in rules
            ) if kind == base else ""  # fmt: skip
            if kind != base or catalog.execute(
                f"SELECT {checks or 'TRUE'} FROM"
                f" (SELECT r.* FROM (SELECT %s::{base} AS {column}) AS v"
                f" CROSS JOIN LATERAL jsonb_populate_record(NULL::{table},"
                f" jsonb_build_object(%s::text, v.{column})) AS r) AS t",
                [at, name.split(".")[-1]],
            ).fetchone()[0]:  # fmt: skip
                takes.append(name)
        except errors.CheckViolation as error:
            assert error.diag.constraint_name
    end = {"infinity": "valid_to", "-infinity": "valid_from"}[at]
    assert set(takes) <= set(OPEN_ENDS)
    assert set(takes) >= {name for name in OPEN_ENDS if name.endswith(end)}


BOUNDED = {
    "symbol_name": ("symbol_length_check", "x" * 800),
    "filled_text": ("text_length_check", "x" * 800),
    "key_text": ("key_length_check", "x" * 800),
    "short_text": ("short_text_length_check", "x" * 4000),
    "long_text": ("long_text_length_check", "x" * 65536),
}


@pytest.mark.parametrize("domain", BOUNDED)
def test_text_beyond_its_bound_is_refused_by_name(
    rolled_back: psycopg.Connection, domain: str
) -> None:
    rule, longest = BOUNDED[domain]
    assert rolled_back.execute(f"SELECT %s::{domain}", [longest]).fetchone() == (longest,)
    with pytest.raises(errors.CheckViolation) as caught, rolled_back.transaction():
        rolled_back.execute(f"SELECT %s::{domain}", [longest + "x"])
    assert caught.value.diag.constraint_name == rule


def attempts() -> list:
    """Rows that a tenant or the API might write: table, column, value, rule."""
    long, large = "x" * 5_000_000, Jsonb({"a": "x" * 5_000_000})
    far, never = "2099-01-01", "-infinity"
    cases = [
        ("trading_strategies", "description", long, "long_text_length_check"),
        ("trading_strategies", "symbols", Jsonb(["x" * 300_000]), "symbol_list_size_check"),
        ("trading_signals", "indicators", large, "json_size_check"),
        ("trading_signals", "status_message", long, "long_text_length_check"),
        ("trading_signals", "symbol", long, "symbol_length_check"),
        ("trading_signals", "signal_time", never, "event_time_range_check"),
        ("trading_orders", "mt5_order_id", long, "key_length_check"),
        ("trading_orders", "opened_at", never, "event_time_range_check"),
        ("trading_orders", "opened_at", "infinity", "event_time_range_check"),
        ("trading_orders", "closed_at", far, "event_time_range_check"),
        ("trading_positions", "ticket", long, "text_length_check"),
        ("trading_positions", "open_time", "infinity", "event_time_range_check"),
        ("mt5_sessions", "server", long, "key_length_check"),
        ("mt5_sessions", "broker", long, "text_length_check"),
        ("mt5_sessions", "last_ping", far, "event_time_range_check"),
        ("mt5_sessions", "last_ping", never, "event_time_range_check"),
    ]
    return [pytest.param(*case, id=f"{case[0]}-{case[1]}-{case[3]}") for case in cases]


@pytest.mark.parametrize("role", ["rubi_app", "rubi_tenant", "rubi_owner"])
@pytest.mark.parametrize(("table", "column", "value", "rule"), attempts())
def test_row_beyond_a_bound_is_refused_by_name(
    db_shared: psycopg.Connection, role: str, table: str, column: str, value: object, rule: str
) -> None:
    user = rows.user(db_shared)
    session = rows.session(db_shared, user)
    db_shared.execute(f"SET LOCAL ROLE {role}")
    db_shared.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(user)])
    makers = {
        "trading_strategies": (rows.strategy, user), "trading_signals": (rows.signal, user),
        "trading_orders": (rows.order, user), "mt5_sessions": (rows.session, user),
        "trading_positions": (rows.position, session),
    }  # fmt: skip
    maker, parent = makers[table]
    with pytest.raises(errors.CheckViolation) as caught, db_shared.transaction():
        maker(db_shared, parent, **{column: value})
    assert caught.value.diag.constraint_name == rule
    maker(db_shared, parent)


@pytest.fixture
def db_shared(server: object, shared_database: str) -> psycopg.Connection:
    """A superuser's connection inside a transaction that is rolled back after the test."""
    with (
        psycopg.connect(server.dsn(shared_database)) as connection,
        connection.transaction(force_rollback=True),
    ):
        yield connection


def test_ping_of_tomorrow_hides_no_outage(db: psycopg.Connection) -> None:
    user = rows.user(db)
    now = datetime.now(UTC)
    for ping in (now - timedelta(hours=3), now + timedelta(hours=20)):
        rows.session(db, user, last_ping=str(ping), connected_at=str(now - timedelta(hours=4)))
    overdue = db.execute(
        "SELECT r.* FROM monitoring.read_ingest() AS r WHERE r.kind = 'ping'"
    ).fetchone()
    assert overdue[-1] > timedelta(hours=2)


@pytest.mark.parametrize(
    ("start", "end", "code"),
    [
        ("1990-01-01", "2026-01-01", None), ("1926-01-01", "2025-12-01", None),
        ("1900-01-01", "2026-01-01", "RB070"), ("0001-01-01", "8000-01-01", "RB070"),
    ],
)  # fmt: skip
def test_metrics_are_of_a_hundred_years_at_most(
    rolled_back: psycopg.Connection, start: str, end: str, code: str | None
) -> None:
    user = rows.user(rolled_back)
    query = "SELECT total_trades FROM calculate_performance_metrics(%s, NULL, %s, %s)"
    if code is None:
        assert rolled_back.execute(query, [user, start, end]).fetchone() == (0,)
        return
    with pytest.raises(psycopg.Error) as caught, rolled_back.transaction():
        rolled_back.execute(query, [user, start, end])
    assert caught.value.sqlstate == code


@pytest.mark.parametrize(
    ("statement", "rule"),
    [
        ("INSERT INTO market_retention VALUES ('*', 'M7', '1 day')", "timeframe_known_check"),
        ("INSERT INTO market_calendar_clocks VALUES ('x', 'New York')",
         "server_clock_form_check"),
        ("INSERT INTO market_calendar_clocks VALUES ('x', 'America/New_Yorc')", "22023"),
        ("INSERT INTO market_calendar_clocks VALUES (' ', 'UTC')", "text_not_blank_check"),
        ("INSERT INTO market_sessions VALUES ('forx', 1, '0', '1 h')",
         "market_sessions_calendar_fkey"),
        ("INSERT INTO market_holidays VALUES ('forx', '2026-12-25', 'y')",
         "market_holidays_calendar_fkey"),
        ("INSERT INTO market_calendars VALUES ('EURUSD', 'forx')",
         "market_calendars_calendar_fkey"),
        ("INSERT INTO market_holidays VALUES ('forex', '2026-12-25', 'y', '9 h', '25 h')",
         "market_holidays_closes_after_opening_check"),
        ("INSERT INTO market_holidays VALUES ('forex', '2026-12-25', 'y', '-1 h', '5 h')",
         "market_holidays_closes_after_opening_check"),
        ("INSERT INTO market_holidays VALUES ('forex', 'infinity', 'y', NULL, NULL)",
         "market_holidays_day_finite_check"),
        ("UPDATE mt5_account_states SET margin_initial = 'NaN'", "mt5_amount_not_nan_check"),
        ("UPDATE mt5_account_states SET margin_level = 'Infinity'", "margin_level_finite_check"),
        ("UPDATE mt5_accounts SET margin_so_call = 'NaN'", "margin_level_finite_check"),
    ],
)  # fmt: skip
def test_mistyped_value_is_refused_by_name(
    db_shared: psycopg.Connection, statement: str, rule: str
) -> None:
    mt5.open_account(db_shared, rows.user(db_shared))
    db_shared.execute("SET LOCAL ROLE rubi_app")
    with pytest.raises(psycopg.Error) as caught, db_shared.transaction():
        db_shared.execute(statement)
    assert rule in (caught.value.diag.constraint_name, caught.value.sqlstate)


def test_packed_document_of_another_table_is_measured_as_a_dump_writes_it(
    db: psycopg.Connection,
) -> None:
    """A value that is stored compressed would come in by its few bytes, and no restore would take
    it."""
    user = rows.user(db)
    db.execute("CREATE TEMPORARY TABLE packed (j jsonb)")
    db.execute("INSERT INTO packed SELECT jsonb_build_object('a', repeat('x', 1000000))")
    assert db.execute("SELECT pg_column_size(j) < 262144 FROM packed").fetchone() == (True,)
    with pytest.raises(psycopg.errors.CheckViolation) as caught:
        db.execute(
            "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time,"
            " indicators) SELECT %s, 'EURUSD', 'BUY', 1, now(), j FROM packed",
            [user],
        )
    assert caught.value.diag.constraint_name == "json_size_check"
