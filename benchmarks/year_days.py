"""Days and nights of benchmarks/year.py: rows through the doors, then what is due each night.

The year ends today, so that no clock but the machine's is needed: rows carry their simulated time,
and what asks now() for ages (monitoring.lifecycle) is given ages that are longer by the days that
are still to come. Events, which carry the time of the server, are moved into their day.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from time import perf_counter, time
from typing import NamedTuple

import psycopg

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "scripts")]

import year_rows
from loads import install_ours, make_empty
from rubi import connecting
from rubi.archives import archiving
from rubi.capacity import Platform
from rubi.cli import Failure, console
from rubi.deploying import applying, sqlfiles
from server import Server
from year_rows import API, DOORS, GATEWAY

DATABASE = "year"
DAY = timedelta(days=1)


# What is due each so many days; 0: as often as proofs are asked.
NIGHTLY = {
    "chunks ahead": (1, "CALL monitoring.make_snapshot_chunks(%(end)s, %(ahead)s)"),
    "expire signals": (1, "CALL expire_signals()"),
    "fold bars": (1, "SELECT fold_bar_changes()"),
    "resample": (1, "CALL refresh_resampled_bars()"),
    "results": (1, "SELECT refresh_performance_metrics(%(begin)s, %(end)s)"),
    "readings": (0, "SELECT monitoring.take_readings()"),
    "cluster": (7, "CALL cluster_closed_chunks(%(closed)s)"),
}


class Step(NamedTuple):
    """A night's work, and when, seconds since 1970."""

    name: str
    since: float
    until: float


# What autovacuum, which looks each 30 seconds of the machine's time, would have done by evening.
DEAD = """
SELECT s.relid::regclass::text
FROM pg_stat_all_tables AS s
INNER JOIN pg_class AS c ON s.relid = c.oid
LEFT JOIN LATERAL pg_options_to_table(c.reloptions) AS o
    ON o.option_name = 'autovacuum_vacuum_scale_factor'
WHERE s.n_dead_tup > 50 + coalesce(o.option_value::float, 0.2) * greatest(c.reltuples, 0)
"""


@dataclass(frozen=True)
class Size:
    """A platform: the issue's 200 accounts, 60 symbols, ticks of 10, or a part of it."""

    scale: float
    days: int
    hours: int = 1
    """Of rows in a call of a door."""

    @property
    def accounts(self) -> int:
        """Accounts with a user and a strategy each."""
        return max(2, round(200 * self.scale))

    @property
    def symbols(self) -> int:
        """Symbols whose M1 bars come."""
        return max(1, round(60 * self.scale))

    @property
    def tick_symbols(self) -> int:
        """Symbols whose ticks come."""
        return max(1, round(10 * self.scale))

    @property
    def ticks(self) -> int:
        """Ticks of a symbol and hour, of 50,000 a day at full scale."""
        return max(1, round(500_000 * self.scale / 24 / self.tick_symbols))

    @property
    def trips(self) -> int:
        """Positions opened and closed a day: a million a year, two orders and two deals each."""
        return max(2, round(1_000_000 / 365 * self.scale))

    def planned(self) -> Platform:
        """The same for scripts/capacity.py."""
        ticks = self.tick_symbols * self.ticks * 24
        trips = self.trips / self.accounts
        # a trip: two orders and two deals that are new, a position that is new and closed
        return Platform(
            accounts=self.accounts, symbols=self.symbols, ticks=round(ticks / self.symbols),
            signals=trips, orders=trips, events=6 * trips,
            # a night's results are also those of the seed's administrator
            results=2 + 1 / self.accounts,
            # nobody writes a journal, and no terminal asks for terms
            rates=0, notes=0,
        )  # fmt: skip


def join(connection: psycopg.Connection, at: datetime, day: int, first: int, last: int) -> None:
    """Users come, their terminals log in."""
    values = {"first": first, "last": last, "day": day, "at": at}
    for role, query in (
        (API, year_rows.JOIN_API), ("postgres", year_rows.JOIN_PLATFORM),
        (GATEWAY, year_rows.LOG_IN), ("postgres", year_rows.KNOW_ACCOUNTS),
        (GATEWAY, year_rows.DEPOSIT), ("postgres", "SELECT"),
    ):  # fmt: skip
        connection.execute(f"SET LOCAL ROLE {role}")
        connection.execute(query, values)


class Year:
    """The database, and where it is in the year."""

    def __init__(self, server: Server, size: Size) -> None:
        self.server = server
        self.size = size
        self.archive = server.folder / "archive"
        self.log = server.folder / "days.jsonl"

    def superuser(self, database: str = DATABASE) -> psycopg.Connection:
        """The benchmark's own hand."""
        return self.server.connect(database)

    def owner(self, database: str = DATABASE) -> str:
        """Connection string of the administrator, who runs what is due each night."""
        return self.server.dsn(database, "rubi_admin")

    def make(self) -> None:
        """An installed database with the platform on its first morning."""
        with self.server.connect() as connection:
            connection.execute("CREATE ROLE rubi_admin LOGIN CREATEDB CREATEROLE")
            connection.execute("GRANT pg_monitor TO rubi_admin WITH ADMIN OPTION")
        make_empty(self.server, DATABASE)
        install_ours(self.server, DATABASE)
        today = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        begin = today - self.size.days * DAY
        with self.superuser() as connection, connection.transaction():
            connection.execute(year_rows.SCHEMA)
            # data.sql, which a copy gets before the mix runs on it, gives ids of its own
            for table in ("users", "trading_strategies", "trading_signals", "trading_orders"):
                connection.execute(
                    "SELECT setval(pg_get_serial_sequence(%s, 'id'), 100000)", [table]
                )
            connection.execute("CREATE TABLE benchmark.ages AS TABLE monitoring.lifecycle")
            connection.execute("INSERT INTO mt5_server_clocks (server, clock)"
                               " VALUES ('Year-Live', 'UTC')")  # fmt: skip
            connection.execute(
                "INSERT INTO market_rollups (symbol, timeframe, from_timeframe)"
                " SELECT format('Y%%s', s), 'H1', 'M1' FROM generate_series(1, %s) AS s",
                [self.size.symbols],
            )
            join(connection, begin, 1, 1, self.size.accounts)
            connection.execute("INSERT INTO benchmark.progress VALUES (%s, 1, 0)", [begin])
        with self.superuser() as connection:
            connection.execute("VACUUM ANALYZE")

    def position(self) -> tuple[datetime, int, int]:
        """The first morning, and day and hour that are to come."""
        with self.superuser() as connection:
            return connection.execute("SELECT * FROM benchmark.progress").fetchone()

    def run(self, until: int, proofs: int, told: Callable[[str], object]) -> None:
        """Go on from where the year is to the end of a day."""
        begin, day, hour = self.position()
        # one session for all days, as a gateway's: what it has compiled and planned stays
        with self.superuser() as connection:
            connection.execute("SET timezone = 'UTC'")
            while day <= until:
                began = perf_counter()
                found = {"day": day, "doors": self.write_day(connection, begin, day, hour)}
                rows = perf_counter() - began
                night = self.night(begin, day, proofs)
                found["night"] = {step.name: step.until - step.since for step in night}
                with self.log.open("a") as log:
                    log.write(json.dumps(found) + "\n")
                connection.execute("UPDATE benchmark.progress SET day = day + 1, hour = 0")
                told(f"day {day}: rows {rows:.1f} s, night {sum(found['night'].values()):.1f} s")
                day, hour = day + 1, 0

    def write_day(
        self, connection: psycopg.Connection, begin: datetime, day: int, hour: int
    ) -> dict[str, list[float]]:
        """The hours of a day that are to come, some in a call of each door, and the evening's
        balances; answers rows, seconds and processor seconds of each door."""
        figures = {door.name: [0.0, 0.0, 0.0] for door in DOORS}
        size = self.size
        for now in (*range(hour, 24, size.hours), 24):
            at = begin + (day - 1) * DAY + timedelta(hours=now)
            values = {
                "at": at, "day": day, "hour": now, "symbols": size.symbols, "trips": size.trips,
                "tick_symbols": size.tick_symbols, "ticks": size.ticks,
                "hours": min(size.hours, 24 - now),
            }  # fmt: skip
            # a transaction each, as from clients: what one leaves dead the next may clear away
            for door in DOORS if now < 24 else ():
                with connection.transaction():
                    connection.execute(f"SET LOCAL ROLE {door.role}")
                    with measured(connection, figures[door.name]) as cursor:
                        cursor.execute(door.query, values)
            if now == 24:
                with connection.transaction():
                    self.close_day(connection, values | {"today": begin + size.days * DAY})
                    connection.execute("UPDATE benchmark.progress SET hour = 25")
            else:
                connection.execute(
                    "UPDATE benchmark.progress SET hour = %s", [min(now + size.hours, 24)]
                )
        return figures

    def close_day(self, connection: psycopg.Connection, values: dict) -> None:
        """The evening: balances after the day's deals; each 30 days a user goes, another comes."""
        day, at = values["day"], values["at"]
        for role, query in (
            ("postgres", year_rows.BALANCES), (GATEWAY, year_rows.LOG_IN),
        ):  # fmt: skip
            connection.execute(f"SET LOCAL ROLE {role}")
            connection.execute(query, values)
        if day % 30 == 0:
            connection.execute("SET LOCAL ROLE postgres")
            connection.execute(
                "UPDATE benchmark.platform SET left_on = %s WHERE n = ("
                "SELECT n FROM benchmark.platform WHERE left_on IS NULL"
                " ORDER BY joined DESC, n LIMIT 1)", [day + 1]
            )  # fmt: skip
            (last,) = connection.execute("SELECT max(n) FROM benchmark.platform").fetchone()
            join(connection, at, day + 1, last + 1, last + 1)
            connection.execute(f"SET LOCAL ROLE {API}")
            connection.execute(year_rows.LEAVE, {"day": day + 1})
            connection.execute("SET LOCAL ROLE postgres")
            connection.execute(year_rows.LEFT, {"day": day + 1, "at": at})
        connection.execute("SET LOCAL ROLE postgres")
        connection.execute(year_rows.SHIFT_EVENTS, values)

    def night(
        self, begin: datetime, day: int, proofs: int, database: str = DATABASE, older: int = 0
    ) -> list[Step]:
        """What is due each night, week and month. With older so many days more have passed for
        lifecycle, and what is due each week is done, whatever the day."""
        end = begin + day * DAY
        later = datetime.now(UTC) - end - older * DAY
        done: list[Step] = []
        with self.superuser(database) as connection:
            connection.execute(
                "UPDATE monitoring.lifecycle AS l SET keep_full = a.keep_full + %(later)s,"
                " keep_hourly = a.keep_hourly + %(later)s FROM benchmark.ages AS a"
                " WHERE l.relation = a.relation AND a.keep_full IS NOT NULL",
                {"later": later},
            )
            if database == DATABASE:
                for (table,) in connection.execute(DEAD).fetchall():
                    connection.execute(f"VACUUM ANALYZE {table}")
        with psycopg.connect(self.owner(database), autocommit=True) as connection:
            connection.execute("SET client_min_messages = warning")
            for name, (each, query) in NIGHTLY.items():
                if day % (each or proofs) and not older:
                    continue
                with timed(done, name):
                    connection.execute(query, {
                        "begin": end - DAY, "end": end, "ahead": end + 14 * DAY,
                        "closed": later + 7 * DAY,
                    })  # fmt: skip
            if day % proofs == 0 and not older:
                with timed(done, "proofs"):
                    self.prove(connection, day)
        archive = self.archive if database == DATABASE else self.archive.with_name(database)
        archive.mkdir(exist_ok=True)
        console.quiet = True
        try:
            with timed(done, "archive"):
                archiving.write_due(str(archive), self.owner(database), None)
            with timed(done, "lifecycle"):
                archiving.drop_archived(str(archive), self.owner(database))
            if day % 28 == 0 and not older:
                with timed(done, "deploy"):
                    self.deploy()
        finally:
            console.quiet = False
        return done

    def prove(self, connection: psycopg.Connection, day: int) -> None:
        """All proofs hold, and the owner's lifecycle has nothing left to do but what waits."""
        wrong = connection.execute(
            "SELECT name, violations FROM monitoring.proofs WHERE violations > 0"
        ).fetchall()
        if wrong:
            raise Failure(f"day {day}: {wrong}")

    def deploy(self) -> None:
        """Every file of the repository again, as a release whose files have all changed."""
        with connecting.connect(self.owner()) as connection:
            for file in sqlfiles.read_files():
                if not file.once:
                    applying.apply_file(connection, file)

    def days(self) -> list[dict]:
        """What each day took."""
        if not self.log.exists():
            return []
        return [json.loads(line) for line in self.log.read_text().splitlines()]


def processor_seconds(pid: int) -> float:
    """Processor time of a backend: what a loaded machine changes least."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


@contextmanager
def measured(connection: psycopg.Connection, figures: list[float]) -> Iterator[psycopg.Cursor]:
    """Add a statement's rows, seconds and processor seconds."""
    cursor = connection.cursor()
    before, began = processor_seconds(connection.info.backend_pid), perf_counter()
    yield cursor
    figures[1] += perf_counter() - began
    figures[2] += processor_seconds(connection.info.backend_pid) - before
    figures[0] += float(
        (cursor.fetchone()[0] or 0) if cursor.description else max(cursor.rowcount, 0)
    )


@contextmanager
def timed(done: list[Step], name: str) -> Iterator[None]:
    """Note when a block began and ended."""
    began = time()
    yield
    done.append(Step(name, began, time()))
