"""Files of bars as their makers write them, made of generated bars.

Made after real files, quirks included: MT5's exports and scripts around them, MT4 and HistData
without a header, Dukascopy (web), Yahoo (site, yfinance 2025), Stooq (Polish page, ascii bulk),
Finam, CryptoDataDownload, Binance (API, vision dumps). No file was at hand of these, which follow
descriptions only: Kraken (its support page on OHLCVT), TradingView, JForex, several symbols of
yfinance, older files of CryptoDataDownload, days first and half days.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

NEW_YORK = "America/New_York+7"


@dataclass(frozen=True)
class Bar:
    """A bar, by UTC."""

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal
    trades: int

    @property
    def prices(self) -> tuple[Decimal, ...]:
        """Open, high, low and close."""
        return self.open, self.high, self.low, self.close

    def local(self, clock: str) -> datetime:
        """The time that a clock shows when the bar opens."""
        zone, _, ahead = clock.partition("+")
        return self.at.astimezone(ZoneInfo(zone)).replace(tzinfo=None) + timedelta(
            hours=int(ahead or 0)
        )

    def ohlc(self, between: str = ",") -> str:
        """The prices as text."""
        return between.join(map(str, self.prices))


Lines = Callable[[list[Bar]], list[str]]


@dataclass(frozen=True)
class Maker:
    """A form: how a file of it is called and written, and what becomes of it."""

    name: str  # of the file
    lines: Lines  # header and all
    series: tuple[str, str]
    options: tuple[str, ...] = ()
    volume: str = "volume"  # which column has the traded volume
    trades: bool = False  # whether the file counts trades or price changes
    parts: bool = False  # whether its volumes have decimals
    step: timedelta = timedelta(minutes=1)
    since: datetime = datetime(2024, 1, 22, 12, tzinfo=UTC)
    head: int = 1  # lines before the first bar


def by(clock: str, form: str, line: Callable[[str, Bar], str], *header: str) -> Lines:
    """A writer of lines that begin with the time by a clock."""
    return lambda bars: [*header, *(line(f"{b.local(clock):{form}}", b) for b in bars)]


def tab(text: str) -> str:
    """The same with tabs."""
    return text.replace(",", "\t")


def finam(b: Bar) -> str:
    return f"USDRUB;1;{b.local('Europe/Moscow'):%Y%m%d;%H%M%S};{b.ohlc(';')};{b.volume:.0f}"


def binance(b: Bar, unit: int) -> str:
    start = int(b.at.timestamp()) * unit
    return (
        f"{start},{b.ohlc()},{b.volume},{start + 60 * unit - 1},{b.volume * 2},{b.trades},"
        f"{b.volume / 2},{b.volume},0"
    )


def dukascopy_local(b: Bar) -> str:
    here = b.at.astimezone(ZoneInfo("Europe/Berlin"))
    return f"{here:%d.%m.%Y %H:%M:%S}.000 GMT{here:%z},{b.ohlc()},{b.volume}"


def mt5_package(b: Bar) -> str:
    seconds = int(b.local(NEW_YORK).replace(tzinfo=UTC).timestamp())
    return f"{seconds},{b.ohlc()},{b.trades},3,{b.volume:.0f}"


DAY = timedelta(days=1)
NIGHT = datetime(2024, 1, 22, tzinfo=UTC)
BRACKETS = "<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<TICKVOL>,<VOL>,<SPREAD>"
BINANCE = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)
EURUSD = ("EURUSD", "M1")
BTC = ("BTCUSDT", "M1")
ASKED = ("--clock", "NY+7")
MT5 = {"options": ASKED, "trades": True, "volume": "real_volume"}


def ticks(b: Bar) -> str:
    """MT5's fields behind the prices."""
    return f"{b.trades},{b.volume:.0f},3"


MAKERS = {
    "mt5": Maker(
        "EURUSD_M1_202401220000_202401230000.csv",
        by(NEW_YORK, "%Y.%m.%d\t%H:%M:%S", lambda t, b: tab(f"{t},{b.ohlc()},{ticks(b)}"),
           tab(BRACKETS)),
        EURUSD, **MT5,
    ),
    "mt5 without brackets": Maker(
        "EURUSD_M1.csv",
        by(NEW_YORK, "%Y.%m.%d\t%H:%M:%S", lambda t, b: tab(f"{t},{b.ohlc()},{ticks(b)}"),
           "date\ttime\topen\thigh\tlow\tclose\ttickvolume\tvolume\tspread"),
        EURUSD, **MT5,
    ),
    "mt5 without brackets, daily": Maker(
        "EURUSD_D1.csv",
        by("UTC", "%Y.%m.%d", lambda t, b: tab(f"{t},{b.ohlc()},{ticks(b)}"),
           "DATE\tOPEN\tHIGH\tLOW\tCLOSE\tTICKVOL\tVOL\tSPREAD"),
        ("EURUSD", "D1"), ("--clock", "UTC"), "real_volume", True, step=DAY, since=NIGHT,
    ),
    "mt5 custom symbol": Maker(
        "EURUSD_M1.csv",
        by(NEW_YORK, "%Y.%m.%d,%H:%M", lambda t, b: f"{t},{b.ohlc()},{ticks(b)}",
           "Date,Time,Open,High,Low,Close,TickVolume,Volume,Spread"),
        EURUSD, **MT5,
    ),
    "mt5 package": Maker(
        "EURUSD_M1.csv",
        lambda bars: ["time,open,high,low,close,tick_volume,spread,real_volume",
                      *map(mt5_package, bars)],
        EURUSD, **MT5,
    ),
    "mt5 package, numbered": Maker(
        "EURUSD_M1.csv",
        lambda bars: [",time,open,high,low,close,tick_volume,spread,real_volume",
                      *(f"{n},{mt5_package(b)}" for n, b in enumerate(bars))],
        EURUSD, **MT5,
    ),
    "mt5 without header": Maker(
        "EURUSD_M1.csv",
        by(NEW_YORK, "%Y.%m.%d\t%H:%M:%S", lambda t, b: tab(f"{t},{b.ohlc()},{ticks(b)}")),
        EURUSD, **MT5, head=0,
    ),
    "mt4 with brackets": Maker(
        "US100_M1.csv",
        by(NEW_YORK, "%Y.%m.%d,%H:%M", lambda t, b: f"{t},{b.ohlc()},{b.trades},{b.volume:.0f}",
           BRACKETS.removesuffix(",<SPREAD>")),
        ("US100", "M1"), **MT5,
    ),
    "mt4": Maker(
        "EURUSD_M1.csv",
        by(NEW_YORK, "%Y.%m.%d,%H:%M", lambda t, b: f"{t},{b.ohlc()},{b.volume:.0f}"),
        EURUSD, ASKED, head=0,
    ),
    "histdata": Maker(
        "DAT_ASCII_EURUSD_M1_202401.csv",
        by("America/Panama", "%Y%m%d %H%M%S", lambda t, b: f"{t};{b.ohlc(';')};0"),
        EURUSD, volume="", head=0,
    ),
    "histdata, form of mt4": Maker(
        "DAT_MT_EURUSD_M1_202401.csv",
        by("America/Panama", "%Y.%m.%d,%H:%M", lambda t, b: f"{t},{b.ohlc()},0"),
        EURUSD, volume="", head=0,
    ),
    "dukascopy": Maker(
        "EURUSD_Candlestick_1_m_BID_01.01.2024-31.01.2024.csv",
        by("UTC", "%d.%m.%Y %H:%M:%S.000", lambda t, b: f"{t},{b.ohlc()},{b.volume}\r",
           "Gmt time,Open,High,Low,Close,Volume\r"),
        EURUSD, volume="real_volume", parts=True,
    ),
    "dukascopy, Time": Maker(
        "EURUSD_M1.csv",
        by("UTC", "%d.%m.%Y %H:%M:%S.000", lambda t, b: f"{t},{b.ohlc()},{b.volume}",
           "Time,Open,High,Low,Close,Volume"),
        EURUSD, volume="real_volume", parts=True, since=datetime(2024, 1, 2, tzinfo=UTC),
    ),
    "dukascopy, local time": Maker(
        "EURUSD_M1.csv",
        lambda bars: ["Local time,Open,High,Low,Close,Volume", *map(dukascopy_local, bars)],
        EURUSD, volume="real_volume", parts=True,
    ),
    "jforex": Maker(
        "EURUSD_M1.csv",
        by("Europe/Athens", "%Y.%m.%d %H:%M:%S", lambda t, b: f"{t},{b.ohlc()},{b.volume}",
           "Time (EET),Open,High,Low,Close,Volume "),
        EURUSD, ("--volume", "real"), volume="real_volume", parts=True,
    ),
    "yahoo": Maker(
        "GOOGL_D1.csv",
        by("UTC", "%Y-%m-%d", lambda t, b: f"{t},{b.ohlc()},{b.close / 2},{b.volume:.0f}\r",
           "Date,Open,High,Low,Close,Adj Close,Volume\r"),
        ("GOOGL", "D1"), step=DAY, since=NIGHT,
    ),
    "yfinance": Maker(
        "prices.csv",
        by("UTC", "%Y-%m-%d",
           lambda t, b: f"{t},{b.close},{b.high},{b.low},{b.open},{b.volume:.0f}",
           "Price,Close,High,Low,Open,Volume", "Ticker" + ",^FTAS" * 5, "Date,,,,,"),
        ("^FTAS", "D1"), ("--timeframe", "D1"), step=DAY, since=NIGHT, head=3,
    ),
    "yfinance, several symbols": Maker(
        "prices.csv",
        by("UTC", "%Y-%m-%d %H:%M:%S+00:00",
           lambda t, b: f"{t},1,{b.close},1,{b.high},1,{b.low},1,{b.open},1,{b.volume:.0f}",
           "Price,Close,Close,High,High,Low,Low,Open,Open,Volume,Volume",
           "Ticker" + ",AAPL,MSFT" * 5, "Datetime" + "," * 10),
        ("MSFT", "M1"), ("--timeframe", "M1", "--ticker", "MSFT"), head=3,
    ),
    "stooq": Maker(
        "^spx_d.csv",
        by("UTC", "%Y-%m-%d", lambda t, b: f"{t},{b.ohlc()},{b.volume:.0f}.0",
           "Data,Otwarcie,Najwyzszy,Najnizszy,Zamkniecie,Wolumen"),
        ("^spx", "D1"), step=DAY, since=NIGHT,
    ),
    "stooq ascii": Maker(
        "7203.jp.txt",
        by("UTC", "%Y%m%d,%H%M%S", lambda t, b: f"7203.JP,D,{t},{b.ohlc()},{b.volume:.0f},0",
           "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>"),
        ("7203.JP", "D1"), step=DAY, since=NIGHT,
    ),
    "finam": Maker(
        "USDRUB_240101_240201.csv",
        lambda bars: ["<TICKER>;<PER>;<DATE>;<TIME>;<OPEN>;<HIGH>;<LOW>;<CLOSE>;<VOL>",
                      *map(finam, bars)],
        ("USDRUB", "M1"),
    ),
    "tradingview, seconds": Maker(
        "BINANCE_BTCUSDT, 1.csv",
        lambda bars: ["time,open,high,low,close,Volume,Volume MA",
                      *(f"{b.at.timestamp():.0f},{b.ohlc()},{b.volume:.0f},7.25" for b in bars)],
        BTC,
    ),
    "tradingview, iso": Maker(
        "FX_EURUSD, 1.csv",
        lambda bars: ["time,open,high,low,close,Volume",
                      *(f"{b.at.astimezone(ZoneInfo('Europe/Berlin')).isoformat()},{b.ohlc()},"
                        f"{b.volume:.0f}" for b in bars)],
        EURUSD,
    ),
    "cryptodatadownload": Maker(
        "Binance_BTCUSDT_minute.csv",
        lambda bars: ["https://www.CryptoDataDownload.com",
                      "unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount",
                      *(f"{int(b.at.timestamp()) * 1000},{b.at:%Y-%m-%d %H:%M:%S},BTC/USDT,"
                        f"{b.ohlc()},{b.volume},{b.volume * 9},{b.trades}"
                        for b in reversed(bars))],
        ("BTC/USDT", "M1"), trades=True, volume="real_volume", parts=True, head=2,
    ),
    "cryptodatadownload, older": Maker(
        "Bitstamp_BTCUSD_1h.csv",
        lambda bars: ["https://www.CryptoDataDownload.com",
                      "Date,Symbol,Open,High,Low,Close,Volume BTC,Volume USD",
                      *(f"{b.at:%Y-%m-%d %I-%p},BTCUSD,{b.ohlc()},{b.volume},{b.volume * 9}"
                        for b in reversed(bars))],
        ("BTCUSD", "H1"), volume="real_volume", parts=True, head=2, step=timedelta(hours=1),
    ),
    "binance": Maker(
        "BTCUSDT_M1.csv",
        lambda bars: [BINANCE, *(binance(b, 1000) for b in bars)],
        BTC, trades=True, volume="real_volume", parts=True,
    ),
    "binance vision": Maker(
        "BTCUSDT-1m-2024-01.csv",
        lambda bars: [binance(b, 1000) for b in bars],
        BTC, trades=True, volume="real_volume", parts=True, head=0,
    ),
    "binance vision, microseconds": Maker(
        "BTCUSDT-1m-2025-01-08.csv",
        lambda bars: [binance(b, 1_000_000) for b in bars],
        BTC, trades=True, volume="real_volume", parts=True, head=0,
        since=datetime(2025, 1, 8, tzinfo=UTC),
    ),
    "kraken": Maker(
        "XBTUSD_M1.csv",
        lambda bars: [f"{b.at.timestamp():.0f},{b.ohlc()},{b.volume},{b.trades}" for b in bars],
        ("XBTUSD", "M1"), trades=True, volume="real_volume", parts=True, head=0,
    ),
    "day first": Maker(
        "EURUSD_M1.csv",
        by("UTC", "%d/%m/%Y,%H:%M", lambda t, b: f"{t},{b.ohlc()},{b.volume:.0f}",
           "Date,Time,Open,High,Low,Close,Volume"),
        EURUSD, ("--clock", "UTC"),
    ),
    "month first, half days": Maker(
        "EURUSD_M1.csv",
        by("UTC", "%m/%d/%Y %I:%M %p", lambda t, b: f"{t},{b.ohlc()},{b.volume:.0f}",
           "Date,Open,High,Low,Close,Volume"),
        EURUSD, ("--clock", "UTC"),
    ),
    "excel with decimal commas": Maker(
        "EURUSD_M1.csv",
        by("UTC", "%d.%m.%Y %H:%M",
           lambda t, b: f"{t};{b.ohlc(';')};{b.volume:.0f};".replace(".", ",").replace(
               t.replace(".", ","), t),
           "sep=;", "Date;Open;High;Low;Close;Volume"),
        EURUSD, ("--clock", "UTC", "--decimal-comma"), head=2,
    ),
    "names of months, quoted": Maker(
        "EURUSD_D1.csv",
        by("UTC", "%b %d, %Y", lambda t, b: f'"{t}",{b.ohlc()},"{b.volume:.0f}"',
           "Date,Open,High,Low,Close,Vol."),
        ("EURUSD", "D1"), ("--clock", "UTC"), step=DAY, since=NIGHT,
    ),
    "columns given": Maker(
        "EURUSD_M1.csv",
        by("UTC", "%Y-%m-%d %H:%M", lambda t, b: f"x,{b.close},{t},{b.low},{b.high},{b.open}"),
        EURUSD, ("--clock", "UTC", "--columns", "-,close,when,low,high,open"), volume="", head=0,
    ),
}  # fmt: skip
