"""Needs of a platform of some size: rows, bytes, WAL, memory, connections; the first limit.

The bytes a row are measured on our tables by benchmarks/row_sizes.py, and a test compares the
answers with a filled database. docs/measured/capacity.md says how to read them.
"""

import json
from typing import Annotated

import typer
from rich.table import Table

from rubi.capacity import (
    COSTS,
    GIB,
    Platform,
    active_index_bytes,
    bytes_a_day,
    bytes_after,
    limits,
    rows_a_day,
    rows_after,
    table_bytes_after,
    wal_a_second,
)
from rubi.cli import console, new_app, print_table, run
from rubi.connecting import Json

app = new_app(__doc__)


@app.command()
def plan(
    accounts: Annotated[int, typer.Option(min=0)] = 500,
    symbols: Annotated[int, typer.Option(min=0)] = 100,
    ticks: Annotated[int, typer.Option(min=0, help="a symbol and day")] = 50_000,
    snapshot_seconds: Annotated[float, typer.Option(min=0.1)] = 60,
    signals: Annotated[float, typer.Option(min=0, help="an account and day")] = 20,
    orders: Annotated[float, typer.Option(min=0, help="an account and day")] = 10,
    events: Annotated[float, typer.Option(min=0, help="of mt5_events, an account and day")] = 100,
    rates: Annotated[float, typer.Option(min=0, help="symbols an account with a rate between")] = 5,
    notes: Annotated[float, typer.Option(min=0, help="of the journal, an account and day")] = 2,
    positions: Annotated[float, typer.Option(min=0, help="open, an account")] = 3,
    update_seconds: Annotated[float, typer.Option(min=0.01, help="between two prices")] = 1,
    keep_ticks: Annotated[int, typer.Option(min=0, help="days; 0 for ever")] = 90,
    keep_bars: Annotated[int, typer.Option(min=0, help="days; 0 for ever")] = 0,
    keep_events: Annotated[int, typer.Option(min=0, help="days; 0 for ever")] = 365,
    keep_snapshots: Annotated[int, typer.Option(min=0, help="days in full; 0 for ever")] = 30,
    keep_hourly: Annotated[int, typer.Option(min=0, help="days, then one day's extremes")] = 180,
    api: Annotated[int, typer.Option(min=0, help="processes of the API")] = 4,
    pool: Annotated[int, typer.Option(min=1, help="connections of each")] = 20,
    memory: Annotated[float, typer.Option(min=0.5, help="GiB")] = 8,
    disk: Annotated[float, typer.Option(min=1, help="GiB")] = 100,
    connections: Annotated[int, typer.Option(min=10, help="max_connections")] = 200,
    write_mib: Annotated[float, typer.Option(min=1, help="MiB of WAL a second at most")] = 60,
    days: Annotated[int, typer.Option(min=1, help="to look ahead")] = 365,
    as_json: Json = False,
) -> None:
    """Rows, bytes and WAL a day, and the limits, the first one to be hit at the top."""
    platform = Platform(
        accounts, symbols, ticks, snapshot_seconds, signals, orders, events, rates, notes,
        positions, update_seconds, keep_ticks, keep_bars, keep_events, keep_snapshots, keep_hourly,
        api, pool, memory, disk, connections, write_mib,
    )  # fmt: skip
    rows, sizes, hit = rows_a_day(platform), bytes_a_day(platform), limits(platform, days)
    if as_json:
        console.print_json(json.dumps({
            "rows_a_day": rows, "bytes_a_day": sizes, "bytes": bytes_after(platform, days),
            "rows": rows_after(platform, days), "table_bytes": table_bytes_after(platform, days),
            "wal_bytes_a_second": wal_a_second(platform),
            "active_index_bytes": active_index_bytes(platform),
            "limits": [limit._asdict() for limit in hit],
        }))  # fmt: skip
        return
    left = table_bytes_after(platform, days)
    table = Table("table", "rows a day", "GiB a day", "WAL GiB a day", f"GiB in {days} days",
                  box=None)  # fmt: skip
    for name, count in rows.items():
        table.add_row(
            name, f"{count:,.0f}", f"{sizes[name] / GIB:.3f}",
            f"{count * COSTS[name].wal / GIB:.3f}", f"{left[name] / GIB:.2f}",
        )  # fmt: skip
    print_table(table)
    for limit in hit:
        console.print(f"{limit.used:6.0%} {limit.name}: {limit.text}", markup=False)
    first = hit[0]
    console.print(f"first: {first.name}. Then: {first.then}", markup=False, soft_wrap=True)


if __name__ == "__main__":
    run(app)
