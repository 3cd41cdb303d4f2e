"""Writes bars of market_data to Parquet, CSV or an Arrow stream, in the order of time.

Prices are exact decimals in all of them. OUTPUT is a file, or - for standard output.
"""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Literal

import typer

from rubi.cli import Failure, errors, new_app, run
from rubi.connecting import Dsn

FORMATS = {".parquet": "parquet", ".csv": "csv", ".arrow": "arrow", ".arrows": "arrow"}

app = new_app(__doc__)


@app.command()
def export(
    output: Annotated[str, typer.Argument(help="file, or - for standard output")],
    symbol: Annotated[list[str], typer.Option(help="may be given several times")],
    timeframe: Annotated[str, typer.Option(help="M1 to MN1")],
    since: Annotated[str, typer.Option("--from", help="first time, UTC")] = "-infinity",
    until: Annotated[str, typer.Option("--to", help="first time not wanted, UTC")] = "infinity",
    format: Annotated[
        Literal["parquet", "csv", "arrow"] | None, typer.Option(help="else from the file's name")
    ] = None,
    dsn: Dsn = "",
) -> None:
    """Export bars. Exit code 1 when there are none."""
    chosen = format or FORMATS.get(Path(output).suffix.lower())
    if not chosen:
        raise typer.BadParameter("the name does not tell the format: give --format")
    if output == "-" and sys.stdout is None:
        raise Failure("standard output is closed")
    from rubi.bars.exporting import write_bars

    count = write_bars(output, chosen, symbol, timeframe, since, until, dsn)
    errors.print(f"{count:,} bars written {datetime.now(UTC):%H:%M:%S}")


if __name__ == "__main__":
    run(app)
