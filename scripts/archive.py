"""Archives old ticks, events and audit to Parquet, proves the files, and brings rows back.

monitoring.lifecycle says which tables are archived, and when. TARGET is a folder or a URI as for
archive_bars.py, which archives bars. The layout is Hive's: market_ticks/symbol=…/day=2026-01-05,
audit_changes/month=2026-01. A file counts only after it was read back and the database found its
rows equal to the table's, by a hash of all values; rows leave by drop, which reads the files again
first. To be run as the owner, write and drop each night.
"""

from typing import Annotated

import typer

from rubi.cli import console, moment, new_app, run, step
from rubi.connecting import Dsn

app = new_app(__doc__)
Target = Annotated[str, typer.Argument(help="folder, or URI such as s3://bucket/path")]


@app.command()
def write(
    target: Target,
    table: Annotated[str | None, typer.Option(help="this one alone: public.market_ticks")] = None,
    dsn: Dsn = "",
) -> None:
    """Archive what is old enough and lies in no file yet. Drops nothing."""
    from rubi.archives import archiving

    files, rows = archiving.write_due(target, dsn, table)
    console.print(
        f"{files} files, {rows:,} rows archived and read back" if files else "nothing due"
    )


@app.command()
def verify(target: Target, dsn: Dsn = "") -> None:
    """Read all files again. A damaged one whose rows are still here loses its note."""
    from rubi.archives import archiving

    with step("files read again", silent=True):
        whole, count = archiving.verify_files(target, dsn)
    console.print(f"{whole} of {count} files are as they were written")
    if whole < count:
        raise typer.Exit(1)


@app.command()
def drop(target: Target, dsn: Dsn = "") -> None:
    """Verify the files of what is about to go, then CALL follow_lifecycle(p_files_verified).

    One damaged file stops it before anything is dropped.
    """
    from rubi.archives import archiving

    with step("files read again, rows dropped", silent=True):
        count = archiving.drop_archived(target, dsn)
    console.print(f"{count} files verified")


@app.command()
def restore(
    target: Target,
    table: Annotated[str, typer.Option(help="with its schema")],
    part: Annotated[str, typer.Option(help="such as a symbol; all of them without")] = "",
    since: Annotated[str, typer.Option("--from", help="day or time, UTC")] = "1970-01-01",
    until: Annotated[str, typer.Option("--to", help="first day or time after")] = "9999-01-01",
    dsn: Dsn = "",
) -> None:
    """Bring archived rows of a table back, whole files at a time.

    The next drop takes them away again unless legal_hold or a longer keep_full says no.
    """
    from rubi.archives import archiving

    times = moment(since, "--from"), moment(until, "--to")
    files, rows = archiving.restore_rows(target, dsn, table, part, *times)
    console.print(f"{files} files, {rows:,} rows restored")


if __name__ == "__main__":
    run(app)
