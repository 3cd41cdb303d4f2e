"""Facts about a file of bars that are needed before a line is written: series, volume, clock.

Each answer comes from an option, the maker's form, the file's own values or the database, in this
order, and is said. A file that leaves a fact open is refused, and the message names the option for
it.
"""

import re

import psycopg

from rubi.bars.clocks import LONG_FRAMES, Clocks, Plan
from rubi.bars.files import TICKS, BarFile, frame_of_period, guess
from rubi.bars.layouts import Options
from rubi.bars.survey import Survey, survey
from rubi.cli import Failure


class Planner:
    """Plans files one after the other: the files of one series share a clock."""

    def __init__(self, connection: psycopg.Connection, asked: Options) -> None:
        self.asked = asked
        self.clocks = Clocks(connection, asked)

    def plan(self, file: BarFile) -> Plan:
        """All facts about a file. Raises Failure, naming the file, where one is missing."""
        try:
            return self.find(file)
        except ValueError as error:
            raise Failure(f"{file.name}: {error}") from None

    def find(self, file: BarFile) -> Plan:
        """All facts about a file; raises ValueError where one is missing."""
        layout, said = file.layout, [file.layout.form]
        symbol, timeframe = self.series_of_name(file)
        long = not layout.ticks and not layout.server and timeframe in (None, *LONG_FRAMES)
        found = None
        if (
            long or not layout.order or {"ticker", "per"} & set(layout.columns)
            or ("traded" in layout.columns and not layout.volume)
        ):  # fmt: skip
            found = survey(file, long)
            if not found.lines:
                raise ValueError("no line has as many fields as the header")
            if not layout.order:
                layout.order, why = found.votes.order()
                said += [why] if why else []
            symbol, timeframe = self.series_of_lines(file, found, symbol, timeframe, said)
        elif file.packed:
            for _ in file.blocks():
                pass  # a damaged file is found here, before the first write
        said += self.decide_volume(file, found)
        if not symbol:
            raise ValueError("the name does not tell, give --symbol")
        if not timeframe:
            step = f" (lines are {found.step(layout)} apart at least)" if found else ""
            raise ValueError(f"the name does not tell, give --timeframe{step}")
        plan = Plan(file, symbol, timeframe, said=said)
        self.clocks.decide(plan, found)
        said += layout.notes
        if layout.ignored:
            said.append(f"columns left out: {', '.join(layout.ignored)}")
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
        """The column for the one volume of a file. Raises ValueError where it is open."""
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
