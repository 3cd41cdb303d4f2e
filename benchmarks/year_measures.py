"""What benchmarks/year.py measures on its days, each beside the database of day 1 in turn.

All is measured on copies, so that the year's own database keeps its rows alone. A copy gets the
mix's rows (data.sql) first.
"""

from __future__ import annotations

import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

import psycopg
from psycopg import sql

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

from rubi import capacity
from rubi.backups import places, restoring, taking
from rubi.cli import console
from rubi.reporting.writing import make_page
from year_days import DATABASE, Year, processor_seconds
from year_mix import FIRST, MONTH, NOW, beside_night, copy, copy_with_mix, mix, quantiles

# Keys are of an account and day drawn for each call, from all days that there are.
DRAW = """
SELECT p.account_id, p.user_id, p.session_id,
    (1000 + d.day) * 1000000::bigint + k.k * 10 AS ticket,
    %(begin)s::timestamptz + (d.day - 1) * interval '1 day' AS at, d.day
FROM generate_series(1, %(calls)s) AS c
CROSS JOIN LATERAL (SELECT 1 + floor(random() * %(days)s)::integer AS day WHERE c > 0) AS d
CROSS JOIN LATERAL (SELECT floor(random() * %(trips)s)::integer AS k WHERE c > 0) AS k
CROSS JOIN LATERAL (
    SELECT l.* FROM benchmark.platform AS l
    WHERE l.joined = 1 AND c > 0 AND l.left_on IS NULL ORDER BY random() LIMIT 1
) AS p
"""
# As docs/guides/api.md advises: a bound on time that the planner knows, here written out, as that
# of now() is of the machine's days. Each answers as many rows on day 1 as later.
READS = {
    "order by number": "SELECT * FROM trading_orders WHERE mt5_order_id = %(ticket)s::text",
    "deals of a position": (
        "SELECT * FROM trading_deals WHERE account_id = %(account_id)s"
        " AND position_id = %(ticket)s::bigint"
    ),
    "last 10 trips of an account": (
        "SELECT * FROM mt5_trips WHERE account_id = %(account_id)s AND closed_at IS NOT NULL"
        " ORDER BY closed_at DESC LIMIT 10"
    ),
    "open orders of a user": (
        "SELECT * FROM trading_orders WHERE user_id = %(user_id)s AND closed_at IS NULL"
        " ORDER BY opened_at DESC LIMIT 20"
    ),
    "pending signals of a user": (
        "SELECT * FROM trading_signals WHERE user_id = %(user_id)s AND status = 'PENDING'"
        " ORDER BY received_at DESC LIMIT 20"
    ),
    "last snapshot of a session": (
        "SELECT * FROM account_snapshots WHERE session_id = %(session_id)s::uuid"
        " AND timestamp > {week} ORDER BY timestamp DESC LIMIT 1"
    ),
    "snapshot of a session at a moment": (
        "SELECT * FROM account_snapshots WHERE session_id = %(session_id)s::uuid"
        " AND timestamp <= %(at)s::timestamptz + interval '12 hours'"
        " AND timestamp > %(at)s::timestamptz - interval '2 days' ORDER BY timestamp DESC LIMIT 1"
    ),
    "500 bars of a symbol": (
        "SELECT * FROM market_data WHERE symbol = 'Y1' AND timeframe = 'M1'"
        " AND timestamp >= %(at)s::timestamptz"
        " AND timestamp < %(at)s::timestamptz + interval '500 minutes' ORDER BY timestamp"
    ),
    "an hour of ticks, of the last day": (
        "SELECT * FROM market_ticks WHERE symbol = 'Y1' AND timestamp >= %(last)s::timestamptz"
        " AND timestamp < %(last)s::timestamptz + interval '1 hour' ORDER BY timestamp"
    ),
    "last 50 events of an account": (
        "SELECT * FROM mt5_events WHERE account_id = %(account_id)s AND kind = 'deal'"
        " AND seen_at >= {last} ORDER BY seen_at DESC LIMIT 50"
    ),
}
# As docs/guides/api.md tells clients: planned for its moment each time, or once in a session.
MODES = {
    "snapshot of a session at a moment": "force_custom_plan",
    "open orders of a user": "force_generic_plan",
}
SESSIONS = 2
PLANNING = 10  # calls in which a session makes its plans
NEW = 50  # calls in which most chunks and pages are new to it


class Calls(NamedTuple):
    """What the calls of a read took on a database."""

    new: list[float]
    """Milliseconds of the client, in the first calls of a session."""
    known: list[float]
    """The same, in a session that has read other keys before."""
    cpu: list[float]
    """Microseconds of the server's processor a call, then, by session."""


Taken = dict[str, dict[str, Calls]]

SIZES = """
SELECT t.name, sum(pg_total_relation_size(r.oid))::bigint
FROM unnest(%s::text[]) AS t (name)
CROSS JOIN LATERAL (
    SELECT to_regclass(t.name)::oid AS oid
    UNION ALL
    SELECT i.inhrelid FROM pg_inherits AS i WHERE i.inhparent = to_regclass(t.name)
) AS r
GROUP BY t.name
"""
# Tables whose growth scripts/capacity.py names; what it counts with another's row stands beside it.
COUNTED = {
    "market_ticks": ("public.market_ticks",),
    "market_data": ("public.market_data",),
    "account_snapshots": ("public.account_snapshots",),
    "trading_signals": ("public.trading_signals",),
    "trading_orders": ("public.trading_orders",),
    "mt5_events": ("public.mt5_events",),
    "signal_claims": ("public.signal_claims", "public.mt5_order_sends"),
    "mt5_orders": ("public.mt5_orders",),
    "trading_deals": ("public.trading_deals",),
    "mt5_trips": ("public.mt5_trips", "internal.proved_positions"),
    "audit.changes": ("audit.changes",),
    "performance_metrics": ("public.performance_metrics",),
}


def sizes(year: Year) -> dict[str, int]:
    """Bytes of every table of ours, with its chunks, indexes and long values."""
    with year.superuser() as connection:
        names = [
            name for (name,) in connection.execute(
                "SELECT relation FROM monitoring.lifecycle ORDER BY 1"
            )
        ]  # fmt: skip
        return dict(connection.execute(SIZES, [names]).fetchall())


def predicted(year: Year, day: int) -> dict[str, float]:
    """Bytes that scripts/capacity.py told on day 1."""
    return capacity.table_bytes_after(year.size.planned(), day)


def drawn(connection: psycopg.Connection, year: Year, days: int, calls: int) -> list[dict]:
    """Keys of reads, of the days that a database has."""
    begin, *_ = year.position()
    values = {"begin": begin, "days": days, "trips": year.size.trips, "calls": calls}
    rows = connection.execute(DRAW, values)
    names = [column.name for column in rows.description]
    (last,) = connection.execute(
        "SELECT max(timestamp) - interval '2 hours' FROM market_ticks"
    ).fetchone()
    return [dict(zip(names, row, strict=True)) | {"last": last} for row in rows.fetchall()]


def reads(year: Year, of: dict[str, int], calls: int) -> dict[str, dict[str, Any]]:
    """Reads by key on each database, in turn, each with keys of its own days: milliseconds of the
    client, microseconds of the server's processor.

    of: the databases, and how many days each has.
    """
    taken: Taken = {name: {which: Calls([], [], []) for which in of} for name in READS}
    for _ in range(SESSIONS):
        of_session(year, of, calls // SESSIONS, taken)
    return {
        name: {
            which: quantiles(some.known)
            | {"new": statistics.median(some.new), "cpu": statistics.mean(some.cpu)}
            for which, some in each.items()
        }
        for name, each in taken.items()
    }


def of_session(year: Year, of: dict[str, int], calls: int, taken: Taken) -> None:
    """The calls of a session on each database, added to what was taken.

    A page of the shared memory that a session has not touched costs it a page fault, a chunk the
    reading of its catalog: both are past after some hundred calls, as in a pool's sessions.
    """
    known = max(4 * calls, NEW)
    with ExitStack() as stack:
        connections = {w: stack.enter_context(year.server.connect(f"mix_{w}")) for w in of}
        pids = {w: connection.info.backend_pid for w, connection in connections.items()}
        stack.enter_context(on_one_core(*pids.values()))
        keys = {w: drawn(connections[w], year, days, known + calls) for w, days in of.items()}
        for name, text in READS.items():
            queries = {}
            for which, connection in connections.items():
                connection.prepare_threshold = 0
                connection.execute(f"SET plan_cache_mode = {MODES.get(name, 'auto')}")
                last = keys[which][0]["last"]
                queries[which] = sql.SQL(text).format(
                    last=sql.Literal(last), week=sql.Literal(last - timedelta(days=7))
                )
            before = {}
            for number in range(known + calls):
                if number == known:
                    before = {which: processor_seconds(pid) for which, pid in pids.items()}
                for which, connection in connections.items():
                    began = perf_counter()
                    connection.execute(queries[which], keys[which][number]).fetchall()
                    ms = (perf_counter() - began) * 1000
                    if number >= known:
                        taken[name][which].known.append(ms)
                    elif PLANNING <= number < NEW:
                        taken[name][which].new.append(ms)
            for which, pid in pids.items():
                used = processor_seconds(pid) - before[which]
                taken[name][which].cpu.append(used * 1e6 / calls)


@contextmanager
def on_one_core(*pids: int) -> Iterator[None]:
    """The client and its sessions on one core, where the system lets place them: a session on
    another one is woken by an interrupt, which in a virtual machine takes as long as a read."""
    if not hasattr(os, "sched_setaffinity"):
        yield
        return
    cores = os.sched_getaffinity(0)
    for pid in (0, *pids):
        os.sched_setaffinity(pid, {min(cores)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)


def report(year: Year) -> float:
    """Seconds of a user's report page over all that there is of an account."""
    with year.superuser() as connection:
        (user,) = connection.execute(
            "SELECT user_id FROM benchmark.platform WHERE left_on IS NULL ORDER BY n LIMIT 1"
        ).fetchone()
    began = perf_counter()
    make_page(year.server.dsn(DATABASE, "rubi_readonly"), str(user))
    return perf_counter() - began


def backup(year: Year) -> dict[str, float]:
    """Seconds of a verified backup, and of a restore that is compared with it; bytes of it."""
    folder = Path(tempfile.mkdtemp(prefix="rubi-year-", dir="/var/tmp"))
    console.quiet = True
    try:
        began = perf_counter()
        taking.take(folder, "", year.server.dsn(DATABASE), "", [])
        taken = perf_counter() - began
        name = places.Place(folder).names()[0]
        size = sum(path.stat().st_size for path in (folder / name).iterdir())
        began = perf_counter()
        with restoring.fetched(str(folder / name), "", "", None) as fetched:
            restoring.restore_into(fetched, year.server.dsn("restored"))
        restored = perf_counter() - began
        return {"backup": taken, "restore": restored, "bytes": size}
    finally:
        console.quiet = False
        shutil.rmtree(folder, ignore_errors=True)
        with year.server.connect() as connection:
            connection.execute("DROP DATABASE IF EXISTS restored WITH (FORCE)")


def measure(
    year: Year, day: int, *, is_last: bool, rounds: int, seconds: int, rate: int, calls: int
) -> dict:
    """All figures of a day; of the last one also the mix beside the night."""
    server = year.server
    if kept := {1: FIRST, 30: MONTH}.get(day):
        copy(server, kept, DATABASE)
    with server.connect() as connection:
        of = {
            which: days for which, days in ((FIRST, 1), (MONTH, 30))
            if connection.execute("SELECT FROM pg_database WHERE datname = %s", [which]).rowcount
        }  # fmt: skip
    for which in of:
        copy_with_mix(server, f"mix_{which}", which)
    copy_with_mix(server, NOW, DATABASE)
    try:
        with year.superuser() as connection:
            (whole,) = connection.execute("SELECT pg_database_size(current_database())").fetchone()
        found = {
            "day": day,
            "bytes": whole,
            "sizes": sizes(year),
            "mix": mix(server, rounds, seconds, rate),
            "reads": reads(year, of | {"now": day}, calls),
            "report": report(year),
            "backup": backup(year),
        }
        if is_last:
            found["beside"] = beside_night(year, day, rounds * seconds, rate)
        return found
    finally:
        with server.connect() as connection:
            for name in (NOW, *(f"mix_{which}" for which in of)):
                connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
