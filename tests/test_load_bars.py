"""scripts/load_bars.py: a line of a file is stored, there already, or rejected with a reason."""

from __future__ import annotations

import gzip
import os
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

import bars
from bar_loading import count, load, rejected
from rubi.bars import files


def test_terminal_export_is_loaded_in_any_encoding(db: psycopg.Connection, tmp_path: Path) -> None:
    text = bars.write(tmp_path).read_text()
    encodings = {
        "A": text.encode(), "B": text.encode("utf-8-sig"), "C": text.encode("utf-16"),
        "D": text.encode("utf-16-le"), "E": gzip.compress(text.encode()),
        "F": text.replace("\n", "\r\n").encode(), "G": gzip.compress(text.encode("utf-16")),
        "H": text.rstrip().encode(), "I": (text + "\n \n").encode(),
    }  # fmt: skip
    for symbol, data in encodings.items():
        (tmp_path / f"{symbol}_M1.csv").write_bytes(data)
    done = load(db, *tmp_path.glob("?_M1.csv"))
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("clock UTC") == len(encodings)
    assert bars.stored(db) == [
        (symbol, "M1", datetime(2024, 1, 2, 0, n), Decimal(o), Decimal(c), v, 0, s)
        for symbol in sorted(encodings)
        for n, (o, c, v, s) in enumerate(
            [("1.104", "1.1041", 41, 7), ("1.1041", "1.10385", 37, 8), ("1.10385", "1.1039", 12, 7)]
        )
    ]


def test_daily_export_without_time_is_loaded(db: psycopg.Connection, tmp_path: Path) -> None:
    path = bars.write(
        tmp_path,
        "2024.01.02\t1\t2\t0.5\t1.5\t100\t0\t5\n",
        name="US_500_Daily_202401020000_202401020000.csv",
        header=bars.HEADER.replace("<TIME>\t", ""),
    )
    assert load(db, path).returncode == 0
    assert [row[:3] for row in bars.stored(db)] == [("US_500", "D1", datetime(2024, 1, 2))]


def test_server_clock_is_converted(db: psycopg.Connection, tmp_path: Path) -> None:
    # between the change of clocks in the United States and in Europe
    clocks = {"NY+7": (10, 21), "Europe/Athens": (10, 22), "UTC+3": (10, 21)}
    for n, clock in enumerate(clocks):
        path = bars.write(tmp_path, "2024.03.11\t00:00\t1\t1\t1\t1\t1\t0\t1\n", name=f"{n}_H1.csv")
        done = load(db, path, "--server-clock", clock)
        assert done.returncode == 0
    assert [row[2] for row in bars.stored(db)] == [
        datetime(2024, 3, day, hour) for day, hour in clocks.values()
    ]


def test_csv_with_a_header_is_loaded(db: psycopg.Connection, tmp_path: Path) -> None:
    texts = {
        "A": ",Open,High,Low,Close,Volume\n2024-01-02 10:00,1,2,0.5,1.5,7\n",
        "B": "time;open;high;low;close;tick_volume\n2024-01-02T12:00:00+02:00;1;2;0.5;1.5;7\n",
        "C": "Timestamp,O,H,L,C,Volume\n1704189600,1,2,0.5,1.5,7\n",
        "D": "date,time,close,low,high,open,volume,x\n2024.01.02,10:00:00,1.5,0.5,2,1,7,9\n",
    }
    for symbol, text in texts.items():
        (tmp_path / f"{symbol}_H1.csv").write_text(text)
    done = load(db, *tmp_path.glob("*.csv"))
    assert (done.returncode, done.stderr) == (0, "")
    assert "columns left out: x" in done.stdout
    assert bars.stored(db) == [
        (symbol, "H1", datetime(2024, 1, 2, 10), 1, Decimal("1.5"), 7, None, None)
        for symbol in texts
    ]


# line, reason; the first kind is found by COPY, the second by the merge
UNREADABLE = (
    (
        "2024.01.02\t00:01:00\t1,10400\t1.2\t1.1\t1.1\t1\t0\t1",
        "open is '1,10400', no number (--dec",
    ),
    ("2024.01.02\t00:01:00\t1.10\t1.2", "4 fields instead of 9"),
    ("2024.01.02\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1\t0\t1\t9", "10 fields instead of 9"),
    ("02.01.2024\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1\t0\t1", "time is '02.01.2024 00:01:00'"),
    ("7\t2024.01.02\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1\t0", "open is '00:01:00', no number"),
    ("\\N\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1\t0\t1", "time is '\\\\N 00:01:00'"),
    ("2024.02.30\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1\t0\t1", "time is '2024.02.30 00:01:00'"),
    ("2024.01.02\t00:01:00\t1.1\tNaN\t1.0\t1.1\t1\t0\t1", "high is 'NaN', no number"),
    ("2024.01.02\t00:01:00\t1.1\t1.2\t\t1.1\t1\t0\t1", "low is '', no number"),
    ("2024.01.02\t00:01:00\t1e999\t1.2\t1.0\t1.1\t1\t0\t1", "open is 1e999, too large"),
    (f"2024.01.02\t00:01:00\t{'9' * 140000}\t1.2\t1.0\t1.1\t1\t0\t1", "open is 9999999"),
    # what COPY would take
    ("now\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1\t0\t1", "time is 'now 00:01:00'"),
    ("2024.002\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1\t0\t1", "time is '2024.002 00:01:00'"),
    ("2024.01.02\t24:00:00\t1.1\t1.2\t1.0\t1.1\t1\t0\t1", "time is '2024.01.02 24:00:00'"),
    ("2024.01.02\t00:01:60\t1.1\t1.2\t1.0\t1.1\t1\t0\t1", "time is '2024.01.02 00:01:60'"),
    ("2024.01.02\t00:01:00\t0x10\t1.2\t1.0\t1.1\t1\t0\t1", "open is '0x10', no number"),
    ("2024.01.02\t00:01:00\t1_0\t1.2\t1.0\t1.1\t1\t0\t1", "open is '1_0', no number"),
    ("2024.01.02\t00:01:00\t1.1\tInfinity\t1.0\t1.1\t1\t0\t1", "high is 'Infinity', no num"),
)
WRONG = (
    ("2024.01.02\t00:01:00\t1.1\t1.0\t1.2\t1.1\t1\t0\t1", "high is below low"),
    ("2024.01.02\t00:01:00\t1.3\t1.2\t1.0\t1.1\t1\t0\t1", "high is not the highest price"),
    ("2024.01.02\t00:01:00\t1.1\t1.2\t1.1\t1.05\t1\t0\t1", "low is not the lowest price"),
    ("2024.01.02\t00:00:00\t1.1\t1.2\t1.0\t1.1\t1\t0\t1", "time of line 2 again"),
    ("2099.01.02\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1\t0\t1", "time is in the future"),
    ("1921.01.02\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1\t0\t1", "time is before 1970"),
    ("2024.01.02\t00:01:30\t1.1\t1.2\t1.0\t1.1\t1\t0\t1", "time is not where a M1 bar opens"),
    ("2024.01.02\t00:01:00.4\t1.1\t1.2\t1.0\t1.1\t1\t0\t1", "time is not where a M1 bar opens"),
    ("2024.01.02\t00:01:00\t1.1\t9999999999999\t1.0\t1.1\t1\t0\t1", "a price is too large"),
    ("2024.01.02\t00:01:00\t1.1\t1.2\t1.0\t1.1\t-1\t0\t1", "volume is negative or too large"),
    ("2024.01.02\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1\t-1\t1", "real volume is negative or too la"),
    ("2024.01.02\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1\t0\t-1", "spread is negative or too large"),
    ("2024.01.02\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1.5\t0\t1", "volume is no whole number"),
    ("2024.01.02\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1\t4e-10\t1", "real_volume is 4e-10, more than"),
    ("2024.01.02\t00:01:00\t1.1\t1.2\t1.0\t1.1\t1\t0\t1.5", "spread is no whole number"),
)


@pytest.mark.parametrize(
    ("line", "reason"),
    [pytest.param(*case, id=case[1]) for case in UNREADABLE if case[1][:4] in ("time", "open")],
)
def test_bad_line_is_rejected_alone_too(
    db: psycopg.Connection, tmp_path: Path, line: str, reason: str
) -> None:
    path = bars.write(tmp_path, bars.LINES[0], line + "\n")
    assert load(db, path).returncode == 1
    assert count(db) == 1
    assert rejected(path)[0][1].startswith(reason)


@pytest.mark.parametrize("kind", [UNREADABLE, WRONG], ids=["unreadable", "wrong"])
def test_bad_lines_are_rejected_and_the_others_are_loaded(
    db: psycopg.Connection, tmp_path: Path, kind: tuple
) -> None:
    lines = [bars.LINES[0], *(line + "\n" for line, _ in kind), bars.LINES[2]]
    path = bars.write(tmp_path, *lines)
    done = load(db, path)
    assert done.returncode == 1
    assert [row[2].minute for row in bars.stored(db)] == [0, 2]
    found = rejected(path)
    assert [number for number, _ in found] == list(range(3, 3 + len(kind)))
    for (_, said), (_, reason) in zip(found, kind, strict=True):
        assert said.startswith(reason)
    assert f"{len(lines)} lines · {len(kind)} REJECTED" in done.stdout
    text = path.with_name(path.name + ".rejected.tsv").read_text()
    assert "1.1\t1.2" in text.replace('"', "")  # the line itself is kept


def test_rejected_line_at_the_start_of_a_block_is_written_once(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    path = bars.write(tmp_path, bars.LINES[0], "half a line")  # the end without \n is a block
    assert load(db, path).returncode == 1
    assert rejected(path) == [(3, "1 fields instead of 9")]


def test_zone_of_a_time_is_taken_at_its_word(db: psycopg.Connection, tmp_path: Path) -> None:
    path = bars.write(tmp_path, "2024.01.02\t00:01-05\t1\t1\t1\t1\t1\t0\t1\n")
    assert load(db, path).returncode == 0
    assert bars.stored(db)[0][2] == datetime(2024, 1, 2, 5, 1)


def test_fraction_of_a_second_is_no_opening_in_a_time_with_zone_either(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "A_M1.csv"
    path.write_text("time,open,high,low,close\n2024-01-02T00:01:00.4Z,1,1,1,1\n")
    assert load(db, path).returncode == 1
    assert (count(db), rejected(path)) == (0, [(2, "time is not where a M1 bar opens")])


def test_nothing_is_loaded_when_the_rejected_lines_cannot_be_written(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    path = bars.write(tmp_path, *bars.LINES, "half a line\n")
    path.with_name(path.name + ".rejected.tsv").mkdir()
    done = load(db, path)
    assert (done.returncode, count(db)) == (1, 0)
    assert "rejected.tsv" in done.stderr and "no line was loaded" in done.stderr


def test_pipe_is_refused_and_not_waited_for(db: psycopg.Connection, tmp_path: Path) -> None:
    """It could be read once only: as if its first lines had not been there."""
    path = tmp_path / "A_M1.csv"
    os.mkfifo(path)
    done = load(db, path)
    assert done.returncode == 1 and "no file" in done.stderr


@pytest.mark.parametrize("folder", [".", "/", "tests"])
def test_folder_is_refused_in_one_line(db: psycopg.Connection, folder: str) -> None:
    done = load(db, Path(folder))
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "no file" in done.stderr


def test_rejected_text_is_that_of_its_line(db: psycopg.Connection, tmp_path: Path) -> None:
    path = bars.write(tmp_path, bars.LINES[0], "a\rb\n", "c\n")
    assert load(db, path).returncode == 1
    lines = path.with_name(path.name + ".rejected.tsv").read_bytes().decode().split("\n")[1:-1]
    assert [(line[0], line.split("\t")[2].strip('"')) for line in lines] == [
        ("3", "a\rb"), ("4", "c")
    ]  # fmt: skip


def test_file_that_is_none_is_refused_whole(db: psycopg.Connection, tmp_path: Path) -> None:
    contents = {
        "empty": b"",
        "a header without any line": bars.HEADER.encode(),
        "no text file": bytes(range(256)) * 20,
        "is no header with date": b"a,b,c,d,e\n1,2,3,4,5\n",
        "is no header with open": b"time,open,high,low\n2024-01-02,1,2,3\n",
        "two columns mean open": b"time,open,open,high,low,close\n2024-01-02,1,1,1,1,1\n",
        "damaged": gzip.compress((bars.HEADER + bars.LINES[0] * 9999).encode())[:-20],
    }
    for n, content in enumerate(contents.values()):
        (tmp_path / f"{n}_M1.csv").write_bytes(content)
    bars.write(tmp_path, name="GOOD_M1.csv")
    done = load(db, *sorted(tmp_path.glob("*.csv")))
    assert done.returncode == 1
    *lines, last = done.stderr.splitlines()
    for line, said in zip(lines, contents, strict=True):
        assert said in line
    assert "leave these 7 out" in last
    assert count(db) == 0  # all files are checked before the first write
    assert load(db, tmp_path / "GOOD_M1.csv").returncode == 0


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("EURUSD_M1_202401020000_202412312359.csv", ("EURUSD", "M1")),
        ("US_500_Daily_202401020000_202412310000.csv", ("US_500", "D1")),
        ("#AAPL_H4.csv.gz", ("#AAPL", "H4")),
        ("EURUSD_Monthly_199301010000_202412010000.csv", ("EURUSD", "MN1")),
        ("EURUSD_202401020000_202401022359.csv", ("EURUSD", None)),
        ("prices.csv", (None, None)),
    ],
)
def test_symbol_and_timeframe_are_read_from_the_name(name: str, expected: tuple) -> None:
    assert files.guess(Path(name)) == expected


def test_name_that_does_not_tell_needs_options(db: psycopg.Connection, tmp_path: Path) -> None:
    path = bars.write(tmp_path, name="prices.csv")
    assert "give --symbol" in load(db, path).stderr
    assert load(db, path, "--symbol", "EURUSD", "--timeframe", "m1").returncode == 0
    assert load(db, path, "--symbol", "EURUSD", "--timeframe", "M7").returncode == 2


TICKS = "<DATE>\t<TIME>\t<BID>\t<ASK>\t<LAST>\t<VOLUME>\t<FLAGS>\n"


def test_tick_export_is_loaded_with_unchanged_prices_filled(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    path = bars.write(
        tmp_path,
        "2024.01.02\t00:00:00.100\t\t\t\t\t0\n",
        "2024.01.02\t00:00:00.123\t1.1\t1.2\t\t\t6\n",
        "2024.01.02\t00:00:00.123\t\t1.3\t\t\t4\n",
        "2024.01.02\t00:00:00.124\t1.0\t\t\t0.5\t2\n",
        name="EURUSD_202401020000_202401020001.csv",
        header=TICKS,
    )
    done = load(db, path)
    assert done.returncode == 1
    assert rejected(path) == [(2, "no price so far")]
    assert db.execute(
        "SELECT date_part('millisecond', timestamp), seq, bid, ask, last, volume_real, flags"
        " FROM market_ticks ORDER BY timestamp, seq"
    ).fetchall() == [
        (123, 0, Decimal("1.1"), Decimal("1.2"), None, 0, 6),
        (123, 1, Decimal("1.1"), Decimal("1.3"), None, 0, 4),
        (124, 0, Decimal("1.0"), Decimal("1.3"), None, Decimal("0.5"), 2),
    ]
    assert "3 there already" in load(db, path).stdout
    assert load(db, path, "--on-conflict", "error").returncode == 1
