"""One ephemeral TimescaleDB for the run; a fresh clone of the deployed database for each test."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
import testing.postgresql
from psycopg.conninfo import conninfo_to_dict
from pytest_postgresql import factories
from pytest_postgresql.executors import NoopExecutor

import backing
import running
import servers
from rubi import ROOT, connecting
from rubi.cli import console
from rubi.deploying import applying, history, open_rights, sqlfiles
from rubi.servers import embedded

ROOT = ROOT
SETTINGS = {
    "logging_collector": "off",
    "shared_preload_libraries": "timescaledb,pg_stat_statements",
    "timescaledb.telemetry_level": "off",
    # background workers would hold connections to the template database
    "timescaledb.max_background_workers": "0",
    "max_connections": "120",
    "max_locks_per_transaction": "256",
    "timezone": "UTC",
    "jit": "off",
    # a server that is thrown away needs no protection against a crash
    "full_page_writes": "off",
    "max_wal_size": "1GB",
    # health looks whether it is on; it comes back after 24 days
    "autovacuum_naptime": "2147483",
    "max_prepared_transactions": "4",
    # a test lets archiving fail by a file of this name in the data folder
    "archive_mode": "on",
    "archive_command": "test ! -e archive_fails",
}


def pytest_configure() -> None:
    """A run in the background of a shell ignores SIGINT, and so would all it starts: some tests
    interrupt what they start."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """--refresh: write committed texts again. Others are in servers.py."""
    pluginmanager.register(servers)
    parser.addoption("--refresh", action="store_true")


class Server(testing.postgresql.Postgresql):
    """testing.postgresql's server, run as an unprivileged user and ended with this process.

    In memory where there is room: a clone of the database for each test takes a third of the time.
    """

    def __init__(self, **settings: object) -> None:
        kept, memory = tempfile.tempdir, Path("/dev/shm")
        if memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30:
            tempfile.tempdir = str(memory)
        try:
            super().__init__(**settings)
        finally:
            tempfile.tempdir = kept

    def initialize(self) -> None:
        super().initialize()
        if user := embedded.server_user():
            os.chown(self.base_dir, user.pw_uid, user.pw_gid)

    def initialize_database(self) -> None:
        arguments = self.settings["initdb_args"].split()
        if user := embedded.server_user():
            for folder in self.subdirectories:
                os.chown(Path(self.base_dir, folder), user.pw_uid, user.pw_gid)
        subprocess.run(
            [*embedded.ending_with_us(), self.initdb, "-D", self.get_data_directory(), *arguments],
            check=True,
            capture_output=True,
            cwd="/",
        )

    def get_server_commandline(self) -> list[str]:
        settings = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        return [*embedded.ending_with_us(), *super().get_server_commandline(), *settings]


@dataclass(frozen=True)
class Address:
    """The interface that pytest-postgresql asks of a server fixture."""

    host: str
    port: int
    user: str
    password: str | None
    binaries: Path
    options: str = ""
    maintenance_dbname: str = "postgres"
    template_dbname: str = "template1"

    def dsn(self, dbname: str = "postgres", user: str | None = None) -> str:
        """Connection string; roles other than the superuser have no password in tests."""
        parts = {"host": self.host, "port": self.port, "user": user or self.user, "dbname": dbname}
        if self.password and not user:
            parts["password"] = self.password
        return psycopg.conninfo.make_conninfo(**parts)


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
        boot_timeout=60,
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


def make_administrator(address: Address) -> None:
    """rubi_admin as a managed service makes it: no superuser, may hand on pg_monitor."""
    with psycopg.connect(address.dsn(), autocommit=True) as connection:
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = 'rubi_admin'").rowcount:
            connection.execute("CREATE ROLE rubi_admin LOGIN CREATEDB CREATEROLE")
        connection.execute("GRANT pg_monitor TO rubi_admin WITH ADMIN OPTION")


def prepare_database(dsn: str, owner: str | None = "rubi_admin") -> None:
    """The provider's work in a new database: extensions that only a superuser may create."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
        connection.execute("CREATE EXTENSION IF NOT EXISTS pg_stat_statements")
        open_rights.close(connection)
        if owner:
            connection.execute(f"ALTER DATABASE {connection.info.dbname} OWNER TO {owner}")


def deploy_all(dsn: str) -> None:
    """Apply every file with the runner's own functions."""
    files = sqlfiles.read_files()
    with connecting.connect(dsn) as connection:
        for file, _ in history.due(files, history.applied(connection)):
            applying.apply_file(connection, file)


def load_template(
    host: str, port: int, user: str, dbname: str, password: str | None = None, **_: object
) -> None:
    """pytest-postgresql calls this once to fill the template database."""
    parts = {"host": host, "port": port, "dbname": dbname}
    if password:
        parts["password"] = password
    prepare_database(psycopg.conninfo.make_conninfo(user=user, **parts))
    deploy_all(psycopg.conninfo.make_conninfo(user="rubi_admin", **parts))
    with psycopg.connect(psycopg.conninfo.make_conninfo(user=user, **parts)) as connection:
        open_rights.close(connection)


template = factories.postgresql_noproc(
    depends_on="server", dbname="rubi_test", load=[load_template]
)
postgresql = factories.postgresql("template")


def copy_rights(connection: psycopg.Connection, source: str, target: str) -> None:
    """CREATE DATABASE ... TEMPLATE copies neither the owner nor the rights on a database itself."""
    connection.execute(
        "UPDATE pg_database AS d SET datdba = t.datdba, datacl = t.datacl"
        " FROM pg_database AS t WHERE t.datname = %s AND d.datname = %s",
        [source, target],
    )


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
