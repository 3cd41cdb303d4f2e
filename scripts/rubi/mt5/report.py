"""Reads the terminal's trade history report by its layout, in any language.

After some label rows come sections under a title row of one cell: positions (13 columns), orders
(11), deals (14; 13 before fees were listed, 15 with costs), open positions and orders, then labels
and values. A report has no magic numbers, reasons or milliseconds; missing fields are left out,
never made up.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rubi.cli import Failure
from rubi.mt5 import layout
from rubi.mt5.cells import Row, read_tables
from rubi.mt5.numbers import digits_of, number, seconds, ticket
from rubi.mt5.words import Unknown, Words

ACCOUNT = re.compile(r"(\d{1,19}) ?\((.*,.*)\)")
# the account stands in one of the first rows, also of a file that was cut
LABEL_ROWS = 12
TIMES = ("time", "time_close", "time_setup", "time_done")
NUMBERS = ("volume", "price", "price_close", "commission", "fee", "swap", "profit", "balance")


@dataclass
class Report:
    """The contents of a report, as rows for the ingest functions, money in its currency."""

    name: str
    account: dict[str, Any]
    made: int | None = None
    deals: list[dict[str, Any]] = field(default_factory=list)
    orders: list[dict[str, Any]] = field(default_factory=list)
    positions: list[dict[str, Any]] = field(default_factory=list)
    open_positions: list[dict[str, Any]] = field(default_factory=list)
    totals: dict[str, int | float] = field(default_factory=dict)
    figures: dict[str, str] = field(default_factory=dict)


class Reader:
    """Reads the lists of one file."""

    def __init__(self, name: str, sign: str, words: Words) -> None:
        self.name, self.sign, self.words = name, sign, words

    def number(self, text: str | None, line: int, heading: str) -> int | float:
        """A number, 0 for an empty cell. Raises Failure naming the place of anything else."""
        found = number(text, self.sign) if text else 0
        if found is None:
            raise Failure(f"{self.name}: row {line}, {heading}: {text} is no number")
        return found

    def ticket(self, text: str | None, line: int, heading: str) -> int:
        found = ticket(text)
        if found is None:
            raise Failure(
                f"{self.name}: row {line}, {heading}: {text} is no ticket; a spreadsheet rounds"
                " long ones: load the file that the terminal saved"
            )
        return found

    def word(self, text: str | None, column: str, line: int, heading: str) -> int:
        try:
            return self.words.code(text, column)
        except Unknown as error:
            raise Failure(
                f"{self.name}: row {line}, {heading}: the word {error.word} ({column}) is not"
                f" known: say what it means with --word '{error.word}=ENGLISH WORD'",
                code=2,
            ) from error

    def cells(self, section: layout.Section, names: tuple[str, ...]) -> Iterator[dict[str, Any]]:
        """The rows of a list by field, each with its line and headings under None."""
        columns = section.places(names)
        for line, row in section.rows:
            closed = (
                names is not layout.POSITION
                or layout.seconds_at(row, columns["time_close"]) is not None
            )
            shift = 0 if closed else layout.HIDDEN
            found = {
                name: layout.cell(row, place + (shift if name not in layout.POSITION[:4] else 0))
                for name, place in columns.items()
            }
            if names is layout.POSITION and seconds(found["time_close"]) is None:
                continue  # a movement of money, which is a deal too
            found["line"] = line
            found["heading"] = {name: section.headings[place] for name, place in columns.items()}
            yield found

    def values(self, row: dict[str, Any], type_of: str) -> dict[str, Any]:
        """The fields that lists share; type_of: the column of words that its type is from."""
        line, heading = row["line"], row["heading"]
        made = {
            "ticket": self.ticket(row["ticket"], line, heading["ticket"]),
            "symbol": row["symbol"] or "",
            "type": self.word(row["type"], type_of, line, heading["type"]),
        }
        made |= {name: at for name in TIMES if (at := seconds(row.get(name))) is not None}
        for name in NUMBERS:
            if name in row:
                made[name] = self.number(row[name], line, heading[name])
        return made

    def position(self, row: dict[str, Any]) -> dict[str, Any]:
        """A closed or open position; its volume may read `closed / opened`."""
        row["volume"] = (row["volume"] or "").partition("/")[0].strip()
        return self.values(row, "side of a position")

    def order(self, row: dict[str, Any]) -> dict[str, Any]:
        """An order that is done; its volume reads `asked / filled`."""
        asked, parted, done = (row.pop("volume") or "").partition("/")
        made = self.values(row, "type of an order") | {"comment": row["comment"] or ""}
        line, heading = row["line"], row["heading"]
        made["state"] = self.word(row["state"], "state", line, heading["state"])
        asked_for = self.number(asked.strip(), line, heading["volume"])
        left = asked_for - self.number(done.strip(), line, heading["volume"])
        whole = not parted and made["state"] == 4
        made |= {"volume_initial": asked_for, "volume_current": 0 if whole else round(left, 8)}
        # a stop limit order's price triggers it, that of its limit stands behind in brackets
        row["price_open"], _, limit = (row["price_open"] or "").partition("(")
        row |= {"price_stoplimit": limit.removesuffix(")")} if limit else {}
        for name in row.keys() & {"price_open", "price_stoplimit", "sl", "tp"}:
            value = number(row[name], self.sign) if row[name] else 0
            if value is not None:  # `market` is no price
                made[name] = value
        return made

    def deal(self, row: dict[str, Any]) -> dict[str, Any]:
        line, heading = row["line"], row["heading"]
        made = self.values(row, "type of a deal") | {"comment": row["comment"] or ""}
        if row["entry"]:
            made["entry"] = self.word(row["entry"], "direction", line, heading["entry"])
        made["order"] = self.ticket(row["order"], line, heading["order"]) if row["order"] else 0
        return made

    def account(self, head: list[Row]) -> tuple[dict[str, Any], int | None]:
        """The account of the label rows, and when the report was made on its computer's clock."""
        account: dict[str, Any] = {}
        made = None
        before: str | None = None
        for line, row in enumerate(head[:LABEL_ROWS], 1):
            values = list(layout.filled(row).values())
            if len(values) < 2:
                continue
            match = ACCOUNT.fullmatch(values[1])
            if match and not account:
                account = {"login": int(match[1]), "name": before or ""}
                parts = [part.strip() for part in match[2].split(",")]
                account["currency"] = parts[0]
                if len(parts) >= 4:
                    account["server"] = ", ".join(parts[1:-2])
                    account["trade_mode"] = self.word(parts[-2], "kind of account", line, values[0])
                    account["margin_mode"] = self.word(
                        parts[-1], "way of positions", line, values[0]
                    )
                elif len(parts) > 1:
                    account["server"] = parts[1]
            elif account and seconds(values[1]) is not None:
                made = seconds(values[1])
            elif account and "company" not in account:
                account["company"] = values[1]
            before = values[1]
        return account, made


def refuse(name: str, tables: list[list[Row]]) -> None:
    """Raise Failure for a file of another kind than a trade history report, naming the kind."""
    head = [row for rows in tables for row in rows[:40]]
    texts = [text for row in head for text in row if text]
    if any("<!--" in text for text in texts) or not any(re.search(r"\w", t) for t in texts):
        raise Failure(f"{name}: a template of the terminal or an empty file, no report")
    if any(re.search(r"\(build \d+\)", text, re.I) for text in texts[:4]):
        raise Failure(
            f"{name}: a Strategy Tester report, whose trades never happened: no trade is booked."
            " A test's results belong beside its strategy; load the account's own report"
            " (terminal, History, Report)"
        )
    if any(text.startswith("Closed Transactions") for text in texts):
        raise Failure(f"{name}: a statement of MetaTrader 4; this database is for MetaTrader 5")
    raise Failure(
        f"{name}: no trade history report of MetaTrader 5 (no row NUMBER (CUR, SERVER, demo,"
        f" Hedge), no list of deals); its first words: {', '.join(texts[:6])[:200]}"
    )


def find_table(name: str, tables: list[list[Row]]) -> layout.Table:
    """The table that is a trade history report. Raises Failure where none is, or several are."""
    heads = [n for rows in tables for n, row in enumerate(rows, 1) if layout.is_head(row)]
    if len(heads) > 1:
        raise Failure(
            f"{name}: row {heads[1]} begins a second report: give each report a file of its own"
        )
    for rows in tables:
        table = layout.split(rows)
        texts = [text for row in table.head[:LABEL_ROWS] for text in row if text]
        if not any(ACCOUNT.fullmatch(text) for text in texts):
            continue
        for section in table.sections:
            columns = list(section.headings)
            if len(columns) == 12 and not section.rows and is_trade(rows, columns):
                raise Failure(
                    f"{name}: a report of open positions, not of trades: no row is booked."
                    " Positions come from positions_get; for trades save the report of the tab"
                    " History"
                )
        for line, text in table.stray:
            raise Failure(
                f"{name}: row {line} begins with {text or 'an empty cell'}, no time that is certain"
                " below headings: was the file cut, or its dates changed? Load the terminal's file"
            )
        if not any(section.fields() in layout.DEALS.values() for section in table.sections):
            raise Failure(
                f"{name}: no list of deals of 13 to 15 columns: an account without any deal, a file"
                " cut before them, or a build of the terminal that is not known"
            )
        if table.is_cut():
            raise Failure(
                f"{name}: ends within the list of deals, without their totals: the file was cut,"
                " save the report again"
            )
        return table
    refuse(name, tables)
    raise AssertionError


def is_trade(rows: list[Row], columns: list[int]) -> bool:
    """Whether rows begin with symbol, ticket, time, as in a report of open positions."""
    return any(
        ticket(layout.cell(row, columns[1])) is not None
        and layout.seconds_at(row, columns[2]) is not None
        for row in rows
    )


# Names by place: a row of the file each, None for a label without a value. `a (b)` are two figures.
STATE = (
    ("balance", "margin_free"),
    ("credit", "margin"),
    ("floating", "margin_level"),
    ("equity",),
)
RESULTS = (
    ("net_profit", "gross_profit", "gross_loss"),
    ("profit_factor", "expected_payoff"),
    ("recovery_factor", "sharpe_ratio"),
    (None,),
    (
        "drawdown_absolute",
        "drawdown_maximal drawdown_maximal_percent",
        "drawdown_relative_percent drawdown_relative",
    ),
    ("trades", "short_trades short_won_percent", "long_trades long_won_percent"),
    ("won_trades won_percent", "lost_trades lost_percent"),
    ("largest_profit", "largest_loss"),
    ("average_profit", "average_loss"),
    ("longest_wins longest_wins_profit", "longest_losses longest_losses_loss"),
    ("maximal_series_profit maximal_series_profit_trades",
     "maximal_series_loss maximal_series_loss_trades"),
    ("average_wins", "average_losses"),
)  # fmt: skip


def labels(row: Row) -> list[str | None]:
    """The values of a row of labels, which end in a colon; None where a label has no value."""
    values: list[str | None] = []
    for text in row:
        if not text:
            continue
        if text.endswith((":", "\uff1a")):
            values.append(None)
        elif values and values[-1] is None:
            values[-1] = text
    return values


def parts(text: str) -> list[str]:
    """`5 338.90 (5.32%)` as its two numbers, `0.94` as one."""
    match = re.fullmatch(r"([^()]*)\(([^()]*)\)", text)
    texts = list(match.groups()) if match else [text]
    return [part.replace("%", "").strip() for part in texts]


def read_figures(rest: list[Row], sign: str) -> dict[str, str]:
    """Figures by name, in the digits they are printed in. A figure outside its place is absent."""
    rows = [values for row in rest if (values := labels(row))]
    figures: dict[str, str] = {}
    # results begin at the first row of three labels: no row of the account's state has three
    begin = next((i for i, values in enumerate(rows) if len(values) == 3), len(rows))
    for names, values in [*zip(STATE, rows[:begin], strict=False),
                          *zip(RESULTS, rows[begin:], strict=False)]:  # fmt: skip
        if len(names) != len(values):
            break
        for name, value in zip(names, values, strict=True):
            if name is None or value is None:
                continue
            for one, text in zip(name.split(), parts(value), strict=False):
                digits = digits_of(text, sign)
                if digits and one == "margin_level" and "%" not in value:
                    digits = str(round(100 * float(digits), 6))  # a workbook's cell: the share
                if digits is not None:
                    figures[one] = digits
    return figures


def check_balances(report: Report) -> None:
    """Raise Failure where many balances don't follow from their rows: the columns are others."""
    follow = differ = 0
    for before, deal in zip(report.deals, report.deals[1:], strict=False):
        moved = sum(deal.get(name, 0) for name in ("commission", "fee", "swap", "profit"))
        if moved and "balance" in deal and deal["type"] not in (3, 20):  # credit moves none
            fits = abs(before["balance"] + moved - deal["balance"]) < 0.005
            follow, differ = follow + fits, differ + (not fits)
    if differ > max((follow + differ) // 10, 2):
        raise Failure(
            f"{report.name}: balances don't follow from the deals in {differ} of {differ + follow}"
            " rows: the columns of this list are not those of MT5's report"
        )


def read_report(path: Path, words: Words | None = None) -> Report:
    """Read a trade history report. Raises Failure for any other file, naming its kind."""
    tables, sign = read_tables(path)
    table = find_table(str(path), tables)
    reader = Reader(str(path), sign, words or Words())
    account, made = reader.account(table.head)
    report = Report(str(path), account, made)
    for section in table.sections:
        names = section.fields()
        if not names:
            continue
        for row in reader.cells(section, names):
            if names is layout.POSITION:
                report.positions.append(reader.position(row))
            elif names is layout.OPEN:
                report.open_positions.append(reader.position(row))
            elif names is layout.ORDER:
                report.orders.append(reader.order(row))
            else:
                report.deals.append(reader.deal(row))
        if names in layout.DEALS.values() and section.totals:
            report.totals = {
                name: number(text, sign) or 0 for name, text in section.sums(names).items()
            }
    report.figures = read_figures(table.rest, sign)
    check_balances(report)
    return report
