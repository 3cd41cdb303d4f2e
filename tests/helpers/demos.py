"""The demo as a program: its surroundings, a call, and what it prints."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from conftest import ROOT, Address
from rubi.servers import embedded

README = ROOT / "README.md"
PROGRAM = [sys.executable, str(ROOT / "scripts/demo.py")]
Surroundings = Callable[..., dict[str, str]]


def surroundings(server: Address, home: Path, **more: str) -> dict[str, str]:
    """Variables of a demo with a folder and a port of its own."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "RUBI_SERVER"))}
    return clean | {
        "RUBI_HOME": str(home), "RUBI_PG_BIN": str(server.binaries), "COLUMNS": "100",
        "RUBI_DEMO_PORT": str(embedded.free_port()),
    } | more  # fmt: skip


def call(
    environment: dict[str, str], *arguments: str, **more: str
) -> subprocess.CompletedProcess[str]:
    """Run the demo that has these variables."""
    return subprocess.run(
        [*PROGRAM, *arguments], env=environment | more, capture_output=True,
        encoding=more.get("PYTHONIOENCODING", "utf-8"),
    )  # fmt: skip


def shown_lines(text: str) -> list[str]:
    """Lines of what the demo prints, also in README, without what is of the day or the machine."""
    if "```text" in text:
        text = text[text.index("```text") : text.index("The report, for a browser: …")]
        text = text.split("\n", 1)[1].replace("…\n", "")
    for what in (
        r"PostgreSQL \d+, TimescaleDB [\d.]+",
        r"\d{4}-\d\d-\d\d",
        r"[\d:]{8}\.\d+ +-?\d{0,6}(?!\d)",
        r" [\d.]+ s$",
    ):
        text = re.sub(what, "", text, flags=re.MULTILINE)
    return [line.rstrip() for line in text.splitlines()]
