"""A server of its own for a measurement: ended with it, its data removed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg

import deploy
import embedded
from cli import Failure

# What postgresql.conf says otherwise: the machine is shared and the server short-lived.
SETTINGS = {
    "shared_buffers": "512MB",
    "effective_cache_size": "1GB",
    "logging_collector": "off",
    "log_connections": "off",
    "log_disconnections": "off",
    "log_checkpoints": "off",
    "jit": "off",
    # its workers would hold connections to databases that are copied
    "timescaledb.max_background_workers": "0",
    "listen_addresses": "",
}


@dataclass(frozen=True)
class Server:
    """A running server, reached through a socket in a folder that only its user reads."""

    folder: Path
    programs: Path
    pid: int

    def dsn(self, database: str = "postgres", role: str = "postgres") -> str:
        """Connection string of a role."""
        return psycopg.conninfo.make_conninfo(host=str(self.folder), user=role, dbname=database)

    def connect(self, database: str = "postgres") -> psycopg.Connection:
        """The superuser's connection, in autocommit."""
        return psycopg.connect(self.dsn(database), autocommit=True)

    def cpu_seconds(self) -> float:
        """Processor time of all backends that have ended; 0 where the system does not tell (/proc).

        A machine that others use too changes a rate more than it changes this.
        """
        status = Path(f"/proc/{self.pid}/stat")
        if not status.exists():
            return 0.0
        with self.connect() as connection:
            while connection.execute(
                "SELECT FROM pg_stat_activity WHERE usename = 'rubi_app'"
            ).rowcount:
                time.sleep(0.05)
        time.sleep(0.2)  # what has left the list is gone a moment later
        fields = status.read_text().rpartition(")")[2].split()
        return (int(fields[13]) + int(fields[14])) / os.sysconf("SC_CLK_TCK")


def prefix() -> list[str]:
    """setpriv becomes the server's user and has the kernel stop the server when we die."""
    if not shutil.which("setpriv"):
        return []
    user = embedded.server_user()
    identity = (
        [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if user else []
    )
    return ["setpriv", *identity, "--pdeathsig=INT", "--"]


@contextmanager
def running(major: int, settings: dict[str, str], kept: Path | None = None) -> Iterator[Server]:
    """Start a server with postgresql.conf, SETTINGS and the settings; remove it afterwards.

    A folder that is to be kept is left, and taken up again by the next call.
    """
    programs = embedded.binaries(major)
    # not in TMPDIR, which may be long: the path of a socket has at most 107 bytes
    folder = embedded.owned_folder(
        kept or Path(tempfile.mkdtemp(prefix="rubi-benchmark-", dir="/var/tmp"))
    )
    process = None
    try:
        if not (folder / "data").exists():
            made = subprocess.run(
                [*prefix(), programs / "initdb", "-D", folder / "data", "-U", "postgres",
                 "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8"],
                capture_output=True, text=True, cwd="/",
            )  # fmt: skip
            if made.returncode:
                raise Failure(f"initdb failed: {made.stderr.strip().splitlines()[-1]}")
        shutil.copyfile(deploy.ROOT / "postgresql.conf", folder / "data/postgresql.conf")
        chosen = SETTINGS | settings | {"unix_socket_directories": str(folder)}
        with (folder / "log").open("w") as log:
            process = subprocess.Popen(
                [*prefix(), programs / "postgres", "-D", folder / "data",
                 *(f"-c{name}={value}" for name, value in chosen.items())],
                stdout=log, stderr=log, cwd="/",
            )  # fmt: skip
        server = Server(folder, programs, process.pid)
        wait_for(server, process)
        yield server
    finally:
        if process:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
        if not kept:
            shutil.rmtree(folder, ignore_errors=True)


def wait_for(server: Server, process: subprocess.Popen) -> None:
    """Return when the server answers; raise Failure when it ends or takes longer than a minute."""
    for _ in range(600):
        try:
            server.connect().close()
            return
        except psycopg.OperationalError:
            if process.poll() is not None:
                break
            time.sleep(0.1)
    lines = (server.folder / "log").read_text().splitlines() or ["no log"]
    cause = next((line for line in reversed(lines) if "FATAL" in line), lines[-1])
    raise Failure(f"the server did not start: {cause}")
