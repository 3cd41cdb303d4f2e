"""The API's mix in benchmarks/year.py: on day 1's database and today's, and beside a night."""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from psycopg import sql

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import loads
from rubi.backups import taking
from rubi.cli import console
from server import Server
from year_days import Step, Year, timed

FIRST = "first"  # the database as day 1 left it
MONTH = "month"  # and as day 30 did: its tables have more than a page or three
NOW = "mix_now"  # today's copy
WARMING = 2  # seconds: a session's first calls make its plans


def copy(server: Server, name: str, template: str) -> None:
    """A database as it is."""
    with server.connect() as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY file_copy')


def copy_with_mix(server: Server, name: str, template: str) -> None:
    """A copy with the mix's rows, and the chunks of the days that the mix writes to."""
    copy(server, name, template)
    with server.connect(name) as connection:
        connection.execute("CALL monitoring.make_chunks_ahead()")
    loads.execute_file(server, name, HERE / "data.sql")
    with server.connect(name) as connection:
        for table in ("trading_signals", "trading_orders"):  # data.sql starts them again
            connection.execute(
                sql.SQL("SELECT setval(%s, max(id)) FROM {}").format(sql.Identifier(table)),
                [f"{table}_id_seq"],
            )
        connection.execute("VACUUM ANALYZE")


class Request(NamedTuple):
    """A request of the mix: when it ended, seconds since 1970, and what it took."""

    until: float
    ms: float


def run_mix(server: Server, database: str, seconds: int, rate: int) -> tuple[list[Request], float]:
    """Each request of the API's mix at a rate, and the server's processor time a request, µs."""
    folder = Path(tempfile.mkdtemp(prefix="rubi-year-"))
    try:
        ran = loads.pgbench(
            server, database, 4, "-T", str(seconds), "-R", str(rate), "-l",
            f"--log-prefix={folder}/log", *loads.mix_scripts(),
        )  # fmt: skip
        taken = []
        for path in folder.iterdir():
            for line in path.read_text().splitlines():
                fields = line.split()
                # without the wait for its turn, which the machine's other work makes
                ms = (int(fields[2]) - int(fields[6])) / 1000
                taken.append(Request(int(fields[4]) + int(fields[5]) / 1e6, ms))
        return taken, ran.cpu
    finally:
        shutil.rmtree(folder)


def quantiles(values: list[float]) -> dict[str, float]:
    """Median and 99th percentile."""
    return {
        "p50": statistics.median(values),
        "p99": statistics.quantiles(values, n=100)[98] if len(values) > 1 else values[0],
    }


def mix(server: Server, rounds: int, seconds: int, rate: int) -> dict[str, Any]:
    """The API's mix on day 1's database and today's, in turn."""
    found: dict[str, list[float]] = {FIRST: [], "now": []}
    cpu: dict[str, list[float]] = {FIRST: [], "now": []}
    for name in found:
        run_mix(server, f"mix_{name}", 1, rate)
    for name in loads.in_turn(tuple(found), rounds):
        taken, used = run_mix(server, f"mix_{name}", seconds, rate)
        found[name] += [request.ms for request in taken]
        cpu[name].append(used)
    return {name: quantiles(found[name]) | {"cpu": statistics.median(cpu[name])} for name in found}


def warm(taken: list[Request]) -> list[Request]:
    """Requests after the first seconds of a round."""
    first = min(request.until for request in taken)
    return [request for request in taken if request.until >= first + WARMING]


def figures(taken: Iterable[Request]) -> dict[str, float]:
    """Median, 99th percentile, longest and number of requests; empty where there are none."""
    values = [request.ms for request in taken]
    return quantiles(values) | {"max": max(values), "count": len(values)} if values else {}


def week_of_nights(year: Year, day: int) -> list[Step]:
    """What a week's nights do, in one, and a backup, on today's copy."""
    begin, *_ = year.position()
    time.sleep(WARMING)
    done = year.night(begin, day, 1, NOW, older=7)
    folder = Path(tempfile.mkdtemp(prefix="rubi-year-", dir="/var/tmp"))
    console.quiet = True
    try:
        with timed(done, "backup"):
            taking.take(folder, "", year.server.dsn(NOW), "", [])
    finally:
        console.quiet = False
        shutil.rmtree(folder, ignore_errors=True)
    return done


def beside_night(year: Year, day: int, seconds: int, rate: int) -> dict[str, Any]:
    """The mix on today's copy alone, while a week's nightly work and a backup run in it, and alone
    again."""
    archive = year.archive.with_name(NOW)
    shutil.copytree(year.archive, archive, dirs_exist_ok=True)
    length = max(seconds, 3 * WARMING)
    try:
        before = warm(run_mix(year.server, NOW, length, rate)[0])
        with ThreadPoolExecutor(1) as pool:
            work = pool.submit(week_of_nights, year, day)
            beside: list[Request] = []
            while not work.done():
                beside += warm(run_mix(year.server, NOW, length, rate)[0])
            steps = work.result()
        after = warm(run_mix(year.server, NOW, length, rate)[0])
    finally:
        shutil.rmtree(archive)
    whole = Step("night", steps[0].since, steps[-1].until)
    return {
        "alone": figures(before + after),
        "steps": [
            {"name": step.name, "seconds": step.until - step.since}
            | figures(r for r in beside if step.since <= r.until <= step.until)
            for step in (whole, *steps)
        ],
    }
