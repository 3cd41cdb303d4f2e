"""One ephemeral TimescaleDB for the run; a fresh clone of the deployed database for each test."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg.conninfo import conninfo_to_dict
from pytest_postgresql import factories
from pytest_postgresql.executors import NoopExecutor

import backing
import mt5
import rows
import running
import servers
from ephemeral import (
    Address,
    Server,
    copy_rights,
    load_template,
    make_administrator,
    prepare_database,
)
from rubi import ROOT
from rubi.cli import console
from rubi.servers import embedded

ROOT = ROOT
# the same draws each time, and no slow machine fails an example
settings.register_profile(
    "ours",
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ours")


def pytest_configure() -> None:
    """A run in the background of a shell ignores SIGINT, and so would all it starts: some tests
    interrupt what they start."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    os.umask(0o022)  # the server's user enters what tests make for it


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """--refresh: write committed texts again. Others are in servers.py."""
    pluginmanager.register(servers)
    parser.addoption("--refresh", action="store_true")


@pytest.fixture(autouse=True)
def loud() -> None:
    """Scripts that run in this process may print, though one with --json was here before."""
    console.quiet = False


@pytest.fixture(scope="session")
def server(request: pytest.FixtureRequest) -> Iterator[Address]:
    """The ephemeral server, or the one that RUBI_SERVER_URL names, with a managed administrator."""
    binaries = embedded.binaries(request.config.getoption("--pg"))
    if url := os.environ.get("RUBI_SERVER_URL"):
        parts = conninfo_to_dict(url)
        address = Address(
            parts.get("host", "localhost"),
            int(parts.get("port", 5432)),
            parts.get("user", "postgres"),
            parts.get("password"),
            binaries,
        )
        say_which(address, request.config)
        make_administrator(address)
        yield address
        return
    edition = request.config.getoption("--edition")
    with Server(
        initdb=str(binaries / "initdb"),
        postgres=str(binaries / "postgres"),
        initdb_args="-U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync --data-checksums",
        postgres_args="-h 127.0.0.1 -F" + (f" -ctimescaledb.license={edition}" if edition else ""),
    ) as running:
        address = Address("127.0.0.1", running.settings["port"], "postgres", None, binaries)
        say_which(address, request.config)
        make_administrator(address)
        yield address


def say_which(address: Address, config: pytest.Config) -> None:
    """Have the end of the run say which server it was on."""
    with psycopg.connect(address.dsn(), autocommit=True) as connection:
        servers.tell(config, servers.ask(connection))


template = factories.postgresql_noproc(
    depends_on="server", dbname="rubi_test", load=[load_template]
)


@pytest.fixture(scope="session")
def maintenance(server: Address) -> Iterator[psycopg.Connection]:
    """The superuser's connection that makes and drops the databases of tests."""
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        yield connection


@pytest.fixture
def postgresql(
    server: Address, template: NoopExecutor, maintenance: psycopg.Connection
) -> Iterator[psycopg.Connection]:
    """A superuser's connection to a fresh clone. Files are copied: in 2,000 tests the usual
    strategy, every page through the WAL, takes a minute of processor time more."""
    name = template.dbname
    maintenance.execute(
        f"CREATE DATABASE {name} TEMPLATE {template.template_dbname} STRATEGY file_copy"
    )
    with closing(psycopg.connect(server.dsn(name))) as connection:
        yield connection
    maintenance.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def db(postgresql: psycopg.Connection, template: NoopExecutor) -> psycopg.Connection:
    """A superuser's connection, in autocommit, to a fresh clone of the deployed database."""
    postgresql.autocommit = True
    copy_rights(postgresql, template.template_dbname, template.dbname)
    return postgresql


@pytest.fixture
def connect_as(
    db: psycopg.Connection, server: Address
) -> Iterator[Callable[..., psycopg.Connection]]:
    """Opens further connections to the test's database, as any role."""
    opened: list[psycopg.Connection] = []

    def open_as(role: str = "postgres", *, autocommit: bool = True) -> psycopg.Connection:
        connection = psycopg.connect(
            server.dsn(db.info.dbname, None if role == server.user else role), autocommit=autocommit
        )
        opened.append(connection)
        return connection

    yield open_as
    for connection in opened:
        connection.close()


@pytest.fixture
def by_column(db: psycopg.Connection) -> Iterator[Callable[[], None]]:
    """Enables the policies of the Timescale licence and moves all bars and ticks to columnstore."""

    def keep() -> None:
        db.execute("SELECT FROM enable_timescale_policies()")
        db.execute(
            "SELECT compress_chunk(c, if_not_compressed => TRUE) FROM (SELECT show_chunks(h) FROM"
            " unnest('{market_data,market_ticks}'::regclass[]) AS h) AS chunks (c)"
        )

    db.execute("ALTER ROLE rubi_owner LOGIN")  # policies log in as the owner of their tables
    yield keep
    db.execute("ALTER ROLE rubi_owner NOLOGIN")


@pytest.fixture
def app(connect_as: Callable[..., psycopg.Connection]) -> psycopg.Connection:
    """The API's connection."""
    return connect_as("rubi_app")


@pytest.fixture
def user(db: psycopg.Connection) -> int:
    """A user's id."""
    return rows.user(db)


@pytest.fixture
def account(db: psycopg.Connection, user: int) -> int:
    """Id of the user's hedging account, heard of first when 2026 began."""
    return mt5.open_account(db, user, taken_at="2026-01-01")


@pytest.fixture(scope="session")
def shared_database(server: Address, template: NoopExecutor) -> Iterator[str]:
    """Name of a clone for tests that leave nothing behind; one for each costs half a second."""
    name = f"{template.dbname}_shared"
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template.template_dbname}")
        copy_rights(connection, template.template_dbname, name)
        yield name
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def shared_connection(server: Address, shared_database: str) -> Iterator[psycopg.Connection]:
    """The API's connection to the shared clone."""
    with psycopg.connect(server.dsn(shared_database, "rubi_app"), autocommit=True) as connection:
        yield connection


@pytest.fixture(scope="session")
def catalog(server: Address, shared_database: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection to the shared clone, for reading only."""
    with psycopg.connect(server.dsn(shared_database), autocommit=True) as connection:
        connection.execute("SET default_transaction_read_only = on")
        yield connection


@pytest.fixture
def rolled_back(shared_connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """The API's connection inside a transaction that is rolled back after the test."""
    with shared_connection.transaction(force_rollback=True):
        yield shared_connection


@pytest.fixture
def market(server: Address, shared_database: str) -> Iterator[psycopg.Connection]:
    """A superuser's connection to the shared clone, whose market data are emptied after the test:
    emptying takes a tenth of the time of another clone."""
    with psycopg.connect(server.dsn(shared_database), autocommit=True) as connection:
        yield connection
        connection.execute("TRUNCATE market_data, market_ticks, market_series, mt5_server_clocks")
        connection.execute("TRUNCATE internal.bar_changes")  # the triggers wrote of the first
        connection.execute("SELECT internal.fence_market()")


@pytest.fixture
def empty_database(server: Address) -> Iterator[Callable[..., str]]:
    """Makes databases as a provider does; answers their names. They are dropped afterwards."""
    names: list[str] = []

    def make(*, extensions: bool = True, owner: str | None = "rubi_admin") -> str:
        name = f"rubi_{secrets.token_hex(4)}"
        with closing(psycopg.connect(server.dsn(), autocommit=True)) as connection:
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        names.append(name)
        if extensions:
            prepare_database(server.dsn(name), owner)
        return name

    yield make
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as connection:
        for name in names:
            connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def new_database(server: Address) -> Iterator[Callable[[], str]]:
    """Answers names of databases to be made by the test; they are dropped afterwards."""
    names: list[str] = []

    def name() -> str:
        names.append(f"rubi_{secrets.token_hex(4)}")
        return names[-1]

    yield name
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as connection:
        for made in names:
            connection.execute(f"DROP DATABASE IF EXISTS {made} WITH (FORCE)")


@pytest.fixture(scope="session")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[backing.S3]:
    """A real S3 server, rclone's."""
    with backing.s3_server(tmp_path_factory.mktemp("s3")) as running:
        yield running


@pytest.fixture(scope="session")
def fresh_install(server: Address) -> Iterator[str]:
    """Name of a database that the runner deployed; tests leave it as it is."""
    import deploying

    with deploying.database(server) as name:
        deploying.run_program(server, name, "apply")
        yield name


@pytest.fixture
def psql(server: Address) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real psql in the repository's folder, stopping at the first error."""

    def run(
        dbname: str, *arguments: str, user: str = "rubi_admin", cwd: Path = ROOT
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [server.binaries / "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", *arguments],
            env=os.environ
            | {
                "PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": user,
                "PGDATABASE": dbname, "LC_ALL": "C.UTF-8",
            },
            cwd=cwd,
            capture_output=True,
            text=True,
        )  # fmt: skip

    return run


@pytest.fixture
def run_script() -> Callable[..., running.Done]:
    """Runs a Python script of scripts/ as a user would, in a narrow terminal that is none."""

    def run(script: str, *arguments: str, env: dict[str, str] | None = None) -> running.Done:
        variables = {"COLUMNS": "100"} | (env or {})
        return running.run_program(script.removesuffix(".py"), *arguments, env=variables)

    return run
