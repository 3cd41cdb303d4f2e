"""load_bars.py as the tests call it, and what came of a file."""

from __future__ import annotations

from pathlib import Path

import psycopg

import bars
import load_bars


def load(db: psycopg.Connection, *arguments: object):
    """Load files, by UTC unless a clock is given."""
    clock = () if {"--clock", "--server-clock"} & set(arguments) else ("--clock", "UTC")
    return bars.script(db, load_bars, *arguments, *clock)


def count(db: psycopg.Connection) -> int:
    return db.execute("SELECT count(*) FROM market_data").fetchone()[0]


def rejected(path: Path) -> list[tuple[int, str]]:
    lines = path.with_name(path.name + ".rejected.tsv").read_text().splitlines()[1:]
    return [(int(line.split("\t")[0]), line.split("\t")[1]) for line in lines]
