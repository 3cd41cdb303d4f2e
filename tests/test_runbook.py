"""docs/guides/runbook.md: its SQL runs as written."""

from __future__ import annotations

import re
import time

import psycopg
import pytest

import blocks
from conftest import ROOT, Address
from rubi import health_checks

PAGE = (ROOT / "docs/guides/runbook.md").read_text()
STATEMENTS = [
    f"{statement};"
    for block in blocks.blocks(ROOT / "docs/guides/runbook.md")
    if block.kind == "sql" and block.told("as") == "rubi_monitor"
    for statement in block.text.strip().removesuffix(";").split(";\n")
]


@pytest.mark.parametrize("statement", STATEMENTS)
def test_statement_runs_as_rubi_monitor(catalog: psycopg.Connection, statement: str) -> None:
    with catalog.transaction(force_rollback=True):
        catalog.execute("SET LOCAL SESSION AUTHORIZATION rubi_monitor")
        # in a run of more than 10 minutes there are idle sessions of other tests
        catalog.execute(
            f"EXPLAIN {statement}" if "pg_terminate_backend" in statement else statement
        )


@pytest.mark.parametrize(
    "case",
    [
        "What happened at three",
        "Full disk",
        "Too many connections",
        "Blocked deploy",
        "Slow query",
        "Failed backup",
        "Lost instance",
        "Password rotation",
        "Major upgrade",
    ],
)
def test_every_case_has_a_section(case: str) -> None:
    titles = re.findall(r"^## (.*)$", PAGE, re.MULTILINE)
    assert any(title.startswith(case) for title in titles), case


def test_advice_of_health_names_what_there_is(catalog: psycopg.Connection) -> None:
    lost = []
    for (action,) in catalog.execute("SELECT action FROM monitoring.thresholds").fetchall():
        paths = re.findall(r"(?:docs|grants|scripts)/[\w/]+\.\w+", action)
        lost += [path for path in paths if not (ROOT / path).exists()]
        words = re.sub(r"docs/\S+", "", action)
        for name, is_call in re.findall(r"\b((?:monitoring\.)?[a-z]\w+)(\()?", words):
            if is_call:
                query = "SELECT count(*) > 0 FROM pg_proc WHERE proname = split_part(%s, '.', -1)"
            elif name.startswith("monitoring."):
                query = "SELECT to_regclass(%s) IS NOT NULL"
            else:
                continue
            if catalog.execute(query, [name]).fetchone() != (True,):
                lost.append(name)
        for relation, columns in re.findall(r"INSERT INTO ([\w.]+) \(([^)]+)\)", action):
            catalog.execute(f"SELECT {columns} FROM {relation} LIMIT 0")
    assert lost == []


@pytest.mark.parametrize("hours", [-1, 0, 1])
def test_clock_that_is_an_hour_off_is_said_first(
    server: Address, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture, hours: int
) -> None:
    monkeypatch.setattr(health_checks, "time", lambda: time.time() - 3600 * hours)
    health_checks.connect(server.dsn()).close()
    said = capsys.readouterr().err
    assert said.startswith(f"warning: the server's clock is {hours * 36:+}" if hours else "")
    assert (said == "") is (hours == 0)


def test_page_is_three_screens_long() -> None:
    assert len(PAGE.splitlines()) <= 3 * 50
