"""docs/guides/runbook.md: its SQL runs as written."""

from __future__ import annotations

import re

import psycopg
import pytest

import blocks
from conftest import ROOT

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


def test_page_is_three_screens_long() -> None:
    assert len(PAGE.splitlines()) <= 3 * 50
