"""Every function that a role may call, called with NULLs, extremes and nonsense: no crash, no row
changed, no internal error of ours, and an end within seconds."""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, suppress

import psycopg
import pytest
from psycopg import errors, sql
from pytest_postgresql.executors import NoopExecutor

import rows
from conftest import Address, copy_rights
from rubi.backups import measuring

pytestmark = pytest.mark.slow

ROLES = ["rubi_readonly", "rubi_monitor", "rubi_backup", "rubi_tenant", "rubi_ingest", "rubi_app"]
# what these do is to be undone; the others must do nothing that stays
WRITERS = {"rubi_ingest", "rubi_app"}
ROUNDS = 24

NUMBERS = ["0", "1", "-1", "32767", "2147483647", "-2147483648", "9223372036854775807"]
TEXTS = [
    "", "x", " ", "market_data", "EURUSD", "H1", "M1", "'); DROP TABLE users; --", "\u00a0", "%s",
    "a" * 100_000, "{}", "rubi_signals", "Europe/Berlin", "1 day", "\U0001f4b0", "pg_catalog",
]  # fmt: skip
TIMES = ["2026-01-05", "-infinity", "infinity", "4714-11-24 00:00 BC", "294276-12-31", "epoch"]
JSON = [
    "[]", "{}", "null", "[{}]", "[null]", "[1]", '"x"', "[[[[]]]]", '[{"time": 1e300}]',
    '[{"ticket": "x", "time": -1, "type": 99}]', '[{"time": 9223372036854775807, "open": 1}]',
    '[{"ticket": 1, "time_msc": 1767600000000, "type": 0, "volume": "NaN", "symbol": ""}]',
]  # fmt: skip
VALUES: dict[str, list[str]] = {
    "int2": NUMBERS[:4], "int4": NUMBERS[:6], "int8": NUMBERS, "oid": ["0", "1", "4294967295"],
    "numeric": [*NUMBERS, "NaN", "Infinity", "-Infinity", "1e1000", "1e-1000"],
    "float4": ["0", "NaN", "Infinity", "1e30"], "float8": ["0", "NaN", "-Infinity", "1e300"],
    "bool": ["true", "false"], "text": TEXTS, "varchar": TEXTS, "bpchar": TEXTS, "name": TEXTS,
    "bytea": ["", "\\x00", "\\xffff"], "json": JSON, "jsonb": JSON, "tid": ["(0,0)", "(9,9)"],
    "uuid": ["00000000-0000-0000-0000-000000000000"], "timestamptz": TIMES, "timestamp": TIMES,
    "date": ["2026-01-05", "-infinity", "infinity", "5874897-12-31"], "time": ["00:00", "24:00"],
    "interval": ["0", "1 day", "-1 day", "1 month", "100000000 years", "1 microsecond"],
    "regclass": ["market_data", "users", "pg_class", "0", "4294967295"], "regproc": ["now", "0"],
    "regprocedure": ["now()", "0"], "regtype": ["integer", "0"], "regrole": ["rubi_app", "0"],
    "tstzrange": ["empty", "(,)", "[2026-01-01,2026-01-02)"], "bit": ["1"], "varbit": ["", "101"],
    "pg_lsn": ["0/0", "FFFFFFFF/FFFFFFFF"], "xid8": ["0", "18446744073709551615"], "xid": ["0"],
    "pg_snapshot": ["1:1:"], "txid_snapshot": ["1:1:"], "char": ["x", ""], "inet": ["::1"],
    "tsquery": ["x"], "tsvector": ["x"], "aclitem": ["=r/postgres"], "refcursor": ["x"],
    "anyelement": ["1"], "any": ["1"], "anyarray": ["{1,NULL}", "{}"], "anynonarray": ["1"],
    "anycompatible": ["1"], "anycompatiblearray": ["{1}"], "record": ["(1)"], "cstring": ["", "x"],
}  # fmt: skip
CASTS = {
    "any": "integer", "anyelement": "integer", "anynonarray": "integer", "anyarray": "integer[]",
    "anycompatible": "integer", "anycompatiblearray": "integer[]",
}  # fmt: skip

# volatile ones of PostgreSQL only: the others are its own tests' matter
CALLABLE = """
    SELECT
        p.pronamespace::regnamespace::text, p.proname, p.prokind,
        CASE WHEN p.pronamespace::regnamespace::text = ANY (%(ours)s) AND e.extname IS NULL
            THEN 'ours' ELSE coalesce(e.extname, 'postgresql') END,
        ARRAY(
            SELECT ARRAY[
                CASE WHEN b.typtype = 'd' THEN base.typname ELSE b.typname END,
                format_type(a.type, NULL), b.typelem::text, b.typcategory::text
            ]
            FROM unnest(p.proargtypes) WITH ORDINALITY AS a (type, place)
            JOIN pg_type AS b ON b.oid = a.type
            LEFT JOIN pg_type AS base ON base.oid = b.typbasetype
            ORDER BY a.place
        )
    FROM pg_proc AS p
    LEFT JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
        AND d.deptype = 'e'
    LEFT JOIN pg_extension AS e ON d.refobjid = e.oid
    WHERE p.prokind IN ('f', 'p')
        AND p.prorettype NOT IN (
            'trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype,
            'language_handler'::regtype, 'index_am_handler'::regtype,
            'table_am_handler'::regtype, 'tsm_handler'::regtype, 'cstring'::regtype
        )
        AND NOT 'internal'::regtype = ANY (p.proargtypes)
        AND (p.pronamespace <> 'pg_catalog'::regnamespace OR p.provolatile = 'v')
        -- they wait, or end this session itself
        AND p.proname !~ '^pg_(sleep|terminate_backend|cancel_backend|advisory_lock)'
        AND has_function_privilege(%(role)s, p.oid, 'EXECUTE')
        AND has_schema_privilege(%(role)s, p.pronamespace, 'USAGE')
    ORDER BY 1, 2, p.oid
"""
OURS = ["public", "monitoring", "internal", "deploy", "audit", "migration"]


@pytest.fixture(scope="module")
def fuzzed(server: Address, template: NoopExecutor) -> Iterator[str]:
    """Name of a clone with a few rows of each kind."""
    name = f"{template.dbname}_fuzzed"
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template.template_dbname}")
        copy_rights(admin, template.template_dbname, name)
        with psycopg.connect(server.dsn(name), autocommit=True) as connection:
            user = rows.user(connection)
            session = rows.session(connection, user)
            strategy = rows.strategy(connection, user)
            rows.closed_order(connection, user, strategy_id=strategy)
            rows.position(connection, session)
            rows.snapshot(connection, session)
            connection.execute(
                "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
                " SELECT 'EURUSD', 'M1', t, 1, 1, 1, 1 FROM generate_series("
                " timestamptz '2026-01-05', '2026-01-06', interval '1 minute') AS t"
            )
            connection.execute("SELECT fold_bar_changes()")
        yield name
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def candidates(argument: list[str]) -> list[str | None]:
    """Values of an argument, NULL first."""
    kind, _, element, category = argument
    if kind in VALUES:
        return [None, *VALUES[kind]]
    if category == "A" and element != "0":
        texts = [value for value in VALUES.get(kind.lstrip("_"), ["x"]) if len(value) < 100]
        quoted = ['"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"' for value in texts]
        return [None, "{}", "{NULL}", "{{NULL},{NULL}}", "{" + ",".join(quoted) + "}"]
    return [None, "", "()", "x"]


def calls(arguments: list[list[str]], random_rounds: int) -> Iterator[tuple[str | None, ...]]:
    """All NULL, each value beside the same one of the others, then any beside any."""
    values = [candidates(argument) for argument in arguments]
    longest = max(map(len, values), default=1)
    yield from itertools.islice(
        (tuple(each[n % len(each)] for each in values) for n in range(longest)), ROUNDS
    )
    if len(values) > 1:
        dice = random.Random(str(arguments))
        for _ in range(random_rounds):
            yield tuple(dice.choice(each) for each in values)


def statement(schema: str, name: str, kind: str, arguments: list[list[str]]) -> sql.Composed:
    """A call with a placeholder and a cast for each argument."""
    casts = [sql.SQL(CASTS.get(a[0], a[1].replace('"char"', '"char"'))) for a in arguments]
    texts = [sql.SQL("%s::text::{}").format(cast) for cast in casts]
    form = "CALL {}({})" if kind == "p" else "SELECT {}({})"
    return sql.SQL(form).format(sql.Identifier(schema, name), sql.SQL(", ").join(texts))


def measured(server: Address, name: str) -> dict[str, object]:
    """Rows and checksums of all tables but the readings, which rubi_monitor may take."""
    with psycopg.connect(server.dsn(name)) as connection:
        tables = measuring.measure(connection)["tables"]
    return {name: found for name, found in tables.items() if not name.startswith("monitoring.")}


@pytest.mark.parametrize("role", ROLES)
def test_nonsense_ends_in_an_error_or_an_answer(server: Address, fuzzed: str, role: str) -> None:
    before = measured(server, fuzzed)
    codes: Counter[str] = Counter()
    internal = []
    login = "rubi_app" if role == "rubi_tenant" else role
    with (
        closing(psycopg.connect(server.dsn(fuzzed), autocommit=True)) as watch,
        closing(psycopg.connect(server.dsn(fuzzed, login), autocommit=True)) as connection,
    ):
        connection.execute("SET default_transaction_read_only = off")
        connection.execute("SET statement_timeout = '2s'; SET client_min_messages = error")
        functions = watch.execute(CALLABLE, {"role": role, "ours": OURS}).fetchall()
        assert len(functions) > 100
        for schema, name, kind, owner, arguments in functions:
            # the same for every role that PUBLIC's right serves
            if owner != "ours" and role != "rubi_readonly":
                continue
            call = statement(schema, name, kind, arguments)
            for values in calls(arguments, ROUNDS if owner == "ours" else 4):
                said = f"{call.as_string()} with {str(values)[:200]}"
                try:
                    with connection.transaction(force_rollback=role in WRITERS):
                        if role == "rubi_tenant":
                            connection.execute("SET LOCAL ROLE rubi_tenant")
                        connection.execute(call, values)
                    codes["answered"] += 1
                except psycopg.Error as error:
                    codes[error.sqlstate or "none"] += 1
                    if owner == "ours" and (error.sqlstate or "XX000").startswith(("XX", "53")):
                        internal.append(f"{said}: {error}")
                assert not connection.closed, f"{said} ended the session"
        assert watch.execute("SELECT 1").fetchone() == (1,), "the server ended"
    print(role, sum(codes.values()), codes.most_common(8))
    assert internal == []
    assert measured(server, fuzzed) == before


def test_a_crash_would_be_seen(server: Address, fuzzed: str) -> None:
    """The session of the test above counts as ended when the server ends it."""
    connection = psycopg.connect(server.dsn(fuzzed, "rubi_app"), autocommit=True)
    with psycopg.connect(server.dsn(fuzzed), autocommit=True) as admin:
        admin.execute("SELECT pg_terminate_backend(%s, 5000)", [connection.info.backend_pid])
    with suppress(errors.AdminShutdown, psycopg.OperationalError):
        connection.execute("SELECT 1")
    assert connection.closed
