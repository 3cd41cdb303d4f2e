"""The clock of a trade server: measured, proposed, compared; never taken in silence."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

import rows
from faulty_terminals import Terminal
from gateways import BUY, Gate, Moving
from rubi.cli import Failure
from rubi.gateway.clocks import Pulse
from rubi.gateway.terminals import Terminal as Asked

SERVER = "StandIn-Demo"
WINTER, SUMMER = "2026-01-05 10:00+00", "2026-07-06 10:00+00"
# the clocks of Europe have changed by then, those of the United States not yet
BETWEEN = "2026-10-28 10:00+00"


@pytest.fixture
def gate(db: psycopg.Connection, server: Any, tmp_path: Any) -> Gate:
    return Gate(db, server.dsn(db.info.dbname, "rubi_ingest"), tmp_path, rows.user(db))


@pytest.mark.parametrize(
    ("zone", "hours", "proposed"),
    [
        ("America/New_York", 7, "NY+7"),
        ("Asia/Kolkata", 0, "Asia/Kolkata"),
        ("Etc/GMT+9", 0, "UTC-9"),
        ("Asia/Kathmandu", 0, "Asia/Kathmandu"),
    ],
)
def test_server_without_a_rule_is_not_read_and_the_clock_that_fits_is_proposed(
    gate: Gate, zone: str, hours: int, proposed: str
) -> None:
    terminal = Terminal.new()
    terminal.market.clock.change(zone, hours)
    terminal.order_send(BUY)
    with Moving(terminal), pytest.raises(Failure, match="has no rule") as failure:
        gate.once(terminal, server_clock="", patience=60)
    assert failure.value.code == 2
    assert f"--server-clock {proposed}" in str(failure.value)
    assert gate.stored()["deals"] == gate.stored()["positions"] == 0


def test_clock_that_no_zone_has_is_said(gate: Gate) -> None:
    terminal = Terminal.new()
    terminal.market.clock.change("UTC", 2.25)
    with Moving(terminal), pytest.raises(Failure, match="UTC\\+2:15, which no clock fits"):
        gate.once(terminal, server_clock="", patience=60)


def test_proposed_clock_makes_the_rule(gate: Gate) -> None:
    terminal = Terminal.new()
    terminal.market.clock.change("Asia/Kolkata")
    terminal.order_send(BUY)
    with Moving(terminal):
        gate.once(terminal, server_clock="Asia/Kolkata", patience=60)
    assert gate.db.execute("SELECT server, clock FROM mt5_server_clocks").fetchall() == [
        (SERVER, "Asia/Kolkata")
    ]
    (apart,) = gate.db.execute(
        "SELECT now() - executed_at FROM trading_deals WHERE type = 0"
    ).fetchone()
    assert -60 < apart.total_seconds() < 600
    assert gate.db.execute(
        "SELECT status FROM monitoring.health WHERE name = 'server_clocks'"
    ).fetchone() == ("ok",)


def test_quiet_market_tells_no_clock(gate: Gate) -> None:
    terminal = Terminal.new()
    with pytest.raises(Failure, match="no price moves"):
        gate.once(terminal, server_clock="", patience=0.5)
    assert gate.db.execute("SELECT count(*) FROM mt5_clock_readings").fetchone() == (0,)


def test_given_clock_that_the_server_does_not_show_is_refused(gate: Gate) -> None:
    terminal = Terminal.new()
    terminal.market.clock.change("Asia/Tokyo")
    with Moving(terminal), pytest.raises(Failure, match=r"NY\+7 does not fit.*Asia/Tokyo"):
        gate.once(terminal, server_clock="NY+7", patience=60)
    assert gate.db.execute("SELECT count(*) FROM mt5_server_clocks").fetchone() == (0,)


def test_unknown_zone_is_wrong_usage(gate: Gate) -> None:
    with pytest.raises(Failure) as failure:
        gate.once(Terminal.new(), server_clock="Europe/Atlantis")
    assert failure.value.code == 2


def test_rule_that_no_longer_fits_is_critical_and_said(gate: Gate) -> None:
    terminal = Terminal.new()
    gate.once(terminal)
    terminal.market.clock.change("America/New_York", 8)
    with Moving(terminal), pytest.raises(Failure, match="correct mt5_server_clocks"):
        gate.once(terminal, server_clock="", patience=60)
    status, detail = gate.db.execute(
        "SELECT status, detail FROM monitoring.health WHERE name = 'server_clocks'"
    ).fetchone()
    assert status == "critical"
    assert SERVER in detail
    gate.db.execute("UPDATE mt5_server_clocks SET clock = 'America/New_York+8'")
    assert gate.db.execute(
        "SELECT status FROM monitoring.health WHERE name = 'server_clocks'"
    ).fetchone() == ("ok",)


def test_loop_measures_while_it_reads(gate: Gate) -> None:
    terminal = Terminal.new()
    gate.once(terminal)
    worker = gate.worker(terminal)
    end = time.monotonic() + 60
    with Moving(terminal):
        while not gate.db.execute("SELECT count(*) FROM mt5_clock_readings").fetchone()[0]:
            assert time.monotonic() < end, "no reading of the clock"
            worker.step()
    hours = round((terminal.market.clock.msc() / 1000 - time.time()) / 3600)
    assert gate.db.execute("SELECT minutes FROM mt5_clock_readings").fetchone() == (60 * hours,)
    assert worker.misfit == ""


def test_summer_time_that_began_meanwhile_is_no_misfit(gate: Gate) -> None:
    terminal = Terminal.new()
    gate.once(terminal)
    worker = gate.worker(terminal)
    worker.begin()
    fits = worker.clock.minutes
    worker.clock.minutes = fits - 60  # as it was before
    worker.report_clock(fits)
    assert (worker.misfit, worker.clock.minutes) == ("", fits)
    worker.report_clock(fits + 60)
    assert "correct mt5_server_clocks" in worker.misfit


@pytest.mark.parametrize(("seconds", "rest"), [(0, 0), (20, 20), (400, 400), (-30, -30)])
def test_ticks_beside_a_quarter_of_an_hour_are_told_apart(seconds: int, rest: int) -> None:
    terminal = Terminal.new()
    pulse = Pulse(Asked(terminal, "t"))
    with Moving(terminal, ahead=seconds):
        pulse.watch(["EURUSD"])
        minutes = pulse.wait(60)
    assert minutes is not None
    assert minutes % 15 == 0
    assert pulse.rest == pytest.approx(rest, abs=9)


@pytest.mark.parametrize(
    ("readings", "first", "without"),
    [
        ([(WINTER, 120)], "America/New_York+7", ["UTC+3", "Europe/Moscow"]),
        ([(WINTER, 120), (SUMMER, 180)], "America/New_York+7", ["UTC+2", "UTC+3"]),
        ([(BETWEEN, 180)], "America/New_York+7", ["Europe/Athens"]),
        ([(WINTER, 120), (BETWEEN, 120)], "Europe/Athens", ["America/New_York+7"]),
        ([(WINTER, 180), (SUMMER, 180)], "Europe/Moscow", ["America/New_York+7"]),
        ([(WINTER, 120), (SUMMER, 120)], "Africa/Johannesburg", ["Europe/Athens"]),
        ([(WINTER, 570), (SUMMER, 570)], "Australia/Darwin", ["Australia/Adelaide"]),
    ],
)
def test_longer_measuring_leaves_fewer_clocks(
    db: psycopg.Connection, readings: list, first: str, without: list[str]
) -> None:
    db.execute("INSERT INTO mt5_server_clocks (server, clock) VALUES ('S', 'UTC')")
    for at, minutes in readings:
        db.execute(
            "INSERT INTO mt5_clock_readings (server, first_at, last_at, minutes, symbol)"
            " VALUES ('S', %(at)s, %(at)s, %(minutes)s, 'EURUSD')",
            {"at": at, "minutes": minutes},
        )
    found = [clock for (clock,) in db.execute("SELECT propose_mt5_clocks('S')")]
    assert found[0] == first
    assert set(found) & set(without) == set()


def test_equal_readings_are_one_run(db: psycopg.Connection) -> None:
    for at, minutes in (
        ("2026-01-05 10:00", 120), ("2026-01-05 10:05", 120), ("2026-03-09 10:00", 180),
        ("2026-01-05 10:02", 120), ("2026-03-09 11:00", 180),
    ):  # fmt: skip
        db.execute("SELECT measure_mt5_clock('S', 'EURUSD', %s, %s)", [minutes, f"{at}+00"])
    assert db.execute(
        "SELECT minutes, times, first_at, last_at FROM mt5_clock_readings ORDER BY first_at"
    ).fetchall() == [
        (120, 2, *(datetime(2026, 1, 5, 10, m, tzinfo=UTC) for m in (0, 5))),
        (180, 2, *(datetime(2026, 3, 9, h, tzinfo=UTC) for h in (10, 11))),
    ]


@pytest.mark.parametrize(("minutes", "is_taken"), [(840, True), (855, False), (-735, False)])
def test_minutes_of_no_zone_are_refused(
    db: psycopg.Connection, minutes: int, is_taken: bool
) -> None:
    query = "SELECT measure_mt5_clock('S', 'EURUSD', %s, '2026-01-05 10:00+00')"
    if is_taken:
        db.execute(query, [minutes])
    else:
        with pytest.raises(psycopg.errors.CheckViolation) as error:
            db.execute(query, [minutes])
        assert error.value.diag.constraint_name == "mt5_clock_readings_minutes_of_a_zone_check"
