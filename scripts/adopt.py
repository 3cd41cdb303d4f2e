"""Makes a database that was created with the base system's schema 3.0.0 ours, in place.

`plan` says what would happen, and which rows break a rule; the database stays as it is: our files
and the rows go into a scratch database that is dropped. `apply` makes a backup, moves the base's
tables aside into the schema base_3_0_0, installs our files, moves the rows over by the rules of
migrate_sqlite.py and proves them, then drops the old tables. Rows that break a rule are kept in
migration.rejects with the rule's name.

All but bars and snapshots happens in one transaction: until it commits, nothing has changed. Bars
and snapshots follow in batches while the API is at work; a killed `apply` goes on from there when
started again.
"""

from pathlib import Path
from time import monotonic
from typing import Annotated

import typer
from psycopg.rows import tuple_row

from rubi.cli import console, new_app, run, step
from rubi.connecting import Dsn, Scratch, connect
from rubi.deploying import locks
from rubi.deploying.locks import LockTimeout
from rubi.moving import adopting, foreseeing
from rubi.moving.command import Zone
from rubi.moving.mapping import ADMINISTRATOR

MaxLock = Annotated[
    float, typer.Option(min=1, help="Seconds the tables may be locked; then all is taken back")
]
app = new_app(__doc__)


@app.command()
def plan(
    dsn: Dsn = "",
    zone: Zone = "UTC",
    max_lock: MaxLock = 300,
    scratch: Scratch = "",
    rows: Annotated[bool, typer.Option(help="Try every row against the rules it will meet")] = True,
) -> None:
    """Say what apply would do, and which rows break a rule; the database stays as it is."""
    with connect(dsn) as connection:
        connection.row_factory = tuple_row
        connection.execute("SET default_transaction_read_only = on")
        adopting.check(connection)
        if adopting.state(connection) == "base":
            adopting.show(adopting.tables(connection), zone, max_lock)
            if rows:
                with connect(dsn) as maker:
                    foreseeing.show_broken_rules(connection, maker, zone, scratch)
        else:
            console.print(f"begun: {', '.join(adopting.LATER)} go on from where they are")


@app.command()
def apply(
    backup: Annotated[Path, typer.Option(help="Folder for the backup that is made first")],
    dsn: Dsn = "",
    zone: Zone = "UTC",
    wait: Annotated[float, typer.Option(min=0, help="Seconds to go on trying for the lock")] = 60,
    lock_timeout: LockTimeout = 5,
    max_lock: MaxLock = 300,
    keep_administrator: Annotated[
        bool, typer.Option(help=f"Leave the password of {ADMINISTRATOR}: its form is not known")
    ] = False,
    accept_changes: Annotated[
        bool, typer.Option(help="Bars and snapshots may differ: the API changed them since")
    ] = False,
) -> None:
    """Adopt the database. A killed run goes on when started again with the same --zone."""
    with connect(dsn) as connection, locks.only_runner(connection, wait):
        connection.row_factory = tuple_row
        connection.execute("SET client_min_messages = warning")
        report: list[tuple[str, str]] = []
        if adopting.check(connection) == "base":
            adopting.show(adopting.tables(connection), zone, max_lock)
            with step("backup of the schema public"):
                saved = adopting.back_up(connection, dsn, backup)
            console.print(f"backup: {saved}")
            with adopting.locked(connection, wait, lock_timeout) as began:
                adopting.switch(connection, zone, began, max_lock, keep_administrator)
            held = monotonic() - began
            report.append(("all nine tables", f"ACCESS EXCLUSIVE {held:.1f} s, bound {max_lock:g}"))
        longest = adopting.move_later(connection, zone, keep_administrator, accept_changes)
        for table, seconds in longest.items():
            report.append((table, f"ROW EXCLUSIVE, longest batch {seconds:.2f} s"))
        adopting.drop_base(connection)
        for what, how in report:
            console.print(f"locked: {what}: {how}")
        console.print(
            "unlogged: 0 s; no table was UNLOGGED, every row is in the WAL, and those of audited"
            " tables are in audit.changes"
        )
        count = connection.execute(
            "SELECT count(*) FROM migration.rejects WHERE source = %s", [f"base:{adopting.SCHEMA}"]
        ).fetchone()[0]
        console.print(f"adopted; {count:,} rows in quarantine: migration.rejects")
        console.print("now set passwords: \\password rubi_app, and the administrator's hash")


if __name__ == "__main__":
    run(app)
