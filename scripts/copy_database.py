"""Copies every row into another database that has the same schema, without superuser.

For a managed service, where pg_restore of hypertables is refused. Both sides must have run the
same files. Without an option, for a source that nobody writes to (a restored backup): all is one
transaction, the target is equal to the source afterwards, or as it was. With --ahead and --finish,
for another version of the server: the API writes on meanwhile, and is stopped for the last rows.
Docs: docs/guides/backups.md, docs/guides/upgrades.md.
"""

from typing import Annotated

import psycopg
import typer

from rubi.cli import Failure, console, new_app, run, step
from rubi.connecting import session
from rubi.upgrading import closing, parts, passes

app = new_app(__doc__)
app.info.no_args_is_help = False


@app.command()
def copy(
    source: Annotated[str, typer.Option("--from", help="connection string of what is copied")],
    target: Annotated[
        str, typer.Option("--to", help="of the deployed database, as who deployed")
    ] = "",
    ahead: Annotated[
        bool,
        typer.Option("--ahead", help="copy what changed since the last time; any number of times"),
    ] = False,
    finish: Annotated[
        bool, typer.Option("--finish", help="hold writes, copy what is left, close the source")
    ] = False,
    limit: Annotated[
        float, typer.Option(min=1, help="--finish gives up after so many seconds of held writes")
    ] = 60,
    reopen: Annotated[
        bool, typer.Option("--reopen", help="let the source of --finish take writes again")
    ] = False,
) -> None:
    """Copy all rows into a database that has none, and compare."""
    if ahead + finish + reopen > 1 or bool(target) == reopen:
        raise Failure(
            "give --to, which --reopen has not, and at most one of --ahead, --finish, --reopen", 2
        )
    if reopen:
        take_back(source)
        return
    with passes.connected(source, target) as (old, new):
        if finish:
            finish_copy(old, new, limit)
        else:
            (copy_ahead if ahead else copy_whole)(old, new)


def copy_whole(old: psycopg.Connection, new: psycopg.Connection) -> None:
    with step("rows copied, every table compared"):
        tables, rows = passes.whole(old, new)
    console.print(f"{tables} tables, {rows:,} rows are equal now")


def copy_ahead(old: psycopg.Connection, new: psycopg.Connection) -> None:
    with step("copied ahead") as notes:
        notes.append(f"{passes.ahead(old, new):,} rows")


def finish_copy(old: psycopg.Connection, new: psycopg.Connection, limit: float) -> None:
    """The last pass, or what an earlier one has left to do."""
    if closing.is_closed(old):
        parts.check_finished(old, new)
    else:
        with step("writes held, the last rows copied", silent=True):
            stood = passes.finish(old, new, limit)
        console.print(
            f"writes were held for {stood:.1f} s; the source refuses them now, let the API write"
            " into the target"
        )
    passes.settle_down(new)


def take_back(source: str) -> None:
    """Let a source be used again."""
    with session(source, "copy") as old:
        old.execute("CALL deploy.become_owner()")
        console.print(f"{closing.reopen(old)} tables take writes again")


if __name__ == "__main__":
    run(app)
