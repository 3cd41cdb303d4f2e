"""The major upgrade of benchmarks/year.py: docs/guides/upgrades.md, with a year in the database.

The page's own commands move a copy of the year's database to another server while the API's mix
writes, then the two are compared, and the mix runs on the new one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from time import time
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import loads
import pages
from rubi import ROOT
from rubi.backups import measuring
from rubi.cli import Failure
from server import Server, running
from year_days import DATABASE, Step, Year
from year_mix import Request, copy_with_mix, figures, run_mix, warm

PAGE = ROOT / "docs/guides/upgrades.md"
MOVED = "moved"
HELD = 60  # seconds for which writes may stand
PASSES = 8  # ahead, at most
ROUND = 10  # seconds of the mix, each with connections of its own
ENDS = 60  # seconds in which a round that is refused ends


@dataclass
class Writing:
    """The API's mix, again and again, until it is told to end or the database refuses it."""

    server: Server
    rate: int
    requests: list[Request] = field(default_factory=list)
    refused: str = ""
    _done: threading.Event = field(default_factory=threading.Event)

    def work(self) -> None:
        """Rounds of the mix."""
        while not self._done.is_set():
            try:
                self.requests += warm(run_mix(self.server, MOVED, ROUND, self.rate)[0])
            except Failure as failure:
                self.refused = str(failure)
                return

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Write for as long as the block lasts, which closes the database. Raises Failure when
        that goes on taking writes."""
        thread = threading.Thread(target=self.work)
        thread.start()
        try:
            yield
            thread.join(ENDS)
            if thread.is_alive():
                raise Failure(f"{MOVED} takes writes after it was closed")
        finally:
            self._done.set()
            thread.join()


@dataclass
class Page:
    """The commands of the page, in their order."""

    old: Server
    new: Server
    steps: list[Step] = field(default_factory=list)

    def __post_init__(self) -> None:
        _, self.deploy, self.ahead, self.finish, self.prove, _ = re.findall(
            r"^```sh\n(.*?)^```$", PAGE.read_text(), re.M | re.S
        )

    def follow(self, name: str, command: str) -> str:
        """Run a command as it stands there, with this Python; answers what it prints."""
        began = time()
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", command.replace(".venv/bin/python", sys.executable)],
            cwd=ROOT, capture_output=True, text=True, check=False,
            env=os.environ | {
                "OLD": self.old.dsn(MOVED, "rubi_admin"), "NEW": self.new.dsn(MOVED, "rubi_admin"),
                "PATH": f"{self.new.programs}:{os.environ['PATH']}", "LC_ALL": "C.UTF-8",
            },
        )  # fmt: skip
        self.steps.append(Step(name, began, time()))
        if done.returncode:
            raise Failure(f"{name}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout


def number(pattern: str, text: str) -> float:
    """A number that a command printed."""
    found = re.search(pattern, text)
    if not found:
        raise Failure(f"no {pattern} in what the command printed: {text.strip()[-300:]}")
    return float(found[1].replace(",", ""))


def make_source(server: Server) -> None:
    """A copy of the year's database with the mix's rows, owned as the year's is."""
    copy_with_mix(server, MOVED, DATABASE)
    with server.connect() as connection:
        connection.execute(
            "UPDATE pg_database AS d SET datdba = t.datdba, datacl = t.datacl"
            " FROM pg_database AS t WHERE t.datname = %s AND d.datname = %s",
            [DATABASE, MOVED],
        )
    with server.connect(MOVED) as connection:
        connection.execute("SET client_min_messages = warning")
        connection.execute("DROP SCHEMA benchmark CASCADE")


def copy_ahead(page: Page, writing: Writing) -> list[dict[str, Any]]:
    """Call after call, until one takes less than a third of what writes may stand."""
    passes: list[dict[str, Any]] = []
    while not passes or (passes[-1]["seconds"] > HELD / 3 and len(passes) < PASSES):
        rows = number(r"copied ahead · ([\d,]+) rows", page.follow("copy ahead", page.ahead))
        step = page.steps[-1]
        beside = [r for r in writing.requests if step.since <= r.until <= step.until]
        passes.append({"seconds": step.until - step.since, "rows": rows} | figures(beside))
        if writing.refused:
            raise Failure(f"the mix ended early: {writing.refused}")
    return passes


def contents(server: Server) -> dict[str, Any]:
    """Rows and checksum of every table but those of deploying, which each side has for itself."""
    with server.connect(MOVED) as connection, connection.transaction():
        measured = measuring.measure(connection)
        return {
            name: found for name, found in measured["tables"].items()
            if not name.startswith("deploy.")
        }  # fmt: skip


def compare(old: Server, new: Server) -> dict[str, Any]:
    """Tables and rows of the old side. Raises Failure when the new one has others."""
    before, after = contents(old), contents(new)
    differs = [name for name in before | after if before.get(name) != after.get(name)]
    if differs:
        raise Failure(f"not equal after the move: {', '.join(differs)}")
    return {"tables": len(before), "rows": sum(found["rows"] for found in before.values())}


def proofs(printed: str) -> int:
    """How many proofs hold. Raises Failure when one does not."""
    found = re.findall(r"^ (\S[^|]*?) +\| +(\d+)$", printed, re.M)
    if wrong := [name for name, violations in found if int(violations)]:
        raise Failure(f"after the move {', '.join(wrong)} fail")
    if not found:
        raise Failure(f"no proofs were printed: {printed[:300]}")
    return len(found)


def facts_of(server: Server) -> dict[str, Any]:
    """Versions and size of a side."""
    with server.connect(MOVED) as connection:
        facts = pages.facts(connection)
        (whole,) = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return {name: facts[name] for name in ("PostgreSQL", "TimescaleDB")} | {"bytes": whole}


def move(year: Year, seconds: int, rate: int, major: int = 18) -> dict[str, Any]:
    """Move a copy of the year to a server of another major; answers what it took."""
    old = year.server
    make_source(old)
    try:
        # both with the same settings, on one machine
        with running(major, old.settings) as new:
            loads.make_administrator(new)
            loads.make_empty(new, MOVED)
            page = Page(old, new)
            page.follow("deploy", page.deploy)
            found: dict[str, Any] = {"alone": figures(warm(run_mix(old, MOVED, seconds, rate)[0]))}
            writing = Writing(old, rate)
            with writing.going_on():
                found["ahead"] = copy_ahead(page, writing)
                said = page.follow("finish", page.finish)
            found |= {
                "rate": rate,
                "wanted": HELD,
                "scale": year.size.scale,
                "days": year.size.days,
                "refused": writing.refused,
                "held": number(r"writes were held for ([\d.]+) s", said),
                "copied": number(r"([\d,]+) rows copied", said),
                "compared": number(r"([\d,]+) compared", said),
                "old": facts_of(old),
                "new": facts_of(new),
            } | compare(old, new)
            found["proofs"] = proofs(page.follow("prove", page.prove))
            found["after"] = figures(warm(run_mix(new, MOVED, seconds, rate)[0]))
            found["proofs later"] = proofs(page.follow("prove", page.prove))
            found["seconds"] = {step.name: step.until - step.since for step in page.steps}
            return found
    finally:
        with old.connect() as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{MOVED}" WITH (FORCE)')
