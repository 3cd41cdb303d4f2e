"""The work of archive_bars.py: months written, verified, dropped, restored."""

from datetime import date
from typing import Any, NamedTuple

import psycopg
import pyarrow as pa
from psycopg.rows import namedtuple_row

from rubi.bars import arrow
from rubi.bars.archive import Store, drop, find_damaged, read
from rubi.cli import Failure, console
from rubi.connecting import session
from rubi.queries import queries

SQL = queries(__file__)
ALWAYS = {"symbol": None, "timeframe": None, "since": "0001-01", "until": "9999-12"}


def connect(dsn: str) -> psycopg.Connection:
    return session(dsn, "archive_bars", row_factory=namedtuple_row)


def shown(month: NamedTuple) -> str:
    return f"{month.symbol} {month.timeframe} {month.month:%Y-%m}"


def bounds(month: date) -> tuple[str, str]:
    """The month's first moment and the next one's, UTC."""
    after = date(month.year + month.month // 12, month.month % 12 + 1, 1)
    return f"{month} 00:00+00", f"{after} 00:00+00"


def archive_month(connection: psycopg.Connection, store: Store, month: NamedTuple) -> int:
    """Write, read back, compare and note one month; answers the number of bars."""
    symbol, timeframe, location = month.symbol, month.timeframe, store.location(*month[:3])
    if connection.execute(SQL.IS_GONE, month._asdict()).rowcount:
        # began since we looked; our snapshot may have the rest of the month
        raise Failure(f"{shown(month)} is being dropped: run this again")
    table = arrow.read_range(connection, symbol, timeframe, *bounds(month.month))
    # stored in the file, too, DuckDB would see what the path says twice
    store.put(location, table.drop_columns(["symbol", "timeframe"]))
    again, sha256 = read(store, location, symbol, timeframe)
    here = connection.execute(SQL.MEASURES, month._asdict()).fetchone()
    if not again.equals(table) or arrow.sums(again) != here[:3]:
        raise Failure(f"{location}: the bars read back differ from those written")
    noted = {"location": location, "sha256": sha256, **here._asdict()}
    connection.execute(SQL.NOTE, month._asdict() | noted)
    return table.num_rows


def write_months(
    target: str, dsn: str, symbol: str | None, timeframe: str | None, since: str, until: str
) -> None:
    """Archive the months that are due and print them. Raises Failure for months that came back."""
    store = Store(target)
    wanted = {"symbol": symbol, "timeframe": timeframe, "since": since, "until": until}
    with connect(dsn) as connection:
        if symbol is None:
            connection.execute("SELECT fold_bar_changes()")
        months = connection.execute(SQL.MONTHS, wanted).fetchall()
        bars = files = 0
        for month in (one for one in months if not one.is_gone):
            with connection.transaction():
                connection.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
                # another writer would write into the same file, or note another one
                connection.execute("LOCK TABLE market_archives IN SHARE ROW EXCLUSIVE MODE")
                bars += archive_month(connection, store, month)
            files += 1
            if console.is_terminal:
                console.print(f"  {shown(month)}")
    console.print(
        f"{files} months, {bars:,} bars archived and read back" if files else "nothing due"
    )
    if late := [one for one in months if one.is_gone and not one.is_going]:
        raise Failure(
            f"{shown(late[0])} ({len(late)} in all) was archived and dropped, and has bars again:"
            " delete them, restore the month, load them again, then archive it"
        )


def proved(store: Store, note: NamedTuple) -> pa.Table:
    """The bars of a noted archive. Raises Failure when the file is not what was noted."""
    table, found = read(store, note.location, note.symbol, note.timeframe)
    noted = note.bars, note.price_sum, note.volume_sum
    if found != note.sha256 or arrow.sums(table) != noted:
        raise Failure(f"{note.location}: is not the file that was archived")
    return table


def verify(connection: psycopg.Connection, store: Store, notes: list[Any]) -> tuple[int, int]:
    """Read noted archives again: how many are whole, and how many there are."""
    damaged = find_damaged(notes, lambda note: proved(store, note))
    for note in damaged:
        connection.execute(SQL.FORGET, note._asdict())
    return len(notes) - len(damaged), len(notes)


def verify_all(target: str, dsn: str) -> tuple[int, int]:
    """Read all archives again; answers how many are whole, and how many there are."""
    with connect(dsn) as connection:
        notes = connection.execute(SQL.NOTED, ALWAYS).fetchall()
        return verify(connection, Store(target), notes)


def drop_expired(target: str, dsn: str) -> int:
    """Verify the archives of expired months, then let the database drop these months."""
    with connect(dsn) as connection:
        notes = connection.execute(SQL.NOTED, ALWAYS).fetchall()
        here = [note for note in notes if note.dropped_at is None]
        whole, count = verify(connection, Store(target), here)
        drop(connection, whole, count, "CALL public.drop_expired_bars()")
    return count


def restore_months(
    target: str, dsn: str, symbol: str, timeframe: str, since: str, until: str
) -> tuple[int, int]:
    """Bring archived months of a series back; answers months and bars that were missing."""
    store = Store(target)
    wanted = {"symbol": symbol, "timeframe": timeframe, "since": since, "until": until}
    count = 0
    with connect(dsn) as connection:
        notes = connection.execute(SQL.NOTED, wanted).fetchall()
        if not notes:
            raise Failure(f"no archive of {symbol} {timeframe} is noted for that time")
        for note in notes:
            table = proved(store, note)
            with connection.transaction():
                count += arrow.stage(connection, table)
                here = connection.execute(SQL.MEASURES, note._asdict()).fetchone()
                was = [getattr(note, name) for name in here._fields]
                # an older note has no hash
                if here[:3] != tuple(was[:3]) or was[3] not in (None, here.row_hash):
                    raise Failure(
                        f"{shown(note)}: the table has other bars of this month; delete them first"
                    )
                connection.execute(SQL.RESTORED, note._asdict())
    return len(notes), count
