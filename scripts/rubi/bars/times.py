"""Times in files of bars: the form in which a file writes them, and the moment of each. All values

of a file decide between day first and month first, never a guess.
"""

import re
from datetime import UTC, datetime, timedelta, timezone

ORDERS = ("ymd", "dmy", "mdy")
# Seconds, milli-, micro- and nanoseconds since 1970; 202401021530 would be of 1976, and is refused.
EPOCH = re.compile(
    r"(\d{9,10})(\.0+)?|(?!(?:19|20)\d\d[01]\d[0-3]\d[0-2]\d[0-5]\d$)\d{12,13}|\d{15,16}|\d{19}",
    re.ASCII,
)
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
DATES = {
    "ymd": r"(?P<y>\d{4})(?P<dash>[./-])(?P<m>\d\d?)(?P=dash)(?P<d>\d\d?)"
    r"|(?P<y2>\d{4})(?P<m2>\d\d)(?P<d2>\d\d)",
    "dmy": r"(?P<d>\d\d?)(?P<dash>[./-])(?P<m>\d\d?)(?P=dash)(?P<y>\d{4}|\d\d)",
    "mdy": r"(?P<m>\d\d?)(?P<dash>[./-])(?P<d>\d\d?)(?P=dash)(?P<y>\d{4}|\d\d)",
}
NAMED_DATES = (
    r"|(?P<d3>\d\d?)[ -](?P<name>[A-Za-z]{3})[a-z]*[ -](?P<y3>\d{4})"
    r"|(?P<name2>[A-Za-z]{3})[a-z]*\.? (?P<d4>\d\d?),? (?P<y4>\d{4})"
)
CLOCK = (
    r"(?P<h>\d\d?):(?P<min>\d\d)(?::(?P<s>\d\d)(?:[.,](?P<f>\d{1,9}))?)?"
    r"|(?P<h2>\d\d)(?P<min2>\d\d)(?:(?P<s2>\d\d)(?P<f2>\d{3})?)?|(?P<h3>\d\d?)(?=[ -]?[AaPp][Mm])"
)
ZONE = r"\ ?(?P<zone>Z|z|UTC|GMT)?(?P<ahead>[+-]\d\d(?::?\d\d)?)?"
FORMS = {
    order: re.compile(
        rf"(?:{date}{NAMED_DATES})(?:(?:T|\ +|(?<=\d{{8}})(?=\d{{6}}$))(?:{CLOCK})"
        rf"(?:[ -]?(?P<half>[AaPp])[Mm])?{ZONE}|T)?",
        re.ASCII,
    )
    for order, date in DATES.items()
}
SHORT = re.compile(r"(?P<y>\d\d)(?P<m>\d\d)(?P<d>\d\d)", re.ASCII)
TWO_NUMBERS = re.compile(r"(\d\d?)([./-])(\d\d?)\2(\d{4}|\d\d)(?!\d)", re.ASCII)


class Times:
    """One file's way of writing times.

    order: of the numbers of a date; as_clock: seconds since 1970 count by the server's clock, as
    the MetaTrader5 package gives them; short: years of two digits were asked for.
    """

    def __init__(self, order: str = "ymd", as_clock: bool = False, short: bool = False) -> None:
        self.order, self.as_clock, self.short = order, as_clock, short
        self.form = FORMS[order]

    def read(self, text: str) -> datetime:
        """A time; with a zone only where the text has one. Raises ValueError with the reason."""
        if match := EPOCH.fullmatch(text):
            digits = match[1] or text
            moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(
                microseconds=int(digits) * 10**6 // 10 ** (3 * ((len(digits) - 8) // 3))
                if len(digits) > 10
                else int(digits) * 10**6
            )
            return moment.replace(tzinfo=None) if self.as_clock else moment
        match = self.form.fullmatch(text)
        if not match and self.short and self.order == "ymd":
            day, _, rest = text.partition(" ")
            match = SHORT.fullmatch(day) and self.form.fullmatch(f"20{day} {rest}".strip())
        if not match:
            raise ValueError(f"time is {text[:60]!r}: write 2024-01-31 14:00")
        try:
            return self.moment(match.groupdict())
        except (ValueError, OverflowError):
            raise ValueError(f"time is {text[:60]!r}: there is no such time") from None

    def moment(self, part: dict[str, str | None]) -> datetime:
        """The moment that the parts of a match make. Raises ValueError."""
        name = part["name"] or part["name2"]
        month = MONTHS.index(name.lower()) + 1 if name else int(part["m"] or part.get("m2") or 0)
        digits = part["y"] or part.get("y2") or part["y3"] or part["y4"]
        if len(digits) == 2 and not self.short:
            raise ValueError("a year of two digits")
        year = int(digits) if len(digits) == 4 else int(digits) + (2000 if digits < "70" else 1900)
        day = int(part["d"] or part.get("d2") or part["d3"] or part["d4"])
        hour = int(part["h"] or part["h2"] or part["h3"] or 0)
        if part["half"]:
            if not 1 <= hour <= 12:
                raise ValueError("no hour of half a day")
            hour = hour % 12 + (12 if part["half"] in "pP" else 0)
        micro = int(((part["f"] or part["f2"] or "") + "000000")[:6])
        moment = datetime(
            year, month, day, hour, int(part["min"] or part["min2"] or 0),
            int(part["s"] or part["s2"] or 0), micro,
        )  # fmt: skip
        if part["ahead"]:
            ahead = part["ahead"].replace(":", "")
            shift = timedelta(hours=int(ahead[1:3]), minutes=int(ahead[3:] or 0))
            return moment.replace(tzinfo=timezone(-shift if ahead[0] == "-" else shift))
        return moment.replace(tzinfo=UTC) if part["zone"] else moment


def joined(when: str, clock: str) -> str:
    """Date and time of two columns as one text."""
    when, clock = when.strip(), clock.strip()
    return f"{when} {clock}" if clock else when


class Votes:
    """The order of day and month, as the dates of a file tell it."""

    def __init__(self) -> None:
        self.first: dict[str, tuple[int, str]] = {}  # the first line that allows a single order
        self.dotted = self.short = self.seen = False

    def add(self, number: int, text: str) -> None:
        match = TWO_NUMBERS.match(text)
        if not match:
            self.short = self.short or bool(re.match(r"\d{6}( |$)", text))
            return
        self.seen = True
        self.dotted = self.dotted or match[2] == "."
        self.short = self.short or len(match[4]) == 2
        one, two = int(match[1]), int(match[3])
        if one > 12 >= two:
            self.first.setdefault("dmy", (number, text))
        elif two > 12 >= one:
            self.first.setdefault("mdy", (number, text))

    def order(self) -> tuple[str, str]:
        """The order and its reason. Raises ValueError where two readings are possible."""
        if self.short:
            raise ValueError("years of two digits: give --dates ymd, dmy or mdy")
        if not self.seen:
            return "ymd", ""
        if len(self.first) == 2:
            lines = " and ".join(f"line {n} ({text})" for n, text in sorted(self.first.values()))
            raise ValueError(
                f"{lines} differ in the order of day and month: give --dates dmy or mdy"
            )
        for order, (number, text) in self.first.items():
            return order, f"{'day' if order == 'dmy' else 'month'} first, as line {number} ({text})"
        if self.dotted:
            return "dmy", "day first, as in all dates with dots; --dates mdy reads them otherwise"
        raise ValueError("the dates can be read day first and month first: give --dates dmy or mdy")
