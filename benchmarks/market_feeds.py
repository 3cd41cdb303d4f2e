"""What loads and feeds of market data and account states cost: bars and ticks by COPY beside the
base's table and a bare heap, under two locales; ticks by the gateway's call; many states in a call.

Rates are of the wall and alternate in one run; processor time is that of the server's process and
changes less with what else the machine does. Writes benchmarks/results/market_feeds.md and .json.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter
from typing import Annotated

import psycopg
import typer

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests"), str(ROOT / "tests/helpers")]

import bar_lines
import ingest_mt5
import market_data
import mt5
import pages
import rows
from loads import install_ours, make_administrator, make_empty
from rubi.cli import console, new_app, run, step
from rubi.servers import embedded
from server import running

LOCALES = {
    "C.UTF-8": "LOCALE 'C.UTF-8'",
    "French": "LOCALE_PROVIDER icu ICU_LOCALE 'fr-FR' LOCALE 'C.UTF-8'",
}
TICKS = "symbol, timestamp, seq, bid, ask, volume, flags"
# what no rule of ours changes: the same columns, chunks and key, without CHECKs and without a log
FLOOR = """
CREATE TABLE bar_floor (LIKE market_data INCLUDING DEFAULTS INCLUDING IDENTITY,
    PRIMARY KEY (symbol, timeframe, timestamp));
SELECT create_hypertable('bar_floor', 'timestamp', create_default_indexes => FALSE,
    chunk_time_interval => interval '30 days');
CREATE TABLE tick_floor (LIKE market_ticks INCLUDING DEFAULTS,
    PRIMARY KEY (symbol, timestamp, seq));
SELECT create_hypertable('tick_floor', 'timestamp', create_default_indexes => FALSE,
    chunk_time_interval => interval '7 days')
"""
Pair = tuple[float, float]  # seconds of the wall and of the server's process
Loads = dict[str, Callable[[], Pair]]
app = new_app(__doc__)
app.info.no_args_is_help = False


def copy(connection: psycopg.Connection, table: str, columns: str, lines: list[str]) -> Pair:
    """What COPY of these lines into an emptied table takes."""
    connection.execute(f"TRUNCATE {table}")
    before = ingest_mt5.cpu_seconds(connection)
    wall = bar_lines.copy(connection, table, columns, lines)
    return wall, ingest_mt5.cpu_seconds(connection) - before


def in_turn(loads: Loads, rounds: int) -> dict[str, list[Pair]]:
    """Each load in each round, every second round in the other order."""
    taken: dict[str, list[Pair]] = {name: [] for name in loads}
    for number in range(rounds):
        for name in list(loads)[:: -1 if number % 2 else 1]:
            taken[name].append(loads[name]())
    return taken


def ratios(taken: dict[str, list[Pair]], other: str, ours: str, share: float = 1) -> list[float]:
    """How many times the rate of another load ours has: by the wall, by processor time."""
    return [
        share
        * statistics.median(
            (o[kind] / m[kind] for o, m in zip(taken[other], taken[ours], strict=True))
        )
        for kind in (0, 1)
    ]


def compare_bars(databases: dict[str, psycopg.Connection], total: int, rounds: int) -> list[list]:
    """Ours to the base's rate and to a bare heap's, in both orders and under both locales."""
    found = []
    short, long = bar_lines.make_lines(total)
    for order in ("time", "series"):
        if order == "series":
            short, long = (sorted(lines, key=lambda line: line[:6]) for lines in (short, long))
        loads: Loads = {}
        for name, connection in databases.items():
            for table, columns, lines in (
                ("heap", bar_lines.LONG, long),
                ("base", market_data.SHORT, short),
                ("bar_floor", bar_lines.LONG, long),
                ("market_data", bar_lines.LONG, long),
            ):
                loads[f"{table} {name}"] = lambda c=connection, t=table, k=columns, x=lines: copy(
                    c, t, k, x
                )
        taken = in_turn(loads, rounds)
        for name in databases:
            for what, ours, table, wanted in (
                ("ours to base", "market_data", "base", "2.0"),
                ("ours to heap", "market_data", "heap", "0.35"),
                ("its key alone to base", "bar_floor", "base", ""),
                ("its key alone to heap", "bar_floor", "heap", ""),
            ):
                found.append([
                    f"bars by {order}, {name}: COPY, {what}",
                    ratios(taken, f"{table} {name}", f"{ours} {name}"), wanted,
                ])  # fmt: skip
        found.append([
            f"bars by {order}: ours, French to C.UTF-8",
            ratios(taken, "market_data C.UTF-8", "market_data French"), "1",
        ])  # fmt: skip
    return found


def compare_two(dsn: str, total: int, rounds: int) -> list[list]:
    """Two series by two connections at once, to one by one; checkpoints are not counted."""
    _, long = bar_lines.make_lines(total)
    texts = [
        "".join(line for line in long if line.startswith(name)).encode()
        for name in ("EURUSD", "GBPUSD")
    ]
    with psycopg.connect(dsn, autocommit=True) as one, psycopg.connect(dsn, autocommit=True) as two:

        def empty() -> None:
            one.execute("DELETE FROM market_data")
            one.execute("VACUUM market_data")
            one.execute("CHECKPOINT")

        def load(who: psycopg.Connection, text: bytes) -> float:
            return bar_lines.send(who, "market_data", bar_lines.LONG, text)

        one.execute("TRUNCATE market_data")
        load(one, texts[0])  # the chunks
        taken = []
        for _ in range(rounds):
            empty()
            alone = sum(load(one, text) for text in texts)
            empty()
            began = perf_counter()
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(load, (one, two), texts))
            taken.append(alone / (perf_counter() - began))
    return [["two series at once to one after the other", [statistics.median(taken), None], "1.7"]]


def make_ticks(total: int) -> tuple[list[str], list[dict]]:
    """Ticks of five symbols a few milliseconds apart: as lines for COPY and as copy_ticks gives
    those of the first."""
    chance = random.Random(6)
    at = datetime(2026, 1, 5, tzinfo=UTC)
    lines, objects = [], []
    for number in range(total):
        at += timedelta(milliseconds=chance.randint(1, 40))
        symbol = list(market_data.SYMBOLS)[number % 5]
        bid, ask = 110000 + number % 977, 110002 + number % 977
        lines.append(f"{symbol}\t{at:%F %T.%f}+00\t0\t1.{bid}\t1.{ask}\t0\t6\n")
        if number % 5 == 0:
            msc = int(at.timestamp() * 1000)
            objects.append({
                "time": msc // 1000, "bid": 1 + bid / 1e6, "ask": 1 + ask / 1e6, "last": 0.0,
                "volume": 0, "time_msc": msc, "flags": 6, "volume_real": 0.0,
            })  # fmt: skip
    return lines, objects


def compare_ticks(connection: psycopg.Connection, total: int, rounds: int) -> list[list]:
    """Ticks by COPY and by ingest_ticks in batches of 1,000, to a bare heap."""
    lines, objects = make_ticks(total)
    batches = [json.dumps(objects[n : n + 1000]) for n in range(0, len(objects), 1000)]
    connection.execute(
        "CREATE TABLE tick_heap AS SELECT symbol, timestamp, seq, bid, ask, volume, flags"
        " FROM market_ticks WITH NO DATA"
    )

    def ingest() -> Pair:
        connection.execute("TRUNCATE market_ticks")
        calls = [
            lambda b=b: connection.execute("SELECT ingest_ticks('EURUSD', %s::jsonb)", [b])
            for b in batches
        ]
        found = ingest_mt5.timed(connection, calls)
        return sum(found["seconds"]), found["processor"]

    taken = in_turn({
        "heap": lambda: copy(connection, "tick_heap", TICKS, lines),
        "floor": lambda: copy(connection, "tick_floor", TICKS, lines),
        "ticks": lambda: copy(connection, "market_ticks", TICKS, lines),
        "ingest_ticks": ingest,
    }, rounds)  # fmt: skip
    share = len(objects) / len(lines)
    rates = {
        name: count / statistics.median(wall for wall, _ in taken[name])
        for name, count in (("ticks", len(lines)), ("ingest_ticks", len(objects)))
    }
    return [
        [f"ticks: COPY ({rates['ticks']:,.0f} a second) to a bare heap",
         ratios(taken, "heap", "ticks"), "0.5"],
        ["ticks: COPY into its key alone to a bare heap", ratios(taken, "heap", "floor"), ""],
        [f"ticks: ingest_ticks ({rates['ingest_ticks']:,.0f} a second) to a bare heap's COPY",
         ratios(taken, "heap", "ingest_ticks", share), ""],
    ]  # fmt: skip


def compare_states(connection: psycopg.Connection, accounts: int, rounds: int) -> list[list]:
    """States of many accounts in a call, in a call each, and snapshots inserted one by one."""
    users = [rows.user(connection) for _ in range(accounts)]
    many = "SELECT FROM ingest_mt5_accounts(%s::bigint[], %s::jsonb[], %s::timestamptz[])"
    one = "SELECT ingest_mt5_account(%s, %s::jsonb, now())"
    insert = (
        "INSERT INTO account_snapshots (session_id, balance, equity, margin, margin_free,"
        " margin_level, profit) VALUES (%s, 1000, 1000.5, 10, 20, 30, 0.5)"
    )

    def states(equity: int) -> list[str]:
        return [
            json.dumps(mt5.account(login=n, equity=equity + n / 7)) for n in range(1, 1 + accounts)
        ]

    def together(equity: int) -> list[Callable[[], object]]:
        now, told = datetime.now(UTC), states(equity)
        return [lambda: connection.execute(many, [users, told, [now] * accounts])]

    ingest_mt5.timed(connection, together(0))
    sessions = [row[0] for row in connection.execute("SELECT session_id FROM mt5_sessions")]

    def of(calls: Callable[[], list]) -> Callable[[], Pair]:
        def load() -> Pair:
            found = ingest_mt5.timed(connection, calls())
            return sum(found["seconds"]), found["processor"]

        return load

    taken = in_turn({
        "many": of(lambda: [call for n in range(5) for call in together(n)]),
        "one": of(lambda: [lambda u=u, s=s: connection.execute(one, [u, s])
                           for u, s in zip(users, states(1), strict=True)]),
        "insert": of(lambda: [lambda s=s: connection.execute(insert, [s]) for s in sessions]),
    }, rounds)  # fmt: skip
    return [
        [f"states of {accounts} accounts in a call to a call each",
         ratios(taken, "one", "many", 5), "5"],
        [f"states of {accounts} accounts in a call to plain inserts of their snapshots",
         ratios(taken, "insert", "many", 5), "5"],
    ]  # fmt: skip


def report(result: dict) -> str:
    """The page."""
    return "\n".join([
        "# What market data and account states cost to take in",
        "",
        f"Made by `benchmarks/market_feeds.py`: {result['bars']:,} bars of ten symbols,"
        f" {result['ticks']:,} ticks; medians of the ratios of {result['rounds']} alternating"
        " rounds, by the wall and by the server's processor time. Above 1.00 is faster. Its key"
        " alone is the floor: the same columns, chunks and key without CHECKs and the log.",
        "",
        pages.said(result["facts"]),
        "",
        "| rate | wall | processor | wanted |",
        "| --- | ---: | ---: | ---: |",
        *(
            f"| {name} | {figures[0]:.2f} |"
            f" {'' if figures[1] is None else format(figures[1], '.2f')} | {wanted} |"
            for name, figures, wanted in result["lines"]
        ),
        "",
    ])  # fmt: skip


@app.command()
def measure(
    bars: Annotated[int, typer.Option(min=10_000)] = 1_000_000,
    ticks: Annotated[int, typer.Option(min=10_000)] = 500_000,
    accounts: Annotated[int, typer.Option(min=10)] = 200,
    rounds: Annotated[int, typer.Option(min=1)] = 5,
    pg: Annotated[int, typer.Option(help="major version of the server")] = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="folder for the figures")] = pages.RESULTS,
) -> None:
    """Start a server, deploy into a database of each locale, measure, stop, write."""
    with running(pg, market_data.LOADING) as server:
        make_administrator(server)
        databases = {}
        for number, (name, locale) in enumerate(LOCALES.items()):
            make_empty(server, f"feeds_{number}", locale)
            install_ours(server, f"feeds_{number}")
            databases[name] = market_data.connect(server, f"feeds_{number}")
            databases[name].execute(market_data.BASE)
            databases[name].execute(FLOOR)
        here = databases["C.UTF-8"]
        result = {"facts": pages.facts(here), "bars": bars, "ticks": ticks, "rounds": rounds}
        lines: list[list] = []
        for what, found in (
            ("states", lambda: compare_states(here, accounts, rounds)),
            ("ticks", lambda: compare_ticks(here, ticks, rounds)),
            ("bars", lambda: compare_bars(databases, bars, rounds)),
            ("two at once", lambda: compare_two(server.dsn("feeds_0"), bars, rounds)),
        ):
            with step(what):
                lines += found()
            for line in lines[-2:]:
                console.print(*map(str, line), markup=False, soft_wrap=True)
        for connection in databases.values():
            connection.close()
    result["lines"] = lines
    pages.write(output, "market_feeds", report(result), result)


if __name__ == "__main__":
    run(app)
