"""Sends rows to the ingest functions, batch by batch, and counts the outcomes."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

BATCH = 1000
COUNTS = ("inserted", "updated", "unchanged", "rejected")


class Load:
    """Rows of one kind and one file."""

    def __init__(self, name: str, kind: str, rows: list[Any], source: str = "api") -> None:
        self.name, self.kind, self.rows, self.source = name, kind, rows, source
        self.counts: Counter[str] = Counter()


def send(
    connection: psycopg.Connection, load: Load, account: int, taken_at: datetime
) -> Iterator[int]:
    """Send one load in batches; yields the number of elements sent."""
    # all positions are a single picture: each part of one would close the other positions
    size = len(load.rows) or 1 if load.kind == "positions" else BATCH
    last = load.source if load.kind in ("deals", "orders") else taken_at
    for first in range(0, max(len(load.rows), 1), size):
        batch = load.rows[first : first + size]
        query = f"SELECT * FROM ingest_mt5_{load.kind}(%s, %s, %s)"  # noqa: S608  a name of ours
        row = connection.execute(query, [account, Jsonb(batch), last]).fetchone()
        load.counts.update(dict(zip(COUNTS, row, strict=True)))
        yield len(batch)


def stored(loads: list[Load]) -> int:
    """The number of elements in the database now."""
    return sum(load.counts[name] for load in loads for name in ("inserted", "updated", "unchanged"))


def rejected(loads: list[Load]) -> int:
    return sum(load.counts["rejected"] for load in loads)


def reasons(connection: psycopg.Connection, account: int, number: int = 3) -> list[str]:
    """The latest reasons why elements of an account were set aside."""
    return [
        f"{source}: {reason} ({count:,} times)"
        for source, reason, count in connection.execute(
            "SELECT r.source, r.reason, count(*) FROM mt5_rejects AS r WHERE r.account_id = %s"
            " GROUP BY r.source, r.reason ORDER BY max(r.id) DESC LIMIT %s",
            [account, number],
        )
    ]
