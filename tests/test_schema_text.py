"""tests/schema.txt: the catalog as text, so that a pull request shows what a change does to it."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

import deploying
from conftest import Address

TEXT = Path(__file__).with_name("schema.txt")
REFRESH = "scripts/test.sh tests/test_schema_text.py --refresh"


@pytest.mark.needs(timescaledb="2.18", why="the committed text is of triggers by statement")
def test_committed_schema_text_is_what_the_files_make(
    server: Address, fresh_install: str, request: pytest.FixtureRequest
) -> None:
    made = deploying.run(server, fresh_install, "catalog").stdout
    if request.config.getoption("--refresh"):
        TEXT.write_text(made, encoding="utf-8")
    committed = TEXT.read_text(encoding="utf-8")
    changes = difflib.unified_diff(committed.splitlines(), made.splitlines(), lineterm="", n=0)
    assert committed == made, f"stale: {REFRESH}\n" + "\n".join(changes)
