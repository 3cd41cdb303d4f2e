"""Numbers and times of other stores: the meaning of a value, and the form in which it came."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from rubi import server_clock
from rubi.cli import Failure

NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]{1,3})?", re.ASCII)
TIME = re.compile(
    r"([0-9]{4})([-./])([0-9]{1,2})\2([0-9]{1,2})"
    r"(?:[T ]+([0-9]{1,2}):([0-9]{2})(?::([0-9]{2})(?:[.,]([0-9]{1,9}))?)?)?"
    r" ?(Z|z|UTC|[+-][0-9]{2}(?::?[0-9]{2})?)?"
)
COMPACT_MINUTE = re.compile(
    r"(?:19|20)[0-9]{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])(?:[01][0-9]|2[0-3])[0-5][0-9]"
)
NOT_NUMBERS = {"nan", "inf", "+inf", "-inf", "infinity", "+infinity", "-infinity"}
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def zone_called(name: str) -> ZoneInfo | None:
    """A time zone, if there is one of the name."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


class Clock:
    """The zone of times that name none: a time zone, and hours the clock is ahead of it (NY+7)."""

    def __init__(self, name: str) -> None:
        zone, hours = server_clock.parse(name)
        if not (found := zone_called(zone)):
            raise Failure(f"zone {name}: no such time zone")
        self.zone = found
        self.ahead = timedelta(hours=hours)
        self.name = name
        self.utc = not hours and zone in ("UTC", "Etc/UTC")

    def utc_of(self, moment: datetime) -> datetime:
        """UTC of a local time, as PostgreSQL has it: of a repeated hour the second, in a gap the
        offset before it."""
        if self.utc:
            return moment.replace(tzinfo=UTC)
        first = (moment - self.ahead).replace(tzinfo=self.zone)
        second = first.replace(fold=1)
        repeated = second.utcoffset() < first.utcoffset()
        return (second if repeated else first).astimezone(UTC)


def number(value: object) -> Decimal | None:
    """The number that a value means, None for no number; floats as the shortest text.

    NaN and infinity are numbers: the database's rules say where they fit.
    """
    if isinstance(value, int):
        return Decimal(value)
    if isinstance(value, float):
        return Decimal(repr(value))
    if isinstance(value, str):
        text = value.strip(" \u00a0\t\r\n")
        if NUMBER.fullmatch(text) or text.lower() in NOT_NUMBERS:
            return Decimal(text)
    return None


def plain(value: Decimal) -> str:
    """Digits without exponent, trailing zeros or a negative zero, as trim_scale() prints them."""
    if value.is_nan():
        return "NaN"
    if value.is_infinite():
        return "Infinity" if value > 0 else "-Infinity"
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    sign, digits = ("-", text[1:]) if text.startswith("-") else ("", text)
    digits = digits.lstrip("0") or "0"
    digits = "0" + digits if digits.startswith(".") else digits
    return digits if digits == "0" else sign + digits


def read_time(value: object, clock: Clock) -> tuple[str, datetime | None]:
    """The form and the moment. Raises ValueError for a day or hour that does not exist."""
    found = number(value)
    if found is not None:
        return read_number_as_time(found, clock)
    match = TIME.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        return "", None
    year, dash, month, day, hour, minute, second, fraction, zone = match.groups()
    micro = round(Decimal(f"0.{fraction or 0}") * 1_000_000)
    moment = datetime(
        int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0)
    )
    form = "date" if hour is None else "ISO" if dash == "-" else "dotted"
    form += " with fraction" if fraction and int(fraction) else ""
    if zone is None:
        moment = clock.utc_of(moment)
        form += f", {clock.name} assumed"
    else:
        sign = -1 if zone[0] == "-" else 1
        digits = re.sub(r"[^0-9]", "", zone) or "0"
        offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
        if offset > timedelta(hours=16):
            raise ValueError(zone)
        moment = (moment - sign * offset).replace(tzinfo=UTC)
        form += " with zone"
    return form, moment + timedelta(microseconds=micro)


def read_number_as_time(found: Decimal, clock: Clock) -> tuple[str, datetime | None]:
    """Epoch seconds, milliseconds or microseconds until 2286, a julian day, or the digits of a
    date and time: their sizes do not meet. Raises ValueError for digits that are no time.

    The twelve digits of a minute have the size of milliseconds of 1976, so neither is a known form.
    """
    if not found.is_finite() or found < 0:
        return "", None
    if 1_721_426 <= found < 5_373_485:  # years 1 to 9999; as seconds it would be early 1970
        days = found - Decimal("2440587.5")
        # a float holds a julian day to 40 microseconds
        return "julian day", EPOCH + timedelta(milliseconds=round(days * 86_400_000))
    if 10**8 <= found < 10**10:
        return "epoch seconds", EPOCH + timedelta(microseconds=round(found * 1_000_000))
    if 10**10 <= found < 10**13:
        if COMPACT_MINUTE.fullmatch(plain(found)):
            return "", None
        return "epoch milliseconds", EPOCH + timedelta(microseconds=round(found * 1000))
    if 10**13 <= found < 10**14 and found == found.to_integral_value():
        moment = datetime.strptime(plain(found), "%Y%m%d%H%M%S")
        return f"digits, {clock.name} assumed", clock.utc_of(moment)
    if 10**14 <= found < 10**16:
        return "epoch microseconds", EPOCH + timedelta(microseconds=round(found))
    return "", None
