"""Jobs that run regularly: under a real pg_cron, by systemd's timers, by cron."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import bars
import conftest
import ephemeral
import servers
import tools
from rubi.deploying import open_rights
from rubi.servers import clusters, embedded
from rubi.waiting import until

DATABASE = "rubi_trading"
SCHEDULES = conftest.ROOT / "operations/schedules"
UNITS = sorted(path.name for path in SCHEDULES.glob("*.service"))
WEEKDAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
SAMPLES = re.search(
    r"^SELECT cron\.schedule_in_database\('(rubi-samples)', '([^']+)', '([^']+)', 'rubi_trading'\)",
    (conftest.ROOT / "docs/guides/operations.md").read_text(),
    re.MULTILINE,
).groups()
POLICIES = re.findall(
    r"^(?:GRANT|CREATE POLICY) .* cron.*;$",
    (conftest.ROOT / "docs/guides/monitoring.md").read_text(),
    re.MULTILINE,
)
MANUAL = "SELECT cron.schedule_in_database(name, schedule, command, 'rubi_trading')"


@pytest.fixture
def scheduled(request: pytest.FixtureRequest) -> Iterator[clusters.Cluster]:
    """A server with pg_cron in the trading database, its schedules those of the manual."""
    binaries = embedded.binaries(request.config.getoption("--pg"))
    folder = clusters.new_folder("cron")
    cluster = clusters.Cluster(
        folder, binaries,
        {
            "shared_preload_libraries": "timescaledb,pg_stat_statements,pg_cron",
            "cron.database_name": DATABASE,
            "cron.host": str(folder),
        },
    )  # fmt: skip
    try:
        cluster.create()
        cluster.start()
        parts = conninfo_to_dict(cluster.dsn())
        conftest.make_administrator(
            conftest.Address(parts["host"], int(parts["port"]), "postgres", None, binaries)
        )
        with cluster.connect() as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        conftest.prepare_database(cluster.dsn(DATABASE))
        ephemeral.deploy_all(cluster.dsn(DATABASE, "rubi_admin"))
        with cluster.connect(DATABASE) as connection:
            open_rights.close(connection)
            connection.execute("CREATE EXTENSION pg_cron")
            connection.execute("GRANT USAGE ON SCHEMA cron TO rubi_admin")
            connection.execute(
                "GRANT EXECUTE ON FUNCTION cron.schedule_in_database, cron.alter_job TO rubi_admin"
            )
        yield cluster
    finally:
        cluster.remove()


def run_all(admin: psycopg.Connection) -> None:
    """Schedule what market_schedules() lists, sooner than listed, until each has succeeded."""
    admin.execute(f"{MANUAL} FROM market_schedules()")
    listed = admin.execute("SELECT name, schedule, command FROM market_schedules()").fetchall()
    found = admin.execute("SELECT jobname, schedule, command FROM cron.job").fetchall()
    assert sorted(found) == sorted(listed)
    admin.execute(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
        " VALUES ('EURUSD', 'M1', '2024-01-09 10:00+00', 1, 1, 1, 1)"
    )
    # the schedules as they are would be a minute to a week away; pg_cron knows seconds from 1.5
    (version,) = admin.execute(
        "SELECT extversion FROM pg_extension WHERE extname = 'pg_cron'"
    ).fetchone()
    seconds = servers.numbers(version) >= (1, 5)
    soon = "1 seconds" if seconds else "* * * * *"
    admin.execute("SELECT cron.alter_job(jobid, schedule := %s) FROM cron.job", [soon])
    end = time.monotonic() + 150
    while True:
        runs = admin.execute(
            "SELECT j.jobname, d.status, d.return_message FROM cron.job_run_details AS d"
            " JOIN cron.job AS j USING (jobid) WHERE d.status IN ('succeeded', 'failed')"
        ).fetchall()
        assert not [run for run in runs if run[1] == "failed"], runs
        if {run[0] for run in runs} == {row[0] for row in listed}:
            break
        assert time.monotonic() < end, runs
        time.sleep(0.1)


def test_every_market_schedule_runs_under_pg_cron(scheduled: clusters.Cluster) -> None:
    with psycopg.connect(scheduled.dsn(DATABASE, "rubi_admin"), autocommit=True) as admin:
        run_all(admin)
        assert admin.execute("SELECT symbol, bars FROM market_series").fetchall() == [("EURUSD", 1)]


@servers.LICENSED
def test_policies_run_under_pg_cron(scheduled: clusters.Cluster) -> None:
    """TimescaleDB's own scheduler, which some minor versions of PostgreSQL defeat, is off here."""
    with psycopg.connect(scheduled.dsn(DATABASE, "rubi_admin"), autocommit=True) as admin:
        with scheduled.connect(DATABASE) as connection:
            connection.execute("ALTER ROLE rubi_owner LOGIN")
        admin.execute("SELECT FROM enable_timescale_policies()")
        run_all(admin)
        end = time.monotonic() + 150
        compressed = (
            "SELECT bool_and(is_compressed) FROM timescaledb_information.chunks"
            " WHERE hypertable_name = 'market_data' AND range_end < '2025-01-01'"
        )
        while not admin.execute(compressed).fetchone()[0]:
            # the bar may have come after the first run: the next is half a day away
            admin.execute("UPDATE monitoring.policy_runs SET succeeded_at = NULL")
            assert time.monotonic() < end, admin.execute("TABLE monitoring.policies").fetchall()
            time.sleep(0.1)
        assert not admin.execute(
            "SELECT FROM monitoring.policies WHERE last_success IS NULL"
        ).rowcount


def calendar(cron: str) -> str:
    """A line's five fields as systemd spells them."""
    minute, hour, _, _, day = cron.split()
    parts = [
        "00/" + part[2:] if part.startswith("*/") else part if part == "*" else f"{part:0>2}"
        for part in (hour, minute)
    ]
    days = "" if day == "*" else f"{WEEKDAYS[int(day)]} "
    return f"{days}*-*-* {':'.join(parts)}:00"


def timers() -> dict[str, str]:
    """Unit to the calendar of its timer."""
    found = {}
    for path in SCHEDULES.glob("*.timer"):
        text = path.read_text()
        unit = re.search(r"^Unit=(.*)$", text, re.MULTILINE)
        name = unit[1] if unit else f"{path.stem}.service"
        found[name] = re.search(r"^OnCalendar=(.*)$", text, re.MULTILINE)[1]
    return found


@pytest.mark.needs(timescaledb="2.19", before="2.20.1", why="TimescaleDB restores such dumps")
def test_columnstore_of_which_no_dump_is_restored_is_not_enabled(db: psycopg.Connection) -> None:
    """Tried with a licensed 2.19.3; its edition and its aggregate are stand-ins here."""
    with db.transaction(force_rollback=True):
        db.execute("ALTER ROLE rubi_owner LOGIN")
        for name, said in (
            ("monitoring.timescaledb_edition", "timescale"),
            ("internal.make_market_data_h1", "new"),
        ):
            db.execute(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS text LANGUAGE sql"
                f" SET search_path = pg_catalog, pg_temp RETURN '{said}'"
            )
        found = dict(db.execute("SELECT feature, note FROM enable_timescale_policies()").fetchall())
        assert "UPDATE to 2.20.1" in found["columnstore"]
        assert set(found) == {"columnstore", "retention", "aggregates"}
        assert db.execute("SELECT monitoring.has_columnstore('market_data')").fetchone() == (False,)


def test_jobs_of_the_database_are_in_the_timers_and_in_the_crontab(
    catalog: psycopg.Connection,
) -> None:
    jobs = catalog.execute("SELECT name, schedule, command FROM market_schedules()").fetchall()
    lines = (SCHEDULES / "crontab").read_text().splitlines()
    found = timers()
    for name, schedule, command in jobs:
        assert any(
            line.startswith(f"{schedule} rubi-jobs ") and f"psql -X -q -c '{command}'" in line
            for line in lines
        ), name
        assert found[f"rubi-job@{name.removeprefix('rubi-')}.service"] == calendar(schedule)
    kept = {f"rubi-job@{name.removeprefix('rubi-')}.service" for name, _, _ in jobs}
    assert {name for name in found if name.startswith("rubi-job@")} == kept
    assert "rubi-make-chunks-ahead" in [name for name, _, _ in jobs]


def test_readings_are_taken_by_timer_and_by_cron() -> None:
    command = "/opt/rubi/.venv/bin/python /opt/rubi/scripts/health.py record"
    assert f"ExecStart={command}\n" in (SCHEDULES / "rubi-readings.service").read_text()
    (line,) = [x for x in (SCHEDULES / "crontab").read_text().splitlines() if command in x]
    assert timers()["rubi-readings.service"] == calendar(line[: line.index(" rubi-monitor")])


def test_archive_is_written_then_dropped_by_timer_and_by_cron() -> None:
    script = "/opt/rubi/.venv/bin/python /opt/rubi/scripts/archive.py"
    unit = (SCHEDULES / "rubi-archive.service").read_text()
    assert re.findall(rf"^ExecStart={script} (\w+) \$\{{RUBI_ARCHIVE\}}$", unit, re.MULTILINE) == [
        "write", "drop",
    ]  # fmt: skip
    (line,) = [x for x in (SCHEDULES / "crontab").read_text().splitlines() if script in x]
    assert re.search(
        rf'{script} write "\$RUBI_ARCHIVE" \S+ && {script} drop "\$RUBI_ARCHIVE"', line
    )
    assert timers()["rubi-archive.service"] == calendar(line[: line.index(" rubi-jobs")])


def test_every_timer_is_enabled_by_the_manual() -> None:
    guides = "".join(
        (conftest.ROOT / f"docs/guides/{name}.md").read_text()
        for name in ("operations", "backups", "self-hosted-backups", "scaleway")
    )
    for path in SCHEDULES.glob("*.timer"):
        assert path.name in guides, path.name


def test_samples_are_taken_by_service_by_cron_and_by_pg_cron_alike() -> None:
    command = "/opt/rubi/.venv/bin/python /opt/rubi/scripts/health.py sample --every "
    unit = (SCHEDULES / "rubi-samples.service").read_text()
    (line,) = [x for x in (SCHEDULES / "crontab").read_text().splitlines() if command in x]
    every = {
        re.search(rf"^ExecStart={command}(\d+)$", unit, re.MULTILINE)[1],
        re.search(rf"^\* \* \* \* \* rubi-monitor .*{command}(\d+) --for 55 ", line)[1],
        SAMPLES[1].removesuffix(" seconds"),
    }
    assert len(every) == 1


def test_samples_are_taken_under_pg_cron(scheduled: clusters.Cluster) -> None:
    with psycopg.connect(scheduled.dsn(DATABASE, "rubi_admin"), autocommit=True) as admin:
        (version,) = admin.execute(
            "SELECT extversion FROM pg_extension WHERE extname = 'pg_cron'"
        ).fetchone()
        seconds = servers.numbers(version) >= (1, 5)
        soon = "1 seconds" if seconds else "* * * * *"
        name, schedule, command = SAMPLES
        admin.execute(
            "SELECT cron.schedule_in_database(%s, %s, %s, %s)",
            [name, schedule if seconds else soon, command, DATABASE],
        )
        admin.execute("SELECT cron.alter_job(jobid, schedule := %s) FROM cron.job", [soon])
        until(
            "pg_cron takes samples",
            lambda: admin.execute("SELECT FROM monitoring.samples").rowcount >= 2,
            150,
        )
        states = admin.execute("SELECT job, succeeded FROM monitoring.schedules").fetchall()
        assert states == [("rubi-samples", True)]
        admin.execute(
            "SELECT cron.schedule_in_database('bad', %s, 'SELECT 1 / 0', %s)", [soon, DATABASE]
        )
        check = "SELECT status, value FROM monitoring.health WHERE name = 'failed_schedules'"
        dsn = scheduled.dsn(DATABASE, "rubi_monitor")
        with psycopg.connect(dsn, autocommit=True) as monitor:
            # pg_cron shows rubi_monitor no job of others
            assert monitor.execute(check).fetchone() == ("unknown", None)
            with scheduled.connect(DATABASE) as connection:
                for policy in POLICIES:
                    connection.execute(policy)
            until(
                "the failing job is seen",
                lambda: monitor.execute(check).fetchone() == ("warning", 1),
                150,
            )


def test_job_runs_what_the_database_lists_under_its_name(
    psql: Callable[..., subprocess.CompletedProcess[str]], db: psycopg.Connection, tmp_path: Path
) -> None:
    """systemd hands the unit's text to psql, the name after the @ put in."""
    unit = (SCHEDULES / "rubi-job@.service").read_text()
    asked = re.search(r"^StandardInputText=(.*)$", unit, re.MULTILINE)[1]
    text = asked.replace("%i", "fold-bar-changes").replace("\\\\", "\\")
    bars.make(db, "2024-01-01", "2024-01-02", "1 hour")
    (tmp_path / "job.sql").write_text(text + "\n")
    done = psql(db.info.dbname, "-f", str(tmp_path / "job.sql"))
    assert (done.returncode, done.stderr) == (0, "")
    assert db.execute("SELECT bars FROM market_series").fetchall() == [(24,)]


@pytest.mark.parametrize("unit", UNITS)
def test_unit_is_sandboxed_and_has_its_own_user(unit: str, tmp_path: Path) -> None:
    """systemd's own measure of what a unit could reach: 10 is everything, below 4 is wanted."""
    text = (SCHEDULES / unit).read_text()
    users = {"rubi-backup", "rubi-gateway", "rubi-monitor", "rubi-jobs", "postgres"}
    assert re.search(r"^User=(.*)$", text, re.MULTILINE)[1] in users
    assert re.search(r"^EnvironmentFile=/etc/rubi/\w+\.env$", text, re.MULTILINE)
    # with --user, as the manager of the system wants to make folders in /run: not everybody may
    folder = tmp_path / "units"
    shutil.copytree(SCHEDULES, folder)
    done = subprocess.run(
        [*tools.command("systemd_analyze"), "security", "--user", "--offline=true",
         "--threshold=39", "--no-pager", folder / unit],
        env=os.environ | {"XDG_RUNTIME_DIR": str(tmp_path)}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exposure level" in done.stdout


def test_gateways_unit_runs_the_command_with_options_that_it_has() -> None:
    text = (SCHEDULES / "rubi-gateway.service").read_text()
    (called,) = re.findall(
        r"^ExecStart=/opt/rubi/\.venv/bin/python (\S+) \$RUBI_GATEWAY$", text, re.M
    )
    script = conftest.ROOT / Path(called).relative_to("/opt/rubi")
    said = script.read_text() + (conftest.ROOT / "docs/guides/gateway.md").read_text()
    for option in re.findall(r"--[\w-]+", text):
        assert option in said
    assert "StateDirectory=rubi-gateway" in text and "SuccessExitStatus=143" in text


def test_everything_of_the_schedules_lies_below_one_prefix() -> None:
    text = "".join(path.read_text() for path in SCHEDULES.rglob("*") if path.is_file())
    assert {found.split("/")[2] for found in re.findall(r"/opt/[\w/.-]+", text)} == {"rubi"}
    assert set(re.findall(r"/etc/[\w-]+(?=/\w+\.env)", text)) == {"/etc/rubi"}
