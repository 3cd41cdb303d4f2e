"""Parts that the tests of the demo and of fetched programs share: folders, refusals, stand-ins."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

Script = Callable[..., subprocess.CompletedProcess[str]]


@contextmanager
def folder() -> Iterator[Path]:
    """A folder that the server's user reaches, wherever pytest keeps its own."""
    path = Path(tempfile.mkdtemp(prefix="rubi-test-", dir="/var/tmp"))
    path.chmod(0o755)
    try:
        yield path
    finally:
        shutil.rmtree(path)


def refused(done: subprocess.CompletedProcess[str], said: str, code: int = 1) -> None:
    """A clear line on standard error, the exit code, no traceback."""
    assert done.returncode == code, done.stdout
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def fake_bin(folder: Path, name: str, programs: dict[str, str]) -> str:
    """A folder of shell scripts that stand in for programs."""
    path = folder / name
    path.mkdir(exist_ok=True)
    for program, text in programs.items():
        (path / program).write_text(f"#!/bin/sh\n{text}\n")
        (path / program).chmod(0o755)
    return str(path)


def fake_server(folder: Path, name: str, programs: dict[str, str]) -> str:
    """Stand-ins for a server's programs, with the extension file of TimescaleDB."""
    share = folder / name / "share/extension"
    share.mkdir(parents=True, exist_ok=True)
    (share / "timescaledb.control").touch()
    own = {"postgres": "echo postgres 17.1", "pg_config": f"echo {share.parent}"}
    return fake_bin(folder, name, own | programs)


def path_of(*folders: str) -> str:
    """PATH with these folders first."""
    return ":".join([*folders, os.environ["PATH"]])
