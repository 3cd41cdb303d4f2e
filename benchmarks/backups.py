"""What the formats, compressions and numbers of connections of dump and restore take.

Builds a database with random bars in a server of its own, dumps it in several ways, restores it in
several ways, and prints both tables. Each restore is compared with the manifest.
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "scripts"))

from rubi import connecting
from rubi.backups import places, restoring, taking
from rubi.cli import console, new_app, run, step
from rubi.deploying import applying, sqlfiles
from rubi.servers import clusters, embedded, pgtools
from server import Server, running

app = new_app(__doc__)
app.info.no_args_is_help = False
DUMPS = (
    ("custom", "none", 1), ("custom", "gzip:1", 1), ("custom", "gzip:6", 1), ("custom", "lz4", 1),
    ("custom", "zstd:1", 1), ("custom", "zstd:3", 1), ("custom", "zstd:9", 1),
    ("directory", "zstd:3", 2),
)  # fmt: skip
RESTORES = ("gzip:6/1", "zstd:1/1", "zstd:1/2", "zstd:1/4")
# M1 of five symbols, prices of five digits that do not repeat
BARS = """
INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close, volume, spread)
SELECT symbol, 'M1', '2022-01-01'::timestamptz + n * interval '1 minute',
    price, price + 0.002, price - 0.002, price + ((random() - 0.5) * 0.003)::numeric(15, 5),
    (random() * 500)::bigint, 7
FROM (
    SELECT n, symbol, (1.1 + random() / 10)::numeric(15, 5) AS price
    FROM unnest(ARRAY['EURUSD', 'GBPUSD', 'USDJPY', 'AUDUSD', 'USDCHF']) AS symbol,
        generate_series(1, %s / 5) AS n
) AS bars
"""
Bars = Annotated[int, typer.Option(help="number of bars")]


def build(server: Server, bars: int) -> None:
    """A deployed database with that many bars."""
    with server.connect() as connection:
        connection.execute("CREATE DATABASE bench")
    with server.connect("bench") as connection, step(f"{bars:,} bars") as notes:
        connection.execute("SET client_min_messages = error")
        connection.execute("CREATE EXTENSION timescaledb")
        connection.execute("CREATE EXTENSION pg_stat_statements")
        with connecting.connect(server.dsn("bench")) as owner:
            for file in sqlfiles.read_files():
                applying.apply_file(owner, file)
        connection.execute(BARS, [bars])
        connection.execute("VACUUM ANALYZE market_data")
        connection.execute("CHECKPOINT")
        size = connection.execute("SELECT pg_size_pretty(pg_database_size('bench'))").fetchone()[0]
        notes.append(size)


@app.command()
def measure(
    bars: Bars = 5_000_000,
    pg: int = embedded.DEFAULT_MAJOR,
    dumps: Annotated[bool, typer.Option(help="measure dumps")] = True,
    restores: Annotated[
        list[str] | None, typer.Option("--restore", help="-Z and connections; repeatable")
    ] = None,
) -> None:
    """Print what dumps and restores take."""
    with running(pg, {"max_wal_size": "4GB"}) as server:
        build(server, bars)
        folder = clusters.new_folder("dumps")
        try:
            if dumps:
                measure_dumps(server, folder, bars)
            measure_restores(server, folder, restores or list(RESTORES))
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def measure_dumps(server: Server, folder: Path, bars: int) -> None:
    """pg_dump with each format and compression, then the whole of backup.sh."""
    env = pgtools.environment(server.dsn("bench"))
    console.print("| format | -Z | connections | seconds | bars a second | MB |")
    console.print("| --- | --- | --- | --- | --- | --- |")
    for form, compress, jobs in DUMPS:
        target = folder / f"dump-{form}-{compress}"
        began = monotonic()
        pgtools.run(
            server.programs / "pg_dump", f"--format={form}", f"--compress={compress}",
            f"--jobs={jobs}", f"--file={target}", env=env,
        )  # fmt: skip
        seconds = monotonic() - began
        files = [target] if target.is_file() else list(target.iterdir())
        size = sum(file.stat().st_size for file in files) / 1e6
        console.print(
            f"| {form} | {compress} | {jobs} | {seconds:.1f} | {bars / seconds:,.0f} | {size:.1f} |"
        )
        shutil.rmtree(target) if target.is_dir() else target.unlink()


def measure_restores(server: Server, folder: Path, ways: list[str]) -> None:
    """restore.sh's way, from dumps of several compressions, with several connections."""
    console.print("| -Z | connections | seconds of restore and comparison |")
    console.print("| --- | --- | --- |")
    for way in ways:
        compress, jobs = way.split("/")[0], int(way.split("/")[1])
        place = folder / compress
        if not place.exists():
            place.mkdir()
            taking.take(place, "", server.dsn("bench"), compress, [])
        name = places.Place(place).names()[0]
        target = f"back_{jobs}"
        with restoring.fetched(str(place / name), "", "", None) as fetched:
            began = monotonic()
            restoring.restore_into(fetched, server.dsn(target), jobs=jobs)
            seconds = monotonic() - began
        console.print(f"| {compress} | {jobs} | {seconds:.1f} |")
        with server.connect() as connection:
            connection.execute(f"DROP DATABASE {target}")


if __name__ == "__main__":
    run(app)
