"""Moves a rubi_studio.db (SQLite) into the database, and proves that every row arrived.

The file is opened read-only and never changed. Everything happens in one transaction, unless
--resume commits each batch. Rows that break a rule go to migration.rejects and to a file, with the
rule's name; the others come in, and the exit code is 1.
"""

from contextlib import closing
from pathlib import Path
from typing import Annotated

import typer

from rubi.cli import new_app, run
from rubi.connecting import Dsn
from rubi.moving import command as move
from rubi.moving.options import Options
from rubi.moving.sources import Sqlite

app = new_app(__doc__)


@app.command()
def migrate(
    file: Annotated[Path, typer.Argument(help="SQLite file, such as rubi_studio.db")],
    dsn: Dsn = "",
    only: move.Only = None,
    map_file: move.Map = None,
    zone: move.Zone = "",
    dry_run: move.DryRun = False,
    resume: move.Resume = False,
    merge: move.Merge = False,
    lock_passwords: move.LockPasswords = False,
    rejects: move.Rejects = None,
    wait: Annotated[
        float, typer.Option(min=0, help="Seconds to wait for a locked file, and for a deployment")
    ] = 30,
) -> None:
    """Move a SQLite file in. Run again, it moves what is missing."""
    given = {"zone": zone} if zone else {}
    options = Options.read(map_file, lock_passwords=lock_passwords, **given)
    target = rejects or file.parent / f"{file.name}.rejected.jsonl"
    with closing(Sqlite(file, wait)) as source:
        complete = move.run_source(
            dsn, source, options, target,
            only=only or (), dry_run=dry_run, resume=resume, merge=merge, wait=wait,
        )  # fmt: skip
    raise typer.Exit(0 if complete else 1)


if __name__ == "__main__":
    run(app)
