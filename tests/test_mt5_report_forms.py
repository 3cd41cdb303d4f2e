"""Forms in which real reports arrive: as workbooks hold them, and as other programs save them."""

from __future__ import annotations

import csv
import io
import re
import zipfile
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904, CALENDAR_WINDOWS_1900

from rubi.cli import Failure
from rubi.mt5.loading import read
from rubi.mt5.numbers import seconds
from rubi.mt5.report import read_report
from rubi.mt5.words import Words
from test_mt5_report import TRANSLATED, write_csv


@pytest.mark.parametrize("text", ["33.040816", "3304.0816%", "3 304.08%"])
def test_a_margin_level_is_in_percent_from_a_workbook_too(tmp_path: Path, text: str) -> None:
    """The terminal's xlsx holds the share (33.040816, shown as 3304.08%), its HTML the percent."""
    state = [
        [label, "", "", value, "", "", other, "", "", second]
        for label, value, other, second in (
            ("Solde:", "10 491.70", "Marge libre:", "10 491.70"),
            ("Crédit:", "0.00", "Marge:", "317.54"),
            ("P/L flottant:", "0.00", "Niveau de la marge:", text),
        )
    ]
    report = read_report(write_csv(tmp_path / "r.csv", [*TRANSLATED, *state]))
    assert float(report.figures["margin_level"]) == pytest.approx(3304.08, abs=0.01)


@pytest.mark.parametrize(
    ("word", "column", "code"),
    [
        ("interest rate", "type of a deal", 12), ("agent commission", "type of a deal", 18),
        ("canceled buy", "type of a deal", 13), ("monthly agent commission", "type of a deal", 11),
        ("request modification", "state", 8), ("request cancelling", "state", 9),
    ],
)  # fmt: skip
def test_words_of_metaquotes_own_formatter_are_known(word: str, column: str, code: int) -> None:
    """FormatDealAction and FormatOrderStatus of the server's SDK (MT5APIFormat.h)."""
    assert Words().code(word, column) == code


def test_a_stop_limit_order_has_the_price_of_its_limit_in_brackets(tmp_path: Path) -> None:
    """FormatOrderPrice: the order's price, then "the price at which a Limit order is placed"."""
    cells = [
        [{"1.00000": "1.00000 (0.99500)", "buy limit": "buy stop limit"}.get(text, text)
         for text in row] for row in TRANSLATED
    ]  # fmt: skip
    market, order = read_report(write_csv(tmp_path / "r.csv", cells)).orders
    assert (order["type"], order["price_open"], order["price_stoplimit"]) == (6, 1.0, 0.995)
    assert "price_stoplimit" not in market


def test_a_decimal_comma_between_commas_is_no_sign_of_thousands(tmp_path: Path) -> None:
    """Google Sheets parts cells by commas in every language, and quotes 1,10000 in French."""
    text = io.StringIO()
    csv.writer(text).writerows(
        [re.sub(r"(?<=\d)\.(?=\d+( / |$))", ",", cell) for cell in row] for row in TRANSLATED
    )
    path = tmp_path / "r.csv"
    path.write_text(text.getvalue())
    plain = write_csv(tmp_path / "plain.csv", TRANSLATED)
    assert read_report(path).deals == read_report(plain).deals


def strict(content: bytes) -> bytes:
    """A workbook as Excel's "Strict Open XML Spreadsheet": its parts have another name space."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(
                b"schemas.openxmlformats.org/spreadsheetml/2006/main",
                b"purl.oclc.org/ooxml/spreadsheetml/main",
            ))  # fmt: skip
    return made.getvalue()


@pytest.mark.parametrize("epoch", [CALENDAR_WINDOWS_1900, CALENDAR_MAC_1904])
def test_a_workbook_that_excel_saved_again_is_the_same_report(
    tmp_path: Path, epoch: datetime
) -> None:
    """Strict, and times as Excel's dates where its language reads 2026.01.05 as one.

    Excel for Mac counted days from 1904 until 2011, and later ones keep that of such a workbook.
    """
    book = Workbook()
    book.epoch = epoch
    # a deposit at midnight is a whole number of days, as a ticket could be
    changed = {"2026.01.05 09:00:00": "2026.01.05 00:00:00", "deposit": "900123456"}
    rows = [[changed.get(text, text) for text in row] for row in TRANSLATED]
    for number, cells in enumerate(rows, 1):
        book.active.append([excel(text) for text in cells])
        for cell in book.active[number]:
            if cell.value in ("900", "900123456"):  # no dates, whatever the format says
                cell.value, cell.number_format = int(cell.value), "yyyy-mm-dd"
    path = tmp_path / "r.xlsx"
    book.save(path)
    path.write_bytes(strict(path.read_bytes()))
    report, plain = read_report(path), read_report(write_csv(tmp_path / "r.csv", rows))
    assert report.made == plain.made is not None
    assert (report.deals, report.orders) == (plain.deals, plain.orders)


def excel(text: str) -> Any:
    made = seconds(text)
    return text if made is None else datetime.fromisoformat(text.replace(".", "-"))


@pytest.mark.parametrize(
    ("name", "said"),
    [("~$ReportHistory.xlsx", "leave it out"), (".~lock.r.xlsx#", "leave it out"),
     ("reports", r"is a folder: name its files, such as .*/reports/\*\.xlsx")],
)  # fmt: skip
def test_what_lies_beside_reports_is_named(tmp_path: Path, name: str, said: str) -> None:
    path = tmp_path / name
    if name == "reports":
        path.mkdir()
    else:
        path.write_bytes(b"\x04Jos" + b" " * 50)
    with pytest.raises(Failure, match=said):
        read(path, None, Words())
