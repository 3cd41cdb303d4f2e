"""Servers of our own below a folder: made, started, killed, copied, promoted, removed.

For work that needs a whole server: restore drills, standbys, measurements, tests. Each is reached
by a socket in its folder, which only the server's user reads; no server listens on the network.
"""

import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from rubi import ROOT
from rubi.cli import Failure
from rubi.servers import embedded, pgtools
from rubi.waiting import until

# Settings that differ from postgresql.conf: the machine is shared and the server short-lived.
SETTINGS = {
    "shared_buffers": "512MB",
    "effective_cache_size": "1GB",
    "logging_collector": "off",
    "log_connections": "off",
    "log_disconnections": "off",
    "log_checkpoints": "off",
    # its workers would hold connections to databases that are copied
    "timescaledb.max_background_workers": "0",
    "listen_addresses": "",
    "port": "5432",  # else the port would be PGPORT's
}


class Cluster:
    """A server whose data, socket and log lie in one folder."""

    def __init__(self, folder: Path, programs: Path, settings: dict[str, str]) -> None:
        self.folder = folder
        self.programs = programs
        self.settings = SETTINGS | settings | {"unix_socket_directories": str(folder)}
        self.process: subprocess.Popen | None = None

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def pid(self) -> int:
        """The postmaster's process."""
        if not self.process:
            raise Failure(f"{self.folder}: the server is not running")
        return self.process.pid

    def dsn(self, database: str = "postgres", role: str = "postgres") -> str:
        return psycopg.conninfo.make_conninfo(
            host=str(self.folder), port=5432, user=role, dbname=database
        )

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """The superuser's connection, in autocommit."""
        return psycopg.connect(self.dsn(database), autocommit=True)

    def run(self, program: str, *arguments: object) -> str:
        """Run a program as the server's user. Raises Failure with its words."""
        return pgtools.run(
            self.programs / program, *arguments, env=pgtools.environment(self.dsn()), as_server=True
        )

    def create(self) -> None:
        """initdb, with the settings of postgresql.conf."""
        self.run(
            "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8",
            "--locale=C.UTF-8",
        )  # fmt: skip
        # in the file too, for a standby that is copied from it
        own = "".join(f"{name} = '{value}'\n" for name, value in self.settings.items())
        settings = (ROOT / "postgresql.conf").read_text(encoding="utf-8")
        (self.data / "postgresql.conf").write_text(settings + own, encoding="utf-8")

    def start(self) -> None:
        """Start and wait until it answers. Raises Failure when it ends or takes a minute."""
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*embedded.ending_with_us(), self.programs / "postgres", "-D", self.data,
                 *(f"-c{name}={value}" for name, value in self.settings.items())],
                stdout=log, stderr=log, cwd="/",
            )  # fmt: skip
        try:
            until("the server answers", self.answers_or_ended, 60)
        except Failure:
            self.process.kill()
            self.process.wait()
        if self.process.poll() is None:
            return
        self.stop()
        raise Failure(f"the server did not start: {pgtools.last_words(self.folder / 'log')}")

    def answers_or_ended(self) -> bool:
        """Whether the server takes connections, or will never do."""
        try:
            self.connect().close()
        except psycopg.OperationalError:
            return self.process.poll() is not None
        return True

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server, fast or with SIGKILL as a lost machine would, unless stopped."""
        if not self.process:
            return
        self.process.send_signal(how)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)


def new_folder(kind: str) -> Path:
    """An empty folder of the server's user.

    Not in TMPDIR, which may be long: the path of a socket has at most 107 bytes.
    """
    return embedded.hand_over(Path(tempfile.mkdtemp(prefix=f"rubi-{kind}-", dir="/var/tmp")))


@contextmanager
def temporary(
    programs: Path, settings: dict[str, str] | None = None, kind: str = "server"
) -> Iterator[Cluster]:
    """A new running server; stopped and removed afterwards."""
    cluster = Cluster(new_folder(kind), programs, settings or {})
    try:
        cluster.create()
        cluster.start()
        yield cluster
    finally:
        cluster.remove()
