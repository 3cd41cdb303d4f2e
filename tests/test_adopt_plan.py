"""adopt.py plan: what would happen, and which rows break a rule; nothing is written."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

import deploying
import moving
from bases import (
    HANGING,
    IMPOSSIBLE,
    POSSIBLE,
    base,
    counts,
    run,
)
from conftest import Address
from rows import HASH
from rubi.moving import sources

__all__ = ["base"]  # a fixture


def test_plan_writes_nothing(
    server: Address, base: psycopg.Connection, empty_database: Callable[..., str]
) -> None:
    scratch = empty_database()
    before = deploying.left_in_catalog(server, base.info.dbname)
    empty = deploying.left_in_catalog(server, scratch)
    done = run(base, "plan", "--scratch", scratch)
    assert done.returncode == 0, done
    assert "market_data: 1,401 rows" in done.stdout
    assert "ACCESS EXCLUSIVE on the nine tables for about" in done.stdout
    assert deploying.left_in_catalog(server, base.info.dbname) == before
    assert deploying.left_in_catalog(server, scratch) == empty


def planned(done: moving.Done) -> dict[tuple[str, str], tuple[int, int]]:
    """Table and rule: rows, and one of them."""
    lines = re.findall(r"(?m)^(\w+): (\w+): (\d+) rows?, one has id (\d+): ", done.stdout)
    return {(table, rule): (int(rows), int(id_)) for table, rule, rows, id_ in lines}


def test_plan_names_each_rule_that_rows_break(
    base: psycopg.Connection, empty_database: Callable[..., str]
) -> None:
    for statement in POSSIBLE:
        base.execute(statement.format(hash=HASH))
    before = counts(base)
    done = run(base, "plan", "--scratch", empty_database())
    assert done.returncode == 0, done
    found = planned(done)
    assert set(found) == set(IMPOSSIBLE.values())
    for (table, _), (rows, example) in found.items():
        assert rows == 1
        assert base.execute(f"SELECT FROM {table} WHERE id = %s", [example]).rowcount == 1
    assert f"{len(IMPOSSIBLE)} rows break a rule" in done.stdout
    assert counts(base) == before
    assert run(base, "plan", "--no-rows").stdout.count("rule") == 0


def test_plan_finds_what_apply_keeps_in_quarantine(
    base: psycopg.Connection, empty_database: Callable[..., str], tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setattr(sources, "ROWS", 500)  # bars come in several batches
    base.execute(HANGING.format(hash=HASH))
    found = planned(run(base, "plan", "--scratch", empty_database()))
    assert found["account_snapshots", "account_snapshots_session_id_fkey"][0] == 1
    assert found["market_data", "market_data_pkey"][0] == 1
    assert run(base, "apply", "--backup", tmp_path).returncode == 0
    kept = base.execute(
        "SELECT table_name, rule, count(*) FROM migration.rejects GROUP BY 1, 2"
    ).fetchall()
    assert {(table, rule): rows for table, rule, rows in kept} == {
        rule: rows for rule, (rows, _) in found.items()
    }


def test_plan_of_a_sound_base_says_that_all_rows_come(
    base: psycopg.Connection, empty_database: Callable[..., str]
) -> None:
    arguments = ["plan", "--scratch", empty_database()]
    for (table, _), (_, example) in planned(run(base, *arguments)).items():
        base.execute(f"DELETE FROM {table} WHERE id = %s", [example])
    assert "no row breaks a rule" in run(base, *arguments).stdout
