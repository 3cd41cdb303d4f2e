"""Carries the numbered SQL files to a database, in order, and records them in deploy.history.

Files in schema/ and indexes/ run once. Files in functions/, views/, triggers/, seed/ and grants/
run when their text changed; when one is due, all later ones of this kind run too.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import psycopg
import typer
from psycopg.rows import namedtuple_row
from rich.table import Table

from cli import Failure, console, new_app, one_line, run

ROOT = Path(__file__).resolve().parent.parent
ONCE = ("schema", "indexes")
CHANGED = ("functions", "views", "triggers", "seed", "grants")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
# "already exists, skipping" of relations, objects, columns and schemas: what re-running says
EXPECTED_NOTICES = {"42P07", "42710", "42701", "42P06", "00000"}
PENDING = 3

Dsn = Annotated[
    str, typer.Option(help="libpq connection string or URL; else PG* variables or a service file")
]


@dataclass(frozen=True)
class File:
    """A numbered file: its path in the repository and its text with normalised line ends."""

    path: str
    text: str

    @property
    def once(self) -> bool:
        """Whether the file is frozen once applied."""
        return self.path.startswith(ONCE)

    @property
    def sha256(self) -> str:
        """As deploy.record_file computes it."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read_files(root: Path = ROOT) -> list[File]:
    """All numbered files in the order of their numbers.

    Raises Failure for a name without a number, a number used twice, or text that is not UTF-8.
    """
    found: dict[str, File] = {}
    for folder in (*ONCE, *CHANGED):
        for path in sorted((root / folder).glob("*.sql")):
            number = path.name[:4]
            if not re.fullmatch(r"\d{4}_\w+\.sql", path.name):
                raise Failure(f"{folder}/{path.name}: the name must be NNNN_topic.sql")
            if number in found:
                raise Failure(f"{folder}/{path.name}: {found[number].path} has the same number")
            try:
                text = path.read_text(encoding="utf-8").replace("\r\n", "\n").rstrip("\n")
            except (OSError, UnicodeDecodeError) as error:
                raise Failure(f"{folder}/{path.name} can't be read: {error}") from error
            found[number] = File(f"{folder}/{path.name}", text)
    return [found[number] for number in sorted(found)]


@contextmanager
def connect(dsn: str = "") -> Iterator[psycopg.Connection]:
    """A connection in UTC that reports what is worth reading of a file's notices."""
    connection = psycopg.connect(
        dsn, autocommit=True, application_name="rubi deploy", row_factory=namedtuple_row
    )
    with connection:
        if connection.info.server_version < 150000:
            major = connection.info.server_version // 10000
            raise Failure(f"PostgreSQL {major} is too old: 15 or newer needed")
        connection.add_notice_handler(show_notice)
        yield connection


def show_notice(diagnostic: psycopg.errors.Diagnostic) -> None:
    """Print a server's notice unless it only says that an object exists already."""
    if diagnostic.sqlstate not in EXPECTED_NOTICES or diagnostic.severity_nonlocalized == "WARNING":
        console.print(f"  {diagnostic.severity_nonlocalized}: {diagnostic.message_primary}")


def applied(connection: psycopg.Connection) -> dict[str, str]:
    """SHA-256 of the text each file was last applied with; empty on a new database."""
    if not connection.execute(
        "SELECT to_regclass('deploy.history') IS NOT NULL AS there"
    ).fetchone()[0]:
        return {}
    return dict(
        connection.execute(
            "SELECT DISTINCT ON (h.path) h.path, h.sha256 FROM deploy.history AS h"
            " ORDER BY h.path, h.id DESC"
        ).fetchall()
    )


def due(files: list[File], history: dict[str, str]) -> list[tuple[File, str]]:
    """What has to run and why. Raises Failure when a run-once file was changed."""
    result = []
    rerun = False
    for file in files:
        recorded = history.get(file.path)
        if file.once:
            if recorded is None:
                result.append((file, "new"))
            elif recorded != file.sha256:
                raise Failure(
                    f"{file.path} was applied with a different text: restore it and put the change "
                    "into a new numbered file"
                )
        elif recorded != file.sha256:
            rerun = True
            result.append((file, "new" if recorded is None else "changed"))
        elif rerun:
            result.append((file, "after a changed file"))
    return result


def apply_file(connection: psycopg.Connection, file: File) -> None:
    """Run one file and record it, in one transaction. Raises Failure with file, line and cause."""
    try:
        with connection.transaction():
            started = connection.execute("SELECT clock_timestamp()").fetchone()[0]
            connection.execute(file.text)
            connection.execute(
                "SELECT deploy.record_file(%s, %s, 'runner', %s, %s)",
                (file.path, file.text, VERSION, started),
            )
            connection.execute("RESET ROLE")
    except psycopg.Error as error:
        position = error.diag.statement_position
        line = file.text.count("\n", 0, int(position) - 1) + 1 if position else 1
        raise Failure(f"{file.path}:{line}: {one_line(error)}") from error


app = new_app(__doc__)


@app.command()
def apply(dsn: Dsn = "") -> None:
    """Run what is due. Running it again does nothing."""
    files = read_files()
    with connect(dsn) as connection:
        todo = due(files, applied(connection))
        for file, reason in todo:
            apply_file(connection, file)
            console.print(f"applied {file.path} [dim]({reason})[/]")
    console.print(f"{len(todo)} of {len(files)} files applied" if todo else "nothing to do")


@app.command()
def status(dsn: Dsn = "") -> None:
    """List all files and whether they are applied. Exit code 3 when something is due."""
    files = read_files()
    with connect(dsn) as connection:
        history = applied(connection)
    reasons = {file.path: reason for file, reason in due(files, history)}
    table = Table("file", "state", box=None)
    for file in files:
        table.add_row(
            file.path, f"due: {reasons[file.path]}" if file.path in reasons else "applied"
        )
    for path in sorted(history.keys() - {file.path for file in files}):
        table.add_row(path, "applied, but gone from the repository")
    console.print(table)
    raise typer.Exit(PENDING if reasons else 0)


if __name__ == "__main__":
    run(app)
