"""Longer SQL stands in a file beside the module that asks it: readable, linted, tried with psql."""

import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

NAMED = re.compile(r"^-- ([A-Z_]+): .*$", re.MULTILINE)


def queries(module: str) -> SimpleNamespace:
    """The statements of module.sql by the names before them, in lines such as `-- TABLES: reason`.

    Comments stay behind: a % in one would be taken for a placeholder.
    """
    parts = NAMED.split(Path(module).with_suffix(".sql").read_text(encoding="utf-8"))
    texts = (re.sub(r"^\s*--.*\n", "", text, flags=re.MULTILINE) for text in parts[2::2])
    return SimpleNamespace(
        **{
            name: text.strip().removesuffix(";")
            for name, text in zip(parts[1::2], texts, strict=True)
        }
    )


def run_each(connection: Any, query: str, values: dict[str, Any] | None = None) -> int:
    """Run the statements that a query answers; answers how many."""
    found = connection.execute(query, values).fetchall()
    for (statement,) in found:
        connection.execute(statement)
    return len(found)
