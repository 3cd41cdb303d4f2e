"""benchmarks/year.py: hours and nights of a platform's year; nothing is timed here."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

import psycopg
import pytest

from conftest import Address
from rubi import ROOT
from rubi.cli import Failure
from rubi.servers import embedded

sys.path.append(str(ROOT / "benchmarks"))

import server as servers
import year_measures
import year_mix
import year_move
import year_report
from year_days import DATABASE, DAY, Size, Year

COUNTS = """
SELECT
    (SELECT count(*) FROM account_snapshots AS s
     INNER JOIN benchmark.platform AS p ON s.session_id = p.session_id),
    (SELECT count(*) FROM market_data), (SELECT count(*) FROM market_ticks),
    (SELECT count(*) FROM trading_signals WHERE client_request_id IS NOT NULL),
    (SELECT count(*) FROM trading_orders WHERE made_by = 'api' AND closed_at IS NOT NULL),
    (SELECT count(*) FROM mt5_orders), (SELECT count(*) FROM trading_deals),
    (SELECT count(*) FROM signal_claims WHERE outcome = 'EXECUTED')
"""


@pytest.fixture(scope="module")
def year(server: Address) -> Iterator[Year]:
    """A platform of two accounts on the evening of its first day, that ends in 39 days."""
    if server.binaries is None:
        pytest.skip("a server of its own is needed")
    with servers.running(17, {"autovacuum": "off"}) as running:
        made = Year(running, Size(0.001, 40))
        made.make()
        evening(made)
        yield made


def evening(year: Year) -> None:
    """Day 1, from 16:00 on."""
    with year.superuser() as connection:
        connection.execute("UPDATE benchmark.progress SET day = 1, hour = 16")


def counts(year: Year) -> tuple[int, ...]:
    with year.superuser() as connection:
        return connection.execute(COUNTS).fetchone()


def test_hours_that_come_again_write_nothing_twice(year: Year) -> None:
    begin, day, hour = year.position()
    with year.superuser() as connection:
        year.write_day(connection, begin, day, hour)
        first = counts(year)
        # of two accounts: eight hours, log-in and evening; bars, ticks; one trip
        assert first == (2 * (8 * 60 + 2), 480, 168, 1, 1, 2, 4, 1)
        evening(year)
        year.write_day(connection, begin, day, hour)
    assert counts(year) == first


def test_night_proves_and_keeps_what_is_young(year: Year) -> None:
    evening(year)
    told: list[str] = []
    year.run(1, 1, told.append)
    assert [line.split(":")[0] for line in told] == ["day 1"]
    assert {"archive", "lifecycle", "proofs", "results"} <= set(year.days()[0]["night"])
    with year.superuser() as connection:
        ages = connection.execute(
            "SELECT justify_hours(keep_full) FROM monitoring.lifecycle"
            " WHERE relation = 'public.account_snapshots'"
        ).fetchone()[0]
        assert connection.execute("SELECT count(*) FROM monitoring.thinned_days").fetchone() == (0,)
    assert 30 + 38 <= ages.days <= 30 + 40


def test_events_lie_in_their_day(year: Year) -> None:
    begin, *_ = year.position()
    with year.superuser() as connection:
        found = connection.execute(
            "SELECT count(*), bool_and(seen_at < %s) FROM mt5_events WHERE seen_at >= %s",
            [begin + DAY, begin],
        ).fetchone()
    assert found[0] > 0
    assert found[1]


def test_proof_that_fails_ends_the_year(year: Year) -> None:
    with psycopg.connect(year.owner(), autocommit=True) as connection:
        with year.superuser() as superuser:
            superuser.execute("UPDATE mt5_account_states SET balance = balance + 1")
        with pytest.raises(Failure, match="balances"):
            year.prove(connection, 1)
        with year.superuser() as superuser:
            superuser.execute("UPDATE mt5_account_states SET balance = balance - 1")
        year.prove(connection, 1)


def test_week_of_nights_runs_beside_the_mix_on_a_copy(
    year: Year, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(year_mix, "WARMING", 0)
    year.archive.mkdir(exist_ok=True)
    year_mix.copy_with_mix(year.server, year_mix.NOW, DATABASE)
    with year.superuser() as connection:
        connection.execute("TRUNCATE monitoring.size_readings")
    found = year_mix.beside_night(year, 1, 1, 50)
    names = [step["name"] for step in found["steps"]]
    assert (names[0], names[-1]) == ("night", "backup")
    assert {"archive", "lifecycle", "cluster", "results", "readings"} <= set(names)
    assert min(found["alone"]["count"], found["steps"][0]["count"]) > 0
    with year.superuser() as connection:
        assert connection.execute("TABLE monitoring.size_readings").fetchall() == []
    assert "| nothing | " in "\n".join(
        year_report.beside_of({"effort": {"rate": 50}, "measured": [{"beside": found}]})
    )


@pytest.mark.slow
def test_year_moves_to_another_major_while_the_mix_writes(
    year: Year, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The year's database alone has the rows that all doors and nights leave."""
    monkeypatch.delenv("RUBI_PG_BIN", raising=False)
    try:
        embedded.binaries(18)
    except Failure as error:
        pytest.skip(f"PostgreSQL 18 is not to be had: {error}")
    monkeypatch.setattr(year_mix, "WARMING", 0)
    monkeypatch.setattr(year_move, "ROUND", 1)
    found = year_move.move(year, 1, 50)
    assert found["held"] <= year_move.HELD
    assert min(found["proofs"], found["copied"], found["compared"]) > 0
    rounds = (found["alone"], found["ahead"][0], found["after"])
    assert min(some["count"] for some in rounds) > 0
    assert int(found["new"]["PostgreSQL"].split(".")[0]) == 18
    page = "\n".join(year_report.moved_of({"moved": found}))
    assert f"| writes held | {found['held']:.1f} | {found['copied']:,.0f} | 0 |" in page


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="Linux places processes")
def test_client_and_session_of_reads_share_a_core(year: Year) -> None:
    """A session on another core is woken in more time than a read takes."""
    before = os.sched_getaffinity(0)
    with year.superuser() as connection:
        pid = connection.info.backend_pid
        with year_measures.on_one_core(pid):
            assert os.sched_getaffinity(pid) == os.sched_getaffinity(0)
            assert len(os.sched_getaffinity(0)) == 1
    assert os.sched_getaffinity(0) == before


def test_reads_are_timed_in_a_new_session_and_in_a_known_one(
    year: Year, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(year_measures, "SESSIONS", 1)
    evening(year)
    begin, day, hour = year.position()
    with year.superuser() as connection:
        year.write_day(connection, begin, day, hour)
    for name in ("first", "now"):
        year_mix.copy(year.server, f"mix_{name}", DATABASE)
    found = year_measures.reads(year, {"first": 1, "now": 1}, 20)
    assert set(found) == set(year_measures.READS)
    for of in found.values():
        assert min(figure for figures in of.values() for figure in figures.values()) > 0


def test_page_shows_every_table_and_day(year: Year) -> None:
    mix = {
        "first": {"p50": 1, "p99": 2, "cpu": 3, "new": 4},
        "now": {"p50": 2, "p99": 3, "cpu": 3, "new": 5},
    }
    figures = {
        "day": 1, "bytes": 2**20, "sizes": year_measures.sizes(year),
        "predicted": year_measures.predicted(year, 1), "mix": mix, "reads": {"by number": mix},
        "report": 1.0, "backup": {"backup": 1.0, "restore": 2.0, "bytes": 2**20},
    }  # fmt: skip
    doors, night = {"bars": [60.0, 0.1, 0.1]}, {"archive": 1.0}
    page = year_report.report(
        {
            "facts": {}, "scale": 0.001, "days": 40, "until": 1, "proofs": 1, "hours": 4,
            "archive": 0,
            "effort": {"rounds": 1, "seconds": 1, "rate": 1},
            "platform": {"accounts": 2, "symbols": 1, "tick_symbols": 1, "ticks": 1, "trips": 1},
            "measured": [figures], "each": [{"day": 1, "doors": doors, "night": night}],
            "base": figures["sizes"],
        }
    )  # fmt: skip
    for table in year_measures.COUNTED:
        assert f"| {table} |" in page
    assert "| by number | 2.000 | 3.000 | 2.00 | 1.00 | 1.25 |" in page
