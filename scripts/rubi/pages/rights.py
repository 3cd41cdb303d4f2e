"""docs/reference/rights.md, and all pages that the catalog writes."""

import psycopg

from rubi import ROOT, SCHEMAS
from rubi.cli import Failure
from rubi.pages import catalog as schema_catalog
from rubi.pages import markdown
from rubi.queries import queries

SQL = queries(__file__)

ROLES = ("rubi_app", "rubi_tenant", "rubi_ingest", "rubi_readonly", "rubi_monitor", "rubi_backup")
ACTIONS = ("SELECT", "INSERT", "UPDATE", "DELETE")

RIGHTS_HEAD = """# Rights

Generated from the catalog by `scripts/make_docs.py`; a test holds it equal and tries each cell by
becoming the role. S select, I insert, U update, D delete; a small letter: on some columns only.
`rubi_owner` owns everything and has no login. `rubi_tenant` sees its own user's rows only. PUBLIC
has nothing here. The purpose of these roles: [security](../guides/security.md). Their reach beyond
these objects, by extensions and by PostgreSQL itself:
[security](../guides/security.md#what-each-role-really-reaches).

"""


def rights(connection: psycopg.Connection) -> dict[tuple[str, str], str]:
    """Letters of what a role may do, for each (relation, role)."""
    found = connection.execute(
        SQL.RELATIONS, {"roles": list(ROLES), "actions": list(ACTIONS), "schemas": list(SCHEMAS)}
    )
    width = len(ACTIONS)
    return {
        (relation, role): "".join(cells[index * width : (index + 1) * width])
        for relation, cells in found
        for index, role in enumerate(ROLES)
    }


def rights_page(connection: psycopg.Connection) -> str:
    """docs/reference/rights.md: role by relation by action, and the callers of each function."""
    cells = rights(connection)
    lines = [f"| relation | {' | '.join(ROLES)} |", f"| --- |{' --- |' * len(ROLES)}"]
    for relation in dict.fromkeys(relation for relation, _ in cells):
        row = " | ".join(cells[relation, role] or "-" for role in ROLES)
        lines.append(f"| {relation} | {row} |")
    lines += ["", "## Functions", "", "| function | who may call it |", "| --- | --- |"]
    for name, roles in connection.execute(
        SQL.FUNCTIONS, {"roles": list(ROLES), "schemas": list(SCHEMAS)}
    ):
        lines.append(f"| `{name}` | {roles or 'the owner'} |")
    return RIGHTS_HEAD + "\n".join(lines) + "\n"


def all_pages(connection: psycopg.Connection) -> dict[str, str]:
    """Every generated page by its path. Raises Failure when an object has no comment."""
    catalog = schema_catalog.read_catalog(connection, ROLES)
    if gaps := schema_catalog.comment_gaps(catalog):
        raise Failure(f"without a comment: {'; '.join(gaps)}")
    examples = ROOT / "docs/schema/examples.sql"
    schema = markdown.pages(catalog, rights(connection), ROLES, examples)
    return {"docs/reference/rights.md": rights_page(connection), **schema}
