"""Traces of each run of the backup scripts: a row, a status file, a lock while the run lasts."""

import fcntl
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from time import monotonic

import psycopg

from rubi.cli import Failure, errors, one_line, replacing
from rubi.connecting import session


@dataclass
class Run:
    """Facts about a run; the block that does the work fills them in."""

    kind: str
    location: str = ""
    bytes: int | None = None
    sha256: str | None = None
    message: str = ""
    succeeded: bool = False


@contextmanager
def recorded(kind: str, status: Path | None, dsn: str | None) -> Iterator[Run]:
    """Write how a run ended into the status file and, with a dsn, into monitoring.backup_runs.

    A backup that can't be recorded fails: monitoring would not know of this run.
    """
    run, began, started = Run(kind), monotonic(), datetime.now(UTC)
    try:
        yield run
        run.succeeded = True
    except BaseException as error:
        run.message = one_line(error) if str(error) else "interrupted"
        raise
    finally:
        left = [] if status is None else [lambda: write_status(status, run, started)]
        if dsn is not None:
            left.append(lambda: insert(dsn, run, monotonic() - began))
        for write in left:
            try:
                write()
            except (psycopg.Error, OSError) as error:
                said = f"the run could not be recorded: {one_line(error)}"
                if run.succeeded:
                    raise Failure(said) from error
                errors.print(f"warning: {said}")


def write_status(path: Path, run: Run, started: datetime) -> None:
    """The last run of a kind as JSON, for monitoring that can't ask the database."""
    path.parent.mkdir(parents=True, exist_ok=True)
    times = {"started_at": started.isoformat(), "finished_at": datetime.now(UTC).isoformat()}
    with replacing(path) as new:
        new.write_text(json.dumps(asdict(run) | times, indent=4) + "\n", encoding="utf-8")


def insert(dsn: str, run: Run, seconds: float) -> None:
    """A row by the server's clock."""
    with session(dsn, "backup") as connection:
        connection.execute(
            "INSERT INTO monitoring.backup_runs (kind, started_at, finished_at, succeeded,"
            " location, bytes, sha256, message) VALUES (%s, now() - make_interval(secs => %s),"
            " now(), %s, %s, %s, %s, %s)",
            [run.kind, seconds, run.succeeded, run.location or None, run.bytes, run.sha256,
             run.message],
        )  # fmt: skip


@contextmanager
def only_one(folder: Path, what: str) -> Iterator[None]:
    """Hold the folder's lock, which ends with the process. Raises Failure when another has it."""
    with (folder / ".lock").open("ab") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Failure(f"another {what} is at work in {folder}: nothing was done") from error
        yield
