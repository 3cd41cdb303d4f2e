"""operations/pgbouncer.ini with the real PgBouncer in front of a server of benchmarks or tests."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/helpers")]

import tools
from rubi.servers import clusters, embedded

PASSWORD = "The-password-of-the-api-1"


@contextmanager
def pooling(host: str, port: int, *databases: str) -> Iterator[dict[str, str]]:
    """Starts PgBouncer for databases of a server; libpq's variables of rubi_app but the database.

    The server asks no password of it; PgBouncer asks one of its clients.
    """
    folder = clusters.new_folder("pgbouncer")
    own_port = embedded.free_port()
    with psycopg.connect(f"host={host} port={port} user=postgres dbname=postgres") as connection:
        verifier = connection.pgconn.encrypt_password(
            PASSWORD.encode(), b"rubi_app", b"scram-sha-256"
        ).decode()
    text = (ROOT / "operations/pgbouncer.ini").read_text()
    for was, now in (
        ("rubi_trading = host=127.0.0.1 port=5432 dbname=rubi_trading",
         "\n".join(f"{name} = host={host} port={port} dbname={name}" for name in databases)),
        ("listen_port = 6432", f"listen_port = {own_port}"),
        ("/etc/pgbouncer/userlist.txt", f"{folder}/userlist.txt"),
        ("/var/log/postgresql/pgbouncer.log", f"{folder}/log"),
        ("/run/postgresql/pgbouncer.pid", f"{folder}/pid"),
    ):  # fmt: skip
        assert was in text, f"operations/pgbouncer.ini has no {was}"
        text = text.replace(was, now)
    (folder / "pgbouncer.ini").write_text(text)
    (folder / "userlist.txt").write_text(f'"rubi_app" "{verifier}"\n')
    for made in folder.iterdir():  # the server's user reads them, whatever the umask
        made.chmod(0o644)
    process = subprocess.Popen(
        [str(tools.pgbouncer()), "-q", str(folder / "pgbouncer.ini")],
        **embedded.as_server_user(),
    )
    variables = {
        "PGHOST": "127.0.0.1", "PGPORT": str(own_port), "PGUSER": "rubi_app",
        "PGPASSWORD": PASSWORD,
    }  # fmt: skip
    try:
        end = time.monotonic() + 60
        while True:
            try:
                connect(variables | {"PGDATABASE": databases[0]}).close()
                break
            except psycopg.OperationalError:
                assert process.poll() is None and time.monotonic() < end
                time.sleep(0.05)
        yield variables
    finally:
        process.terminate()
        process.wait(60)
        shutil.rmtree(folder)


def connect(variables: dict[str, str]) -> psycopg.Connection:
    """A connection by libpq's variables, without setting them."""
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password",
             "PGDATABASE": "dbname"}  # fmt: skip
    return psycopg.connect(**{names[key]: value for key, value in variables.items()})
