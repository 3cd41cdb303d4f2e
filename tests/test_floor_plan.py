"""One key for one thing: what a numbered file is about is said by its number, in every folder."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections import defaultdict
from functools import cache
from pathlib import Path

import pglast
import pytest
from pglast import ast

from conftest import ROOT
from rubi.deploying import sqlfiles
from rubi.pages.areas import AREAS

FILES = sqlfiles.read_files()
KINDS = dict(zip([*sqlfiles.ONCE, *sqlfiles.CHANGED], "0123456", strict=True))
BASE = (
    "users", "trading_strategies", "mt5_accounts", "mt5_sessions", "trading_signals",
    "trading_orders", "trading_positions", "account_snapshots", "market_data",
    "performance_metrics",
)  # fmt: skip
MADE_BY = {
    ast.CreateStmt: "relation", ast.ViewStmt: "view",
    ast.AlterTableStmt: "relation", ast.IndexStmt: "relation", ast.CreateTrigStmt: "relation",
    ast.CreatePolicyStmt: "table",
}  # fmt: skip


def key(path: str) -> str:
    """Area and thing of a file: the second and third digit."""
    return path.split("/")[1][1:3]


@cache
def trees(file: sqlfiles.File) -> list[ast.Node]:
    """The statements of a file, parsed by PostgreSQL's own grammar."""
    return [raw.stmt for raw in pglast.parse_sql(file.text)]


def full_name(node: ast.RangeVar) -> str:
    return f"{node.schemaname}.{node.relname}"


@cache
def homes() -> dict[str, str]:
    """Key of each table and view, by the file that makes it."""
    found = {}
    for file in FILES:
        for tree in trees(file):
            if isinstance(tree, ast.CreateStmt | ast.ViewStmt):
                node = tree.relation if isinstance(tree, ast.CreateStmt) else tree.view
                found[full_name(node)] = key(file.path)
    return found


def subjects(tree: ast.Node) -> list[str]:
    """Tables and views that a statement makes or says something of."""
    if isinstance(tree, ast.GrantStmt):
        objects = tree.objects or ()
        if tree.objtype == pglast.enums.ObjectType.OBJECT_TABLE:
            return [full_name(node) for node in objects if isinstance(node, ast.RangeVar)]
        return []
    if isinstance(tree, ast.CallStmt):
        call = tree.funccall
        if call.funcname[-1].sval == "set_tenant_policies":
            return [call.args[0].val.sval]
        return []
    name = MADE_BY.get(type(tree))
    node = getattr(tree, name) if name else None
    return [full_name(node)] if node and node.schemaname else []


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_first_digit_is_the_folders(file: sqlfiles.File) -> None:
    folder, name = file.path.split("/")
    assert name[0] == KINDS[folder]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.path)
def test_statement_about_a_table_stands_under_the_tables_key(file: sqlfiles.File) -> None:
    places = homes()
    astray = {
        name
        for tree in trees(file)
        for name in subjects(tree)
        if name in places and places[name] != key(file.path)
    }
    assert astray == set()


def test_topic_stands_for_one_thing() -> None:
    """Two files have the same topic only where they are about the same thing in two folders."""
    found = defaultdict(set)
    for file in FILES:
        folder, name = file.path.split("/")
        found[name[5:]].add((folder, key(file.path)))
    twice = {
        topic: places
        for topic, places in found.items()
        if len({thing for _, thing in places}) > 1 or len({f for f, _ in places}) < len(places)
    }
    assert twice == {}


@pytest.mark.parametrize("table", BASE)
def test_table_lies_in_at_most_six_files(table: str) -> None:
    thing = homes()[f"public.{table}"]
    paths = [file.path for file in FILES if key(file.path) == thing]
    assert f"schema/0{thing}0_{table}.sql" in paths
    assert len(paths) <= 6, paths


def test_functions_are_made_in_functions_alone() -> None:
    """Except for those that the deployment itself needs before any file, and what a value must
    be: a rule that changed would not look at the rows that are there."""
    elsewhere = {
        file.path
        for file in FILES
        for tree in trees(file)
        if isinstance(tree, ast.CreateFunctionStmt) and not file.path.startswith("functions/")
    }
    assert elsewhere == {"schema/0010_deploy.sql", "schema/0040_value_rules.sql"}


def test_readme_and_install_sql_name_the_areas() -> None:
    readme = (ROOT / "README.md").read_text()
    table = re.findall(r"^\| .* \| (\d) \| ([^:|]+?)(?:: .*)? \|$", readme, re.MULTILINE)
    assert table == [
        (str(digit), title if title.startswith("MT5") else title.lower())
        for digit, title in enumerate(AREAS.values())
    ]
    listed = []
    for line in (ROOT / "install.sql").read_text().splitlines():
        if found := re.match(r"-- (\w+): (.+)$", line):
            area = found[1], found[2]
        elif found := re.match(r"\\set file (\w+)/\d(\d)", line):
            listed.append((area, (found[1], table[int(found[2])][1])))
    assert [(a, b) for a, b in listed if a != b] == []
    assert len(listed) == len(FILES)


def test_released_files_stay_as_they_were(tmp_path: Path) -> None:
    """A release lists the hashes of schema/ and indexes/; from then on a change is a new file."""
    for folder in ("schema", "indexes", "scripts"):
        (tmp_path / folder).mkdir()
    shutil.copy(ROOT / "scripts/release.sh", tmp_path / "scripts")
    (tmp_path / "schema/0100_a.sql").write_text("CREATE TABLE a ();\n")
    (tmp_path / "indexes/1100_a.sql").write_text("SELECT 1;\n")
    assert release(tmp_path, "--check") == (0, "")
    assert release(tmp_path) == (0, "schema/released.sha256: 2 files\n")
    (tmp_path / "schema/0101_b.sql").write_text("CREATE TABLE b ();\n")
    assert release(tmp_path) == (0, "schema/released.sha256: 3 files\n")
    (tmp_path / "schema/0100_a.sql").write_text("CREATE TABLE a (id int);\n")
    said = "error: schema/0100_a.sql was released and has changed: undo it and make a new file\n"
    assert release(tmp_path, "--check") == release(tmp_path) == (1, said)


def test_files_that_were_released_here_are_as_they_were() -> None:
    assert release(ROOT, "--check") == (0, "")


def release(folder: Path, *arguments: str) -> tuple[int, str]:
    """Exit code of scripts/release.sh and what it said."""
    done = subprocess.run(
        ["bash", folder / "scripts/release.sh", *arguments],
        env=os.environ | {"LC_ALL": "C"},  # bash warns of a locale that the machine lacks
        text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    return done.returncode, done.stdout
