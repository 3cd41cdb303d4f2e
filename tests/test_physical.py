"""Point in time and standby: two servers of our own, killed as a machine would be."""

from __future__ import annotations

import json
import signal
import subprocess
import threading
from collections.abc import Iterator
from configparser import ConfigParser
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

import backing
import tools
from backing import refused
from conftest import Address, prepare_database
from rubi import ROOT, connecting
from rubi.deploying import applying, sqlfiles
from rubi.servers import clusters, embedded
from rubi.waiting import until
from running import Done, run_program

# minutes in all; the short ones of their kind run by default
pytestmark = pytest.mark.slow

NEEDED = {"0010", "0020", "0030", "0040", "0041", "0200", "0710"}  # bars and backup_runs
SMALL = {"shared_buffers": "64MB", "fsync": "on", "max_connections": "30"}


def as_server_user(*command: object) -> subprocess.CompletedProcess[str]:
    """Run a program as the server's user."""
    return subprocess.run(
        [*embedded.ending_with_us(), *map(str, command)], capture_output=True, text=True, cwd="/"
    )


def script(cluster: clusters.Cluster, name: str, *arguments: object) -> Done:
    """Run a script against a cluster."""
    env = backing.variables(cluster.dsn("rubi")) | {"COLUMNS": "100"}
    done = run_program(name.removesuffix(".py"), *arguments, env=env)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def configured(folder: Path, cluster: clusters.Cluster) -> Path:
    """The repository's pgbackrest.conf with its repository in a folder instead of a bucket."""
    settings = ConfigParser()
    settings.read(ROOT / "operations/pgbackrest.conf")
    common = settings["global"]
    for name in [name for name in common if name.startswith("repo1-s3")]:
        del common[name]
    for name in ("repository", "logs", "lock"):
        embedded.owned_folder(folder / name)
    common.update({
        "repo1-type": "posix", "repo1-path": str(folder / "repository"),
        "repo1-cipher-pass": "test", "log-path": str(folder / "logs"),
        "lock-path": str(folder / "lock"),
    })  # fmt: skip
    settings["rubi"] = {
        "pg1-path": str(cluster.data), "pg1-socket-path": str(cluster.folder),
        "pg1-user": "postgres",
    }  # fmt: skip
    path = folder / "pgbackrest.conf"
    with path.open("w") as stream:
        settings.write(stream, space_around_delimiters=False)
    path.chmod(0o644)
    return path


@pytest.fixture
def archived(server: Address) -> Iterator[tuple[clusters.Cluster, list[object]]]:
    """A server that archives its WAL, with a part of the schema; and pgbackrest's call."""
    program = tools.pgbackrest(embedded.major_of(server.binaries))
    folder = clusters.new_folder("pitr")
    cluster = clusters.Cluster(folder, server.binaries, SMALL)
    try:
        config = configured(folder, cluster)
        call = [program, f"--config={config}", "--stanza=rubi"]
        cluster.settings |= {
            "archive_mode": "on",
            "archive_command": f"{program} --config={config} --stanza=rubi archive-push %p",
        }
        cluster.create()
        cluster.start()
        with cluster.connect() as connection:
            connection.execute("CREATE DATABASE rubi")
        prepare_database(cluster.dsn("rubi"), owner=None)
        with connecting.connect(cluster.dsn("rubi")) as connection:
            for file in sqlfiles.read_files():
                if file.number in NEEDED:
                    applying.apply_file(connection, file)
        done = as_server_user(*call, "stanza-create")
        assert done.returncode == 0, done.stdout + done.stderr
        yield cluster, call
    finally:
        cluster.remove()


def test_dropped_table_is_back_as_of_one_second_before(
    archived: tuple[clusters.Cluster, list[object]],
) -> None:
    """Rows written after the physical backup too; nothing of before that second is lost."""
    cluster, call = archived
    config = call[1].removeprefix("--config=")
    status = cluster.folder / "status.json"
    done = script(
        cluster, "backup_physical.py", "--type", "full", "--config", config,
        "--program", call[0], "--status", status,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done
    assert json.loads(status.read_text())["succeeded"]
    with cluster.connect("rubi") as connection:
        assert connection.execute(
            "SELECT kind, succeeded, bytes > 0 FROM monitoring.backup_runs"
        ).fetchall() == [("physical", True, True)]  # fmt: skip
        connection.execute(
            "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
            " SELECT 'EURUSD', 'M1', '2024-01-01'::timestamptz + n * interval '1 minute', 1, 2, 1,"
            " 2 FROM generate_series(1, 20000) AS n"
        )
        written = connection.execute("SELECT clock_timestamp()").fetchone()[0]
        later = "SELECT clock_timestamp() > %s + interval '1.5 seconds'"
        until("a moment to go back to", lambda: connection.execute(later, [written]).fetchone()[0])
        before_drop = connection.execute(
            "SELECT clock_timestamp() - interval '1 second'"
        ).fetchone()[0]
        connection.execute("DROP TABLE market_data CASCADE")
        connection.execute("SELECT pg_switch_wal()")
    cluster.stop()
    done = as_server_user(
        *call, "--delta", "--type=time", f"--target={before_drop:%Y-%m-%d %H:%M:%S.%f+00}",
        "--target-action=promote", "restore",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    cluster.start()
    with cluster.connect("rubi") as connection:
        recovered = "SELECT NOT pg_is_in_recovery()"
        until("recovery ends", lambda: connection.execute(recovered).fetchone()[0], 60)
        assert connection.execute("SELECT count(*) FROM market_data").fetchone() == (20000,)
        connection.execute(  # a hypertable still: a chunk of its own for another year
            "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
            " VALUES ('EURUSD', 'M1', '2025-06-01', 1, 2, 1, 2)"
        )
        chunks = connection.execute("SELECT count(*) FROM show_chunks('market_data')").fetchone()
        assert chunks[0] >= 2


@pytest.mark.slow
def test_physical_backup_that_fails_says_so(
    archived: tuple[clusters.Cluster, list[object]],
) -> None:
    """No settings, no program, a flipped bit in the repository."""
    cluster, call = archived
    status = cluster.folder / "status.json"
    config = call[1].removeprefix("--config=")
    arguments = ("backup_physical.py", "--status", status, "--type", "full")
    refused(script(cluster, *arguments, "--program", "no-such-program"), "no no-such-program here")
    arguments += ("--program", call[0], "--config")
    refused(script(cluster, *arguments, "/nowhere.conf"), "pgbackrest failed:", "nowhere.conf")
    assert not json.loads(status.read_text())["succeeded"]
    assert script(cluster, *arguments, config).returncode == 0
    bundle = next((cluster.folder / "repository/backup/rubi").rglob("bundle/1"))
    data = bytearray(bundle.read_bytes())
    data[len(data) // 2] ^= 1
    bundle.write_bytes(data)
    refused(script(cluster, *arguments, config), "the repository is damaged")
    with cluster.connect("rubi") as connection:
        assert connection.execute(
            "SELECT succeeded FROM monitoring.backup_runs ORDER BY id"
        ).fetchall() == [(False,), (True,), (False,)]  # fmt: skip


class Writers:
    """Clients that write until the server is gone, and note what was acknowledged."""

    def __init__(self, cluster: clusters.Cluster, count: int) -> None:
        self.cluster = cluster
        self.acknowledged: list[list[int]] = [[] for _ in range(count)]
        self.threads = [threading.Thread(target=self.write, args=[n]) for n in range(count)]
        for thread in self.threads:
            thread.start()

    def write(self, number: int) -> None:
        with suppress(psycopg.OperationalError), self.cluster.connect("rubi") as connection:
            for value in range(1_000_000):
                connection.execute("INSERT INTO written VALUES (%s, %s)", [number, value])
                self.acknowledged[number].append(value)

    def count(self) -> int:
        """The number of transactions acknowledged until now."""
        return sum(map(len, self.acknowledged))

    def join(self) -> None:
        """Wait for the end of all."""
        for thread in self.threads:
            thread.join(60)


def fail_over(binaries: Path, *, synchronous: bool, transactions: int = 300) -> tuple[int, int]:
    """Kill -9 a primary under load and promote its standby: acknowledged, and lost of them."""
    with clusters.temporary(
        binaries, SMALL | {"shared_preload_libraries": "timescaledb"}, "primary"
    ) as primary:
        with primary.connect() as connection:
            connection.execute("CREATE DATABASE rubi")
        with primary.connect("rubi") as connection:
            connection.execute("CREATE TABLE written (writer int, value int)")
        folder = clusters.new_folder("standby")
        socket = embedded.owned_folder(folder / "socket")
        standby = folder / "data"
        options = ("--programs", binaries)
        try:
            done = script(
                primary, "standby.py", "make", standby, "--primary", primary.dsn(), "--socket",
                socket, *(["--synchronous"] if synchronous else []), *options,
            )  # fmt: skip
            assert (done.returncode, done.stderr) == (0, ""), done
            writers = Writers(primary, 4)
            until(
                f"{transactions} transactions",
                lambda: writers.count() >= transactions, 120, pause=0.005,
            )  # fmt: skip
            if synchronous:
                refused(
                    script(primary, "standby.py", "promote", standby, *options), "still answers"
                )
            primary.stop(signal.SIGKILL)
            writers.join()
            done = script(primary, "standby.py", "promote", standby, *options)
            assert (done.returncode, done.stderr) == (0, ""), done
            dsn = psycopg.conninfo.make_conninfo(
                host=str(socket), port=5432, user="postgres", dbname="rubi"
            )
            with psycopg.connect(dsn, autocommit=True) as connection:
                found = set(connection.execute("SELECT writer, value FROM written").fetchall())
                connection.execute("INSERT INTO written VALUES (-1, -1)")  # waits for nobody
            promised = {(n, v) for n, values in enumerate(writers.acknowledged) for v in values}
            return len(promised), len(promised - found)
        finally:
            as_server_user(binaries / "pg_ctl", "-D", standby, "-m", "immediate", "stop")
            clusters.shutil.rmtree(folder, ignore_errors=True)


def test_synchronous_standby_loses_no_acknowledged_transaction(server: Address) -> None:
    acknowledged, lost = fail_over(server.binaries, synchronous=True)
    assert acknowledged >= 300
    assert lost == 0


@pytest.mark.slow
@pytest.mark.parametrize("synchronous", [True, False])
def test_five_lost_primaries(server: Address, synchronous: bool) -> None:
    """Synchronous: none lost in five. Asynchronous: how many is printed (-s)."""
    results = [
        fail_over(server.binaries, synchronous=synchronous, transactions=2000) for _ in range(5)
    ]
    acknowledged, lost = (sum(column) for column in zip(*results, strict=True))
    print(f"\nsynchronous={synchronous}: {lost} lost of {acknowledged} acknowledged, {results}")
    if synchronous:
        assert lost == 0


def test_standby_is_not_made_over_data_nor_promoted_twice(server: Address, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    done = backing.run("standby", "make", tmp_path, "--primary", server.dsn(), database="postgres",
                       server=server, user="postgres")  # fmt: skip
    refused(done, "is not empty")
    done = backing.run(
        "standby", "promote", tmp_path, database="postgres", server=server, user="postgres"
    )
    refused(done, "is no standby")


def test_standby_that_was_not_made_leaves_no_slot(server: Address) -> None:
    """WAL would be kept for it until the primary's disk is full."""
    folder = clusters.new_folder("standby")
    program = folder / "pg_basebackup"
    program.write_text(
        f'#!/bin/sh\n{server.binaries}/pg_basebackup "$@"\necho "pg_basebackup: error: cut" >&2\n'
        "exit 1\n"
    )
    program.chmod(0o755)
    with clusters.temporary(server.binaries, SMALL | {"wal_level": "replica"}) as primary:
        made = ("make", folder / "data", "--primary", primary.dsn(), "--programs", folder)
        refused(script(primary, "standby.py", *made), "pg_basebackup failed: cut")
        with primary.connect() as connection:
            assert not connection.execute("SELECT FROM pg_replication_slots").rowcount
    clusters.shutil.rmtree(folder)
