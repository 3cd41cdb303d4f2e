"""What the diagrams of the templates show: tables and their foreign keys, in Mermaid."""

import re

from rubi.pages.areas import area_of
from rubi.pages.catalog import Relation

SHORT = {
    "timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp",
    "character varying": "varchar",
}  # fmt: skip


def area(relation: Relation) -> str:
    return area_of(relation.row["schema"], relation.row["name"])


def relationships(tables: list[Relation], all_tables: dict[int, Relation]) -> list[tuple]:
    """(parent, child, nullable, one to one, columns) of the foreign keys of tables."""
    found = []
    for child in tables:
        required = {c["name"] for c in child.columns if c["required"]}
        keys = [set(c["columns"]) for c in child.constraints if c["kind"] in "pu"]
        for constraint in child.constraints:
            if constraint["kind"] == "f" and constraint["parent"] in all_tables:
                columns = constraint["columns"]
                found.append(
                    (all_tables[constraint["parent"]], child, not required >= set(columns),
                     set(columns) in keys, ", ".join(columns))
                )  # fmt: skip
    return found


def arrows(by_oid: dict[int, Relation]) -> list[tuple[str, str]]:
    """Each table with each other one that it refers to, as entities."""
    pairs = {
        (entity(child.name), entity(parent.name))
        for parent, child, *_ in relationships(list(by_oid.values()), by_oid)
        if parent is not child
    }
    return sorted(pairs)


def short_type(name: str) -> str:
    """A type as a diagram shows it, in one word."""
    name = re.sub(r"\(.*?\)", "", name)
    return SHORT.get(name, name).replace(" ", "_").replace('"', "")


def entity(name: str) -> str:
    """A table's name in a diagram, which knows no dots."""
    return name.replace(".", "_")


def marks(table: Relation, column: str) -> str:
    """PK and FK, as a column has them."""
    kinds = {c["kind"] for c in table.constraints if column in c["columns"]}
    return ", ".join(mark for kind, mark in (("p", "PK"), ("f", "FK")) if kind in kinds)
