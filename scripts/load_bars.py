"""Loads files of bars or ticks into market_data or market_ticks.

Understands what MT5, MT4, HistData, Dukascopy, Yahoo, Stooq, Finam, TradingView, CryptoDataDownload
and Binance write, and CSV with a header; UTF-8 or UTF-16; also in gzip or zip. The command asks for
a fact that form, lines and database leave open; docs/guides/market-data.md has the table of
forms.

All files are checked before the first is loaded. A file is loaded whole or not at all, so loading
can be interrupted and repeated. Lines that break a rule are written, with number and reason, to
FILE.rejected.tsv; the others are loaded, and the exit code is 1.
"""

from pathlib import Path
from typing import Annotated, Literal

import typer

from rubi import server_clock
from rubi.bars.files import TIMEFRAMES
from rubi.bars.layouts import Options
from rubi.bars.loading import load_all
from rubi.cli import new_app, run
from rubi.connecting import Dsn

Comma = Annotated[
    bool | None,
    typer.Option(
        "--decimal-comma/--decimal-point",
        help="what 38,123 is, where no number tells: 38.123 or 38123",
        show_default=False,
    ),
]
app = new_app(__doc__)


@app.command()
def load(
    files: Annotated[list[Path], typer.Argument(help="files to load", show_default=False)],
    symbol: Annotated[
        str | None, typer.Option(help="else from the file's name or its lines")
    ] = None,
    timeframe: Annotated[
        str | None, typer.Option(help="M1 to MN1, else from the name or the lines")
    ] = None,
    clock: Annotated[
        str | None,
        typer.Option(
            "--clock",
            "--server-clock",
            help="clock of the file's times: a time zone and hours it is ahead, such as"
            " America/New_York+7 (short NY+7), Europe/Athens, UTC+3; else its maker's, the rule"
            " of --source, or the clock of the series",
        ),
    ] = None,
    day_clock: Annotated[
        str | None,
        typer.Option(help="clock at whose midnight days begin, where times go by another"),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(help="who delivered the bars, such as a trade server; a series has one"),
    ] = None,
    dates: Annotated[
        Literal["ymd", "dmy", "mdy"] | None, typer.Option(help="order of day, month and year")
    ] = None,
    volume: Annotated[
        Literal["real", "round"] | None,
        typer.Option(
            help="a volume with decimals: kept exactly as real_volume, or rounded to whole units"
        ),
    ] = None,
    ticker: Annotated[
        str | None, typer.Option(help="load lines of this symbol only, from a file of several")
    ] = None,
    columns: Annotated[
        str | None,
        typer.Option(help="names of the columns where no header tells, - leaves one out"),
    ] = None,
    decimal_comma: Comma = None,
    on_conflict: Annotated[
        Literal["skip", "update", "error"],
        typer.Option(help="where a bar is there already: keep it, replace it, or stop"),
    ] = "skip",
    dsn: Dsn = "",
) -> None:
    """Load files. Exit code 1 when a file or any line could not be loaded."""
    if timeframe is not None and (timeframe := timeframe.upper()) not in TIMEFRAMES:
        raise typer.BadParameter(f"{timeframe}: one of {', '.join(TIMEFRAMES)}")
    names = [name.strip() for name in columns.split(",")] if columns else None
    named = [server_clock.whole_name(name) if name else None for name in (clock, day_clock)]
    of_forms = (names, dates, volume, ticker, decimal_comma)
    options = Options(*of_forms, symbol, timeframe, *named, source)
    if not load_all(dsn, files, options, on_conflict):
        raise typer.Exit(1)


if __name__ == "__main__":
    run(app)
