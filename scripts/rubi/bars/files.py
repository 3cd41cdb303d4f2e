"""Files of bars and ticks, also compressed: their names, their first lines, and blocks of lines."""

import gzip
import io
import lzma
import re
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

from rubi.bars.layouts import Layout, Options
from rubi.bars.shapes import recognise
from rubi.cli import Failure

BLOCK = 4 << 20
HEAD = 1 << 16
LONGEST_LINE = 64 << 20
# Bars compress 5 to 30 times. A file that unpacks to more than this holds no bars.
MOST_UNPACKED = 16 << 30
MOST_TIMES = 200
MOST_MEMBERS = 20_000
TRADES = "; a report of trades is for .venv/bin/python scripts/load_mt5.py"
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, UnicodeDecodeError, gzip.BadGzipFile,
           zipfile.BadZipFile, NotImplementedError)  # fmt: skip
TIMEFRAMES = (
    *("M1", "M2", "M3", "M4", "M5", "M6", "M10", "M12", "M15", "M20", "M30"),
    *("H1", "H2", "H3", "H4", "H6", "H8", "H12", "D1", "W1", "MN1"),
)
LONG_NAMES = {"DAILY": "D1", "WEEKLY": "W1", "MONTHLY": "MN1", "HOURLY": "H1"}
TICKS = "TICK"
UNITS = {"m": "M", "min": "M", "minute": "M", "h": "H", "hour": "H", "d": "D", "day": "D",
         "w": "W", "mo": "MN"}  # fmt: skip
SPAN = r"(?:_\d{8,12}_\d{8,12})"
# Makers' names of files: HistData, Dukascopy's bars and ticks, Binance, CryptoDataDownload,
# TradingView, Stooq, MT4, MT5. A symbol may hold `_`, so the terminal's is read from the right.
FILE_NAMES = tuple(
    map(
        re.compile,
        (
            r"(?:.+_)?(?:DAT|HISTDATA_COM)_[A-Z]+_(?P<symbol>[A-Z0-9]+)_(?P<frame>M1|T)_?\d{4,6}",
            r"(?P<symbol>.+?)_Candlestick_(?P<count>\d+)_(?P<unit>[A-Za-z]+)_(?:BID|ASK)_.*",
            r"(?P<symbol>.+?)_(?P<frame>Tick)s_\d.*",
            r"(?P<symbol>[A-Z0-9]+)-(?P<count>\d+)(?P<unit>m|h|d|w|mo)-\d{4}-\d\d(?:-\d\d)?",
            r"[A-Z][A-Za-z]+_(?P<symbol>[A-Z0-9]{5,})_(?P<count>\d*)(?P<unit>m|min|minute|h|d|day)",
            r"(?:[A-Z]+[_:])?(?P<symbol>.+?), (?P<period>\d+|\d*[DWM])(?:_[0-9a-f]+)?(?: \(\d+\))?",
            r"(?P<symbol>\^?[a-z0-9.]+)_(?P<period>[dwm])",
            r"(?P<symbol>[A-Z]{6})(?P<period>1|5|15|30|60|240|1440|10080|43200)",
            rf"(?i:(?P<symbol>.+)_(?P<frame>{'|'.join((*TIMEFRAMES, *LONG_NAMES))}){SPAN}?)",
            rf"(?P<symbol>.+?){SPAN}",
        ),
    )
)


def frame_of(count: int, unit: str) -> str | None:
    """The timeframe of so many of UNITS; None when MT5 has no such timeframe."""
    if unit == "m" and count % 60 == 0:
        count, unit = count // 60, "h"
    if unit == "h" and count in (24, 168, 720):
        count, unit = 1, {24: "d", 168: "w", 720: "mo"}[count]
    frame = f"{UNITS.get(unit)}{count}"
    return frame if frame in TIMEFRAMES else None


def frame_of_period(text: str) -> str | None:
    """The timeframe of Finam's and Stooq's <PER>, and of TradingView's names: 60, D, 1W."""
    if text.isdecimal():
        return frame_of(int(text), "m") if int(text) else None
    match = re.fullmatch(r"(\d*)([DWM])", text.upper())
    return frame_of(int(match[1] or 1), match[2].lower().replace("m", "mo")) if match else None


def guess(path: Path | str) -> tuple[str | None, str | None]:
    """Symbol and timeframe of a file's name, as its maker writes them, or None."""
    name = re.sub(r"(\.(csv|tsv|txt|gz|zip))+$", "", Path(path).name, flags=re.IGNORECASE)
    match = next(filter(None, (form.fullmatch(name) for form in FILE_NAMES)), None)
    if not match:
        return None, None
    part = match.groupdict()
    if period := part.get("period"):
        return part["symbol"], frame_of_period(period)
    if unit := part.get("unit"):
        unit = "mo" if unit == "M" else unit.lower()
        return part["symbol"], frame_of(int(part["count"] or 1), unit)
    frame = (part.get("frame") or "").upper()
    return part["symbol"], {"T": TICKS, **LONG_NAMES}.get(frame, frame) or None


class BarFile:
    """One file, or a member of a zip: its layout and its lines.

    Raises Failure for a file without text, readable header or lines.
    """

    def __init__(
        self, path: Path, options: Options | None = None, member: str | None = None
    ) -> None:
        self.path, self.member = path, member
        # never cut: two members of one name in two folders stay apart
        self.name = f"{path}/{member}" if member else str(path)
        kept = f"{path.name}.{quote(member, safe=' ')}" if member else path.name
        if path.exists() and not path.is_file():
            raise Failure(f"{self.name}: no file (it is read more than once)")
        self.rejects = path.with_name(kept + ".rejected.tsv")
        head = self.head()
        self.whole_head = len(head) < HEAD
        lines = head.decode("utf-8", "replace").split("\n")
        lines = [line.strip("\r\n\ufeff") for line in (lines if self.whole_head else lines[:-1])]
        try:
            self.layout: Layout = recognise(lines or [""], options or Options())
        except Failure as error:
            raise Failure(f"{self.name}: {error}") from None
        if self.whole_head and not any(map(str.strip, lines[self.layout.skip :])):
            raise Failure(f"{self.name}: a header without any line")

    def head(self) -> bytes:
        """The first bytes, as text. Raises Failure for other bytes."""
        try:
            with self.open() as stream:
                head = stream.read(HEAD)
        except DAMAGED as error:
            raise Failure(f"{self.name}: damaged ({error})") from error
        except RuntimeError as error:  # a password, says zipfile
            raise Failure(f"{self.name}: {error}; unpack it first") from error
        if not head.strip():
            raise Failure(f"{self.name}: empty")
        if b"\0" in head:
            raise Failure(f"{self.name}: no text file (it holds bytes of value 0)")
        if head.lstrip()[:9].lower().startswith((b"<!doctype", b"<html")):
            raise Failure(f"{self.name}: a web page, no lines of bars{TRADES}")
        if head[:4] == b"PK\3\4":
            raise Failure(f"{self.name}: a zip within a zip, unpack it first")
        return head

    @property
    def packed(self) -> bool:
        """Whether reading can fail half-way: of a compressed file, or one in UTF-16."""
        with self.path.open("rb") as stream:
            start = stream.read(4)
        return (
            bool(self.member) or start[:2] == b"\x1f\x8b" or b"\0" in start or start[:1] >= b"\xfe"
        )

    def open(self) -> BinaryIO:
        """The file's text as UTF-8 without byte order mark, unpacked and decoded."""
        stream: BinaryIO
        if self.member:
            with zipfile.ZipFile(self.path) as archive:  # stays open until the stream is closed
                stream = archive.open(self.member)
        else:
            stream = self.path.open("rb")
        if stream.peek(2)[:2] == b"\x1f\x8b":
            stream = gzip.open(stream)  # noqa: SIM115
        start = stream.peek(4)[:4]
        if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
            return Recoded(stream, "utf-16")
        if len(start) == 4 and start[1] == start[3] == 0 and start[0] and start[2]:
            return Recoded(stream, "utf-16-le")
        if start[:3] == b"\xef\xbb\xbf":
            stream.read(3)
        return stream

    def blocks(self) -> Iterator[tuple[int, bytes]]:
        """Blocks of whole lines and the number of their first line; the header is left out."""
        number = self.layout.skip + 1
        rest = b""
        size = 0
        most = MOST_TIMES * max(self.path.stat().st_size, BLOCK)
        try:
            with self.open() as stream:
                for _ in range(self.layout.skip):
                    stream.readline()
                while block := stream.read(BLOCK):
                    size += len(block)
                    if size > min(most, MOST_UNPACKED) and self.packed:
                        raise Failure(
                            f"{self.name}: unpacks to more than {MOST_TIMES} times its size or"
                            f" {MOST_UNPACKED >> 30} GB; unpack it first"
                        )
                    block = rest + block
                    end = block.rfind(b"\n") + 1
                    rest = block[end:]
                    if len(rest) > LONGEST_LINE:
                        raise Failure(f"{self.name}: line of more than {LONGEST_LINE >> 20} MB")
                    if end:
                        yield number, block[:end].replace(b"\r\n", b"\n")
                        number += block.count(b"\n", 0, end)
        except DAMAGED as error:
            raise Failure(f"{self.name}: damaged ({error}); no line was loaded") from error
        if rest.strip():
            yield number, rest.rstrip(b"\r") + b"\n"

    def texts(self, numbers: set[int]) -> Iterator[tuple[int, str]]:
        """The text of the lines with these numbers."""
        for first, block in self.blocks():
            for number, line in enumerate(block.split(b"\n")[:-1], first):
                if number in numbers:
                    yield number, line.decode("utf-8", "replace")


class Recoded(io.RawIOBase):
    """A stream in UTF-16 read as UTF-8."""

    def __init__(self, stream: BinaryIO, encoding: str) -> None:
        self.text = io.TextIOWrapper(stream, encoding=encoding, newline="")

    def read(self, size: int = -1) -> bytes:
        return self.text.read(size).removeprefix("\ufeff").encode()

    def readline(self, size: int | None = -1) -> bytes:
        return self.text.readline().encode()

    def close(self) -> None:
        self.text.close()
        super().close()


def members(path: Path) -> list[str]:
    """The files of bars in a zip: .csv, else .txt. Raises Failure where the zip can't be opened."""
    try:
        with zipfile.ZipFile(path) as archive:
            held = [entry for entry in archive.infolist() if not entry.is_dir()]
    except DAMAGED as error:
        raise Failure(f"{path}: damaged ({error})") from error
    if len(held) > MOST_MEMBERS:
        raise Failure(f"{path}: more than {MOST_MEMBERS:,} files; unpack it first")
    unpacked = sum(entry.file_size for entry in held)
    if unpacked > min(MOST_TIMES * max(path.stat().st_size, BLOCK), MOST_UNPACKED):
        raise Failure(
            f"{path}: unpacks to {unpacked >> 20:,} MB, more than {MOST_TIMES} times its size or"
            f" {MOST_UNPACKED >> 30} GB; unpack it first where this size is right"
        )
    names = [e.filename for e in held if "__MACOSX/" not in e.filename]
    for ends in ((".csv", ".csv.gz", ".tsv"), (".txt", ".txt.gz", ".prn")):
        if found := [name for name in names if name.lower().endswith(ends)]:
            return found
    if "xl/workbook.xml" in names:
        raise Failure(f"{path}: an Excel workbook; save it as CSV{TRADES}")
    raise Failure(f"{path}: holds no .csv or .txt, but {', '.join(names[:3]) or 'nothing'}")


def is_zip(path: Path) -> bool:
    """Whether a file is a zip, by its first bytes."""
    if not path.is_file():
        return False
    with path.open("rb") as stream:
        return stream.read(4) in (b"PK\3\4", b"PK\5\6")
