"""One clock for deals, bars, sessions and files: its grammar, and what it shows at a moment."""

from __future__ import annotations

import random
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg
import pytest
from psycopg import errors

from interleaving import waits
from rubi import server_clock
from rubi.cli import Failure

# zones that change by an hour, on days and at hours of their own, both ways, and some that do not
CLOCKS = (
    "America/New_York+7", "Europe/Athens", "Europe/London-3", "Australia/Adelaide",
    "America/Havana", "America/Santiago+2", "Africa/Casablanca", "Asia/Kolkata", "Etc/GMT-3",
    "Etc/GMT+11", "UTC", "UTC-14",
)  # fmt: skip


@pytest.mark.parametrize("clock", [*CLOCKS, "GMT+14", "Etc/UTC+1", "America/Port-au-Prince",
                                   "America/Argentina/Buenos_Aires-2"])  # fmt: skip
def test_clock_is_a_zone_and_whole_hours(db: psycopg.Connection, clock: str) -> None:
    assert db.execute("SELECT %s::server_clock", [clock]).fetchone() == (clock,)
    assert server_clock.whole_name(clock) == clock


def test_no_clock_is_no_fault(db: psycopg.Connection) -> None:
    assert db.execute("SELECT NULL::server_clock").fetchone() == (None,)


@pytest.mark.parametrize(
    "clock",
    [
        "", "New York", "UTC+15", "UTC+3:30", "UTC+3.5", "UTC +3", "+3", "Etc/GMT-3+2",
        "Etc/Gmt+5", "etc/gmt+5", "UTC+3UTD", "seven",
        # fixed offsets to PostgreSQL, zones with summer time to Python, Spark and DuckDB
        "EET", "CET+1", "MSK", "EST5EDT",
    ],
)  # fmt: skip
def test_clock_of_another_form_is_refused(db: psycopg.Connection, clock: str) -> None:
    with pytest.raises(errors.CheckViolation) as refused:
        db.execute("SELECT %s::server_clock", [clock])
    assert refused.value.diag.constraint_name == "server_clock_form_check"
    with pytest.raises(Failure):
        server_clock.parse(clock)


@pytest.mark.parametrize(
    "insert",
    [
        "mt5_server_clocks (server, clock) VALUES ('x', %s)",
        "market_series (symbol, timeframe, clock) VALUES ('X', 'M1', %s)",
        "market_calendar_clocks (calendar, clock) VALUES ('x', %s)",
    ],
)
def test_clock_of_an_unknown_zone_is_refused(db: psycopg.Connection, insert: str) -> None:
    with pytest.raises(errors.InvalidParameterValue):
        db.execute(f"INSERT INTO {insert}", ["America/New_Yorc+7"])
    db.execute(f"INSERT INTO {insert}", ["America/New_York+7"])


@pytest.mark.parametrize("short", ["NY+7", "ny+07", " NY+7 "])
def test_short_names_are_for_people_only(db: psycopg.Connection, short: str) -> None:
    assert server_clock.whole_name(short) == "America/New_York+7"
    with pytest.raises(errors.CheckViolation):
        db.execute("SELECT %s::server_clock", [short])


def test_python_cuts_every_clock_as_sql_does(db: psycopg.Connection) -> None:
    zones = [
        name
        for (name,) in db.execute("SELECT name FROM pg_timezone_names ORDER BY name").fetchall()
        if "/" in name and name.count("/") < 3 and not name.startswith(("posix/", "right/"))
    ]
    clocks = [f"{zone}{hours}" for zone in zones for hours in ("", "+7", "-14")]
    taken = []
    for clock in clocks:
        try:
            taken.append((clock, *server_clock.parse(clock)))
        except Failure:
            with pytest.raises(errors.CheckViolation):
                db.execute("SELECT %s::server_clock", [clock])
    # all are taken except the two spellings Etc/GMT0 and Etc/GMT±0 and hours behind Etc/GMT±n
    assert len(taken) > 3 * 400
    cut = db.execute(
        "SELECT c.clock, clock_zone(c.clock), date_part('hour', clock_shift(c.clock))"
        " FROM unnest(%s::server_clock[]) AS c (clock)",
        [[clock for clock, *_ in taken]],
    ).fetchall()
    assert cut == taken


def moments() -> list[datetime]:
    """Quarters of hours of two years."""
    chance = random.Random(1)
    start = datetime(2024, 1, 1, tzinfo=UTC)
    return sorted(start + timedelta(minutes=15) * chance.randrange(4 * 24 * 366 * 2)
                  for _ in range(4000))  # fmt: skip


@pytest.mark.parametrize("clock", CLOCKS)
def test_clock_shows_what_the_zone_and_its_hours_show(db: psycopg.Connection, clock: str) -> None:
    zone, hours = server_clock.parse(clock)
    ahead = timedelta(hours=hours)
    asked = moments()
    found = db.execute(
        "SELECT utc_to_clock(m.at, %(clock)s), clock_to_utc(utc_to_clock(m.at, %(clock)s),"
        " %(clock)s), is_clock_ambiguous(utc_to_clock(m.at, %(clock)s), %(clock)s)"
        " FROM unnest(%(moments)s::timestamptz[]) WITH ORDINALITY AS m (at, n) ORDER BY m.n",
        {"clock": clock, "moments": asked},
    ).fetchall()
    for at, (shown, back, ambiguous) in zip(asked, found, strict=True):
        local = at.astimezone(ZoneInfo(zone))
        assert shown == local.replace(tzinfo=None) + ahead
        first = local.replace(fold=0).astimezone(UTC)
        second = local.replace(fold=1).astimezone(UTC)
        assert ambiguous == (first != second)
        assert back.astimezone(UTC) == second  # of an hour that comes twice the later one


@pytest.mark.parametrize("clock", CLOCKS)
def test_deals_are_read_by_the_same_clock(db: psycopg.Connection, clock: str) -> None:
    db.execute("INSERT INTO mt5_server_clocks (server, clock) VALUES ('x', %s)", [clock])
    days = [at.replace(tzinfo=None) for at in moments()]
    found = db.execute(
        "SELECT count(*) FILTER (WHERE s.utc = clock_to_utc(d.at, k.clock)"
        " AND s.is_ambiguous = is_clock_ambiguous(d.at, k.clock))"
        " FROM (SELECT %s::server_clock AS clock OFFSET 0) AS k"
        " CROSS JOIN unnest(%s::timestamp[]) AS d (at)"
        " CROSS JOIN LATERAL mt5_server_time('x', (extract(epoch FROM d.at) * 1000)::bigint) AS s",
        [clock, days],
    ).fetchone()
    assert found == (len(days),)


@pytest.mark.parametrize(
    ("clock", "skipped", "utc"),
    [
        ("Europe/Athens", "2024-03-31 03:30", "2024-03-31 01:30+00"),
        ("America/New_York+7", "2024-03-10 09:30", "2024-03-10 07:30+00"),
    ],
)
def test_time_that_a_clock_skips_is_read_by_the_offset_before(
    db: psycopg.Connection, clock: str, skipped: str, utc: str
) -> None:
    assert db.execute(
        "SELECT clock_to_utc(%(at)s, %(clock)s) = %(utc)s, is_clock_ambiguous(%(at)s, %(clock)s)",
        {"at": skipped, "clock": clock, "utc": utc},
    ).fetchone() == (True, False)


@pytest.mark.parametrize(
    "call",
    ["clock_zone(c.clock)", "clock_shift(c.clock)", "clock_to_utc('2024-01-01', c.clock)",
     "utc_to_clock(c.created_at, c.clock)", "is_clock_ambiguous('2024-01-01', c.clock)",
     "clock_day_start('2024-01-01', c.clock)"],
)  # fmt: skip
def test_clocks_are_read_within_the_query(db: psycopg.Connection, call: str) -> None:
    """A call of a function for each row costs more than what the function does."""
    plan = db.execute(f"EXPLAIN (VERBOSE) SELECT {call} FROM market_series AS c").fetchall()
    text = "\n".join(line for (line,) in plan)
    assert "rtrim" in text
    assert call.split("(")[0] not in text


def test_every_clock_is_of_the_domain(db: psycopg.Connection) -> None:
    found = db.execute(
        "SELECT a.attrelid::regclass::text, a.attname, a.atttypid::regtype::text"
        " FROM pg_attribute AS a JOIN pg_class AS c ON c.oid = a.attrelid"
        " WHERE c.relkind IN ('r', 'p') AND NOT a.attisdropped AND a.attnum > 0"
        " AND c.relnamespace::regnamespace::text IN ('public', 'internal', 'monitoring')"
        " AND a.attname ~ '(^|_)(clock|zone)$' ORDER BY 1"
    ).fetchall()
    assert {table for table, *_ in found} == {
        "journal_entries", "market_calendar_clocks", "market_series",
        "mt5_server_clocks", "risk_rules", "risk_templates",
    }  # fmt: skip
    assert {kind for *_, kind in found} == {"server_clock"}


def test_only_the_functions_of_clocks_take_a_clock_apart(db: psycopg.Connection) -> None:
    found = db.execute(
        "SELECT p.proname FROM pg_proc AS p WHERE p.prokind <> 'a'"
        " AND pg_get_functiondef(p.oid) ~* 'etc/gmt'"
        " AND p.pronamespace::regnamespace::text IN ('public', 'internal', 'monitoring')"
    ).fetchall()
    assert found == [("clock_zone",)]


def test_two_loads_that_begin_together_keep_one_clock(connect_as: Callable) -> None:
    """The second waits for the first, and is told where it names another clock."""
    first, second, watcher = (connect_as(autocommit=one == 2) for one in range(3))
    server_clock.settle(first, "Broker-Live", "NY+7")
    with ThreadPoolExecutor(1) as pool:
        said = pool.submit(server_clock.settle, second, "Broker-Live", "NY+7")
        waits(watcher, second)
        first.commit()
        assert said.result(timeout=60) == "America/New_York+7"
    with pytest.raises(Failure, match=r"^Broker-Live runs by America/New_York\+7, not by UTC\+3"):
        server_clock.settle(second, "Broker-Live", "UTC+3")
