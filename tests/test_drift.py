"""Drift: every kind of difference is found and named, and a fresh install has none."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

import deploying
import servers
from conftest import Address
from rubi.backups import measuring
from rubi.deploying import catalog, sqlfiles

INJECTED = [
    ("CREATE TABLE public.surplus (id int PRIMARY KEY)", "extra", "table", "public.surplus"),
    ("CREATE VIEW public.surplus AS SELECT 1 AS n", "extra", "view", "public.surplus"),
    ("CREATE SCHEMA surplus", "extra", "schema", "surplus"),
    ("CREATE SEQUENCE public.surplus", "extra", "sequence", "public.surplus"),
    ("CREATE TYPE public.surplus AS (n int)", "extra", "type", "public.surplus"),
    ("CREATE DOMAIN public.surplus AS int", "extra", "type", "public.surplus"),
    ("CREATE EXTENSION citext", "extra", "extension", "citext"),
    (  # left behind by a file that makes the function with other parameters now
        "CREATE FUNCTION internal.link_orders_of_api(bigint, bigint, bigint[]) RETURNS bigint[]"
        " LANGUAGE sql AS 'SELECT NULL::bigint[]'",
        "extra", "function", "internal.link_orders_of_api(bigint, bigint, bigint[])",
    ),
    (
        "CREATE PROCEDURE public.surplus() LANGUAGE sql AS 'SELECT 1'",
        "extra", "procedure", "public.surplus()",
    ),
    (
        "DROP TABLE public.performance_metrics CASCADE",
        "missing", "table", "public.performance_metrics",
    ),
    ("ALTER TABLE users SET (fillfactor = 33)", "changed", "table", "public.users"),
    ("ALTER TABLE deploy.history OWNER TO postgres", "changed", "table", "deploy.history"),
    (
        "ALTER TABLE deploy.history ENABLE ROW LEVEL SECURITY",
        "changed", "table", "deploy.history",
    ),
    ("ALTER TABLE users ADD COLUMN nickname text", "extra", "column", "public.users.nickname"),
    (
        "ALTER TABLE deploy.history ALTER tool TYPE varchar(99)",
        "changed", "column", "deploy.history.tool",
    ),
    (
        "ALTER TABLE users ALTER is_active SET DEFAULT FALSE",
        "changed", "column", "public.users.is_active",
    ),
    (
        "ALTER TABLE users ALTER is_active DROP NOT NULL",
        "changed", "column", "public.users.is_active",
    ),
    (
        "ALTER TABLE trading_orders DROP CONSTRAINT trading_orders_closed_after_opened_check",
        "missing", "constraint", "public.trading_orders.trading_orders_closed_after_opened_check",
    ),
    (
        "ALTER TABLE users ADD CONSTRAINT surplus CHECK (id > 0) NOT VALID",
        "extra", "constraint", "public.users.surplus",
    ),
    ("CREATE INDEX surplus ON users (created_at)", "extra", "index", "public.users.surplus"),
    (
        "DROP INDEX idx_signals_indicators_gin",
        "missing", "index", "public.trading_signals.idx_signals_indicators_gin",
    ),
    (
        "UPDATE pg_index SET indisvalid = FALSE"
        " WHERE indexrelid = 'idx_signals_indicators_gin'::regclass",
        "changed", "index", "public.trading_signals.idx_signals_indicators_gin",
    ),
    (
        "CREATE OR REPLACE FUNCTION set_updated_at() RETURNS trigger LANGUAGE plpgsql"
        " SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN NEW; END'",
        "changed", "function", "public.set_updated_at()",
    ),
    (
        "ALTER FUNCTION set_updated_at() SECURITY DEFINER",
        "changed", "function", "public.set_updated_at()",
    ),
    (
        "CREATE OR REPLACE VIEW monitoring.database_size WITH (security_invoker = TRUE) AS SELECT"
        " current_database() AS database, 1::bigint AS bytes, 'x'::text AS size",
        "changed", "view", "monitoring.database_size",
    ),
    (
        "ALTER VIEW monitoring.database_size RESET (security_invoker)",
        "changed", "view", "monitoring.database_size",
    ),
    (
        "DROP TRIGGER users_90_updated_at ON users",
        "missing", "trigger", "public.users.users_90_updated_at",
    ),
    (
        "ALTER TABLE users DISABLE TRIGGER users_90_updated_at",
        "changed", "trigger", "public.users.users_90_updated_at",
    ),
    (
        "ALTER TABLE trading_strategies DISABLE TRIGGER ALL",
        "extra", "trigger",
        'public.trading_strategies."trigger of trading_strategies_user_id_fkey"',
    ),
    (
        "CREATE POLICY surplus ON deploy.history USING (TRUE)",
        "extra", "policy", "deploy.history.surplus",
    ),
    (
        "CREATE RULE surplus AS ON DELETE TO users DO NOTHING",
        "extra", "rule", "public.users.surplus",
    ),
    (
        "CREATE STATISTICS public.surplus ON id, email FROM users",
        "extra", "statistics", "public.surplus",
    ),
    (
        "CREATE FUNCTION public.surplus() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';"
        "CREATE EVENT TRIGGER surplus ON ddl_command_end EXECUTE FUNCTION public.surplus()",
        "extra", "event trigger", "surplus",
    ),
    (
        "GRANT SELECT ON internal.strategy_counter_deltas TO rubi_app",
        "extra", "grant", "table internal.strategy_counter_deltas to rubi_app",
    ),
    ("REVOKE DELETE ON users FROM rubi_app", "changed", "grant", "table public.users to rubi_app"),
    ("REVOKE DELETE ON users FROM rubi_owner", "changed", "grant", "table public.users to owner"),
    (
        "GRANT SELECT (hashed_password) ON users TO rubi_readonly",
        "extra", "grant", "column public.users.hashed_password to rubi_readonly",
    ),
    (
        "GRANT EXECUTE ON FUNCTION set_updated_at() TO public",
        "extra", "grant", "function public.set_updated_at() to public",
    ),
    (
        "GRANT CREATE ON SCHEMA internal TO rubi_monitor",
        "extra", "grant", "schema internal to rubi_monitor",
    ),
    (
        "ALTER DEFAULT PRIVILEGES FOR ROLE rubi_owner IN SCHEMA public"
        " GRANT TRUNCATE ON TABLES TO rubi_readonly",
        "extra", "grant", "default of tables made by owner in public to rubi_readonly",
    ),
    (
        "GRANT CREATE ON SCHEMA public TO rubi_app",
        "changed", "public grant", "schema public to rubi_app",
    ),
    (
        "REVOKE CONNECT ON DATABASE {name} FROM rubi_monitor",
        "missing", "database grant", "database to rubi_monitor",
    ),
    ("ALTER ROLE rubi_app SET work_mem = '1GB'", "extra", "role setting", "rubi_app work_mem"),
    ("ALTER ROLE rubi_app RESET lock_timeout", "missing", "role setting", "rubi_app lock_timeout"),
    (
        "ALTER ROLE rubi_app SET lock_timeout = 0",
        "changed", "role setting", "rubi_app lock_timeout",
    ),
    (
        "ALTER ROLE rubi_app IN DATABASE {name} SET jit = on",
        "extra", "role setting", "rubi_app in this database jit",
    ),
    ("ALTER DATABASE {name} SET jit = on", "extra", "database setting", "jit"),
    ("ALTER ROLE rubi_app CREATEDB", "changed", "role", "rubi_app"),
    ("CREATE ROLE rubi_surplus", "extra", "role", "rubi_surplus"),
    (
        "GRANT pg_read_all_data TO rubi_readonly",
        "extra", "membership", "rubi_readonly in pg_read_all_data",
    ),
    ("COMMENT ON TABLE users IS 'x'", "changed", "comment", "on table public.users"),
    ("COMMENT ON COLUMN users.email IS NULL", "missing", "comment", "on column public.users.email"),
    (
        "COMMENT ON FUNCTION set_updated_at() IS 'x'",
        "changed", "comment", "on function public.set_updated_at()",
    ),
    (
        "SELECT set_chunk_time_interval('market_data', interval '1 day')",
        "changed", "dimension", 'public.market_data."timestamp"',
    ),
    (servers.COLUMNSTORE, "changed", "hypertable", "public.market_data"),
    (
        "CREATE TABLE public.surplus (t timestamptz NOT NULL);"
        " SELECT create_hypertable('public.surplus', 't')",
        "extra", "table", "public.surplus",
    ),
    ("DROP EXTENSION pg_trgm", "missing", "extension", "pg_trgm"),
    (
        "ALTER TABLE users ALTER username SET (n_distinct = -1)",
        "changed", "column", "public.users.username",
    ),
    (
        "ALTER TYPE signal_status_enum ADD VALUE 'LOST'",
        "changed", "type", "public.signal_status_enum",
    ),
    ("ALTER SEQUENCE users_id_seq INCREMENT 2", "changed", "sequence", "public.users_id_seq"),
]  # fmt: skip


@pytest.fixture(scope="module")
def deployed(
    server: Address, fresh_install: str
) -> Iterator[tuple[psycopg.Connection, catalog.Catalog]]:
    """A superuser's connection to a fresh install, and the catalog that the files make."""
    with psycopg.connect(server.dsn(fresh_install), autocommit=True) as connection:
        yield connection, catalog.expected(connection, sqlfiles.read_files())


@pytest.mark.parametrize(("injected", "state", "kind", "name"), INJECTED, ids=lambda value: None)
def test_injected_drift_is_found_and_named(
    deployed: tuple[psycopg.Connection, catalog.Catalog],
    injected: str,
    state: str,
    kind: str,
    name: str,
) -> None:
    connection, expected = deployed
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL client_min_messages = error")
        connection.execute(injected.format(name=connection.info.dbname))
        found = catalog.compare(expected, catalog.snapshot(connection))
    assert (state, kind, name) in [(one.state, one.kind, one.name) for one in found]


# what a minor version may keep of its own in the catalog: pg_attver is that of 17.12 and 15.20
KEPT_BY_THE_SERVER = [
    "UPDATE pg_attribute AS a SET attoptions = '{pg_attver=4711}' FROM pg_class AS c"
    " WHERE a.attrelid = c.oid AND c.oid > 16384 AND c.relkind IN ('r', 'v')",
    "UPDATE pg_class SET reloptions = reloptions || '{pg_relver=4711}'::text[]"
    " WHERE oid > 16384 AND relkind IN ('r', 'v')",
    "UPDATE pg_extension SET extversion = '0' WHERE extname = 'uuid-ossp'",
]


@pytest.mark.parametrize("kept", KEPT_BY_THE_SERVER)
def test_what_an_update_of_the_server_keeps_is_no_drift(
    deployed: tuple[psycopg.Connection, catalog.Catalog], kept: str
) -> None:
    connection, expected = deployed
    with connection.transaction(force_rollback=True):
        assert connection.execute(kept).rowcount
        measured = measuring.measure(connection)
        assert catalog.compare(expected, catalog.snapshot(connection)) == []
    with connection.transaction(force_rollback=True):
        assert measuring.differences(measured, measuring.measure(connection)) == []


def test_fresh_install_has_no_drift(
    server: Address, fresh_install: str, empty_database: Callable[..., str]
) -> None:
    arguments = ["drift", "--scratch", empty_database()]
    assert "no drift" in deploying.run(server, fresh_install, *arguments).stdout
    done = deploying.run(server, fresh_install, *arguments, "--json")
    assert json.loads(done.stdout) == {"drift": []}


def test_drift_ends_with_4_and_says_how_to_look(server: Address, db: psycopg.Connection) -> None:
    db.execute("ALTER TABLE users ALTER is_active SET DEFAULT FALSE")
    done = deploying.run(server, db.info.dbname, "drift", user="postgres", code=4)
    lines = [line.strip() for line in done.stdout.splitlines()]
    assert "column public.users.is_active: differs from the files" in lines
    assert "-boolean NOT NULL DEFAULT true" in lines
    assert "+boolean NOT NULL DEFAULT false" in lines
    (show,) = [line for line in lines if "attname = 'is_active'" in line]
    assert db.execute(show).rowcount == 1
    assert not db.execute("SELECT FROM pg_database WHERE datname ~ '^rubi_scratch_'").rowcount


def test_every_statement_that_shows_an_object_runs(deployed: tuple) -> None:
    connection, expected = deployed
    seen = Counter()
    for item in expected.values():
        seen[item.kind] += 1
        if item.show and seen[item.kind] <= 10:
            assert connection.execute(item.show).rowcount >= 1, item


def test_parts_of_an_added_table_are_not_listed_one_by_one(deployed: tuple) -> None:
    connection, expected = deployed
    with connection.transaction(force_rollback=True):
        connection.execute("CREATE TABLE public.surplus (id int PRIMARY KEY, n int NOT NULL)")
        found = catalog.compare(expected, catalog.snapshot(connection))
    assert [(one.kind, one.name) for one in found] == [("table", "public.surplus")]


def test_pending_files_are_no_drift(server: Address, fresh_install: str, tmp_path: Path) -> None:
    folder = deploying.copy_files(tmp_path)
    (folder / "schema/0999_test.sql").write_text("CREATE TABLE public.later (id int);\n")
    deploying.run(server, fresh_install, "drift", "--files", str(folder), user="postgres")
    deploying.run(server, fresh_install, "plan", "--files", str(folder), code=3)


def test_database_whose_public_belongs_to_a_provider_has_no_drift(
    server: Address, empty_database: Callable[..., str]
) -> None:
    name, scratch = empty_database(owner=None), empty_database()
    with psycopg.connect(server.dsn(name), autocommit=True) as connection:
        connection.execute(f"GRANT CREATE ON DATABASE {name} TO rubi_admin")
        connection.execute("GRANT CREATE ON SCHEMA public TO rubi_admin")
    deploying.run(server, name, "apply")
    deploying.run(server, name, "drift", "--scratch", scratch)


def test_role_that_cannot_build_the_extensions_is_told_what_to_do(
    server: Address, fresh_install: str
) -> None:
    done = deploying.run(server, fresh_install, "drift", code=1)
    assert "pg_stat_statements" in done.stderr
    assert "--scratch" in done.stderr


def test_scratch_database_with_something_in_it_is_refused(
    server: Address, fresh_install: str, db: psycopg.Connection
) -> None:
    done = deploying.run(server, fresh_install, "drift", "--scratch", db.info.dbname, code=1)
    assert "not empty" in done.stderr


def test_leftover_scratch_database_is_dropped(deployed: tuple) -> None:
    connection, _ = deployed
    connection.execute("CREATE DATABASE rubi_scratch_20200101000000_abcdef")
    name = catalog.create_scratch(connection)
    there = "SELECT datname FROM pg_database WHERE datname ~ '^rubi_scratch_'"
    assert connection.execute(there).fetchall() == [(name,)]
    catalog.drop_scratch(connection, name)
    assert connection.execute(there).fetchall() == []


def test_role_that_is_gone_is_said_before_the_rights_that_went_along() -> None:
    items = [catalog.Item(kind, "gone", "", "LOGIN", "") for kind in ("grant", "role")]
    found = catalog.compare({(item.kind, item.name): item for item in items}, {})
    assert [one.kind for one in found] == ["role", "grant"]
