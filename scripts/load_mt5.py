"""Loads trade history reports, and dumps of the MetaTrader5 package's calls, into the database.

FILES are the terminal's report (tab History, Report) as xlsx or html in any language, or CSV saved
from one; or JSON of account_info, history_deals_get, history_orders_get, orders_get, positions_get
or symbols_get: _asdict(), tuples, JSON Lines, pandas' to_json(). A report opens its account, or
finds it; a file's kind is told from its contents. All files are read before the first is
stored, and loading again changes nothing.
"""

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import Progress

from rubi.cli import Failure, console, errors, moment, new_app, run, step
from rubi.connecting import Dsn, session
from rubi.mt5.dumps import ORDER
from rubi.mt5.loading import Loader, read
from rubi.mt5.report import Report
from rubi.mt5.words import Words

app = new_app(__doc__)


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(help="dumps and reports", metavar="FILE…")],
    user: Annotated[str, typer.Option(help="owner of the account: id, email or username")] = "",
    account: Annotated[int, typer.Option(help="id in mt5_accounts, without account_info")] = 0,
    server_clock: Annotated[
        str,
        typer.Option(
            "--server-clock",
            "--clock",
            help="clock of a server that has no rule yet: NY+7, UTC+3, Europe/Athens",
        ),
    ] = "",
    word: Annotated[
        list[str] | None, typer.Option(help="what a report's word means: 'achat=buy'; repeatable")
    ] = None,
    kind: Annotated[str, typer.Option(help=f"what JSON files hold: {', '.join(ORDER)}")] = "",
    taken_at: Annotated[
        str, typer.Option(help="when account, positions and symbols were read; else the file's age")
    ] = "",
    dry_run: Annotated[bool, typer.Option(help="count everything, store nothing")] = False,
    dsn: Dsn = "",
) -> None:
    """Load FILES; the exit code is 1 when a row was rejected."""
    if kind and kind not in ORDER:
        raise typer.BadParameter(f"{kind} is none of {', '.join(ORDER)}", param_hint="--kind")
    at = moment(taken_at, "--taken-at") if taken_at else None
    try:
        words = Words(word)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--word") from error
    with step("files read", silent=True):
        found = [read(path, kind or None, words) for path in files]
    reports = [item for item in found if isinstance(item, Report)]
    loads = [one for item in found if not isinstance(item, Report) for one in item]
    has_account = any(one.kind == "account" for one in loads)
    if loads and not account and not has_account:
        raise Failure("which account? name it with --account, or load account_info with --user", 2)
    if has_account and not user:
        raise Failure("account_info needs its owner: name them with --user", 2)

    with (
        session(dsn, "load_mt5") as connection,
        connection.transaction(force_rollback=True) if dry_run else nullcontext(),
        connection.transaction(),
        Progress(console=console, disable=not console.is_terminal) as progress,
    ):
        loader = Loader(connection, user, account, server_clock, at, dsn)
        if loads:
            loader.load(loads, progress)
        try:
            for report in reports:
                loader.book(report)
        except Failure as error:
            rest = f"; of these {len(files)} files none was stored" if len(files) > 1 else ""
            raise Failure(f"{error}{rest}", error.code) from error
    if dry_run:
        console.print("dry run: no row was stored")
    if loader.rejected:
        errors.print(f"{loader.rejected:,} rows were rejected")
        raise typer.Exit(1)


if __name__ == "__main__":
    run(app)
