"""scripts/gateway.py as a person or systemd runs it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

import gateways
import mt5
import rows
from conftest import ROOT
from faulty_terminals import Terminal
from gateways import BUY, Moving
from remote_terminal import Served
from rubi.cli import Failure
from rubi.gateway import settings

COMMAND = [sys.executable, ROOT / "scripts/gateway.py"]
STAND_IN = "remote_terminal:package"
# the package itself: one terminal at a time in a process
MODULE = "import sys; import remote_terminal; sys.modules[__name__] = remote_terminal.Package()"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Callable[[str], Terminal]]:
    """Makes terminals that other processes reach by a path, in a market that moves: nobody waits
    for it."""
    with ExitStack() as running:

        def make(name: str = "terminal", **more: Any) -> Terminal:
            terminal = Terminal.new(**more)
            running.callback(Served(terminal, tmp_path / name).end)
            running.enter_context(Moving(terminal))
            return terminal

        yield make


@pytest.fixture
def environment(db: psycopg.Connection, server: Any, tmp_path: Path) -> dict[str, str]:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib/MetaTrader5.py").write_text(MODULE)
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PG")}
    return kept | {
        "PGHOST": server.host, "PGPORT": str(server.port), "PGUSER": "rubi_ingest",
        "PGDATABASE": db.info.dbname, "RUBI_TERMINAL": str(tmp_path / "terminal"),
        "STATE_DIRECTORY": str(tmp_path / "spool"), "COLUMNS": "200",
        "PYTHONPATH": f"{tmp_path / 'lib'}:{ROOT / 'tests/helpers'}",
    }  # fmt: skip


@pytest.fixture
def call(environment: dict[str, str]) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the command with one terminal, once."""

    def run(
        *arguments: object, terminal: str = STAND_IN, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        variables = environment | more.pop("env", {})
        return subprocess.run(
            [*COMMAND, "--terminal", terminal, "--once", "--every", "state=0.1",
             *map(str, arguments)],
            env=variables, capture_output=True, text=True, timeout=120, **more,
        )  # fmt: skip

    return run


def test_once_ends_with_0_and_a_table(db: Any, served: Callable, call: Callable) -> None:
    served().order_send(BUY)
    done = call("--user", rows.user(db), "--server-clock", "NY+7")
    assert (done.returncode, done.stderr) == (0, "")
    assert "5001234 StandIn-Demo" in done.stdout
    assert db.execute("SELECT count(*) FROM trading_deals").fetchone() == (2,)


def test_json_says_what_was_read(db: Any, served: Callable, call: Callable) -> None:
    served().order_send(BUY)
    done = call("--user", rows.user(db), "--server-clock", "NY+7", "--json")
    (found,) = json.loads(done.stdout)
    assert found["login"] == "5001234" and found["positions"] == 1
    assert found["counts"]["deals inserted"] == 2
    assert (found["clock"], found["waiting"], found["faults"]) == ("America/New_York+7", 0, [])


def test_dry_run_stores_nothing(db: Any, served: Callable, call: Callable) -> None:
    served().order_send(BUY)
    done = call("--user", rows.user(db), "--server-clock", "NY+7", "--dry-run", "--json")
    assert (done.returncode, done.stderr) == (0, "dry run: nothing was stored\n")
    assert json.loads(done.stdout)[0]["counts"]["deals"] == 2
    assert db.execute("SELECT count(*) FROM mt5_accounts").fetchone() == (0,)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--every", "state"], "KIND=SECONDS"),
        (["--every", "dreams=1"], "one of state"),
        (["--every", "state=nan"], "one of state"),
        (["--since", "yesterday"], "is no day"),
        (["--since", "2026-01-31T00:00+02:00"], "names a zone"),
        (["--user", "a", "--user", "b"], "one --user"),
        (["--login", "anna"], "NUMBER@SERVER"),
        (["--login", "1", "--login", "2"], "one --login"),
        (["--password-fd", "77"], "--password-fd 77"),
        (["--server-clock", "noon"], "is no clock"),
    ],
)
def test_wrong_usage_ends_with_2_and_a_line(
    db: Any, served: Callable, call: Callable, arguments: list[str], said: str
) -> None:
    served()
    done = call("--user", rows.user(db), *arguments)
    assert done.returncode == 2
    assert said in done.stderr and done.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("what", "said"),
    [("user", "there is no user nobody"), ("terminal", "-10003"), ("database", "failed")],
)
def test_failure_ends_with_1_and_a_line(
    db: Any, served: Callable, call: Callable, what: str, said: str
) -> None:
    if what != "terminal":
        served()
    user = "nobody" if what == "user" else rows.user(db)
    more = {"env": {"PGPORT": "1"}} if what == "database" else {}
    done = call("--user", user, "--server-clock", "NY+7", **more)
    assert done.returncode == 1
    assert said in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("way", ["variable", "variable of the login", "descriptor"])
@pytest.mark.parametrize("password", ["secret", "wrong-1234"])
def test_password_is_taken_from_where_nobody_sees_it(
    db: Any, served: Callable, call: Callable, way: str, password: str
) -> None:
    served(login=77)
    more: dict[str, Any] = {}
    arguments = ["--login", "77@StandIn-Demo"]
    if way == "descriptor":
        read, write = os.pipe()
        os.write(write, f"77={password}\n".encode())
        os.close(write)
        more = {"pass_fds": [read]}
        arguments += ["--password-fd", str(read)]
    else:
        more = {"env": {f"RUBI_MT5_PASSWORD{'' if way == 'variable' else '_77'}": password}}
    done = call("--user", rows.user(db), "--server-clock", "NY+7", "--json", *arguments, **more)
    assert done.returncode == (password != "secret"), done.stderr
    assert password not in done.stdout + done.stderr
    assert ("(-6)" in done.stderr) == (password != "secret")


def test_terminals_of_the_package_take_turns_in_one_process(
    db: Any, served: Callable, environment: dict[str, str], tmp_path: Path
) -> None:
    """The package knows one terminal at a time."""
    for number in (1, 2, 3):
        terminal = served(f"t{number}", login=number)
        for _ in range(number):
            terminal.order_send(BUY)
    users = [str(rows.user(db)) for _ in range(3)]
    given = [
        argument
        for number, user in enumerate(users, 1)
        for argument in ("--terminal", f"MetaTrader5:{tmp_path}/t{number}", "--user", user)
    ]
    process = subprocess.Popen(
        [*COMMAND, *given, "--server-clock", "NY+7", "--every", "state=0.1"],
        env=environment, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    found = (
        "SELECT a.user_id::text, count(p.*) FROM mt5_accounts AS a"
        " JOIN trading_positions AS p ON p.account_id = a.id GROUP BY 1 ORDER BY 2"
    )
    wanted = [(user, number) for number, user in enumerate(users, 1)]
    try:
        gateways.until("all positions", lambda: db.execute(found).fetchall() == wanted)
    finally:
        process.terminate()
        _, said = process.communicate(timeout=60)
    assert (process.returncode, said) == (143, "stopped by a signal\n")
    assert mt5.violations(db) == {}


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_signal_ends_the_loop_with_the_shells_code(
    db: Any, served: Callable, environment: dict[str, str], number: int, code: int
) -> None:
    served()
    process = subprocess.Popen(
        [*COMMAND, "--terminal", STAND_IN, "--user", str(rows.user(db)), "--server-clock", "NY+7",
         "--json"],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        gateways.until(
            "the account", lambda: db.execute("SELECT count(*) FROM mt5_accounts").fetchone()[0]
        )
        process.send_signal(number)
        out, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code
    assert "Traceback" not in said
    assert all(json.loads(line) for line in out.splitlines())


@pytest.mark.parametrize("output", [[], ["--json"]], ids=["faults", "JSON"])
def test_full_disk_of_logs_ends_no_reading(
    db: Any, served: Callable, environment: dict[str, str], output: list[str]
) -> None:
    """Said is first that there is no terminal, which comes later."""
    with Path("/dev/full").open("wb") as full:
        process = subprocess.Popen(
            [*COMMAND, "--terminal", STAND_IN, "--user", str(rows.user(db)), "--server-clock",
             "NY+7", *output],
            env=environment, stdout=full, stderr=full,
        )  # fmt: skip
    try:
        with socket.socket(socket.AF_UNIX) as nobody:
            nobody.bind(environment["RUBI_TERMINAL"])
            nobody.listen()
            nobody.settimeout(60)
            for _ in range(3):  # the fault of a try is said before the next, JSON within a second
                nobody.accept()[0].close()
        served()
        gateways.until(
            "the account", lambda: db.execute("SELECT count(*) FROM mt5_accounts").fetchone()[0]
        )
    finally:
        process.terminate()
        process.wait(60)


def test_user_without_a_home_is_asked_for_a_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_STATE_HOME", "STATE_DIRECTORY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(os, "getuid", lambda: 54321)
    with pytest.raises(Failure, match="--spool") as caught:
        settings.spool_folder("")
    assert caught.value.code == 2
