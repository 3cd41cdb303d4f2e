"""What samples of the sessions cost, taken each second beside the API's mix.

The mix at full speed with and without them in turn, and the sampler's own processor time; then a
slow mix for some minutes, of which a day's bytes are computed. Writes benchmarks/results/samples.md
and samples.json.
"""

from __future__ import annotations

import os
import statistics
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Annotated

import psycopg
import typer

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import pages
from loads import Figures, execute_file, in_turn, install_ours, make_empty, pgbench, run_mix, vacuum
from loads import mix_scripts as mix
from rubi.cli import new_app, run, step
from server import Server, running

app = new_app(__doc__)
SIZES = """
    SELECT c.relname, pg_total_relation_size(c.oid) FROM pg_class AS c
    WHERE c.relnamespace = 'monitoring'::regnamespace AND c.relkind = 'r'
        AND c.relname ~ '^(samples_|facts_|sampled_|counter_readings)'
"""
ROWS = """
    SELECT (SELECT count(*) FROM monitoring.samples),
        (SELECT count(*) FROM monitoring.facts WHERE kind = 'minute'),
        (SELECT coalesce(sum(cardinality(causes)), 0) FROM monitoring.samples)
"""


def ticks(pid: int) -> float:
    """Processor time of a process, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def sampling(sampler: psycopg.Connection, used: list[tuple[float, int]]) -> Iterator[None]:
    """A sample each second by a thread; its backend's processor time and samples are noted."""
    stop = threading.Event()

    def sample() -> None:
        pid = sampler.info.backend_pid
        before, taken, due = ticks(pid), 0, time.monotonic()
        while not stop.wait(max(0, due - time.monotonic())):
            due += 1
            taken += sampler.execute("SELECT monitoring.take_sample()").fetchone()[0]
        used.append((ticks(pid) - before, taken))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def take_turns(
    server: Server, sampler: psycopg.Connection, seconds: int, rounds: int
) -> dict[str, float]:
    """Rates with and without samples, and the sampler's share of the mix's processor time."""
    found: dict[str, list[Figures]] = {"with": [], "without": []}
    used: list[tuple[float, int]] = []
    for kind in in_turn(("without", "with"), rounds):
        with sampling(sampler, used) if kind == "with" else nullcontext():
            found[kind].append(run_mix(server, "ours", 16, seconds))
    mixed = [figures.cpu * figures.rate * seconds / 1e6 for figures in found["with"]]
    return {
        "rate with samples": statistics.median(f.rate for f in found["with"]),
        "rate without": statistics.median(f.rate for f in found["without"]),
        "ratio of rates": statistics.median(
            a.rate / b.rate for a, b in zip(found["with"], found["without"], strict=True)
        ),
        "ratio of processor time a request": statistics.median(
            a.cpu / b.cpu for a, b in zip(found["with"], found["without"], strict=True)
        ),
        "sampler's processor time, % of the mix's": 100 * sum(u for u, _ in used) / sum(mixed),
        "processor time of a sample, ms": 1000 * sum(u for u, _ in used) / sum(n for _, n in used),
    }


def measure_bytes(
    server: Server, sampler: psycopg.Connection, minutes: float, rate: int
) -> dict[str, float]:
    """Bytes of a day, by what minutes of a slow mix and the end of an hour leave."""
    used: list[tuple[float, int]] = []
    with server.connect("ours") as connection:
        connection.execute("SELECT monitoring.keep_samples(TRUE)")  # first readings, once for all
        before = dict(connection.execute(SIZES).fetchall())
        rows = connection.execute(ROWS).fetchone()
    seconds = int(minutes * 60)
    with sampling(sampler, used):
        pgbench(server, "ours", 180, "-T", str(seconds), "-R", str(rate), *mix())
    with server.connect("ours") as connection:
        after = dict(connection.execute(SIZES).fetchall())
        connection.execute("SELECT monitoring.keep_samples(TRUE)")
        hour = dict(connection.execute(SIZES).fetchall())
        grown = [b - a for a, b in zip(rows, connection.execute(ROWS).fetchone(), strict=True)]
    per_day = 86400 / seconds
    parts = {
        part: sum(
            (after[n] - before[n]) * per_day + (hour[n] - after[n]) * 24
            for n in after
            if n.startswith(part)
        )
        / 1e6
        for part in ("samples_", "facts_", "sampled_", "counter_readings")
    }
    return {
        "MB a day": sum(parts.values()),
        **{f"{part.rstrip('_')}, MB a day": size for part, size in parts.items()},
        "samples": grown[0],
        "causes a sample": grown[2] / max(grown[0], 1),
        "minute rows": grown[1],
        "processor time of a sample, ms": 1000 * used[0][0] / max(used[0][1], 1),
    }


@app.command()
def main(
    seconds: Annotated[int, typer.Option(help="Of each round")] = 30,
    rounds: Annotated[int, typer.Option(help="With and without")] = 5,
    minutes: Annotated[float, typer.Option(help="Of the slow mix")] = 60,
    rate: Annotated[int, typer.Option(help="Requests a second of the slow mix")] = 1000,
    pg: int = 17,
    folder: Annotated[Path, typer.Option(help="For the page")] = pages.RESULTS,
) -> None:
    """Measure, and write the page."""
    settings = {"autovacuum": "on", "max_connections": "220"}
    with running(pg, settings) as server:
        with step("database installed"):
            with server.connect() as connection:
                connection.execute("CREATE ROLE rubi_admin LOGIN CREATEDB CREATEROLE")
                connection.execute("GRANT pg_monitor TO rubi_admin WITH ADMIN OPTION")
            make_empty(server, "ours")
            install_ours(server, "ours")
            execute_file(server, "ours", HERE / "data.sql")
            vacuum(server, "ours")
        with server.connect("ours") as connection:
            facts = pages.facts(connection)
        # one connection that stays, as the service has it
        with psycopg.connect(server.dsn("ours"), autocommit=True) as sampler:
            sampler.execute("SELECT monitoring.take_sample()")
            with step(f"{rounds} rounds in turn"):
                turns = take_turns(server, sampler, seconds, rounds)
            with step(f"{minutes:g} minutes of a slow mix"):
                stored = measure_bytes(server, sampler, minutes, rate)
    lines = [
        "# Samples each second beside the API's mix", "", pages.said(facts), "",
        "Made by `python benchmarks/samples.py`. The sampler's processor time is that of its "
        "backend, for samples, minutes and hours.",
        *pages.heading(f"{rounds} rounds of {seconds} s, 16 connections", "what", "median"),
        *(f"| {name} | {value:.4g} |" for name, value in turns.items()),
        *pages.heading(
            f"{minutes:g} minutes, 180 connections, {rate} requests a second", "what", "value"
        ),
        *(f"| {name} | {value:.4g} |" for name, value in stored.items()),
    ]  # fmt: skip
    pages.write(
        folder, "samples", "\n".join(lines) + "\n",
        {"facts": facts, "turns": turns, "stored": stored},
    )  # fmt: skip


if __name__ == "__main__":
    run(app)
