"""scripts/: commands are short and load what they need; the package below holds the rest."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from rubi import ROOT

SCRIPTS = ROOT / "scripts"
COMMANDS = sorted(SCRIPTS.glob("*.py"))
MODULES = sorted((SCRIPTS / "rubi").rglob("*.py"))
# what one kind of work needs and the help of no command does
HEAVY = {
    "bcrypt", "boto3", "botocore", "duckdb", "jinja2", "lxml", "numpy", "pandas", "playwright",
    "pyarrow", "pyrage", "pyspark", "yaml",
}  # fmt: skip


def loaded(command: Path, *arguments: str) -> tuple[set[str], str]:
    """Names of the modules that a command has loaded when it ends, and what it printed."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", command, *arguments],
        capture_output=True, text=True, timeout=60, env=os.environ | {"PYTHONPATH": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"\|\s+([\w.]+)$", done.stderr, flags=re.MULTILINE)), done.stdout


def imported(path: Path, *, inside: bool = True) -> Iterator[str]:
    """Modules of this folder that a module imports, in functions too when asked."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if inside else tree.body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def called(path: Path) -> str:
    """A module's name."""
    name = ".".join(path.relative_to(SCRIPTS).with_suffix("").parts)
    return name.removesuffix(".__init__")


@pytest.mark.parametrize("command", COMMANDS, ids=lambda path: path.stem)
def test_help_loads_no_library_of_the_work(command: Path) -> None:
    names, said = loaded(command, "--help")
    assert {name.split(".")[0] for name in names} & HEAVY == set()
    # where a command stands alone, typer shows its function's words only
    about = ast.get_docstring(ast.parse(command.read_text(encoding="utf-8")))
    assert "".join(about.split()) in "".join(said.split())


def test_help_of_health_loads_neither_a_driver_nor_the_runner() -> None:
    names, _ = loaded(SCRIPTS / "health.py", "--help")
    assert {name for name in names if name.startswith(("rubi.", "psycopg"))} == {
        "rubi.cli", "rubi.connecting",
    }  # fmt: skip


@pytest.mark.parametrize("path", [*COMMANDS, *MODULES], ids=called)
def test_command_is_imported_by_nobody(path: Path) -> None:
    assert {command.stem for command in COMMANDS} & set(imported(path)) == set()


def test_imports_make_no_circle() -> None:
    names = {called(path) for path in MODULES}
    graph = {called(path): set(imported(path, inside=False)) & names for path in MODULES}
    assert len(list(TopologicalSorter(graph).static_order())) == len(names)


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_command_is_short(path: Path) -> None:
    most = 250 if path.name == "deploy.py" else 120  # which has seven commands
    assert len(path.read_text(encoding="utf-8").splitlines()) <= most


@pytest.mark.parametrize("path", sorted((ROOT / "tests").rglob("*.py")), ids=lambda path: path.stem)
def test_file_of_tests_has_one_topic(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 360


@pytest.mark.parametrize("path", [*COMMANDS, *MODULES], ids=called)
def test_module_and_its_functions_can_be_read_in_one_sitting(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 350
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 60
    }
    assert long == {}


def is_text(call: ast.Call) -> bool:
    """Whether a call reads or writes text by the locale of its caller."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    named = {keyword.arg for keyword in call.keywords}
    if name in ("read_text", "write_text"):
        return "encoding" not in named and not (name == "read_text" and call.args)
    if ast.unparse(call.func).startswith("subprocess."):
        return "text" in named
    modes = {given.value for given in call.args if isinstance(given, ast.Constant)}
    return name == "open" and "encoding" not in named and not modes.isdisjoint("rwax")


@pytest.mark.parametrize("path", [*COMMANDS, *MODULES], ids=called)
def test_no_text_depends_on_the_callers_locale(path: Path) -> None:
    """LANG=fr_FR is ISO-8859-1: a file of UTF-8 would be read wrong, and some signs refused."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    assert [call.lineno for call in calls if is_text(call)] == []
