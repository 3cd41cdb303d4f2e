"""What market_schedules() lists runs under a real pg_cron."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import clusters
import conftest
import embedded

DATABASE = "rubi_trading"
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
        conftest.deploy_all(cluster.dsn(DATABASE, "rubi_admin"))
        with cluster.connect(DATABASE) as connection:
            connection.execute("CREATE EXTENSION pg_cron")
            connection.execute("GRANT USAGE ON SCHEMA cron TO rubi_admin")
            connection.execute(
                "GRANT EXECUTE ON FUNCTION cron.schedule_in_database, cron.alter_job TO rubi_admin"
            )
        yield cluster
    finally:
        cluster.remove()


def test_every_market_schedule_runs_under_pg_cron(scheduled: clusters.Cluster) -> None:
    with psycopg.connect(scheduled.dsn(DATABASE, "rubi_admin"), autocommit=True) as admin:
        admin.execute(f"{MANUAL} FROM market_schedules()")
        listed = admin.execute("SELECT name, schedule, command FROM market_schedules()").fetchall()
        found = admin.execute("SELECT jobname, schedule, command FROM cron.job").fetchall()
        assert sorted(found) == sorted(listed)
        admin.execute(
            "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
            " VALUES ('EURUSD', 'M1', '2024-01-09 10:00+00', 1, 1, 1, 1)"
        )
        # the schedules as they are would be a minute to a week away
        admin.execute("SELECT cron.alter_job(jobid, schedule := '1 seconds') FROM cron.job")
        end = time.monotonic() + 30
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
        assert admin.execute("SELECT symbol, bars FROM market_series").fetchall() == [("EURUSD", 1)]
