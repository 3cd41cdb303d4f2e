"""The ephemeral server of a run, the interface by which fixtures know it, and its databases."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psycopg
import testing.postgresql

from rubi import connecting
from rubi.deploying import applying, history, open_rights, sqlfiles
from rubi.servers import embedded

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
    "archive_mode": "on",
}


class Server(testing.postgresql.Postgresql):
    """testing.postgresql's server, run as an unprivileged user and ended with this process.

    In memory where there is room: a clone of the database for each test takes a third of the time.
    """

    def __init__(self, **settings: object) -> None:
        kept, memory = tempfile.tempdir, Path("/dev/shm")
        if memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30:
            tempfile.tempdir = str(memory)
        try:
            # a port for outgoing connections could be one's own before the server has it
            super().__init__(**{"port": embedded.free_port(), "boot_timeout": 300} | settings)
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
        # a test lets archiving fail by a file of this name in the data folder; another command that
        # a test sets would not count beside one of the command line
        with Path(self.get_data_directory(), "postgresql.conf").open("a", encoding="utf-8") as file:
            file.write("archive_command = 'test ! -e archive_fails'\n")

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


def copy_rights(connection: psycopg.Connection, source: str, target: str) -> None:
    """CREATE DATABASE ... TEMPLATE copies neither the owner nor the rights on a database itself."""
    connection.execute(
        "UPDATE pg_database AS d SET datdba = t.datdba, datacl = t.datacl"
        " FROM pg_database AS t WHERE t.datname = %s AND d.datname = %s",
        [source, target],
    )
