"""What every benchmark says of the machine, and where its figures go: a page and JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

import psycopg

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

from rubi.cli import console

RESULTS = ROOT / "benchmarks/results"

Lines = list[str]


def heading(title: str, *columns: str) -> Lines:
    """Begin of a table in Markdown: the first column is text."""
    rule = ["---", *("---:" for _ in columns[1:])]
    return ["", f"## {title}", "", f"| {' | '.join(columns)} |", f"| {' | '.join(rule)} |"]


def facts(connection: psycopg.Connection) -> dict[str, str]:
    """Machine and versions; nothing that names the machine."""
    postgresql, timescaledb, commit, fsync = connection.execute(
        "SELECT current_setting('server_version'),"
        " (SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'),"
        " current_setting('synchronous_commit'), current_setting('fsync')"
    ).fetchone()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d"),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "PostgreSQL": postgresql.split()[0],
        "TimescaleDB": timescaledb,
        "fsync": fsync,
        "synchronous_commit": commit,
        "load average before": f"{os.getloadavg()[0]:.1f}",
    }


def said(found: dict[str, str]) -> str:
    """The facts in a line."""
    return ", ".join(f"{name} {value}" for name, value in found.items()) + "."


def keep(folder: Path, name: str, page: str, result: dict) -> None:
    """Write the page and its figures."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.md").write_text(page)
    (folder / f"{name}.json").write_text(json.dumps(result, indent=2) + "\n")


def write(folder: Path, name: str, page: str, result: dict) -> None:
    """Write the page and its figures, and show the page."""
    keep(folder, name, page, result)
    console.print(page, markup=False)
