"""Writes a history as the terminal saves it: xlsx, html; or as a spreadsheet saves it again: CSV.

The forms follow real files: xlsx parts in UTF-16, html in UTF-16 with hidden cells and colspans, an
odd byte at its end, texts with blanks in numbers, template slips in colspans.
"""

from __future__ import annotations

import csv
import io
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from mt5_history import History, rounded
from mt5_languages import LANGUAGES
from mt5_results import results

Cells = dict[int, Any]
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"


@dataclass
class Quirks:
    """Differences between files of one history."""

    language: str = "English"
    account: str = "50000001 (USD, Broker-Demo 2, demo, {way})"
    columns: int = 14  # of deals: 13 before fees, 15 with costs
    titles: bool = True
    blank: str = " "  # between thousands
    minus: str = "-"
    colspan: str = "2"
    odd_byte: bool = True
    company: str = "Broker (Europe) Ltd"
    sections: tuple[str, ...] = ("positions", "orders", "deals", "open")


def clock(seconds: int) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y.%m.%d %H:%M:%S}"


def plain(value: Decimal | int | None) -> str | None:
    return None if value is None else f"{value:f}" if isinstance(value, Decimal) else str(value)


class Layout:
    """The cells of a report, row by row, as the xlsx has them."""

    def __init__(self, history: History, quirks: Quirks) -> None:
        self.history, self.quirks = history, quirks
        self.words = LANGUAGES[quirks.language]
        self.digits = history.digits

    def money(self, value: Decimal, digits: int | None = None) -> str:
        """`- 5 338.90`: blanks between thousands, maybe one after the minus."""
        number = rounded(Decimal(value), self.digits if digits is None else digits)
        return f"{number:,f}".replace(",", self.quirks.blank).replace("-", self.quirks.minus)

    def head(self) -> list[Cells]:
        title, name, account, company, date = self.words["heads"][:5]
        way = "Hedge" if self.history.hedging else "Netting"
        rows = [
            {0: f"{name}:", 3: "A. Trader"},
            {0: f"{account}:", 3: self.quirks.account.format(way=way)},
            {0: f"{company}:", 3: self.quirks.company},
            {0: f"{date}:", 3: "2025.12.31 18:14"},
        ]
        return [{0: title}, *rows] if self.quirks.titles else rows

    def names(self, *keys: str) -> list[str]:
        return [self.words["columns"][key] for key in keys]

    def position_rows(self) -> tuple[list[str], list[list[Any]]]:
        names = self.names("time", "position", "symbol", "type", "volume", "price", "sl", "tp",
                           "time", "price", "commission", "swap", "profit")  # fmt: skip
        rows = [
            [clock(row["time"]), row["ticket"], row["symbol"], row["type"], plain(row["volume"]),
             plain(row["price"]), None, None, clock(row["time_close"]), plain(row["price_close"]),
             *(self.money(row[name]) for name in ("commission", "swap", "profit"))]
            for row in self.history.positions
        ]  # fmt: skip
        return names, rows

    def order_rows(self) -> tuple[list[str], list[list[Any]]]:
        names = self.names("open_time", "order", "symbol", "type", "volume", "price", "sl", "tp",
                           "time", "state", "comment")  # fmt: skip
        rows = [
            [clock(row["time_setup"]), row["ticket"], row["symbol"], row["type"],
             f"{row['asked']:f} / {row['filled']:f}", plain(row["price"]) or "market",
             plain(row["sl"]), plain(row["tp"]), clock(row["time_done"]), row["state"],
             row["comment"] or None]
            for row in self.history.orders
        ]  # fmt: skip
        return names, rows

    def deal_rows(self) -> tuple[list[str], list[list[Any]], list[Any]]:
        keys = ["time", "deal", "symbol", "type", "direction", "volume", "price", "order",
                "commission", "fee", "swap", "profit", "balance", "comment"]  # fmt: skip
        rows = []
        for row in self.history.deals:
            trade = row["type"] in ("buy", "sell")
            rows.append([
                clock(row["time"]), row["ticket"], row["symbol"] or None, row["type"],
                row["entry"] or None, plain(row["volume"]) if trade else None,
                plain(row["price"]) if trade else None, row["order"] if trade else None,
                *(self.money(row[name])
                  for name in ("commission", "fee", "swap", "profit", "balance")),
                row["comment"] or None,
            ])  # fmt: skip
        totals = [*[None] * 8, *(
            self.money(sum(row[name] for row in self.history.deals))
            for name in ("commission", "fee", "swap", "profit")
        ), self.money(self.history.deals[-1]["balance"]), None]  # fmt: skip
        if self.quirks.columns == 13:
            keys.remove("fee")
            for row in (*rows, totals):
                del row[9]
        if self.quirks.columns == 15:
            keys.insert(8, "cost")
            for row in (*rows, totals):
                row.insert(8, self.money(Decimal("-0.01")) if row[0] else None)
        return self.names(*keys), rows, totals

    def open_rows(self) -> tuple[list[str], list[list[Any]]]:
        names = self.names("time", "position", "symbol", "type", "volume", "price", "sl", "tp",
                           "market", "swap", "profit", "comment")  # fmt: skip
        rows = [
            [clock(row["time"]), row["ticket"], row["symbol"], row["type"], plain(row["left"]),
             plain(row["price"]), None, None, plain(row["price"]), self.money(Decimal(0)),
             self.money(Decimal(0)), None]
            for row in self.history.open
        ]  # fmt: skip
        return names, rows

    def state(self) -> list[Cells]:
        labels = [f"{text}:" for text in self.words["state"]]
        balance, zero = self.history.deals[-1]["balance"], self.money(Decimal(0))
        values = [self.money(balance)] * 2 + [zero] * 4 + [self.money(balance)]
        return [
            {0: labels[i], 3: values[i], 6: labels[i + 1], 9: values[i + 1]} for i in (0, 2, 4)
        ] + [{0: labels[6], 3: values[6]}]  # fmt: skip

    def figure(self, name: str, value: Any) -> str | None:
        """As the terminal prints one of its results."""
        if value is None:
            return "0.00" if "actor" in name else None
        if isinstance(value, tuple):
            first, second = value
            if name == "deepest":
                return f"{self.money(first)} ({rounded(second, 2)}%)"
            if name == "steepest":
                return f"{rounded(first, 2)}% ({self.money(second)})"
            if name == "share":
                return f"{first} ({rounded(second, 2)}%)"
            return (f"{first} ({self.money(second)})" if isinstance(first, int)
                    else f"{self.money(first)} ({second})")  # fmt: skip
        if isinstance(value, int):
            return str(value)
        return self.money(value, {"ratio": 6, "count": 0}.get(name, self.digits))

    def results(self) -> list[Cells]:
        kinds = [
            ["money"] * 3, ["ratio", "ratio"], ["ratio", "ratio"], ["money"],
            ["money", "deepest", "steepest"], ["count", "share", "share"], ["share", "share"],
            ["money"] * 2, ["ratio"] * 2, ["run"] * 2, ["run"] * 2, ["count"] * 2,
        ]  # fmt: skip
        labels = iter(self.words["results"])
        rows: list[Cells] = [{0: self.words["heads"][10]}]
        for place, (row, names) in enumerate(zip(results(self.history), kinds, strict=True)):
            columns = (0, 4, 8) if place < 6 else (4, 8)
            cells: Cells = {}
            for column, value, kind in zip(columns, row, names, strict=False):
                cells[column] = f"{next(labels)}:"
                cells[column + 3] = self.figure(kind, value)
            rows.append(cells)
        return rows

    def rows(self) -> list[Cells]:
        """The whole report."""
        rows = self.head()
        heads = self.words["heads"]

        def section(title: str, names: list[str], body: list[list[Any]]) -> None:
            rows.extend([{0: title}] if self.quirks.titles else [])
            rows.append(dict(enumerate(names)))
            rows.extend(dict(enumerate(row)) for row in body)

        if "positions" in self.quirks.sections:
            section(heads[5], *self.position_rows())
        if "orders" in self.quirks.sections:
            names, body = self.order_rows()
            # the state takes two columns
            section(heads[6], [*names[:10], None, names[10]],
                    [[*row[:10], None, row[10]] for row in body])  # fmt: skip
        names, body, totals = self.deal_rows()
        section(heads[7], names, body)
        rows.append(dict(enumerate(totals)))
        if self.history.open and "open" in self.quirks.sections:
            section(heads[8], *self.open_rows())
            rows.append({9: "0.00", 10: "0.00"})
        return [*rows, *self.state(), *[{}] * 3, *self.results()]


def write_xlsx(path: Path, history: History, quirks: Quirks) -> Path:
    """As the terminal does: UTF-16 parts, money as numbers where it has no blanks."""
    shared: dict[str, int] = {}
    lines = []
    for number, cells in enumerate(Layout(history, quirks).rows(), 1):
        parts = []
        for column, value in sorted(cells.items()):
            if value is None:
                continue
            text, place = str(value), f"{chr(65 + column)}{number}"
            if isinstance(value, int) or (column > 4 and text.replace(".", "", 1).isdigit()):
                parts.append(f'<c r="{place}" s="8"><v>{text}</v></c>')
            else:
                index = shared.setdefault(text, len(shared))
                parts.append(f'<c r="{place}" s="1" t="s"><v>{index}</v></c>')
        lines.append(f'<row r="{number}" spans="1:15">{"".join(parts)}</row>')
    strings = "".join(f'<si><t xml:space="preserve">{escape(text)}</t></si>' for text in shared)
    with zipfile.ZipFile(path, "w") as book:
        for name, body in (
            ("xl/sharedStrings.xml", f'<sst xmlns="{MAIN}">{strings}</sst>'),
            ("xl/worksheets/sheet1.xml",
             f'<worksheet xmlns="{MAIN}"><dimension ref="A1:B2"/>'
             f"<sheetData>{''.join(lines)}</sheetData></worksheet>"),
        ):  # fmt: skip
            book.writestr(name, f'<?xml version="1.0"?>\r\n{body}'.encode("utf-16"))
    return path


def write_html(path: Path, history: History, quirks: Quirks) -> Path:
    """As the terminal's template does: hidden cells, colspans, UTF-16, an odd byte at the end."""
    layout = Layout(history, quirks)
    hidden = '<td class="hidden" colspan="8">JamesORB &amp; co</td>'
    lines = []
    for cells in layout.rows():
        columns = sorted(cells)
        parts = []
        width = max(columns, default=-1) + 1
        label = width and all(column in (0, 3, 4, 6, 7, 8, 9, 11) for column in columns)
        for column in range(width):
            text = escape(str(cells.get(column) or "")).replace(" ", "&nbsp;", 1)
            if label and len(columns) in (2, 4, 6) and column not in columns:
                continue
            last = column == width - 1
            span = f' colspan="{quirks.colspan}"' if last and width > 12 else ""
            parts.append(f"<td nowrap{span}><b>{text}</b></td>")
            if column == 3 and width == 13 and str(cells.get(0))[:4].isdigit():
                parts.append(hidden)
        lines.append(f"<tr align=right>{''.join(parts)}</tr>")
    text = (
        "<!DOCTYPE html><html><head><title>50000001: A. Trader - Report</title></head><body>"
        f"<table>{''.join(lines)}</table></body></html>\r\n"
    )
    path.write_bytes(text.encode("utf-16") + (b"\n" if quirks.odd_byte else b""))
    return path


def write_csv(
    path: Path, history: History, quirks: Quirks, sign: str = ",", comma: bool = False,
    coding: str = "utf-8-sig",
) -> Path:  # fmt: skip
    """As a spreadsheet saves the xlsx; comma: numbers, but not texts, have a decimal comma."""
    text = io.StringIO()
    writer = csv.writer(text, delimiter=sign)
    for cells in Layout(history, quirks).rows():
        row = []
        for column in range(max(cells, default=-1) + 1):
            value = "" if cells.get(column) is None else str(cells[column])
            if comma and column > 4 and value.replace(".", "", 1).lstrip("-").isdigit():
                value = value.replace(".", ",")
            row.append(value)
        writer.writerow(row)
    path.write_bytes(text.getvalue().encode(coding, "replace"))
    return path
