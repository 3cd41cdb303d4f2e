"""Two servers of different majors, and a client that writes as the API does, for upgrades."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import UUID, uuid4

import psycopg
import pytest

import rows
import running
from ephemeral import copy_rights, deploy_all, make_administrator, prepare_database
from rubi.backups import measuring
from rubi.deploying import catalog
from rubi.servers import clusters, embedded
from rubi.waiting import until
from servers import Facts, ask

SMALL = {
    "shared_buffers": "64MB",
    "max_connections": "40",
    "max_locks_per_transaction": "256",
    "fsync": "off",
    "full_page_writes": "off",
}
ADMIN = "rubi_admin"
DEPLOYED = "rubi_deployed"
numbers = itertools.count(1)


@dataclass(frozen=True)
class Side:
    """A deployed database on a server of its own."""

    cluster: clusters.Cluster
    database: str

    def dsn(self, role: str = ADMIN) -> str:
        """Connection string of a role."""
        return self.cluster.dsn(self.database, role)

    def connect(self, role: str = "postgres") -> psycopg.Connection:
        """A role's connection, in autocommit."""
        return psycopg.connect(self.dsn(role), autocommit=True)

    def make(self) -> Side:
        """Make the database as a provider does, without our files."""
        with self.cluster.connect() as connection:
            connection.execute(f"CREATE DATABASE {self.database} TEMPLATE template0")
        prepare_database(self.cluster.dsn(self.database))
        return self

    def clone(self) -> Side:
        """Make the database with our files."""
        with self.cluster.connect() as connection:
            connection.execute(f"CREATE DATABASE {self.database} TEMPLATE {DEPLOYED}")
            copy_rights(connection, DEPLOYED, self.database)
        return self

    def drop(self) -> None:
        """Drop the database."""
        with self.cluster.connect() as connection:
            connection.execute(f"DROP DATABASE {self.database} WITH (FORCE)")


@contextmanager
def two_servers() -> Iterator[tuple[clusters.Cluster, clusters.Cluster]]:
    """PostgreSQL 17 and 18, each with the TimescaleDB that comes with it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RUBI_PG_BIN", raising=False)
        try:
            older, newer = embedded.binaries(17), embedded.binaries(18)
        except embedded.Failure as error:
            pytest.skip(f"PostgreSQL 17 and 18 are not both to be had: {error}")
    with ExitStack() as stack:
        pair = []
        for programs in (older, newer):
            cluster = clusters.Cluster(folder(), programs, SMALL)
            stack.callback(cluster.remove)
            cluster.create()
            cluster.start()
            make_administrator(cluster)
            deploy_all(Side(cluster, DEPLOYED).make().dsn())
            pair.append(cluster)
        yield tuple(pair)


def folder() -> Path:
    """A server's folder, in memory where there is room: the files of each clone are many."""
    memory = Path("/dev/shm")
    if memory.is_dir() and shutil.disk_usage(memory).free > 4 * 2**30:
        return embedded.hand_over(Path(tempfile.mkdtemp(prefix="rubi-upgrade-", dir=memory)))
    return clusters.new_folder("upgrade")


def copy(source: Side, target: Side | None, *arguments: object) -> running.Done:
    """Run copy_database.py within this process."""
    to = ("--to", target.dsn()) if target else ()
    return running.run("copy_database", "--from", source.dsn(), *to, *arguments, env={})


def history(connection: psycopg.Connection) -> tuple[int, UUID]:
    """A user with a session and rows in several chunks of each hypertable; a superuser's."""
    user = rows.user(connection)
    rows.strategy(connection, user)
    session = rows.session(connection, user)
    connection.execute(
        "INSERT INTO account_snapshots (session_id, balance, equity, timestamp)"
        " SELECT %s, 100, 100 + n %% 7, now() - n * interval '3 hours'"
        " FROM generate_series(1, 300) AS n",
        [session],
    )
    connection.execute(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
        " SELECT 'EURUSD', 'H1', t, 1, 2, 0.5, 1"
        " FROM generate_series(timestamptz '2025-01-01', '2025-06-01', '1 hour') AS t"
    )
    connection.execute(
        "INSERT INTO market_ticks (symbol, timestamp, bid)"
        " SELECT 'EURUSD', now() - n * interval '1 hour', 1 FROM generate_series(1, 500) AS n"
    )
    return user, session


@dataclass
class Writer:
    """Writes orders, heartbeats and snapshots all the time, as the API, until refused."""

    side: Side
    user: int
    session: UUID
    acknowledged: set[str] = field(default_factory=set)
    refused: str = ""
    _done: threading.Event = field(default_factory=threading.Event)

    def write(self, connection: psycopg.Connection) -> None:
        """One order with what goes along; noted when the server has said that it is committed."""
        request = str(uuid4())
        with connection.transaction():
            rows.order(connection, self.user, client_request_id=request)
            connection.execute(
                "INSERT INTO account_snapshots (session_id, balance, equity) VALUES (%s, 1, 1)",
                [self.session],
            )
            connection.execute(
                "UPDATE mt5_sessions SET last_ping = now(), balance = balance + 1"
                " WHERE session_id = %s",
                [self.session],
            )
        self.acknowledged.add(request)

    def work(self) -> None:
        """Write until told to end, over connections that are lost."""
        while not self._done.is_set():
            try:
                with self.side.connect("rubi_app") as connection:
                    while not self._done.wait(0.005):
                        self.write(connection)
            except psycopg.errors.ReadOnlySqlTransaction as error:
                self.refused = error.sqlstate
                return
            except psycopg.OperationalError:
                continue

    @contextmanager
    def working(self) -> Iterator[Writer]:
        """Write in the background for as long as the block lasts."""
        thread = threading.Thread(target=self.work)
        thread.start()
        try:
            yield self
        finally:
            self._done.set()
            thread.join(60)


def said(done: running.Done) -> str:
    """The output of a call that went well."""
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def tables(side: Side) -> dict[str, object]:
    """Rows and checksum of each table but the record of deployed files."""
    with side.connect() as connection, connection.transaction():
        for statement in measuring.SETTINGS:
            connection.execute(statement)
        found = measuring.checksums(connection, connection.execute(measuring.SQL.TABLES).fetchall())
    return {name: values for name, values in found.items() if not name.startswith("deploy.")}


def differing(sides: tuple[Side, Side]) -> list[str]:
    """Tables that are not equal."""
    old, new = (tables(side) for side in sides)
    return [name for name in old | new if old.get(name) != new.get(name)]


def spelled(side: Side) -> dict[str, str]:
    """The catalog, without what belongs to the server."""
    with side.connect() as connection:
        found = catalog.snapshot(connection)
    return {str(key): item.definition for key, item in found.items()}


def versions(side: Side) -> Facts:
    """What a side runs on."""
    with side.connect() as connection:
        return ask(connection)


def copied_parts(side: Side) -> int:
    """How many parts the target has noted."""
    with side.connect() as connection:
        if not connection.execute("SELECT to_regclass('deploy.copied_parts')").fetchone()[0]:
            return 0
        return connection.execute("SELECT count(*) FROM deploy.copied_parts").fetchone()[0]


def crash(side: Side) -> None:
    """Kill a process of the server, which then starts again."""
    log = side.cluster.folder / "log"
    before = log.read_text().count("reinitializing")
    with closing(psycopg.connect(side.dsn("postgres"))) as connection:
        os.kill(connection.info.backend_pid, signal.SIGKILL)
        until("the server ends", lambda: log.read_text().count("reinitializing") > before, 60)
    until("the server answers", side.cluster.answers_or_ended, 60)


@pytest.fixture(scope="module")
def servers() -> Iterator[tuple[clusters.Cluster, clusters.Cluster]]:
    with two_servers() as running_ones:
        yield running_ones


@pytest.fixture
def sides(servers: tuple[clusters.Cluster, clusters.Cluster]) -> Iterator[tuple[Side, Side]]:
    """A source and a target, both deployed."""
    name = f"rubi_{next(numbers)}"
    old, new = (Side(cluster, name).clone() for cluster in servers)
    yield old, new
    old.drop()
    new.drop()


@pytest.fixture
def source(sides: tuple[Side, Side]) -> Side:
    """The source with rows."""
    with sides[0].connect() as connection:
        history(connection)
    return sides[0]
