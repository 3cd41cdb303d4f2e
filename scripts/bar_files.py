"""Files of bars and ticks, MT5's exports and CSV with a header, read by blocks of lines.

A block of digits goes to COPY as it stands; where it holds anything else, or COPY refuses it, its
lines are looked at one by one, so that each bad line is found and named.
"""

from __future__ import annotations

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

from cli import Failure

BLOCK = 4 << 20
csv.field_size_limit(2**30)  # a long field is rejected for what it says
TIMEFRAMES = (
    *("M1", "M2", "M3", "M4", "M5", "M6", "M10", "M12", "M15", "M20", "M30"),
    *("H1", "H2", "H3", "H4", "H6", "H8", "H12", "D1", "W1", "MN1"),
)
LONG_NAMES = {"DAILY": "D1", "WEEKLY": "W1", "MONTHLY": "MN1"}
TICKS = "TICK"
BAR_COLUMNS = {
    "date": "day", "time": "time_of_day", "open": "open", "high": "high", "low": "low",
    "close": "close", "tickvol": "volume", "vol": "real_volume", "spread": "spread",
}  # fmt: skip
TICK_COLUMNS = {
    "date": "day", "time": "time_of_day", "bid": "bid", "ask": "ask", "last": "last",
    "volume": "volume", "flags": "flags",
}  # fmt: skip
# Names of other people's headers, lower case without spaces, underscores and angle brackets.
OTHER_NAMES = {
    "": "when", "date": "when", "time": "when", "datetime": "when", "timestamp": "when",
    "timeutc": "when", "opentime": "when", "o": "open", "h": "high", "l": "low", "c": "close",
    "volume": "volume", "tickvolume": "volume", "realvolume": "real_volume",
}  # fmt: skip
PRICES = ("open", "high", "low", "close")
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?", re.ASCII | re.IGNORECASE)
ODD_LINE = re.compile(
    rb"(^|\n)(?!\d{4}\.\d\d\.\d\d\t(?!24)(\d\d:\d\d(:[0-5]\d(\.\d{1,6})?)?|\d+\.?\d*)\t|\Z)"
)


@dataclass
class Layout:
    """How a file is to be read: kind, columns of the staging table, delimiter."""

    ticks: bool
    columns: list[str]
    delimiter: str
    raw: bool  # lines can be given to COPY as they stand
    ignored: list[str] = field(default_factory=list)


def guess(path: Path) -> tuple[str | None, str | None]:
    """Symbol and timeframe of an MT5 file name, read from the right: a symbol may hold `_`."""
    name = re.sub(r"(\.(csv|tsv|txt|gz))+$", "", path.name, flags=re.IGNORECASE)
    span = r"(?:_\d{8,12}_\d{8,12})"
    frames = "|".join((*TIMEFRAMES, *LONG_NAMES))
    if match := re.fullmatch(rf"(.+)_({frames}){span}?", name, flags=re.IGNORECASE):
        frame = match[2].upper()
        return match[1], LONG_NAMES.get(frame, frame)
    if match := re.fullmatch(rf"(.+?){span}", name):
        return match[1], None
    return None, None


class BarFile:
    """One file: its layout and its lines.

    Raises Failure for what is no text, has no header that can be read, or no lines.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if path.exists() and not path.is_file():
            raise Failure(f"{path}: no file (it is read more than once)")
        try:
            with self.open() as stream:
                head = stream.read(1 << 16)
        except (EOFError, zlib.error, UnicodeDecodeError) as error:
            raise Failure(f"{path}: damaged ({error})") from error
        if not head.strip():
            raise Failure(f"{path}: empty")
        if b"\0" in head:
            raise Failure(f"{path}: no text file (it holds bytes of value 0)")
        self.header = head.split(b"\n", 1)[0].decode("utf-8", "replace").strip()
        self.layout = read_header(path, self.header)

    def open(self) -> BinaryIO:
        """The file's text as UTF-8 without byte order mark, unpacked and decoded."""
        stream: BinaryIO = self.path.open("rb")
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
        number = 2
        rest = b""
        try:
            with self.open() as stream:
                stream.readline()
                while block := stream.read(BLOCK):
                    block = rest + block
                    end = block.rfind(b"\n") + 1
                    rest = block[end:]
                    if end:
                        yield number, block[:end].replace(b"\r\n", b"\n")
                        number += block.count(b"\n", 0, end)
        except (EOFError, zlib.error, UnicodeDecodeError, gzip.BadGzipFile) as error:
            raise Failure(f"{self.path}: damaged ({error}); nothing of it was loaded") from error
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
        """Up to so many characters."""
        return self.text.read(size).removeprefix("\ufeff").encode()

    def readline(self, size: int | None = -1) -> bytes:
        """One line."""
        return self.text.readline().encode()

    def close(self) -> None:
        """Close the file too."""
        self.text.close()
        super().close()


def read_header(path: Path, header: str) -> Layout:
    """What the columns of a header mean. Raises Failure where that can't be told."""
    delimiter = max("\t;,", key=header.count)
    names = [name.strip().strip('"') for name in header.split(delimiter)]
    if all(re.fullmatch(r"<\w+>", name) for name in names):
        plain = [name[1:-1].lower() for name in names]
        known = TICK_COLUMNS if "bid" in plain else BAR_COLUMNS
        unknown = [name for name in plain if name not in known]
        if unknown or len(set(plain)) < len(plain):
            raise Failure(f"{path}: unknown columns in the terminal's header: {header!r:.80}")
        columns = [known[name] for name in plain]
        layout = Layout(known is TICK_COLUMNS, columns, delimiter, delimiter == "\t")
        needed = {"day", "bid", "ask"} if layout.ticks else {"day", *PRICES}
    else:
        columns, ignored = [], []
        for name in names:
            plain = re.sub(r"[\s_<>]", "", name).lower()
            column = OTHER_NAMES.get(plain, plain)
            # a second column of time belongs to the first: date and time apart
            if column == "when" and "when" in columns:
                column = "clock"
            if column not in {"when", "clock", *PRICES, "volume", "real_volume", "spread"}:
                ignored.append(name)
                column = ""
            columns.append(column)
        layout = Layout(False, columns, delimiter, False, ignored)
        needed = {"when", *PRICES}
    missing = needed - set(layout.columns)
    if missing:
        raise Failure(
            f"{path}: the first line is no header with "
            f"{'date and ' if 'day' in missing or 'when' in missing else ''}"
            f"{', '.join(PRICES) if not layout.ticks else 'bid, ask'}: {header!r:.80}"
        )
    twice = [name for name in layout.columns if name and layout.columns.count(name) > 1]
    if twice:
        raise Failure(f"{path}: two columns mean {twice[0]}: {header!r:.80}")
    return layout


def plain(block: bytes) -> bool:
    """Whether COPY reads these lines as we do: digits and signs only, the day first, in its form.

    It also takes now, 0x10, 1_0, 2024.002, the hour 24, the second 60 and 10:00-05.
    """
    return not block.translate(None, b"0123456789.:- \t\n") and not ODD_LINE.search(block)


def rows(block: bytes, first: int, layout: Layout) -> Iterator[tuple[int, dict | str]]:
    """The lines of a block with their numbers, each as values to stage, or why it can't be."""
    lines = block.decode("utf-8", "replace").split("\n")[:-1]
    for number, line in enumerate(lines, first):
        if not line.strip():
            continue
        try:
            fields = next(csv.reader([line], delimiter=layout.delimiter), [])
        except csv.Error as error:
            yield number, str(error)
            continue
        if len(fields) != len(layout.columns):
            yield number, f"{len(fields)} fields instead of {len(layout.columns)}"
            continue
        try:
            yield number, values(dict(zip(layout.columns, fields, strict=True)), layout.ticks)
        except ValueError as error:
            yield number, str(error)


def values(fields: dict[str, str], ticks: bool) -> dict:
    """The fields of one line as the staging table takes them. Raises ValueError with the reason."""
    result: dict = {}
    for name, text in fields.items():
        text = text.strip()
        if name in ("", "when", "clock", "day", "time_of_day"):
            continue
        if not text and (ticks or name not in PRICES):
            if ticks and name in ("bid", "ask", "last"):
                result[name] = None
            continue
        if not NUMBER.fullmatch(text):
            comma = " (decimal comma?)" if re.fullmatch(r"-?\d+,\d+", text) else ""
            raise ValueError(f"{name} is {text[:40]!r}, no number{comma}")
        result[name] = Decimal(text)
        if result[name].adjusted() > 30:
            raise ValueError(f"{name} is {text[:40]}, too large")
    if "when" in fields:
        when = f"{fields['when'].strip()} {fields.get('clock', '').strip()}".strip()
    else:
        when = f"{fields['day'].strip()} {fields.get('time_of_day', '').strip()}".strip()
    moment = read_time(when)
    if moment.tzinfo:
        result["moment"] = moment
    else:
        result |= {"day": moment.date(), "time_of_day": moment.time()}
    return result


def read_time(text: str) -> datetime:
    """A time as people write it; with a zone only where the text has one. Raises ValueError."""
    if re.fullmatch(r"\d{9,10}(\.0+)?", text):
        return datetime.fromtimestamp(float(text), UTC)
    if re.fullmatch(r"\d{12,13}", text):
        return datetime.fromtimestamp(int(text) / 1000, UTC)
    if not re.match(r"\d{4}[.\-/]?\d\d[.\-/]?\d\d($|[ T](?!24))", text):
        raise ValueError(f"time is {text!r}: write 2024-01-31 14:00")
    usual = re.sub(r"^(\d{4})[./](\d\d)[./](\d\d)", r"\1-\2-\3", text)
    try:
        moment = datetime.fromisoformat(usual)
    except ValueError:
        raise ValueError(f"time is {text!r}: write 2024-01-31 14:00") from None
    if moment.date() < date(1900, 1, 1):
        raise ValueError(f"time is {text!r}, before 1900")
    return moment
