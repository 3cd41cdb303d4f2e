"""Reading reports: rubi.mt5.report and what stands on it."""

from __future__ import annotations

import io
import zipfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook

import mt5_files
import mt5_history
from rubi.cli import Failure
from rubi.mt5 import booking
from rubi.mt5.cells import decode
from rubi.mt5.numbers import number, seconds, ticket
from rubi.mt5.report import read_report
from rubi.mt5.words import Words

# the sections of a French report whose words a user translated, as its cells
TRANSLATED = [
    ["Rapport"],
    ["Nom:", "", "", "A. Trader"],
    ["Compte :", "", "", "7001 (USD, Broker-Live, réel, Hedge)"],
    ["Courtier :", "", "", "Broker Ltd"],
    ["Date :", "", "", "2026.01.05 18:00"],
    ["Ordres"],
    ["Heure d'ouverture", "Ordre", "Symbole", "Type", "Volume", "Prix", "S / L", "T / P", "Heure",
     "État", "Commentaire"],
    ["2026.01.05 10:00:00", "900", "EURUSD", "achat", "1.00 / 1.00", "market", "1.05000", "",
     "2026.01.05 10:00:00", "exécuté", ""],
    ["2026.01.05 10:30:00", "902", "EURUSD", "buy limit", "2.00 / 0.00", "1.00000", "", "",
     "2026.01.05 10:40:00", "annulé", ""],
    ["Transactions"],
    ["Heure", "Transaction", "Symbole", "Type", "Direction", "Volume", "Prix", "Ordre",
     "Commission", "Frais", "Échange", "Bénéfice", "Solde", "Commentaire"],
    ["2026.01.05 09:00:00", "1", "", "solde", "", "", "", "", "0.00", "0.00", "0.00", "10 000.00",
     "10 000.00", "deposit"],
    ["2026.01.05 10:00:00", "2", "EURUSD", "achat", "entrée", "1.00", "1.10000", "900", "-3.50",
     "0.00", "0.00", "0.00", "9 996.50", ""],
    ["2026.01.05 11:00:00", "3", "EURUSD", "vente", "sortie", "1.00", "1.10500", "901", "- 3.50",
     "-0.10", "-1.20", "500.00", "10 491.70", ""],
    ["", "", "", "", "", "", "", "", "-7.00", "-0.10", "-1.20", "10 500.00", "10 491.70", ""],
]  # fmt: skip


def write_book(path: Path, cells: list[list[Any]]) -> Path:
    """An xlsx as a spreadsheet saves it."""
    book = Workbook()
    for row in cells:
        book.active.append(row)
    book.save(path)
    return path


def write_csv(path: Path, cells: list[list[Any]]) -> Path:
    path.write_text("\n".join(";".join(map(str, row)) for row in cells), encoding="utf-8")
    return path


@pytest.mark.parametrize("write", [write_book, write_csv])
def test_words_of_a_known_translation_are_read_like_the_english_ones(
    tmp_path: Path, write: Any
) -> None:
    report = read_report(write(tmp_path / "report", TRANSLATED))
    assert (report.account["login"], report.account["trade_mode"]) == (7001, 2)
    assert report.account["company"] == "Broker Ltd"
    names = ("ticket", "type", "entry", "volume", "price", "order", "commission", "profit")
    assert [[deal.get(key) for key in names] for deal in report.deals] == [
        [1, 2, None, 0, 0, 0, 0.0, 10000.0],
        [2, 0, 0, 1.0, 1.1, 900, -3.5, 0.0],
        [3, 1, 1, 1.0, 1.105, 901, -3.5, 500.0],
    ]
    states = ("ticket", "type", "state", "volume_initial", "volume_current", "sl")
    assert [[order.get(key) for key in states] for order in report.orders] == [
        [900, 0, 4, 1.0, 0.0, 1.05],
        [902, 2, 2, 2.0, 2.0, 0],
    ]


def test_an_unknown_word_is_named_with_its_column_and_an_option_maps_it(tmp_path: Path) -> None:
    cells = [[str(text).replace("vente", "myyda") for text in row] for row in TRANSLATED]
    path = write_csv(tmp_path / "finnish.csv", cells)
    with pytest.raises(Failure, match=r"row 14, Type: the word myyda .*--word 'myyda=") as refused:
        read_report(path)
    assert refused.value.code == 2
    assert read_report(path, Words(["Myydä=sell"])).deals[2]["type"] == 1
    with pytest.raises(ValueError, match="one of"):
        Words(["myydä=verkauft"])


@pytest.mark.parametrize(
    ("text", "sign", "value"),
    [
        ("5 338.90", "", 5338.9), ("- 30.12", "", -30.12), ("-5\u00a0338.90", "", -5338.9),
        ("3\u202f002\u202f745", "", 3002745), ("\u221212", "", -12), ("1,12895", ";", 1.12895),
        ("1.234,56", ";", 1234.56), ("1,234.56", ",", 1234.56), ("1,234", ",", 1234),
        ("1?243.20", ";", 1243.2), ("1,5E-05", ";", 0.000015), ("market", "", None), ("", "", None),
        ("1 / 2", "", None), ("99.68%", "", None),
    ],
)  # fmt: skip
def test_numbers_are_read_as_the_terminal_and_spreadsheets_write_them(
    text: str, sign: str, value: float | None
) -> None:
    assert number(text, sign) == value


@pytest.mark.parametrize(
    ("text", "clock"),
    [
        ("2026.01.05 10:30:15", "2026-01-05 10:30:15"), ("2026.01.05 10:30", "2026-01-05 10:30"),
        ("2026/1/5 9:05", "2026-01-05 09:05"), ("2026-01-05 10:30:15", "2026-01-05 10:30:15"),
        ("05.01.2026 10:30:15", "2026-01-05 10:30:15"), ("46027.4375", None),
        ("1/5/2026 10:30", None), ("2026.13.05 10:30", None), ("46027", None), ("", None),
    ],
)  # fmt: skip
def test_times_are_read_where_their_day_is_certain(text: str, clock: str | None) -> None:
    wanted = clock and int(datetime.fromisoformat(clock).replace(tzinfo=UTC).timestamp())
    assert seconds(text) == wanted


@pytest.mark.parametrize(
    ("text", "value"), [("381095884", 381095884), ("381 095 884", 381095884), ("1.2E+11", None),
                        ("1,23457E+11", None), ("12.0", None), ("-5", None)],
)  # fmt: skip
def test_a_ticket_that_a_spreadsheet_rounded_is_none(text: str, value: int | None) -> None:
    assert ticket(text) == value


def test_a_file_with_rounded_tickets_is_refused_by_row_and_column(tmp_path: Path) -> None:
    cells = [["1,2E+11" if text == "902" else text for text in row] for row in TRANSLATED]
    with pytest.raises(Failure, match=r"row 9, Ordre: 1,2E\+11 is no ticket"):
        read_report(write_csv(tmp_path / "r.csv", cells))


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("abc".encode("utf-16") + b"\n", "abc"), (b"\xfe\xff\0a\0b", "ab"),
        ("<a>".encode("utf-16-le"), "<a>"), ("é".encode("cp1252"), "é"), (b"\xef\xbb\xbfa", "a"),
    ],
)  # fmt: skip
def test_texts_are_decoded_in_any_coding_and_with_an_odd_byte(content: bytes, text: str) -> None:
    assert decode(content) == text


def strategy_rows(language: str) -> list[list[str]]:
    """A Strategy Tester report after a real one: an English title, labels of the terminal's."""
    labels = {
        "English": ("Settings", "Expert:", "Symbol:"),
        "Japanese": ("設定", "エキスパート:", "銘柄:"),
    }
    settings, expert, symbol = labels[language]
    history = mt5_history.make(3, True, 5)
    lists = mt5_files.Layout(history, mt5_files.Quirks(language, columns=13)).rows()[5:]
    rows = [[str(cells.get(i) or "") for i in range(15)] for cells in lists]
    return [
        ["Strategy Tester Report"], ["Broker MT5 Live (Build 5147)"], [settings],
        [expert, "", "", "JamesORB"], [symbol, "", "", "EURUSD"], ["", "", "", "31 (13.23)"],
        ["", "", "", "x (2020.01.01 - 2024.12.31)"], *rows,
    ]  # fmt: skip


def open_rows(language: str) -> list[list[str]]:
    """A report of open positions: symbol, ticket and time in this order, then the exposure."""
    words = mt5_files.LANGUAGES[language]
    heads, names = words["heads"], list(words["columns"].values())
    head = [[f"{heads[i]}:", "", "", text] for i, text in (
        (1, "A. Trader"), (2, "50000005 (USD, FTMO-Demo, demo, Hedge)"), (3, "FTMO"),
        (4, "2026.02.09 04:52"))]  # fmt: skip
    row = ["GBPUSD", "384835003", "2026.02.06 23:50:19", "buy", "0.01", "1.36114", "1.35861", "101",
           "1.36034", "-0.05", "-0.80", "AUTO_ORDER"]  # fmt: skip
    return [["Report"], *head, [heads[5]], names[:12], row, [*[""] * 9, "-0.05", "-0.80"],
            ["", "", "Exposure"], ["", "", "GBP", "", "6K", "", "1.3612", "", "81.67"]]  # fmt: skip


@pytest.mark.parametrize("language", ["English", "Japanese"])
@pytest.mark.parametrize("write", [write_book, write_csv])
def test_a_strategy_tester_report_is_refused_in_any_language(
    tmp_path: Path, write: Any, language: str
) -> None:
    with pytest.raises(Failure, match="Strategy Tester report"):
        read_report(write(tmp_path / "t", strategy_rows(language)))


@pytest.mark.parametrize("language", list(mt5_files.LANGUAGES))
def test_a_report_of_open_positions_is_refused_in_any_language(
    tmp_path: Path, language: str
) -> None:
    with pytest.raises(Failure, match="report of open positions"):
        read_report(write_book(tmp_path / "o", open_rows(language)))


def packed(name: str) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(name, "text")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"PK\x03\x04 nothing", "no readable report"), (b"%PDF-1.7", "print"),
        (b"<html><table><tr><td><!--ACCOUNT--></td></tr></table></html>", "template"),
        (b"<html><table><tr><td>Statement: 1</td></tr></table></html>", "no trade history report"),
        (b"<table><tr><td>Account: 1</td></tr><tr><td>Closed Transactions:</td></tr></table>",
         "a statement of MetaTrader 4"),
        ("Geschäfte;Zeit".encode(), "its first words: Geschäfte;Zeit"), (b"", "empty"),
        (b"From: <Saved by Blink>", r"single file \(mht\)"), (b"<DATE>\t<TIME>", "load_bars.py"),
        (packed("ReportHistory.html"), r"unpack it first \(ReportHistory\.html\)"),
        (packed("content.xml"), "an OpenDocument; save it as xlsx"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old workbook"), (b"\x1f\x8b\x08", "gzip"),
    ],
)  # fmt: skip
def test_what_is_no_report_is_refused_in_one_line(
    tmp_path: Path, content: bytes, said: str
) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(Failure, match=said):
        read_report(path)


def test_an_account_without_deals_has_nothing_to_load(tmp_path: Path) -> None:
    with pytest.raises(Failure, match="without any deal"):
        read_report(write_book(tmp_path / "r", [*TRANSLATED[:9], ["Solde:", "", "", "0.00"]]))


def test_rows_of_html_that_show_their_hidden_comment_are_read(tmp_path: Path) -> None:
    """A spreadsheet shows the comment of a position, eight columns wide, and saves it as CSV."""
    history = mt5_history.make(5, True, 30)
    path = mt5_files.write_html(tmp_path / "r.html", history, mt5_files.Quirks())
    shown = path.read_bytes().decode("utf-16", "ignore").replace('class="hidden"', "")
    path.write_bytes(shown.encode("utf-16"))
    assert [row["ticket"] for row in read_report(path).positions] == [
        row["ticket"] for row in history.positions
    ]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (["1/5/2026 10:00", *TRANSLATED[12][1:]], "row 13 begins with 1/5/2026 10:00, no time"),
        (["", *TRANSLATED[12][1:]], "row 13 begins with an empty cell"),
    ],
)
def test_a_row_that_no_list_takes_is_named_and_not_lost(
    tmp_path: Path, row: list[str], said: str
) -> None:
    cells = [*TRANSLATED[:12], row, *TRANSLATED[13:]]
    with pytest.raises(Failure, match=said):
        read_report(write_csv(tmp_path / "r.csv", cells))


@pytest.mark.parametrize("width", [0, 9, 14])
@pytest.mark.parametrize("write", [write_book, write_csv])
def test_a_report_that_ends_before_its_totals_was_cut(
    tmp_path: Path, write: Any, width: int
) -> None:
    cells = [*TRANSLATED[:13], TRANSLATED[13][:width]]
    with pytest.raises(Failure, match="the file was cut"):
        read_report(write(tmp_path / "r", cells))
    cells = [*TRANSLATED[:13], TRANSLATED[14]]
    assert len(read_report(write(tmp_path / "whole", cells)).deals) == 2


def test_a_second_report_in_a_file_is_not_booked_to_the_account_of_the_first(
    tmp_path: Path,
) -> None:
    other = [[text.replace("7001", "7002") for text in row] for row in TRANSLATED]
    with pytest.raises(Failure, match="row 18 begins a second report"):
        read_report(write_csv(tmp_path / "pasted.csv", [*TRANSLATED, *other]))
    book = Workbook()
    for sheet, cells in ((book.active, TRANSLATED), (book.create_sheet(), other)):
        for row in cells:
            sheet.append(row)
    book.save(tmp_path / "sheets.xlsx")
    with pytest.raises(Failure, match="row 3 begins a second report"):
        read_report(tmp_path / "sheets.xlsx")


@pytest.mark.parametrize("between", [b"", b"\n"], ids=["even", "odd"])
def test_two_html_documents_in_a_file_are_refused(tmp_path: Path, between: bytes) -> None:
    quirks = mt5_files.Quirks(odd_byte=False)
    path = mt5_files.write_html(tmp_path / "r.html", mt5_history.make(5, True, 30), quirks)
    assert read_report(path).deals
    path.write_bytes(path.read_bytes() + between + path.read_bytes())
    with pytest.raises(Failure, match="two HTML documents"):
        read_report(path)


def test_sums_below_headings_that_a_spreadsheet_moved_are_those_of_the_report(
    tmp_path: Path,
) -> None:
    """LibreOffice saves the hidden column of costs of an HTML as a column; the sums stay."""
    cells = [[*row[:8], "cost" if row[0] == "Heure" else "0.00", *row[8:]] if len(row) == 14
             and row[0] else row for row in TRANSLATED]  # fmt: skip
    report = read_report(write_csv(tmp_path / "r.csv", cells))
    assert report.totals == {
        "commission": -7, "fee": -0.1, "swap": -1.2, "profit": 10500, "balance": 10491.7,
    }  # fmt: skip
    assert booking.differences(report) == []


def test_rows_whose_headings_were_cut_are_named_and_not_lost(tmp_path: Path) -> None:
    cells = [row for row in TRANSLATED if row[0] != "Heure"]
    with pytest.raises(Failure, match=r"row 11 begins with 2026\.01\.05 09:00:00, no time"):
        read_report(write_csv(tmp_path / "r.csv", cells))


def test_blank_lines_between_rows_and_cut_titles_lose_nothing(tmp_path: Path) -> None:
    cells = [part for row in TRANSLATED if len(row) > 1 for part in ([""], row, ["", ""])]
    report = read_report(write_csv(tmp_path / "r.csv", cells))
    assert (len(report.orders), len(report.deals)) == (2, 3)


def test_columns_that_only_look_like_the_list_of_deals_are_refused(tmp_path: Path) -> None:
    """Without its fee column's heading the list has 13 columns, and all money would be shifted."""
    history = mt5_history.make(9, True, 30)
    path = mt5_files.write_csv(tmp_path / "r.csv", history, mt5_files.Quirks())
    text = path.read_text(encoding="utf-8-sig").replace(",Fee,Swap,Profit,", ",Swap,Profit,,")
    path.write_text(text)
    with pytest.raises(Failure, match="balances don't follow"):
        read_report(path)


def test_an_order_without_a_second_volume_is_filled_when_its_state_says_so(tmp_path: Path) -> None:
    cells = [[str(text).replace(" / 1.00", "").replace(" / 0.00", "") for text in row]
             for row in TRANSLATED]  # fmt: skip
    orders = read_report(write_csv(tmp_path / "r.csv", cells)).orders
    assert [order["volume_current"] for order in orders] == [0, 2]


@pytest.mark.parametrize("language", list(mt5_files.LANGUAGES))
def test_a_list_of_positions_with_movements_of_money_alone_is_no_list_of_deals(
    tmp_path: Path, language: str
) -> None:
    history = mt5_history.make(9, True, 1)
    assert not history.positions
    cells = mt5_files.Layout(history, mt5_files.Quirks(language)).rows()
    place = next(n for n, row in enumerate(cells) if len(row) == 13)
    first = history.deals[0]
    cells.insert(place + 1, {0: mt5_files.clock(first["time"]), 1: first["ticket"], 3: "balance",
                             4: "Initial deposit", 12: "10000.00"})  # fmt: skip
    rows = [[str(row.get(i) or "") for i in range(15)] for row in cells]
    report = read_report(write_csv(tmp_path / "r.csv", rows))
    assert report.positions == []
    assert len(report.deals) == len(history.deals)
