"""Commands in messages can be typed, and what is missing is named with its cure."""

from __future__ import annotations

import ast
import errno
import os
import re
import tomllib
from contextlib import nullcontext
from pathlib import Path

import pytest
import typer

from conftest import ROOT
from rubi import cli

SCRIPTS = sorted((ROOT / "scripts").rglob("*.py"))
SPEAKING = {"Failure", "print", "BadParameter"}


def said(path: Path) -> list[str]:
    """The texts of a script's messages; what is filled in stands as {}."""
    texts = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call):
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            texts += [text_of(argument) for argument in node.args if name in SPEAKING]
    return texts


def text_of(node: ast.expr) -> str:
    """A string of the source."""
    if isinstance(node, ast.JoinedStr):
        return "".join(text_of(part) for part in node.values)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else "{}"


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script_that_a_message_names_can_be_run(path: Path) -> None:
    for text in said(path):
        for before, name in re.findall(r"(\S* ?)(scripts/[\w/]+\.(?:py|sh))", text):
            if name.endswith(".py"):
                assert before.endswith("python "), text
            else:
                assert os.access(ROOT / name, os.X_OK), text


def app_without(
    library: str, error: type[ImportError] = ModuleNotFoundError, said: str = ""
) -> typer.Typer:
    """A command that loads a library which is not there, or broken."""
    app = cli.new_app("Loads it.")
    app.info.no_args_is_help = False

    @app.command()
    def load() -> None:
        raise error(said or f"No module named '{library}'", name=library)

    return app


@pytest.fixture
def no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["load"])


@pytest.mark.usefixtures("no_arguments")
@pytest.mark.parametrize("library", cli.EXTRAS)
def test_library_that_is_missing_is_named_with_its_extra(
    library: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match=r"^1$"):
        cli.run(app_without(f"{library}.part"))
    extra = cli.EXTRAS[library]
    assert capsys.readouterr().err == (
        f"error: {library} is not installed: .venv/bin/pip install -e '.[{extra}]'\n"
    )
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert library in "".join(extras["optional-dependencies"][extra])


@pytest.mark.usefixtures("no_arguments")
def test_library_that_is_broken_is_named_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match=r"^1$"):
        cli.run(app_without("lxml.etree", ImportError, "libxml2.so.2: no such file"))
    assert capsys.readouterr().err == (
        "error: lxml can't be loaded (libxml2.so.2: no such file):"
        " .venv/bin/pip install -e '.[load]'\n"
    )


@pytest.mark.usefixtures("no_arguments")
def test_module_of_ours_that_is_missing_is_no_extra() -> None:
    with pytest.raises(ModuleNotFoundError):
        cli.run(app_without("rubi.nowhere"))


def test_text_is_printed_as_it_is_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    said = "[bold] remote_terminal:package:" + "a b " * 100
    cli.console.print(said)
    assert capsys.readouterr().out == said + "\n"


def test_step_names_a_folder_as_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    with cli.step("copied to /a/[/b]") as notes:
        notes.append("[dim]")
    assert "copied to /a/[/b] · [dim] " in capsys.readouterr().out


def test_name_that_is_no_text_is_an_error_of_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A terminal of ISO-8859-1 writes such bytes, and files have such names."""
    app = typer.Typer()

    @app.command()
    def work(name: str) -> None:
        name.encode()

    monkeypatch.setattr("sys.argv", ["work", os.fsdecode(b"\xe9t\xe9")])
    with pytest.raises(SystemExit) as caught:
        cli.run(app)
    said = capsys.readouterr().err
    assert caught.value.code == 1
    assert "no UTF-8" in said and said.count("\n") == 1


@pytest.mark.parametrize(("kind", "is_told"), [("folder", False), ("file", True)])
def test_folder_that_can_not_be_synced_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, is_told: bool
) -> None:
    """Some file systems answer EINVAL for a folder; of a file nobody may go on."""

    def refuse(handle: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", refuse)
    (tmp_path / "file").touch()
    with pytest.raises(OSError) if is_told else nullcontext():
        cli.sync(tmp_path if kind == "folder" else tmp_path / "file")


def test_file_stays_while_the_one_in_its_place_is_not_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text("whole")
    with pytest.raises(KeyboardInterrupt), cli.replacing(path) as new:
        new.write_text("ha")
        raise KeyboardInterrupt
    assert (path.read_text(), list(tmp_path.iterdir())) == ("whole", [path])
    with cli.replacing(path) as new:
        new.write_text("newer")
    assert (path.read_text(), list(tmp_path.iterdir())) == ("newer", [path])


def test_pipe_is_written_to_itself() -> None:
    with cli.replacing(Path("/dev/null")) as new:
        assert new == Path("/dev/null")
    assert not Path("/dev/null").is_file()
