"""Whatever breaks: a clear message, a non-zero exit, and no earlier backup is lost.

docs/reference/backup-faults.md has these as a table; a test holds it equal to the names here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from pytest_postgresql.executors import NoopExecutor

import backing
from backing import S3, flip, refused, waits_for_users
from conftest import Address, copy_rights
from rubi import ROOT
from rubi.backups import places
from rubi.servers import clusters
from rubi.waiting import until

# minutes in all; the short ones of their kind run by default
pytestmark = pytest.mark.slow
Run = Callable[..., object]


@pytest.fixture(scope="module")
def source(server: Address, template: NoopExecutor) -> Iterator[psycopg.Connection]:
    """A superuser's connection to a deployed database of these tests."""
    name = f"{template.template_dbname}_faults"
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name} TEMPLATE {template.template_dbname}")
        copy_rights(connection, template.template_dbname, name)
        with psycopg.connect(server.dsn(name), autocommit=True) as own:
            yield own
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="module")
def original(
    source: psycopg.Connection, server: Address, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A good backup of it."""
    folder = tmp_path_factory.mktemp("original")
    done = backing.run("backup", "--dir", folder, database=source.info.dbname, server=server)
    assert done.returncode == 0, done
    return backing.newest(folder)


@pytest.fixture
def earlier(original: Path, tmp_path: Path) -> Iterator[Path]:
    """That backup as if of yesterday, which must be as good afterwards."""
    folder = tmp_path / "backups"
    folder.mkdir()
    made = backing.rename(shutil.copytree(original, folder / original.name), -86400)
    yield made
    assert_whole(made)


def assert_whole(backup: Path) -> None:
    """Every file is the one of the manifest."""
    manifest = places.Place(backup.parent).manifest(backup.name)
    for file, expected in manifest["files"].items():
        assert places.hashed(backup / file) == expected


@pytest.fixture
def back_up(source: psycopg.Connection, server: Address, earlier: Path) -> Run:
    """Takes another backup into the same folder."""

    def run(*arguments: object, folder: Path = earlier.parent, env: dict | None = None):
        return backing.run(
            "backup",
            "--dir",
            folder,
            *arguments,
            database=source.info.dbname,
            server=server,
            env=env,
        )

    return run


@pytest.fixture
def restored(server: Address, new_database: Callable[[], str]) -> Iterator[Run]:
    """Tries a restore; no database may stand there afterwards when it failed."""
    target = new_database()

    def run(*arguments: object, env: dict | None = None):
        return backing.run(
            "restore", *arguments, database=target, server=server, user="postgres", env=env
        )

    yield run
    with psycopg.connect(server.dsn()) as connection:
        assert connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE %s", [f"{target}%"]
        ).fetchall() == []  # fmt: skip


def test_disk_full_during_the_dump(
    source: psycopg.Connection, server: Address, earlier: Path, tmp_path: Path
) -> None:
    """In a file system of 2 MB, where the earlier backup leaves room for a part of a dump."""
    small = tmp_path / "small"
    small.mkdir()
    size = sum(path.stat().st_size for path in earlier.iterdir()) + 500_000
    script = (
        f"mount -t tmpfs -o size={size} none {small} && cp -a {earlier} {small}/ &&"
        f" {sys.executable} {ROOT}/scripts/backup.py --dir {small};"
        f" code=$?; cp -a {small}/. {tmp_path}/after; exit $code"
    )
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script],
        env=os.environ | backing.variables(server.dsn(source.info.dbname, "rubi_backup"))
        | {"RUBI_PG_BIN": str(server.binaries)},  # no other user is known there
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 1, done
    assert "No space left on device" in done.stderr
    assert done.stderr.count("error:") == 1 and "Traceback" not in done.stderr
    left = [path.name for path in (tmp_path / "after").iterdir() if path.is_dir()]
    assert left == [earlier.name]
    assert_whole(tmp_path / "after" / earlier.name)


def test_server_killed_during_the_dump(server: Address, tmp_path: Path, earlier: Path) -> None:
    with clusters.temporary(server.binaries, {"shared_preload_libraries": ""}, "kill") as cluster:
        with cluster.connect() as connection:
            connection.execute("CREATE DATABASE big")
        with closing(cluster.connect("big")) as connection:
            connection.execute("CREATE TABLE t (n integer, x text)")
            connection.execute("ALTER TABLE t ALTER COLUMN x SET STORAGE external")
            connection.execute(
                "INSERT INTO t SELECT n, repeat('x', CASE n WHEN 9999 THEN 9999 ELSE 99 END)"
                " FROM generate_series(1, 9999) AS n"
            )
            (index,) = connection.execute(
                "SELECT i.indexrelid::regclass::text FROM pg_class AS c"
                " JOIN pg_index AS i ON c.reltoastrelid = i.indrelid WHERE c.relname = 't'"
            ).fetchone()
            # the long text of the last row can't be read for as long as this is open
            connection.execute("BEGIN")
            connection.execute(f"REINDEX INDEX {index}")
            folder = earlier.parent
            process = backing.start(
                "backup", "--dir", folder, database="big", server=cluster, user="postgres"
            )
            with process:
                waiting = (
                    f"SELECT FROM pg_locks WHERE NOT granted AND relation = '{index}'::regclass"
                )
                until(
                    "the dump has copied all rows but one",
                    lambda: connection.execute(waiting).rowcount or process.poll() is not None,
                )
                assert process.poll() is None
                cluster.stop(signal.SIGKILL)
                out, err = process.communicate(timeout=60)
    assert process.returncode == 1, (out, err)
    assert "error: pg_dump failed:" in err and "server closed the connection" in err, err
    assert len(err.splitlines()) == 2, err  # and that it could not be recorded
    assert "Traceback" not in err
    assert places.Place(folder).names() == [earlier.name]
    assert not list(folder.glob(".*partial"))
    assert not json.loads((folder / "backup.status.json").read_text())["succeeded"]


def test_upload_cut_off(
    earlier: Path, back_up: Run, s3: S3, source: psycopg.Connection, restored: Run
) -> None:
    bucket = s3.bucket()
    shutil.copytree(earlier, s3.folder / bucket / "database" / earlier.name)
    with backing.cut_off(s3.port, after=300_000) as port:
        done = back_up("--s3", s3.url(bucket, port), "--keep-local-days", 0, env=s3.env)
    refused(done, f"s3://{bucket}/database", "connect")
    assert_whole(s3.folder / bucket / "database" / earlier.name)
    new = backing.newest(earlier.parent)
    assert new != earlier
    assert_whole(new)  # whole, but here only
    assert places.Place(s3.folder / bucket / "database").names() == [earlier.name]
    well, message = source.execute(
        "SELECT succeeded, message FROM monitoring.backup_runs ORDER BY id DESC LIMIT 1"
    ).fetchone()
    assert not well and "connect" in message


def test_bucket_gone(earlier: Path, back_up: Run, restored: Run, s3: S3) -> None:
    bucket = s3.bucket()
    shutil.rmtree(s3.folder / bucket)
    for run in (lambda: back_up("--s3", s3.url(bucket), env=s3.env),
                lambda: restored(s3.url(bucket), env=s3.env)):  # fmt: skip
        refused(run(), f"s3://{bucket}/database: there is no such bucket")


def test_wrong_credentials(earlier: Path, back_up: Run, restored: Run, s3: S3) -> None:
    url = s3.url(s3.bucket())
    for name, value in (("AWS_SECRET_ACCESS_KEY", "wrong"), ("AWS_ACCESS_KEY_ID", "nobody")):
        for done in (
            back_up("--s3", url, env=s3.env | {name: value}),
            restored(url, env=s3.env | {name: value}),
        ):
            refused(done, "credentials")
            assert s3.secret not in done.stderr + done.stdout
    refused(back_up("--s3", url.replace("//", "//key:secret@", 1)), "credentials belong into")


def test_bit_flipped_in_the_dump(
    source: psycopg.Connection, server: Address, earlier: Path, restored: Run, tmp_path: Path
) -> None:
    copy = tmp_path / "copy" / earlier.name
    shutil.copytree(earlier, copy)
    flip(copy / f"{earlier.name}.dump")
    refused(restored(copy.parent), f"{earlier.name}.dump is damaged")
    status = tmp_path / "status.json"
    done = backing.run(
        "restore_drill", copy.parent, "--status", status, database=source.info.dbname, server=server
    )
    refused(done, f"{earlier.name}.dump is damaged")
    assert not json.loads(status.read_text())["succeeded"]


def test_dump_that_differs_from_its_manifest(earlier: Path, restored: Run, tmp_path: Path) -> None:
    """Restored whole, and yet not what was there: only the comparison of tables sees it."""
    copy = tmp_path / "copy" / earlier.name
    shutil.copytree(earlier, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["tables"]["public.users"] = {"rows": 2, "checksum": "0"}
    manifest["chunks"]["public.market_data"] = 4
    (copy / "manifest.json").write_text(json.dumps(manifest))
    refused(
        restored(copy), "not equal to the manifest", "table public.users has 1 rows instead of 2",
        "hypertable public.market_data has 1 chunks instead of 4",
    )  # fmt: skip


def test_manifest_missing(earlier: Path, restored: Run, tmp_path: Path, s3: S3) -> None:
    copy = tmp_path / "copy" / earlier.name
    shutil.copytree(earlier, copy)
    (copy / "manifest.json").unlink()
    refused(restored(copy), "no manifest.json, so this is no complete backup")
    refused(restored(copy.parent), "no complete backup, 1 without a manifest")
    bucket = s3.bucket()
    shutil.copytree(copy.parent, s3.folder / bucket / "database")
    refused(restored(s3.url(bucket), env=s3.env), "no complete backup, 1 without a manifest")
    (copy / "manifest.json").write_text("{")
    refused(restored(copy), "manifest.json is damaged")
    for text in ("[]", '{"format": 1, "files": {"../x.dump": {}, "x.roles.sql": {}}}'):
        (copy / "manifest.json").write_text(text)
        refused(restored(copy), "manifest.json is not of this version's format")


@pytest.mark.parametrize("kind", ["timescaledb", "postgresql"])
def test_versions_differing(earlier: Path, restored: Run, tmp_path: Path, kind: str) -> None:
    copy = tmp_path / "copy" / earlier.name
    shutil.copytree(earlier, copy)
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest[kind] = {"timescaledb": "1.7.5", "postgresql": "99.1"}[kind]
    (copy / "manifest.json").write_text(json.dumps(manifest))
    said = {"timescaledb": "needs TimescaleDB 1.7.5, this server has 2.",
            "postgresql": "the dump is of PostgreSQL 99, this server is"}[kind]  # fmt: skip
    refused(restored(copy), said)


def test_two_backups_at_once(
    source: psycopg.Connection, server: Address, earlier: Path, back_up: Run, tmp_path: Path
) -> None:
    """The first waits for a lock on a table, and so is at work for sure."""
    with psycopg.connect(server.dsn(source.info.dbname)) as blocker:
        blocker.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
        first = backing.start(
            "backup", "--dir", earlier.parent, database=source.info.dbname, server=server
        )
        with first:
            until("the backup waits", lambda: waits_for_users(source, first))
            refused(back_up(), "another backup is at work in")
            # from another machine, as it were
            refused(
                back_up(folder=tmp_path / "other"), "another backup of this database is at work"
            )
            blocker.rollback()
            out, err = first.communicate(timeout=60)
    assert (first.returncode, err) == (0, ""), out
    assert len(places.Place(earlier.parent).names()) == 2


def test_clock_set_back(earlier: Path, back_up: Run, s3: S3) -> None:
    """The newest backup can't be known then, so none is taken and none removed."""
    bucket = s3.bucket()
    later = shutil.copytree(earlier, s3.folder / bucket / "database" / earlier.name)
    backing.rename(later, 10 * 86400)
    refused(back_up("--s3", s3.url(bucket), "--keep-local-days", 0, env=s3.env),
            "the server's clock says", "set the clock, or move that backup away")  # fmt: skip
    assert places.Place(earlier.parent).names() == [earlier.name]
    assert len(places.Place(s3.folder / bucket / "database").names()) == 1


def test_stopped_by_a_signal(
    source: psycopg.Connection, server: Address, earlier: Path, back_up: Run
) -> None:
    """SIGTERM cleans up; what SIGKILL left is cleaned up by the next run."""
    folder = earlier.parent
    for number, left in ((signal.SIGTERM, 0), (signal.SIGKILL, 1)):
        with psycopg.connect(server.dsn(source.info.dbname)) as blocker:
            blocker.execute("LOCK TABLE users IN ACCESS EXCLUSIVE MODE")
            with backing.start(
                "backup", "--dir", folder, database=source.info.dbname, server=server
            ) as process:
                until("the backup waits", lambda: waits_for_users(source, process))
                process.send_signal(number)
                blocker.rollback()
                _, err = process.communicate(timeout=60)
        assert process.returncode == (143 if left == 0 else -number)
        assert left or err == "stopped by a signal\n"
        assert len(list(folder.glob(".*partial"))) == left
        assert places.Place(folder).names() == [earlier.name]
    sessions = "SELECT FROM pg_stat_activity WHERE application_name = 'rubi backup'"
    until("the killed backup's session ends", lambda: not source.execute(sessions).rowcount)
    assert back_up().returncode == 0
    assert not list(folder.glob(".*partial"))


def test_run_that_can_not_be_recorded(
    source: psycopg.Connection, earlier: Path, back_up: Run
) -> None:
    """Monitoring would not know of an unrecorded run; the backup itself stays."""
    source.execute("REVOKE INSERT ON monitoring.backup_runs FROM rubi_backup")
    try:
        refused(back_up(), "the run could not be recorded: permission denied")
    finally:
        source.execute("GRANT INSERT ON monitoring.backup_runs TO rubi_backup")
    assert len(places.Place(earlier.parent).names()) == 2


def test_page_has_a_row_for_each_fault() -> None:
    page = (ROOT / "docs/reference/backup-faults.md").read_text()
    listed = re.findall(r"^\| .* \| `(test_\w+)` \|$", page, flags=re.MULTILINE)
    here = [name for name in globals() if name.startswith("test_") and "page_has" not in name]
    assert listed == here
    assert Path(__file__).name in page
