"""The work of archive_bars.py: months written, verified, dropped, restored."""

import psycopg

from rubi.bars import arrow
from rubi.bars.archive import Store, archive_month, measures, noted, proved, verify
from rubi.cli import Failure, console
from rubi.connecting import session


def months_of(
    connection: psycopg.Connection, symbol: str | None, timeframe: str | None, since: str,
    until: str,
) -> list[tuple]:  # fmt: skip
    """Series and months to archive: the expired ones, or all of one series."""
    if symbol is None:
        connection.execute("SELECT fold_bar_changes()")
        return connection.execute(
            "SELECT e.symbol, e.timeframe, e.month FROM expired_bar_months() AS e"
            " LEFT JOIN market_archives AS a USING (symbol, timeframe, month)"
            " WHERE to_char(e.month, 'YYYY-MM') BETWEEN %s AND %s ORDER BY 3, 1, 2",
            [since, until],
        ).fetchall()
    return connection.execute(
        "SELECT DISTINCT %s, %s, date_trunc('month', timestamp AT TIME ZONE 'UTC')::date"
        " FROM market_data WHERE symbol = %s AND timeframe = %s"
        " AND to_char(timestamp, 'YYYY-MM') BETWEEN %s AND %s ORDER BY 3",
        [symbol, timeframe, symbol, timeframe, since, until],
    ).fetchall()


def write_months(
    target: str, dsn: str, symbol: str | None, timeframe: str | None, since: str, until: str
) -> None:
    """Archive the months that are due and print them. Raises Failure for months that came back."""
    store = Store(target)
    bars = files = 0
    with session(dsn, "archive_bars") as connection:
        months = months_of(connection, symbol, timeframe, since, until)
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
                # another writer would write into the same file, or note another one
                connection.execute("LOCK TABLE market_archives IN SHARE ROW EXCLUSIVE MODE")
                bars += archive_month(connection, store, series, frame, month)
            files += 1
            if console.is_terminal:
                console.print(f"  {series} {frame} {month:%Y-%m}")
    console.print(
        f"{files} months, {bars:,} bars archived and read back" if files else "nothing due"
    )
    if late:
        series, frame, month = late[0]
        raise Failure(
            f"{series} {frame} {month:%Y-%m} ({len(late)} in all) was archived and dropped, and has"
            " bars again: delete them, restore the month, load them again, then archive it"
        )


def verify_all(target: str, dsn: str) -> tuple[int, int]:
    """Read all archives again; answers how many are whole, and how many there are."""
    store = Store(target)
    with session(dsn, "archive_bars") as connection:
        return verify(connection, store, "TRUE")


def drop_expired(target: str, dsn: str) -> int:
    """Verify the archives of expired months, then let the database drop these months."""
    store = Store(target)
    with session(dsn, "archive_bars") as connection:
        connection.add_notice_handler(lambda notice: console.print(f"  {notice.message_primary}"))
        whole, count = verify(connection, store, "dropped_at IS NULL")
        if whole < count:
            raise Failure(f"{count - whole} archives are damaged: nothing was dropped")
        connection.execute("SET client_min_messages = notice")
        connection.execute("CALL public.drop_expired_bars()")
    return count


def restore_months(
    target: str, dsn: str, symbol: str, timeframe: str, since: str, until: str
) -> tuple[int, int]:
    """Bring archived months of a series back; answers months and bars that were missing."""
    store = Store(target)
    count = 0
    with session(dsn, "archive_bars") as connection:
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
    return len(archives), count
