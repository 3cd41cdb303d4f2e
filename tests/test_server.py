"""postgresql.conf on a real server."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import machine
from conftest import ROOT, Address
from rubi.servers import embedded

CONF = (ROOT / "postgresql.conf").read_text()
SETTINGS = dict(re.findall(r"^(\w[\w.]*) = (.*)$", CONF, flags=re.MULTILINE))


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    with machine.folder() as path:
        yield path


@pytest.fixture(scope="session")
def configured(server: Address, folder: Path) -> Path:
    """A data folder with our postgresql.conf."""
    data = folder / "data"
    embedded.owned_folder(data)
    subprocess.run(
        [server.binaries / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"],
        check=True, capture_output=True, **embedded.as_server_user(),
    )  # fmt: skip
    (data / "postgresql.conf").write_text(CONF)
    return data


@pytest.mark.parametrize("name", SETTINGS)
def test_setting_is_read_by_a_real_server(server: Address, configured: Path, name: str) -> None:
    done = subprocess.run(
        [server.binaries / "postgres", "-C", name, "-D", configured],
        capture_output=True, text=True, **embedded.as_server_user(),
    )  # fmt: skip
    if "." in name:  # an extension's setting is known once the library is loaded
        assert done.stdout.strip() in ("", SETTINGS[name].strip("'"))
    else:
        assert done.returncode == 0, done.stderr
        assert done.stdout.strip()


def test_server_starts_with_our_configuration(server: Address, configured: Path) -> None:
    port = embedded.free_port()
    options = f"-p {port} -k {configured} -h ''"

    def control(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [server.binaries / "pg_ctl", "-w", "-D", configured, *arguments],
            capture_output=True, text=True, **embedded.as_server_user(),
        )  # fmt: skip

    try:
        started = control("-o", options, "-l", str(configured / "start.log"), "start")
        assert started.returncode == 0, started.stdout
        with psycopg.connect(host=str(configured), port=port, user="postgres") as connection:
            shown = dict(connection.execute("SELECT name, setting FROM pg_settings").fetchall())
            units = connection.execute(
                "SELECT count(*) FROM pg_file_settings WHERE error IS NOT NULL"
            ).fetchone()
        assert units == (0,)
        assert shown["max_connections"] == "200"
        assert shown["shared_preload_libraries"] == "timescaledb,pg_stat_statements"
        assert shown["timescaledb.max_background_workers"] == "8"
        workers = int(shown["timescaledb.max_background_workers"]) + 1
        workers += int(shown["max_parallel_workers"]) + 1
        assert workers <= int(shown["max_worker_processes"])
        assert list(configured.glob("log/postgresql-*.log"))
    finally:
        control("-m", "immediate", "stop")


def test_settings_of_the_base_are_kept() -> None:
    expected = {
        "max_connections": "200", "superuser_reserved_connections": "3", "shared_buffers": "2GB",
        "effective_cache_size": "6GB", "work_mem": "16MB", "maintenance_work_mem": "512MB",
        "wal_buffers": "16MB", "checkpoint_completion_target": "0.9", "wal_level": "replica",
        "max_wal_size": "2GB", "min_wal_size": "1GB", "random_page_cost": "1.1",
        "effective_io_concurrency": "200", "logging_collector": "on", "log_directory": "'log'",
        "log_rotation_age": "1d", "log_rotation_size": "100MB",
        "log_min_duration_statement": "1000", "log_checkpoints": "on", "log_connections": "on",
        "log_disconnections": "on", "log_lock_waits": "on", "autovacuum": "on",
        "autovacuum_max_workers": "3", "autovacuum_naptime": "30s",
        "timescaledb.max_background_workers": "8",
    }  # fmt: skip
    assert {name: SETTINGS.get(name) for name in expected} == expected
    for escape in ("%t", "%p", "%l", "%u", "%d", "%a", "%h"):
        assert escape in SETTINGS["log_line_prefix"]
