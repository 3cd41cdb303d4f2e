"""Every command and code block of the README and of docs/ runs, in the order of its page."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import tomllib
from configparser import ConfigParser
from contextlib import closing, suppress
from pathlib import Path

import psycopg
import pytest
import sqlfluff

import blocks
import moving
from backing import S3
from conftest import ROOT, Address

PAGES = [page for page in blocks.pages() if any(b.kind in blocks.RUN for b in blocks.blocks(page))]


def each_page() -> list[object]:
    """Each page without its slow blocks, and those that have some once more with them."""
    whole = [page for page in PAGES if any(b.slow for b in blocks.blocks(page))]
    marked = [pytest.param(page, True, marks=pytest.mark.slow) for page in whole]
    return [*(pytest.param(page, False) for page in PAGES), *marked]


def files_to_move(folder: Path) -> None:
    """A SQLite file, and CSV files of other users."""
    rows = moving.truth()
    moving.build(folder / "rubi_studio.db", rows)
    for bar in rows["market_data"]:
        bar |= {"id": bar["id"] + 100, "symbol": "GBPUSD"}
    moving.write_csv(folder, {"export": rows["market_data"]})
    for user in rows["users"]:
        user |= {"id": user["id"] + 100, "username": f"{user['id']}", "email": f"{user['id']}@b.c"}
    for order in rows["trading_orders"]:
        order |= {"id": order["id"] + 100, "user_id": order["user_id"] + 100, "signal_id": None}
    moving.write_csv(folder, {name: rows[name] for name in ("users", "trading_orders")})


@pytest.mark.parametrize(
    ("page", "slow"), each_page(), ids=lambda value: getattr(value, "name", value)
)
def test_blocks_of_the_page_run(
    page: Path,
    slow: bool,
    db: psycopg.Connection,
    server: Address,
    tmp_path: Path,
    s3: S3,
    request: pytest.FixtureRequest,
) -> None:
    folder = tmp_path / "rubi"
    folder.mkdir()
    blocks.folder_like_the_repository(folder)
    (folder / "docs").mkdir()
    (folder / "docs/sample.sql").symlink_to(ROOT / "docs/sample.sql")
    if page.name == "moving-in.md":
        files_to_move(folder)
    if not any("without the sample" in block.said for block in blocks.blocks(page)):
        db.execute("SET ROLE rubi_app")
        db.execute((ROOT / "docs/sample.sql").read_text())
        db.execute("RESET ROLE")
    with suppress(FileExistsError):
        s3.bucket("rubi-studio-backups")
    store = s3.env | {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{s3.port}"}
    # what earlier tests did to the server is no fault of an installation
    major = db.info.server_version // 10000
    for part in ("bgwriter", "checkpointer")[: 1 + (major >= 17)]:
        db.execute("SELECT pg_stat_reset_shared(%s)", [part])
    made = [b.told("makes") for b in blocks.blocks(page) if b.told("makes")]
    failed = []
    printed: list[str] = []
    try:
        for block in blocks.blocks(page):
            if block.kind in blocks.RUN and not block.not_run and (slow or not block.slow):
                problem = blocks.run(block, server, db.info.dbname, folder, store, printed)
                if problem:
                    failed.append(f"{page.name}:{block.line} {problem}")
            elif block.said == "output" and block.text != printed[-1]:
                failed.append(f"{page.name}:{block.line} is out of date: --refresh writes it")
                if request.config.getoption("--refresh"):
                    old, new = (
                        f"<!-- output -->\n```text\n{text}```" for text in (block.text, printed[-1])
                    )
                    page.write_text(page.read_text().replace(old, new, 1))
    finally:
        with closing(psycopg.connect(server.dsn(), autocommit=True)) as admin:
            for name in made:
                admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            admin.execute("ALTER ROLE rubi_app PASSWORD NULL")
    assert failed == [], "\n".join(failed)


@pytest.mark.parametrize("page", blocks.pages(), ids=lambda page: page.name)
def test_every_block_says_what_it_is(page: Path) -> None:
    found = blocks.blocks(page)
    text = page.read_text()
    assert text.count("\n```") + text.startswith("```") == 2 * len(found), "an odd fence"
    for block in found:
        assert block.kind in blocks.RUN + blocks.SHOWN, (block.line, block.kind)
        if block.said:
            assert re.fullmatch(rf"not run: .{{15,}}|({blocks.MARKS}(; |$))+", block.said), (
                block.line,
                block.said,
            )
    outside = blocks.FENCE.sub("", text)
    indented = re.findall(r"(?:^|\n)\n(    \S.*)", outside)
    assert indented == [], "code is fenced, so that it can be found and run"


def test_blocks_that_do_not_run_are_well_formed() -> None:
    left_out = [b for page in PAGES for b in blocks.blocks(page) if b.not_run]
    assert left_out
    for block in left_out:
        if block.kind == "sh":
            done = subprocess.run(["bash", "-n", "-c", block.text], capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, ""), (block.page.name, block.line)
            for script in re.findall(r"scripts/[\w.]+", block.text):
                assert (ROOT / script).exists(), (block.page.name, script)
        elif block.kind == "python":
            ast.parse(block.text)
        else:
            sqlfluff.parse(block.text, dialect="postgres")
        # a test that is named as the one that runs it exists
        for named in re.findall(r"tests/\w+\.py", block.not_run):
            assert (ROOT / named).exists(), named


def test_settings_that_pages_show_can_be_read() -> None:
    shown = [b for page in blocks.pages() for b in blocks.blocks(page)]
    kinds = [block.kind for block in shown if block.kind in ("toml", "ini")]
    assert {"toml", "ini"} <= set(kinds)
    for block in shown:
        if block.kind == "toml":
            tomllib.loads(block.text)
        elif block.kind == "ini":
            ConfigParser().read_string(block.text)


def test_more_runs_than_is_left_out() -> None:
    every = [b for page in PAGES for b in blocks.blocks(page) if b.kind in blocks.RUN]
    # a test that is named runs the others
    left_out = [b for b in every if b.not_run and "tests/" not in b.not_run]
    assert len(left_out) * 6 < len(every)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("sh", "false; true"),
        ("sh", "psql -X -v ON_ERROR_STOP=1 -c 'SELECT 1/0'"),
        ("sql", "SELECT 1/0;\nSELECT 1;"),
        ("python", "assert 1 == 2"),
    ],
)
def test_a_block_that_fails_is_reported(
    kind: str, text: str, db: psycopg.Connection, server: Address, tmp_path: Path
) -> None:
    block = blocks.Block(ROOT / "README.md", 1, kind, text, "")
    assert blocks.run(block, server, db.info.dbname, tmp_path).startswith("exit ")
    good = blocks.Block(
        ROOT / "README.md", 1, kind, {"sh": "true", "sql": "SELECT 1;"}.get(kind, ""), ""
    )
    assert blocks.run(good, server, db.info.dbname, tmp_path) == ""
    assert os.environ.get("PGUSER") is None


@pytest.mark.parametrize(("code", "problem"), [(3, ""), (0, "exit 0: "), (1, "exit 1: ")])
def test_a_block_ends_with_a_code_that_its_page_names(
    server: Address, tmp_path: Path, code: int, problem: str
) -> None:
    block = blocks.Block(ROOT / "README.md", 1, "sh", f"exit {code}", "as nobody; exits 2 3")
    assert blocks.run(block, server, "none", tmp_path) == problem
