"""The API's mix on one server, and with its reads routed to a streaming replica.

Both servers run on this machine. The rate can only rise where the machine has processors to spare;
what counts elsewhere is the processor time a request costs each server.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "scripts")]

from loads import MIX, copy_database, execute_file
from rubi import connecting
from rubi.cli import Failure, console, new_app, run
from rubi.deploying import applying, history, sqlfiles
from rubi.servers import embedded
from server import Server, running

app = new_app(__doc__)
READS = ("open_positions", "pending_signals")
OURS = {"max_wal_senders": "4", "shared_buffers": "256MB"}


class Figures(NamedTuple):
    """What a load gave."""

    rate: float
    latency: float
    """Mean, ms."""
    count: int


@contextmanager
def replica(primary: Server, folder: Path) -> Iterator[Server]:
    """A replica that streams from the primary."""
    embedded.owned_folder(folder)
    made = subprocess.run(
        [*embedded.ending_with_us(), primary.programs / "pg_basebackup", "-h", primary.folder,
         "-U", "postgres", "-D", folder / "data", "-R", "-X", "stream", "-c", "fast"],
        capture_output=True, text=True, cwd="/",
    )  # fmt: skip
    if made.returncode:
        raise Failure(f"pg_basebackup: {made.stderr.strip().splitlines()[-1]}")
    server = Server(folder, primary.programs, OURS | {"cluster_name": "replica"})
    try:
        server.start()
        yield server
    finally:
        server.stop()


def pgbench(server: Server, names: list[str], clients: int, seconds: int, rate: float) -> Figures:
    """Scripts of the mix as rubi_app."""
    done = subprocess.run(
        [server.programs / "pgbench", "-n", "-M", "prepared", "-c", str(clients), "-j", "2",
         "-h", server.folder, "-U", "rubi_app", "-T", str(seconds), "-R", f"{rate:.0f}",
         *(f"-f{HERE / name}.sql@{MIX[name]}" for name in names), "ours"],
        capture_output=True, text=True, env=os.environ | {"LC_ALL": "C.UTF-8", "PGOPTIONS": ""},
    )  # fmt: skip
    found = [
        re.search(rf"^{words}(\d[\d.]*)", done.stdout, flags=re.MULTILINE)
        for words in ("tps = ", "latency average = ", "number of transactions actually processed: ")
    ]
    if done.returncode or not all(found):
        raise Failure(f"pgbench: {(done.stderr.strip() or 'no rate').splitlines()[0]}")
    return Figures(float(found[0][1]), float(found[1][1]), int(found[2][1]))


def together(*loads: tuple) -> list[Figures]:
    """Loads at the same time."""
    found: dict[int, Figures] = {}

    def one(number: int, load: tuple) -> None:
        found[number] = pgbench(*load)

    threads = [threading.Thread(target=one, args=item) for item in enumerate(loads)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(found) < len(loads):
        raise Failure("a load failed")
    return [found[number] for number in range(len(loads))]


@app.command()
def measure(
    seconds: Annotated[int, typer.Option(help="of each load")] = 15,
    clients: Annotated[int, typer.Option()] = 16,
    rates: Annotated[str, typer.Option(help="requests a second in all")] = "2000,4000,6000,8000",
    pg: Annotated[int, typer.Option()] = embedded.DEFAULT_MAJOR,
) -> None:
    """Print rate, latency and each server's processor time a request, both ways."""
    share = sum(MIX[name] for name in READS) / sum(MIX.values())
    writes = [name for name in MIX if name not in READS]
    with running(pg, OURS) as primary:
        with primary.connect() as connection:
            connection.execute("CREATE ROLE rubi_admin LOGIN SUPERUSER")
        copy_database(primary, "ours", "template0")
        with connecting.connect(primary.dsn("ours", "rubi_admin")) as connection:
            for file, _ in history.due(sqlfiles.read_files(), history.applied(connection)):
                applying.apply_file(connection, file)
        execute_file(primary, "ours", HERE / "data.sql")
        with primary.connect("ours") as connection:
            connection.execute("VACUUM ANALYZE")
        with replica(primary, primary.folder / "replica") as second:
            console.print(
                "| asked for | reads on | requests/s | mean ms | primary CPU µs | replica CPU µs |"
            )
            for rate in map(float, rates.split(",")):
                before = used(primary), used(second)
                one = pgbench(primary, list(MIX), clients, seconds, rate)
                say(rate, "the same server", [one], before, primary, second)
                before = used(primary), used(second)
                reading = max(1, round(clients * share))
                both = together(
                    (primary, writes, clients - reading, seconds, rate * (1 - share)),
                    (second, list(READS), reading, seconds, rate * share),
                )
                say(rate, "the replica", both, before, primary, second)
            with primary.connect("ours") as connection:
                lag = connection.execute(
                    "SELECT bytes_behind, replay_lag FROM monitoring.replicas"
                ).fetchone()
            with second.connect("ours") as connection:
                age = connection.execute("SELECT age FROM read_age").fetchone()[0]
            console.print(f"behind at the end: {lag[0]} bytes, {lag[1]}; age of a read: {age}")


def used(server: Server) -> float:
    """Processor time of a server, s: what has ended, and what replays and sends."""
    total = server.cpu_seconds()
    children = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    for child in children:
        with suppress(OSError):
            fields = Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()
            total += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return total


def say(
    rate: float,
    name: str,
    found: list[Figures],
    before: tuple[float, float],
    primary: Server,
    second: Server,
) -> None:
    """One line of the table."""
    time.sleep(0.5)
    count = sum(one.count for one in found)
    spent = [
        (used(server) - then) * 1e6 / count
        for server, then in zip((primary, second), before, strict=True)
    ]
    latency = sum(one.latency * one.count for one in found) / count
    console.print(
        f"| {rate:,.0f} | {name} | {sum(one.rate for one in found):,.0f} | {latency:.2f}"
        f" | {spent[0]:.0f} | {spent[1]:.0f} |", markup=False,
    )  # fmt: skip
    console.file.flush()


if __name__ == "__main__":
    run(app)
