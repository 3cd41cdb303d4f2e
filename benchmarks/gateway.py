"""Times the gateway on a server and stand-in terminals of its own: from a change in a terminal to
the row that shows it, with 1, 50 and 200 accounts of 20 positions whose prices move all the time;
and a year's history of 100,000 deals. Writes benchmarks/results/gateway.md and gateway.json.

Everything runs on one machine: the server, the gateway, and terminals that are Python objects in
the gateway's process. Their own time is told apart.
"""

from __future__ import annotations

import random
import statistics
import sys
import tempfile
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import monotonic, perf_counter, process_time, sleep
from typing import Annotated, Any

import psycopg
import typer

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests"), str(ROOT / "tests/helpers")]

import mt5
import pages
import rows
from faulty_terminals import Terminal
from loads import deployed
from rubi.cli import new_app, run, step
from rubi.gateway.loop import Gateway
from rubi.gateway.settings import Options
from rubi.gateway.terminals import Terminal as Asked
from rubi.servers import embedded
from rubi.terminal.records import TradeDeal, TradeOrder

POSITIONS = 20
ACCOUNTS = (1, 50, 200)
LONGEST = 60
BUY = {"action": 1, "symbol": "EURUSD", "volume": 0.01, "type": 0, "price": 1.1001}
SHOWN = "SELECT p.sl FROM trading_positions AS p WHERE p.ticket = %s"
app = new_app(__doc__)
app.info.no_args_is_help = False


class Timed(Asked):
    """A terminal whose own time is counted."""

    seconds = 0.0

    def call(self, name: str, *args: Any, **filters: Any) -> Any:
        began = perf_counter()
        try:
            return super().call(name, *args, **filters)
        finally:
            self.seconds += perf_counter() - began


def trading(number: int) -> list[Terminal]:
    """Terminals of one broker each, with open positions."""
    found = []
    for n in range(number):
        terminal = Terminal.new(login=1_000_000 + n, deposit=100_000)
        for _ in range(POSITIONS):
            terminal.order_send(BUY)
        found.append(terminal)
    return found


def move_prices(terminals: list[Terminal], stop: threading.Event) -> None:
    """All prices change each second, spread over it."""
    turn = 0
    while not stop.is_set():
        turn += 1
        for terminal in terminals:
            terminal.broker.quote("EURUSD", 1.1 + turn % 50 / 1e4, 1.1001 + turn % 50 / 1e4)
            stop.wait(1 / len(terminals))


def wait_for(connection: psycopg.Connection, ticket: int, stop_loss: float) -> float:
    """When the row shows it. Raises RuntimeError where it never does."""
    end = monotonic() + LONGEST
    while monotonic() < end:
        row = connection.execute(SHOWN, [str(ticket)]).fetchone()
        if row and row[0] is not None and round(float(row[0]), 5) == stop_loss:
            return perf_counter()
        sleep(0.002)
    raise RuntimeError(f"position {ticket}: not within {LONGEST} s")


def latencies(dsn: str, user: str, number: int, every: float, samples: int) -> dict[str, float]:
    """Seconds from a moved stop in a terminal to its row, of accounts chosen at random."""
    terminals = trading(number)
    stop, taken = threading.Event(), []
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(
            [(terminal, user) for terminal in terminals], dsn, folder,
            Options(every={"state": every}, server_clock="NY+7", patience=0.1), lambda text: None,
        )  # fmt: skip
        threads = [
            threading.Thread(target=gateway.run, args=[stop]),
            threading.Thread(target=move_prices, args=[terminals, stop]),
        ]
        for thread in threads:
            thread.start()
        chance = random.Random(number)
        try:
            with psycopg.connect(dsn, autocommit=True) as connection:
                for terminal in terminals:  # all are there
                    wait_for(connection, move_stop(terminal, 0.5), 0.5)
                used = process_time()
                began = perf_counter()
                for sample in range(samples):
                    sleep(chance.random() * every)
                    level = round(0.6 + sample / 1e4, 5)
                    at = perf_counter()
                    ticket = move_stop(chance.choice(terminals), level)
                    taken.append(wait_for(connection, ticket, level) - at)
                busy = (process_time() - used) / (perf_counter() - began)
        finally:
            stop.set()
            for thread in threads:
                thread.join(60)
    cut = statistics.quantiles(taken, n=100)
    return {"accounts": number, "every": every, "p50": cut[49], "p99": cut[98], "busy": busy}


def move_stop(terminal: Terminal, level: float) -> int:
    """Move the stop of the first position; answers its ticket."""
    held = terminal.positions_get()[0]
    terminal.order_send(
        {"action": 6, "symbol": held.symbol, "position": held.ticket, "sl": level, "tp": 0.0}
    )
    return held.ticket


def year(deals: int) -> Terminal:
    """A terminal with a year of positions, opened and closed, an order for each deal."""
    terminal = Terminal.new(login=7, deposit=1_000_000, at=datetime.now(UTC) - timedelta(days=366))
    begin, apart = terminal.market.clock.msc() + 1000, 365 * 86_400_000 // deals
    for n in range(deals):
        msc, ticket, position = begin + n * apart, 1000 + n, 1000 + n // 2 * 2
        moment = {"time": msc // 1000, "time_msc": msc}
        side = {"type": n % 2, "entry": n % 2, "position_id": position}
        profit = n % 301 - 150.25 if n % 2 else 0.0
        terminal.books.book(
            TradeDeal(**mt5.deal(ticket=ticket, profit=profit, commission=-0.35, **moment, **side))
        )
        at = {"time_setup": msc // 1000, "time_setup_msc": msc, "time_done": msc // 1000}
        terminal.books.done_orders[ticket] = TradeOrder(
            **mt5.order(
                ticket=ticket, type=n % 2, position_id=position, time_done_msc=msc, **at
            )
        )  # fmt: skip
    terminal.market.clock.set(None)
    return terminal


def backfill(dsn: str, user: str, deals: int) -> dict[str, float]:
    """Seconds of reading a year's history, and those of the terminal alone."""
    terminal = Timed(year(deals), "year")
    with tempfile.TemporaryDirectory() as folder:
        gateway = Gateway(
            [(terminal, user)], dsn, folder,
            Options(server_clock="NY+7", patience=0.1), lambda text: None,
        )  # fmt: skip
        began = perf_counter()
        gateway.once()
        taken = perf_counter() - began
    with psycopg.connect(dsn) as connection:
        stored = connection.execute(
            "SELECT count(*) FROM trading_deals AS d INNER JOIN mt5_accounts AS a"
            " ON d.account_id = a.id WHERE a.account_number = '7' AND d.type IN (0, 1)"
        ).fetchone()[0]
        broken = mt5.violations(connection)
    if stored != deals or broken:
        raise RuntimeError(f"{stored} of {deals} deals, proofs that fail: {broken}")
    return {"deals": deals, "seconds": taken, "terminal": terminal.seconds}


def report(result: dict) -> str:
    """The page."""
    history = result["backfill"]
    own = history["seconds"] - history["terminal"]
    lines = [
        "# The gateway",
        "",
        "Made by `benchmarks/gateway.py`: server, gateway and stand-in terminals on one machine.",
        "",
        pages.said(result["facts"]),
        *pages.heading(
            f"From terminal to row: accounts of {POSITIONS} positions, prices move each second,"
            f" {result['samples']} changes each",
            "accounts", "state read each", "p50", "p99", "cores the gateway and terminals use",
        ),
    ]  # fmt: skip
    lines += [
        f"| {row['accounts']} | {row['every']:g} s | {row['p50'] * 1000:,.0f} ms"
        f" | {row['p99'] * 1000:,.0f} ms | {row['busy']:.2f} |"
        for row in result["latencies"]
    ]
    lines += [
        *pages.heading("A year's history", "what", "measured", "wanted"),
        f"| {history['deals']:,} deals and as many orders, read, stored, trips and orders made"
        f" | {own:.1f} s, and {history['terminal']:.1f} s of the terminal's own"
        " | 30 s beside the terminal's |",
        "",
    ]
    return "\n".join(lines)


@app.command()
def measure(
    deals: Annotated[int, typer.Option(min=2)] = 100_000,
    samples: Annotated[int, typer.Option(min=2, help="changes, for each number of accounts")] = 200,
    pg: Annotated[int, typer.Option(help="major version of the server")] = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="folder for the figures")] = pages.RESULTS,
) -> None:
    """Start a server, deploy, measure, stop, write."""
    with deployed(pg) as server:
        dsn = server.dsn("ours")
        with server.connect("ours") as connection:
            result: dict[str, Any] = {"facts": pages.facts(connection), "latencies": []}
            result["samples"] = samples
            user = str(rows.user(connection))
        with step(f"a year's history of {deals:,} deals"):
            result["backfill"] = backfill(dsn, user, deals)
        for number, every in [*((n, 1.0) for n in ACCOUNTS), (1, 0.1), (50, 0.5)]:
            with step(f"{number} accounts, read each {every:g} s"):
                result["latencies"].append(latencies(dsn, user, number, every, samples))
    pages.write(output, "gateway", report(result), result)


if __name__ == "__main__":
    run(app)
