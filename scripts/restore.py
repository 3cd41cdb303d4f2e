"""Restores a backup into a new database and compares every table with the manifest.

SOURCE is a backup's folder or dump, a folder of backups, or s3://bucket/path; of several the
newest is taken, or with --at the newest until then. Connects as a superuser, as PG* variables or
--dsn say; the database they name is the target. The database gets its name only when its contents
equal the dumped ones. Docs: docs/guides/backups.md.
"""

from typing import Annotated

import typer

from rubi.backups.restoring import At, Identity, Jobs, Source, fetched, restore_into
from rubi.cli import new_app, run
from rubi.connecting import Dsn

app = new_app(__doc__)


@app.command()
def restore(
    source: Source,
    at: At = "",
    database: Annotated[str, typer.Option(help="backups of this database only")] = "",
    identity: Identity = None,
    jobs: Jobs = 2,
    force: Annotated[bool, typer.Option(help="replace a database; the old one is kept")] = False,
    dsn: Dsn = "",
) -> None:
    """Restore into the database that --dsn or PGDATABASE names."""
    with fetched(source, at, database, identity) as backup:
        restore_into(backup, dsn, jobs=jobs, force=force)


if __name__ == "__main__":
    run(app)
