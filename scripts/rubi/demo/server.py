"""The demo's server: its folder, its start and end, its passwords."""

import hashlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import monotonic, sleep

import psycopg
from psycopg.conninfo import conninfo_to_dict

from rubi import ROOT
from rubi.cli import Failure, one_line, replace_private
from rubi.servers import debian, embedded, pgtools

DATABASE = "rubi_trading"
DEFAULT_PORT = 54320
WAIT = 120
# What the demo's server has otherwise than postgresql.conf: it shares a machine with other work.
# Without a socket, whose path has at most 107 bytes, its folder may lie anywhere.
OVERRIDES = """
shared_buffers = 256MB
effective_cache_size = 1GB
maintenance_work_mem = 128MB
min_wal_size = 80MB
max_connections = 220
logging_collector = off
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
"""


def wanted_port() -> int:
    """RUBI_DEMO_PORT or its default. Raises Failure when it is no port."""
    text = os.environ.get("RUBI_DEMO_PORT", str(DEFAULT_PORT))
    if not text.isdecimal() or not 1024 <= int(text) <= 65535:
        raise Failure(f"RUBI_DEMO_PORT={text} is no port: give a number from 1024 to 65535")
    return int(text)


def check_port(port: int) -> None:
    """Raises Failure when somebody else listens there."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            free = port + 1 if port < 65535 else DEFAULT_PORT
            raise Failure(
                f"port {port} is in use: choose another, RUBI_DEMO_PORT={free} scripts/demo.sh"
            ) from error


def command_of(pid: int) -> list[str]:
    """Command line of a process; empty when there is none."""
    if Path("/proc/self/cmdline").exists():
        with suppress(OSError):
            return Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
        return []
    done = subprocess.run(
        ["ps", "-o", "command=", "-p", str(pid)],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    )
    return done.stdout.split()


class Demo:
    """The demo's folder and server; one for each clone of the repository and each given server."""

    def __init__(self) -> None:
        self.given = os.environ.get("RUBI_SERVER_URL", "")
        place = str(ROOT)
        if self.given:
            try:
                parts = conninfo_to_dict(self.given)
            except psycopg.ProgrammingError as error:
                said = f"RUBI_SERVER_URL is no URL of a server: {one_line(error)}"
                raise Failure(said) from error
            place += "".join(f" {name}={parts.get(name)}" for name in ("host", "hostaddr", "port"))
        # what the caller has set for other servers, and ways to print that we could not read
        for name in [name for name in os.environ if name.startswith("PG")]:
            if not self.given or name in ("PGDATESTYLE", "PGTZ", "PGGEQO"):
                del os.environ[name]
        self.folder = debian.home() / f"demo-{hashlib.sha256(place.encode()).hexdigest()[:8]}"
        self.server = self.folder / "server"
        self.data = self.server / "data"
        self.log = self.server / "log"
        self.pgpass = self.folder / "pgpass"
        self.page = self.folder / "report.html"

    @contextmanager
    def only_one(self) -> Iterator[None]:
        """One start, stop or clean at a time; says so when it has to wait."""
        lock = debian.made_home() / f"{self.folder.name}.lock"
        with debian.locked(lock, "another scripts/demo.sh is at work: waiting until it is done"):
            yield

    def refuse_given(self, verb: str) -> None:
        """Raises Failure where a server is given: stop and clean are for the local demo."""
        if self.given:
            raise Failure(
                f"RUBI_SERVER_URL names a server, which scripts/demo.sh {verb} leaves alone: unset "
                "it for the demo of this machine, drop the database there by hand"
            )

    def pid(self) -> int | None:
        """The running server's process.

        A number in postmaster.pid does not suffice: after a crash another process may have it.
        """
        try:
            first = (self.data / "postmaster.pid").read_text(encoding="utf-8").split("\n")[0]
        except OSError:
            return None
        if not first.isdecimal() or str(self.data) not in command_of(int(first)):
            return None
        return int(first)

    def running_port(self) -> int:
        """Port of the running server. Raises Failure when none runs."""
        if self.pid():
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
            if len(lines) > 3 and lines[3].isdecimal():
                return int(lines[3])
        raise Failure("the demo is not running: start it with scripts/demo.sh")

    def start(self) -> str:
        """Start the server, made first where needed; answers what was done."""
        wanted = wanted_port()
        if self.pid():
            port = self.running_port()
            moved = "" if port == wanted else f": scripts/demo.sh stop, then again for {wanted}"
            return f"already running on port {port}{moved}"
        check_port(wanted)
        if not (self.data / "PG_VERSION").exists():
            self.create_cluster()
        self.forget_killed_server()
        settings = (ROOT / "postgresql.conf").read_text(encoding="utf-8")
        (self.data / "postgresql.conf").write_text(
            f"{settings}\n# The demo's own\n{OVERRIDES.strip()}\nport = {wanted}\n",
            encoding="utf-8",
        )
        for _ in range(20):
            cause = self.run_server()
            if "shared memory block" not in cause:  # of processes of a killed server that end now
                break
            sleep(0.5)
        if cause:
            advice = "remove it with scripts/demo.sh clean"
            raise Failure(f"the server did not start: {cause} ({advice})")
        return f"port {wanted}"

    def forget_killed_server(self) -> None:
        """Remove a postmaster.pid whose number is another program's now: PostgreSQL would not."""
        with suppress(OSError, ValueError):
            path = self.data / "postmaster.pid"
            command = command_of(int(path.read_text(encoding="utf-8").split("\n")[0]))
            if command and "postgres" not in command[0]:
                path.unlink()

    def run_server(self) -> str:
        """Start the server and wait until it takes connections; answers why it did not."""
        begin = self.log.stat().st_size if self.log.exists() else 0
        program = embedded.binaries() / "postgres"
        self.log.touch(0o600)
        with self.log.open("ab") as log:
            # in a session of its own, which Ctrl-C does not reach
            process = subprocess.Popen(
                [program, "-D", self.data], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                start_new_session=True, **embedded.as_server_user(),
            )  # fmt: skip
        try:
            end = monotonic() + WAIT
            while process.poll() is None and monotonic() < end:
                if self.is_ready(process.pid):
                    return ""
                sleep(0.05)
        except BaseException:
            process.send_signal(signal.SIGINT)
            process.wait()
            raise
        if process.poll() is None:
            process.send_signal(signal.SIGQUIT)
            process.wait()
        return pgtools.last_words(self.log, begin)

    def is_ready(self, pid: int) -> bool:
        """Whether the server of that process takes connections."""
        try:
            lines = (self.data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
        except OSError:
            return False
        return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"

    def end_server(self, how: signal.Signals = signal.SIGINT) -> None:
        """Stop the server: fast, then immediate, then hard, without any of its programs."""
        for step, patience in ((how, 60), (signal.SIGQUIT, 10), (signal.SIGKILL, 10)):
            if not (pid := self.pid()):
                return
            with suppress(ProcessLookupError):
                os.kill(pid, step)
            end = monotonic() + patience
            while self.pid() == pid and monotonic() < end:
                sleep(0.05)
        raise Failure(f"process {pid} of the demo's server does not end: look at {self.log}")

    def remove(self) -> None:
        """Stop the server and remove its folder, whatever state it is in."""
        self.end_server(signal.SIGQUIT)
        if self.folder.exists():
            shutil.rmtree(self.folder)

    def create_cluster(self) -> None:
        """initdb under another name with a random superuser password, then renamed."""
        with debian.readable_by_all():
            self.folder.mkdir(parents=True, exist_ok=True)
        embedded.check_reach(self.folder)
        new = self.folder / "server.new"
        for folder in (self.server, new):
            shutil.rmtree(folder, ignore_errors=True)
        embedded.owned_folder(new)
        try:
            with debian.full_disk_named(self.folder):
                self.fill(new)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
        new.rename(self.server)

    def fill(self, new: Path) -> None:
        """initdb in a folder; what it leaves when it fails shows whether the disk was full."""
        password = secrets.token_urlsafe(24)
        password_file = new / "password"
        password_file.touch(0o600)
        password_file.write_text(password, encoding="utf-8")
        if user := embedded.server_user():
            os.chown(password_file, user.pw_uid, user.pw_gid)
        program = embedded.binaries() / "initdb"
        locale = (
            ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            if embedded.major_of(program.parent) >= 17
            else ["--locale=C.UTF-8"]
        )
        pgtools.run(
            program, "--no-clean", "-D", new / "data", "-U", "postgres", "-A", "scram-sha-256",
            "-E", "UTF8", "--data-checksums", f"--pwfile={password_file}", *locale, as_server=True,
        )  # fmt: skip
        password_file.unlink()
        self.save_passwords({"postgres": password})

    def passwords(self) -> dict[str, str]:
        """Role to password, from the pgpass file."""
        if not self.pgpass.exists():
            return {}
        lines = self.pgpass.read_text(encoding="utf-8").splitlines()
        return dict(line.split(":")[3:5] for line in lines)

    def password(self, role: str) -> str:
        """A role's password. Raises Failure when it was never set, or lost."""
        passwords = self.passwords()
        if role not in passwords:
            cure = "scripts/demo.sh clean, then start it again"
            if passwords:
                cure = f"give one of {', '.join(passwords)}"
            raise Failure(f"the demo knows no password of {role}: {cure}")
        return passwords[role]

    def save_passwords(self, passwords: dict[str, str]) -> None:
        lines = (f"*:*:*:{role}:{password}\n" for role, password in passwords.items())
        replace_private(self.pgpass, "".join(lines))

    def dsn(self, role: str = "postgres", database: str = DATABASE) -> str:
        """How a role connects: a URL, or a connection string for a given server."""
        if not self.given:
            login = f"{role}:{self.password(role)}"
            return f"postgresql://{login}@127.0.0.1:{self.running_port()}/{database}"
        parts = conninfo_to_dict(self.given, dbname=database)
        if role != "postgres":
            parts |= {"user": role, "password": self.password(role)}
        return psycopg.conninfo.make_conninfo(**parts)


def running_demo() -> Demo:
    """The demo, which has to be running."""
    demo = Demo()
    if not demo.given:
        demo.running_port()
    return demo
