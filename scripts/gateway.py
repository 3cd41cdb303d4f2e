"""Reads MetaTrader 5 terminals in a loop into the database, as role rubi_ingest.

A terminal is MetaTrader5[:PATH of terminal64.exe] (the package on Windows), mt5linux[:HOST:PORT],
or a Python object with the same interface, package.module:NAME. Positions, orders and the account
are read each second, the history from its first day on and then what is new, bars and ticks that
gateway_series asks for. While the database is away, what was read waits in a spool file. Passwords
of terminals: RUBI_MT5_PASSWORD or RUBI_MT5_PASSWORD_<login>, or --password-fd. Exit codes: 0 done,
1 failed, or read with a fault; 2 wrong usage; 130 and 143 ended by a signal.
"""

from rubi import early  # noqa: F401  # isort: skip

import sys
from contextlib import suppress
from typing import Annotated

import typer

from rubi.cli import errors, new_app, run
from rubi.connecting import Dsn, Json

app = new_app(__doc__)


def say(text: str) -> None:
    """A line of the log. A disk of logs that is full ends no reading."""
    with suppress(OSError):
        errors.print(text)


@app.command()
def main(
    terminal: Annotated[list[str], typer.Option(help="terminal to read; repeatable")],
    user: Annotated[list[str], typer.Option(help="owner of the account: id, email or username")],
    login: Annotated[
        list[str] | None, typer.Option(help="NUMBER[@SERVER] to log into; else what it is in")
    ] = None,
    password_fd: Annotated[
        int | None, typer.Option(help="number of an open file with passwords")
    ] = None,
    server_clock: Annotated[
        str, typer.Option(help="clock of a server that has no rule yet: NY+7, UTC+3, Europe/Athens")
    ] = "",
    once: Annotated[bool, typer.Option(help="read everything once and end")] = False,
    dry_run: Annotated[bool, typer.Option(help="read and count once, store nothing")] = False,
    since: Annotated[str, typer.Option(help="read the history again from this day on")] = "",
    every: Annotated[
        list[str] | None,
        typer.Option(help="KIND=SECONDS: state, heartbeat, history, series, clock, symbols, whole"),
    ] = None,
    overlap: Annotated[float, typer.Option(min=0, help="days of history read once more")] = 3,
    spool: Annotated[str, typer.Option(help="folder of the spool files")] = "",
    spool_days: Annotated[float, typer.Option(min=0, help="oldest spool that is sent")] = 7,
    connections: Annotated[int, typer.Option(min=1, help="to the database, at most")] = 4,
    dsn: Dsn = "",
    as_json: Json = False,
) -> None:
    """Read terminals until interrupted, or once."""
    from rubi.gateway import settings, showing
    from rubi.gateway.loop import Gateway

    options = settings.Options(
        every=settings.intervals(every or []),
        overlap_days=overlap,
        since=settings.since(since),
        server_clock=server_clock,
        spool_days=spool_days,
        dry_run=dry_run,
    )
    found = settings.pairs(terminal, user, login or [], password_fd)
    gateway = Gateway(found, dsn, settings.spool_folder(spool), options, say, connections)

    if once or dry_run:
        try:
            gateway.once()
        finally:
            showing.show(gateway, as_json)
            if dry_run:
                errors.print("dry run: nothing was stored")
        return
    showing.watch(gateway, as_json)
    if any(lane.error for lane in gateway.lanes):
        sys.exit(1)  # each has said why


if __name__ == "__main__":
    run(app)
