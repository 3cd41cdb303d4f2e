"""Programs that are found or fetched: what is said when they can't be had, and what is touched."""

from __future__ import annotations

import fcntl
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

import machine
import tools
from conftest import ROOT
from machine import Script, fake_bin, fake_server, path_of, refused
from rubi.servers import chromium, debian, embedded


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with machine.folder() as path:
        yield path


def test_old_or_bare_server_is_refused(folder: Path, run_script: Script) -> None:
    old = fake_server(folder, "old", {"postgres": "echo postgres 14.9"})
    refused(run_script("embedded.py", env={"RUBI_PG_BIN": old}), "15 or newer needed")
    (folder / "old/share/extension/timescaledb.control").unlink()
    refused(run_script("embedded.py", env={"RUBI_PG_BIN": old}), "no PostgreSQL with TimescaleDB")


SITE = "http://127.0.0.1:9/debian"


def apt(site: str, otherwise: str) -> str:
    """A stand-in for apt-get, whose configuration names a site."""
    printed = f"""echo "'{site}/dists/x/InRelease' x 0"; exit 0"""
    return f"""case "$*" in *print-uris*) {printed} ;; esac\n{otherwise}"""


REFUSING = "echo 'E: Could not connect' >&2; exit 100"


def get_server(
    run_script: Script, home: Path | str, path: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """Ask for the embedded server where none was unpacked yet."""
    environment = {"RUBI_HOME": str(home), "PATH": path, "RUBI_PG_BIN": ""}
    return run_script("embedded.py", env=environment | more)


@pytest.mark.parametrize(
    ("apt_get", "said"),
    [
        ("exit 100", "names no Debian mirror"),
        (apt(SITE, REFUSING), "Could not connect"),
        (apt(SITE, "echo 'E: write (28: No space left on device)' >&2; exit 100"), "no space left"),
    ],
)
def test_no_network_and_no_room_are_said_in_one_line(
    folder: Path, run_script: Script, apt_get: str, said: str
) -> None:
    path = fake_bin(folder, "apt", {"apt-get": apt_get, "dpkg-deb": "exit 0", "dpkg": "exit 0"})
    refused(get_server(run_script, folder / "cold", path_of(path)), said)
    assert not list((folder / "cold").glob("postgresql-*"))


def test_no_apt_is_said_in_one_line(folder: Path, run_script: Script) -> None:
    path = fake_bin(folder, "test", {"test": "exit 0"})
    refused(get_server(run_script, folder / "cold", path), "no apt-get here")


def test_unreadable_package_is_named(folder: Path, run_script: Script) -> None:
    """The real dpkg-deb on a file that is no package."""
    download = """case "$*" in *download-only*)
    cache=$(sed -n 's/^Dir::Cache "\\(.*\\)";/\\1/p' "$APT_CONFIG")
    echo no package > "$cache/archives/broken_1_all.deb" ;;
esac"""
    path = fake_bin(folder, "broken", {"apt-get": apt(SITE, download)})
    done = get_server(run_script, folder / "cold", path_of(path))
    refused(done, "package broken_1_all.deb can't be unpacked")


@pytest.mark.parametrize("form", ["mirror+file:{}", "mirror+file://{}"])
def test_mirror_that_a_file_lists_is_used(folder: Path, run_script: Script, form: str) -> None:
    """As images of clouds name it; apt itself reads the file again."""
    (folder / "debian.list").write_text(f"# mirrors\n{SITE}/\tpriority:1\n")
    (folder / "security.list").write_text(f"{SITE}-security\n")
    show = 'cat "$(sed -n \'s/^Dir::Etc::sourcelist "\\(.*\\)";/\\1/p\' "$APT_CONFIG")"'
    sites = [form.format(folder / name) for name in ("security.list", "debian.list")]
    printed = "".join(f"echo \"'{site}/dists/x/InRelease' x 0\"\n" for site in sites)
    text = f"""case "$*" in *print-uris*) {printed} exit 0 ;; esac
echo "E: read $({show} | cut -d ' ' -f 3)" >&2; exit 100"""
    path = fake_bin(folder, "cloud", {"apt-get": text, "dpkg-deb": "exit 0", "dpkg": "exit 0"})
    refused(get_server(run_script, folder / "cold", path_of(path)), f"read {sites[1]}")


@pytest.mark.parametrize("mode", [0o1777, 0o755, 0o700], ids=oct)
def test_folder_that_was_there_keeps_its_mode(folder: Path, run_script: Script, mode: int) -> None:
    home = folder / f"home-{mode:o}"
    home.mkdir()
    home.chmod(mode)
    path = fake_bin(folder, "apt", {"apt-get": apt(SITE, REFUSING)})
    done = get_server(run_script, home, path_of(path))
    closed = mode == 0o700 and os.geteuid() == 0  # root's server runs as another user
    refused(done, f"can't enter {home}: chmod o+x" if closed else "Could not connect")
    assert home.stat().st_mode & 0o7777 == mode


def test_folder_that_is_made_can_be_entered_whatever_the_umask(
    folder: Path, run_script: Script
) -> None:
    path = fake_bin(folder, "apt", {"apt-get": apt(SITE, REFUSING)})
    before = os.umask(0o077)
    try:
        done = get_server(run_script, folder / "made/home", path_of(path))
    finally:
        os.umask(before)
    refused(done, "Could not connect")
    assert [p.stat().st_mode & 0o777 for p in (folder / "made", folder / "made/home")] == [
        0o755
    ] * 2


def test_folder_of_somebody_else_stays_theirs(run_script: Script, tmp_path: Path) -> None:
    folder = tmp_path / "standby"
    folder.mkdir(0o750)
    nobody = f"host=127.0.0.1 port={embedded.free_port()}"
    done = run_script("standby.py", "make", str(folder), "--primary", nobody)
    user = embedded.server_user()
    said = f"chown {user.pw_name} {folder}" if user else "onnection refused"
    assert (done.returncode, said in done.stderr) == (1, True), done.stderr
    assert folder.stat().st_mode & 0o777 == 0o750
    assert folder.stat().st_uid == os.geteuid()


def test_relative_home_is_meant_from_where_the_script_was_called(folder: Path) -> None:
    said = subprocess.check_output(
        ["bash", "-c", 'cd "$1"; . scripts/setup.sh; echo "$RUBI_HOME $RUBI_PG_BIN"', "-", ROOT],
        env=os.environ | {"RUBI_HOME": "mine", "RUBI_PG_BIN": "/pg"}, cwd=folder, text=True,
    )  # fmt: skip
    assert said == f"{folder}/mine /pg\n"


def test_relative_home_becomes_absolute(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    monkeypatch.setenv("RUBI_HOME", "mine")
    monkeypatch.chdir(folder)
    assert debian.home() == folder / "mine"


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("WARNING: x\nERROR: Could not find numpy\nERROR: No match", "Could not find numpy"),
        ("  error: subprocess-exited\n  x\n      ERROR: No network", "No network"),
        ("  error: subprocess-exited-with-error\n  x", "subprocess-exited-with-error"),
        ("Traceback (most recent call last):\nOSError: no space\n\n", "OSError: no space"),
        ("", "no reason given"),
    ],
)
def test_reason_of_pip_is_said(said: str, reason: str) -> None:
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", '. scripts/setup.sh; rubi_reason "$1"', "-", said],
        capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert (done.returncode, done.stdout.strip()) == (0, reason)


def test_driver_that_lacks_libatomic_is_given_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stand-in for playwright's Node.js, which starts where the library is found."""
    text = f"""IFS=:; for f in $LD_LIBRARY_PATH; do [ -e "$f/{chromium.LIBRARY}" ] && exit 0; done
echo "error while loading shared libraries: {chromium.LIBRARY}: cannot open" >&2; exit 127"""
    node = Path(fake_bin(folder, "driver", {"node": text}), "node")
    monkeypatch.setenv("LD_LIBRARY_PATH", "/nowhere")
    chromium.make_driver_run(node)
    given, before = os.environ["LD_LIBRARY_PATH"].split(":")
    assert before == "/nowhere"
    assert [path.name for path in Path(given).iterdir()] == [chromium.LIBRARY]
    subprocess.check_call([node])


def test_driver_that_does_not_start_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    node = Path(fake_bin(folder, "bad", {"node": "echo no such thing >&2; exit 1"}), "node")
    with pytest.raises(chromium.Failure, match="does not start: no such thing"):
        chromium.make_driver_run(node)


def test_script_of_perl_runs_without_the_machines_perl(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fake_bin(folder, "no-perl", {"perl": "echo 'the perl of the machine' >&2; exit 1"})
    monkeypatch.setenv("PATH", path_of(path))
    subprocess.check_call([*tools.command("pgbadger"), "--version"], stdout=subprocess.DEVNULL)


def test_free_port_is_none_that_an_outgoing_connection_takes_meanwhile() -> None:
    said = Path("/proc/sys/net/ipv4/ip_local_port_range")
    first = int(said.read_text().split()[0]) if said.exists() else 49152
    port = embedded.free_port()
    assert 1024 < port < first
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", port))


def test_port_in_use_is_said_before_anything_is_fetched(folder: Path, run_script: Script) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        environment = {"RUBI_HOME": str(folder / "cold"), "PATH": "/nowhere"}
        done = run_script("demo.py", env=environment | {"RUBI_DEMO_PORT": port})
    refused(done, "is in use: choose another, RUBI_DEMO_PORT=")


def test_command_that_waits_for_another_says_so_and_can_be_interrupted(tmp_path: Path) -> None:
    """Both make .venv ready: one at a time."""
    (tmp_path / "pyproject.toml").touch()
    with (tmp_path / "pyproject.toml").open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        process = subprocess.Popen(
            ["bash", "-c", ". \"$1\"; rubi_setup x", "-", ROOT / "scripts/setup.sh"],
            # bash warns of a locale that the machine lacks
            cwd=tmp_path, env=os.environ | {"LC_ALL": "C"}, stderr=subprocess.PIPE, text=True,
            start_new_session=True,
        )  # fmt: skip
        try:
            assert process.stderr.readline() == "another command prepares .venv: waiting for it\n"
            os.killpg(process.pid, signal.SIGINT)
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, said) == (130, "interrupted\n")
