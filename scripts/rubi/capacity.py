"""Rows that a platform writes, the growth of its database, and the limit that is hit first."""

from dataclasses import dataclass
from math import log10
from typing import Annotated, Any, NamedTuple

import typer

GIB = 2**30
DAY = 86400


class Cost(NamedTuple):
    """Size of a row, bytes."""

    table: float
    indexes: float
    wal: float
    """Without full-page images."""


# benchmarks/row_sizes.py prints these lines; bytes of signals, orders and of what follows from them
# are what days 41 to 80 of benchmarks/year.py added a row, with autovacuum: first pages are not. A
# claim's has its row of mt5_order_sends with it, a trip's that of internal.proved_positions, a
# deal's WAL that of trips and audit; the queue of signals is emptied each minute, so that of it
# only the WAL counts; a journal's entry has its tag.
COSTS = {
    "market_ticks": Cost(92, 68, 231),
    "market_data": Cost(101, 68, 260),
    "account_snapshots": Cost(110, 75, 328),
    "trading_signals": Cost(236, 329, 1629),
    "trading_orders": Cost(220, 430, 1433),
    "mt5_orders": Cost(910, 64, 1618),
    "trading_deals": Cost(585, 137, 2960),
    "mt5_trips": Cost(455, 232, 0),
    "audit.changes": Cost(239, 72, 0),
    "performance_metrics": Cost(1380, 165, 2248),
    "mt5_events": Cost(346, 142, 547),
    "mt5_tick_values": Cost(112, 68, 250),
    "mt5_first_stops": Cost(77, 68, 227),
    "signal_claims": Cost(985, 461, 5331),
    "journal_entries": Cost(359, 196, 1864),
    "position updates": Cost(0, 0, 242),
}
# Rows of these go to hypertables: days a chunk.
CHUNKS = {"market_ticks": 7, "market_data": 30, "account_snapshots": 7, "mt5_events": 7}
# Rows that are old enough by monitoring.lifecycle leave by whole chunks, or months: days.
UNITS = {"market_ticks": 7, "market_data": 30, "mt5_events": 31, "audit.changes": 31}
# Chunks that cluster_closed_chunks() has written in the order of their key have dense indexes.
CLUSTERED = {"market_ticks": Cost(85, 37, 0), "market_data": Cost(108, 29, 0)}
# A chunk is clustered when it has been closed for a week, by a job of each week: days, on average.
UNTIL_CLUSTERED = 7 + 3.5
# Thinned snapshots lie in chunks that are written again, without gaps and with full pages.
THINNED = {"hour": Cost(102, 53, 0), "day": Cost(106, 76, 0)}


def option(least: float, text: str = "") -> Any:
    """A field that is an option of the command, with its least value and what it counts."""
    return typer.Option(min=least, help=text or None)


@dataclass(frozen=True)
class Platform:
    """The incoming rows, and the server that takes them: the options of scripts/capacity.py."""

    accounts: Annotated[int, option(0)] = 500
    symbols: Annotated[int, option(0)] = 100
    ticks: Annotated[int, option(0, "a symbol and day")] = 50_000
    snapshot_seconds: Annotated[float, option(0.1)] = 60
    signals: Annotated[float, option(0, "an account and day")] = 20
    orders: Annotated[float, option(0, "an account and day")] = 10
    events: Annotated[float, option(0, "of mt5_events, an account and day: never a price")] = 100
    rates: Annotated[float, option(0, "symbols an account with a rate between: a row an hour")] = 5
    notes: Annotated[float, option(0, "of the journal, an account and day")] = 2
    positions: Annotated[float, option(0, "open, an account")] = 3
    update_seconds: Annotated[float, option(0.01, "between two prices of an open position")] = 1
    # both editions drop what scripts/archive.py has proved
    keep_ticks: Annotated[int, option(0, "days; 0 for ever")] = 90
    keep_bars: Annotated[int, option(0, "days; 0 for ever")] = 0
    keep_events: Annotated[int, option(0, "days; 0 for ever")] = 365
    keep_snapshots: Annotated[int, option(0, "days in full; 0 for ever")] = 30
    keep_hourly: Annotated[int, option(0, "days, then one day's extremes")] = 180
    api: Annotated[int, option(0, "processes of the API")] = 4
    pool: Annotated[int, option(1, "connections of each")] = 20
    memory: Annotated[float, option(0.5, "GiB")] = 8
    disk: Annotated[float, option(1, "GiB")] = 100
    connections: Annotated[int, option(10, "max_connections")] = 200
    write_mib: Annotated[float, option(1, "MiB of WAL a second that disk and replica take")] = 60
    # of its user and of its strategy
    results: Annotated[float, option(0, "rows of performance_metrics, an account and night")] = 2


class Limit(NamedTuple):
    name: str
    used: float
    text: str
    then: str


def rows_a_day(platform: Platform) -> dict[str, float]:
    return {
        "market_ticks": platform.symbols * platform.ticks,
        "market_data": platform.symbols * 1440,
        "account_snapshots": platform.accounts * DAY / platform.snapshot_seconds,
        "trading_signals": platform.accounts * platform.signals,
        "trading_orders": platform.accounts * platform.orders,
        "mt5_orders": platform.accounts * platform.orders * 2,
        "trading_deals": platform.accounts * platform.orders * 2,
        "mt5_trips": platform.accounts * platform.orders,
        "audit.changes": platform.accounts * platform.orders * 2,
        "performance_metrics": platform.accounts * platform.results,
        "mt5_events": platform.accounts * platform.events,
        "mt5_tick_values": platform.accounts * platform.rates * 24,
        "mt5_first_stops": platform.accounts * platform.orders,
        "signal_claims": platform.accounts * platform.signals,
        "journal_entries": platform.accounts * platform.notes,
        "position updates": platform.accounts * platform.positions * DAY / platform.update_seconds,
    }


def bytes_a_day(platform: Platform) -> dict[str, float]:
    return {
        name: rows * (COSTS[name].table + COSTS[name].indexes)
        for name, rows in rows_a_day(platform).items()
    }


def kept_of(level: str, rows: float) -> float:
    """Rows that thinning leaves of an hour's or a day's: more extremes are rows of their own, the
    more there are. Measured on random walks of 6, 60 and 360 an hour."""
    if rows <= 1:
        return rows
    return min(rows, 2.0 + 2.0 * log10(rows) if level == "hour" else 2.0 + 3.75 * log10(rows))


def snapshots_after(platform: Platform, days: int) -> dict[str, float]:
    """Snapshots after some days: in full, thinned to the hour, thinned to the day."""
    a_day = DAY / platform.snapshot_seconds
    full = min(days, platform.keep_snapshots + 1) if platform.keep_snapshots else days
    hourly = min(days - full, platform.keep_hourly - platform.keep_snapshots)
    left = {
        "full": full * a_day,
        "hour": hourly * 24 * kept_of("hour", a_day / 24),
        "day": (days - full - hourly) * kept_of("day", a_day),
    }
    return {level: rows * platform.accounts for level, rows in left.items()}


def rows_after(platform: Platform, days: int) -> dict[str, float]:
    """Rows by table after some days, what has left by monitoring.lifecycle not among them."""
    kept = {
        "market_ticks": platform.keep_ticks,
        "market_data": platform.keep_bars,
        "mt5_events": platform.keep_events,
        "audit.changes": platform.keep_events,
    }
    left = {
        # half a unit more than the retention stays: at most a whole one
        name: rows * min(days, kept[name] + UNITS[name] / 2 if kept.get(name) else days)
        for name, rows in rows_a_day(platform).items()
    }
    return left | {"account_snapshots": sum(snapshots_after(platform, days).values())}


def table_bytes_after(platform: Platform, days: int) -> dict[str, float]:
    """Bytes by table after some days, with indexes."""
    sizes = {
        name: rows * (COSTS[name].table + COSTS[name].indexes)
        for name, rows in rows_after(platform, days).items()
    }
    for name, dense in CLUSTERED.items():
        a_day = rows_a_day(platform)[name]
        closed = rows_after(platform, days)[name] - a_day * (CHUNKS[name] / 2 + UNTIL_CLUSTERED)
        loose = COSTS[name]
        sizes[name] -= max(closed, 0) * (loose.table + loose.indexes - dense.table - dense.indexes)
    costs = THINNED | {"full": COSTS["account_snapshots"]}
    left = snapshots_after(platform, days)
    sizes["account_snapshots"] = sum(
        rows * (costs[level].table + costs[level].indexes) for level, rows in left.items()
    )
    if left["hour"]:
        # a chunk is written again when its last day is thinned: half a chunk waits
        waiting = (
            platform.accounts * DAY / platform.snapshot_seconds * CHUNKS["account_snapshots"] / 2
        )
        sizes["account_snapshots"] += waiting * (costs["full"].table + costs["full"].indexes)
    return sizes


def bytes_after(platform: Platform, days: int) -> float:
    return sum(table_bytes_after(platform, days).values())


def days_until(platform: Platform, size: float, limit: int = 36500) -> int | None:
    """Days until there are that many bytes; None when later than in a hundred years."""
    low, high = 0, limit
    if bytes_after(platform, high) < size:
        return None
    while low < high:
        middle = (low + high) // 2
        if bytes_after(platform, middle) < size:
            low = middle + 1
        else:
            high = middle
    return low


def active_index_bytes(platform: Platform) -> float:
    """Indexes of the chunks that are being written when they are full, and of all other tables.

    Indexes of signals, claims and orders count for a month: older rows are not touched any more.
    """
    return sum(
        rows * COSTS[name].indexes * CHUNKS.get(name, 30)
        for name, rows in rows_a_day(platform).items()
    )


def wal_a_second(platform: Platform) -> float:
    """Bytes of WAL a second on an average day, without full-page images."""
    return sum(rows * COSTS[name].wal for name, rows in rows_a_day(platform).items()) / DAY


def limits(platform: Platform, days: int) -> list[Limit]:
    """All limits, the one that is hit first at the top."""
    size, disk = bytes_after(platform, days), platform.disk * GIB
    full = days_until(platform, disk * 0.8)
    index, quarter = active_index_bytes(platform), platform.memory * GIB / 4
    wal = wal_a_second(platform) * 3  # full-page images and the busiest hour
    # runner, monitoring, backup, loader, a replica; three are the administrator's
    used = platform.api * platform.pool + 10
    chunks = max(
        (kept or days) / CHUNKS[name]
        for name, kept in (
            ("market_ticks", platform.keep_ticks), ("market_data", platform.keep_bars),
            # thinned ones stay, and their chunks with them
            ("account_snapshots", 0), ("mt5_events", platform.keep_events),
        )
    )  # fmt: skip
    found = [
        Limit(
            "disk", size / (disk * 0.8),
            f"{size / GIB:,.0f} GiB after {days} days; 80 % of {platform.disk:g} GiB "
            + (f"on day {full:,}" if full is not None else "never"),
            "shorter ages in monitoring.lifecycle, bars to the lake (archive_bars.py), or grow it",
        ),
        Limit(
            "memory for active indexes", index / quarter,
            f"{index / GIB:,.2f} GiB of a quarter of {platform.memory:g} GiB",
            "shorter chunks of ticks (set_chunk_time_interval), more memory, then a server for "
            "market data alone",
        ),
        Limit(
            "WAL", wal / (platform.write_mib * 2**20),
            f"{wal / 2**20:,.1f} of {platform.write_mib:g} MiB/s in the busiest hour",
            "larger batches of ticks, max_wal_size, faster disk; then market data on a server of "
            "its own",
        ),
        Limit(
            "connections", used / (platform.connections - 3),
            f"{used} of {platform.connections - 3}",
            "PgBouncer in transaction mode before the server",
        ),
        Limit(
            "chunks", chunks / 1000, f"{chunks:,.0f} of about 1,000 a hypertable",
            "longer chunks or shorter retention",
        ),
    ]  # fmt: skip
    return sorted(found, key=lambda limit: -limit.used)
