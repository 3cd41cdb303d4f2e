"""Proves the newest backup: restores it into a throw-away server, compares it, works with it.

Every table must equal the manifest, every proof of monitoring.proofs must hold, and rubi_app must
be able to write. SOURCE as in restore.sh. The run is recorded in the database that --dsn or PG*
variables name, where there is one.
"""

import os
from pathlib import Path
from typing import Annotated

import typer

from rubi.backups import places, restoring, runs
from rubi.backups.drilling import prove
from rubi.cli import console, new_app, run
from rubi.connecting import Dsn

app = new_app(__doc__)


@app.command()
def drill(
    source: restoring.Source = str(places.DEFAULT_FOLDER),
    at: restoring.At = "",
    database: Annotated[str, typer.Option(help="backups of this database only")] = "",
    identity: restoring.Identity = None,
    jobs: restoring.Jobs = 2,
    status: Annotated[
        Path, typer.Option(help="file that says how the last drill ended")
    ] = places.DEFAULT_FOLDER / "drill.status.json",
    dsn: Dsn = "",
) -> None:
    """Restore the newest backup, compare and use it; exit code 1 when anything is wrong."""
    recorded_in = dsn if dsn or {"PGHOST", "PGSERVICE", "PGDATABASE"} & os.environ.keys() else None
    with runs.recorded("drill", status, recorded_in) as done:
        place, name = restoring.find(source, at, database)
        done.location = f"{place}/{name}".rstrip("/")
        with restoring.fetched(source, at, database, identity) as backup:
            done.bytes = backup.dump.stat().st_size
            done.sha256 = places.hashed(backup.dump)["sha256"]
            seconds = prove(backup, jobs)
        rows = sum(table["rows"] for table in backup.manifest["tables"].values())
        done.message = f"{rows:,} rows restored and proved in {seconds:.1f} s"
    console.print(f"backup {backup.name} is good: {done.message}")


if __name__ == "__main__":
    run(app)
