"""Reads of benchmarks/api.py: user_trading_stats, reads by key as tables grow, chunks in a plan."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from time import perf_counter

import psycopg

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

from loads import copy_database, install_ours, make_empty, vacuum
from pages import Lines, heading
from rubi.cli import step
from server import Server

PAIR = ("base", "ours")
# What the base's view takes longer than this for counts as this.
PATIENCE = 60


def milliseconds(
    connection: psycopg.Connection, query: str, times: int, limit: int = PATIENCE
) -> float:
    """Median time of a query, its rows fetched; the limit when it takes longer."""
    connection.execute(f"SET statement_timeout = '{limit}s'")
    taken = []
    for _ in range(times):
        start = perf_counter()
        try:
            connection.execute(query).fetchall()
        except psycopg.errors.QueryCanceled:
            return limit * 1000.0
        taken.append((perf_counter() - start) * 1000)
        if taken[0] > 5000:
            break
    return statistics.median(taken)


def add_orders(server: Server, db: str, total: int) -> None:
    """Closed orders without a signal, until there are so many, evenly over the users."""
    with server.connect(db) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(
            "INSERT INTO trading_orders (user_id, mt5_order_id, symbol, order_type, volume,"
            " open_price, close_price, profit, opened_at, closed_at)"
            " SELECT 1001 + n %% 50, 'more ' || n, 'EURUSD', 'BUY', 0.1, 1.1, 1.1 + n %% 7 * 0.001,"
            " n %% 7 - 3, now() - n * interval '1 second' - interval '1 hour',"
            " now() - n * interval '1 second' FROM generate_series("
            "(SELECT count(*) FROM trading_orders) + 1, %s) AS n",
            [total],
        )
    vacuum(server, db)


def statistics_view(server: Server, quick: bool, rounds: int, seconds: int) -> Lines:
    """(e): user_trading_stats for one user and for all; 400 signals and 4 strategies a user."""
    lines = heading(
        "user_trading_stats, milliseconds; 400 signals and 4 strategies for each of 50 users",
        "orders", "base, one user", "ours, one user", "base, all", "ours, all", "base / ours, all",
    )  # fmt: skip
    for db in PAIR:
        copy_database(server, f"stats_{db}", db)
        with server.connect(f"stats_{db}") as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute("DELETE FROM trading_orders")
    for total in (1000, 10_000) if quick else (1000, 10_000, 100_000):
        found = []
        with step(f"user_trading_stats, {total:,} orders"):
            for condition in ("WHERE user_id = 1007", ""):
                for db in PAIR:
                    if condition:
                        add_orders(server, f"stats_{db}", total)
                    with server.connect(f"stats_{db}") as connection:
                        query = f"SELECT * FROM user_trading_stats {condition}"  # noqa: S608
                        found.append(milliseconds(connection, query, 9, 5 if quick else PATIENCE))
        shown = [f"{value:,.1f}" for value in found]
        more = "more than " if found[2] >= 1000 * (5 if quick else PATIENCE) else ""
        lines.append(
            f"| {total:,} | {shown[0]} | {shown[1]} | {more}{shown[2]} | {shown[3]} "
            f"| {more}{found[2] / found[3]:,.0f} |"
        )
    return lines


KEYED = {
    "open positions of a session": (
        "SELECT * FROM trading_positions"
        " WHERE session_id = '00000000-0000-0000-0000-000000000007'::uuid"
    ),
    "position by ticket": "SELECT * FROM trading_positions WHERE ticket = '500123'",
    "pending signals of a user": (
        "SELECT * FROM trading_signals WHERE user_id = 1007 AND status = 'PENDING'"
        " ORDER BY received_at DESC LIMIT 20"
    ),
    "order by number": "SELECT * FROM trading_orders WHERE mt5_order_id = '900123'",
    "open orders of a user": (
        "SELECT * FROM trading_orders WHERE user_id = 1007 AND closed_at IS NULL"
        " ORDER BY opened_at DESC LIMIT 20"
    ),
    "last snapshot of a session": (
        "SELECT * FROM account_snapshots"
        " WHERE session_id = '00000000-0000-0000-0000-000000000007'::uuid"
        " ORDER BY timestamp DESC LIMIT 1"
    ),
}


def growth(server: Server, quick: bool, rounds: int, seconds: int) -> Lines:
    """(k): reads by key with 1, 10 and 100 times the rows; a user's own rows stay as many."""
    sizes = (1, 10) if quick else (1, 10, 100)
    times: dict[str, list[float]] = {name: [] for name in KEYED}
    copy_database(server, "growth", "ours")
    for size in sizes:
        with step(f"{size} times the rows"):
            if size > 1:
                with server.connect("growth") as connection:
                    connection.execute("SELECT set_config('bench.size', %s, FALSE)", [str(size)])
                    connection.execute((HERE / "grow.sql").read_text())
                vacuum(server, "growth")
            with server.connect("growth") as connection:
                connection.execute("SET plan_cache_mode = auto")
                for name, query in KEYED.items():
                    milliseconds(connection, query, 200)
                    times[name].append(milliseconds(connection, query, 1000))
    lines = heading(
        "Reads by key as the tables grow, milliseconds in one session",
        "read", *(f"{size} times" for size in sizes), "grew",
    )  # fmt: skip
    for name, taken in times.items():
        shown = " | ".join(f"{value:.3f}" for value in taken)
        lines.append(f"| {name} | {shown} | {taken[-1] / taken[0]:.2f} |")
    return lines


def planning(server: Server, quick: bool, rounds: int, seconds: int) -> Lines:
    """(j): planning time and locks by the number of chunks."""
    lines = heading(
        "Planning with chunks: the last month of one series of bars",
        "chunks", "planning, ms", "execution, ms", "locks", "chunks in the plan",
    )  # fmt: skip
    make_empty(server, "chunks")
    install_ours(server, "chunks")
    with server.connect("chunks") as connection:
        made = 0
        # daily bars: shorter ones don't reach back before 1970, 1,000 chunks do
        for chunks in (10, 100) if quick else (10, 100, 1000):
            with step(f"{chunks} chunks"):
                connection.execute(
                    "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
                    " SELECT 'EURUSD', 'D1', timestamptz '2026-11-01 00:00+00' - n * (SELECT"
                    " d.time_interval FROM timescaledb_information.dimensions AS d"
                    " WHERE d.hypertable_name = 'market_data'), 1, 1, 1, 1"
                    " FROM generate_series(%s::integer, %s::integer) AS n",
                    [made, chunks - 1],
                )
            made = chunks
            query = (
                "SELECT * FROM market_data WHERE symbol = 'EURUSD' AND timeframe = 'D1'"
                " AND timestamp >= '2026-10-01' AND timestamp < '2026-11-02' ORDER BY timestamp"
            )
            plans = []
            for _ in range(9):
                with connection.transaction():
                    plan = connection.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}")
                    plans.append(plan.fetchone()[0][0])
                    locks = connection.execute(
                        "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid()"
                        " AND locktype = 'relation'"
                    ).fetchone()[0]
            scanned = json.dumps(plans[-1]).count('"Relation Name": "_hyper')
            times = [
                statistics.median(plan[key] for plan in plans)
                for key in ("Planning Time", "Execution Time")
            ]
            lines.append(f"| {chunks:,} | {times[0]:.2f} | {times[1]:.2f} | {locks} | {scanned} |")
    return lines
