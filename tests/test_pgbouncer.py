"""operations/pgbouncer.ini with the real PgBouncer: 200 clients on 40 connections."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator

import psycopg
import pytest

from conftest import ROOT, Address

sys.path.append(str(ROOT / "benchmarks"))
from loads import MIX
from pooler import connect, pooling
from rubi import connecting
from rubi.cli import Failure


@pytest.fixture
def pooled(server: Address, db: psycopg.Connection) -> Iterator[dict[str, str]]:
    """libpq's variables for rubi_app through a PgBouncer in front of the test's database."""
    with pooling(server.host, server.port, db.info.dbname) as variables:
        yield variables | {"PGDATABASE": db.info.dbname}


@pytest.fixture
def filled(db: psycopg.Connection, pooled: dict[str, str]) -> dict[str, str]:
    """The same with data."""
    db.execute((ROOT / "benchmarks/data.sql").read_text())
    return pooled


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
    server: Address, db: psycopg.Connection, filled: dict[str, str]
) -> None:
    assert load(server, filled, "-t", "10") == 2000
    backends = db.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = 'rubi_app'"
    ).fetchone()[0]
    assert 1 <= backends <= 50  # quick answers need few


@pytest.mark.slow
def test_200_clients_work_for_a_minute_without_an_error(
    server: Address, db: psycopg.Connection, filled: dict[str, str]
) -> None:
    assert load(server, filled, "-T", "60") > 1000


def test_prepared_statement_lives_on_whichever_connection(pooled: dict[str, str]) -> None:
    with connect(pooled) as one, connect(pooled) as other:
        one.prepare_threshold = other.prepare_threshold = 0
        for _ in range(20):
            for connection in (one, other):
                found = connection.execute("SELECT %s::int + 1", [1]).fetchone()
                assert found == (2,)
                connection.commit()


def test_tenant_of_one_transaction_is_nobodys_in_the_next(filled: dict[str, str]) -> None:
    with connect(filled) as connection:
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


def test_subscribing_through_the_pool_is_refused(
    app: psycopg.Connection, pooled: dict[str, str]
) -> None:
    subscribe = "SELECT subscribe('rubi_signals')"
    with connect(pooled) as connection, pytest.raises(psycopg.DatabaseError) as caught:
        connection.execute(subscribe)
    assert caught.value.sqlstate == "RB058"
    app.execute(subscribe)


def test_work_without_limits_is_refused_and_leaves_the_limits_of_others(
    pooled: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in pooled.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(Failure, match="pool of transactions"):
        connecting.session("", "load_bars")
    with connect(pooled) as connection:
        assert connection.execute("SHOW statement_timeout").fetchone() == ("1min",)
