"""The layout of a file of bars or ticks: names of columns, forms of numbers, a user's options."""

import re
from dataclasses import dataclass, field

PRICES = ("open", "high", "low", "close")
# Names in headers, lower case, letters and digits only.
DATES = {"date", "data", "day", "datum", "dtyyyymmdd", "fecha", "dato"}
CLOCKS = {"time", "hour", "timeofday", "uhrzeit", "czas", "hora", "heure"}
WHENS = {"", "when", "datetime", "timestamp", "opentime", "opentimestamp", "gmttime", "localtime",
         "timeutc", "utctime", "dateutc", "dategmt", "unix", "unixtimestamp", "unixtime", "epoch",
         "opendatetime", "dateandtime", "ts", "timestampms"}  # fmt: skip
NAMES = {
    "open": "open", "o": "open", "otwarcie": "open", "high": "high", "h": "high",
    "najwyzszy": "high", "low": "low", "l": "low", "najnizszy": "low", "close": "close",
    "c": "close", "zamkniecie": "close", "bid": "bid", "ask": "ask", "spread": "spread",
    "flags": "flags", "ticker": "ticker", "symbol": "ticker", "per": "per", "last": "last",
    "tickvol": "volume", "tickvolume": "volume", "ticks": "volume", "tradecount": "volume",
    "numberoftrades": "volume", "nooftrades": "volume", "trades": "volume", "count": "volume",
    "realvolume": "real_volume", "vol": "traded", "volume": "traded", "v": "traded",
    "wolumen": "traded", "traded": "traded",
    "ouverture": "open", "ouv": "open", "plushaut": "high", "haut": "high", "plusbas": "low",
    "bas": "low", "cloture": "close", "clot": "close",
    "clture": "close",  # Excel's CSV is no UTF-8
}  # fmt: skip
PRICED = {"dernier", "price"}  # the last price where no other column is
ZONES = {"utc": "UTC", "gmt": "UTC", "eet": "Europe/Athens", "msk": "Europe/Moscow"}
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d{1,4})?", re.ASCII | re.IGNORECASE)
GROUPED = re.compile(r"[+-]?[1-9]\d?\d?(,\d{3})+(\.\d+)?", re.ASCII)
SWAPPED = str.maketrans(",.", ".,")
DAY = re.compile(r"\d{4}[./-]\d\d?[./-]\d\d?T?|\d\d?[./-]\d\d?[./-](\d{4}|\d\d)|\d{8}T?", re.ASCII)
OF_DAY = re.compile(r"\d\d?:\d\d(:\d\d([.,]\d+)?)?|\d{4}|\d{6}|\d{9}", re.ASCII)
DUKASCOPY_TIME = re.compile(r"\d\d\.\d\d\.\d{4} \d\d:\d\d:\d\d\.\d{3}( GMT[+-]\d{4})?", re.ASCII)


def plain(text: str, comma: bool | None) -> str:
    """A number with a decimal point and without thousands; other texts are no numbers after it.

    comma: whether decimals stand behind a comma; None where thousands are not parted. A point
    parts thousands before a comma alone: 151.234 among numbers with a decimal comma is none.
    """
    if comma is None:
        return text
    text = "".join(text.split())  # blanks part thousands: U+00A0, U+202F
    text = text.translate(SWAPPED) if comma else text
    parted = GROUPED.fullmatch(text) and (not comma or "." in text)
    return text.replace(",", "") if parted else text


@dataclass
class Options:
    columns: list[str] | None = None
    dates: str | None = None
    volume: str | None = None
    ticker: str | None = None
    decimal_comma: bool | None = None
    symbol: str | None = None
    timeframe: str | None = None
    clock: str | None = None
    day_clock: str | None = None
    source: str | None = None


@dataclass
class Layout:
    form: str  # the kind of file, for people
    columns: list[str]  # the role of each column
    delimiter: str
    skip: int = 1  # lines before the first bar
    clock: str | None = None  # of the maker
    server: bool = False  # by the clock of a trade server, even seconds since 1970
    zero_is_none: bool = False  # a price of 0 stands for no price
    bare: bool = True  # dates without a time may stand for the day they name
    volume: str = ""  # column for `traded`: volume, real, round; empty while unknown
    order: str = ""  # of day and month; empty while unknown
    symbol: str | None = None
    ticker: str | None = None  # lines of other symbols are left out
    decimal_comma: bool | None = None  # None: a decimal point, thousands are not parted
    short: bool = False  # years of two digits were asked for
    ignored: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sample: list[str] = field(default_factory=list)  # the first line of values

    @property
    def ticks(self) -> bool:
        return "bid" in self.columns

    @property
    def as_clock(self) -> bool:
        """Whether seconds since 1970 count by the server's clock."""
        return self.server
