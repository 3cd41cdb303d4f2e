"""Settings for a machine's size, by the rules that make postgresql.conf of 4 cores and 8 GB."""

from __future__ import annotations

import json
import re
from typing import Annotated

import psycopg
import typer

from rubi.cli import Failure, console, new_app, run
from rubi.connecting import Dsn

DIFFERENT = 3
Memory = Annotated[str, typer.Option(help="Memory of the machine, such as 16GB")]
Cores = Annotated[int, typer.Option(min=1, max=512, help="Processor cores")]
Connections = Annotated[int, typer.Option(min=20, max=5000, help="max_connections")]
# what needs a restart or belongs to the service
UNITS = {"kB": 1, "8kB": 8, "MB": 1024, "GB": 1024**2, "TB": 1024**3}

app = new_app(__doc__)


def megabytes(text: str) -> int:
    """16GB or 8192MB in MB. Raises Failure for anything else."""
    match = re.fullmatch(r"(\d+) ?(MB|GB)", text)
    if not match or not (size := int(match[1]) * (1024 if match[2] == "GB" else 1)) >= 1024:
        raise Failure(f"memory {text}: give at least 1GB, as 16GB or 8192MB")
    return size


def clamp(value: float, low: int, high: int) -> int:
    """A whole number between two others."""
    return int(max(low, min(value, high)))


def shown(mb: int) -> str:
    """MB, or GB where it is whole."""
    return f"{mb // 1024}GB" if mb % 1024 == 0 else f"{mb}MB"


def derive(memory: int, cores: int, connections: int) -> dict[str, str]:
    """Settings for memory in MB. A quarter is shared_buffers, as PostgreSQL's manual says; what all
    connections could sort with at once is three eighths; the rest is the system's cache."""
    parallel = cores
    gather = clamp(cores / 2, 1, 8)
    timescale = clamp(cores * 2, 8, 64)
    return {
        "max_connections": str(connections),
        "shared_buffers": shown(clamp(memory / 4, 256, 65536)),
        "effective_cache_size": shown(memory * 3 // 4),
        "work_mem": shown(clamp(memory * 200 / 512 / connections, 4, 256)),
        "maintenance_work_mem": shown(clamp(memory / 16, 64, 2048)),
        "wal_buffers": "16MB",
        "max_wal_size": shown(clamp(memory / 4, 1024, 65536)),
        "min_wal_size": shown(clamp(memory / 8, 512, 8192)),
        "timescaledb.max_background_workers": str(timescale),
        # TimescaleDB's and its launcher, parallel ones, logical replication's launcher, 2 to spare
        "max_worker_processes": str(timescale + 1 + parallel + 1 + 2),
        "max_parallel_workers": str(parallel),
        "max_parallel_workers_per_gather": str(gather),
        "max_parallel_maintenance_workers": str(gather),
        "autovacuum_max_workers": str(clamp(cores / 4, 3, 10)),
    }


def comparable(value: str, unit: str | None = None) -> float | str:
    """A size in kB or a number, so that 2GB equals 262144 pages of 8kB."""
    if match := re.fullmatch(r"(\d+)(kB|MB|GB|TB)?", value):
        return int(match[1]) * UNITS.get(match[2] or unit or "", 1)
    return value


@app.command("derive")
def print_settings(memory: Memory, cores: Cores, connections: Connections = 200) -> None:
    """Print lines for postgresql.conf; the others of that file stay as they are."""
    for name, value in derive(megabytes(memory), cores, connections).items():
        print(f"{name} = {value}")


@app.command()
def check(
    memory: Memory,
    cores: Cores,
    connections: Connections = 200,
    dsn: Dsn = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON")] = False,
) -> None:
    """Compare a running server with what is derived. 3 when something differs."""
    wanted = derive(megabytes(memory), cores, connections)
    with psycopg.connect(dsn, connect_timeout=10) as connection:
        found = {
            name: (setting, unit)
            for name, setting, unit in connection.execute(
                "SELECT name, setting, unit FROM pg_settings WHERE name = ANY (%s)", [list(wanted)]
            )
        }
        has = {name: connection.execute("SELECT current_setting(%s, TRUE)", [name]).fetchone()[0]
               for name in wanted}  # fmt: skip
    report = []
    for name, value in wanted.items():
        setting, unit = found.get(name, ("not known", None))
        same = comparable(setting, unit) == comparable(value)
        report.append({"name": name, "has": has[name], "derived": value, "same": same})
        if not as_json:
            style = "green" if same else "yellow"
            console.print(f"[{style}]{name}[/] has {has[name]}, derived {value}")
    if as_json:
        print(json.dumps(report))
    raise typer.Exit(0 if all(one["same"] for one in report) else DIFFERENT)


if __name__ == "__main__":
    run(app)
