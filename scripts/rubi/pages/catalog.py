"""The contents of docs/schema/, read from a database's catalog: equal on every server version."""

from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import dict_row

from rubi import SCHEMAS
from rubi.queries import queries

SQL = queries(__file__)

Row = dict[str, Any]


@dataclass
class Relation:
    """A table or view with everything that hangs on it."""

    row: Row
    columns: list[Row]
    constraints: list[Row]
    indexes: list[Row]
    triggers: list[Row]
    policies: list[Row]

    @property
    def name(self) -> str:
        """The name without a search path; public is left out."""
        return qualified(self.row["schema"], self.row["name"])


@dataclass
class Catalog:
    relations: list[Relation]
    functions: list[Row]

    def of_kind(self, kind: str) -> list[Relation]:
        return [relation for relation in self.relations if relation.row["kind"] == kind]


def qualified(schema: str, name: str) -> str:
    """The name with its schema, unless that is public."""
    return name if schema == "public" else f"{schema}.{name}"


def read_catalog(connection: psycopg.Connection, roles: tuple[str, ...]) -> Catalog:
    """Read the catalog; roles are the ones whose right to call functions is shown."""
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        # expressions name the schema of every object outside public, for each reader
        cursor.execute("SET LOCAL search_path = public; SET LOCAL timezone = 'UTC'")
        parameters = {"schemas": list(SCHEMAS), "roles": list(roles)}
        relations = cursor.execute(SQL.RELATIONS, parameters).fetchall()
        parts: dict[str, dict[int, list[Row]]] = {}
        for name, query in {
            "columns": SQL.COLUMNS, "constraints": SQL.CONSTRAINTS, "indexes": SQL.INDEXES,
            "triggers": SQL.TRIGGERS, "policies": SQL.POLICIES,
        }.items():  # fmt: skip
            found: dict[int, list[Row]] = {}
            for row in cursor.execute(query, {"oids": [row["oid"] for row in relations]}):
                found.setdefault(row["oid"], []).append(row)
            parts[name] = found
        functions = cursor.execute(SQL.FUNCTIONS, parameters).fetchall()
    return Catalog(
        [
            Relation(row, **{name: found.get(row["oid"], []) for name, found in parts.items()})
            for row in relations
        ],
        functions,
    )


def comment_gaps(catalog: Catalog) -> list[str]:
    """Objects that a page would have to show without a comment."""
    gaps = []
    for relation in catalog.relations:
        if not relation.row["comment"]:
            gaps.append(f"{relation.row['kind']} {relation.name}")
        gaps += [
            f"column {relation.name}.{column['name']}"
            for column in relation.columns
            if not column["comment"]
        ]
        gaps += [
            f"index {index['name']} of {relation.name}: say what it serves"
            for index in relation.indexes
            if not index["comment"] and not index["of_constraint"]
        ]
    gaps += [f"function {row['signature']}" for row in catalog.functions if not row["comment"]]
    return gaps
