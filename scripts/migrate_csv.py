"""Moves CSV files with a header into the database, by the rules of migrate_sqlite.py.

Each file is a table's, by its name: users.csv, trading_orders.csv.
"""

from pathlib import Path
from typing import Annotated

import typer

from rubi.cli import Failure, new_app, run
from rubi.connecting import Dsn
from rubi.moving import command as move
from rubi.moving.options import TABLES, Options
from rubi.moving.sources import Csv, safe_name

app = new_app(__doc__)


@app.command()
def migrate(
    files: Annotated[list[Path], typer.Argument(help="CSV files: users.csv, market_data.csv …")],
    table: Annotated[str, typer.Option(help="Table of the file, which may have any name")] = "",
    name: Annotated[
        str, typer.Option(help="Name of the source, under which progress and rejects are kept")
    ] = "",
    dsn: Dsn = "",
    only: move.Only = None,
    map_file: move.Map = None,
    zone: move.Zone = "",
    dry_run: move.DryRun = False,
    resume: move.Resume = False,
    merge: move.Merge = False,
    lock_passwords: move.LockPasswords = False,
    rejects: move.Rejects = None,
    wait: Annotated[float, typer.Option(min=0, help="Seconds to wait for a deployment")] = 30,
) -> None:
    """Move CSV files in. Run again, it moves what is missing."""
    given = {"zone": zone} if zone else {}
    options = Options.read(map_file, lock_passwords=lock_passwords, **given)
    if table and len(files) > 1:
        raise typer.BadParameter("--table goes with one file")
    found: dict[str, Path] = {}
    for file in files:
        target = table or options.tables.get(file.stem, file.stem.lower())
        if target not in TABLES:
            raise Failure(f"{file}: {target} is no table of ours; name it with --table")
        if target in found:
            raise Failure(f"{file}: {found[target]} is {target} too")
        found[target] = file
    name = name or ",".join(sorted(file.name for file in files))
    report = rejects or files[0].parent / f"{safe_name(name)}.rejected.jsonl"
    complete = move.run_source(
        dsn, Csv(found, name), options, report,
        only=only or (), dry_run=dry_run, resume=resume, merge=merge, wait=wait,
    )  # fmt: skip
    raise typer.Exit(0 if complete else 1)


if __name__ == "__main__":
    run(app)
