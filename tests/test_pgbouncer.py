"""operations/pgbouncer.ini with the real PgBouncer: 200 clients on 40 connections."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import embedded
import programs
from conftest import ROOT, Address

sys.path.append(str(ROOT / "benchmarks"))
from loads import MIX

PASSWORD = "The-password-of-the-api-1"


@pytest.fixture
def pooled(server: Address, db: psycopg.Connection) -> Iterator[dict[str, str]]:
    """libpq's variables for rubi_app through a PgBouncer in front of a database with data."""
    db.execute((ROOT / "benchmarks/data.sql").read_text())
    folder = embedded.owned_folder(Path(f"/var/tmp/rubi-pgbouncer-{os.getpid()}"))
    port = embedded.free_port()
    verifier = db.pgconn.encrypt_password(PASSWORD.encode(), b"rubi_app", b"scram-sha-256").decode()
    text = (ROOT / "operations/pgbouncer.ini").read_text()
    for was, now in (
        ("host=127.0.0.1 port=5432 dbname=rubi_trading",
         f"host={server.host} port={server.port} dbname={db.info.dbname}"),
        ("listen_port = 6432", f"listen_port = {port}"),
        ("/etc/pgbouncer/userlist.txt", f"{folder}/userlist.txt"),
        ("/var/log/postgresql/pgbouncer.log", f"{folder}/log"),
        ("/run/postgresql/pgbouncer.pid", f"{folder}/pid"),
    ):  # fmt: skip
        assert was in text
        text = text.replace(was, now)
    (folder / "pgbouncer.ini").write_text(text)
    (folder / "userlist.txt").write_text(f'"rubi_app" "{verifier}"\n')
    process = subprocess.Popen(
        [str(programs.pgbouncer()), "-q", str(folder / "pgbouncer.ini")],
        **embedded.as_server_user(),
    )
    variables = {
        "PGHOST": "127.0.0.1", "PGPORT": str(port), "PGUSER": "rubi_app",
        "PGPASSWORD": PASSWORD, "PGDATABASE": "rubi_trading",
    }  # fmt: skip
    try:
        end = time.monotonic() + 20
        while True:
            try:
                connect(variables).close()
                break
            except psycopg.OperationalError:
                assert process.poll() is None and time.monotonic() < end
                time.sleep(0.05)
        yield variables
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def connect(variables: dict[str, str]) -> psycopg.Connection:
    names = {"PGHOST": "host", "PGPORT": "port", "PGUSER": "user", "PGPASSWORD": "password",
             "PGDATABASE": "dbname"}  # fmt: skip
    return psycopg.connect(**{names[key]: value for key, value in variables.items()})


def load(server: Address, variables: dict[str, str], *length: str) -> int:
    """The base's load by 200 clients with prepared statements; answers the transactions done."""
    scripts = [f"-f{ROOT}/benchmarks/{name}.sql@{share}" for name, share in MIX.items()]
    done = subprocess.run(
        [server.binaries / "pgbench", "-n", "-M", "prepared", "-c", "200", "-j", "2",
         *length, *scripts],
        env=os.environ | variables | {"LC_ALL": "C.UTF-8"},
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "number of failed transactions: 0 " in done.stdout
    assert "number of clients: 200" in done.stdout
    assert "ERROR" not in done.stderr
    print(done.stdout)  # shown with -s
    return int(re.search(r"actually processed: (\d+)", done.stdout)[1])


def test_200_clients_share_the_pool_without_an_error(
    server: Address, db: psycopg.Connection, pooled: dict[str, str]
) -> None:
    assert load(server, pooled, "-t", "10") == 2000
    backends = db.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'rubi_app'"
    ).fetchone()[0]
    assert 10 <= backends <= 50


@pytest.mark.slow
def test_200_clients_work_for_a_minute_without_an_error(
    server: Address, db: psycopg.Connection, pooled: dict[str, str]
) -> None:
    assert load(server, pooled, "-T", "60") > 1000


def test_prepared_statement_lives_on_whichever_connection(pooled: dict[str, str]) -> None:
    with connect(pooled) as one, connect(pooled) as other:
        one.prepare_threshold = other.prepare_threshold = 0
        for _ in range(20):
            for connection in (one, other):
                found = connection.execute("SELECT %s::int + 1", [1]).fetchone()
                assert found == (2,)
                connection.commit()


def test_tenant_of_one_transaction_is_nobodys_in_the_next(pooled: dict[str, str]) -> None:
    with connect(pooled) as connection:
        connection.execute("SET LOCAL ROLE rubi_tenant; SET LOCAL app.user_id = '1001'")
        users = connection.execute("SELECT DISTINCT user_id FROM trading_signals").fetchall()
        connection.commit()
        after = connection.execute(
            "SELECT current_user, coalesce(current_setting('app.user_id', TRUE), '')"
        ).fetchone()
    assert users == [(1001,)]
    assert after == ("rubi_app", "")


def test_wrong_password_is_refused(pooled: dict[str, str]) -> None:
    with pytest.raises(psycopg.OperationalError, match="authentication failed"):
        connect(pooled | {"PGPASSWORD": "wrong"})
