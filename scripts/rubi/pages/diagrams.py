"""Diagrams of tables and their foreign keys, in Mermaid."""

import re

from rubi.pages.areas import AREAS, area_of
from rubi.pages.catalog import Relation


def area(relation: Relation) -> str:
    return area_of(relation.row["schema"], relation.row["name"])


SHORT = {
    "timestamp with time zone": "timestamptz", "timestamp without time zone": "timestamp",
    "character varying": "varchar",
}  # fmt: skip


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


def short_type(name: str) -> str:
    """A type as a diagram shows it, in one word."""
    name = re.sub(r"\(.*?\)", "", name)
    return SHORT.get(name, name).replace(" ", "_").replace('"', "")


def entity(name: str) -> str:
    """A table's name in a diagram, which knows no dots."""
    return name.replace(".", "_")


def area_diagram(name: str, by_oid: dict[int, Relation]) -> str:
    """Tables of an area with their columns, and the neighbours that they refer to."""
    tables = [table for table in by_oid.values() if area(table) == name]
    lines = ["erDiagram"]
    for parent, child, nullable, single, columns in relationships(tables, by_oid):
        left, right = "|o" if nullable else "||", "o|" if single else "o{"
        lines.append(
            f'    {entity(parent.name)} {left}--{right} {entity(child.name)} : "{columns}"'
        )
    for table_ in tables:
        primary = {n for c in table_.constraints if c["kind"] == "p" for n in c["columns"]}
        foreign = {n for c in table_.constraints if c["kind"] == "f" for n in c["columns"]}
        lines.append(f"    {entity(table_.name)} {{")
        for column in table_.columns:
            keys = [key for key, names in (("PK", primary), ("FK", foreign))
                    if column["name"] in names]  # fmt: skip
            mark = f" {', '.join(keys)}" if keys else ""
            lines.append(f"        {short_type(column['type'])} {column['name']}{mark}")
        lines.append("    }")
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"


def overview_diagram(by_oid: dict[int, Relation]) -> str:
    """All tables by area, and their references to others."""
    lines = ["flowchart LR"]
    for name, title in AREAS.items():
        tables = [table for table in by_oid.values() if area(table) == name]
        if tables:
            lines.append(f'    subgraph area_{name}["{title}"]')
            lines += [f'        {entity(table.name)}["{table.name}"]' for table in tables]
            lines.append("    end")
    pairs = {
        (entity(child.name), entity(parent.name))
        for parent, child, *_ in relationships(list(by_oid.values()), by_oid)
        if parent is not child
    }
    lines += [f"    {child} --> {parent}" for child, parent in sorted(pairs)]
    return "```mermaid\n" + "\n".join(lines) + "\n```\n"
