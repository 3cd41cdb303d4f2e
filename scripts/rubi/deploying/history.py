"""deploy.history: the applied files, and the files that are due."""

import re
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import namedtuple_row

from rubi import ROOT
from rubi.cli import Failure
from rubi.deploying.sqlfiles import File

# a full reader of TOML would take longer than all of "nothing to do"
VERSION = re.search(r'(?m)^version = "(.+)"$', (ROOT / "pyproject.toml").read_text("utf-8"))[1]


# the last row of each file in deploy.history, by its path
History = dict[str, Any]


class OtherFiles(Failure):
    """The database was made by files that are not these."""


class Changed(OtherFiles):
    """Run-once files that were applied with a different text."""

    def __init__(self, files: list[File]) -> None:
        others = f" (and {len(files) - 1} more)" if len(files) > 1 else ""
        super().__init__(
            f"{files[0].path}{others} was applied with a different text: restore it and put the "
            "change into a new numbered file"
        )
        self.files = files


def applied(connection: psycopg.Connection) -> History:
    """The last record of each file; empty on a new database."""
    if not connection.execute("SELECT to_regclass('deploy.history') IS NOT NULL").fetchone()[0]:
        return {}
    with connection.cursor(row_factory=namedtuple_row) as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (h.path) h.path, h.id, h.kind, h.sha256, h.tool, h.tool_version,"
            " h.applied_by, h.applied_at, h.duration_ms"
            " FROM deploy.history AS h ORDER BY h.path, h.id DESC"
        )
        return {record.path: record for record in cursor}


def recorded(connection: psycopg.Connection, history: History) -> dict[str, File]:
    """The files as they were last applied, in order."""
    if not history:
        return {}
    rows = connection.execute(
        "SELECT h.path, h.body FROM deploy.history AS h WHERE h.id = ANY (%s)",
        [[record.id for record in history.values()]],
    ).fetchall()
    return {
        file.path: file for file in sorted((File(*row) for row in rows), key=lambda f: f.number)
    }


def gone(files: list[File], history: History) -> list[str]:
    """Files that were applied and are not on disk any more."""
    return sorted(history.keys() - {file.path for file in files})


def due(files: list[File], history: History) -> list[tuple[File, str]]:
    """The files that have to run, and why.

    Raises OtherFiles when the database is newer than the files, Changed when a run-once file is not
    the one that was applied.
    """
    for path in gone(files, history):
        if history[path].kind == "once":
            raise OtherFiles(
                f"{path} was applied here on {history[path].applied_at:%Y-%m-%d} and is not among "
                "these files: the database is newer than they are, use a newer checkout"
            )
    known = {file.path: history[file.path] for file in files if file.path in history}
    if changed := [
        f for f in files if f.once and f.path in known and f.sha256 != known[f.path].sha256
    ]:
        raise Changed(changed)

    result = []
    before = None  # the changed file that makes the later ones run again
    last, last_path = 0, ""
    for file in files:
        record = known.get(file.path)
        if file.once:
            if record is None:
                result.append((file, "new"))
            continue
        if record is None or record.sha256 != file.sha256:
            result.append((file, "changed" if record else "new"))
            before = before or file.path
        elif before:
            result.append((file, f"after {before}"))
        elif record.id < last:  # an earlier run ended before this file
            result.append((file, f"after {last_path}"))
            before = last_path
        if record and record.id > last:
            last, last_path = record.id, file.path
    return result


def record_file(
    connection: psycopg.Connection, file: File, tool: str, started: datetime | None = None
) -> None:
    """Write a file's history row; started is the transaction's beginning unless given."""
    connection.execute(
        "SELECT deploy.record_file(%s, %s, %s, %s, coalesce(%s, now()))",
        (file.path, file.text, tool, VERSION, started),
    )
