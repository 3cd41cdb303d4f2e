"""PgBouncer, promtool, the PostgreSQL exporter and pgBadger from Debian, in a private folder.

Unpacked as the server is, for the tests and to try things: nothing is installed system-wide. They
are started through the unpacked loader, so that they run on an older system too.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import Annotated

import typer

import embedded
from cli import Failure, new_app, run

SUITE = "trixie"
# with all they link to, and alone: the latter are written in Go or Perl
WITH_LIBRARIES = ("pgbouncer",)
ALONE = ("promtool", "prometheus-postgres-exporter", "pgbadger")
PROGRAMS = {
    "pgbouncer": "usr/sbin/pgbouncer",
    "promtool": "usr/bin/promtool",
    "postgres_exporter": "usr/bin/prometheus-postgres-exporter",
    "pgbadger": "usr/bin/pgbadger",
}


def folder() -> Path:
    """Where the tools are unpacked, fetched first where they are not there yet."""
    target = embedded.home() / f"tools-{SUITE}-2"
    if (target / "complete").exists():
        return target
    embedded.home().mkdir(parents=True, exist_ok=True)
    with embedded.locked(embedded.home() / "lock-tools"):
        if not (target / "complete").exists():
            fetch(target)
    return target


def apt(work: Path, *arguments: str) -> None:
    """apt-get with a state of its own. Raises Failure with its reason."""
    done = subprocess.run(
        ["apt-get", "-qq", *arguments],
        env=os.environ | {"APT_CONFIG": str(work / "apt.conf")},
        capture_output=True,
        text=True,
        cwd=work / "alone",
    )
    if done.returncode:
        reason = next((x[3:] for x in done.stderr.splitlines() if x.startswith("E: ")), "no reason")
        raise Failure(f"could not get the tools from Debian: {reason.split('http')[0]}")


def fetch(target: Path) -> None:
    """Download and unpack."""
    if not shutil.which("apt-get") or not embedded.KEYRING.exists():
        raise Failure("the tools come from Debian: apt-get and debian-archive-keyring are needed")
    work = target.with_name(target.name + ".work")
    shutil.rmtree(work, ignore_errors=True)
    try:
        for name in ("lists/partial", "cache/archives/partial", "etc", "alone"):
            (work / name).mkdir(parents=True)
        (work / "status").touch()
        (work / "sources.list").write_text(
            f"deb [signed-by={embedded.KEYRING}] {embedded.mirror()} {SUITE} main\n"
        )
        settings = {
            "Dir::State": work, "Dir::State::status": work / "status", "Dir::Cache": work / "cache",
            "Dir::State::lists": work / "lists", "Dir::Etc::sourcelist": work / "sources.list",
            "Dir::Etc::sourceparts": work / "etc", "Dir::Etc::preferences": work / "etc/none",
            "Dir::Etc::preferencesparts": work / "etc", "APT::Install-Recommends": "false",
            "Acquire::Languages": "none", "Acquire::Retries": "3", "APT::Sandbox::User": "",
            "Debug::NoLocking": "true",
        }  # fmt: skip
        (work / "apt.conf").write_text("".join(f'{k} "{v}";\n' for k, v in settings.items()))
        apt(work, "update")
        apt(work, "install", "-y", "--download-only", *WITH_LIBRARIES)
        apt(work, "download", *ALONE)
        root = work / "root"
        root.mkdir()
        for deb in [*(work / "cache/archives").glob("*.deb"), *(work / "alone").glob("*.deb")]:
            embedded.unpack(deb, root)
        (root / "complete").touch()
        shutil.rmtree(target, ignore_errors=True)
        root.rename(target)
    finally:
        shutil.rmtree(work, ignore_errors=True)


def command(name: str) -> list[str]:
    """How a tool is started: its program behind the unpacked loader, or its Perl script."""
    root = folder()
    program = root / PROGRAMS[name]
    if program.read_bytes()[:4] != b"\x7fELF":
        return ["perl", str(program)]
    loaders = [*root.glob("usr/lib*/ld-linux*"), *root.glob("usr/lib/*/ld-linux*")]
    libraries = {str(path.parent) for path in root.glob("usr/lib/**/*.so*")}
    return [str(loaders[0]), "--library-path", ":".join(sorted(libraries)), str(program)]


app = new_app(__doc__)


@app.command()
def get(name: Annotated[str, typer.Argument(help=", ".join(PROGRAMS))]) -> None:
    """Print the command that starts a tool, getting it first where needed."""
    if name not in PROGRAMS:
        raise typer.BadParameter(f"{name} is none of {', '.join(PROGRAMS)}")
    print(" ".join(command(name)))


if __name__ == "__main__":
    run(app)
