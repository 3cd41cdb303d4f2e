"""What is to be known of a file of bars before a line of it is written: series, clock, volume.

Each answer comes from an option, the maker's form, the file's own values or the database, in this
order, and is said. What nothing tells is refused with the option that does.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import pairwise

import psycopg

from bar_files import TICKS, BarFile, frame_of_period, guess
from bar_shapes import DAY
from bar_times import Times, Votes, joined
from bar_values import whole_file
from cli import Failure

LONG_FRAMES = ("H2", "H3", "H4", "H6", "H8", "H12", "D1", "W1", "MN1")
HINTED = 100_000
# At whose midnight daily bars begin. Zones that never change their clocks are among the hours.
DAY_CLOCKS = (
    "America/New_York+7", "Europe/Athens", "Europe/London", "Europe/Berlin", "America/New_York",
    "America/Chicago", "Australia/Sydney", *(f"UTC{hours:+d}" for hours in range(-12, 15) if hours),
)  # fmt: skip


@dataclass
class Asked:
    """What the caller says of all files."""

    symbol: str | None = None
    timeframe: str | None = None
    clock: str | None = None
    day_clock: str | None = None
    source: str | None = None


@dataclass
class Plan:
    """A file with all that is known of it."""

    file: BarFile
    symbol: str
    timeframe: str
    clock: str | None = None  # of times without a zone; None where all have one
    series_clock: str = "UTC"
    to_midnight: bool = False  # daily bars stamped at another hour go to the midnight before
    said: list[str] = field(default_factory=list)

    @property
    def by_moment(self) -> bool:
        """Whether the times of the file go by another clock than the days of its series."""
        return self.to_midnight or self.clock not in (None, self.series_clock)


@dataclass
class Survey:
    """What the whole file shows."""

    votes: Votes = field(default_factory=Votes)
    lines: int = 0
    part: tuple[int, str] | None = None  # the first volume with decimals
    tickers: Counter = field(default_factory=Counter)
    periods: Counter = field(default_factory=Counter)
    times: list[tuple[str, str]] = field(default_factory=list)


def survey(file: BarFile, every_time: bool) -> Survey:
    """Read a file once for what only all of its lines tell."""
    layout, found = file.layout, Survey()
    for number, fields in whole_file(layout, file.blocks()):
        found.lines += 1
        if "ticker" in fields:
            ticker = fields["ticker"].strip()
            found.tickers[ticker] += 1
            if layout.ticker and ticker != layout.ticker:
                continue
        if "per" in fields:
            found.periods[fields["per"].strip()] += 1
        if not layout.order:
            found.votes.add(number, fields["when"].strip())
        if found.part is None and "." in fields.get("traded", ""):
            try:
                volume = Decimal(fields["traded"].strip())
                found.part = (number, fields["traded"]) if volume % 1 else None
            except InvalidOperation:
                pass  # the line is rejected for it
        if every_time or len(found.times) < HINTED:
            found.times.append((fields["when"].strip(), fields.get("clock", "").strip()))
    return found


class Planner:
    """Plans files one after the other: those of one series go by one clock."""

    def __init__(self, connection: psycopg.Connection, asked: Asked) -> None:
        self.connection, self.asked = connection, asked
        self.planned: dict[tuple[str, str], str] = {}

    def plan(self, file: BarFile) -> Plan:
        """All that is to be known of a file. Raises Failure, naming it, where something is not."""
        try:
            return self.find(file)
        except ValueError as error:
            raise Failure(f"{file.name}: {error}") from None

    def find(self, file: BarFile) -> Plan:
        """The same; raises ValueError where something is not known."""
        layout, said = file.layout, [file.layout.form]
        symbol, timeframe = self.series_of_name(file)
        long = not layout.ticks and not layout.server and timeframe in (None, *LONG_FRAMES)
        found = None
        if (
            long or file.packed or not layout.order or {"ticker", "per"} & set(layout.columns)
            or ("traded" in layout.columns and not layout.volume)
        ):  # fmt: skip
            found = survey(file, long)
            if not found.lines:
                raise ValueError("no line has as many fields as the header")
            if not layout.order:
                layout.order, why = found.votes.order()
                said += [why] if why else []
            symbol, timeframe = self.series_of_lines(file, found, symbol, timeframe, said)
        said += self.decide_volume(file, found)
        if not symbol:
            raise ValueError("the name does not tell, give --symbol")
        if not timeframe:
            step = f" (lines are {self.step(file, found)} apart at least)" if found else ""
            raise ValueError(f"the name does not tell, give --timeframe{step}")
        plan = Plan(file, symbol, timeframe, said=said)
        self.decide_clock(plan, found)
        said += layout.notes
        if layout.ignored:
            said.append(f"columns left out: {', '.join(layout.ignored)}")
        self.planned[symbol, timeframe] = plan.series_clock
        return plan

    def series_of_name(self, file: BarFile) -> tuple[str | None, str | None]:
        """Symbol and timeframe of the options, else of the name."""
        symbol, timeframe = guess(file.member or file.path)
        if file.member and not (symbol and timeframe):
            outer = guess(file.path)
            symbol, timeframe = symbol or outer[0], timeframe or outer[1]
        if re.search(r"(^|_)DAT_MT_", (file.member or file.path.name)) and file.layout.server:
            file.layout.form, file.layout.clock = "HistData, form of MT4", "UTC-5"
            file.layout.server = False
        symbol = self.asked.symbol or file.layout.symbol or symbol
        if file.layout.ticks:
            return symbol, TICKS
        return symbol, self.asked.timeframe or (None if timeframe == TICKS else timeframe)

    def series_of_lines(
        self, file: BarFile, found: Survey, symbol: str | None, timeframe: str | None, said: list
    ) -> tuple[str | None, str | None]:
        """Symbol and timeframe of the lines, where they name them. Raises ValueError."""
        chosen = file.layout.ticker
        if len(found.tickers) > 1 and not chosen:
            names = ", ".join(list(found.tickers)[:5])
            raise ValueError(f"holds {len(found.tickers)} symbols ({names} …): give --ticker")
        if chosen and chosen not in found.tickers:
            raise ValueError(f"holds no {chosen}, but {', '.join(list(found.tickers)[:5])}")
        if found.tickers and not self.asked.symbol:
            symbol = chosen or next(iter(found.tickers))
            said.append("symbol by its lines")
        frames = {frame_of_period(period) for period in found.periods}
        if len(frames) > 1:
            raise ValueError(f"holds periods {', '.join(found.periods)}: split it")
        frame = next(iter(frames), None)
        if frame and not self.asked.timeframe:
            if timeframe and frame != timeframe:
                raise ValueError(f"its name says {timeframe}, its lines {frame}: give --timeframe")
            timeframe = frame
        return symbol, timeframe

    def decide_volume(self, file: BarFile, found: Survey | None) -> list[str]:
        """Where the one volume of a file goes. Raises ValueError where nothing tells it."""
        layout = file.layout
        if "traded" in layout.columns:
            if not layout.volume and found and found.part:
                raise ValueError(
                    f"volumes have decimals (line {found.part[0]}: {found.part[1]}): give --volume"
                    " real (kept exactly, as real_volume) or --volume round (whole, as volume)"
                )
            layout.volume = layout.volume or "whole"
        if layout.volume == "real" and "traded" in layout.columns:
            return ["volume kept as real_volume"]
        if {"volume", "real_volume"} <= set(layout.columns) and not layout.server:
            return ["trades kept as volume, volume as real_volume"]
        return []

    def step(self, file: BarFile, found: Survey) -> str:
        """The shortest time between two lines, as a hint."""
        moments = sorted(set(self.moments(file, found)))
        steps = [two - one for one, two in pairwise(moments)]
        return str(min(steps)) if steps else "no time"

    def moments(self, file: BarFile, found: Survey) -> list:
        """The times of a file that can be read."""
        layout = file.layout
        times = Times(layout.order, layout.as_clock, layout.short)
        read = []
        for when, clock in found.times:
            try:
                read.append(times.read(joined(when, clock)))
            except ValueError:
                continue  # the line is rejected for it
        zoned = bool(read) and read[0].tzinfo is not None
        return [moment for moment in read if (moment.tzinfo is not None) == zoned]

    def decide_clock(self, plan: Plan, found: Survey | None) -> None:
        """By which clock the times are read and the days of the series begin. Raises ValueError."""
        layout, asked = plan.file.layout, self.asked
        times = Times(layout.order, layout.as_clock, layout.short)
        fields = dict(zip(layout.columns, layout.sample, strict=False))
        try:
            zoned = times.read(joined(fields["when"], fields.get("clock", ""))).tzinfo is not None
        except (ValueError, KeyError):
            zoned = False
        there = self.series_clock(plan)
        rule = self.server_rule()
        if zoned and layout.ticks:
            if {asked.clock or "UTC", there or "UTC"} != {"UTC"}:
                raise ValueError("its times name their zone: ticks of it go by the clock UTC")
            plan.clock, why = "UTC", "its times name their zone"
        elif zoned:
            plan.clock, why = None, "its times name their zone"
        elif asked.clock:
            if rule and rule != asked.clock:
                raise ValueError(
                    f"the clock of {asked.source} is {rule} (mt5_server_clocks), not {asked.clock}"
                )
            plan.clock, why = asked.clock, ""
        elif layout.clock and not layout.server:
            plan.clock, why = layout.clock, "its maker's; --clock reads them otherwise"
        elif rule:
            plan.clock, why = rule, f"the rule of {asked.source} in mt5_server_clocks"
        elif there:
            plan.clock, why = there, "of the series"
        elif layout.bare and found and self.bare(found) and plan.timeframe in LONG_FRAMES[-3:]:
            plan.clock, why = "UTC", "dates without a time, kept as they are; --clock otherwise"
        else:
            raise ValueError(
                "nothing tells by which clock its times are: give --clock, such as NY+7 (most"
                " brokers), Europe/Athens or UTC"
            )
        plan.said.append(f"clock {plan.clock or 'UTC'}" + (f" ({why})" if why else ""))
        plan.series_clock = (
            asked.day_clock or there or (asked.clock if zoned else None) or plan.clock or "UTC"
        )
        if asked.clock and there and not zoned and not asked.day_clock:
            plan.series_clock = asked.clock  # refused by the database where it is another
        if found and plan.timeframe in LONG_FRAMES and not layout.server:
            self.decide_days(plan, found, bool(there or asked.day_clock))

    def bare(self, found: Survey) -> bool:
        """Whether no line has a time of day but midnight."""
        return all(
            (DAY.fullmatch(when) or re.fullmatch(r"\d{6}", when)) and not clock.strip("0:.")
            for when, clock in found.times
        )

    def series_clock(self, plan: Plan) -> str | None:
        """The clock of a series that is there. Raises ValueError where its source is another."""
        series = plan.symbol, plan.timeframe
        if series in self.planned:
            return self.planned[series]
        row = self.connection.execute(
            "SELECT clock, source FROM market_series WHERE symbol = %s AND timeframe = %s", series
        ).fetchone()
        if row and row[1] and self.asked.source and row[1] != self.asked.source:
            raise ValueError(
                f"bars of {' '.join(series)} come from {row[1]}, not from {self.asked.source}"
                f" (name the series apart: --symbol {plan.symbol}.{self.asked.source})"
            )
        return row[0] if row else None

    def server_rule(self) -> str | None:
        """The clock that deals of the source go by: its rule, else what read its deals.

        Raises ValueError where its rules change with time, which one --clock can't follow.
        """
        if not self.asked.source:
            return None
        rules = self.connection.execute(
            "SELECT zone, date_part('epoch', shift) / 3600 FROM mt5_server_clocks"
            " WHERE server = %s ORDER BY valid_from",
            [self.asked.source],
        ).fetchall()
        if (
            not rules
            and self.connection.execute(
                "SELECT FROM mt5_accounts AS a WHERE a.server = %s"
                " AND EXISTS (SELECT FROM trading_deals AS d WHERE d.account_id = a.id)",
                [self.asked.source],
            ).fetchone()
        ):
            return "America/New_York+7"  # as mt5_server_time() reads deals without a rule
        if len(set(rules)) > 1 or (rules and rules[0][1] % 1):
            if not self.asked.clock:
                raise ValueError(
                    f"{self.asked.source} has more than one rule in mt5_server_clocks: split the"
                    " file where they change, and give --clock"
                )
            return None
        return f"{rules[0][0]}{int(rules[0][1]):+d}".removesuffix("+0") if rules else None

    def decide_days(self, plan: Plan, found: Survey, fixed: bool) -> None:
        """At whose midnight the bars begin, where they do not by the clock of their times."""
        moments = self.moments(plan.file, found)
        if not moments:
            return
        odd = self.odd_times(plan, moments, [plan.series_clock])
        if odd[plan.series_clock] * 2 <= len(moments):
            return  # the odd ones are rejected, line by line
        odd = self.odd_times(plan, moments, list(DAY_CLOCKS))
        stamped = sorted({f"{m:%H:%M}" for m in moments})
        shown = ", ".join(stamped[:3]) + (" …" if len(stamped) > 3 else "")
        fits = [clock for clock in DAY_CLOCKS if not odd[clock]]
        if self.asked.day_clock and plan.timeframe in LONG_FRAMES[-3:]:
            plan.to_midnight = True
            plan.said.append(f"stamped {shown}, moved to the midnight of {plan.series_clock}")
        elif len(fits) == 1 and not fixed:
            plan.series_clock = fits[0]
            plan.said.append(f"days by {fits[0]}, as all of its times; --day-clock otherwise")
        else:
            such = " or ".join(fits[:4] or ["America/New_York"])
            raise ValueError(
                f"its bars are stamped {shown}, where no {plan.timeframe} begins by"
                f" {plan.series_clock}: give --day-clock, such as {such}"
            )

    def odd_times(self, plan: Plan, moments: list, clocks: list[str]) -> dict[str, int]:
        """How many of these moments are no beginning of a bar by each of these clocks."""
        return dict(
            self.connection.execute(
                "WITH moments AS MATERIALIZED (SELECT CASE WHEN %(clock)s::text IS NULL"
                " THEN t::timestamptz ELSE bar_clock_moment(t::timestamp, %(clock)s) END AS moment"
                " FROM unnest(%(texts)s::text[]) AS x (t))"
                " SELECT c.clock, count(m.moment) FILTER (WHERE (date_part('epoch',"
                " bar_clock_time(m.moment, c.clock)) * 1000000)::bigint %% (1000000"
                " * least(date_part('epoch', timeframe_length(%(frame)s)), 86400)::bigint) <> 0)"
                " FROM unnest(%(clocks)s::text[]) AS c (clock) CROSS JOIN moments AS m"
                " GROUP BY c.clock",
                {
                    "clock": None if moments[0].tzinfo else plan.clock,
                    "texts": [m.isoformat(" ") for m in moments],
                    "frame": plan.timeframe,
                    "clocks": clocks,
                },
            ).fetchall()
        )
