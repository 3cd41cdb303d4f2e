"""Carries the numbered SQL files to a database, in order, and records them in deploy.history.

Exit codes: 0 nothing to do or done, 1 failed, 2 wrong usage, 3 files are pending, 4 the database
differs from what the files make.
"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rubi import ROOT
from rubi.cli import console, new_app, print_file, run, step
from rubi.connecting import Dsn, Json, Scratch
from rubi.deploying import locks
from rubi.deploying.applying import apply_due
from rubi.deploying.history import VERSION, applied, due, record_file, recorded
from rubi.deploying.locks import LockTimeout, Wait
from rubi.deploying.showing import end_with, rehearsal, session, show_changes, show_gone

PENDING = 3

Files = Annotated[Path, typer.Option(help="Folder that holds schema/, indexes/ and so on")]


app = new_app(__doc__)


@app.command()
def plan(
    dsn: Dsn = "",
    files: Files = ROOT,
    rehearse: Annotated[
        bool, typer.Option(help="Run it in a scratch database built from the history")
    ] = False,
    scratch: Scratch = "",
    as_json: Json = False,
) -> None:
    """Say what would run and why, without writing or locking. Exit code 3 when files are due."""
    with session(dsn, files, as_json, read_only=True) as at_work:
        todo = at_work.due()
        for file, reason in todo:
            console.print(f"{file.path} [dim]({reason})[/]", markup=True)
        changed = [file for file, reason in todo if reason == "changed"]
        diffs = show_changes(at_work.connection, changed)
        show_gone(at_work.gone())
        console.print(f"{len(todo)} of {len(at_work.files)} files due" if todo else "nothing to do")
        report = {
            "due": [{"path": f.path, "reason": why, "diff": diffs.get(f.path)} for f, why in todo],
            "gone": at_work.gone(),
        }
        if rehearse and todo:
            report["rehearsal"] = rehearsal(at_work, [f for f, _ in todo], scratch)
        at_work.report = report
    raise typer.Exit(PENDING if todo else 0)


@app.command()
def apply(
    dsn: Dsn = "",
    files: Files = ROOT,
    wait: Wait = 60,
    lock_timeout: LockTimeout = locks.LOCK_TIMEOUT,
    as_json: Json = False,
) -> None:
    """Run what is due. Running it again does nothing."""
    with session(dsn, files, as_json) as at_work:
        todo = apply_due(
            at_work.connection, at_work.files, wait, lock_timeout,
            lambda file, why: console.print(f"applied {file.path} [dim]({why})[/]", markup=True),
        )  # fmt: skip
        show_gone(at_work.gone())
        done = [{"path": file.path, "reason": reason} for file, reason in todo]
        at_work.report = {"applied": done, "gone": at_work.gone()}
    console.print(f"{len(todo)} of {len(at_work.files)} files applied" if todo else "nothing to do")


@app.command()
def status(dsn: Dsn = "", files: Files = ROOT, as_json: Json = False) -> None:
    """List all files: applied when, by whom and with what. 3 when something is due."""
    with session(dsn, files, as_json, read_only=True) as at_work:
        reasons = {file.path: reason for file, reason in at_work.due()}
        states = {file.path: "applied" for file in at_work.files}
        states |= {path: f"due: {reason}" for path, reason in reasons.items()}
        states |= dict.fromkeys(at_work.gone(), "gone from disk")
        report = []
        for path, state in states.items():
            row, how = {}, ""
            if record := at_work.history.get(path):
                how = (
                    f", {record.applied_at:%Y-%m-%d %H:%M:%S} UTC by {record.applied_by} with"
                    f" {record.tool} {record.tool_version} in {record.duration_ms} ms"
                )
                row = record._asdict() | {"applied_at": record.applied_at.isoformat()}
            console.print(f"{path} [yellow]{state}[/][dim]{how}[/]", markup=True)
            report.append({"path": path, "state": state} | row)
        console.print(f"due: {len(reasons)} of {len(states)} files")
        at_work.report = report
    raise typer.Exit(PENDING if reasons else 0)


@app.command()
def drift(dsn: Dsn = "", files: Files = ROOT, scratch: Scratch = "", as_json: Json = False) -> None:
    """Compare the catalog with what the applied files make. 4 when they differ.

    Run it as the role that deploys. New roles are made in a transaction that is rolled back.
    """
    from rubi.deploying import catalog

    with session(dsn, files, as_json) as at_work:
        on_disk = {file.path for file in at_work.files}
        # what is pending is no drift; what only a vanished file makes is in no file
        texts = [
            file
            for path, file in recorded(at_work.connection, at_work.history).items()
            if path in on_disk or file.once
        ]
        with step("catalog compared with what the files make", silent=True):
            live = catalog.snapshot(at_work.connection)
            expected = catalog.expected(at_work.connection, texts or at_work.files, scratch)
        show_gone(at_work.gone())
        end_with(catalog.compare(expected, live), at_work)


@app.command()
def baseline(
    dsn: Dsn = "",
    files: Files = ROOT,
    scratch: Scratch = "",
    wait: Wait = 60,
    as_json: Json = False,
) -> None:
    """Write the history of a database whose catalog equals what the files make. 4 when it differs.

    For files that were run by hand. Rows of tables, such as reference data, are not compared.
    """
    from rubi.deploying import catalog

    with session(dsn, files, as_json) as at_work:
        connection, todo = at_work.connection, at_work.due()
        if todo:
            with locks.only_runner(connection, wait):
                with step("files run in a scratch database", silent=True):
                    expected = catalog.expected(connection, at_work.files, scratch)
                if differences := catalog.compare(expected, catalog.snapshot(connection)):
                    end_with(differences, at_work)
                with connection.transaction():
                    for file, _ in due(at_work.files, applied(connection)):
                        record_file(connection, file, "baseline")
        at_work.report = {"recorded": [file.path for file, _ in todo]}
    console.print(f"{len(todo)} files recorded as applied" if todo else "nothing to do")


@app.command()
def bundle(
    dsn: Dsn = "",
    files: Files = ROOT,
    output: Annotated[Path | None, typer.Option(help="File to write; else standard output")] = None,
    as_json: Json = False,
) -> None:
    """Write everything that is due as one SQL script for psql, history rows included."""
    from rubi.deploying import bundling

    with session(dsn, files, as_json, read_only=True) as at_work:
        todo = at_work.due()
        before = {path: record.sha256 for path, record in at_work.history.items()}
        text = bundling.script(todo, before, at_work.connection.info.dbname, VERSION)
        at_work.report = {"files": [file.path for file, _ in todo], "script": text}
    if output:
        output.write_text(text, encoding="utf-8")
        console.print(f"{output}: {len(todo)} files")
    elif not as_json:
        print_file(text)


@app.command()
def catalog(dsn: Dsn = "", as_json: Json = False) -> None:
    """Print the catalog as text: two databases with the same text have the same objects."""
    from rubi.deploying.catalog import snapshot, text_of

    with session(dsn, ROOT, as_json, read_only=True) as at_work:
        found = snapshot(at_work.connection)
    if as_json:
        print(json.dumps([asdict(item) for item in found.values()]))
    else:
        print_file(text_of(found))


if __name__ == "__main__":
    run(app)
