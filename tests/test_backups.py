"""A backup counts when a drill has restored it and the data were equal."""

from __future__ import annotations

import gzip
import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

import backing
import bars
import rows
import servers
from backing import S3, backup, refused
from conftest import Address
from rubi.backups import drilling, measuring, places
from rubi.backups.taking import upload
from rubi.bars import samples
from rubi.deploying import catalog

Connect = Callable[..., psycopg.Connection]


@pytest.mark.parametrize(
    "size",
    [
        "a part of the demo",
        pytest.param("a part by column", marks=servers.LICENSED),
        pytest.param("the demo", marks=pytest.mark.slow),
        pytest.param("5 million bars", marks=pytest.mark.slow),
    ],
)
def test_full_circle_through_s3(
    db: psycopg.Connection, server: Address, app: psycopg.Connection, s3: S3, tmp_path: Path,
    new_database: Callable[[], str], size: str, request: pytest.FixtureRequest,
) -> None:  # fmt: skip
    """Backup, upload, download, restore: equal by manifest and catalog, and rubi_app works."""
    if size == "5 million bars":
        app.execute("SET statement_timeout = 0")
        filled = bars.make(app, "2006-01-01", "2019-06-01")
        assert filled > 5_000_000
    else:
        filled = backing.fill(app, samples.MARKETS if size == "the demo" else samples.MARKETS[2:])
    if size == "a part by column":
        request.getfixturevalue("by_column")()
        db.execute("CALL run_timescale_policies()")
    bucket = s3.bucket()
    done = backing.run(
        "backup", "--dir", tmp_path, "--s3", s3.url(bucket), database=db.info.dbname, server=server,
        env=s3.env,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    print(done.stdout)  # what each step took, shown with -s
    name = backing.newest(tmp_path).name
    assert s3.stored(bucket) == [
        f"database/{name}/{file}"
        for file in ("manifest.json", f"{name}.dump", f"{name}.roles.sql", f"{name}.sql.gz")
    ]
    said = db.execute(
        "SELECT kind, succeeded, location, bytes > 0, length(sha256) FROM monitoring.backup_runs"
    ).fetchall()
    assert said == [("backup", True, f"s3://{bucket}/database/{name}", True, 64)]
    shutil.rmtree(tmp_path / name)

    target = new_database()
    done = backing.run(
        "restore", s3.url(bucket), database=target, server=server, user="postgres", env=s3.env
    )
    assert (done.returncode, done.stderr) == (0, "")
    print(done.stdout)
    with psycopg.connect(server.dsn(target), autocommit=True) as connection:
        db.execute("DELETE FROM monitoring.backup_runs")  # written after the snapshot
        found, expected = catalog.snapshot(connection), catalog.snapshot(db)
        assert found.keys() == expected.keys()
        assert {key: (item.definition, expected[key].definition) for key, item in found.items()
                if item != expected[key]} == {}  # fmt: skip
        with connection.transaction(), db.transaction():
            again = [measuring.measure(each) for each in (db, connection)]
        assert again[0] == again[1]
        assert sum(again[0]["chunks"].values()) > 5
        assert connection.execute("SHOW timescaledb.restoring").fetchone() == ("off",)
        drilling.use(server.dsn(target, "rubi_app"))
        drilling.check_proofs(connection)
        count = connection.execute("SELECT count(*) FROM market_data").fetchone()[0]
        assert count == filled + 2  # and those of the use


@pytest.mark.slow
def test_drill_restores_into_a_server_of_its_own(
    db: psycopg.Connection, server: Address, tmp_path: Path
) -> None:
    bars.make(db, "2024-01-01", "2024-02-01", "1 hour")
    backup(server, db, tmp_path)
    status = tmp_path / "drill.json"
    done = backing.run(
        "restore_drill", tmp_path, "--status", status, database=db.info.dbname, server=server
    )
    assert (done.returncode, done.stderr) == (0, "")
    for said in ("roles · 8 of 9 made", "rows equal", "rubi_app works", "restored and proved in"):
        assert said in done.stdout
    assert json.loads(status.read_text())["succeeded"]
    found = db.execute(
        "SELECT succeeded, message FROM monitoring.backup_runs WHERE kind = 'drill'"
    ).fetchone()
    assert found[0] and "restored and proved in" in found[1]


@pytest.mark.slow
def test_drill_of_a_backup_whose_data_contradict_a_proof_fails_loudly(
    db: psycopg.Connection, server: Address, tmp_path: Path
) -> None:
    user = rows.user(db)
    strategy = rows.strategy(db, user)
    db.execute("ALTER TABLE trading_strategies DISABLE TRIGGER USER")
    db.execute("UPDATE trading_strategies SET total_trades = 7 WHERE id = %s", [strategy])
    db.execute("ALTER TABLE trading_strategies ENABLE TRIGGER USER")
    backup(server, db, tmp_path)
    status = tmp_path / "drill.json"
    done = backing.run(
        "restore_drill", tmp_path, "--status", status, database=db.info.dbname, server=server
    )
    refused(done, "restored, but the proofs fail: strategy counters: 1")
    assert not json.loads(status.read_text())["succeeded"]
    found = db.execute(
        "SELECT succeeded, message FROM monitoring.backup_runs WHERE kind = 'drill'"
    ).fetchone()
    assert found == (False, done.stderr.removeprefix("error: ").strip())


def test_backup_is_one_moment_while_writers_are_at_work(
    db: psycopg.Connection, server: Address, connect_as: Connect, tmp_path: Path,
    new_database: Callable[[], str],
) -> None:  # fmt: skip
    """Orders close all the while; the restored counters, proofs and manifest agree."""
    user = rows.user(db)
    strategy = rows.strategy(db, user)
    bars.make(db, "2024-01-01", "2024-03-01")
    stop, closed = threading.Event(), []

    def write(connection: psycopg.Connection) -> None:
        while not stop.is_set():
            with connection.transaction():
                order = rows.order(connection, user, strategy_id=strategy)
                connection.execute(
                    "UPDATE trading_orders SET closed_at = now(), close_price = 2, profit = 3"
                    " WHERE id = %s",
                    [order],
                )
            closed.append(order)

    threads = [threading.Thread(target=write, args=[connect_as("rubi_app")]) for _ in range(2)]
    for thread in threads:
        thread.start()
    before = len(closed)
    try:
        backup(server, db, tmp_path)
    finally:
        stop.set()
        for thread in threads:
            thread.join()
    target = new_database()
    done = backing.run("restore", tmp_path, database=target, server=server, user="postgres")
    assert (done.returncode, done.stderr) == (0, "")
    with psycopg.connect(server.dsn(target)) as connection:
        orders, counted = connection.execute(
            "SELECT (SELECT count(*) FROM trading_orders), total_trades FROM trading_strategies"
        ).fetchone()
        assert orders == counted
        assert before <= orders < len(closed)  # writers went on after the snapshot
        drilling.check_proofs(connection)


def test_plain_dump_and_roles_lie_beside_the_custom_one(
    db: psycopg.Connection, server: Address, tmp_path: Path
) -> None:
    db.execute("COMMENT ON TABLE users IS 'Users, with the name of Günter.'")
    made = backup(server, db, tmp_path, env={"PGCLIENTENCODING": "LATIN1"})
    text = gzip.decompress((made / f"{made.name}.sql.gz").read_bytes()).decode()
    assert "CREATE TABLE public.trading_orders" in text
    assert "Günter" in text
    assert "PostgreSQL database dump complete" in text
    roles = (made / f"{made.name}.roles.sql").read_text()
    assert "CREATE ROLE rubi_app;" in roles
    assert "client_encoding = 'UTF8'" in roles  # as it is read
    assert "PASSWORD" not in roles
    manifest = json.loads((made / "manifest.json").read_text())
    assert manifest["tables"]["public.users"]["rows"] == 1
    assert manifest["timescaledb"].count(".") == 2
    assert manifest["history"]["schema/0100_users.sql"]
    assert made.stat().st_mode & 0o077 == 0
    assert not list(tmp_path.glob(".*partial"))


def test_backups_that_follow_each_other_at_once_all_have_a_name(
    db: psycopg.Connection, server: Address, tmp_path: Path
) -> None:
    """A name is a second, and a backup of little takes less."""
    made = {backup(server, db, tmp_path) for _ in range(4)}
    assert len(made) == 4


def test_administrator_can_take_the_backup_too(
    db: psycopg.Connection, server: Address, tmp_path: Path
) -> None:
    rows.user(db)
    made = backup(server, db, tmp_path, user="rubi_admin")
    assert json.loads((made / "manifest.json").read_text())["tables"]["public.users"]["rows"] == 2


def test_old_copies_go_after_the_upload_only(
    db: psycopg.Connection, server: Address, s3: S3, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    bucket = s3.bucket()
    arguments = ("--s3", s3.url(bucket), "--keep-days", 1, "--keep-weeks", 0, "--keep-months", 0)
    first = backup(server, db, tmp_path, *arguments, env=s3.env)
    # the bucket is changed by its server only: behind its back that shows what is gone
    for name, value in s3.env.items():
        monkeypatch.setenv(name, value)
    remote = places.Place(s3.url(bucket))
    remote.remove(first.name)
    old = backing.rename(first, -4 * 86400)
    upload(remote, old, places.Place(tmp_path).manifest(old.name))
    (tmp_path / "half").write_text("x")  # an upload that was cut off
    remote.store.put(f"{db.info.dbname}_20200101_000000/half.dump", tmp_path / "half")
    alien = tmp_path / "other_db_20200101_000000"
    shutil.copytree(old, alien)
    # without an upload, or with one that fails, nothing goes
    backup(server, db, tmp_path)
    gone = s3.url("no-such-bucket")
    done = backing.run(
        "backup", "--dir", tmp_path, "--s3", gone, database=db.info.dbname, server=server,
        env=s3.env,
    )  # fmt: skip
    refused(done, "there is no such bucket")
    assert old.exists()
    new = backup(server, db, tmp_path, *arguments, env=s3.env)
    assert not old.exists() and alien.exists() and new.exists()
    assert {Path(path).parent.name for path in s3.stored(bucket)} == {new.name}
