"""The pages of docs/schema/, by the templates beside this module: tables, views, functions."""

import re
from pathlib import Path
from typing import Any

from rubi import SCHEMAS
from rubi.pages.areas import AREAS
from rubi.pages.catalog import Catalog, Relation, Row, qualified
from rubi.pages.diagrams import area, arrows, entity, marks, relationships, short_type

GENERATED = "Generated from the catalog by `scripts/make_docs.py`; a test holds it equal."
ACTIONS = {"S": "select", "I": "insert", "U": "update", "D": "delete"}
REFUSED = "deleting that row is refused"
ON_DELETE = {"a": REFUSED, "r": REFUSED, "c": "deleting that row deletes these too"}
COMMANDS = {"*": "all", "r": "select", "a": "insert", "w": "update", "d": "delete"}
# stand-ins for arguments in generated examples
SAMPLES = {
    "p_user_id": "1", "p_account_id": "1", "p_strategy_id": "NULL", "p_symbol": "'EURUSD'",
    "p_timeframe": "'H1'", "p_from_timeframe": "'H1'", "p_to_timeframe": "'H4'",
    "p_from": "'2026-01-05 00:00+00'", "p_to": "'2026-01-10 00:00+00'", "p_calendar": "'forex'",
    "p_period_start": "'2026-01-01 00:00+00'", "p_period_end": "'2026-02-01 00:00+00'",
    "p_clock": "'America/New_York+7'", "p_server": "'Broker-Live'",
    "p_state": """'{"login": 70, "server": "Broker", "company": "B", "balance": 1, "equity": 1}'""",
    "p_report": """'{"first_msc": 1767603600000, "last_msc": 1767603600999, "deals": 1}'""",
}  # fmt: skip
TYPES = {
    "bigint": "1", "integer": "1", "numeric": "1", "text": "'text'", "boolean": "FALSE",
    "jsonb": "'[]'", "interval": "'1 day'", "date": "'2026-01-05'", "bigint[]": "'{1}'",
    "timestamp with time zone": "'2026-01-05 00:00+00'", "tstzrange": "'[2026-01-05,2026-01-10)'",
    "timestamp without time zone": "'2026-01-05 00:00'",
}  # fmt: skip


def cell(text: str | None) -> str:
    """Text for a table's cell, without line ends and bars."""
    return " ".join((text or "").split()).replace("|", "\\|")


def code(text: str | None) -> str:
    """A text as code, which may hold any sign."""
    return (f"`` {text} ``" if "`" in text else f"`{text}`") if text else ""


def columns_text(columns: list[str]) -> str:
    return ", ".join(f"`{name}`" for name in columns)


def words(constraint: Row, relation: Relation, by_oid: dict[int, Relation]) -> str:
    """A constraint in words; a CHECK is named for its rule."""
    if constraint["comment"]:
        return constraint["comment"]
    columns = columns_text(constraint["columns"])
    if constraint["kind"] == "p":
        return f"{columns} identifies a row"
    if constraint["kind"] == "u":
        nulls = (
            " (NULL counts as equal)" if "NULLS NOT DISTINCT" in constraint["definition"] else ""
        )
        return f"no two rows have the same {columns}{nulls}"
    if constraint["kind"] == "f":
        parent = by_oid.get(constraint["parent"])
        name = f"[{parent.name}]({parent.name}.md)" if parent else "another table"
        emptied = columns_text(constraint["emptied_columns"]) or columns
        then = ON_DELETE.get(constraint["on_delete"], f"deleting that row sets {emptied} to NULL")
        when = ", checked at commit" if "INITIALLY DEFERRED" in constraint["definition"] else ""
        parents = columns_text(constraint["parent_columns"])
        return f"{columns} refers to {name} ({parents}); {then}{when}"
    rule = constraint["name"].removeprefix(relation.row["name"] + "_").removesuffix("_check")
    names = sorted((column["name"] for column in relation.columns), key=len, reverse=True)
    subject = next((name for name in names if rule == name or rule.startswith(name + "_")), "")
    rest = rule.removeprefix(subject).strip("_").replace("_", " ")
    said = f"`{subject}`: {rest or 'as below'}" if subject else rest
    expression = re.sub(r"^CHECK \((.*)\)( NOT VALID)?$", r"\1", constraint["definition"])
    return f"{said}: {code(expression)}"


def when_fired(definition: str) -> str:
    """A trigger's moment and events in the words of SQL."""
    found = re.search(r"TRIGGER \S+ (.*?) ON \S+ (.*?)EXECUTE ", definition)
    events, rest = found[1], found[2].strip()
    return f"{events} {rest}".lower() if "WHEN" not in rest else f"{events.lower()} {rest}"


def view_example(view: Relation) -> str:
    """A statement that reads a view, for one user where it has users."""
    columns = [column["name"] for column in view.columns]
    quoted = [f'"{n}"' if not re.fullmatch(r"[a-z_][a-z_0-9]*", n) else n for n in columns[:6]]
    where = "\nWHERE user_id = 1" if "user_id" in columns else ""
    return f"SELECT {', '.join(quoted)}\nFROM {view.name}{where}\nLIMIT 10;"


def function_example(function: Row) -> str:
    """A call with an argument for each parameter that has no default."""
    name = qualified(function["schema"], function["name"])
    needed = len(function["types"]) - function["defaults"]
    arguments = []
    for index, kind in enumerate(function["types"][:needed]):
        parameter = (function["names"] or [])[index : index + 1]
        sample = SAMPLES.get(parameter[0] if parameter else "") or TYPES.get(kind, "NULL")
        arguments.append(f"{parameter[0]} => {sample}" if parameter and parameter[0] else sample)
    call = f"{name}({', '.join(arguments)})"
    if len(call) > 80:
        call = f"{name}(\n    " + ",\n    ".join(arguments) + "\n)"
    if function["kind"] == "p":
        return f"CALL {call};"
    many = function["returns_set"] or function["result"].startswith("record")
    return f"SELECT * FROM {call};" if many else f"SELECT {call};"


def read_examples(path: Path) -> dict[str, str]:
    """Examples written by hand: `-- name` above each statement."""
    found = re.split(r"^-- example: (\S+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[
        1:
    ]
    return {name: text.strip() for name, text in zip(found[::2], found[1::2], strict=True)}


def environment() -> Any:
    """The templates, and what they write cells with."""
    import jinja2

    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, undefined=jinja2.StrictUndefined,
    )  # fmt: skip
    made.filters |= {
        "cell": cell,
        "code": lambda text: cell(code(text)),
        "names": columns_text,
        "entity": entity,
        "short_type": short_type,
        "holders": lambda cells: [role for role, letters in cells.items() if letters],
        "actions": lambda letters: ", ".join(
            ACTIONS[letter.upper()] + (" (some columns)" if letter.islower() else "")
            for letter in letters
        ),
    }
    made.globals |= {
        "generated": GENERATED, "areas": AREAS, "commands": COMMANDS, "schemas": SCHEMAS,
        "area": area, "qualified": qualified, "when_fired": when_fired,
        "view_example": view_example, "function_example": function_example, "marks": marks,
    }  # fmt: skip
    return made


def pages(
    catalog: Catalog, rights: dict[tuple[str, str], str], roles: tuple[str, ...], examples: Path
) -> dict[str, str]:
    """All pages by their path. rights: letters by (schema.relation, role), as in rights.md."""
    by_oid = {table.row["oid"]: table for table in catalog.of_kind("table")}
    templates = environment()
    templates.globals |= {
        "words": lambda constraint, relation: words(constraint, relation, by_oid),
        "examples": read_examples(examples),
        "cells": {
            r.name: {role: rights[f"{r.row['schema']}.{r.row['name']}", role] for role in roles}
            for r in catalog.relations
        },
    }

    def write(template: str, **more: object) -> str:
        return templates.get_template(f"{template}.md.j2").render(**more)

    tables, views = (
        {name: [r for r in catalog.of_kind(kind) if area(r) == name] for name in AREAS}
        for kind in ("table", "view")
    )
    made = {
        "README.md": write("readme", tables=tables, arrows=arrows(by_oid)),
        "views.md": write("views", views=views),
        "functions.md": write("functions", functions=catalog.functions),
    }
    for name, found in tables.items():
        if found:
            made[f"area-{name}.md"] = write(
                "area", name=name, tables=found, references=relationships(found, by_oid)
            )
        for table in found:
            made[f"{table.name}.md"] = write("table", t=table)
    return {f"docs/schema/{name}": text for name, text in made.items()}
