"""The cells of a terminal's report: xlsx, html, or CSV saved from either.

Cells are texts as the file has them, None where empty; report.py gives them a meaning.
"""

import csv
import io
import re
import zipfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO

from rubi.cli import Failure

# The longest row of a report has 16 cells; wider spans are slips of the template.
WIDEST = 40
# A report of a million deals has some 400 MB of XML; a bomb has more.
LARGEST = 2 * 1024**3
# what else people give, by its first bytes, and the cure
OTHERS = (
    (b"%PDF", "a print (PDF): save the report as Open XML (xlsx) or HTML"),
    (b"\xd0\xcf\x11\xe0", "an old workbook (xls) or one with a password: save it as xlsx without"),
    (b"\x1f\x8b", "packed (gzip): unpack it first"),
    (b"Rar!", "packed (rar): unpack it first"),
    (b"7z\xbc\xaf", "packed (7z): unpack it first"),
    (b"From: ", "a page in a single file (mht): save it as HTML, 'Web page, complete'"),
)
DECIMALS = [re.compile(rf"-? ?[\d\s]+{sign}(?:\d\d?|\d{{4,}})") for sign in (",", r"\.")]
UTF_16 = ("utf-16-le", "utf-16-be")
SHEET = re.compile(r"xl/worksheets/sheet(\d+)\.xml")
# spreadsheets have two names for this space: the usual one, and that of "Strict Open XML"
NAMES = "{*}"
# numbers of the formats of dates that have no text in a workbook (ECMA-376, 18.8.30)
DATED = {str(n) for n in (*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59))}
# days from 1900 or 1904 to 2000 and to 2100: another number has the format of a date by mistake
FIRST_DAY, LAST_DAY = 35064, 73050
NO_DATE = re.compile(r'"[^"]*"|\[[^]]*\]|\\.|_.')

Row = list[str | None]


def decode(content: bytes) -> str:
    """Text of any coding that terminals and spreadsheets write; an odd last byte is left out."""
    for mark, coding in (
        (b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"),
    ):  # fmt: skip
        if content.startswith(mark):
            return content.decode(coding, "ignore")
    if content[1:2] == b"\0":
        return content.decode("utf-16-le", "ignore")
    if content[:1] == b"\0":
        return content.decode("utf-16-be", "ignore")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        # numbers and English words are the same in all code pages; headings aren't read
        return content.decode("cp1252", "replace")


def tidy(text: str | None) -> str | None:
    """A single blank for all kinds of blanks in a row, none around; None for an empty text."""
    return " ".join(text.split()) or None if text else None


def column(reference: str) -> int:
    """Number of a cell's column from 0: 27 for AB12."""
    number = 0
    for letter in reference:
        if not letter.isalpha():
            break
        number = number * 26 + ord(letter.upper()) - 64
    return number - 1


def read_shared(book: zipfile.ZipFile) -> list[str]:
    """The texts that the sheets' cells point to."""
    from lxml import etree

    if "xl/sharedStrings.xml" not in book.namelist():
        return []
    with book.open("xl/sharedStrings.xml") as file:
        found = []
        for _, item in etree.iterparse(file, tag=f"{NAMES}si", resolve_entities=False):
            # phonetic hints (rPh) are no part of the text
            runs = item.xpath(".//*[local-name()='t'][not(ancestor::*[local-name()='rPh'])]")
            found.append("".join(run.text or "" for run in runs))
            item.clear()
    return found


def read_dates(book: zipfile.ZipFile) -> tuple[datetime, set[str]]:
    """The day 0 of a workbook and the styles of its dates: Excel for Mac counted from 1904."""
    from lxml import etree

    workbook, styles = (
        etree.fromstring(book.read(name)) if name in book.namelist() else etree.Element("none")
        for name in ("xl/workbook.xml", "xl/styles.xml")
    )
    options = workbook.find(f"{NAMES}workbookPr")
    mac = options is not None and options.get("date1904") in ("1", "true")
    first = datetime(1904, 1, 1) if mac else datetime(1899, 12, 30)
    dated = DATED | {
        item.get("numFmtId")
        for item in styles.iter(f"{NAMES}numFmt")
        if re.search("[dhy]", NO_DATE.sub("", item.get("formatCode", "")), re.I)
    }
    forms = styles.iterfind(f"{NAMES}cellXfs/{NAMES}xf")
    return first, {str(n) for n, form in enumerate(forms) if form.get("numFmtId") in dated}


def read_sheet(file: IO[bytes], shared: list[str], first: datetime, dated: set[str]) -> list[Row]:
    """The rows of one sheet; its stated dimension is not looked at, as it may be wrong."""
    from lxml import etree

    rows: list[Row] = []
    for _, item in etree.iterparse(file, tag=f"{NAMES}row", resolve_entities=False):
        row: Row = []
        for cell in item.iterchildren(f"{NAMES}c"):
            reference = cell.get("r")
            place = column(reference) if reference else len(row)
            if not len(row) <= place < 16384:
                continue
            value = cell.findtext(f"{NAMES}v")
            if cell.get("t") == "s":
                value = shared[int(value)] if value else None
            elif cell.get("t") == "inlineStr":
                value = "".join(cell.itertext())
            elif (
                value and cell.get("t", "n") == "n" and cell.get("s") in dated
                and FIRST_DAY <= (days := float(value)) < LAST_DAY
            ):  # fmt: skip
                value = f"{first + timedelta(seconds=round(86400 * days))}"
            row.extend([None] * (place - len(row)))
            row.append(tidy(value))
        rows.append(row)
        item.clear()
    return rows


def read_xlsx(content: bytes) -> list[list[Row]]:
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        sheets = sorted(
            (int(match[1]), item)
            for item in book.infolist()
            if (match := SHEET.fullmatch(item.filename)) and item.file_size < LARGEST
        )
        shared, dates = read_shared(book), read_dates(book)
        found = []
        for _, item in sheets:
            with book.open(item) as file:
                found.append(read_sheet(file, shared, *dates))
    return found


def zip_cure(content: bytes) -> str:
    """The next step with a zip that is no xlsx: an OpenDocument, or packed files."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        names = archive.namelist()
    if "content.xml" in names:
        return "an OpenDocument; save it as xlsx or CSV"
    return f"unpack it first ({', '.join(names[:3]) or 'it is empty'})"


def span(given: str | None) -> int:
    """The number of columns that a cell takes; 1 where the file says nonsense."""
    text = (given or "1").strip()
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) <= WIDEST else 1


def read_html(text: str) -> list[Row]:
    """All rows of all tables, without the cells that no browser shows."""
    from lxml import html

    document = html.fromstring(re.sub(r"^\s*<\?xml[^>]*>", "", text))
    rows = []
    for row in document.iter("tr"):
        cells: Row = []
        for cell in row.iterchildren("td", "th"):
            style = (cell.get("style") or "").replace(" ", "")
            if "hidden" in (cell.get("class") or "").split() or "display:none" in style:
                continue
            cells.append(tidy(cell.text_content()))
            cells.extend([None] * (span(cell.get("colspan")) - 1))
        rows.append(cells)
    return rows


def read_csv(text: str) -> tuple[list[Row], str]:
    """The rows and the sign between their cells: the one that makes the most full rows.

    It is empty where numbers have a decimal comma nevertheless, as Google Sheets saves in French.
    """
    best: tuple[int, list[Row], str] = (0, [[tidy(line)] for line in text.splitlines()[:6]], "")
    csv.field_size_limit(1024 * 1024)
    for sign in "\t;,":
        rows = [
            [tidy(cell) for cell in row]
            for row in csv.reader(io.StringIO(text, newline=""), delimiter=sign)
        ]
        full = sum(len(row) >= 11 for row in rows)
        if full > best[0]:
            best = (full, rows, sign)
    _, rows, sign = best
    cells = [cell for row in rows for cell in row if cell]
    commas, points = (sum(bool(form.fullmatch(cell)) for cell in cells) for form in DECIMALS)
    return rows, "" if sign == "," and commas > points else sign


def read_tables(path: Path) -> tuple[list[list[Row]], str]:
    """Tables of a file and the sign between the cells of a CSV, else empty.

    Raises Failure where the file has none.
    """
    if path.name.startswith(("~$", ".~lock.")):
        raise Failure(f"{path} only marks a file as open: close the spreadsheet, or leave it out")
    content = path.read_bytes()
    for mark, what in OTHERS:
        if content.startswith(mark):
            raise Failure(f"{path} is {what}")
    try:
        if content.startswith(b"PK"):
            if found := read_xlsx(content):
                return found, ""
            raise Failure(f"{path} is a zip without sheets of xlsx: {zip_cure(content)}")
        # a parser would end with the first document; bytes, as an odd one may lie between
        small = content.lower()
        if max(small.count("<html".encode(coding)) for coding in ("utf-8", *UTF_16)) > 1:
            raise Failure(f"{path} holds two HTML documents: give each report a file of its own")
        text = decode(content)
        if text.lstrip("\ufeff \t\r\n").startswith("<"):
            if rows := read_html(text):
                return [rows], ""
            raise Failure(
                f"{path} has no table: save a workbook in XML as xlsx; bars are for"
                " .venv/bin/python scripts/load_bars.py"
            )
        rows, sign = read_csv(text)
        return [rows], sign
    except (ImportError, Failure):
        raise
    except Exception as error:  # libraries with exceptions of their own
        raise Failure(f"{path} is no readable report: {error}") from error
