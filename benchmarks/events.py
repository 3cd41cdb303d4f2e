"""Times events on a server of its own: written by pictures of orders whose stops were moved, and
read by events_after(). Writes benchmarks/results/events.md and events.json.

Processor time is that of the server's process and changes less with what else the machine does.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import psycopg
import typer

import ingest_mt5
import mt5
import pages
import rows
from ingest_mt5 import timed
from rubi.cli import new_app, run, step
from rubi.servers import embedded

ORDERS = 200
BATCH = 1000
app = new_app(__doc__)
app.info.no_args_is_help = False


def picture(turn: int) -> str:
    """Orders that wait, their stops where they are in a turn."""
    return json.dumps([
        mt5.order(
            ticket=5_000_000 + number, position_id=0, type=2, state=1, time_done=0,
            time_done_msc=0, volume_current=1.0, price_open=1.1, sl=1.0 + turn / 100_000, tp=1.2,
        )
        for number in range(ORDERS)
    ])  # fmt: skip


def write_events(connection: psycopg.Connection, account: int, turns: int) -> dict[str, dict]:
    """Pictures of waiting orders: each with moved stops, and each the same as before."""
    query = "SELECT * FROM ingest_mt5_orders(%s, %s::jsonb)"
    taken = {}
    for name, pictures in (
        ("moved", [picture(turn) for turn in range(1, turns + 1)]),
        ("unchanged", [picture(turns)] * turns),
    ):
        connection.execute(query, [account, pictures[0] if name == "unchanged" else picture(0)])
        taken[name] = timed(
            connection, [lambda p=p: connection.execute(query, [account, p]) for p in pictures]
        )
    return taken


def read_events(connection: psycopg.Connection, limit: int) -> dict:
    """All events there are, by calls of so many."""
    state = {"cursor": None, "events": 0}

    def read() -> None:
        while True:
            events = connection.execute(
                "SELECT cursor, account_id, kind, what, id, old_values, new_values"
                " FROM events_after(%s, %s)", [state["cursor"], limit]
            ).fetchall()  # fmt: skip
            if not events:
                return
            state["cursor"] = events[-1][0]
            state["events"] += len(events)

    taken = timed(connection, [read])
    return taken | {"events": state["events"]}


def line(what: str, count: int, taken: dict) -> str:
    """A line of the table."""
    wall, processor = sum(taken["seconds"]), taken["processor"]
    rate = f"{count / wall:,.0f}" if count else ""
    return f"| {what} | {count:,} | {wall:.2f} s | {processor:.2f} s | {rate} |"


def report(result: dict) -> str:
    """The page."""
    turns = result["turns"]
    return "\n".join([
        "# Events",
        "",
        "Made by `benchmarks/events.py`, one connection over a local socket, JSON made before.",
        "",
        pages.said(result["facts"]),
        *pages.heading(
            "Written and read", "what", "events", "wall", "processor time", "events a second"
        ),
        line(f"{turns} pictures of {ORDERS} waiting orders, each stop moved", turns * ORDERS,
             result["moved"]),
        line(f"{turns} pictures in which nothing changed", 0, result["unchanged"]),
        line(f"read by `events_after`, {BATCH:,} a call", result["read"]["events"],
             result["read"]),
        "",
    ])  # fmt: skip


@app.command()
def measure(
    turns: Annotated[int, typer.Option(min=2, help="pictures of 200 orders")] = 200,
    pg: Annotated[int, typer.Option(help="major version of the server")] = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="folder for the figures")] = pages.RESULTS,
) -> None:
    """Start a server, deploy, measure, stop, write."""
    with ingest_mt5.deployed(pg) as connection:
        account = mt5.open_account(connection, rows.user(connection), taken_at="2026-01-01")
        result = {"facts": pages.facts(connection), "turns": turns}
        with step(f"{turns} pictures with moved stops, and as many unchanged"):
            result |= write_events(connection, account, turns)
        with step("events read"):
            result["read"] = read_events(connection, BATCH)
    pages.write(output, "events", report(result), result)


if __name__ == "__main__":
    run(app)
