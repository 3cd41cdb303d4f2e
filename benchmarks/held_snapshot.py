"""The API's mix while a snapshot stays open, and what is left of it afterwards.

1,000 requests a second from 180 connections, on ours and on the base, each on a server of its own
and both at once, so that they meet the same minutes of the machine; direct, then through PgBouncer.
No dead row can go while a REPEATABLE READ snapshot is open, so that tables which are updated all
the time grow; their pages are counted before, meanwhile, after the vacuum that follows, and of ours
after shrink_tables(), which is called while the mix goes on. Milliseconds of a request count from
when it was due. Writes benchmarks/results/held_snapshot.md and .json.
"""

from __future__ import annotations

import json
import statistics
import sys
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import pages
from loads import make_pair, mix_scripts, pgbench, vacuum
from rubi.cli import new_app, run, step
from rubi.servers import embedded
from server import Server, running
from trouble import WARMING, WATCHED, pages_of
from troubles import beside, hold_snapshot

# Shares of a load that have a line of their own: begin and end, as parts of the whole.
PARTS = {"first sixth": (0, 1 / 6), "last sixth": (5 / 6, 1), "whole": (0, 1)}
WAYS = {"direct": "Direct", "pgbouncer": "Through PgBouncer"}
# As long as autovacuum has after the snapshot: the mix goes on, for so much of the load's length.
AFTERWARDS = 1 / 6


def watch(server: Server, db: str, every: float, stop: threading.Event, seen: list) -> None:
    """Pages of the watched tables, again and again."""
    while not stop.wait(every):
        seen.append(pages_of(server, db))


def load(
    server: Server, db: str, clients: int, seconds: float, pooled: bool
) -> list[tuple[float, float]]:
    """The mix for so long: second from its begin and milliseconds of each request."""
    with tempfile.TemporaryDirectory() as folder:
        pgbench(
            server, db, clients, "-T", str(round(seconds)), "-R", "1000", "-l",
            "--log-prefix", f"{folder}/log", *mix_scripts(), through_pool=pooled,
        )  # fmt: skip
        # client, transaction, latency from when it was due in microseconds, script, second, ...
        requests = [
            (int(second), int(latency) / 1000)
            for path in Path(folder).iterdir()
            for _, _, latency, _, second, *_ in map(str.split, path.read_text().splitlines())
        ]
    first = min(second for second, _ in requests)
    return [(second - first, latency) for second, latency in requests]


def measure(
    server: Server, db: str, seconds: int, clients: int, warming: int, pooled: bool
) -> dict:
    """One database: the load beside the snapshot, the load after it, the vacuums."""
    vacuum(server, db)
    stop, seen = threading.Event(), [pages_of(server, db)]
    watcher = threading.Thread(target=watch, args=[server, db, seconds / 30, stop, seen])
    watcher.start()
    try:
        with beside(server, db, (hold_snapshot,), warming):
            requests = load(server, db, clients, warming + seconds, pooled)
    finally:
        stop.set()
        watcher.join()
    held = pages_of(server, db)
    found = {
        "parts": [
            [name, *shares(requests, warming + seconds * begin, warming + seconds * end)]
            for name, (begin, end) in PARTS.items()
        ]
        + [["its minutes, median", *of_minutes(requests, warming, warming + seconds)]],
        "pages": [seen[0], *seen[1:], held],
    }
    vacuum(server, db)
    found["after the vacuum"] = pages_of(server, db)
    works = (shrink,) if db == "ours" else ()
    with beside(server, db, works, warming + seconds * AFTERWARDS / 2):
        after = load(server, db, clients, warming + seconds * AFTERWARDS, pooled)
    found["parts"].append(["afterwards", *shares(after, warming, warming + seconds)])
    vacuum(server, db)
    found["after the mix went on"] = pages_of(server, db)
    return found


def shrink(server: Server, db: str, stop: threading.Event) -> None:
    """The job of each ten minutes, once."""
    with server.connect(db) as connection:
        connection.execute("CALL shrink_tables()")
    stop.wait()


def shares(requests: list[tuple[float, float]], begin: float, end: float) -> list[float]:
    """p50, p95, p99, p99.9 and longest in milliseconds, and the number of requests."""
    times = sorted(t for second, t in requests if begin <= second < end)
    return [*(times[int(len(times) * share)] for share in (0.5, 0.95, 0.99, 0.999)), times[-1],
            len(times)]  # fmt: skip


def of_minutes(requests: list[tuple[float, float]], begin: float, end: float) -> list[float]:
    """Medians of what each minute has: one in which the machine itself stood still is no figure."""
    minutes = [
        shares(requests, begin + 60 * n, begin + 60 * (n + 1))
        for n in range(max(1, round((end - begin) / 60)))
    ]
    return [statistics.median(column) for column in zip(*minutes, strict=True)]


def page_of(ways: dict) -> str:
    """The page: milliseconds, then pages, of each way."""
    lines = [
        "# The API's mix while a snapshot stays open",
        "",
        "Made by `benchmarks/held_snapshot.py`: 1,000 requests a second; ours and base at once, on "
        "a server each. Afterwards: the mix after the snapshot has gone, for a sixth of the time; "
        "in its middle, of ours, `CALL shrink_tables()`. Wanted of ours: p99 below 10 ms, nothing "
        "longer than 500 ms, at most twice the pages.",
    ]
    for way, result in ways.items():
        title = f"{WAYS[way]}, {result['clients']} connections, {result['seconds'] / 60:g} minutes"
        lines += ["", f"## {title}", "", pages.said(result["facts"])]
        lines += pages.heading(
            f"{WAYS[way]}: milliseconds",
            "part", "database", "p50", "p95", "p99", "p99.9", "longest", "requests",
        )  # fmt: skip
        for db, found in result["measured"].items():
            lines += [
                f"| {name} | {db} | {p50:.1f} | {p95:.1f} | {p99:.1f} | {p999:.1f} | {longest:.0f}"
                f" | {requests:,.0f} |"
                for name, p50, p95, p99, p999, longest, requests in found["parts"]
            ]
        lines += pages.heading(f"{WAYS[way]}: pages of 8 KiB", "when", "database", *WATCHED)
        for db, found in result["measured"].items():
            grown = found["pages"]
            rows = {
                "before": grown[0],
                "after a sixth": grown[len(grown) // 6],
                "when the snapshot goes": grown[-1],
            } | {name: sizes for name, sizes in found.items() if name.startswith("after")}
            lines += [
                f"| {name} | {db} | {' | '.join(f'{size:,}' for size in sizes)} |"
                for name, sizes in rows.items()
            ]
    return "\n".join([*lines, ""])


app = new_app(__doc__)
app.info.no_args_is_help = False


@app.command()
def main(
    quick: Annotated[bool, typer.Option(help="Small and short: does it run?")] = False,
    minutes: Annotated[float, typer.Option(min=0.05, help="The snapshot is open")] = 5,
    clients: Annotated[int, typer.Option(min=1, help="Connections")] = 180,
    only: Annotated[
        str, typer.Option(help="One way: direct or pgbouncer; the other keeps what it said before")
    ] = "direct,pgbouncer",
    pg: Annotated[int, typer.Option(help="Major version")] = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="Folder for the page and JSON")] = pages.RESULTS,
) -> None:
    """Measure, show the tables, write them."""
    warming, seconds = (1, 6) if quick else (WARMING, round(minutes * 60))
    clients = min(clients, 16) if quick else clients
    stored = output / "held_snapshot.json"
    ways: dict = json.loads(stored.read_text()) if stored.exists() else {}
    for way in only.split(","):
        with ExitStack() as stack:
            servers = {}
            for db in ("ours", "base"):
                with step(f"a server for {db}"):
                    servers[db] = stack.enter_context(running(pg, {}))
                    make_pair(servers[db])
            with servers["ours"].connect("ours") as connection:
                facts = pages.facts(connection)
            with step(f"both beside a snapshot and after it, {way}"), ThreadPoolExecutor(2) as pool:
                found = {
                    db: pool.submit(
                        measure, server, db, seconds, clients, warming, way == "pgbouncer"
                    )
                    for db, server in servers.items()
                }
                measured = {db: future.result() for db, future in found.items()}
        ways[way] = {
            "facts": facts, "seconds": seconds, "clients": clients, "measured": measured,
        }  # fmt: skip
        # what took so long is not lost with what follows
        pages.keep(output, "held_snapshot", page_of(ways), ways)
    pages.write(output, "held_snapshot", page_of(ways), ways)


if __name__ == "__main__":
    run(app)
