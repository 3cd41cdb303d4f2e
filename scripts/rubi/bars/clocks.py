"""The clock that reads the times of a file of bars, and the clock whose midnight begins days."""

from dataclasses import dataclass, field

import psycopg

from rubi import server_clock
from rubi.bars.files import TIMEFRAMES, BarFile
from rubi.bars.layouts import Options
from rubi.bars.survey import Survey
from rubi.bars.times import Times, joined
from rubi.queries import queries

SQL = queries(__file__)

LONG_FRAMES = TIMEFRAMES[TIMEFRAMES.index("H2") :]
# Clocks whose midnight may begin daily bars. Zones without daylight saving are among the hours.
DAY_CLOCKS = (
    "America/New_York+7", "Europe/Athens", "Europe/London", "Europe/Berlin", "America/New_York",
    "America/Chicago", "Australia/Sydney", *(f"UTC{hours:+d}" for hours in range(-12, 15) if hours),
)  # fmt: skip


@dataclass
class Plan:
    file: BarFile
    symbol: str
    timeframe: str
    clock: str | None = None  # of times without a zone; None where all times have one
    series_clock: str = "UTC"
    to_midnight: bool = False  # daily bars stamped at another hour go to the midnight before
    keeps_rule: bool = False  # the clock is the first rule of the source, a trade server
    said: list[str] = field(default_factory=list)

    @property
    def by_moment(self) -> bool:
        """Whether the times of the file go by another clock than the days of its series."""
        return self.to_midnight or self.clock not in (None, self.series_clock)


class Clocks:
    """Finds the clocks of files one after the other: the files of one series share a clock."""

    def __init__(self, connection: psycopg.Connection, asked: Options) -> None:
        self.connection, self.asked = connection, asked
        self.planned: dict[tuple[str, str], str] = {}

    def decide(self, plan: Plan, found: Survey | None) -> None:
        """The clocks that read the times and begin the series' days. Raises ValueError."""
        layout, asked = plan.file.layout, self.asked
        times = Times(layout.order, layout.as_clock, layout.short)
        fields = dict(zip(layout.columns, layout.sample, strict=False))
        try:
            zoned = times.read(joined(fields["when"], fields.get("clock", ""))).tzinfo is not None
        except (ValueError, KeyError):
            zoned = False
        there = self.series_clock(plan)
        rule = self.server_rule() if layout.server or not zoned else None
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
        elif layout.bare and found and found.bare() and plan.timeframe in LONG_FRAMES[-3:]:
            plan.clock, why = "UTC", "dates without a time, kept as they are; --clock otherwise"
        else:
            raise ValueError(
                "the clock of its times is not known: give --clock, such as NY+7 (most"
                " brokers), Europe/Athens or UTC"
            )
        plan.said.append(f"clock {plan.clock or 'UTC'}" + (f" ({why})" if why else ""))
        plan.series_clock = (
            asked.day_clock or there or (asked.clock if zoned else None) or plan.clock or "UTC"
        )
        if not zoned and not asked.day_clock and there not in (None, asked.clock or there):
            raise ValueError(
                f"bars of {plan.symbol} {plan.timeframe} go by the clock {there}, not {asked.clock}"
                " (give that, or name the series apart with --symbol)"
            )
        plan.keeps_rule = bool(layout.server and asked.source and asked.clock and not rule)
        if found and plan.timeframe in LONG_FRAMES and not layout.server:
            self.decide_days(plan, found, bool(there or asked.day_clock))
        self.planned[plan.symbol, plan.timeframe] = plan.series_clock

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
        """The clock of the source's deals: its rule, else the clock that read them.

        Raises ValueError where its rules change with time, which one --clock can't follow.
        """
        source = self.asked.source
        if not source:
            return None
        rules = set(server_clock.rules(self.connection, source))
        if (
            not rules
            and self.connection.execute(
                "SELECT 1 FROM mt5_accounts AS a WHERE a.server = %s"
                " AND EXISTS (SELECT FROM trading_deals AS d WHERE d.account_id = a.id)",
                [source],
            ).fetchone()
        ):
            return "America/New_York+7"  # as mt5_server_time() reads deals without a rule
        if len(rules) > 1:
            if not self.asked.clock:
                raise ValueError(
                    f"{source} has more than one rule in mt5_server_clocks: split the file where"
                    " they change, and give --clock"
                )
            return None
        return rules.pop() if rules else None

    def decide_days(self, plan: Plan, found: Survey, fixed: bool) -> None:
        """The clock whose midnight begins the bars, where the clock of their times does not."""
        moments = found.moments(plan.file.layout)
        if not moments:
            return
        odd = self.odd_times(plan, moments, [plan.series_clock])
        if odd[plan.series_clock] * 2 <= len(moments):
            return  # odd times are rejected, line by line
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
        """The number of these moments that begin no bar, by each of these clocks."""
        return dict(
            self.connection.execute(
                SQL.ODD_TIMES,
                {
                    "clock": None if moments[0].tzinfo else plan.clock,
                    "texts": [m.isoformat(" ") for m in moments],
                    "frame": plan.timeframe,
                    "clocks": clocks,
                },
            ).fetchall()
        )
