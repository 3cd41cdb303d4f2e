"""Needs of a platform of some size: rows, bytes, WAL, memory, connections; the first limit.

The bytes a row are measured on our tables by benchmarks/row_sizes.py, and a test compares the
answers with a filled database. docs/measured/capacity.md says how to read them.
"""

import json
from inspect import Signature, signature
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
Days = Annotated[int, typer.Option(min=1, help="to look ahead")]


@app.command()
def plan(days: Days = 365, as_json: Json = False, **given: float) -> None:
    """Rows, bytes and WAL a day, and the limits, the first one to be hit at the top."""
    platform = Platform(**given)
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


# typer reads its options from here: a field of Platform is one
own = [one for one in signature(plan).parameters.values() if one.name != "given"]
plan.__signature__ = Signature([*signature(Platform).parameters.values(), *own])


if __name__ == "__main__":
    run(app)
