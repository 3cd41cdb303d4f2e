"""Archives expired bars to Parquet, proves the files, and brings them back.

TARGET is a folder or a URI of Arrow's file systems, such as s3://bucket/bars (credentials and
endpoint as AWS_* variables say, or ?endpoint_override=…&region=… in the URI). The layout is Hive's:
symbol=…/timeframe=…/month=YYYY-MM/bars.parquet. A file counts as an archive only after it was read
back and found equal to the table; SQL's CALL drop_expired_bars() drops nothing else.
"""

from typing import Annotated

import typer

from rubi.cli import console, new_app, run, step
from rubi.connecting import Dsn

app = new_app(__doc__)
Target = Annotated[str, typer.Argument(help="folder, or URI such as s3://bucket/path")]


@app.command()
def write(
    target: Target,
    symbol: Annotated[str | None, typer.Option(help="this series instead of expired ones")] = None,
    timeframe: Annotated[str | None, typer.Option()] = None,
    since: Annotated[str, typer.Option("--from", help="first month, 2024-01")] = "0001-01",
    until: Annotated[str, typer.Option("--to", help="last month, 2024-12")] = "9999-12",
    dsn: Dsn = "",
) -> None:
    """Archive months that market_retention lets expire, or those of one series.

    Each is written, read back and compared: row for row with what was read, and with the sums the
    database computes. Only then it is noted in market_archives. The file of a dropped month stays
    as it is: the table may hold only bars that came later.
    """
    if (symbol is None) != (timeframe is None):
        raise typer.BadParameter("give --symbol and --timeframe, or neither")
    from rubi.bars import archiving

    archiving.write_months(target, dsn, symbol, timeframe, since, until)


@app.command()
def verify(target: Target, dsn: Dsn = "") -> None:
    """Read all archives again. A damaged one whose bars are still here loses its note."""
    from rubi.bars import archiving

    with step("archives read again", silent=True):
        whole, count = archiving.verify_all(target, dsn)
    console.print(f"{whole} of {count} archives are as they were written")
    if whole < count:
        raise typer.Exit(1)


@app.command()
def drop(target: Target, dsn: Dsn = "") -> None:
    """Verify the archives of what is about to go, then CALL drop_expired_bars().

    One damaged archive stops it before anything is dropped. To be run as the owner of market_data.
    """
    from rubi.bars import archiving

    with step("archives read again, bars dropped", silent=True):
        count = archiving.drop_expired(target, dsn)
    console.print(f"{count} archives verified")


@app.command()
def restore(
    target: Target,
    symbol: Annotated[str, typer.Option()],
    timeframe: Annotated[str, typer.Option()],
    since: Annotated[str, typer.Option("--from", help="first month, 2024-01")] = "0001-01",
    until: Annotated[str, typer.Option("--to", help="last month, 2024-12")] = "9999-12",
    dsn: Dsn = "",
) -> None:
    """Bring archived months of a series back, and compare their sums with the archive's."""
    from rubi.bars import archiving

    months, bars = archiving.restore_months(target, dsn, symbol, timeframe, since, until)
    console.print(f"{months} months, {bars:,} bars restored")


if __name__ == "__main__":
    run(app)
