"""scripts/demo.sh: what it shows, and that nothing on the way leaves it half made."""

from __future__ import annotations

import os
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

import machine
from conftest import ROOT, Address
from demos import PROGRAM, README, call, shown_lines, surroundings
from machine import Script, fake_server, refused
from rubi.servers import embedded
from rubi.waiting import until


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with machine.folder() as path:
        yield path


@pytest.fixture
def demo(server: Address, folder: Path) -> Iterator[Script]:
    """The demo in a new folder; stopped and removed afterwards."""
    home = folder / f"home-{random.randrange(1 << 32):x}"
    home.mkdir()

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*PROGRAM, *arguments], env=surroundings(server, home, **more),
            capture_output=True, text=True,
        )  # fmt: skip

    run.home = home
    yield run
    assert run("clean").returncode == 0
    assert not list(home.glob("demo-*/"))


@pytest.fixture(scope="module")
def starts(server: Address, folder: Path) -> Iterator[tuple[dict[str, str], list]]:
    """Two starts of one demo in parallel, with a strict umask and a relative folder with a blank in
    it: variables of the demo, then exit code and output of each."""
    environment = surroundings(server, Path("warm home"))
    started = [
        subprocess.Popen(
            PROGRAM, env=environment, cwd=folder, umask=0o077, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )
        for _ in range(2)
    ]  # fmt: skip
    said = [start.communicate(timeout=240) for start in started]
    environment["RUBI_HOME"] = str(folder / "warm home")
    codes = [start.returncode for start in started]
    yield environment, [(code, *of) for code, of in zip(codes, said, strict=True)]
    subprocess.run([*PROGRAM, "clean"], env=environment, check=True, capture_output=True)


@pytest.fixture(scope="module")
def warm(starts: tuple[dict[str, str], list]) -> dict[str, str]:
    """Variables of a demo that runs."""
    environment, done = starts
    assert [code for code, *_ in done] == [0, 0], done
    return environment


def test_demo_from_nothing_to_url_and_again(demo: Script) -> None:
    port = str(embedded.free_port())
    done = demo(RUBI_DEMO_PORT=port)
    assert done.returncode == 0, done.stderr
    for said in ("EURUSD 5000 (5000 new)", "user_trading_stats", "Open positions", "chunks"):
        assert said in done.stdout
    shown, said = shown_lines(README.read_text()), shown_lines(done.stdout)
    assert len(shown) == 30
    assert [line for line in shown if line not in "\n".join(said)] == []
    page = re.search(r"^The report, for a browser: (/\S+/report\.html)$", done.stdout, re.MULTILINE)
    text = Path(page[1]).read_text()
    assert "<h1>demo</h1>" in text
    assert "No gap from" in text and "missing bar" not in text
    assert "Four positions at most" in text and "market: turned soon after a turn" in text
    url = demo("url").stdout
    assert re.fullmatch(rf"postgresql://postgres:\S+@127\.0\.0\.1:{port}/rubi_trading\n", url)
    with psycopg.connect(url.strip()) as connection:
        counted = "SELECT (SELECT count(*) FROM market_data), (SELECT count(*) FROM trading_orders)"
        first = connection.execute(counted).fetchone()
        assert first[0] == 7304
        assert first[1] > 100
        proofs = connection.execute("SELECT sum(violations) FROM monitoring.proofs").fetchone()
        assert proofs == (0,)
        # each trade of a crossing has a stop, and no rule of the account was broken
        stops = connection.execute(
            "SELECT count(*) FROM mt5_trips AS t LEFT JOIN mt5_orders AS o ON t.account_id"
            " = o.account_id AND t.open_order = o.ticket WHERE o.sl IS NULL OR o.sl = 0"
        ).fetchone()
        assert stops == (0,)
        broken = "SELECT count(*) FROM risk_breaches WHERE event = 'breach'"
        assert connection.execute(broken).fetchone() == (0,)
        # what the terminal said last is what its deals add up to
        balance = connection.execute(
            "SELECT s.balance = sum(d.profit + d.commission + d.swap + d.fee) FROM trading_deals"
            " AS d INNER JOIN mt5_account_states AS s USING (account_id) GROUP BY s.balance"
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
        assert "read by the gateway · earlier" in again.stdout
        connection.rollback()
        assert connection.execute(counted).fetchone() == first
    assert "stopped" in demo("stop").stdout
    refused(demo("url"), "start it with scripts/demo.sh")


def test_demo_refuses_a_port_that_is_none(demo: Script) -> None:
    refused(demo(RUBI_DEMO_PORT="http"), "is no port")


def test_demo_stops_the_server_when_a_later_step_fails(demo: Script, folder: Path) -> None:
    """A package without its bars: the server started for it goes down again."""
    hidden = folder / "empty" / "backtesting" / "test"
    hidden.mkdir(parents=True, exist_ok=True)
    (hidden.parent / "__init__.py").touch()
    done = demo(PYTHONPATH=str(folder / "empty"))
    refused(done, "EURUSD.csv of the package backtesting is unreadable")
    assert demo("stop").stdout == "not running\n"


def test_usage_errors_exit_with_2(run_script: Script) -> None:
    assert run_script("demo.py", "dance").returncode == 2
    assert run_script("deploy.py", "apply", "--nonsense").returncode == 2
    assert run_script("deploy.py", "--help").returncode == 0


def test_demo_of_the_shell_has_what_load_mt5_needs() -> None:
    assert "rubi_setup embedded,demo,load,report\n" in (ROOT / "scripts/demo.sh").read_text()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("-Atc", "SELECT 1"), "1\n"),
        (("--", "-Atc", "SELECT current_user"), "postgres\n"),
        (("--role", "rubi_app", "-Atc", "SELECT current_user"), "rubi_app\n"),
        (("--role", "rubi_monitor", "-Atc", "SELECT current_user"), "rubi_monitor\n"),
    ],
)
def test_psql_needs_none_of_the_machine(
    warm: dict[str, str], arguments: tuple[str, ...], said: str
) -> None:
    done = call(warm, "psql", *arguments, PATH="/nowhere", PGHOST="nowhere", PSQLRC="/nowhere")
    assert (done.returncode, done.stdout) == (0, said), done.stderr


def test_examples_of_the_pages_have_a_database(warm: dict[str, str]) -> None:
    """As docs/start.md says."""
    page = (ROOT / "docs/start.md").read_text()
    lines = re.findall(r"^scripts/demo\.sh (psql .*pages.*)$", page, re.MULTILINE)
    assert len(lines) == 4
    for line in lines:
        done = call(warm, *shlex.split(line, comments=True))
        assert done.returncode == 0, done.stderr
    report = [sys.executable, ROOT / "scripts/report.py", "--user", "ann", "--out", os.devnull]
    reader = call(warm, "url", "--role", "rubi_readonly").stdout.strip()
    done = subprocess.run([*report, "--dsn", reader.replace("/rubi_trading", "/pages")])
    assert done.returncode == 0


def test_role_of_no_password_is_said_with_those_that_have_one(warm: dict[str, str]) -> None:
    refused(call(warm, "url", "--role", "rubi_owner"), "give one of postgres, rubi_admin")


@pytest.fixture(scope="module")
def strange(warm: dict[str, str]) -> str:
    """Output of the demo for a caller with other servers in mind, on a small old terminal."""
    done = call(
        warm, PGSSLMODE="verify-full", PGSERVICE="none", PGOPTIONS="-c no.such=1 -c nonsense=1",
        PGDATESTYLE="German", PGHOST="/nowhere", PGUSER="nobody", COLUMNS="60",
        PYTHONIOENCODING="iso-8859-1",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_variables_of_the_caller_do_not_reach_the_local_demo(strange: str) -> None:
    assert "EURUSD 5000 (0 new)" in strange


def test_sign_that_the_terminal_lacks_is_a_word(strange: str) -> None:
    assert re.match("ok TimescaleDB server", strange)


@pytest.mark.parametrize("number", [r"ticket +64538553", r"price +41228\.49", r"profit +4437\.16"])
def test_no_number_is_cut_on_a_narrow_terminal(strange: str, number: str) -> None:
    assert re.search(rf"^{number}$", strange, re.MULTILINE)
    assert "…" not in strange


def test_demo_goes_on_when_its_reader_ends(warm: dict[str, str]) -> None:
    call(warm, "stop")
    process = subprocess.Popen(
        PROGRAM, env=warm, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(120) == 0
    assert process.stderr.read() == ""
    process.stderr.close()
    assert call(warm, "psql", "-Atc", "SELECT 1").stdout == "1\n"


def test_port_of_a_killed_server_does_not_stay(warm: dict[str, str]) -> None:
    data = next(Path(warm["RUBI_HOME"]).glob("demo-*/server/data"))
    pid = int((data / "postmaster.pid").read_text().split()[0])
    os.kill(pid, signal.SIGKILL)
    command = Path(f"/proc/{pid}/cmdline")  # empty when the process has ended and nobody noticed
    until("the end of the server", lambda: not command.exists() or not command.read_bytes())
    refused(call(warm, "url"), "the demo is not running")
    port = str(embedded.free_port())
    done = call(warm, RUBI_DEMO_PORT=port)
    assert done.returncode == 0, done.stderr
    assert f":{port}/" in call(warm, "url").stdout
    other = call(warm, RUBI_DEMO_PORT=str(embedded.free_port()))
    assert f"already running on port {port}: scripts/demo.sh stop, then again" in other.stdout


def test_two_starts_in_parallel_make_one_demo(starts: tuple[dict[str, str], list]) -> None:
    _, done = starts
    assert [code for code, *_ in done] == [0, 0], done
    assert sorted(err for *_, err in done)[1].startswith("another scripts/demo.sh is at work")
    assert sum("EURUSD 5000 (5000 new)" in out for _, out, _ in done) == 1


@pytest.mark.parametrize("half", ["empty", "without control file", "number of another process"])
def test_clean_removes_a_half_made_demo_without_programs(demo: Script, half: str) -> None:
    refused(demo(RUBI_PG_BIN="/nowhere"), "RUBI_PG_BIN=/nowhere is no PostgreSQL")
    name = next(demo.home.glob("demo-*.lock")).stem
    data = demo.home / name / "server/data"
    data.mkdir(parents=True)
    if half != "empty":
        (data / "PG_VERSION").write_text("17\n")
    if half == "number of another process":
        (data / "postmaster.pid").write_text(f"{os.getpid()}\n{data}\n1\n54320\n")
    assert demo("stop", RUBI_PG_BIN="/nowhere").stdout == "not running\n"
    done = demo("clean", RUBI_PG_BIN="/nowhere")
    assert (done.returncode, done.stderr) == (0, "")
    assert not (demo.home / name).exists()


def test_full_disk_is_named(demo: Script, folder: Path) -> None:
    said = 'initdb: error: could not create directory "base": No space left on device'
    full = fake_server(folder, "full", {"initdb": f"echo '{said}' >&2; exit 1"})
    refused(demo(RUBI_PG_BIN=full), f"no space left on the disk of {demo.home}/demo-")


def test_initdb_that_fails_leaves_no_half_cluster(demo: Script, folder: Path) -> None:
    text = 'mkdir -p "$3"; echo 17 >"$3/PG_VERSION"; echo "initdb: error: no locale" >&2; exit 1'
    broken = fake_server(folder, "broken-initdb", {"initdb": text})
    refused(demo(RUBI_PG_BIN=broken), "initdb failed: no locale")
    assert not list(demo.home.glob("demo-*/server*"))


@pytest.mark.parametrize("script", ["demo.py", "install.py"])
def test_interruption_while_modules_load_is_no_traceback(folder: Path, script: str) -> None:
    package = folder / "interrupting/psycopg"
    package.mkdir(parents=True, exist_ok=True)
    (package / "__init__.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n")
    done = subprocess.run(
        [sys.executable, ROOT / "scripts" / script],
        env=os.environ | {"PYTHONPATH": str(package.parent)}, capture_output=True, text=True,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (130, "interrupted\n")


@pytest.mark.slow
def test_start_that_was_interrupted_completes(server: Address, folder: Path) -> None:
    """At random moments, by Ctrl-C or by kill -9, of a start from nothing or of a later one."""
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    chance = random.Random(seed)
    home = folder / "interrupted"
    environment = surroundings(server, home)
    whole = []  # seconds of a start from nothing, and of a later one
    for _ in range(2):
        began = time.monotonic()
        assert call(environment).returncode == 0
        whole.append(time.monotonic() - began)
    for number in range(20):
        if number % 2 == 0:
            assert call(environment, "clean").returncode == 0
        elif number % 4 == 1:
            assert call(environment, "stop").returncode == 0
        how, after = (
            chance.choice([signal.SIGINT, signal.SIGKILL]),
            chance.uniform(0, whole[number % 2]),
        )
        process = subprocess.Popen(
            PROGRAM, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            # as demo.sh starts it: a Ctrl-C in the interpreter's first moments is not heard
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN),
        )  # fmt: skip
        time.sleep(after)
        process.send_signal(how)
        out, err = process.communicate(timeout=120)
        print(
            f"{how.name} after {after:.2f} s of {whole[number % 2]:.1f}: exit {process.returncode}"
        )
        assert "Traceback" not in err, err
        if how == signal.SIGINT and process.returncode:
            assert (process.returncode, err) == (130, "interrupted\n"), out
        done = call(environment)
        assert done.returncode == 0, done.stderr
        violations = "SELECT sum(violations), count(*) FROM monitoring.proofs, trading_orders"
        assert call(environment, "psql", "-Atc", violations).stdout.startswith("0|"), number
        bars = "SELECT count(*) FROM market_data"
        assert call(environment, "psql", "-Atc", bars).stdout == "7304\n"
    assert call(environment, "clean").returncode == 0
    shutil.rmtree(home)
