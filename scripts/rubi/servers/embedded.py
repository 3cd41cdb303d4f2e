"""A real TimescaleDB server in a private folder: found on the machine or unpacked from Debian.

The system stays as it is (debian.py).
"""

import os
import pwd
import random
import re
import shutil
import socket
import subprocess
from contextlib import suppress
from pathlib import Path

from rubi import OLDEST
from rubi.cli import Failure
from rubi.servers.debian import Closure, made_home, readable_by_all

DEFAULT_MAJOR = 17
# Debian's suite that carries each major together with TimescaleDB.
SUITES = {17: "trixie", 18: "sid"}
# beside the server: plpgsql_check, with which the tests read function bodies, pg_cron, for which
# there are schedules, and pgBackRest
PACKAGES = (
    "postgresql-{}-timescaledb", "postgresql-{}-plpgsql-check", "postgresql-{}-cron", "pgbackrest",
)  # fmt: skip


def server_user() -> pwd.struct_passwd | None:
    """The server's user when we are root, which PostgreSQL refuses to be; else None."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Failure("no user postgres or nobody to run the server as: create one, or do not be root")


def as_server_user() -> dict[str, object]:
    """Arguments for subprocess that make the child the server's user."""
    user = server_user()
    if user is None:
        return {"cwd": "/"}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


def ending_with_us() -> list[str]:
    """Words before a command that make it run as the server's user and end when we die."""
    if not shutil.which("setpriv"):
        return []
    user = server_user()
    identity = (
        [f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"] if user else []
    )
    return ["setpriv", *identity, "--pdeathsig=INT", "--"]


def hand_over(path: Path) -> Path:
    """Give a folder that was just made to the server's user, who alone reads it."""
    path.chmod(0o700)
    if user := server_user():
        os.chown(path, user.pw_uid, user.pw_gid)
    return path


def owned_folder(path: Path) -> Path:
    """Make a folder that only the server's user reads; an existing folder stays as it is."""
    with readable_by_all():
        path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir()
    except FileExistsError:
        return path
    return hand_over(path)


def check_reach(path: Path) -> None:
    """Raises Failure when the server's user can't reach a folder."""
    if not (user := server_user()):
        return
    for folder in [*reversed(path.parents), path]:
        done = subprocess.run(["test", "-x", folder], **as_server_user())
        if done.returncode:
            raise Failure(
                f"{user.pw_name}, as which the server runs, can't enter {folder}: "
                f"chmod o+x {folder}, or set RUBI_HOME to another folder"
            )


def free_port() -> int:
    """A free TCP port of 127.0.0.1.

    Taken from below those that systems give to outgoing connections: an outgoing connection could
    take the port before the server listens.
    """
    for port in random.SystemRandom().sample(range(20000, 32000), 100):
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port
    raise Failure("no free port between 20000 and 32000 of 127.0.0.1: end what listens there")


def major_of(binaries: Path) -> int:
    """Major version of the server in a folder of programs."""
    try:
        text = subprocess.check_output([binaries / "postgres", "-V"], encoding="utf-8")
    except (OSError, subprocess.CalledProcessError) as error:
        raise Failure(f"{binaries}/postgres does not run: {error}") from error
    if not (match := re.search(r"\d+", text)):
        raise Failure(f"{binaries}/postgres does not say its version")
    return int(match[0])


def has_timescaledb(binaries: Path) -> bool:
    """Whether the server in that folder has TimescaleDB's extension files."""
    config = binaries / "pg_config"
    if not config.exists():
        return False
    share = subprocess.check_output([config, "--sharedir"])
    return Path(os.fsdecode(share).strip(), "extension", "timescaledb.control").exists()


def installed(major: int) -> Path | None:
    """Programs of a server of this major with TimescaleDB that the machine has already."""
    candidates = [Path(f"/usr/lib/postgresql/{major}/bin")]
    for prefix in ("/opt/homebrew", "/usr/local"):
        candidates.append(Path(f"{prefix}/opt/postgresql@{major}/bin"))
    return next((path for path in candidates if has_timescaledb(path)), None)


def binaries(major: int = DEFAULT_MAJOR) -> Path:
    """Folder of postgres, initdb, psql, pg_dump: RUBI_PG_BIN, the machine's, or unpacked.

    Raises Failure when a server can't be had.
    """
    if chosen := os.environ.get("RUBI_PG_BIN"):
        path = Path(chosen)
        if not has_timescaledb(path):
            raise Failure(f"RUBI_PG_BIN={path} is no PostgreSQL with TimescaleDB: unset or fix it")
        if major_of(path) < OLDEST:
            raise Failure(
                f"RUBI_PG_BIN={path} is PostgreSQL {major_of(path)}: {OLDEST} or newer needed"
            )
        return path
    if major not in SUITES and not installed(major):
        raise Failure(f"no PostgreSQL {major} with TimescaleDB here: use {sorted(SUITES)}")
    return installed(major) or unpacked(major)


def unpacked(major: int) -> Path:
    """Programs of a server unpacked below home(), fetched first where they are not there yet."""
    check_reach(made_home())
    programs = f"usr/lib/postgresql/{major}/bin"
    closure = Closure(
        f"postgresql-{major}",
        f"PostgreSQL {major} with TimescaleDB",
        tuple(name.format(major) for name in PACKAGES),
        SUITES[major],
        (f"{programs}/*", "usr/bin/pgbackrest"),
        "install a server and name its programs with RUBI_PG_BIN=/path/to/bin",
    )
    return closure.get() / programs
