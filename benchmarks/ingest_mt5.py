"""Times the ingest functions on an ephemeral embedded server: deals, their repeat, positions.

.venv/bin/python benchmarks/ingest_mt5.py [DEALS]
"""

from __future__ import annotations

import os
import statistics
import sys
from pathlib import Path
from time import perf_counter

import psycopg
from psycopg.types.json import Jsonb

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]

import conftest
import embedded
import mt5
import rows

BATCH = 1000


def deals(count: int) -> list[dict]:
    """Positions of four deals: two openings, two closings, one minute apart."""
    start = mt5.msc("2026-01-05 00:00")
    result = []
    for number in range(count):
        position, step = divmod(number, 4)
        deal = mt5.deal(
            ticket=number + 1, order=1_000_000 + number, position_id=1_000_000 + 4 * position,
            volume=0.37, price=1.10001 + number % 977 / 100_000, commission=-0.37,
            magic=position % 9,
        )  # fmt: skip
        deal["time_msc"] = start + number * 60_000
        deal["time"] = deal["time_msc"] // 1000
        if step > 1:
            deal |= {"type": 1, "entry": 1, "profit": number % 301 - 150.25, "swap": -0.11}
        result.append(deal)
    return result


def cpu_seconds(connection: psycopg.Connection) -> float:
    """Processor time of the connection's backend: what a loaded machine does not change."""
    fields = Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure(connection: psycopg.Connection, count: int) -> None:
    """Print the three figures."""
    account = mt5.open_account(connection, rows.user(connection), taken_at="2026-01-01")
    stream = deals(count)
    batches = [Jsonb(stream[first : first + BATCH]) for first in range(0, count, BATCH)]
    times, used = [], []
    for _ in range(2):
        began, before = perf_counter(), cpu_seconds(connection)
        for batch in batches:
            connection.execute("SELECT * FROM ingest_mt5_deals(%s, %s)", [account, batch])
        times.append(perf_counter() - began)
        used.append(cpu_seconds(connection) - before)
    print(
        f"{count} deals: {times[0]:.1f} s (processor {used[0]:.1f} s),"
        f" again: {times[1]:.1f} s (processor {used[1]:.1f} s)"
    )

    picture = [mt5.position(ticket=number) for number in range(2_000_000, 2_000_200)]
    syncs = []
    before = cpu_seconds(connection)
    for turn in range(101):
        for position in picture:
            position |= {"price_current": 1.1 + turn / 10_000, "profit": turn / 10}
        content = Jsonb(picture)
        began = perf_counter()
        connection.execute("SELECT * FROM ingest_mt5_positions(%s, %s)", [account, content])
        syncs.append((perf_counter() - began) * 1000)
    ordered = sorted(syncs)
    print(
        f"200 positions, every price changed: {statistics.median(syncs):.1f} ms median,"
        f" {ordered[95]:.1f} ms at 95 %, processor"
        f" {(cpu_seconds(connection) - before) / len(syncs) * 1000:.1f} ms mean"
    )


def main() -> None:
    """Start a server, deploy, measure, stop."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    binaries = embedded.binaries()
    with conftest.Server(
        initdb=str(binaries / "initdb"),
        postgres=str(binaries / "postgres"),
        initdb_args="-U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync",
        boot_timeout=60,
    ) as server:
        dsn = f"host=127.0.0.1 port={server.settings['port']} user=postgres dbname=test"
        conftest.prepare_database(dsn, owner=None)
        conftest.deploy_all(dsn)
        with psycopg.connect(dsn, autocommit=True) as connection:
            measure(connection, count)


if __name__ == "__main__":
    main()
