"""Pages that must agree with the SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

import psycopg
import pytest
import yaml

from rubi import ROOT
from rubi.deploying import sqlfiles

ERRORS = (ROOT / "docs/reference/errors.md").read_text()


def test_errors_page_lists_exactly_what_the_sql_raises() -> None:
    text = "\n".join(file.text for file in sqlfiles.read_files())
    for path in ("deploy/lock.sql", "scripts/rubi/deploying/bundling.sql"):
        text += (ROOT / path).read_text()
    raised = set(re.findall(r"ERRCODE = '(RB\w{3})'", text))
    listed = re.findall(r"^\| (RB\w{3}) \|", ERRORS, flags=re.MULTILINE)
    assert sorted(raised) == listed


def test_errors_page_names_who_raises_each(catalog: psycopg.Connection) -> None:
    """As the functions' own comments say; triggers raise for the table's writers, not by name."""
    said = catalog.execute(
        "SELECT DISTINCT p.proname, m[1] FROM pg_proc AS p"
        " JOIN pg_namespace AS n ON p.pronamespace = n.oid,"
        " regexp_matches(obj_description(p.oid, 'pg_proc'), 'RB[0-9A-Z]{3}', 'g') AS m"
        " WHERE n.nspname IN ('public', 'monitoring') AND p.prorettype <> 'trigger'::regtype"
        " AND obj_description(p.oid, 'pg_proc') LIKE '%Raises%'"
    ).fetchall()
    rows = dict(re.findall(r"^\| (RB\w{3}) \| ([^|]*) \|", ERRORS, flags=re.MULTILINE))
    missing = [
        (code, name)
        for name, code in said
        if not any(fnmatch(name, pattern) for pattern in re.findall(r"`([\w*]+)`", rows[code]))
    ]
    assert missing == [], missing


@pytest.mark.parametrize("folder", [*sqlfiles.ONCE, *sqlfiles.CHANGED, "scripts", "tests", "docs"])
def test_readme_names_every_folder(folder: str) -> None:
    assert f"[{folder}/]({folder}/)" in (ROOT / "README.md").read_text()


PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def anchors(page: Path) -> set[str]:
    """Targets of links into a page, as GitHub makes them of headings."""
    headings = re.findall(
        r"^#+ (.+)$", re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.M | re.S), re.M
    )
    plain = (
        re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "") for heading in headings
    )
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in plain}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_pages_and_headings(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:\s]*)(?:#([^)\s]*))?\)", page.read_text())
    targets = [((page.parent / path).resolve() if path else page, anchor) for path, anchor in links]
    assert [str(target) for target, _ in targets if not target.exists()] == []
    assert [
        (target.name, anchor)
        for target, anchor in targets
        if anchor and anchor not in anchors(target)
    ] == []


@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if page.parent.name in ("guides", "reference", "measured")],
    ids=lambda page: page.name,
)
def test_start_leads_to_the_page(page: Path) -> None:
    assert f"({page.relative_to(ROOT / 'docs')})" in (ROOT / "docs/start.md").read_text()


def test_measured_pages_name_their_command_and_date() -> None:
    for page in (ROOT / "docs/measured").glob("*.md"):
        text = page.read_text()
        assert re.search(r"(benchmarks|scripts)/\w+\.(py|sh)", text), page.name
        assert re.search(r"20\d\d|with its date", text), page.name


def test_glossary_is_sorted_and_each_term_is_used_elsewhere() -> None:
    terms = re.findall(
        r"^\| ([\w ]+) \| ", (ROOT / "docs/reference/glossary.md").read_text(), re.M
    )[1:]
    assert terms == sorted(terms)
    text = "\n".join(page.read_text() for page in PAGES if page.name != "glossary.md").replace(
        "_", " "
    )
    assert [term for term in terms if not re.search(rf"\b{term}s?\b", text, re.I)] == []


ARCHAIC = re.compile(
    r"\b(anew|afresh|alike|besides|beforehand|but for|hence|lest|thereby|thereof|thus|whence|whilst"
    r"|whoever|whomever|be it)\b",
    re.I,
)
# licences of others, the texts of the MT5 terminal, words of this very test
FOREIGN = {"echarts-LICENSE", "echarts-NOTICE", "echarts.min.js", "test_docs.py", "schema.txt"}


def test_no_file_uses_archaic_words() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in text_files()
        if path.name not in FOREIGN
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if ARCHAIC.search(line)
    ]
    assert found == [], "\n".join(found)


def text_files() -> Iterator[Path]:
    """Files that people write: pages, SQL, Python, shell."""
    for folder in (
        "",
        "docs",
        "schema",
        "indexes",
        "functions",
        "views",
        "triggers",
        "seed",
        "grants",
        "deploy",
        "lake",
        "operations",
        "scripts",
        "tests",
        "benchmarks",
    ):
        pattern = "*" if folder == "" else "**/*"
        for path in (ROOT / folder).glob(pattern):
            if path.suffix in (".md", ".sql", ".py", ".sh", ".yml", ".yaml", ".ini", ".conf"):
                yield path


def test_workflow_runs_the_tests_on_both_majors() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["pg"] == [17, 18]
    assert any("scripts/test.sh" in step.get("run", "") for step in job["steps"])
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert {hook["id"] for hook in hooks} >= {"sqlfluff", "ruff"}
