"""Times what the MT5 gateway calls on a server of its own: deals, their repeat, a later history,
two of them in parallel, open positions, and what a notification adds to an insert.

Writes benchmarks/results/ingest_mt5.md and ingest_mt5.json. Times are of the wall as the client
waits, its JSON made before; processor time is that of the server's process and changes less with
what else the machine does.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter
from typing import Annotated

import psycopg
import typer

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests"), str(ROOT / "tests/helpers")]

import loads
import mt5
import pages
import rows
from rubi.cli import new_app, run, step
from rubi.servers import embedded

BATCH = 1000
INSERTS = 500
app = new_app(__doc__)
app.info.no_args_is_help = False


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


@contextmanager
def deployed(pg: int) -> Iterator[psycopg.Connection]:
    """A server with our files, and a superuser's connection to it in autocommit."""
    with loads.deployed(pg) as server, server.connect("ours") as connection:
        yield connection


def cpu_seconds(connection: psycopg.Connection) -> float:
    """Processor time of the connection's backend: what a loaded machine does not change."""
    fields = Path(f"/proc/{connection.info.backend_pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(connection: psycopg.Connection, calls: list[Callable[[], object]]) -> dict[str, list]:
    """Seconds of each call, and the processor time of all."""
    before, seconds = cpu_seconds(connection), []
    for call in calls:
        began = perf_counter()
        call()
        seconds.append(perf_counter() - began)
    return {"seconds": seconds, "processor": cpu_seconds(connection) - before}


def ingest_deals(connection: psycopg.Connection, account: int, batches: list[str]) -> dict:
    """Batches of deals of an account."""
    query = "SELECT * FROM ingest_mt5_deals(%s, %s::jsonb)"
    return timed(connection, [lambda b=b: connection.execute(query, [account, b]) for b in batches])


def ingest_histories(connection: psycopg.Connection, count: int) -> dict[str, dict]:
    """A first history, the same again, a later account's, and those of two in parallel."""
    stream = deals(count)
    batches = [json.dumps(stream[first : first + BATCH]) for first in range(0, count, BATCH)]
    accounts = [
        mt5.open_account(connection, rows.user(connection), taken_at="2026-01-01") for _ in range(4)
    ]
    taken = {
        "first": ingest_deals(connection, accounts[0], batches),
        "again": ingest_deals(connection, accounts[0], batches),
        "late": ingest_deals(connection, accounts[1], batches),
    }
    dsn = connection.info.dsn
    with (
        psycopg.connect(dsn, autocommit=True) as left,
        psycopg.connect(dsn, autocommit=True) as right,
        ThreadPoolExecutor(2) as pool,
    ):
        began = perf_counter()
        both = list(pool.map(ingest_deals, (left, right), accounts[2:], (batches, batches)))
        taken["two"] = {
            "seconds": [perf_counter() - began],
            "processor": sum(one["processor"] for one in both),
        }
    return taken


def ingest_positions(connection: psycopg.Connection, account: int, turns: int = 101) -> dict:
    """Pictures of 200 positions, each with another price and result in every position."""
    query = "SELECT * FROM ingest_mt5_positions(%s, %s::jsonb)"
    calls = []
    for turn in range(turns + 10):
        moved = {"price_current": 1.1 + turn / 10_000, "profit": turn / 10}
        picture = json.dumps([mt5.position(ticket=n, **moved) for n in range(2_000_000, 2_000_200)])
        calls.append(lambda picture=picture: connection.execute(query, [account, picture]))
    for call in calls[:10]:  # the plans of a session are made once
        call()
    return timed(connection, calls[10:])


def insert_signals(connection: psycopg.Connection, rounds: int) -> dict[str, float]:
    """Processor milliseconds of an insert of one signal with and without its notification."""
    user = rows.user(connection)
    insert = (
        "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time)"
        " VALUES (%s, 'EURUSD', 'BUY', 0.1, now())"
    )
    connection.execute("SET synchronous_commit = off")
    taken: dict[str, list[float]] = {"ENABLE": [], "DISABLE": []}
    for _ in range(rounds):
        for how, figures in taken.items():
            connection.execute(
                f"ALTER TABLE trading_signals {how} TRIGGER trading_signals_80_notify"
            )
            call = [lambda: connection.execute(insert, [user])] * INSERTS
            figures.append(timed(connection, call)["processor"] / INSERTS * 1000)
    return {
        "with": statistics.median(taken["ENABLE"]),
        "without": statistics.median(taken["DISABLE"]),
    }


def report(result: dict) -> str:
    """The page."""
    first, again, late, two, sync = (
        result[name] for name in ("first", "again", "late", "two", "positions")
    )
    faster = 2 * sum(late["seconds"]) / sum(two["seconds"])
    each = two["processor"] / max(2 * late["processor"], 0.01)
    notify = result["notify"]
    milliseconds = sorted(second * 1000 for second in sync["seconds"])
    return "\n".join([
        "# What the MT5 gateway calls",
        "",
        "Made by `benchmarks/ingest_mt5.py`, one connection or two over a local socket, JSON made"
        " before.",
        "",
        pages.said(result["facts"]),
        "",
        "| what | wall | processor time of the server's process | wanted |",
        "| --- | ---: | ---: | ---: |",
        f"| {result['deals']:,} deals in batches of 1,000 | {sum(first['seconds']):.1f} s"
        f" | {first['processor']:.1f} s | 5 s |",
        f"| the same again | {sum(again['seconds']):.2f} s | {again['processor']:.2f} s | 0.5 s |",
        f"| as many of a later account | {sum(late['seconds']):.1f} s"
        f" | {late['processor']:.1f} s | as the first |",
        f"| as many of two accounts in parallel | {sum(two['seconds']):.1f} s, {faster:.2f} times"
        f" one | {two['processor']:.1f} s, each {each:.2f} of one's | 1.7 times one |",
        "| a sync of 200 open positions, all prices changed, median"
        f" (95 %) | {statistics.median(milliseconds):.1f} ms ({milliseconds[-6]:.1f} ms)"
        f" | {sync['processor'] / len(milliseconds) * 1000:.1f} ms, mean | 10 ms |",
        "| a signal inserted with its notification, and without |"
        f" | {notify['with']:.3f} ms, {notify['without']:.3f} ms | |",
        "",
    ])  # fmt: skip


@app.command()
def measure(
    count: Annotated[int, typer.Option("--deals", min=BATCH)] = 100_000,
    rounds: Annotated[int, typer.Option(help="rounds with and without notifications")] = 9,
    pg: Annotated[int, typer.Option(help="major version of the server")] = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="folder for the figures")] = pages.RESULTS,
) -> None:
    """Start a server, deploy, measure, stop, write."""
    with deployed(pg) as connection:
        account = mt5.open_account(connection, rows.user(connection), taken_at="2026-01-01")
        result = {
            "facts": pages.facts(connection),
            "deals": count,
        }
        with step(f"{count} deals of four accounts"):
            result |= ingest_histories(connection, count)
        with step("200 open positions"):
            result["positions"] = ingest_positions(connection, account)
        with step("signals with and without notifications"):
            result["notify"] = insert_signals(connection, rounds)
    pages.write(output, "ingest_mt5", report(result), result)


if __name__ == "__main__":
    run(app)
