"""Pages that must agree with the SQL."""

from __future__ import annotations

import re
from fnmatch import fnmatch

import psycopg
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


def test_readme_names_every_folder() -> None:
    readme = (ROOT / "README.md").read_text()
    for folder in (*sqlfiles.ONCE, *sqlfiles.CHANGED, "scripts", "tests", "docs"):
        assert f"[{folder}/]({folder}/)" in readme, folder


def test_links_between_pages_lead_somewhere() -> None:
    for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_workflow_runs_the_tests_on_both_majors() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/test.yml").read_text())
    job = workflow["jobs"]["test"]
    assert job["strategy"]["matrix"]["pg"] == [17, 18]
    assert any("scripts/test.sh" in step.get("run", "") for step in job["steps"])
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert {hook["id"] for hook in hooks} >= {"sqlfluff", "ruff"}
