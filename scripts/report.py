"""A trader's report: one page that needs no network, from the database's own views.

Reads as any role that may read results (rubi_readonly, rubi_app), in one read-only transaction.
png and pdf need the extra `pictures` and a Chromium (scripts/chromium.py gets one).
"""

from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated

import typer

from rubi.cli import Failure, console, moment, new_app, replacing, run, step
from rubi.connecting import Dsn
from rubi.reporting.writing import Format, as_picture, make_page

app = new_app(__doc__)


@app.command()
def write(
    user: Annotated[str, typer.Option(help="Username, e-mail address or id")],
    out: Annotated[Path, typer.Option(help="File to write")],
    strategy: Annotated[str | None, typer.Option(help="Name or id: its trades only")] = None,
    account: Annotated[str | None, typer.Option(help="Number or id: its trades only")] = None,
    from_: Annotated[
        str | None, typer.Option("--from", help="First day (UTC); without it the first known")
    ] = None,
    to: Annotated[
        str | None, typer.Option(help="First day after (UTC); without it after the last known")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option(help="Candles of this symbol; without it of those traded most")
    ] = None,
    risk_free: Annotated[str, typer.Option(help="Annual rate, 0.02 is two percent")] = "0",
    format: Annotated[Format, typer.Option(help="Kind of file")] = Format.html,
    width: Annotated[int, typer.Option(min=320, max=4000, help="Of the png, pixels")] = 1400,
    dark: Annotated[bool, typer.Option("--dark", help="The png in dark colours")] = False,
    dsn: Dsn = "",
) -> None:
    """Write a report; prints the file's name."""
    try:
        rate = Decimal(risk_free)
    except InvalidOperation as error:
        raise typer.BadParameter(
            f"{risk_free} is no number; 0.02 is two percent", param_hint="--risk-free"
        ) from error
    start = moment(from_, "--from") if from_ else None
    end = moment(to, "--to") if to else None
    if out.is_dir() or not out.absolute().parent.is_dir():
        raise Failure(f"{out} can't be written: give a file in a folder that exists")
    with step("report read", silent=True):
        page = make_page(
            dsn, user, strategy=strategy, account=account, start=start, end=end, symbol=symbol,
            risk_free=rate,
        )  # fmt: skip
    with replacing(out) as new:
        if format == Format.html:
            new.write_text(page, encoding="utf-8")
        else:
            with step("page drawn", silent=True):
                as_picture(page, format, new, width, dark)
    console.print(f"wrote {out}")


if __name__ == "__main__":
    run(app)
