"""scripts/load_bars.py: each maker's file loads as meant, or asks for what it does not tell."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

import bars
import load_bars
from bar_makers import MAKERS, Bar, Maker
from made_bars import generated, stored, write


def expected(maker: Maker, made: list[Bar]) -> list[tuple]:
    """The rows that market_data is to hold of these bars."""
    held = []
    for bar in made:
        values = {"volume": bar.trades if maker.trades else 0, "real_volume": None}
        if maker.volume:
            values[maker.volume] = bar.volume
        held.append((bar.at, *bar.prices, values["volume"], values["real_volume"]))
    return held


@pytest.mark.parametrize("form", MAKERS)
def test_file_of_each_maker_is_loaded_as_it_is_meant(
    market: psycopg.Connection, tmp_path: Path, form: str
) -> None:
    maker = MAKERS[form]
    made = generated(maker)
    path = write(tmp_path, maker, maker.lines(made))
    done = bars.script(market, load_bars, path, *maker.options)
    assert (done.returncode, done.stderr) == (0, "")
    assert stored(market) == expected(maker, made)
    assert market.execute("SELECT DISTINCT symbol, timeframe FROM market_data").fetchall() == [
        maker.series
    ]


@pytest.mark.parametrize("form", MAKERS)
def test_bad_lines_of_each_maker_are_rejected_and_none_is_lost(
    market: psycopg.Connection, tmp_path: Path, form: str
) -> None:
    maker = MAKERS[form]
    made = generated(maker)
    lines = maker.lines(made)
    first = maker.head + 3
    lines[first] = "half a line"
    lines[first + 4] = lines[first + 3]  # a time twice
    lines.insert(first + 8, "")  # no line of values: skipped
    path = write(tmp_path, maker, lines)
    done = bars.script(market, load_bars, path, *maker.options)
    rejects = path.with_name(path.name + ".rejected.tsv").read_text().splitlines()[1:]
    numbers = [int(line.split("\t")[0]) for line in rejects]
    assert (done.returncode, numbers) == (1, [first + 1, first + 5])
    assert "40 lines · 2 REJECTED" in done.stdout
    assert len(stored(market)) == 38


DAILY = "Date,Open,High,Low,Close,Volume\n"
PLAIN = "time,open,high,low,close\n1704189600,1,2,1,1\n1704193200,1,2,1,1\n"
NIKKEI = 'Date,Open,High,Low,Close\n2024-01-02,"38,123","38,124","38,122","38,123"\n'
YAHOO = "Date,Open,High,Low,Close,Adj Close,Volume\n2024-01-02,1,2,1,1,1,9\n"
STOOQ = (
    "<TICKER>,<PER>,<DATE>,<TIME>,<OPEN>,<HIGH>,<LOW>,<CLOSE>,<VOL>,<OPENINT>\n"
    "A,D,20240102,000000,1,2,1,1,9,0\nB,D,20240102,000000,1,2,1,1,9,0\n"
)
# Facts missing from a file, and the option for each: the file loads with it.
ASKS = {
    "clock of MT5's bars": ("A_M1.csv", bars.HEADER + bars.LINES[0], "--clock", "NY+7"),
    "clock without header": ("A_D1.csv", "2007-01-01 00:00,1,2,1,1,9\n", "--clock", "UTC"),
    "clock of MT4's form": ("A_M1.csv", "2024.01.02,00:00,1,2,1,1,9\n", "--clock", "NY+7"),
    "symbol": ("x.csv", PLAIN, "--symbol", "A", "--timeframe", "H1"),
    "timeframe": ("GOOGL.csv", YAHOO, "--symbol", "GOOGL", "--timeframe", "D1"),
    "day and month": ("A_D1.csv", DAILY + "01/02/2024,1,2,1,1,9\n", "--dates", "mdy"),
    "two digits of a year": ("A_D1.csv", DAILY + "1/13/24,1,2,1,1,9\n", "--dates", "mdy"),
    "six digits of a date": ("A_D1.csv", DAILY + "240113,1,2,1,1,9\n", "--dates", "ymd"),
    "exact volume": ("A_D1.csv", DAILY + "2024-01-02,1,2,1,1,1.5\n", "--volume", "real"),
    "rounded volume": ("A_D1.csv", DAILY + "2024-01-02,1,2,1,1,1.5\n", "--volume", "round"),
    "decimal comma": ("A_D1.csv", NIKKEI, "--decimal-comma"),
    "decimal point": ("A_D1.csv", NIKKEI, "--decimal-point"),
    "ticker": ("bulk.txt", STOOQ, "--ticker", "B"),
    "columns": ("A_M1.csv", "1704189600,1,2,1,1,5,6,7,8\n",
                "--columns", "time,open,high,low,close,-,-,-,volume"),
}  # fmt: skip


@pytest.mark.parametrize("what", ASKS)
def test_what_a_file_does_not_tell_is_asked_for_by_its_option(
    market: psycopg.Connection, tmp_path: Path, what: str
) -> None:
    name, text, option, *rest = ASKS[what]
    path = tmp_path / name
    path.write_text(text)
    done = bars.script(market, load_bars, path)
    assert done.returncode == 1
    assert option in done.stderr
    assert market.execute("SELECT count(*) FROM market_series").fetchone() == (0,)
    done = bars.script(market, load_bars, path, option, *rest)
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        len(stored(market)) == market.execute("SELECT sum(bars) FROM market_series").fetchone()[0]
    )


@pytest.mark.parametrize(
    ("dates", "day"),
    [
        (("13/01/2024", "14/01/2024"), 13),
        (("01/13/2024", "01/14/2024"), 13),
        (("01.02.2024", "02.02.2024"), 1),
    ],
    ids=["day first", "month first", "dots"],
)
def test_order_that_the_values_tell_is_taken_and_said(
    market: psycopg.Connection, tmp_path: Path, dates: tuple[str, ...], day: int
) -> None:
    path = tmp_path / "A_D1.csv"
    path.write_text("Date,Open,High,Low,Close\n" + "".join(f"{d},1,2,1,1\n" for d in dates))
    done = bars.script(market, load_bars, path)
    assert done.returncode == 0 and " first, as " in done.stdout
    assert stored(market)[0][0].day == day


def test_dates_in_two_orders_are_refused(market: psycopg.Connection, tmp_path: Path) -> None:
    path = tmp_path / "A_D1.csv"
    path.write_text("Date,Open,High,Low,Close\n13/01/2024,1,2,1,1\n01/14/2024,1,2,1,1\n")
    done = bars.script(market, load_bars, path)
    assert done.returncode == 1 and "line 2" in done.stderr and "line 3" in done.stderr
    done = bars.script(market, load_bars, path, "--dates", "dmy")  # the other line is rejected
    assert (done.returncode, len(stored(market))) == (1, 1)


def test_null_rows_and_empty_volumes_are_told_apart(
    market: psycopg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "GOOGL_D1.csv"
    path.write_text(
        "Date,Open,High,Low,Close,Adj Close,Volume\n"
        "2024-01-02,1,2,1,1,1,9\n2024-01-03,null,null,null,null,null,null\n2024-01-04,1,2,1,1,1,\n"
    )
    done = bars.script(market, load_bars, path)
    assert done.returncode == 1
    assert "empty volume in 1 values" in done.stdout and "adjusted" in done.stdout
    assert [row[5] for row in stored(market)] == [9, 0]


@pytest.mark.parametrize(
    ("price", "held"),
    [
        ("203.14900000000003", Decimal("203.149")),  # Dukascopy's doubles
        ("46.88749694824219", Decimal("46.88749695")),  # yfinance's single precision
        ("-37.63000000", Decimal("-37.63")),
        ("0.0000000012", None),
        ("0.00123456789", None),
    ],
)
def test_noise_behind_8_decimals_is_left_out_and_a_loss_is_rejected(
    market: psycopg.Connection, tmp_path: Path, price: str, held: Decimal | None
) -> None:
    path = tmp_path / "A_H1.csv"
    path.write_text(f"time,open,high,low,close\n1704189600,{price},{price},{price},{price}\n")
    done = bars.script(market, load_bars, path)
    assert done.returncode == (held is None)
    assert [row[4] for row in stored(market)] == ([held] if held is not None else [])


TICKS = {
    "dukascopy": (
        "AAPL_Ticks_01.07.2019-01.07.2019.csv",
        "Gmt time,Ask,Bid,AskVolume,BidVolume\n"
        "01.07.2019 13:30:03.304,203.14900000000003,203.107,0.0002,0.0001\n",
        (datetime(2019, 7, 1, 13, 30, 3, 304000, UTC), Decimal("203.107"), Decimal("203.149")),
    ),
    "mt5 package": (
        "EURUSD_Ticks_2024.csv",
        ",time,bid,ask,last,volume,time_msc,flags,volume_real\n"
        "0,1704189600,1.1,1.2,0.0,0,1704189600123,6,0.0\n",
        (datetime(2024, 1, 2, 12, 0, 0, 123000, UTC), Decimal("1.1"), Decimal("1.2")),
        "--clock",
        "America/New_York+3",
    ),
    "histdata": (
        "DAT_ASCII_EURUSD_T_201202.csv",
        "20120201 000003660,1.306600,1.306770,0\n",
        (datetime(2012, 2, 1, 5, 0, 3, 660000, UTC), Decimal("1.3066"), Decimal("1.30677")),
    ),
}


@pytest.mark.parametrize("form", TICKS)
def test_ticks_of_each_maker_are_loaded(
    market: psycopg.Connection, tmp_path: Path, form: str
) -> None:
    name, text, held, *options = TICKS[form]
    (tmp_path / name).write_text(text)
    done = bars.script(market, load_bars, tmp_path / name, *options)
    assert (done.returncode, done.stderr) == (0, "")
    assert market.execute("SELECT timestamp, bid, ask FROM market_ticks").fetchall() == [held]
