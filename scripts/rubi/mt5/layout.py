"""Takes a report's rows apart by their places: labels, lists, totals, and the rest."""

import re
from dataclasses import dataclass, field

from rubi.mt5.cells import Row
from rubi.mt5.numbers import number, seconds

# the width of a cell in the list of positions that browsers don't show, and spreadsheets do
HIDDEN = 8
# the least number of cells in a row of a list; other rows have fewer
FULL = 7
# the account with its currency, in a row of labels; `5 (1,234.56)` is a result
HEAD = re.compile(r"\d{1,19} ?\([^\W\d].*,.*\)")
POSITION = (
    "time", "ticket", "symbol", "type", "volume", "price", "sl", "tp", "time_close", "price_close",
    "commission", "swap", "profit",
)  # fmt: skip
ORDER = (
    "time_setup", "ticket", "symbol", "type", "volume", "price_open", "sl", "tp", "time_done",
    "state", "comment",
)  # fmt: skip
OPEN = (
    "time", "ticket", "symbol", "type", "volume", "price", "sl", "tp", "price_current", "swap",
    "profit", "comment",
)  # fmt: skip
DEAL = (
    "time", "ticket", "symbol", "type", "entry", "volume", "price", "order", "commission", "fee",
    "swap", "profit", "balance", "comment",
)  # fmt: skip
SUMMED = ("commission", "fee", "swap", "profit", "balance")
DEALS = {
    13: tuple(name for name in DEAL if name != "fee"),
    14: DEAL,
    15: (*DEAL[:8], "cost", *DEAL[8:]),
}


@dataclass
class Section:
    """A list: its title, headings, and rows with their number in the file."""

    headings: dict[int, str]
    rows: list[tuple[int, Row]] = field(default_factory=list)
    totals: Row | None = None

    def fields(self) -> tuple[str, ...] | None:
        """The kind of the list, told from the number of its columns and the places of times."""
        columns = list(self.headings)
        if not self.rows or len(columns) < 11:
            return None
        names = list(self.headings.values())
        if len(columns) >= 13 and (names[0], names[5]) == (names[8], names[9]):
            return POSITION  # time and price of opening and of closing have one heading each
        shifts = (0, HIDDEN) if len(columns) == 13 else (0,)
        closes = any(
            seconds_at(row, columns[8] + shift) is not None
            for _, row in self.rows
            for shift in shifts
        )
        if closes:
            return POSITION if len(columns) >= 13 else ORDER
        if len(columns) >= 13:
            return DEALS.get(len(columns))
        return OPEN if len(columns) == 12 else ()  # orders that wait

    def places(self, names: tuple[str, ...]) -> dict[str, int]:
        """The column of a field. Builds that add a column keep the first and the last ones."""
        columns = list(self.headings)
        if names is POSITION or names is ORDER:
            last = 2 if names is POSITION else 1
            columns = [*columns[: len(names) - last], *columns[-last:]]
        return dict(zip(names, columns, strict=True))

    def sums(self, names: tuple[str, ...]) -> dict[str, str]:
        """The sums below the list of deals: in their order, as a spreadsheet that shows the hidden
        column of costs moves headings and not sums; by their columns where one has none."""
        places = self.places(names)
        summed = [name for name in SUMMED if name in places]
        texts = list(filled(self.totals or []).values())
        if len(texts) == len(summed):
            return dict(zip(summed, texts, strict=True))
        found = {name: cell(self.totals or [], places[name]) for name in summed}
        return {name: text for name, text in found.items() if text}


def cell(row: Row, place: int) -> str | None:
    return row[place] if place < len(row) else None


def seconds_at(row: Row, place: int) -> int | None:
    return seconds(cell(row, place))


def filled(row: Row) -> dict[int, str]:
    return {place: text for place, text in enumerate(row) if text}


def is_heading(row: Row) -> bool:
    """Whether a row names the columns of a list: many cells, none a number or a time."""
    texts = filled(row).values()
    return len(texts) >= 11 and not any(
        number(text) is not None or seconds(text) is not None for text in texts
    )


def is_total(row: Row) -> bool:
    texts = [text for text in row if text]
    return not any(row[:3]) and len(texts) >= 2 and all(number(text) is not None for text in texts)


def is_head(row: Row) -> bool:
    """Whether a row of labels names the account, as each report does once."""
    texts = list(filled(row).values())
    return 1 < len(texts) < FULL and bool(HEAD.fullmatch(texts[1]))


@dataclass
class Table:
    """Label rows above the lists, the lists, the rows below them, and all other rows."""

    head: list[Row] = field(default_factory=list)
    sections: list[Section] = field(default_factory=list)
    rest: list[Row] = field(default_factory=list)
    stray: list[tuple[int, str]] = field(default_factory=list)

    def is_cut(self) -> bool:
        """Whether rows end within the list of deals: totals and results follow in each report."""
        last = self.sections[-1]
        return last.fields() in DEALS.values() and not last.totals and not self.rest


def split(rows: list[Row]) -> Table:
    table = Table()
    for line, row in enumerate(rows, 1):
        if not any(row):
            continue
        if is_heading(row):
            table.sections.append(Section(filled(row)))
            table.rest = []
            continue
        section = table.sections[-1] if table.sections else None
        if section is None:
            table.head.append(row)
        elif seconds_at(row, 0) is not None and not table.rest:
            section.rows.append((line, row))
        elif is_total(row) and section.rows and not table.rest and not section.totals:
            section.totals = row
        elif len(filled(row)) >= FULL:
            table.stray.append((line, row[0] or ""))
        else:
            table.rest.append(row)
    return table
