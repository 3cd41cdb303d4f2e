"""Output of the runner's commands: changes, vanished files, differences, rehearsals."""

import difflib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import psycopg
import typer

from rubi.cli import Failure, console, one_line, step
from rubi.connecting import connect
from rubi.deploying.history import Changed, History, applied, due, gone, recorded
from rubi.deploying.sqlfiles import File, read_files

DRIFT = 4  # exit code


@dataclass
class Session:
    """What every command of the runner works with; its report is printed with --json."""

    connection: psycopg.Connection
    files: list[File]
    history: History
    report: object = None

    def due(self) -> list[tuple[File, str]]:
        return due(self.files, self.history)

    def gone(self) -> list[str]:
        return gone(self.files, self.history)


@contextmanager
def session(dsn: str, files: Path, as_json: bool, *, read_only: bool = False) -> Iterator[Session]:
    """A connection for a command; a changed run-once file is shown line by line."""
    console.quiet = as_json
    on_disk = read_files(files)
    report: object = None
    try:
        with connect(dsn) as connection:
            if read_only:
                connection.execute("SET default_transaction_read_only = on")
            at_work = Session(connection, on_disk, applied(connection))
            try:
                yield at_work
            except Changed as changed:
                show_changes(connection, changed.files)
                raise
            finally:
                report = at_work.report
    except (Failure, psycopg.Error) as error:
        report = {"error": one_line(error)}
        raise
    finally:
        if as_json and report is not None:
            print(json.dumps(report))


def show_changes(connection: psycopg.Connection, files: list[File]) -> dict[str, str]:
    """Print what differs between the texts that were applied and those on disk."""
    was = recorded(connection, applied(connection))
    found = {}
    for file in files:
        if file.path not in was:
            continue
        lines = difflib.unified_diff(
            was[file.path].text.splitlines(), file.text.splitlines(),
            f"{file.path} as applied", f"{file.path} on disk", lineterm="",
        )  # fmt: skip
        found[file.path] = "\n".join(lines)
        for line in found[file.path].splitlines():
            style = {"+": "green", "-": "red", "@": "cyan"}.get(line[:1])
            console.print(line, style=style)
    return found


def show_gone(paths: list[str]) -> None:
    """Report files that vanished; their objects are left to the DBA."""
    for path in paths:
        console.print(f"{path} was applied and is gone from disk: drop its objects", style="yellow")


def rehearsal(at_work: Session, todo: list[File], name: str) -> list[dict[str, str]]:
    """Apply due files in a scratch database; answers the changes of the catalog."""
    from rubi.deploying import catalog

    connection, history = at_work.connection, at_work.history
    connection.execute("SET default_transaction_read_only = off")
    with (
        step("files run in a scratch database", silent=True),
        catalog.scratch(connection, name) as inside,
    ):
        catalog.run_all(inside, recorded(connection, history).values())
        before = catalog.snapshot(inside)
        catalog.run_all(inside, todo)
        differences = catalog.compare(before, catalog.snapshot(inside))
    if history:
        signs = {"missing": "[red]-[/]", "extra": "[green]+[/]", "changed": "[yellow]~[/]"}
        for one in differences:
            console.print(f"  {signs[one.state]} {one.kind} {one.name}", markup=True)
    console.print(f"rehearsed: {len(differences)} objects made, changed or dropped")
    return [one.json() for one in differences]


def end_with(differences: list, at_work: Session) -> NoReturn:
    """Print differences, each with the statement that shows it, and end with exit code 4 or 0."""
    at_work.report = {"drift": [one.json() for one in differences]}
    for one in differences:
        console.print(str(one), style="yellow")
        for line in one.detail.splitlines()[:40]:
            console.print(f"    {line}")
        console.print(f"    {one.show}", style="dim")
    console.print(f"{len(differences)} differences" if differences else "no drift")
    raise typer.Exit(DRIFT if differences else 0)
