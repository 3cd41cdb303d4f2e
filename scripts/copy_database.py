"""Copies every row into another database that has the same schema, without superuser.

For a managed service, where pg_restore of hypertables is refused: deploy the files there, restore
the backup on a server of your own, then copy. Both sides must have run the same files. All is one
transaction: the target is equal to the source afterwards, or as it was.
Docs: docs/guides/backups.md.
"""

from __future__ import annotations

from typing import Annotated

import psycopg
import typer

from rubi.backups import measuring
from rubi.backups.copying import HISTORY, OPTIONS, fill, ordered
from rubi.cli import Failure, console, new_app, run, step

app = new_app(__doc__)
app.info.no_args_is_help = False


@app.command()
def copy(
    source: Annotated[str, typer.Option("--from", help="connection string of what is copied")],
    target: Annotated[str, typer.Option("--to", help="of the deployed database, as who deployed")],
) -> None:
    """Replace the rows of the target by those of the source, and compare."""
    with (
        psycopg.connect(source, options=OPTIONS, application_name="rubi copy") as old,
        psycopg.connect(target, options=OPTIONS, application_name="rubi copy") as new,
    ):
        old.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ READ ONLY")
        with step("source measured") as notes:
            expected = measuring.measure(old)
            notes.append(f"{len(expected['tables'])} tables")
        new.execute("CALL deploy.become_owner()")
        ours = dict(new.execute(measuring.SQL.HISTORY).fetchall())
        if ours != expected["history"]:
            differs = sorted({*ours.items()} ^ {*expected["history"].items()})
            raise Failure(f"the target ran other files ({differs[0][0]}): deploy the same first")
        tables = ordered(new)
        with step("rows copied"):
            fill(old, new, tables)
        with step("every table compared"):
            found = measuring.measure(new)
            wrong = [
                name for name, values in expected["tables"].items()
                if name != HISTORY and values != found["tables"].get(name)
            ]  # fmt: skip
            wrong += measuring.sequences_behind(new)
            if wrong:
                raise Failure(f"not equal afterwards, nothing was changed: {', '.join(wrong[:5])}")
        new.commit()
    rows = sum(table["rows"] for table in expected["tables"].values())
    console.print(f"{len(tables)} tables, {rows:,} rows are equal now")


if __name__ == "__main__":
    run(app)
