"""Names, times and values of files of bars are read as they were written."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import bars
from bar_makers import MAKERS
from made_bars import generated
from rubi.bars import files
from rubi.bars.layouts import Options
from rubi.bars.shapes import recognise
from rubi.bars.times import Times, Votes
from rubi.bars.values import RawForm, Reader
from rubi.cli import Failure


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("DAT_ASCII_EURUSD_M1_201202.csv", ("EURUSD", "M1")),
        ("HISTDATA_COM_ASCII_EURUSD_T201202.zip", ("EURUSD", "TICK")),
        ("EURUSD_Candlestick_4_Hour_BID_01.01.2017-31.12.2017.csv", ("EURUSD", "H4")),
        ("EURUSD_Candlestick_1_D_ASK_01.01.2017-31.12.2017.csv", ("EURUSD", "D1")),
        ("BTCUSDT-1h-2024-01.zip", ("BTCUSDT", "H1")),
        ("BTCUSDT-1mo-2024-01.zip", ("BTCUSDT", "MN1")),
        ("Binance_BTCUSDT_d.csv", ("BTCUSDT", "D1")),
        ("OANDA_EURUSD, 240.csv", ("EURUSD", "H4")),
        ("NASDAQ_AAPL, 1D_0a1b2.csv", ("AAPL", "D1")),
        ("^spx_w.csv", ("^spx", "W1")),
        ("US30.csv", (None, None)),
        ("EURUSD240.csv", ("EURUSD", "H4")),
        ("EURUSD10080.csv", ("EURUSD", "W1")),
        ("EURUSD-90m-2024-01.csv", ("EURUSD", None)),
    ],
)
def test_names_of_makers_tell_symbol_and_timeframe(name: str, series: tuple) -> None:
    assert files.guess(name) == series


def test_no_time_of_the_machine_fails_a_drawn_example() -> None:
    """By its own settings a fifth of a second for one of them does."""
    assert (settings().deadline, settings().derandomize) == (None, True)
    assert HealthCheck.too_slow in settings().suppress_health_check


@given(
    moment=st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)).map(
        lambda m: m.replace(microsecond=m.microsecond // 1000 * 1000)
    ),
    form=st.sampled_from(
        [
            ("ymd", "%Y.%m.%d %H:%M:%S.%f"), ("ymd", "%Y%m%d %H%M%S"), ("ymd", "%Y-%m-%dT%H:%M"),
            ("dmy", "%d.%m.%Y %H:%M:%S.%f"), ("mdy", "%m/%d/%Y %I:%M:%S %p"), ("dmy", "%d/%m/%Y"),
            ("ymd", "%b %d, %Y"), ("ymd", "%Y%m%d"),
        ]
    ),
)  # fmt: skip
def test_time_is_read_as_it_was_written(moment: datetime, form: tuple[str, str]) -> None:
    order, text = form
    assert Times(order).read(moment.strftime(text)) == datetime.strptime(
        moment.strftime(text), text
    )


@pytest.mark.parametrize(("order", "form"), [("dmy", "%d/%m/%Y"), ("mdy", "%m/%d/%Y")])
@given(moments=st.lists(st.datetimes(datetime(1970, 1, 1), datetime(2100, 1, 1)), min_size=1))
def test_order_of_day_and_month_is_never_taken_wrongly(
    moments: list[datetime], order: str, form: str
) -> None:
    votes = Votes()
    for number, moment in enumerate(moments):
        votes.add(number, moment.strftime(form))
    try:
        found = votes.order()[0]
    except ValueError:
        assert all(moment.day <= 12 for moment in moments)
    else:
        assert found == order


@given(seed=st.integers(0, 10**6), form=st.sampled_from(sorted(MAKERS)))
def test_reader_gives_back_what_a_maker_wrote(seed: int, form: str) -> None:
    maker = MAKERS[form]
    made = generated(maker, 6, seed)
    options = dict(zip(maker.options[::2], maker.options[1::2], strict=False))
    columns = options.get("--columns")
    lines = [line.rstrip("\r") for line in maker.lines(made)]
    layout = recognise(
        lines,
        Options(
            columns.split(",") if columns else None,
            ticker=options.get("--ticker"),
            volume=options.get("--volume"),
            decimal_comma="--decimal-comma" in maker.options,
        ),
    )
    layout.order = layout.order or ("mdy" if form.startswith("month") else "dmy")
    assert layout.skip == maker.head
    body = "\n".join(lines[layout.skip :]).encode() + b"\n"
    read = [row for _, row in Reader(layout).rows(body, 1)]
    if form.startswith("crypto"):
        read.reverse()
    assert [tuple(row[name] for name in ("open", "high", "low", "close")) for row in read] == [
        bar.prices for bar in made
    ]
    if maker.volume:
        assert [row.get(maker.volume) for row in read] == [bar.volume for bar in made]


@given(st.text(alphabet="0123456789.:,;- \t\n", max_size=80))
def test_block_that_copy_takes_holds_only_lines_that_are_read(text: str) -> None:
    layout = recognise([bars.HEADER.strip(), bars.LINES[0].strip()], Options())
    block = text.encode() + b"\n"
    if RawForm(layout).take(block) is not None:
        starts = [line.split("\t")[0] for line in text.split("\n") if line]
        assert all(len(start) in (8, 10) for start in starts)


@pytest.mark.parametrize("blank", [" ", "\u00a0", "\u202f"])
def test_blanks_between_thousands_are_no_part_of_a_number(blank: str) -> None:
    """As a spreadsheet in French saves prices of an index, where somebody formatted them."""
    price = f"17{blank}104,42"
    lines = ["Date;Open;High;Low;Close;Volume", f"2024-01-02;{price};{price};{price};{price};1"]
    reader = Reader(recognise(lines, Options(decimal_comma=True)))
    ((_, row),) = reader.rows(lines[1].encode() + b"\n", 1)
    assert row["open"] == row["close"] == Decimal("17104.42")


def test_a_report_of_trades_is_named_where_bars_are_read(tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("<!DOCTYPE html><html>", encoding="utf-16")
    with pytest.raises(Failure, match=r"a web page, .*scripts/load_mt5\.py"):
        files.BarFile(tmp_path / "r.html")


@pytest.mark.parametrize(
    ("sign", "given", "written", "meant"),
    [
        (";", None, "151,234", "151.234"), (";", None, "38.123,50", "38123.50"),
        ("\t", None, "1,25", "1.25"), (",", None, "38.123,50", "38123.50"),
        (",", None, "38,123.50", "38123.50"), (",", None, "1,038,123", "1038123"),
        ("\t", None, "38,123", None), (",", True, "38,123", "38.123"),
        (",", False, "38,123", "38123"), ("\t", None, "0,123", "0.123"),
        ("\t", None, "151.234", "151.234"),
    ],
)  # fmt: skip
def test_a_comma_is_what_the_file_or_the_user_says(
    sign: str, given: bool | None, written: str, meant: str | None
) -> None:
    """As pandas (sep, decimal, thousands), Google Sheets and LibreOffice in French write prices."""
    line = sign.join(["2024-01-02", *[f'"{written}"' if sign in written else written] * 4])
    lines = [sign.join(["Date", "Open", "High", "Low", "Close"]), line]
    if meant is None:
        with pytest.raises(Failure, match=r"--decimal-comma for .*-point for 38123"):
            recognise(lines, Options(decimal_comma=given))
        return
    ((_, row),) = Reader(recognise(lines, Options(decimal_comma=given))).rows(
        f"{line}\n".encode(), 1
    )
    assert row["open"] == Decimal(meant)


def test_a_price_in_the_other_dialect_is_an_odd_line() -> None:
    """A point before three digits among decimal commas is no thousand, nor a comma among points."""
    both = "--decimal-comma or --decimal-point"
    for usual, odd, hint in (
        ("151,2", "151.234", "--decimal-point"), ("151.2", "151,234", both),
        ("151.2", "151,2", "--decimal-comma"),
    ):  # fmt: skip
        header = "Date\tOpen\tHigh\tLow\tClose"
        good, bad = ("\t".join(["2024-01-02", *[price] * 4]) for price in (usual, odd))
        for lines in ([good, bad], [bad, good, good]):  # also where the file begins with it
            reader = Reader(recognise([header, *lines], Options()))
            for line, (_, row) in zip(
                lines, reader.rows("\n".join([*lines, ""]).encode(), 1), strict=True
            ):
                assert line == good or row == f"open is '{odd}', no number ({hint}?)"
                assert line == bad or row["open"] == Decimal(usual.replace(",", "."))


@pytest.mark.parametrize(
    ("names", "role"),
    [("Open,High,Low,Last,Price", ""), ("Open,High,Low,Close,Price", ""),
     ("Open,High,Low,Price", "close"), ("Bid,Ask,Last,Price", ""), ("Bid,Ask,Price", "last")],
)  # fmt: skip
def test_a_price_is_the_last_one_where_no_other_column_is(names: str, role: str) -> None:
    lines = [f"Date,{names}", ",".join(["2024-01-02", *["1.1"] * len(names.split(","))])]
    assert recognise(lines, Options()).columns[-1] == role


@pytest.mark.parametrize(
    "header",
    [
        "Date;Heure;Ouverture;Plus haut;Plus bas;Cl\u00f4ture;Volume",
        "Date;Heure;Ouv;Haut;Bas;Cl\ufffdture;Vol",  # in Windows-1252, as Excel saves CSV
        "",
    ],
)
def test_bars_of_a_french_spreadsheet_are_read(header: str) -> None:
    line = "02/01/2024;00:05;151,234;151,300;151,200;151,250;12"
    layout = recognise([*filter(None, [header]), line], Options(dates="dmy"))
    ((_, row),) = Reader(layout).rows(f"{line}\n".encode(), 1)
    assert [str(row[name]) for name in ("open", "high", "low", "close", "volume")] == [
        "151.234", "151.300", "151.200", "151.250", "12"
    ]  # fmt: skip
