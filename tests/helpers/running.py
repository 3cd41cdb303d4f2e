"""Runs the commands of scripts/, within this process where the start of Python would cost most."""

from __future__ import annotations

import importlib
import io
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

from rubi import ROOT, cli


@dataclass(frozen=True)
class Done:
    """Exit code and output of a command, in subprocess' words."""

    returncode: int
    stdout: str
    stderr: str


def environment(given: Mapping[str, str], without: tuple[str, ...] = ("PG",)) -> dict[str, str]:
    """The variables given, and those of the tests that don't begin with one of the words."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(without)}
    return kept | dict(given)


def run(
    command: str, *arguments: object, env: Mapping[str, str], without: tuple[str, ...] = ("PG",)
) -> Done:
    """Run a command such as load_bars within this process; no error reaches the user raw."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.dict(os.environ, environment(env, without), clear=True),
        mock.patch.object(sys, "argv", [f"{command}.py", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            cli.run(importlib.import_module(command).app)
        except SystemExit as end:
            code = int(end.code or 0)
    done = Done(code, out.getvalue(), err.getvalue())
    assert "Traceback" not in done.stderr, done
    return done


def start(
    command: str, *arguments: object, env: Mapping[str, str], without: tuple[str, ...] = ("PG",)
) -> subprocess.Popen[str]:
    """Start a command as a program of its own."""
    return subprocess.Popen(
        [sys.executable, ROOT / "scripts" / f"{command}.py", *map(str, arguments)],
        env=environment(env, without), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def run_program(
    command: str, *arguments: object, env: Mapping[str, str], without: tuple[str, ...] = ("PG",)
) -> Done:
    """Run a command as a program of its own, to its end."""
    process = start(command, *arguments, env=env, without=without)
    out, err = process.communicate(timeout=300)
    return Done(process.returncode, out, err)
