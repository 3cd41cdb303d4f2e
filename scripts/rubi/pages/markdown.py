"""The pages of docs/schema/: diagrams, a page a table, views, functions."""

from __future__ import annotations

import re
from pathlib import Path

from rubi.pages.areas import AREAS
from rubi.pages.catalog import Catalog, Relation, Row, qualified
from rubi.pages.diagrams import area, area_diagram, overview_diagram

GENERATED = "Generated from the catalog by `scripts/make_docs.py`; a test holds it equal.\n"
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


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table; empty without rows."""
    if not rows:
        return ""
    lines = [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}"]
    return "\n".join([*lines, *(f"| {' | '.join(map(cell, row))} |" for row in rows)]) + "\n"


def file_of(relation: Relation) -> str:
    return f"{relation.name}.md"


def code(text: str) -> str:
    """A text as code, which may hold any sign."""
    return f"`` {text} ``" if "`" in text else f"`{text}`"


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
        name = f"[{parent.name}]({file_of(parent)})" if parent else "another table"
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


def table_page(relation: Relation, by_oid: dict[int, Relation], cells: dict[str, str]) -> str:
    row = relation.row
    kind = "Hypertable (TimescaleDB)" if row["is_hypertable"] else "Table"
    parts = [
        f"# {relation.name}\n\n{cell(row['comment'])}\n\n{kind}, {AREAS[area(relation)].lower()}."
        f" [All tables](README.md). {GENERATED}",
        "## Columns\n\n" + table(
            ["column", "type", "NULL", "default", "meaning"],
            [
                [f"`{c['name']}`", c["type"], "" if c["required"] else "yes",
                 code(c["default"]) if c["default"] else "", c["comment"]]
                for c in relation.columns
            ],
        ),
    ]  # fmt: skip
    sections = {
        "Constraints": table(
            ["constraint", "what it says"],
            [[f"`{c['name']}`", words(c, relation, by_oid)] for c in relation.constraints],
        ),
        "Indexes": table(
            ["index", "on", "what it serves"],
            [
                [f"`{i['name']}`", code(i["definition"]), i["comment"]
                 or "the constraint of that name"]
                for i in relation.indexes
            ],
        ),
        "Triggers": table(
            ["trigger", "when", "what it does"],
            [
                [f"`{t['name']}`", when_fired(t["definition"]),
                 f"{t['comment']} (`{t['function']}`)"]
                for t in relation.triggers
            ],
        ),
        "Rights": table(
            ["role", "may"],
            [
                [f"`{role}`", ", ".join(
                    ACTIONS[letter.upper()] + (" (some columns)" if letter.islower() else "")
                    for letter in letters)]
                for role, letters in cells.items() if letters
            ],
        ),
        "Row security": table(
            ["policy", "for", "roles", "rows seen", "rows taken"],
            [
                [f"`{p['name']}`", COMMANDS[p["action"]], ", ".join(p["roles"]) or "all",
                 code(p["shows"]) if p["shows"] else "", code(p["takes"]) if p["takes"] else ""]
                for p in relation.policies
            ],
        ),
    }  # fmt: skip
    parts += [f"## {title}\n\n{text}" for title, text in sections.items() if text]
    return "\n".join(parts)


def readme_page(catalog: Catalog, by_oid: dict[int, Relation]) -> str:
    """docs/schema/README.md."""
    parts = [
        f"# Schema\n\n{GENERATED}\n[Views](views.md) · [functions](functions.md) ·"
        " [rights](../reference/rights.md) · [errors](../reference/errors.md)\n",
        f"An arrow goes from a table to the one it refers to.\n\n{overview_diagram(by_oid)}",
    ]
    for name, title in AREAS.items():
        tables = [table for table in by_oid.values() if area(table) == name]
        if tables:
            rows = [[f"[{t.name}]({file_of(t)})", t.row["comment"]] for t in tables]
            parts.append(f"## {title}\n\n{table(['table', 'what it holds'], rows)}\n"
                         f"[Diagram with columns](area-{name}.md)\n")  # fmt: skip
    return "\n".join(parts)


def view_example(view: Relation) -> str:
    """A statement that reads a view, for one user where it has users."""
    columns = [column["name"] for column in view.columns]
    quoted = [f'"{n}"' if not re.fullmatch(r"[a-z_][a-z_0-9]*", n) else n for n in columns[:6]]
    where = "\nWHERE user_id = 1" if "user_id" in columns else ""
    return f"SELECT {', '.join(quoted)}\nFROM {view.name}{where}\nLIMIT 10;"


def views_page(catalog: Catalog, cells: dict[str, dict[str, str]], examples: dict[str, str]) -> str:
    """docs/schema/views.md."""
    parts = [f"# Views\n\n{GENERATED}"]
    for name, title in AREAS.items():
        views = [view for view in catalog.of_kind("view") if area(view) == name]
        if views:
            parts.append(f"## {title}\n")
        for view in views:
            runs = "its caller's rights" if view.row["as_invoker"] else "its owner's rights"
            roles = ", ".join(f"`{r}`" for r, letters in cells[view.name].items() if letters)
            example = examples.get(view.name) or view_example(view)
            rows = [[f"`{c['name']}`", c["type"], c["comment"]] for c in view.columns]
            parts.append(
                f"### {view.name}\n\n{cell(view.row['comment'])} Runs with {runs}; for"
                f" {roles or 'the owner'}.\n\n```sql\n{example}\n```\n\n"
                + table(["column", "type", "meaning"], rows)
            )
    return "\n".join(parts)


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


def functions_page(catalog: Catalog, examples: dict[str, str]) -> str:
    """docs/schema/functions.md: the API's functions first, then monitoring, then the rest."""
    parts = [f"# Functions and procedures\n\n{GENERATED}"]
    order = {"public": 0, "monitoring": 1, "audit": 2, "internal": 3, "deploy": 4, "migration": 5}
    callable_ = sorted(
        (f for f in catalog.functions if not f["is_trigger"]),
        key=lambda f: (order[f["schema"]], f["name"], f["signature"]),
    )
    for schema in order:
        found = [f for f in callable_ if f["schema"] == schema]
        if found:
            parts.append(f"## {schema}\n")
        for f in found:
            name = qualified(f["schema"], f["name"])
            kind = "PROCEDURE" if f["kind"] == "p" else "FUNCTION"
            returns = f"\nRETURNS {f['result']}" if f["kind"] != "p" else ""
            arguments = f["arguments"].replace(", ", ",\n    ")
            signature = f"{name}(\n    {arguments}\n)" if arguments else f"{name}()"
            roles = ", ".join(f"`{role}`" for role in f["roles"]) or "the owner only"
            rights = "its owner's rights" if f["as_owner"] else "its caller's rights"
            parts.append(
                f"### {name}\n\n{cell(f['comment'])} {f['volatility'].capitalize()}, runs with"
                f" {rights}; for {roles}.\n\n```text\n{kind} {signature}{returns}\n```\n\n"
                f"```sql\n{examples.get(name) or function_example(f)}\n```\n"
            )
    rows = [
        [f"`{qualified(f['schema'], f['name'])}`", f["comment"],
         ", ".join(f"`{t}`" for t in f["fired_on"]) or "no table"]
        for f in catalog.functions if f["is_trigger"]
    ]  # fmt: skip
    parts.append("## Trigger functions\n\n" + table(["function", "what it does", "on"], rows))
    return "\n".join(parts)


def read_examples(path: Path) -> dict[str, str]:
    """Examples written by hand: `-- name` above each statement."""
    found = re.split(r"^-- example: (\S+)\n", path.read_text(encoding="utf-8"), flags=re.MULTILINE)[
        1:
    ]
    return {name: text.strip() for name, text in zip(found[::2], found[1::2], strict=True)}


def pages(
    catalog: Catalog, rights: dict[tuple[str, str], str], roles: tuple[str, ...], examples: Path
) -> dict[str, str]:
    """All pages by their path. rights: letters by (schema.relation, role), as in rights.md."""
    by_oid = {table.row["oid"]: table for table in catalog.of_kind("table")}
    cells = {
        r.name: {role: rights[f"{r.row['schema']}.{r.row['name']}", role] for role in roles}
        for r in catalog.relations
    }
    written = read_examples(examples)
    made = {
        "README.md": readme_page(catalog, by_oid),
        "views.md": views_page(catalog, cells, written),
        "functions.md": functions_page(catalog, written),
    }
    for name, title in AREAS.items():
        if not any(area(table_) == name for table_ in by_oid.values()):
            continue
        diagram = area_diagram(name, by_oid)
        made[f"area-{name}.md"] = f"# {title}\n\n{GENERATED}[All tables](README.md).\n\n{diagram}"
    for table_ in by_oid.values():
        made[file_of(table_)] = table_page(table_, by_oid, cells[table_.name])
    return {f"docs/schema/{name}": text for name, text in made.items()}
