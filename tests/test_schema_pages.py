"""docs/schema/ is what the catalog says, on every server version, with nothing left uncommented."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import psycopg
import pytest

from conftest import ROOT, Address
from rubi.pages import catalog as schema_catalog
from rubi.pages import diagrams, markdown, rights

REFRESH = "scripts/test.sh tests/test_schema_pages.py --refresh"
EXAMPLES = ROOT / "docs/schema/examples.sql"


@pytest.fixture(scope="module")
def pages(catalog: psycopg.Connection, request: pytest.FixtureRequest) -> dict[str, str]:
    """All generated pages; written when the run was asked to."""
    made = rights.all_pages(catalog)
    if request.config.getoption("--refresh"):
        for path in (ROOT / "docs/schema").glob("*.md"):
            path.unlink()
        for path, text in made.items():
            (ROOT / path).write_text(text)
    return made


@pytest.mark.needs(timescaledb="2.18", why="the committed text is of triggers by statement")
def test_committed_pages_are_those_of_the_catalog(pages: dict[str, str]) -> None:
    stale = [
        path
        for path, text in pages.items()
        if not (ROOT / path).exists() or (ROOT / path).read_text() != text
    ]
    assert stale == [], REFRESH
    files = {f"docs/schema/{path.name}" for path in (ROOT / "docs/schema").glob("*.md")}
    assert files - set(pages) == set(), REFRESH


def test_every_table_has_its_page_and_everything_on_it(
    pages: dict[str, str], catalog: psycopg.Connection
) -> None:
    found = schema_catalog.read_catalog(catalog, rights.ROLES)
    tables = found.of_kind("table")
    assert len(tables) > 30
    for table in tables:
        page = pages[f"docs/schema/{table.name}.md"]
        for part in (table.columns, table.constraints, table.indexes, table.triggers,
                     table.policies):  # fmt: skip
            for row in part:
                assert f"`{row['name']}`" in page, (table.name, row["name"])
    views, functions = pages["docs/schema/views.md"], pages["docs/schema/functions.md"]
    for view in found.of_kind("view"):
        assert f"### {view.name}\n" in views
    for function in found.functions:
        name = markdown.qualified(function["schema"], function["name"])
        said = f"`{name}`" if function["is_trigger"] else f"### {name}\n"
        assert said in functions, name


def test_constraints_are_said_in_words(pages: dict[str, str]) -> None:
    orders = pages["docs/schema/trading_orders.md"]
    assert "`user_id` refers to [users](users.md) (`id`); deleting that row is refused" in orders
    assert re.search(r"`trading_orders_closed_after_opened_check` \| \S+", orders)
    positions = pages["docs/schema/trading_positions.md"]
    assert "deleting that row deletes these too" in positions
    assert "no two rows have the same `ticket`, `account_id`" in positions


@pytest.mark.parametrize(
    "statement",
    [
        "COMMENT ON INDEX idx_orders_symbol IS NULL",
        "COMMENT ON COLUMN users.email IS NULL",
        "COMMENT ON TABLE users IS NULL",
        "COMMENT ON VIEW closed_trades IS NULL",
        "COMMENT ON FUNCTION close_user(bigint) IS NULL",
        "CREATE INDEX idx_orders_swap ON trading_orders (swap)",
        "CREATE TABLE bare (id bigint)",
    ],
)
def test_a_gap_in_comments_is_named(db: psycopg.Connection, statement: str) -> None:
    assert schema_catalog.comment_gaps(schema_catalog.read_catalog(db, rights.ROLES)) == []
    db.execute(statement)
    gaps = schema_catalog.comment_gaps(schema_catalog.read_catalog(db, rights.ROLES))
    assert gaps
    named = re.search(r"(idx_\w+|users\.email|users|closed_trades|close_user|bare)", statement)[1]
    assert all(named in gap for gap in gaps)


def test_command_writes_all_pages_or_says_what_lacks(
    db: psycopg.Connection, server: Address, tmp_path: object,
    run_script: Callable[..., subprocess.CompletedProcess[str]], pages: dict[str, str],
) -> None:  # fmt: skip
    (tmp_path / "docs/schema").mkdir(parents=True)
    (tmp_path / "docs/schema/gone.md").write_text("of a table that was dropped")
    arguments = ["make_docs.py", "--dsn", server.dsn(db.info.dbname), "--root", str(tmp_path)]
    done = run_script(*arguments)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"wrote {len(pages)} pages, removed 1\n"
    written = {str(path.relative_to(tmp_path)): path.read_text() for path in tmp_path.rglob("*.md")}
    assert written == pages
    db.execute("COMMENT ON TABLE users IS NULL")
    done = run_script(*arguments)
    assert done.returncode == 1
    assert done.stderr == "error: without a comment: table users\n"


def test_diagrams_name_tables_and_columns_that_exist(
    pages: dict[str, str], catalog: psycopg.Connection
) -> None:
    found = schema_catalog.read_catalog(catalog, rights.ROLES)
    names = {diagrams.entity(table.name) for table in found.of_kind("table")}
    keys = sum(c["kind"] == "f" for table in found.of_kind("table") for c in table.constraints)
    drawn, boxes = 0, set()
    for path, text in pages.items():
        if "area-" not in path:
            continue
        for left, right in re.findall(r"^    (\w+) [|}o]{2}--[|{o]{2} (\w+) : \"", text, re.M):
            assert {left, right} <= names
            drawn += 1
        boxes |= set(re.findall(r"^    (\w+) {$", text, re.M))
        for line in re.findall(r"^        (.*)$", text, re.M):
            assert re.fullmatch(r"[\w\[\]]+ \w+( (PK|FK|PK, FK))?", line), line
    assert drawn == keys
    assert boxes == names
    overview = pages["docs/schema/README.md"]
    assert set(re.findall(r"^        (\w+)\[", overview, re.M)) == names
    # a group named like a box is a circle to Mermaid, which then draws nothing
    groups = set(re.findall(r"^    subgraph (\w+)\[", overview, re.M))
    assert len(groups) == sum("area-" in path for path in pages) and not groups & names


RAISES = ("internal.refuse_closed", "internal.refuse_account")


def examples_of(pages: dict[str, str]) -> list[tuple[str, str]]:
    return [
        (name, statement)
        for page in ("views", "functions")
        for name, statement in re.findall(
            r"^### (\S+)\n.*?```sql\n(.*?)```", pages[f"docs/schema/{page}.md"], re.M | re.S
        )
    ]


def test_every_example_runs(pages: dict[str, str], db: psycopg.Connection) -> None:
    """As a superuser, in a database with one user, account, strategy and some bars."""
    db.execute((ROOT / "docs/sample.sql").read_text())
    examples = examples_of(pages)
    assert len(examples) > 100
    failed = []
    # last what closes the user that the others write for
    for name, statement in sorted(examples, key=lambda example: "close_user(" in example[1]):
        if name.startswith("deploy.") or name in RAISES:
            continue  # the runner calls them, with its own files; and what always raises
        try:
            db.execute(statement)
        except psycopg.Error as error:
            failed.append((name, error.sqlstate, str(error).splitlines()[0]))
    assert failed == [], "\n".join(map(str, failed))


def test_examples_written_by_hand_belong_to_something(pages: dict[str, str]) -> None:
    shown = {name for name, _ in examples_of(pages)}
    assert set(markdown.read_examples(EXAMPLES)) <= shown
