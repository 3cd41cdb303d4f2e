"""Numbers and times as reports and spreadsheets write them."""

import re
from datetime import UTC, datetime

NUMBER = re.compile(r"([-+]?)(\d[\d.,]*|[.,]\d+)(?:[eE]([-+]?\d{1,3}))?")
TIME = re.compile(
    r"(?:(\d{4})[./-](\d{1,2})[./-](\d{1,2})|(\d{1,2})\.(\d{1,2})\.(\d{4}))"
    r"[ T](\d{1,2}):(\d\d)(?::(\d\d)(?:\.\d+)?)?"
)


def digits_of(cell: str | None, sign: str = "") -> str | None:
    """A cell's number with all its digits and a decimal point, None for other texts.

    sign separates the cells of a CSV. Where sign is a comma, a comma in a number parts thousands;
    elsewhere a comma is the decimal point. MT5 itself parts thousands by blanks.
    """
    text = re.sub(r"\s", "", cell or "").replace("\u2212", "-")
    # a narrow blank between thousands, saved in a code page that has none
    text = re.sub(r"(?<=\d)\?(?=\d{3})", "", text)
    match = NUMBER.fullmatch(text)
    if not match:
        return None
    minus, digits, power = match.groups()
    if "," in digits:
        if "." in digits:
            last = max(digits.rfind(","), digits.rfind("."))
            digits = re.sub(r"[.,]", "", digits[:last]) + "." + digits[last + 1 :]
        elif sign == "," or digits.count(",") > 1:
            digits = digits.replace(",", "")
        else:
            digits = digits.replace(",", ".")
    if digits.count(".") > 1:
        digits = digits.replace(".", "")
    return f"{minus}{digits}e{power}" if power else minus + digits


def number(cell: str | None, sign: str = "") -> int | float | None:
    """A cell as a number, None where it is none."""
    digits = digits_of(cell, sign)
    if digits is None:
        return None
    return float(digits) if "." in digits or "e" in digits else int(digits)


def ticket(cell: str | None) -> int | None:
    """A number of digits alone: a ticket that a spreadsheet wrote as 1.2E+11 has lost its end."""
    text = re.sub(r"\s", "", cell or "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def seconds(cell: str | None) -> int | None:
    """A time on the server's clock in seconds since 1970 as if in UTC; None for other texts."""
    match = TIME.fullmatch(cell or "")
    if not match:
        return None
    year, month, day, day2, month2, year2, hour, minute, second = match.groups()
    try:
        moment = datetime(
            int(year or year2), int(month or month2), int(day or day2), int(hour), int(minute),
            int(second or 0), tzinfo=UTC,
        )  # fmt: skip
    except ValueError:
        return None
    return int(moment.timestamp())
