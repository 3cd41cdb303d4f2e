"""Rights that extensions and PostgreSQL give PUBLIC are taken back, also after an update."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

import psycopg
import pytest
from psycopg import errors

from conftest import Address
from ephemeral import deploy_all
from rubi import ROOT
from rubi.deploying import open_rights

Connect = Callable[..., psycopg.Connection]
Psql = Callable[..., subprocess.CompletedProcess[str]]
MakeDatabase = Callable[..., str]
ROLES = ["rubi_tenant", "rubi_ingest", "rubi_readonly", "rubi_monitor", "rubi_backup"]

# what PUBLIC may call and that could change something, by extension
CALLABLE = """
    SELECT p.oid::regprocedure::text
    FROM pg_proc AS p
    LEFT JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
        AND d.deptype = 'e'
    LEFT JOIN pg_extension AS e ON d.refobjid = e.oid
    WHERE p.prokind IN ('f', 'p') AND p.provolatile = 'v'
        AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
        AND coalesce(e.extname, 'pg_catalog') = %s
        AND p.proname ~ %s
        AND EXISTS (
            SELECT FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
            WHERE a.grantee = 0
        )
    ORDER BY 1
"""
# TimescaleDB's, all of them: they compute or tell sizes
KEPT = {
    "approximate_row_count", "chunk_columnstore_stats", "chunks_detailed_size",
    "hypertable_approximate_detailed_size", "hypertable_approximate_size",
    "hypertable_columnstore_stats", "hypertable_compression_stats", "chunk_compression_stats",
    "hypertable_detailed_size", "hypertable_index_size", "hypertable_size", "interpolate", "locf",
    "time_bucket_gapfill", "chunks_local_size", "compressed_chunk_local_stats",
    "compressed_chunk_remote_stats", "get_approx_row_count", "hypertable_local_size",
    "indexes_local_size", "relation_approximate_size", "relation_size",
    "estimate_compressed_batch_size", "estimate_uncompressed_size", "calculate_initial_chunk_size",
    "has_invalidation_trigger",
    # of 2.11, over several nodes
    "chunks_remote_size", "data_node_compressed_chunk_stats", "data_node_index_size",
    "hypertable_remote_size", "indexes_remote_size",
}  # fmt: skip
NAMED = pytest.mark.needs(
    timescaledb="2.12", why="the schema of TimescaleDB's functions had another name"
)


def open_functions(connection: psycopg.Connection, extension: str, names: str = "") -> set[str]:
    """Signatures that everybody may call."""
    return {name for (name,) in connection.execute(CALLABLE, [extension, names])}


def test_public_may_call_nothing_of_timescaledb_that_changes_something(
    catalog: psycopg.Connection,
) -> None:
    found = {name.split("(")[0].split(".")[-1] for name in open_functions(catalog, "timescaledb")}
    assert found <= KEPT, found - KEPT
    assert found >= {"hypertable_size", "time_bucket_gapfill", "locf"}


@pytest.mark.parametrize(
    "names", ["^lo_", "^lo(read|write)$", "logical_emit", "advisory_(xact_)?lock"]
)
def test_public_may_call_nothing_of_postgresql_that_hinders_others(
    catalog: psycopg.Connection, names: str
) -> None:
    assert open_functions(catalog, "pg_catalog", names) == set()


def test_pools_may_still_unlock_all(connect_as: Connect) -> None:
    connect_as("rubi_readonly").execute("SELECT pg_advisory_unlock_all()")


@pytest.mark.parametrize("relation", ["pg_stat_statements", "pg_stat_statements_info"])
def test_statistics_of_statements_are_for_who_watches(
    db: psycopg.Connection, relation: str
) -> None:
    may = {
        role: db.execute(
            "SELECT has_table_privilege(%s, %s, 'SELECT')", [role, relation]
        ).fetchone()
        for role in [*ROLES, "rubi_app"]
    }
    assert [role for role, (yes,) in may.items() if yes] == ["rubi_monitor", "rubi_backup"]


def test_owner_makes_and_drops_hypertables(connect_as: Connect) -> None:
    owner = connect_as("rubi_admin")
    owner.execute("SET client_min_messages = error")
    owner.execute("CALL deploy.become_owner()")
    owner.execute("CREATE TABLE public.later (at timestamptz NOT NULL)")
    owner.execute("SELECT create_hypertable('public.later', 'at')")
    owner.execute("INSERT INTO later VALUES ('2026-01-05')")
    owner.execute("SELECT set_chunk_time_interval('public.later', interval '1 day')")
    dropped = owner.execute(
        "SELECT drop_chunks('public.later', 'infinity'::timestamptz)"
    ).fetchall()
    assert len(dropped) == 1


def test_everybody_buckets_and_asks_for_sizes(connect_as: Connect) -> None:
    for role in ("rubi_app", "rubi_readonly"):
        connect_as(role).execute(
            "SELECT time_bucket('1 hour', now()), hypertable_size('market_data'),"
            " (SELECT count(*) FROM show_chunks('market_data')),"
            " (SELECT last(close, timestamp) FROM market_data)"
        )


@NAMED
def test_somebody_else_changes_nothing_and_says_so(db: psycopg.Connection, psql: Psql) -> None:
    db.execute("GRANT EXECUTE ON FUNCTION _timescaledb_functions.drop_chunk TO public")
    done = psql(db.info.dbname, "-f", open_rights.FILE)
    assert done.returncode == 0
    assert "PUBLIC keeps 1 objects (_timescaledb_functions.drop_chunk(regclass)" in done.stderr
    assert "have a superuser run this file" in done.stderr
    assert "_timescaledb_functions.drop_chunk(regclass)" in open_functions(db, "timescaledb")


@NAMED
def test_superuser_closes_with_plain_psql_what_was_opened(
    db: psycopg.Connection, psql: Psql, server: Address
) -> None:
    db.execute("GRANT EXECUTE ON FUNCTION _timescaledb_functions.drop_chunk TO public")
    db.execute("GRANT EXECUTE ON FUNCTION lo_create TO public")
    done = psql(db.info.dbname, "-f", open_rights.FILE, user=server.user)
    assert (done.returncode, "2 objects taken from PUBLIC" in done.stderr) == (0, True)
    assert "_timescaledb_functions.drop_chunk(regclass)" not in open_functions(db, "timescaledb")
    done = psql(db.info.dbname, "-f", open_rights.FILE, user=server.user)
    assert (done.returncode, done.stderr) == (0, "")


def test_before_the_installation_what_it_needs_stays(
    server: Address, empty_database: MakeDatabase
) -> None:
    name = empty_database()
    with psycopg.connect(server.dsn(name), autocommit=True) as admin:
        before = open_functions(admin, "timescaledb", "create_hypertable|drop_chunk")
        assert {text.split("(")[0] for text in before} == {"create_hypertable", "drop_chunks"}
        deploy_all(server.dsn(name, "rubi_admin"))
        assert open_rights.close(admin)
        assert open_functions(admin, "timescaledb", "create_hypertable|drop_chunk") == set()
    # closed, it can be deployed into again
    deploy_all(server.dsn(name, "rubi_admin"))


def test_update_of_an_extension_opens_again(db: psycopg.Connection) -> None:
    """pg_stat_statements drops and makes its view in an update, so that PUBLIC reads it again."""
    asked = "SELECT has_table_privilege('rubi_readonly', 'pg_stat_statements', 'SELECT')"
    db.execute("DROP EXTENSION pg_stat_statements")
    db.execute("CREATE EXTENSION pg_stat_statements VERSION '1.6'")
    open_rights.close(db)
    assert db.execute(asked).fetchone() == (False,)
    db.execute("ALTER EXTENSION pg_stat_statements UPDATE")
    assert db.execute(asked).fetchone() == (True,)
    open_rights.close(db)
    assert db.execute(asked).fetchone() == (False,)


@NAMED
def test_dump_carries_what_was_closed(db: psycopg.Connection, server: Address) -> None:
    text = subprocess.check_output(
        [server.binaries / "pg_dump", "--schema-only", "-d", server.dsn(db.info.dbname)],
        text=True, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    for name in ("_timescaledb_functions.drop_chunk(", "pg_catalog.lo_from_bytea("):
        assert f"REVOKE ALL ON FUNCTION {name}" in text


def test_file_finds_nothing_that_a_role_put_in_its_way(
    db: psycopg.Connection, connect_as: Connect
) -> None:
    """A superuser runs it, so that names of the schema public must not count."""
    owner = connect_as("rubi_admin")
    owner.execute("CALL deploy.become_owner()")
    owner.execute(
        "CREATE FUNCTION public.cardinality(text[]) RETURNS integer LANGUAGE plpgsql"
        " AS $$ BEGIN RAISE EXCEPTION 'hijacked as %', current_user; END $$;"
        "CREATE FUNCTION public.aclexplode(aclitem[], text DEFAULT '') RETURNS SETOF record"
        " LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'hijacked as %', current_user; END $$"
    )
    db.execute("SET search_path = public, pg_catalog")
    open_rights.close(db)


@pytest.mark.parametrize("role", [*ROLES, "rubi_app"])
@pytest.mark.parametrize(
    "statement",
    [
        pytest.param(
            "SELECT _timescaledb_functions.drop_chunk(c)"
            " FROM show_chunks('account_snapshots') AS c",
            marks=NAMED,
        ),
        pytest.param(
            "CALL merge_chunks(NULL, NULL)",
            marks=pytest.mark.needs(timescaledb="2.18", why="no merge_chunks() before"),
        ),
        "SELECT lo_from_bytea(0, 'x')",
    ],
)
def test_no_role_drops_chunks_ends_the_server_or_stops_dumps(
    connect_as: Connect, role: str, statement: str
) -> None:
    connection = connect_as("rubi_app" if role == "rubi_tenant" else role)
    connection.execute("SET default_transaction_read_only = off")
    if role == "rubi_tenant":
        connection.execute("SET ROLE rubi_tenant")
    # merge_chunks is not there before 2.18
    with pytest.raises((errors.InsufficientPrivilege, errors.UndefinedFunction)):
        connection.execute(statement)


def test_file_is_plain_sql() -> None:
    text = (ROOT / open_rights.FILE).read_text()
    assert not any(line.startswith("\\") for line in text.splitlines())
