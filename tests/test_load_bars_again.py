"""load_bars.py beside bars that are there: again, in conflict, of another source, interrupted."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest

import bars
import limits
import load_bars
from bar_loading import count, load, rejected
from rubi import ROOT
from rubi.waiting import until


def test_loading_again_or_out_of_order_changes_nothing(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    load(db, bars.write(tmp_path, *reversed(bars.LINES)))
    expected = bars.stored(db)
    done = load(db, bars.write(tmp_path))
    assert (done.returncode, len(expected)) == (0, 3)
    assert "0 new · 3 there already" in done.stdout
    assert bars.stored(db) == expected


def test_good_lines_of_a_block_with_bad_ones_keep_their_values(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    bars.write(tmp_path, name="A_M1.csv")
    bars.write(tmp_path, *bars.LINES, "half a line", name="B_M1.csv")
    load(db, tmp_path / "A_M1.csv", tmp_path / "B_M1.csv")
    rows = bars.stored(db)
    assert [row[1:] for row in rows[:3]] == [row[1:] for row in rows[3:]]


@pytest.mark.parametrize(
    ("mode", "close", "code", "total"),
    [("error", "1.1041", 1, 1), ("skip", "1.1041", 0, 2), ("update", "1.104", 0, 2)],
)
def test_on_conflict_says_which_bar_stays(
    db: psycopg.Connection, tmp_path: Path, mode: str, close: str, code: int, total: int
) -> None:
    path = bars.write(tmp_path, bars.LINES[0])
    load(db, path)
    changed = bars.LINES[0].replace("1.10410\t41", "1.10400\t41")
    path = bars.write(tmp_path, changed, bars.LINES[1])
    done = load(db, path, "--on-conflict", mode)
    assert (done.returncode, bars.stored(db)[0][4], count(db)) == (code, Decimal(close), total)


def test_update_rejects_a_time_given_twice(db: psycopg.Connection, tmp_path: Path) -> None:
    path = bars.write(tmp_path, bars.LINES[0], bars.LINES[0])
    assert load(db, path, "--on-conflict", "update").returncode == 1
    assert rejected(path) == [(3, "time of line 2 again")]


def test_bars_of_another_source_are_refused(db: psycopg.Connection, tmp_path: Path) -> None:
    path = bars.write(tmp_path)
    assert load(db, path, "--source", "BrokerA").returncode == 0
    done = load(db, path, "--source", "BrokerB")
    assert done.returncode == 1
    assert "EURUSD.BrokerB" in done.stderr
    assert load(db, path, "--source", "BrokerB", "--symbol", "EURUSD.BrokerB").returncode == 0


def test_another_clock_than_the_series_is_refused(db: psycopg.Connection, tmp_path: Path) -> None:
    path = bars.write(tmp_path)
    assert load(db, path, "--server-clock", "NY+7").returncode == 0
    assert "not recognized" in load(db, path, "--server-clock", "Atlantis/Center").stderr
    done = load(db, path, "--clock", "UTC")
    assert (done.returncode, "America/New_York+7, not UTC" in done.stderr) == (1, True)
    done = bars.script(db, load_bars, path)  # without one the file goes by that of its series
    assert (done.returncode, "(of the series)" in done.stdout, count(db)) == (0, True, 3)


def minutes(number: int) -> str:
    """Lines of so many bars of a minute."""
    return "".join(
        f"{start:%Y.%m.%d\t%H:%M:00}\t1\t1\t1\t1\t1\t0\t1\n"
        for start in (
            datetime(2024, 1, 1, tzinfo=UTC) + timedelta(minutes=n) for n in range(number)
        )
    )


def test_loading_works_under_the_limits_of_the_role(db: psycopg.Connection, tmp_path: Path) -> None:
    limits.refuse_under(db, "market_data")
    assert load(db, bars.write(tmp_path)).returncode == 0
    assert count(db) == 3


def test_interrupted_load_leaves_nothing_and_can_be_repeated(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    path = bars.write(tmp_path, minutes(5_000))
    db.execute("BEGIN")
    db.execute("LOCK TABLE market_data IN SHARE MODE")  # readers pass, the merge waits
    process = subprocess.Popen(
        [sys.executable, ROOT / "scripts/load_bars.py", path, "--clock", "UTC"],
        env={"PGHOST": db.info.host, "PGPORT": str(db.info.port), "PGUSER": "rubi_app",
             "PGDATABASE": db.info.dbname, "PATH": ""},
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    waiting = (
        "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'market_data'::regclass"
    )
    until("the merge waits", lambda: db.execute(waiting).fetchone()[0], pause=0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    db.execute("COMMIT")
    assert (process.returncode, "Traceback" in said, count(db)) == (130, False, 0)
    assert load(db, path).returncode == 0
    assert count(db) == 5_000
