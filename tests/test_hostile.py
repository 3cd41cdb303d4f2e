"""Attempts of a hostile hand with each role: a table of doors, and who may go through.

Each statement is tried by every role, its own limits taken off first. A role that is not named is
refused by a missing right; a named one gets through, and docs/guides/security.md says why. Row
security, where tenants supply values, has attempts of its own in test_tenant.py.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest
from psycopg import errors
from pytest_postgresql.executors import NoopExecutor

import rows
from conftest import Address, copy_rights

Connect = Callable[..., psycopg.Connection]
APP, TENANT, INGEST = "rubi_app", "rubi_tenant", "rubi_ingest"
READER, MONITOR, BACKUP = "rubi_readonly", "rubi_monitor", "rubi_backup"
ROLES = [APP, TENANT, INGEST, READER, MONITOR, BACKUP]

# %(chunk)s is a chunk of account_snapshots, %(pid)s the session of a superuser
NOBODY = [
    # chunks and jobs of TimescaleDB
    "SELECT _timescaledb_functions.drop_chunk(%(chunk)s)",
    "SELECT _timescaledb_internal.drop_chunk(%(chunk)s)",
    "SELECT _timescaledb_functions.freeze_chunk(%(chunk)s)",
    "SELECT _timescaledb_functions.unfreeze_chunk(%(chunk)s)",
    "SELECT _timescaledb_functions.drop_osm_chunk('account_snapshots')",
    "SELECT _timescaledb_functions.create_chunk('market_data', '{}', NULL, NULL, NULL)",
    "SELECT _timescaledb_functions.create_chunk_table('market_data', '{}', 's', 't')",
    "SELECT _timescaledb_functions.create_compressed_chunk("
    "%(chunk)s, %(chunk)s, 0, 0, 0, 0, 0, 0, 0, 0)",
    "SELECT _timescaledb_functions.chunk_index_clone(0)",
    "SELECT _timescaledb_functions.hypertable_osm_range_update('market_data', 0, 0, FALSE)",
    "CALL _timescaledb_functions.cagg_migrate_update_watermark(1)",
    "CALL _timescaledb_functions.repair_relation_acls()",
    "CALL _timescaledb_functions.policy_retention(1, '{}')",
    "SELECT _timescaledb_functions.stop_background_workers()",
    "SELECT _timescaledb_functions.restart_background_workers()",
    "SELECT timescaledb_pre_restore()",
    "CALL merge_chunks(NULL, NULL)",
    "CALL merge_chunks(ARRAY[%(chunk)s]::regclass[])",
    "SELECT drop_chunks('account_snapshots', 'infinity'::timestamptz)",
    "SELECT compress_chunk(%(chunk)s)",
    "SELECT decompress_chunk(%(chunk)s)",
    "SELECT reorder_chunk(%(chunk)s)",
    "SELECT move_chunk(%(chunk)s, 'pg_default', 'pg_default')",
    "SELECT attach_tablespace('pg_default', 'account_snapshots')",
    "SELECT set_chunk_time_interval('account_snapshots', interval '1 second')",
    "SELECT set_number_partitions('account_snapshots', 9)",
    "SELECT add_retention_policy('account_snapshots', interval '1 second')",
    "SELECT add_job('pg_catalog.now', '1 second')",
    "SELECT alter_job(1, scheduled => FALSE)",
    "SELECT delete_job(1)",
    "CALL run_job(1)",
    "DELETE FROM _timescaledb_catalog.chunk",
    "UPDATE _timescaledb_catalog.dimension_slice SET range_start = 0",
    "UPDATE _timescaledb_config.bgw_job SET scheduled = FALSE",
    "DROP TABLE account_snapshots",
    "TRUNCATE account_snapshots",
    # large objects stop dumps and fill the disk
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT lo_create(0)",
    "SELECT lo_creat(-1)",
    "SELECT lo_put(1, 0, 'x')",
    "SELECT lo_open(1, 131072)",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(1, '/tmp/x')",
    "SELECT lo_unlink(1)",
    # the server, its files and its log
    "SELECT pg_logical_emit_message(FALSE, 'x', 'x')",
    "SELECT pg_create_physical_replication_slot('x')",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('.')",
    "COPY (SELECT 1) TO PROGRAM 'true'",
    "COPY users FROM '/etc/passwd'",
    "SELECT pg_reload_conf()",
    "SELECT pg_rotate_logfile()",
    "SELECT pg_switch_wal()",
    "SELECT pg_promote()",
    "SELECT pg_stat_reset()",
    "SELECT pg_stat_statements_reset()",
    "SELECT pg_terminate_backend(%(pid)s)",
    "SELECT pg_cancel_backend(%(pid)s)",
    "CHECKPOINT",
    "SET session_replication_role = replica",
    "SET log_statement = 'none'",
    # more power
    "SET ROLE rubi_owner",
    "SET ROLE postgres",
    "SET SESSION AUTHORIZATION postgres",
    "CREATE ROLE mine SUPERUSER",
    "ALTER ROLE rubi_owner PASSWORD 'mine'",
    "ALTER ROLE rubi_readonly BYPASSRLS",
    "GRANT rubi_owner TO rubi_readonly",
    "GRANT pg_read_all_data TO rubi_ingest",
    "CREATE EXTENSION citext",
    "CREATE SCHEMA mine",
    "CREATE TABLE public.mine (n integer)",
    "CREATE FUNCTION public.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "DROP OWNED BY rubi_owner",
    "REASSIGN OWNED BY rubi_owner TO rubi_app",
    "CREATE OR REPLACE VIEW public.users_of AS SELECT 1",
    "CREATE EVENT TRIGGER mine ON ddl_command_start EXECUTE FUNCTION set_updated_at()",
    "CREATE TRIGGER mine AFTER INSERT ON users EXECUTE FUNCTION set_updated_at()",
    "CREATE RULE mine AS ON INSERT TO users DO INSTEAD NOTHING",
    "CREATE PUBLICATION mine FOR TABLE users",
    "CREATE STATISTICS public.mine ON id, email FROM users",
    "ALTER TABLE users DISABLE TRIGGER ALL",
    "ALTER TABLE trading_orders NO FORCE ROW LEVEL SECURITY",
    "ALTER FUNCTION close_user(bigint) SECURITY INVOKER",
    "ALTER DATABASE postgres SET search_path = mine",
    "COMMENT ON TABLE users IS 'mine'",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_statistic",
    "SELECT passwd FROM pg_shadow",
    # our own tools
    "CALL deploy.become_owner()",
    "SELECT deploy.record_file('schema/x', 'x', 'x', 'x', now())",
    "INSERT INTO deploy.history (path) VALUES ('x')",
    "CALL monitoring.make_chunks_ahead()",
    "CALL drop_expired_bars()",
    "CALL cluster_closed_chunks()",
    "SELECT enable_timescale_policies()",
    "SELECT monitoring.read_history()",
    "DELETE FROM audit.changes",
    "UPDATE monitoring.thresholds SET critical = NULL",
    "DELETE FROM monitoring.proof_readings",
    "DELETE FROM monitoring.day_readings",
    "SELECT internal.reject_mt5_rows(1, 'deals', '[]', 'x')",
    "UPDATE internal.strategy_counter_deltas SET trades = 9",
]  # fmt: skip

# statement and who may
SOME = [
    ("SELECT hashed_password FROM users", {APP, BACKUP}),
    ("UPDATE users SET is_superuser = TRUE", {APP}),
    ("SELECT email FROM users", {APP, TENANT, READER, BACKUP}),
    ("SELECT * FROM account_snapshots", {APP, READER, BACKUP}),
    ("SELECT * FROM ONLY {chunk}", {APP, READER, BACKUP}),
    ("DELETE FROM {chunk}", {APP}),
    ("DELETE FROM account_snapshots", {APP}),
    ("DELETE FROM market_data", {APP}),
    ("SELECT * FROM my_account_snapshots", {APP, TENANT}),
    ("EXPLAIN ANALYZE SELECT * FROM my_account_snapshots", {APP, TENANT}),
    ("SELECT close_user(1)", {APP}),
    ("SELECT changed_at, login, table_name, row_id, action FROM audit.changes",
     {APP, MONITOR, BACKUP}),
    ("SELECT old_values FROM audit.changes", {APP, BACKUP}),
    ("SELECT new_values FROM audit.changes", {APP, BACKUP}),
    ("SELECT * FROM deploy.history", {BACKUP}),
    ("SELECT * FROM monitoring.open_rights", {MONITOR, BACKUP}),
    ("SELECT * FROM migration.rejects", {BACKUP}),
    ("INSERT INTO monitoring.backup_runs (kind, started_at, finished_at, succeeded)"
     " VALUES ('backup', now(), now(), TRUE)", {BACKUP}),
    ("SELECT monitoring.take_readings()", {MONITOR}),
    ("SELECT refresh_performance_metrics(now() - interval '1 day', now())", {APP}),
    ("SELECT ingest_ticks('X', '[]')", {APP, INGEST}),
    ("SELECT ingest_bars('X', 'M1', '[]')", {APP, INGEST}),
    ("SELECT query FROM pg_stat_statements", {MONITOR, BACKUP}),
    ("SELECT * FROM pg_stat_statements(TRUE)", {MONITOR, BACKUP}),
    ("SELECT pg_ls_waldir()", {MONITOR}),
    # loads of bars and ticks are staged in temporary tables
    ("CREATE TEMPORARY TABLE mine (n integer)", {APP}),
    # locks
    ("SELECT pg_advisory_lock(1381319241)", {APP, BACKUP}),
    ("SELECT pg_try_advisory_lock(1381319241)", {APP, BACKUP}),
    ("SELECT pg_try_advisory_lock_shared(1)", {APP, BACKUP}),
    ("SELECT pg_advisory_xact_lock(1)", {APP, BACKUP}),
    ("SELECT pg_advisory_lock_shared(1381319241, 1)", {APP, INGEST, READER, BACKUP}),
    ("SELECT pg_try_advisory_lock(1381319241, 1)", {APP, TENANT, BACKUP}),
    ("LOCK TABLE users IN ACCESS EXCLUSIVE MODE", {APP}),
    ("LOCK TABLE trading_orders IN SHARE MODE", {APP}),
    ("LOCK TABLE trading_signals IN ACCESS EXCLUSIVE MODE", {APP, TENANT}),
    ("LOCK TABLE trading_orders IN ACCESS SHARE MODE", {APP, TENANT, READER, BACKUP}),
    ("LOCK TABLE market_data IN ACCESS EXCLUSIVE MODE", {APP}),
    ("LOCK TABLE audit.changes IN ACCESS EXCLUSIVE MODE", set()),
    ("SELECT id FROM trading_orders FOR UPDATE", {APP, TENANT}),
    # PostgreSQL has no right for these: docs/guides/security.md says what follows
    ("LISTEN rubi_signals", set(ROLES)),
    ("NOTIFY rubi_signals, 'forged'", set(ROLES)),
    ("SELECT pg_notify('rubi_positions', 'forged')", set(ROLES)),
    ("SET app.user_id = '1'", set(ROLES)),
    ("SELECT set_config('app.user_id', '1', FALSE)", set(ROLES)),
    ("SELECT set_config('statement_timeout', '0', FALSE)", set(ROLES)),
    ("DO $$ BEGIN PERFORM 1; END $$", set(ROLES)),
    ("SELECT rolname FROM pg_roles", set(ROLES)),
    ("SELECT prosrc FROM pg_proc WHERE proname = 'close_user'", set(ROLES)),
    ("SELECT * FROM timescaledb_information.chunks", set(ROLES)),
]  # fmt: skip
DOORS = [(statement, set()) for statement in NOBODY] + SOME


@pytest.fixture(scope="module")
def attacked(server: Address, template: NoopExecutor) -> Iterator[dict[str, psycopg.Connection]]:
    """Connections of all roles to one clone with a row of history; "" is the superuser's."""
    name = f"{template.dbname}_attacked"
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as admin:
        admin.execute(f"CREATE DATABASE {name} TEMPLATE {template.template_dbname}")
        copy_rights(admin, template.template_dbname, name)
        opened = {"": psycopg.connect(server.dsn(name), autocommit=True)}
        session = rows.session(opened[""], rows.user(opened[""]))
        rows.snapshot(opened[""], session)
        for role in ROLES:
            login = APP if role == TENANT else role
            opened[role] = psycopg.connect(server.dsn(name, login), autocommit=True)
            opened[role].execute("SET default_transaction_read_only = off")
        yield opened
        for connection in opened.values():
            connection.close()
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def attempt(attacked: dict[str, psycopg.Connection], role: str, statement: str) -> None:
    """Execute it as the role, in a transaction that is rolled back."""
    (chunk,) = (
        attacked[""].execute("SELECT c::text FROM show_chunks('account_snapshots') AS c").fetchone()
    )
    values = {"chunk": chunk, "pid": attacked[""].info.backend_pid}
    used = {name: value for name, value in values.items() if f"%({name})s" in statement}
    connection = attacked[role]
    with connection.transaction(force_rollback=True):
        if role == TENANT:
            connection.execute("SET LOCAL ROLE rubi_tenant")
            connection.execute("SELECT set_config('app.user_id', '1', TRUE)")
        # constants: some of these take no parameters
        with psycopg.ClientCursor(connection) as cursor:
            cursor.execute(statement.replace("{chunk}", chunk), used or None)
    connection.execute("SELECT pg_advisory_unlock_all()")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize(("statement", "allowed"), DOORS, ids=[door for door, _ in DOORS])
def test_door(
    attacked: dict[str, psycopg.Connection], statement: str, allowed: set[str], role: str
) -> None:
    if role in allowed:
        attempt(attacked, role, statement)
        return
    # a version of TimescaleDB may not have the function
    with pytest.raises((errors.InsufficientPrivilege, errors.UndefinedFunction)):
        attempt(attacked, role, statement)


def test_attempts_changed_nothing(attacked: dict[str, psycopg.Connection]) -> None:
    """Refused statements, and rolled back ones."""
    found = (
        attacked[""]
        .execute(
            "SELECT (SELECT count(*) FROM account_snapshots), (SELECT count(*) FROM users),"
            " (SELECT count(*) FROM pg_largeobject_metadata),"
            " (SELECT count(*) FROM monitoring.vanished_days)"
        )
        .fetchone()
    )
    assert found == (1, 2, 0, 0)


def test_cursor_keeps_the_rows_of_the_user_that_opened_it(app: psycopg.Connection) -> None:
    """A known limit: the API sets the user once a transaction."""
    users = [rows.user(app, email=f"{name}@x.y", username=name) for name in ("a", "b")]
    for user in users * 2:
        rows.signal(app, user, symbol=f"S{user}")
    with app.transaction():
        app.execute("SET LOCAL ROLE rubi_tenant")
        app.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(users[0])])
        app.execute("DECLARE kept CURSOR FOR SELECT symbol FROM trading_signals")
        assert app.execute("FETCH 1 FROM kept").fetchall() == [(f"S{users[0]}",)]
        app.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(users[1])])
        assert app.execute("FETCH ALL FROM kept").fetchall() == [(f"S{users[0]}",)]
        now = app.execute("SELECT DISTINCT symbol FROM trading_signals").fetchall()
        assert now == [(f"S{users[1]}",)]


def test_explain_shows_a_tenant_numbers_and_no_value_of_others(app: psycopg.Connection) -> None:
    """A known limit: the plan counts rows that the barrier removed."""
    mine, theirs = (rows.user(app, email=f"{n}@x.y", username=n) for n in ("a", "b"))
    rows.snapshot(app, rows.session(app, theirs, account_number="2"), balance="31415926.53")
    with app.transaction():
        app.execute("SET LOCAL ROLE rubi_tenant")
        app.execute("SELECT set_config('app.user_id', %s, TRUE)", [str(mine)])
        plan = app.execute(
            "EXPLAIN (ANALYZE, VERBOSE) SELECT * FROM my_account_snapshots WHERE equity > 0"
        ).fetchall()
    assert "31415926" not in str(plan)


def test_waiting_for_a_tenants_lock_ends(app: psycopg.Connection, connect_as: Connect) -> None:
    """A known limit: DELETE brings LOCK TABLE. Others give up after their lock_timeout."""
    with app.transaction():
        app.execute("SET LOCAL ROLE rubi_tenant")
        app.execute("LOCK TABLE trading_signals IN ACCESS EXCLUSIVE MODE")
        other = connect_as(APP)
        (limit,) = other.execute("SHOW lock_timeout").fetchone()
        assert limit == "10s"
        other.execute("SET lock_timeout = '50ms'")
        with pytest.raises(errors.LockNotAvailable):
            other.execute("SELECT FROM trading_signals")
    limits = app.execute("SHOW idle_in_transaction_session_timeout").fetchone()
    assert limits == ("1min",)


def test_set_config_in_a_select_does_what_set_does(connect_as: Connect) -> None:
    """A known limit: limits of a role guard against accidents."""
    reader = connect_as(READER)
    reader.execute("SELECT set_config('default_transaction_read_only', 'off', FALSE)")
    reader.execute("SELECT set_config('statement_timeout', '0', FALSE)")
    assert reader.execute("SHOW default_transaction_read_only").fetchone() == ("off",)
    with pytest.raises(errors.InsufficientPrivilege):
        reader.execute("DELETE FROM trading_orders")
