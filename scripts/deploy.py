"""Carries the numbered SQL files to a database, in order, and records them in deploy.history.

Exit codes: 0 nothing to do or done, 1 failed, 2 wrong usage, 3 files are pending, 4 the database
differs from what the files make.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from rubi import ROOT
from rubi.cli import console, new_app, run
from rubi.connecting import Dsn, Json, Scratch
from rubi.deploying import locks
from rubi.deploying.applying import apply_due
from rubi.deploying.history import (
    VERSION,
    applied,
    due,
    gone,
    record_file,
    recorded,
)
from rubi.deploying.locks import LockTimeout, Wait
from rubi.deploying.showing import rehearsal, report_differences, session, show_changes, show_gone
from rubi.deploying.sqlfiles import read_files

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
    on_disk = read_files(files)
    with session(dsn, as_json, read_only=True) as connection:
        history = applied(connection)
        todo = due(on_disk, history)
        for file, reason in todo:
            console.print(f"{file.path} [dim]({reason})[/]")
        changed = [file for file, reason in todo if reason == "changed"]
        diffs = show_changes(connection, changed)
        show_gone(gone(on_disk, history))
        console.print(f"{len(todo)} of {len(on_disk)} files due" if todo else "nothing to do")
        report = {
            "due": [{"path": f.path, "reason": why, "diff": diffs.get(f.path)} for f, why in todo],
            "gone": gone(on_disk, history),
        }
        if rehearse and todo:
            report["rehearsal"] = rehearsal(connection, history, [f for f, _ in todo], scratch)
    if as_json:
        print(json.dumps(report))
    raise typer.Exit(PENDING if todo else 0)


@app.command()
def apply(
    dsn: Dsn = "",
    files: Files = ROOT,
    wait: Wait = 60,
    lock_timeout: LockTimeout = 5,
    as_json: Json = False,
) -> None:
    """Run what is due. Running it again does nothing."""
    on_disk = read_files(files)
    with session(dsn, as_json) as connection:
        history = applied(connection)
        todo = apply_due(
            connection, on_disk, wait, lock_timeout,
            lambda file, reason: console.print(f"applied {file.path} [dim]({reason})[/]"),
        )  # fmt: skip
        show_gone(gone(on_disk, history))
    console.print(f"{len(todo)} of {len(on_disk)} files applied" if todo else "nothing to do")
    if as_json:
        done = [{"path": file.path, "reason": reason} for file, reason in todo]
        print(json.dumps({"applied": done, "gone": gone(on_disk, history)}))


@app.command()
def status(dsn: Dsn = "", files: Files = ROOT, as_json: Json = False) -> None:
    """List all files: applied when, by whom and with what. 3 when something is due."""
    on_disk = read_files(files)
    with session(dsn, as_json, read_only=True) as connection:
        history = applied(connection)
        reasons = {file.path: reason for file, reason in due(on_disk, history)}
    report = []
    for path in [*(file.path for file in on_disk), *gone(on_disk, history)]:
        record = history.get(path)
        state = f"due: {reasons[path]}" if path in reasons else "applied"
        if path in gone(on_disk, history):
            state = "gone from disk"
        row, how = {}, ""
        if record:
            how = (
                f", {record.applied_at:%Y-%m-%d %H:%M:%S} UTC by {record.applied_by} with"
                f" {record.tool} {record.tool_version} in {record.duration_ms} ms"
            )
            row = record._asdict() | {"applied_at": record.applied_at.isoformat()}
        console.print(f"{path} [yellow]{state}[/][dim]{how}[/]", soft_wrap=True)
        report.append({"path": path, "state": state} | row)
    if as_json:
        print(json.dumps(report))
    raise typer.Exit(PENDING if reasons else 0)


@app.command()
def drift(dsn: Dsn = "", files: Files = ROOT, scratch: Scratch = "", as_json: Json = False) -> None:
    """Compare the catalog with what the applied files make. 4 when they differ.

    Run it as the role that deploys. New roles are made in a transaction that is rolled back.
    """
    from rubi.deploying import catalog

    on_disk = {file.path: file for file in read_files(files)}
    with session(dsn, as_json) as connection:
        history = applied(connection)
        # pending files are no drift; objects of a vanished file are in no file
        texts = [
            file
            for path, file in recorded(connection, history).items()
            if path in on_disk or file.once
        ]
        live = catalog.snapshot(connection)
        expected = catalog.expected(connection, texts or on_disk.values(), scratch)
        differences = catalog.compare(expected, live)
        show_gone(gone(list(on_disk.values()), history))
    report_differences(differences, as_json)


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

    on_disk = read_files(files)
    with session(dsn, as_json) as connection:
        todo = due(on_disk, applied(connection))
        if todo:
            with locks.only_runner(connection, wait):
                expected = catalog.expected(connection, on_disk, scratch)
                differences = catalog.compare(expected, catalog.snapshot(connection))
                if differences:
                    report_differences(differences, as_json)
                with connection.transaction():
                    for file, _ in due(on_disk, applied(connection)):
                        record_file(connection, file, "baseline")
    console.print(f"{len(todo)} files recorded as applied" if todo else "nothing to do")
    if as_json:
        print(json.dumps({"recorded": [file.path for file, _ in todo]}))


@app.command()
def bundle(
    dsn: Dsn = "",
    files: Files = ROOT,
    output: Annotated[Path | None, typer.Option(help="File to write; else standard output")] = None,
    as_json: Json = False,
) -> None:
    """Write everything that is due as one SQL script for psql, history rows included."""
    from rubi.deploying import bundling

    on_disk = read_files(files)
    with session(dsn, as_json, read_only=True) as connection:
        history = applied(connection)
        todo = due(on_disk, history)
        before = {path: record.sha256 for path, record in history.items()}
        text = bundling.script(todo, before, connection.info.dbname, VERSION)
    if output:
        output.write_text(text, encoding="utf-8")
        console.print(f"{output}: {len(todo)} files")
    if as_json:
        print(json.dumps({"files": [file.path for file, _ in todo], "script": text}))
    elif not output:
        print(text, end="")


@app.command()
def catalog(dsn: Dsn = "", as_json: Json = False) -> None:
    """Print the catalog as text: two databases with the same text have the same objects."""
    from rubi.deploying.catalog import snapshot, text_of

    with session(dsn, as_json, read_only=True) as connection:
        found = snapshot(connection)
    if as_json:
        print(json.dumps([asdict(item) for item in found.values()]))
    else:
        print(text_of(found), end="")


if __name__ == "__main__":
    run(app)
