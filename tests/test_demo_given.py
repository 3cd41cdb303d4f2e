"""The demo at a server that was given to it: only what it made itself is touched."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import psycopg
import pytest

import machine
from conftest import Address
from machine import Script, refused
from rubi.cli import Failure
from rubi.demo import database
from rubi.servers import clusters, embedded

TIMESCALE = {"shared_preload_libraries": "timescaledb,pg_stat_statements"}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with machine.folder() as path:
        yield path


@pytest.fixture
def demo(folder: Path, server: Address, run_script: Script) -> Script:
    """The demo with a folder of its own, which no test here fills with a server."""
    own = {"RUBI_HOME": str(folder / "home"), "RUBI_PG_BIN": str(server.binaries)}

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return run_script("demo.py", *arguments, env=own | more)

    return run


@pytest.fixture(scope="module")
def cluster(server: Address) -> Iterator[clusters.Cluster]:
    """A server of somebody."""
    with clusters.temporary(server.binaries, TIMESCALE) as running:
        yield running


def url(cluster: clusters.Cluster) -> str:
    return f"postgresql://postgres@/postgres?host={cluster.folder}"


def secrets(cluster: clusters.Cluster) -> list[tuple]:
    """The passwords that the server holds."""
    with cluster.connect() as connection:
        query = "SELECT rolname, rolpassword FROM pg_authid ORDER BY oid"
        return connection.execute(query).fetchall()


@pytest.mark.parametrize(
    ("made", "removed", "said"),
    [
        ("CREATE DATABASE rubi_trading", "DROP DATABASE rubi_trading", "a database rubi_trading"),
        ("CREATE ROLE rubi_app LOGIN PASSWORD 'x'", "DROP ROLE rubi_app", "a role rubi_app"),
        ("CREATE ROLE rubi_admin PASSWORD 'x'", "DROP ROLE rubi_admin", "a role rubi_admin"),
    ],
)
def test_what_the_demo_did_not_make_is_refused_and_left(
    cluster: clusters.Cluster, demo: Script, made: str, removed: str, said: str
) -> None:
    with cluster.connect() as connection:
        connection.execute(made)
        before = secrets(cluster)
        done = demo(RUBI_SERVER_URL=url(cluster))
        after = secrets(cluster)
        connection.execute(removed)
    refused(done, f"that server has {said} that the demo did not make")
    assert after == before


def test_database_of_the_demo_is_taken_up_again_until_its_mark_is_gone(
    cluster: clusters.Cluster, demo: Script
) -> None:
    given = {"RUBI_SERVER_URL": url(cluster)}
    for new in (5000, 0):
        done = demo(**given)
        assert done.returncode == 0, done.stderr
        assert f"EURUSD 5000 ({new} new)" in done.stdout
    assert demo("psql", "-Atc", "SELECT current_database()", **given).stdout == "rubi_trading\n"
    before = secrets(cluster)
    with cluster.connect() as connection:
        connection.execute("COMMENT ON DATABASE rubi_trading IS 'production'")
        refused(demo(**given), "a database rubi_trading that the demo did not make")
        connection.execute(f"COMMENT ON DATABASE rubi_trading IS '{database.MARK}'")
    assert secrets(cluster) == before


@pytest.mark.parametrize("verb", ["stop", "clean"])
def test_local_demo_is_left_alone_where_a_server_is_given(
    cluster: clusters.Cluster, demo: Script, verb: str
) -> None:
    refused(demo(verb, RUBI_SERVER_URL=url(cluster)), "RUBI_SERVER_URL names a server")


def test_wrong_url_is_said_in_one_line(demo: Script) -> None:
    wrong = f"postgresql://nobody@127.0.0.1:{embedded.free_port()}/x"
    refused(demo(RUBI_SERVER_URL=wrong), "Connection refused")
    refused(demo(RUBI_SERVER_URL="no url at all"), 'missing "="')


def without_timescaledb(server: Address, target: Path) -> Path:
    """The server's programs beside a copy of its shared files that lacks TimescaleDB."""

    def where(what: str) -> Path:
        text = subprocess.check_output([server.binaries / "pg_config", what], text=True)
        return Path(text.strip())

    top = Path(os.path.commonpath([where("--bindir"), where("--sharedir"), where("--pkglibdir")]))
    programs = target / where("--bindir").relative_to(top)
    programs.mkdir(parents=True)
    for name in ("postgres", "initdb", "pg_ctl"):
        shutil.copy2(server.binaries / name, programs)
    library = target / where("--pkglibdir").relative_to(top)
    library.parent.mkdir(parents=True, exist_ok=True)
    library.symlink_to(where("--pkglibdir"))
    shutil.copytree(
        where("--sharedir"),
        target / where("--sharedir").relative_to(top),
        ignore=shutil.ignore_patterns("timescaledb*"),
    )
    return programs


def test_server_without_timescaledb_is_refused(server: Address, demo: Script, folder: Path) -> None:
    plain = without_timescaledb(server, folder / "plain")
    data = embedded.owned_folder(folder / "plain-data")
    port = embedded.free_port()
    user = embedded.as_server_user()
    initdb = [
        plain / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync",
        "--locale=C.UTF-8",
    ]  # fmt: skip
    subprocess.run(initdb, check=True, capture_output=True, **user)
    control = [plain / "pg_ctl", "-w", "-D", data, "-l", data / "log"]
    options = f"-p {port} -k {data} -h 127.0.0.1"
    try:
        subprocess.run([*control, "-o", options, "start"], check=True, capture_output=True, **user)
        done = demo(RUBI_SERVER_URL=f"postgresql://postgres@127.0.0.1:{port}/postgres")
        refused(done, "no TimescaleDB")
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], capture_output=True, **user)


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE deploy.history SET path = 'schema/0100_of_another_name.sql'",
        "UPDATE deploy.history SET body = '--', sha256 = encode(sha256('--'), 'hex')",
    ],
    ids=["other name", "other text"],
)
@pytest.mark.parametrize(("given", "way"), [("", "demo.sh clean"), ("url", "DROP DATABASE")])
def test_database_of_another_checkout_is_refused_with_the_way_out(
    db: psycopg.Connection, server: Address, change: str, given: str, way: str
) -> None:
    assert db.execute(f"{change} WHERE path = 'schema/0100_users.sql'").rowcount == 1
    demo = SimpleNamespace(given=given, dsn=lambda role: server.dsn(db.info.dbname, role))
    with pytest.raises(Failure, match="made by another checkout") as raised:
        database.deploy_files(demo)
    assert way in str(raised.value)
