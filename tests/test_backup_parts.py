"""Parts of backups: checksums, retention, programs, schedules."""

from __future__ import annotations

import importlib
import re
import subprocess
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import typer

import backing
import bars
from backing import refused
from conftest import Address
from rubi import ROOT, cli
from rubi.backups import measuring, places, restoring
from rubi.servers import pgtools

Connect = Callable[..., psycopg.Connection]


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE sample SET t = '' WHERE t IS NULL",
        "UPDATE sample SET n = 3 WHERE n = 1",
        "DELETE FROM sample WHERE n = 2",
        "INSERT INTO sample VALUES (1, 'a', NULL)",
    ],
)
def test_checksum_ignores_order_and_sees_each_change(db: psycopg.Connection, change: str) -> None:
    db.execute("CREATE TABLE public.sample (n int, t text, at timestamptz)")

    def checksum() -> dict[str, object]:
        with db.transaction():
            return measuring.measure(db)["tables"]["public.sample"]

    values = "(1, 'a', '2024-01-01'), (2, NULL, '2024-01-02'), (2, NULL, '2024-01-02')"
    db.execute(f"INSERT INTO sample VALUES {values}")
    first = checksum()
    db.execute("SET timezone = 'Asia/Tokyo'; SET datestyle = 'German'")
    assert checksum() == first
    db.execute("DELETE FROM sample")
    db.execute(f"INSERT INTO sample SELECT * FROM (VALUES {values}) AS v (n, t, at)"
               " ORDER BY n DESC".replace("v (n, t, at)", "v (n, t, at_text)")
               .replace("SELECT *", "SELECT n, t, at_text::timestamptz AT TIME ZONE 'Asia/Tokyo'"
                        " AT TIME ZONE 'UTC'"))  # fmt: skip
    assert checksum() == first
    with db.transaction(force_rollback=True):
        db.execute(change)
        assert measuring.measure(db)["tables"]["public.sample"] != first, change


def test_rows_that_only_a_superuser_reads_are_left_out_and_named(
    db: psycopg.Connection, server: Address, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    """The log of failed jobs of TimescaleDB 2.11; on newer versions a table made to be like it.
    pg_cron's jobs too, and pg_cron, which another database can't have."""
    name = "_timescaledb_internal.job_errors"
    left_out = [name]
    if db.info.server_version >= 170000:
        for statement in (
            "CREATE EXTENSION pg_buffercache",
            "UPDATE pg_extension SET extname = 'pg_cron' WHERE extname = 'pg_buffercache'",
            "CREATE SCHEMA cron",
            "CREATE TABLE cron.job ()",
            "ALTER EXTENSION pg_cron ADD TABLE cron.job",
            "UPDATE pg_extension SET extconfig = ARRAY['cron.job'::regclass::oid],"
            " extcondition = '{\"\"}' WHERE extname = 'pg_cron'",
        ):
            db.execute(statement)
        left_out.append("cron.job")
    if not db.execute("SELECT to_regclass(%s)", [name]).fetchone()[0]:
        db.execute(f"CREATE TABLE {name} (job_id integer)")
        db.execute(f"ALTER EXTENSION timescaledb ADD TABLE {name}")
        db.execute(
            "UPDATE pg_extension SET extconfig = extconfig || %s::regclass::oid,"
            " extcondition = extcondition || ''::text WHERE extname = 'timescaledb'",
            [name],
        )
    db.execute(f"REVOKE ALL ON {name} FROM public, rubi_backup")
    db.execute(f"INSERT INTO {name} (job_id) VALUES (1)")
    done = backing.run("backup", "--dir", tmp_path, database=db.info.dbname, server=server)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"without the rows of {name}" in done.stdout
    manifest = places.Place(tmp_path).manifest(backing.newest(tmp_path).name)
    assert sorted(manifest["left_out"]) == sorted(left_out)
    target = new_database()
    done = backing.run("restore", tmp_path, database=target, server=server, user="postgres")
    assert (done.returncode, done.stderr) == (0, "")


def test_another_role_is_sent_to_the_one_that_backs_up(
    shared_connection: psycopg.Connection,
) -> None:
    with pytest.raises(cli.Failure, match=r"rubi_app may not .*: connect as rubi_backup, or"):
        measuring.refuse_unreadable(shared_connection)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        # a dump with some users' orders only would otherwise look complete
        (
            "ALTER POLICY trading_orders_others ON trading_orders USING (user_id = 1)",
            "row security hides rows of public.trading_orders from rubi_backup",
        ),
        (
            "CREATE SCHEMA lab; CREATE TABLE lab.results (); CREATE SEQUENCE lab.numbers",
            "rubi_backup may not read lab.numbers of postgres (2 in all): as superuser GRANT "
            "pg_read_all_data TO rubi_backup, or",
        ),
    ],
)
def test_what_the_role_does_not_see_fails_the_backup(
    db: psycopg.Connection, server: Address, tmp_path: Path, change: str, said: str
) -> None:
    db.execute(change)
    done = backing.run("backup", "--dir", tmp_path, database=db.info.dbname, server=server)
    refused(done, said)
    assert places.Place(tmp_path).names() == []


def test_retention_keeps_days_weeks_and_months_and_never_loses_the_newest() -> None:
    start = places.time_of("x_20260101_030000")
    names = [places.name_of("x", start + timedelta(days=n)) for n in range(400)]
    gone = places.expired(names, days=7, weeks=5, months=12)
    kept = [name for name in names if name not in gone]
    assert kept[-7:] == names[-7:]
    # 7 days, of which the last ends a week and a month, 4 Sundays, 11 ends of months
    assert places.time_of(names[-1]).isoformat() == "2027-02-04T03:00:00+00:00"
    sundays = [name for name in kept if places.time_of(name).weekday() == 6]
    ends = [n for n in kept if (places.time_of(n) + timedelta(days=1)).day == 1]
    assert (len(sundays), len(ends)) == (4 + 1, 11)
    assert [name for name in kept if name.startswith("x_202604")] == ["x_20260430_030000"]
    assert places.expired(names, 0, 0, 0) == names[:-1]
    assert places.expired(names[:1], 0, 0, 0) == []
    now = start + timedelta(days=1000)
    assert places.older(names, now, 3) == names[:-1]  # a pause removes not the last good one
    assert places.older(names[:1], now, 0) == []


def test_programs_of_another_major_are_not_used(server: Address, tmp_path: Path) -> None:
    fake = tmp_path / "pg_dump"
    fake.write_text("#!/bin/sh\necho pg_dump 9.6\n")
    fake.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RUBI_PG_BIN", str(tmp_path))
        major = int(subprocess.check_output([server.binaries / "pg_dump", "-V"]).split()[2][:2])
        assert pgtools.programs_for(major) != tmp_path
        with pytest.raises(pgtools.Failure, match="no pg_dump of PostgreSQL 99"):
            pgtools.programs_for(99)


def test_schedules_call_what_is_there_with_options_that_exist() -> None:
    """Services and cron lines name the same commands; the backup runs daily at 03:00."""
    folder = ROOT / "operations/schedules"
    services = "".join(path.read_text() for path in sorted(folder.glob("*.service")))
    called = re.findall(r"^ExecStart=/opt/rubi/(\S+\.sh) ?(.*)$", services, flags=re.MULTILINE)
    crontab = (folder / "crontab").read_text()
    lines = re.findall(r"/opt/rubi/(\S+\.sh) (.*) >>", crontab)
    assert len(called) == 3 and len(lines) == 4
    assert {(script, text.replace("%i", kind)) for script, text in called
            for kind in ("full", "diff")} == set(lines)  # fmt: skip
    for script, arguments in called:
        shell = ROOT / script
        assert shell.stat().st_mode & 0o111
        program = shell.with_suffix(".py")
        assert f"scripts/{program.name}" in shell.read_text()
        command = typer.main.get_command(importlib.import_module(program.stem).app)
        known = {name for parameter in command.params for name in parameter.opts}
        assert set(re.findall(r"--[a-z0-9-]+", arguments)) <= known, script
    assert re.search(r"^0 3 \* \* \* .*backup\.sh", crontab, flags=re.MULTILINE)
    assert "OnCalendar=*-*-* 03:00:00" in (folder / "rubi-backup.timer").read_text()


def test_chunk_dropped_during_a_backup_fails_it(
    db: psycopg.Connection, connect_as: Connect
) -> None:
    """The snapshot still names it, but its rows are gone: the manifest would be wrong."""
    bars.make(db, "2024-01-01", "2024-02-01", "1 hour")
    reader = connect_as("rubi_backup", autocommit=False)
    reader.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
    reader.execute("SELECT FROM pg_database")
    db.execute("SELECT drop_chunks('market_data', '2025-01-01'::timestamptz)")
    with pytest.raises(cli.Failure, match="was dropped meanwhile: run this again"):
        measuring.measure(reader)


def test_large_object_of_another_role_stops_no_backup_and_is_in_none(
    db: psycopg.Connection, server: Address, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    """A large object from before PUBLIC lost the right; who dumps may not read it."""
    db.execute("GRANT EXECUTE ON FUNCTION lo_from_bytea(oid, bytea) TO public")
    with psycopg.connect(server.dsn(db.info.dbname, "rubi_readonly"), autocommit=True) as reader:
        reader.execute("SET default_transaction_read_only = off")
        reader.execute("SELECT lo_from_bytea(0, 'x')")
    done = backing.run("backup", "--dir", tmp_path, database=db.info.dbname, server=server)
    assert (done.returncode, done.stderr) == (0, "")
    target = new_database()
    done = backing.run("restore", tmp_path, database=target, server=server, user="postgres")
    assert (done.returncode, done.stderr) == (0, "")
    with psycopg.connect(server.dsn(target)) as restored:
        assert restored.execute("SELECT count(*) FROM pg_largeobject_metadata").fetchone() == (0,)


@pytest.mark.needs(timescaledb="2.12", why="the schema of TimescaleDB's functions had another name")
def test_restore_closes_what_the_dumped_database_had_open(
    db: psycopg.Connection, server: Address, tmp_path: Path, new_database: Callable[[], str]
) -> None:
    db.execute("GRANT EXECUTE ON FUNCTION _timescaledb_functions.drop_chunk TO public")
    done = backing.run("backup", "--dir", tmp_path, database=db.info.dbname, server=server)
    assert (done.returncode, done.stderr) == (0, "")
    target = new_database()
    done = backing.run("restore", tmp_path, database=target, server=server, user="postgres")
    assert (done.returncode, done.stderr) == (0, "")
    asked = "SELECT has_function_privilege('rubi_readonly', %s, 'EXECUTE')"
    with psycopg.connect(server.dsn(target)) as restored:
        found = restored.execute(asked, ["_timescaledb_functions.drop_chunk(regclass)"])
        assert found.fetchone() == (False,)


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service file of a caller whose usual server is another one."""
    file = tmp_path / "services"
    file.write_text("[usual]\nhost=/nowhere\nport=5999\ndbname=usual\nuser=ann\n")
    monkeypatch.setenv("PGSERVICEFILE", str(file))


@pytest.mark.parametrize("way", ["variable", "string"])
def test_what_a_service_says_does_not_win_over_the_string(
    service: None, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """libpq's programs ask a service before their variables."""
    dsn = "host=/tmp dbname=copy"
    if way == "variable":
        monkeypatch.setenv("PGSERVICE", "usual")
    else:
        dsn += " service=usual"
    found = pgtools.environment(dsn)
    meant = {name: found.get(f"PG{name}") for name in ("HOST", "DATABASE", "PORT", "USER")}
    assert meant == {"HOST": "/tmp", "DATABASE": "copy", "PORT": "5999", "USER": "ann"}
    assert "PGSERVICE" not in found


@pytest.mark.parametrize(
    ("dsn", "variables", "name"),
    [
        ("service=usual", {}, "usual"),
        ("service=usual", {"PGDATABASE": "other"}, "usual"),
        ("host=/tmp", {"PGSERVICE": "usual"}, "usual"),
        ("service=usual dbname=copy", {}, "copy"),
        ("host=/tmp user=ann", {"PGDATABASE": "ann"}, "ann"),
        ("dbname=ann user=ann", {}, "ann"),
        ("host=/tmp user=ann", {}, None),
    ],
)
def test_database_to_restore_into_is_the_one_that_libpq_means(
    service: None, monkeypatch: pytest.MonkeyPatch, dsn: str, variables: dict[str, str],
    name: str | None,
) -> None:  # fmt: skip
    monkeypatch.delenv("PGDATABASE", raising=False)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    if name:
        assert restoring.database_of(dsn) == name
    else:
        with pytest.raises(cli.Failure, match="name the database"):
            restoring.database_of(dsn)


def test_restore_goes_where_the_string_says(
    db: psycopg.Connection, server: Address, tmp_path: Path, new_database: Callable[[], str],
    service: None,
) -> None:  # fmt: skip
    backing.backup(server, db, tmp_path)
    target = new_database()
    done = backing.run(
        "restore", tmp_path, "--dsn", server.dsn(target), database=target, server=server,
        env={"PGSERVICE": "usual", "PGSERVICEFILE": str(tmp_path / "services")},
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")


def test_messages_of_programs_are_english_whatever_lc_all_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("LC_ALL", "fr_FR.UTF-8")
    found = pgtools.plain_words()
    assert "LC_ALL" not in found
    assert (found["LC_MESSAGES"], found["LC_CTYPE"]) == ("C", "fr_FR.UTF-8")


def test_server_s_word_is_told_of_a_dump_that_failed() -> None:
    """As PostgreSQL 17.12 wrote of a damaged page."""
    failed = 'Dumping the contents of table "trading_deals" failed: PQgetResult() failed.'
    said = (
        "pg_dump: warning: there are circular foreign-key constraints on this table:\n"
        f"pg_dump: detail: hypertable\npg_dump: error: {failed}\n"
        "pg_dump: detail: Error message from server: ERROR:  invalid page in block 1\n"
        "pg_dump: detail: Command was: COPY public.trading_deals TO stdout;\n"
    )
    word = "Error message from server: ERROR:  invalid page in block 1"
    assert str(pgtools.failure("pg_dump", said)) == f"pg_dump failed: {failed} ({word})"
    said = "pg_dump: error: query failed: ERROR:  no\npg_dump: detail: Query was: LOCK TABLE a, b\n"
    assert str(pgtools.failure("pg_dump", said)) == "pg_dump failed: query failed: ERROR:  no"
