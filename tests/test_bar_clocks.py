"""scripts/load_bars.py: one clock for one server, and for the days of a series."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import psycopg
import pytest

import bars
import load_bars
import mt5
import rows


def times(connection: psycopg.Connection) -> list[datetime]:
    """When the stored bars opened."""
    return [
        row[0] for row in connection.execute("SELECT timestamp FROM market_data ORDER BY timestamp")
    ]


def daily(zone: str, since: datetime, days: int) -> list[datetime]:
    """Midnights of a zone, by UTC."""
    return [
        (since + timedelta(days=n)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for n in range(days)
    ]


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York"])
def test_days_that_begin_at_one_clock_s_midnight_only_are_told_by_their_times(
    market: psycopg.Connection, tmp_path: Path, zone: str
) -> None:
    moments = daily(zone, datetime(2024, 1, 1), 300)
    path = tmp_path / "A_D1.csv"
    path.write_text(
        "time,open,high,low,close\n" + "".join(f"{m.timestamp():.0f},1,2,1,1\n" for m in moments)
    )
    done = bars.script(market, load_bars, path)
    assert (done.returncode, done.stderr) == (0, "")
    assert f"days by {zone}" in done.stdout
    assert times(market) == moments
    assert market.execute("SELECT clock FROM market_series").fetchone() == (zone,)


def test_days_that_begin_at_the_midnight_of_several_clocks_ask_for_one(
    market: psycopg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "A_D1.csv"  # in winter only: UTC+2, Athens and New York + 7 are one
    path.write_text(
        "Gmt time,Open,High,Low,Close,Volume\n"
        + "".join(f"{day:02d}.01.2024 22:00:00.000,1,2,1,1,1.5\n" for day in range(1, 20))
    )
    done = bars.script(market, load_bars, path)
    assert done.returncode == 1
    assert "--day-clock" in done.stderr and "Europe/Athens" in done.stderr
    assert bars.script(market, load_bars, path, "--day-clock", "NY+7").returncode == 0
    assert times(market)[0] == datetime(2024, 1, 1, 22, tzinfo=UTC)
    assert (
        "19 there already" in bars.script(market, load_bars, path).stdout
    )  # the series has it now


def test_days_stamped_at_the_opening_go_to_their_midnight_when_asked(
    market: psycopg.Connection, tmp_path: Path
) -> None:
    path = tmp_path / "A_D1.csv"  # 9:30 in New York, before and after the change of clocks
    path.write_text("time,open,high,low,close\n1709908200,1,2,1,1\n1710163800,1,2,1,1\n")
    done = bars.script(market, load_bars, path)
    assert done.returncode == 1 and "--day-clock" in done.stderr
    done = bars.script(market, load_bars, path, "--day-clock", "America/New_York")
    assert (done.returncode, "moved to the midnight" in done.stdout) == (0, True)
    assert times(market) == [
        datetime(2024, 3, 8, 5, tzinfo=UTC), datetime(2024, 3, 11, 4, tzinfo=UTC)
    ]  # fmt: skip


def test_clock_of_a_server_is_the_rule_of_its_deals(
    market: psycopg.Connection, tmp_path: Path
) -> None:
    market.execute("INSERT INTO mt5_server_clocks (server, clock) VALUES ('Broker', 'UTC+3')")
    path = bars.write(tmp_path)
    done = bars.script(market, load_bars, path, "--source", "Broker", "--clock", "NY+7")
    assert done.returncode == 1 and "UTC+3" in done.stderr
    done = bars.script(market, load_bars, path, "--source", "Broker")
    assert (done.returncode, "the rule of Broker" in done.stdout) == (0, True)
    assert times(market)[0] == datetime(2024, 1, 1, 21, tzinfo=UTC)


def test_clock_is_asked_for_where_the_rules_of_a_server_change(
    market: psycopg.Connection, tmp_path: Path
) -> None:
    market.execute(
        "INSERT INTO mt5_server_clocks (server, valid_from, clock)"
        " VALUES ('Broker', '-infinity', 'UTC+3'), ('Broker', '2024-01-01', 'UTC+2')"
    )
    path = bars.write(tmp_path)
    assert "--clock" in bars.script(market, load_bars, path, "--source", "Broker").stderr
    assert (
        bars.script(market, load_bars, path, "--source", "Broker", "--clock", "UTC+2").returncode
        == 0
    )


def test_file_of_which_nothing_was_stored_fixes_no_clock(
    market: psycopg.Connection, tmp_path: Path
) -> None:
    path = bars.write(tmp_path, "half a line\n", "2024.01.02\t00:00:30\t1\t1\t1\t1\t1\t0\t1\n")
    assert bars.script(market, load_bars, path, "--clock", "UTC").returncode == 1
    assert market.execute("SELECT count(*) FROM market_series").fetchone() == (0,)
    assert len(path.with_name(path.name + ".rejected.tsv").read_text().splitlines()) == 3
    assert bars.script(market, load_bars, bars.write(tmp_path), "--clock", "NY+7").returncode == 0


def hour_of_bars(folder: Path) -> Path:
    """Bars of an hour that rise from minute to minute, as a server of New York + 7 shows them."""
    return bars.write(
        folder,
        *(f"2026.01.05\t12:{n:02d}\t{1 + n}\t{1.5 + n}\t{1 + n}\t{1.5 + n}\t1\t0\t1\n"
          for n in range(60)),
    )  # fmt: skip


def trade(db: psycopg.Connection) -> int:
    """An account whose deals have the prices of those bars at their minutes."""
    db.execute(
        "INSERT INTO mt5_server_clocks (server, clock) VALUES ('Broker-Live', 'America/New_York+7')"
    )
    account = mt5.open_account(db, rows.user(db))
    deals = [mt5.deal(f"2026-01-05 12:{n:02d}:10", price=1.2 + n) for n in range(0, 60, 5)]
    mt5.ingest(db, "deals", account, deals)
    return account


def test_bars_of_a_wrong_hour_are_found_by_the_deals_of_their_server(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    trade(db)
    path = hour_of_bars(tmp_path)
    # without a source nothing says that these bars are of the server
    done = bars.script(db, load_bars, path, "--clock", "UTC+1")
    assert (done.returncode, "WARNING" in done.stdout) == (0, True)
    db.execute("TRUNCATE market_data, market_series")
    db.execute("UPDATE mt5_server_clocks SET clock = 'UTC+1'")  # deals stay
    done = bars.script(db, load_bars, path, "--source", "Broker-Live")
    assert (done.returncode, times(db)) == (1, [])
    assert "wrong by" in done.stderr
    assert db.execute("SELECT count(*) FROM market_series").fetchone() == (0,)


def test_bars_that_hold_the_deals_of_their_server_are_loaded(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    trade(db)
    done = bars.script(db, load_bars, hour_of_bars(tmp_path), "--source", "Broker-Live")
    assert (done.returncode, done.stderr) == (0, "")
    assert "12 of 12 deals lie within" in done.stdout


def test_first_clock_of_a_trade_server_is_kept_for_its_deals(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    bad = bars.write(tmp_path, "half a line\n", name="A_M1.csv")
    bars.script(db, load_bars, bad, "--source", "Broker", "--clock", "UTC+2")
    assert db.execute("SELECT count(*) FROM mt5_server_clocks").fetchone() == (0,)
    path = bars.write(tmp_path)
    assert bars.script(db, load_bars, path, "--source", "Broker", "--clock", "NY+7").returncode == 0
    assert db.execute("SELECT server, clock FROM mt5_server_clocks").fetchall() == [
        ("Broker", "America/New_York+7")
    ]
    assert "the rule of Broker" in bars.script(db, load_bars, path, "--source", "Broker").stdout


def test_clock_of_deals_read_without_a_rule_is_that_of_bars_too(
    db: psycopg.Connection, tmp_path: Path
) -> None:
    trade(db)
    db.execute("DELETE FROM mt5_server_clocks")
    path = hour_of_bars(tmp_path)
    done = bars.script(db, load_bars, path, "--source", "Broker-Live", "--clock", "UTC+3")
    assert done.returncode == 1 and "America/New_York+7" in done.stderr
    assert bars.script(db, load_bars, path, "--source", "Broker-Live").returncode == 0
