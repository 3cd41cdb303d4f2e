"""postgresql.conf on a real server, and what the demo says when something is wrong."""

from __future__ import annotations

import os
import re
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

import embedded
from conftest import ROOT, Address

CONF = (ROOT / "postgresql.conf").read_text()
SETTINGS = dict(re.findall(r"^(\w[\w.]*) = (.*)$", CONF, flags=re.MULTILINE))


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder that the server's user reaches, wherever pytest keeps its own."""
    path = Path("/var/tmp") / f"rubi-test-{os.getpid()}"
    path.mkdir()
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


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


Script = Callable[..., subprocess.CompletedProcess[str]]


def refused(done: subprocess.CompletedProcess[str], said: str, code: int = 1) -> None:
    """One clear line on standard error, the exit code, no traceback."""
    assert done.returncode == code, done.stdout
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.fixture
def demo(server: Address, folder: Path, run_script: Script) -> Iterator[Script]:
    """The demo with a folder of its own; stopped and removed afterwards."""
    environment = {"RUBI_HOME": str(folder / "home"), "RUBI_PG_BIN": str(server.binaries)}
    (folder / "home").mkdir(exist_ok=True)

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return run_script("demo.py", *arguments, env=environment | more)

    yield run
    assert run("clean").returncode == 0


def test_demo_from_nothing_to_url_and_again(demo: Script, folder: Path) -> None:
    port = str(embedded.free_port())
    done = demo(RUBI_DEMO_PORT=port)
    assert done.returncode == 0, done.stderr
    for said in ("EURUSD 5000 (5000 new)", "user_trading_stats", "Open positions", "chunks"):
        assert said in done.stdout
    page = re.search(r"^  (/\S+/report\.html)  the report", done.stdout, re.MULTILINE)
    text = Path(page[1]).read_text()
    assert "<h1>demo</h1>" in text
    assert "No gap from" in text and "missing bars" not in text
    url = demo("url").stdout
    assert re.fullmatch(rf"postgresql://postgres:\S+@127\.0\.0\.1:{port}/rubi_trading\n", url)
    with psycopg.connect(url.strip()) as connection:
        counted = "SELECT (SELECT count(*) FROM market_data), (SELECT count(*) FROM trading_orders)"
        first = connection.execute(counted).fetchone()
        assert first[0] == 7304
        assert first[1] > 100
        proofs = connection.execute("SELECT sum(violations) FROM monitoring.proofs").fetchone()
        assert proofs == (0,)
        # the account's last snapshot is what its closed orders and open positions add up to
        balance = connection.execute(
            "SELECT s.balance = 10000 + sum(o.profit + o.commission + o.swap) FROM trading_orders"
            " AS o, mt5_sessions AS s WHERE o.closed_at IS NOT NULL GROUP BY s.balance"
        ).fetchone()
        assert balance == (True,)
        writers = connection.execute(
            "SELECT DISTINCT owner FROM (SELECT tableowner AS owner FROM pg_tables"
            " WHERE schemaname = 'public') AS t"
        ).fetchall()
        assert writers == [("rubi_owner",)]
        available = connection.execute(
            "SELECT current_setting('max_connections')::int"
            " - current_setting('superuser_reserved_connections')::int"
        ).fetchone()[0]
        assert available >= 200
        again = demo(RUBI_DEMO_PORT=port)
        assert again.returncode == 0, again.stderr
        assert "EURUSD 5000 (0 new)" in again.stdout
        connection.rollback()
        assert connection.execute(counted).fetchone() == first
    assert "stopped" in demo("stop").stdout
    refused(demo("url"), "start it with scripts/demo.sh")


def test_demo_says_that_a_port_is_in_use(demo: Script) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        done = demo(RUBI_DEMO_PORT=str(taken.getsockname()[1]))
    refused(done, "is in use: choose another, RUBI_DEMO_PORT=")
    assert demo("stop").stdout == "not running\n"


def test_demo_refuses_a_port_that_is_none(demo: Script) -> None:
    refused(demo(RUBI_DEMO_PORT="http"), "is no port")


def test_demo_stops_the_server_when_a_later_step_fails(demo: Script, folder: Path) -> None:
    """A package without its bars: the server started for it goes down again."""
    hidden = folder / "empty" / "backtesting" / "test"
    hidden.mkdir(parents=True, exist_ok=True)
    (hidden.parent / "__init__.py").touch()
    done = demo(RUBI_DEMO_PORT=str(embedded.free_port()), PYTHONPATH=str(folder / "empty"))
    refused(done, "EURUSD.csv of the package backtesting is unreadable")
    assert demo("stop").stdout == "not running\n"


def test_wrong_url_is_said_in_one_line(demo: Script) -> None:
    url = f"postgresql://nobody@127.0.0.1:{embedded.free_port()}/x"
    refused(demo(RUBI_SERVER_URL=url), "Connection refused")
    refused(demo(RUBI_SERVER_URL="no url at all"), 'missing "="')


def test_usage_errors_exit_with_2(run_script: Script) -> None:
    assert run_script("demo.py", "dance").returncode == 2
    assert run_script("deploy.py", "apply", "--nonsense").returncode == 2
    assert run_script("deploy.py", "--help").returncode == 0


def fake_bin(folder: Path, name: str, programs: dict[str, str]) -> str:
    """A folder of shell scripts that stand in for programs."""
    path = folder / name
    path.mkdir(exist_ok=True)
    for program, text in programs.items():
        (path / program).write_text(f"#!/bin/sh\n{text}\n")
        (path / program).chmod(0o755)
    return str(path)


def test_old_or_bare_server_is_refused(folder: Path, run_script: Script) -> None:
    share = folder / "share/extension"
    share.mkdir(parents=True, exist_ok=True)
    programs = {"postgres": "echo postgres 14.9", "pg_config": f"echo {share.parent}"}
    old = fake_bin(folder, "old", programs)
    refused(run_script("embedded.py", env={"RUBI_PG_BIN": old}), "no PostgreSQL with TimescaleDB")
    (share / "timescaledb.control").touch()
    refused(run_script("embedded.py", env={"RUBI_PG_BIN": old}), "15 or newer needed")


def without_timescaledb(server: Address, target: Path) -> Path:
    """The server's programs beside a copy of its shared files that lacks TimescaleDB."""

    def where(what: str) -> Path:
        text = subprocess.check_output([server.binaries / "pg_config", what], text=True)
        return Path(text.strip())

    top = Path(os.path.commonpath([where("--bindir"), where("--sharedir"), where("--pkglibdir")]))
    programs = target / where("--bindir").relative_to(top)
    programs.mkdir(parents=True)
    for name in ("postgres", "initdb", "pg_ctl"):
        shutil.copy2(server.binaries / name, programs)
    library = target / where("--pkglibdir").relative_to(top)
    library.parent.mkdir(parents=True, exist_ok=True)
    library.symlink_to(where("--pkglibdir"))
    shutil.copytree(
        where("--sharedir"),
        target / where("--sharedir").relative_to(top),
        ignore=shutil.ignore_patterns("timescaledb*"),
    )
    return programs


def test_server_without_timescaledb_is_refused(server: Address, demo: Script, folder: Path) -> None:
    plain = without_timescaledb(server, folder / "plain")
    data = embedded.owned_folder(folder / "plain-data")
    port = embedded.free_port()
    user = embedded.as_server_user()
    initdb = [plain / "initdb", "-D", data, "-U", "postgres", "-A", "trust", "--no-sync"]
    subprocess.run(initdb, check=True, capture_output=True, **user)
    control = [plain / "pg_ctl", "-w", "-D", data, "-l", data / "log"]
    options = f"-p {port} -k {data} -h 127.0.0.1"
    try:
        subprocess.run([*control, "-o", options, "start"], check=True, capture_output=True, **user)
        done = demo(RUBI_SERVER_URL=f"postgresql://postgres@127.0.0.1:{port}/postgres")
        refused(done, "no TimescaleDB")
    finally:
        subprocess.run([*control, "-m", "immediate", "stop"], capture_output=True, **user)


SITE = "http://127.0.0.1:9/debian"
PRINT_URIS = f"""case "$*" in *print-uris*) echo "'{SITE}/dists/x/InRelease' x 0"; exit 0 ;; esac"""


def get_server(run_script: Script, folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Ask for the embedded server where none was unpacked yet."""
    return run_script("embedded.py", env={"RUBI_HOME": str(folder / "cold"), "PATH": path})


@pytest.mark.parametrize(
    ("apt", "said"),
    [
        ("exit 100", "names no Debian mirror"),
        (f"{PRINT_URIS}\necho 'E: Could not connect' >&2; exit 100", "Could not connect"),
    ],
)
def test_no_network_is_said_in_one_line(
    folder: Path, run_script: Script, apt: str, said: str
) -> None:
    path = fake_bin(folder, "apt", {"apt-get": apt, "dpkg-deb": "exit 0", "dpkg": "exit 0"})
    refused(get_server(run_script, folder, f"{path}:{os.environ['PATH']}"), said)
    assert not list((folder / "cold").glob("postgresql-*"))


def test_no_apt_is_said_in_one_line(folder: Path, run_script: Script) -> None:
    refused(get_server(run_script, folder, str(folder / "nothing")), "no apt-get here")


def test_unreadable_package_is_named(folder: Path, run_script: Script) -> None:
    """The real dpkg-deb on a file that is no package."""
    apt = f"""{PRINT_URIS}
case "$*" in *download-only*)
    cache=$(sed -n 's/^Dir::Cache "\\(.*\\)";/\\1/p' "$APT_CONFIG")
    echo no package > "$cache/archives/broken_1_all.deb" ;;
esac"""
    path = fake_bin(folder, "broken", {"apt-get": apt})
    done = get_server(run_script, folder, f"{path}:{os.environ['PATH']}")
    refused(done, "package broken_1_all.deb can't be unpacked")
