"""Reads the terminal's trade history report, xlsx or html, in English or French.

Rows become what the ingest functions take. A report has no position ids, magic numbers or
milliseconds; what it lacks is left out, never made up. A word that is not known stays a word, so
that the row is rejected with its reason and not guessed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, field
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path
from typing import Any

from cli import Failure

TIME = re.compile(r"(\d{4})\.(\d\d)\.(\d\d) (\d\d):(\d\d)(?::(\d\d))?(?:\.\d+)?")
# Headings of both lists, folded (small letters, no accents), by language; several spellings of one
# field because the terminal's translation changed over the builds.
DEAL_HEADINGS = {
    "English": {
        "time": "time", "deal": "ticket", "symbol": "symbol", "type": "type",
        "direction": "entry", "volume": "volume", "price": "price", "order": "order",
        "commission": "commission", "fee": "fee", "swap": "swap", "profit": "profit",
        "balance": "balance", "comment": "comment",
    },
    "French": {
        "heure": "time", "temps": "time", "date": "time", "transaction": "ticket",
        "deal": "ticket", "symbole": "symbol", "type": "type", "direction": "entry",
        "sens": "entry", "volume": "volume", "prix": "price", "ordre": "order",
        "commission": "commission", "frais": "fee", "swap": "swap", "echange": "swap",
        "profit": "profit", "benefice": "profit", "solde": "balance", "balance": "balance",
        "commentaire": "comment",
    },
}  # fmt: skip
ORDER_HEADINGS = {
    "English": {
        "open time": "time_setup", "order": "ticket", "symbol": "symbol", "type": "type",
        "volume": "volume", "price": "price_open", "s / l": "sl", "t / p": "tp",
        "time": "time_done", "state": "state", "comment": "comment",
    },
    "French": {
        "heure d'ouverture": "time_setup", "temps d'ouverture": "time_setup", "ordre": "ticket",
        "symbole": "symbol", "type": "type", "volume": "volume", "prix": "price_open",
        "s / l": "sl", "t / p": "tp", "heure": "time_done", "temps": "time_done",
        "etat": "state", "statut": "state", "commentaire": "comment",
    },
}  # fmt: skip
DEAL_TYPES = {
    "buy": 0, "achat": 0, "sell": 1, "vente": 1, "balance": 2, "solde": 2, "credit": 3,
    "charge": 4, "correction": 5, "bonus": 6, "commission": 7, "interest": 12, "interet": 12,
    "buy canceled": 13, "achat annule": 13, "sell canceled": 14, "vente annulee": 14,
    "dividend": 15, "dividende": 15, "franked dividend": 16, "tax": 17, "taxe": 17,
}  # fmt: skip
ENTRIES = {
    "in": 0, "entree": 0, "out": 1, "sortie": 1, "in/out": 2, "entree/sortie": 2, "out by": 3,
    "sortie par": 3,
}  # fmt: skip
ORDER_TYPES = {
    "buy": 0, "achat": 0, "sell": 1, "vente": 1, "buy limit": 2, "sell limit": 3, "buy stop": 4,
    "sell stop": 5, "buy stop limit": 6, "sell stop limit": 7, "close by": 8,
}  # fmt: skip
ORDER_STATES = {
    "started": 0, "placed": 1, "canceled": 2, "partial": 3, "filled": 4, "rejected": 5,
    "expired": 6, "place": 1, "annule": 2, "partiel": 3, "execute": 4, "rempli": 4, "rejete": 5,
    "expire": 6,
}  # fmt: skip


@dataclass
class Report:
    """What a report held: its language, account number, and rows for the ingest functions."""

    language: str
    account_number: str | None = None
    deals: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)


def fold(cell: Any) -> str:
    """Small letters without accents, one blank between words."""
    text = unicodedata.normalize("NFKD", str(cell or ""))
    plain = "".join(c for c in text if not unicodedata.combining(c)).replace("’", "'")  # noqa: RUF001
    return " ".join(plain.casefold().split())


def read_cells(path: Path) -> list[list[Any]]:
    """All rows of the file's first table. Raises Failure where it is none."""
    try:
        content = path.read_bytes()
        if content[:2] == b"PK":
            from openpyxl import load_workbook

            sheet = load_workbook(BytesIO(content), read_only=True, data_only=True).worksheets[0]
            sheet.reset_dimensions()
            return [list(row) for row in sheet.iter_rows(values_only=True)]
        from lxml import html

        coding = "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        document = html.fromstring(re.sub(r"^\s*<\?xml[^>]*>", "", content.decode(coding)))
    except ImportError as error:
        raise Failure(f"{error.name} is not installed: pip install '.[load]'") from error
    except OSError:
        raise
    except Exception as error:  # three libraries, each with exceptions of its own
        raise Failure(f"{path.name} is no readable report: {error}") from error
    rows = []
    for row in document.iter("tr"):
        cells: list[Any] = []
        for cell in row.iterchildren("td", "th"):
            if "hidden" not in cell.get("class", ""):
                cells.append(cell.text_content().strip())
                cells.extend([None] * (int(cell.get("colspan") or 1) - 1))
        rows.append(cells)
    return rows


def number(cell: Any) -> Any:
    """A cell as a number; the cell itself where it is none."""
    if not isinstance(cell, str):
        return 0 if cell is None else cell
    text = re.sub(r"\s", "", cell)
    if re.fullmatch(r"[-+]?\d+(\.\d+)?", text):
        return float(text) if "." in text else int(text)
    return cell if text else 0


def seconds(cell: Any) -> Any:
    """A time on the server's clock as seconds since 1970; the cell itself where it is none."""
    if isinstance(cell, datetime):
        return int(cell.replace(tzinfo=UTC).timestamp())
    if match := TIME.fullmatch(str(cell or "").strip()):
        parts = [int(part or 0) for part in match.groups()]
        try:
            return int(datetime(*parts, tzinfo=UTC).timestamp())
        except ValueError:
            pass
    return cell


def word(cell: Any, codes: dict[str, int]) -> Any:
    """The code of a word; the word itself where it is not known."""
    return codes.get(fold(cell), str(cell or ""))


def headings(row: list[Any], known: dict[str, str], needed: set[str]) -> dict[int, str] | None:
    """Column to field, when the row is the heading of the list."""
    found = {i: known[fold(cell)] for i, cell in enumerate(row) if fold(cell) in known}
    return found if needed <= set(found.values()) else None


def to_deal(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the list of deals as the ingest function takes it."""
    deal = {
        "time": seconds(row["time"]), "ticket": number(row["ticket"]),
        "symbol": str(row.get("symbol") or ""), "type": word(row["type"], DEAL_TYPES),
        "comment": str(row.get("comment") or ""),
    }  # fmt: skip
    if row.get("entry"):
        deal["entry"] = word(row["entry"], ENTRIES)
    for name in ("order", "volume", "price", "commission", "fee", "swap", "profit", "balance"):
        if name in row:
            deal[name] = number(row[name])
    return deal


def to_order(row: dict[str, Any]) -> dict[str, Any]:
    """A row of the list of orders; its volume reads `asked / filled`."""
    asked, _, filled = str(row["volume"]).partition("/")
    order = {
        "ticket": number(row["ticket"]), "symbol": str(row.get("symbol") or ""),
        "type": word(row["type"], ORDER_TYPES), "state": word(row["state"], ORDER_STATES),
        "time_setup": seconds(row["time_setup"]), "volume_initial": number(asked),
        "comment": str(row.get("comment") or ""),
    }  # fmt: skip
    try:
        order["volume_current"] = round(number(asked) - number(filled), 8)
    except TypeError:
        order["volume_current"] = filled.strip()
    if row.get("time_done"):
        order["time_done"] = seconds(row["time_done"])
    for name in ("price_open", "sl", "tp"):
        if isinstance(value := number(row.get(name)), int | float):  # `market` is no price
            order[name] = value
    return order


def read_report(path: Path) -> Report:
    """Read a report. Raises Failure for a language other than English and French."""
    rows = read_cells(path)
    report = None
    for language, known in DEAL_HEADINGS.items():
        if any(headings(row, known, {"time", "ticket", "type", "profit"}) for row in rows):
            report = Report(language)
            break
    if report is None:
        seen = [str(row[0]) for row in rows if row and isinstance(row[0], str) and row[0].strip()]
        raise Failure(
            f"{path.name}: no list of deals in English or French; it says: {', '.join(seen[:8])}"
        )
    lists = (
        (ORDER_HEADINGS, {"time_setup", "ticket", "volume", "state"}, to_order, report.orders),
        (DEAL_HEADINGS, {"time", "ticket", "type", "profit"}, to_deal, report.deals),
    )
    columns: dict[int, str] = {}
    for row in rows:
        if fold(row[0] if row else "").rstrip(" :") in ("account", "compte"):
            numbers = re.findall(r"\b\d{3,}\b", " ".join(str(cell or "") for cell in row[1:]))
            report.account_number = numbers[0] if numbers else None
        for known, needed, convert, target in lists:
            if found := headings(row, known[report.language], needed):
                columns, make, into = found, convert, target
                break
        else:
            if columns and isinstance(seconds(row[0] if row else None), int):
                cells = {name: row[i] if i < len(row) else None for i, name in columns.items()}
                into.append(make(cells))
            elif columns and not any(cell not in (None, "") for cell in row[:2]):
                columns = {}  # the totals below a list
            elif columns and fold(row[0]) and len([c for c in row if c not in (None, "")]) == 1:
                columns = {}  # the title of the next section
    return report
