"""The areas of the numbered files: the second digit of a file's number says its objects' area."""

import re
from functools import cache

from rubi import ROOT

AREAS = {
    "core": "Core",
    "trading": "Trading",
    "market": "Market data",
    "mt5": "MT5 ledger",
    "results": "Results",
    "risk": "Rules and risk",
    "tenants": "Tenants and audit",
    "backups": "Backups, archives and scaling",
    "monitoring": "Monitoring",
    "moving": "Moving in",
}  # in the order of their digits
MADE = re.compile(
    r"^CREATE (?:OR REPLACE )?(?:UNLOGGED )?(?:TABLE|VIEW) (?:IF NOT EXISTS )?(\w+\.\w+)",
    re.MULTILINE,
)


@cache
def areas() -> dict[str, str]:
    """Area of each table and view, by the number of the file that makes it."""
    names = list(AREAS)
    return {
        name: names[int(path.name[1])]
        for folder in ("schema", "views")
        for path in (ROOT / folder).glob("[0-9]*.sql")
        for name in MADE.findall(path.read_text(encoding="utf-8"))
    }


def area_of(schema: str, name: str) -> str:
    """The area of a table or view; core for one that no numbered file makes."""
    return areas().get(f"{schema}.{name}", "core")
