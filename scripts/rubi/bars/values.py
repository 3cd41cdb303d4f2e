"""The lines of a file of bars or ticks as values to stage.

A block of digits goes to COPY as it stands. A block that holds other signs, or that COPY refuses,
is read line by line, so that each bad line is found and named.
"""

import csv
import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC
from decimal import ROUND_HALF_EVEN, Decimal

from rubi.bars.layouts import NUMBER, PRICES, Layout, plain
from rubi.bars.times import Times, joined

csv.field_size_limit(2**30)  # a long field is rejected for its contents
STAGED = {"when": "day", "clock": "time_of_day", "traded": "volume"}
RAW_DAY = r"(?:\d{4}\.\d\d\.\d\d|\d{4}-\d\d-\d\d|\d{8})"
RAW_CLOCK = r"(?!24)(?:\d\d:\d\d(?::[0-5]\d(?:\.\d{1,6})?)?|\d{4}(?:[0-5]\d)?)"
LONG_DECIMALS = re.compile(rb"\.\d{9}")
PLACES = Decimal("1e-8")
# A float of single precision holds 7 digits: digits of a price behind them are noise.
NOISE = Decimal("1e-7")


class RawForm:
    """Lines that COPY reads as we do: digits and signs only, the day first, in its form.

    COPY also takes now, 0x10, 1_0, 2024.002, the hour 24, the second 60 and 10:00-05.
    """

    def __init__(self, layout: Layout) -> None:
        self.delimiter = layout.delimiter
        roles = layout.columns
        self.joined = "clock" not in roles and " " in (layout.sample or [""])[0]
        self.possible = (
            bool(roles) and roles[0] == "when" and all(roles) and layout.order == "ymd"
            and not {"ticker", "per"} & set(roles) and not layout.decimal_comma
            and layout.volume in ("", "whole")
            and ("clock" not in roles or roles[1] == "clock")
        )  # fmt: skip
        self.columns = [STAGED.get(role, role) for role in roles]
        between = re.escape(self.delimiter)
        if self.joined:
            self.columns.insert(1, "time_of_day")
            start = f"{RAW_DAY} {RAW_CLOCK}{between}"
        elif "clock" in roles:
            start = f"{RAW_DAY}{between}{RAW_CLOCK}{between}"
        else:
            start = f"{RAW_DAY}{between}"
        self.odd = re.compile(rf"(^|\n)(?!{start}|\Z)".encode(), re.ASCII)
        self.plain = b"0123456789.:-\t \n" + self.delimiter.encode()

    def take(self, block: bytes) -> bytes | None:
        """The block for COPY; None where its lines must be read one by one."""
        if not self.possible or block.translate(None, self.plain) or self.odd.search(block):
            return None
        if LONG_DECIMALS.search(block):
            return None
        return block.replace(b" ", self.delimiter.encode()) if self.joined else block


class Reader:
    """Reads the lines of one file after its layout."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.times = Times(layout.order or "ymd", layout.as_clock, layout.short)
        self.width = len(layout.columns)
        self.told: Counter[str] = Counter()  # remarks on values

    def split(self, line: str) -> list[str]:
        """The fields of a line. Raises ValueError where they are not as many as the columns."""
        if '"' in line:
            try:
                fields = next(csv.reader([line], delimiter=self.layout.delimiter), [])
            except csv.Error as error:
                raise ValueError(str(error)) from None
        else:
            fields = line.rstrip("\r").split(self.layout.delimiter)
        if len(fields) == self.width + 1 and not fields[-1].strip():
            fields.pop()  # a delimiter at the end of the line
        if len(fields) != self.width:
            raise ValueError(f"{len(fields)} fields instead of {self.width}")
        return fields

    def rows(self, block: bytes, first: int) -> Iterator[tuple[int, dict | str | None]]:
        """The lines of a block with their numbers: values to stage, or the reason why not.

        None stands for a line of another symbol.
        """
        lines = block.decode("utf-8", "replace").split("\n")[:-1]
        for number, line in enumerate(lines, first):
            if not line.strip():
                continue
            try:
                fields = dict(zip(self.layout.columns, self.split(line), strict=True))
                if self.layout.ticker and fields["ticker"].strip() != self.layout.ticker:
                    yield number, None
                else:
                    yield number, self.values(fields)
            except ValueError as error:
                yield number, str(error)

    def values(self, fields: dict[str, str]) -> dict:
        """The fields of a line as the staging table takes them. Raises ValueError."""
        result: dict = {}
        for role, text in fields.items():
            if role in ("", "when", "clock", "ticker", "per"):
                continue
            text = text.strip()
            if not text and (self.layout.ticks or role not in PRICES):
                if role in ("bid", "ask", "last"):
                    result[role] = None
                elif role in ("traded", "real_volume") and not self.layout.ticks:
                    self.told["empty volume"] += 1
                continue
            value = self.number(role, text)
            if not value and self.layout.zero_is_none and role in ("bid", "ask", "last"):
                value = None
            if role == "traded":
                self.take_volume(value, result)
            else:
                result[role] = value
        moment = self.times.read(joined(fields["when"], fields.get("clock", "")))
        if moment.tzinfo and not self.layout.ticks:
            result["moment"] = moment
        else:  # ticks are staged by a clock: ticks with a zone by UTC
            moment = moment.astimezone(UTC) if moment.tzinfo else moment
            result |= {"day": moment.date(), "time_of_day": moment.time()}
        return result

    def take_volume(self, value: Decimal, result: dict) -> None:
        """A file's one volume: as tick volume, as real volume, or rounded where asked."""
        if self.layout.volume == "real":
            result["real_volume"] = value
        elif self.layout.volume == "round":
            whole = value.to_integral_value(ROUND_HALF_EVEN)
            if whole != value:
                self.told["volume rounded"] += 1
            result["volume"] = whole
        else:
            result["volume"] = value

    def number(self, role: str, text: str) -> Decimal:
        """A number, with at most 8 decimals where it has more than noise. Raises ValueError."""
        written, text = text, plain(text, self.layout.decimal_comma)
        if not NUMBER.fullmatch(text):
            name = "volume" if role == "traded" else role
            options = (("--decimal-comma", True), ("--decimal-point", False))
            ways = [way for way, comma in options if NUMBER.fullmatch(plain(written, comma))]
            hint = f" ({' or '.join(ways)}?)" if ways else ""
            raise ValueError(f"{name} is {written[:40]!r}, no number{hint}")
        value = Decimal(text)
        if value.adjusted() > 30:
            raise ValueError(f"{role} is {text[:40]}, too large")
        if (
            (len(text) > 9 or "e" in text.lower())  # few digits need no second look
            and value.as_tuple().exponent < -8
            and role not in ("flags", "spread")
        ):
            rounded = value.quantize(PLACES) if value.adjusted() < 19 else value
            if abs(rounded - value) > abs(value) * NOISE:
                raise ValueError(f"{role} is {text[:40]}, more than 8 decimals")
            if rounded != value:
                self.told["noise behind 8 decimals left out"] += 1
            value = rounded
        return value


def whole_file(
    layout: Layout, blocks: Iterator[tuple[int, bytes]]
) -> Iterator[tuple[int, dict[str, str]]]:
    """The fields of all lines that have as many as the header, as text by their role."""
    reader = Reader(layout)
    for first, block in blocks:
        lines = block.decode("utf-8", "replace").split("\n")[:-1]
        for number, line in enumerate(lines, first):
            if line.strip():
                try:
                    fields = reader.split(line)
                except ValueError:
                    continue
                yield number, dict(zip(layout.columns, fields, strict=True))
