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
    values = {"roles": list(ROLES), "schemas": list(SCHEMAS)}
    functions = connection.execute(SQL.FUNCTIONS, values).fetchall()
    template = markdown.environment().get_template("rights.md.j2")
    return template.render(roles=ROLES, cells=rights(connection), functions=functions)


def all_pages(connection: psycopg.Connection) -> dict[str, str]:
    """Every generated page by its path. Raises Failure when an object has no comment."""
    catalog = schema_catalog.read_catalog(connection, ROLES)
    if gaps := schema_catalog.comment_gaps(catalog):
        raise Failure(f"without a comment: {'; '.join(gaps)}")
    examples = ROOT / "docs/schema/examples.sql"
    schema = markdown.pages(catalog, rights(connection), ROLES, examples)
    return {"docs/reference/rights.md": rights_page(connection), **schema}
