"""The API's work on the base and on ours, side by side on one server, as ratios.

Writes benchmarks/results/api.md and api.json: the mix at several numbers of connections, its
latency at a fixed rate, heartbeats, orders, user_trading_stats, growth, planning and deploying.
"""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Annotated, Any

import psycopg
import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import deploy
import embedded
import pages
from cli import new_app, run, step
from loads import (
    MIX,
    copy_database,
    in_turn,
    install_ours,
    make_empty,
    make_pair,
    mix_scripts,
    pgbench,
    ratio,
    run_closing,
    run_mix,
    vacuum,
)
from server import Server, running

PAIR = ("base", "ours")
# What the base's view takes longer than this for counts as this.
PATIENCE = 60
# Seconds in which 180 connections come to know the five statements of the mix.
WARMING = 5
# Rounds of 180 connections are so many times as long, that coming to know them weighs less.
LONG = 4
Lines = list[str]


def heading(title: str, *columns: str) -> Lines:
    """Begin of a table in Markdown: the first column is text."""
    rule = ["---", *("---:" for _ in columns[1:])]
    return ["", f"## {title}", "", f"| {' | '.join(columns)} |", f"| {' | '.join(rule)} |"]


def rates(server: Server, quick: bool, rounds: int, seconds: int) -> Lines:
    """(a), (c), (d): the mix by connections, heartbeats, closing, whole orders."""
    works: dict[str, Callable[[str], Any]] = {}
    for clients in (1, 16, 180):
        name = f"mix, {clients} connection{'s' if clients > 1 else ''}"
        works[name] = lambda db, clients=clients: run_mix(
            server, db, clients, seconds if clients < 100 else LONG * seconds
        )
    works["mix, 180 connections through PgBouncer"] = lambda db: run_mix(
        server, db, 180, LONG * seconds, through_pool=True
    )
    for script in ("heartbeat", "order_cycle"):
        works[f"{script}, 16 connections"] = lambda db, script=script: pgbench(
            server, db, 16, "-T", str(seconds), "-f", str(HERE / f"{script}.sql")
        )
    works["closing orders, 16 connections"] = lambda db: run_closing(server, db, 16, seconds)
    lines = heading(
        f"Rates, {seconds} s a round",
        "work", "base, a second", "ours, a second", "ratio (range)", "HOT updates", "CPU ratio",
    )  # fmt: skip
    for name, work in works.items():
        figures: dict[str, list] = {db: [] for db in PAIR}
        before = hot_updates(server)
        with step(name):
            for db in in_turn(PAIR, rounds):
                with server.connect() as connection:
                    connection.execute("CHECKPOINT")
                figures[db].append(work(db))
        ratios = [o.rate / b.rate for o, b in zip(figures["ours"], figures["base"], strict=True)]
        cpu = statistics.median(
            o.cpu / b.cpu for o, b in zip(figures["ours"], figures["base"], strict=True) if b.cpu
        )
        lines.append(
            f"| {name} | {statistics.median(f.rate for f in figures['base']):,.0f} "
            f"| {statistics.median(f.rate for f in figures['ours']):,.0f} "
            f"| {ratio(figures['ours'], figures['base']):.2f} "
            f"({min(ratios):.2f} to {max(ratios):.2f}) "
            f"| {share_of_hot(before, hot_updates(server))} | {cpu:.2f} |"
        )
    return lines


def hot_updates(server: Server) -> dict[str, tuple[int, int]]:
    """HOT and all updates so far of the tables that change all the time."""
    with server.connect("ours") as connection:
        connection.execute("SELECT pg_stat_force_next_flush()")
        found = connection.execute(
            "SELECT relname, n_tup_hot_upd, n_tup_upd FROM pg_stat_user_tables"
            " WHERE relname IN ('trading_positions', 'mt5_sessions', 'trading_orders')"
        )
        return {name: (hot, total) for name, hot, total in found}


def share_of_hot(before: dict[str, tuple[int, int]], after: dict[str, tuple[int, int]]) -> str:
    """HOT share of each table that was updated in between."""
    shares = []
    for name, (hot, total) in sorted(after.items()):
        updates = total - before[name][1]
        if updates:
            shares.append(f"{name} {(hot - before[name][0]) / updates:.1%}")
    return ", ".join(shares)


def latencies(server: Server, quick: bool, rounds: int, seconds: int) -> Lines:
    """(b): the mix at 1,000 requests a second from 180 connections, with the wait for a turn."""
    lines = heading(
        f"Milliseconds at 1,000 requests a second, 180 connections, after {WARMING} s of warming",
        "database", "mean", "p95", "p99", "requests",
    )  # fmt: skip
    found: dict[tuple[str, bool], list[list[float]]] = {}
    with step("1,000 requests a second"):
        for db in in_turn(PAIR, rounds):
            for through_pool in (False, True):
                times = latencies_of_a_round(server, db, seconds, through_pool)
                found.setdefault((db, through_pool), []).append(
                    [statistics.mean(times), times[int(len(times) * 0.95)],
                     times[int(len(times) * 0.99)], len(times)]
                )  # fmt: skip
    for (db, through_pool), figures in sorted(found.items(), key=lambda item: item[0][1]):
        mean, p95, p99, count = (statistics.median(column) for column in zip(*figures, strict=True))
        name = f"{db}, through PgBouncer" if through_pool else db
        lines.append(f"| {name} | {mean:.2f} | {p95:.2f} | {p99:.2f} | {count:,.0f} |")
    return lines


def latencies_of_a_round(server: Server, db: str, seconds: int, through_pool: bool) -> list[float]:
    """Milliseconds of each request from when it was due, sorted; without the first seconds, in
    which each connection prepares its statements.
    """
    with tempfile.TemporaryDirectory() as folder:
        pgbench(
            server, db, 180, "-T", str(WARMING + seconds), "-R", "1000", "-l",
            "--log-prefix", f"{folder}/log", *mix_scripts(), through_pool=through_pool,
        )  # fmt: skip
        # client, transaction, latency from when it was due in microseconds, script, second, ...
        requests = [
            (int(second), int(latency) / 1000)
            for path in Path(folder).iterdir()
            for _, _, latency, _, second, *_ in map(str.split, path.read_text().splitlines())
        ]
    start = min(second for second, _ in requests)
    return sorted(latency for second, latency in requests if second >= start + WARMING)


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
            " SELECT 1001 + n % 50, 'more ' || n, 'EURUSD', 'BUY', 0.1, 1.1, 1.1 + n % 7 * 0.001,"
            " n % 7 - 3, now() - n * interval '1 second' - interval '1 hour',"
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
        for chunks in (10, 100) if quick else (10, 100, 1000):
            with step(f"{chunks} chunks"):
                connection.execute(
                    "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
                    " SELECT 'EURUSD', 'H1', timestamptz '2026-11-01 00:00+00' - n * (SELECT"
                    " d.time_interval FROM timescaledb_information.dimensions AS d"
                    " WHERE d.hypertable_name = 'market_data'), 1, 1, 1, 1"
                    " FROM generate_series(%s, %s) AS n",
                    [made, chunks - 1],
                )
            made = chunks
            query = (
                "SELECT * FROM market_data WHERE symbol = 'EURUSD' AND timeframe = 'H1'"
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


def deploying(server: Server, quick: bool, rounds: int, seconds: int) -> Lines:
    """(i): the whole installation by psql and by the runner, each as a process of its own."""
    runner = [sys.executable, str(deploy.ROOT / "scripts/deploy.py"), "apply", "--dsn"]
    psql = [str(server.programs / "psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f",
            "install.sql", "-d"]  # fmt: skip
    taken: dict[str, list[float]] = {"psql": [], "runner": [], "nothing due": []}
    with step("deploying"):
        for number in range(2 if quick else 6):
            for name, command in (("psql", psql), ("runner", runner), ("nothing due", runner)):
                if name != "nothing due":
                    make_empty(server, f"deploy_{name}_{number}")
                db = f"deploy_{'runner' if name == 'nothing due' else name}_{number}"
                start = perf_counter()
                subprocess.run(
                    [*command, server.dsn(db, "rubi_admin")],
                    check=True, capture_output=True, cwd=deploy.ROOT,
                )  # fmt: skip
                taken[name].append(perf_counter() - start)
            with server.connect() as connection:
                for name in ("psql", "runner"):
                    connection.execute(f'DROP DATABASE "deploy_{name}_{number}"')
    lines = heading(
        f"Deploying {len(deploy.read_files())} files", "by", "seconds, median", "to psql"
    )
    for name, times in taken.items():
        to_psql = statistics.median(a / b for a, b in zip(times, taken["psql"], strict=True))
        lines.append(f"| {name} | {statistics.median(times):.2f} | {to_psql:.2f} |")
    return lines


SECTIONS: dict[str, Callable[[Server, bool, int, int], Lines]] = {
    "rates": rates,
    "latency": latencies,
    "stats": statistics_view,
    "growth": growth,
    "planning": planning,
    "deploying": deploying,
}
app = new_app(__doc__)


@app.command()
def measure_api(
    quick: Annotated[bool, typer.Option(help="Small and short: does it run?")] = False,
    only: Annotated[
        str, typer.Option(help=f"Sections, with commas: {', '.join(SECTIONS)}.")
    ] = ",".join(SECTIONS),
    rounds: Annotated[int, typer.Option(min=1, max=20)] = 5,
    seconds: Annotated[int, typer.Option(min=1, max=60, help="Length of a round.")] = 5,
    pg: Annotated[int, typer.Option(help="Major version.")] = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="Folder for api.md and api.json.")] = pages.RESULTS,
) -> None:
    """Measure, show the tables, write them; sections left out keep what they said before."""
    chosen = only.split(",")
    if unknown := set(chosen) - set(SECTIONS):
        raise typer.BadParameter(f"no such section: {', '.join(sorted(unknown))}")
    if quick:
        rounds = seconds = 1
    stored = output / "api.json"
    result = json.loads(stored.read_text()) if stored.exists() else {"sections": {}}
    with running(pg, {}) as server:
        with step("base and ours made"):
            make_pair(server)
        for name in chosen:
            lines = SECTIONS[name](server, quick, rounds, seconds)
            with server.connect("ours") as connection:
                found = pages.facts(connection)
            result["sections"][name] = {"facts": found, "rounds": rounds, "lines": lines}
    pages.write(output, "api", report(result), result)


def report(result: dict) -> str:
    """The page."""
    lines = [
        "# The API's work on the base and on ours",
        "",
        "Made by `benchmarks/api.py`. Base and ours side by side on one server, rounds "
        "alternating, ratios are medians of the rounds' ratios. pgbench as rubi_app over a local "
        "socket, prepared statements, on the server's cores. The mix is "
        + ", ".join(f"{share} % {name.replace('_', ' ')}" for name, share in MIX.items())
        + ".",
    ]
    for name in SECTIONS:
        if section := result["sections"].get(name):
            lines += section["lines"]
            lines += ["", f"{section['rounds']} rounds; {pages.said(section['facts'])}"]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    run(app)
