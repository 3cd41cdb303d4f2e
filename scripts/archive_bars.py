"""Archives expired bars to Parquet, proves the files, and brings them back.

TARGET is a folder or a URI of Arrow's file systems, such as s3://bucket/bars (credentials and
endpoint as AWS_* variables say, or ?endpoint_override=…&region=… in the URI). The layout is Hive's:
symbol=…/timeframe=…/month=YYYY-MM/bars.parquet. A file counts as an archive only after it was read
back and found equal to the table; SQL's CALL drop_expired_bars() drops nothing else.
"""

from __future__ import annotations

from typing import Annotated

import typer

from rubi.bars import arrow
from rubi.bars.archive import Store, archive_month, check, connect, measures, noted, proved
from rubi.cli import Failure, console, new_app, run
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
    database computes. Only then it is noted in market_archives. A month that was dropped is kept
    as it lies there: bars that came later would be all that is left of it.
    """
    if (symbol is None) != (timeframe is None):
        raise typer.BadParameter("give --symbol and --timeframe, or neither")
    store = Store(target)
    bars = files = 0
    with connect(dsn) as connection:
        if symbol is None:
            connection.execute("SELECT fold_bar_changes()")
            months = connection.execute(
                "SELECT e.symbol, e.timeframe, e.month FROM expired_bar_months() AS e"
                " LEFT JOIN market_archives AS a USING (symbol, timeframe, month)"
                " WHERE to_char(e.month, 'YYYY-MM') BETWEEN %s AND %s ORDER BY 3, 1, 2",
                [since, until],
            ).fetchall()
        else:
            months = connection.execute(
                "SELECT DISTINCT %s, %s, date_trunc('month', timestamp AT TIME ZONE 'UTC')::date"
                " FROM market_data WHERE symbol = %s AND timeframe = %s"
                " AND to_char(timestamp, 'YYYY-MM') BETWEEN %s AND %s ORDER BY 3",
                [symbol, timeframe, symbol, timeframe, since, until],
            ).fetchall()
        gone = set(
            connection.execute(
                "SELECT symbol, timeframe, month FROM market_archives WHERE dropped_at IS NOT NULL"
            )
        )
        going = set(
            connection.execute("SELECT symbol, timeframe, month FROM internal.expired_bars")
        )
        late = [one for one in months if one in gone - going]
        for series, frame, month in (one for one in months if one not in gone):
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                bars += archive_month(connection, store, series, frame, month)
            files += 1
            if console.is_terminal:
                console.print(f"  {series} {frame} {month:%Y-%m}", markup=False)
    console.print(
        f"{files} months, {bars:,} bars archived and read back" if files else "nothing due"
    )
    if late:
        series, frame, month = late[0]
        raise Failure(
            f"{series} {frame} {month:%Y-%m} ({len(late)} in all) was archived and dropped, and has"
            " bars again: delete them, restore the month, load them again, then archive it"
        )


@app.command()
def verify(target: Target, dsn: Dsn = "") -> None:
    """Read all archives again. A damaged one whose bars are still here loses its note."""
    store = Store(target)
    damaged = 0
    with connect(dsn) as connection:
        archives = noted(connection, "TRUE", [])
        for archive in archives:
            damaged += not check(connection, store, archive)
    console.print(f"{len(archives) - damaged} of {len(archives)} archives are as they were written")
    if damaged:
        raise typer.Exit(1)


@app.command()
def drop(target: Target, dsn: Dsn = "") -> None:
    """Verify the archives of what is about to go, then CALL drop_expired_bars().

    One damaged archive stops it before anything is dropped. To be run as the owner of market_data.
    """
    store = Store(target)
    with connect(dsn) as connection:
        connection.add_notice_handler(lambda notice: console.print(f"  {notice.message_primary}"))
        archives = noted(connection, "dropped_at IS NULL", [])
        whole = [check(connection, store, archive) for archive in archives]
        if not all(whole):
            raise Failure(f"{whole.count(False)} archives are damaged: nothing was dropped")
        connection.execute("SET client_min_messages = notice")
        connection.execute("CALL public.drop_expired_bars()")
    console.print(f"{len(archives)} archives verified")


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
    store = Store(target)
    count = 0
    with connect(dsn) as connection:
        archives = noted(
            connection,
            "symbol = %s AND timeframe = %s AND to_char(month, 'YYYY-MM') BETWEEN %s AND %s",
            [symbol, timeframe, since, until],
        )
        if not archives:
            raise Failure(f"no archive of {symbol} {timeframe} is noted for that time")
        for archive in archives:
            table = proved(store, archive)
            with connection.transaction():
                count += arrow.stage(connection, table)
                here = measures(connection, *archive[:3])
                if here != (*archive[5:8], archive[8] if archive[8] is not None else here[3]):
                    raise Failure(
                        f"{symbol} {timeframe} {archive[2]:%Y-%m}: the table has other bars of this"
                        " month; delete them first"
                    )
                connection.execute(
                    "UPDATE market_archives SET dropped_at = NULL"
                    " WHERE symbol = %s AND timeframe = %s AND month = %s",
                    archive[:3],
                )
    console.print(f"{len(archives)} months, {count:,} bars restored")


if __name__ == "__main__":
    run(app)
