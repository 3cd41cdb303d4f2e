"""Real bars of a package and the calendar of their days, as the demo and the tests load them."""

import csv
import importlib.util
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg

from rubi.cli import Failure


@dataclass(frozen=True)
class Market:
    """A series of the package and how the demo trades it. contract: units of one lot."""

    symbol: str
    timeframe: str
    duration: timedelta
    contract: int
    volume: Decimal
    commission: Decimal  # of a round trip, account currency, a charge is negative
    fast: int
    slow: int
    calendar: str = "forex"  # whose days have a bar


MARKETS = (
    Market("EURUSD", "H1", timedelta(hours=1), 100_000, Decimal("0.1"), Decimal("-0.70"), 20, 100),
    Market("GOOG", "D1", timedelta(days=1), 1, Decimal(10), Decimal(0), 20, 60, "new-york-days"),
    Market("BTCUSD", "MN1", timedelta(days=31), 1, Decimal("0.1"), Decimal(0), 3, 12),
)


@dataclass(frozen=True)
class Bar:
    """A bar; prices exactly as the file spells them, timestamp of opening in UTC."""

    market: Market
    timestamp: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: int


def read_bars(market: Market) -> list[Bar]:
    """The bars of one series from the installed package. Raises Failure where it is unreadable."""
    spec = importlib.util.find_spec("backtesting")
    if spec is None or not spec.submodule_search_locations:
        raise Failure("the package backtesting is not installed: remove .venv and run again")
    path = Path(spec.submodule_search_locations[0], "test", f"{market.symbol}.csv")
    bars = []
    try:
        with path.open(newline="", encoding="utf-8") as file:
            for number, row in enumerate(csv.reader(file), 1):
                if number == 1:
                    continue
                time = datetime.fromisoformat(row[0]).replace(tzinfo=UTC)
                if market.timeframe == "MN1":  # the file names a month by its last day
                    time = time.replace(day=1)
                prices = [Decimal(text) for text in row[1:5]]
                bars.append(Bar(market, time, *prices, volume=round(Decimal(row[5]))))
    except (OSError, ValueError, IndexError, ArithmeticError) as error:
        raise Failure(f"{path.name} of the package backtesting is unreadable: {error}") from error
    return bars


def load_bars(connection: psycopg.Connection, bars: list[Bar]) -> int:
    """Insert bars that are not there yet, in one statement; answers how many."""
    columns = [
        [bar.market.symbol for bar in bars],
        [bar.market.timeframe for bar in bars],
        *(
            [getattr(bar, name) for bar in bars]
            for name in Bar.__dataclass_fields__
            if name != "market"
        ),
    ]
    return connection.execute(
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
        " SELECT * FROM unnest(%s::text[], %s::text[], %s::timestamptz[], %s::numeric[],"
        " %s::numeric[], %s::numeric[], %s::numeric[], %s::bigint[])"
        " ON CONFLICT DO NOTHING",
        columns,
    ).rowcount


def load_calendar(connection: psycopg.Connection, bars: list[Bar]) -> None:
    """Say when a share's daily bars are to be there; forex is there already.

    A daily bar of the file stands for a whole day of UTC, so the calendar is open all day.
    """
    market = bars[0].market
    if market.calendar == "forex":
        return
    from rubi.bars.holidays import NewYorkDays  # pandas: half a second, and 90 MB

    first, last = (bars[end].timestamp.replace(tzinfo=None) for end in (0, -1))
    days = NewYorkDays().holidays(first, last, return_name=True)
    connection.execute(
        "INSERT INTO market_calendar_clocks (calendar) VALUES (%s) ON CONFLICT DO NOTHING",
        [market.calendar],
    )
    connection.execute(
        "INSERT INTO market_sessions (calendar, weekday, opens, closes)"
        " SELECT %s, weekday, '0 hours', '24 hours' FROM generate_series(1, 5) AS d (weekday)"
        " ON CONFLICT DO NOTHING", [market.calendar],
    )  # fmt: skip
    connection.execute(
        "INSERT INTO market_holidays (calendar, day, name)"
        " SELECT %s, * FROM unnest(%s::date[], %s::text[]) ON CONFLICT DO NOTHING",
        [market.calendar, [day.date() for day in days.index], list(days)],
    )
    connection.execute(
        "INSERT INTO market_calendars (symbol, calendar) VALUES (%s, %s) ON CONFLICT DO NOTHING",
        [market.symbol, market.calendar],
    )
