"""Two million bars from a SQLite file: scripts/migrate_sqlite.py beside Debian's pgloader.

Both move the same file into the same server, one after the other, the order turned each round.
pgloader goes twice: into our hypertable with all constraints and triggers, as ours does, and its
own way, into a plain table of floats that it makes, with two indexes afterwards. Only ours keeps
what breaks a rule aside and proves that all has come. Memory is the most that the program had and
the most that each process had that it started, added up (VmHWM of /proc). Writes
benchmarks/results/migrate.md and migrate.json.
"""

from __future__ import annotations

import os
import random
import re
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from statistics import median
from time import perf_counter, sleep
from typing import Annotated

import typer

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests"), str(ROOT / "tests/helpers")]

import ephemeral
import pages
import server as servers
import tools
from rubi.cli import Failure, console, new_app, run
from rubi.servers import embedded

SYMBOLS = {
    "EURUSD": (1.1, 5), "GBPUSD": (1.27, 5), "USDJPY": (151.2, 3), "AUDUSD": (0.66, 5),
    "USDCHF": (0.88, 5), "USDCAD": (1.35, 5), "NZDUSD": (0.61, 5), "EURJPY": (163.0, 3),
    "XAUUSD": (2034.0, 2), "EURGBP": (0.855, 5),
}  # fmt: skip
TITLES = {
    "ours": "scripts/migrate_sqlite.py",
    "pgloader": "pgloader into our table",
    "its_own": "pgloader into a plain table of its own",
}

app = new_app(__doc__)


def bars(total: int) -> Iterator[tuple]:
    """M1 bars of ten symbols in the order of time."""
    generator = random.Random(9)
    last = {symbol: price for symbol, (price, _) in SYMBOLS.items()}
    number, now = 0, datetime(2024, 1, 1)
    while True:
        text = f"{now:%Y-%m-%d %H:%M:%S}"
        for symbol, (_, digits) in SYMBOLS.items():
            if number == total:
                return
            number += 1
            point = 10**-digits
            begin = last[symbol]
            end = last[symbol] = round(begin + generator.randint(-9, 9) * point, digits)
            high = round(max(begin, end) + generator.randint(0, 6) * point, digits)
            low = round(min(begin, end) - generator.randint(0, 6) * point, digits)
            volume = generator.randint(5, 400)
            yield number, symbol, "M1", text, begin, high, low, end, volume
        now += timedelta(minutes=1)


def make_file(path: Path, total: int) -> None:
    """A file as the base's SQLite edition keeps bars."""
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA journal_mode = off")
        connection.execute(
            "CREATE TABLE market_data (id INTEGER PRIMARY KEY, symbol VARCHAR(20) NOT NULL,"
            " timeframe VARCHAR(10) NOT NULL, timestamp DATETIME NOT NULL, open FLOAT, high FLOAT,"
            " low FLOAT, close FLOAT, volume INTEGER, UNIQUE (symbol, timeframe, timestamp))"
        )
        connection.executemany("INSERT INTO market_data VALUES (?,?,?,?,?,?,?,?,?)", bars(total))
    connection.close()
    path.chmod(0o644)


def family(pid: str) -> Iterator[str]:
    """A process and all that it and they have started."""
    yield pid
    with suppress(OSError):  # ended meanwhile
        for path in Path(f"/proc/{pid}/task").glob("*/children"):
            for child in path.read_text().split():
                yield from family(child)


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds and megabytes of a program that has to end well, with the processes it starts."""
    environment = os.environ | {"LC_ALL": "C.UTF-8"}
    began = perf_counter()
    most: dict[str, int] = {}
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment)
        # the kernel's own figure of an ended child has the most of its parent in it, and so has
        # a child's before it becomes another program
        while process.poll() is None:
            for pid in family(str(process.pid)):
                with suppress(OSError):  # ended meanwhile
                    status = Path(f"/proc/{pid}/status").read_text()
                    if found := re.search(r"VmHWM:\s+(\d+)", status):
                        most[pid] = int(found[1])
            sleep(0.05)
        seconds = perf_counter() - began
        if process.returncode:
            output.seek(0)
            raise Failure(f"{Path(command[-2]).name} failed: {output.read()[-500:]}")
    return seconds, sum(most.values()) / 1024


def report(result: dict) -> str:
    """The results as a page."""
    lines = [
        "# Moving bars from SQLite", "",
        f"Made by `benchmarks/migrate.py`: {result['rows']:,} bars, the programs on the same file "
        "and server in turns. Memory: all processes of a program together.", "",
        pages.said(result["facts"]), "",
        "| program | seconds of each round | median | rows a second | most memory |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]  # fmt: skip
    for who, title in TITLES.items():
        found = result[who]
        middle = median(found["seconds"])
        each = ", ".join(f"{seconds:.1f}" for seconds in found["seconds"])
        lines.append(
            f"| {title} | {each} | {middle:.1f} s | {result['rows'] / middle:,.0f}"
            f" | {max(found['megabytes']):.0f} MB |"
        )
    wanted = "Wanted: at most 40 s, no slower than pgloader, below 200 MB."
    return "\n".join([*lines, "", wanted, ""])


@app.command()
def compare(
    rows: Annotated[int, typer.Option(min=1)] = 2_000_000,
    rounds: Annotated[int, typer.Option(min=1)] = 3,
    pg: int = embedded.DEFAULT_MAJOR,
    output: Annotated[Path, typer.Option(help="Folder of the results")] = pages.RESULTS,
) -> None:
    """Print seconds, rows a second and memory of both, and write the results."""
    program = tools.command("pgloader")
    result: dict = {
        "rows": rows,
        **{who: {"seconds": [], "megabytes": []} for who in TITLES},
    }
    with tempfile.TemporaryDirectory(prefix="rubi-migrate-") as folder:
        file = Path(folder, "rubi_studio.db")
        make_file(file, rows)
        with servers.running(pg, {}) as server:
            for turn in range(rounds):
                for who in list(TITLES)[:: -1 if turn % 2 else 1]:
                    name = f"{who}_{turn}"
                    with server.connect() as connection:
                        connection.execute(f"CREATE DATABASE {name}")
                    if who != "its_own":
                        ephemeral.prepare_database(server.dsn(name), None)
                        ephemeral.deploy_all(server.dsn(name))
                    target = f"postgresql://postgres@unix:{server.folder}:5432/{name}"
                    command = {
                        "ours": [sys.executable, str(ROOT / "scripts/migrate_sqlite.py"),
                                 str(file), f"--dsn={server.dsn(name)}"],
                        "pgloader": [*program, "--with", "data only", str(file), target],
                        "its_own": [*program, str(file), target],
                    }[who]  # fmt: skip
                    with server.connect() as connection:
                        connection.execute("CHECKPOINT")
                    seconds, memory = measured(command)
                    with server.connect(name) as connection:
                        result.setdefault("facts", pages.facts(connection))
                        count = connection.execute("SELECT count(*) FROM market_data").fetchone()[0]
                    if count != rows:
                        raise Failure(f"{who} moved {count} of {rows} rows")
                    result[who]["seconds"].append(seconds)
                    result[who]["megabytes"].append(memory)
                    console.print(
                        f"{who}: {seconds:.1f} s, {rows / seconds:,.0f} rows/s, {memory:.0f} MB"
                    )
    pages.write(output, "migrate", report(result), result)


if __name__ == "__main__":
    run(app)
