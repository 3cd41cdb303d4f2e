"""Replicas and what routes reads to them, keys that sharding would change, Patroni's settings."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
import yaml

from rubi import ROOT, connecting
from rubi.deploying import applying, history, sqlfiles
from rubi.servers import embedded
from rubi.waiting import until

sys.path.append(str(ROOT / "benchmarks"))
import replicas
import server as scratch
import tools

# minutes in all; the short ones of their kind run by default
pytestmark = pytest.mark.slow

PAGE = ROOT / "docs/guides/scaling.md"
# The tables that hang on users, and what of each a table distributed by user could not keep.
KEYS = """
WITH RECURSIVE tenant (oid) AS (
    SELECT 'public.users'::regclass::oid
    UNION
    SELECT k.conrelid
    FROM tenant AS t
    JOIN pg_constraint AS k ON k.confrelid = t.oid AND k.contype = 'f'
    JOIN pg_class AS r ON r.oid = k.conrelid
    WHERE r.relnamespace IN ('public'::regnamespace, 'internal'::regnamespace)
),
named AS (
    SELECT t.oid, t.oid::regclass::text AS name,
        CASE WHEN t.oid = 'public.users'::regclass THEN 'id' ELSE 'user_id' END AS key
    FROM tenant AS t
)
SELECT n.name || ': no column ' || n.key
FROM named AS n
WHERE NOT EXISTS (
    SELECT FROM pg_attribute AS a WHERE a.attrelid = n.oid AND a.attname = n.key)
UNION ALL
SELECT n.name || ': unique ' || i.indexrelid::regclass::text || ' ('
    || string_agg(a.attname, ', ' ORDER BY a.attnum) || ')'
FROM named AS n
JOIN pg_index AS i ON i.indrelid = n.oid AND i.indisunique
JOIN pg_attribute AS a ON a.attrelid = i.indexrelid
GROUP BY n.name, n.key, i.indexrelid
HAVING bool_and(a.attname <> n.key)
UNION ALL
SELECT n.name || ': reference ' || k.conname || ' to ' || o.name
FROM named AS n
JOIN pg_constraint AS k ON k.conrelid = n.oid AND k.contype = 'f'
JOIN named AS o ON o.oid = k.confrelid
JOIN pg_attribute AS a ON a.attrelid = n.oid AND a.attnum = ANY (k.conkey)
GROUP BY n.name, n.key, k.conname, o.name
HAVING bool_and(a.attname <> n.key)
ORDER BY 1
"""


def block(name: str) -> str:
    """A block of the page that begins with a line of its own."""
    return re.search(rf"```{name}\n(.*?)```", PAGE.read_text(), flags=re.DOTALL)[1]


def test_the_page_lists_the_keys_that_stand_in_the_way_of_shards(
    catalog: psycopg.Connection, request: pytest.FixtureRequest
) -> None:
    found = "".join(f"{row[0]}\n" for row in catalog.execute(KEYS))
    assert "users: unique users_email_key (email)" in found
    if request.config.getoption("--refresh"):
        begin, end = PAGE.read_text().split("```keys\n")
        PAGE.write_text(f"{begin}```keys\n{found}```{end.split('```', 1)[1]}")
    assert block("keys") == found, "run this test with --refresh"


def test_patroni_has_the_settings_of_postgresql_conf() -> None:
    """Patroni takes these from its own store and ignores the file, with smaller defaults."""
    text = (ROOT / "postgresql.conf").read_text()
    ours = dict(re.findall(r"^(\w+) = ([^#\s]+)", text, flags=re.MULTILINE))
    dcs = yaml.safe_load((ROOT / "operations/patroni.yml").read_text())["bootstrap"]["dcs"]
    chosen = dcs["postgresql"]["parameters"]
    for name in ("max_connections", "max_locks_per_transaction", "max_worker_processes"):
        assert str(chosen[name]) == ours[name]
    assert dcs["synchronous_mode"] is True
    assert dcs["loop_wait"] + 2 * dcs["retry_timeout"] <= dcs["ttl"]


def test_a_primary_reads_itself_and_lists_no_replica(
    shared_connection: psycopg.Connection, catalog: psycopg.Connection
) -> None:
    assert shared_connection.execute(
        "SELECT is_replica, is_connected, replayed_until, age::text FROM read_age"
    ).fetchone() == (False, False, None, "00:00:00")
    assert catalog.execute("SELECT count(*) FROM monitoring.replicas").fetchone() == (0,)


@pytest.mark.parametrize(
    ("role", "view", "allowed"),
    [
        ("rubi_monitor", "monitoring.replicas", True), ("rubi_app", "monitoring.replicas", False),
        ("rubi_app", "read_age", True), ("rubi_readonly", "read_age", True),
        ("rubi_readonly", "market_series_places", True),
        ("rubi_tenant", "market_series_places", False), ("rubi_tenant", "read_age", False),
    ],
)  # fmt: skip
def test_who_may_look(catalog: psycopg.Connection, role: str, view: str, allowed: bool) -> None:
    name = view if "." in view else f"public.{view}"
    schema = name.split(".")[0]
    found = catalog.execute(
        "SELECT has_table_privilege(%s, %s, 'SELECT') AND has_schema_privilege(%s, %s, 'USAGE'),"
        " has_table_privilege(%s, %s, 'INSERT, UPDATE, DELETE')",
        [role, name, role, schema, role, name],
    ).fetchone()
    assert found == (allowed, False)


@pytest.fixture(scope="module")
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[scratch.Server, scratch.Server]]:
    """A primary with our schema and its replica."""
    settings = replicas.OURS | {"fsync": "off", "shared_buffers": "64MB"}
    with scratch.running(request.config.getoption("--pg"), settings) as primary:
        with primary.connect() as connection:
            connection.execute("CREATE ROLE rubi_admin LOGIN SUPERUSER")
            connection.execute("CREATE DATABASE ours OWNER rubi_admin")
        with connecting.connect(primary.dsn("ours", "rubi_admin")) as connection:
            for file, _ in history.due(sqlfiles.read_files(), history.applied(connection)):
                applying.apply_file(connection, file)
        with replicas.replica(primary, primary.folder / "replica") as second:
            yield primary, second


def test_views_tell_how_far_a_replica_is_behind(
    pair: tuple[scratch.Server, scratch.Server],
) -> None:
    primary, second = pair
    with primary.connect("ours") as first, second.connect("ours") as other:

        def seen() -> tuple:
            return first.execute(
                "SELECT replica, state, sync_state, bytes_behind FROM monitoring.replicas"
            ).fetchone()

        def age() -> tuple:
            return other.execute(
                "SELECT is_replica, is_connected, age > interval '0' FROM read_age"
            ).fetchone()

        def write(name: str) -> None:
            first.execute(
                "INSERT INTO users (email, username, hashed_password) VALUES (%s, %s, '!')",
                [f"{name}@example.com", name],
            )

        write("before")  # a replica that never replayed a commit can't say how old it is
        until("the replica streams", lambda: seen() == ("replica", "streaming", "async", 0))
        until("the replica is young", lambda: age() == (True, True, False))
        other.execute("SELECT pg_wal_replay_pause()")
        write("meanwhile")
        until("the replica is behind", lambda: seen()[3] > 0 and age()[2])  # received, not replayed
        other.execute("SELECT pg_wal_replay_resume()")
        until("the replica has caught up", lambda: seen()[3] == 0 and not age()[2])
    with psycopg.connect(second.dsn("ours", "rubi_app"), autocommit=True) as api:
        assert api.execute("SELECT is_replica, is_connected FROM read_age").fetchone() == (
            True, True,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("attrs", "on_replica"), [("read-write", False), ("prefer-standby", True), ("standby", True)]
)
def test_libpq_routes_reads_to_the_replica_and_writes_to_the_primary(
    pair: tuple[scratch.Server, scratch.Server], attrs: str, on_replica: bool
) -> None:
    primary, second = pair
    hosts = f"{second.folder},{primary.folder}"
    write = "UPDATE users SET is_active = is_active"
    dsn = psycopg.conninfo.make_conninfo(
        host=hosts, user="rubi_app", dbname="ours", target_session_attrs=attrs
    )
    with psycopg.connect(dsn, autocommit=True) as connection:
        found = connection.execute("SELECT pg_is_in_recovery()").fetchone()[0]
        assert found is on_replica, attrs
        if on_replica:
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                connection.execute(write)
        else:
            connection.execute(write)


@contextmanager
def pgbouncer(folder: Path, text: str) -> Iterator[int]:
    """PgBouncer with these settings; answers its port."""
    port = embedded.free_port()
    embedded.owned_folder(folder)
    (folder / "users.txt").write_text('"rubi_app" ""\n')
    (folder / "pgbouncer.ini").write_text(
        text.replace("listen_port = 6432", f"listen_port = {port}")
        .replace("listen_addr = *", "listen_addr = 127.0.0.1")
        .replace("/etc/pgbouncer/users.txt", str(folder / "users.txt"))
        .replace("auth_type = scram-sha-256", "auth_type = trust")
        + f"logfile = {folder}/log\nunix_socket_dir = {folder}\n"
    )
    for file in folder.iterdir():
        file.chmod(0o644)
    process = subprocess.Popen(
        [*embedded.ending_with_us(), tools.pgbouncer(), "-q",
         folder / "pgbouncer.ini"],
        cwd="/",
    )  # fmt: skip
    try:
        yield port
    finally:
        process.kill()
        process.wait()


def test_pgbouncer_routes_by_the_name_of_the_database(
    pair: tuple[scratch.Server, scratch.Server],
) -> None:
    primary, second = pair
    text = (
        block("ini")
        .replace(
            "host=10.0.0.1 port=5432 dbname=rubi_trading", f"host={primary.folder} dbname=ours"
        )
        .replace("host=10.0.0.2 port=5432 dbname=rubi_trading", f"host={second.folder} dbname=ours")
    )
    assert "10.0.0" not in text
    with pgbouncer(primary.folder / "bouncer", text) as port:
        for name, on_replica in (("rubi_trading", False), ("rubi_trading_read", True)):
            dsn = f"host=127.0.0.1 port={port} user=rubi_app dbname={name}"

            def answers(dsn: str = dsn) -> bool:
                try:
                    psycopg.connect(dsn).close()
                except psycopg.OperationalError:
                    return False
                return True

            until("PgBouncer answers", answers)
            with psycopg.connect(dsn, autocommit=True) as connection:
                found = connection.execute("SELECT pg_is_in_recovery()").fetchone()[0]
                assert found is on_replica
