"""Facts that need all lines of a file of bars: the order of its dates, decimals, symbols, times."""

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise

from rubi.bars.files import BarFile
from rubi.bars.layouts import DAY, Layout, plain
from rubi.bars.times import Times, Votes, joined
from rubi.bars.values import whole_file

HINTED = 100_000


@dataclass
class Survey:
    votes: Votes = field(default_factory=Votes)
    lines: int = 0
    part: tuple[int, str] | None = None  # the first volume with decimals
    tickers: Counter = field(default_factory=Counter)
    periods: Counter = field(default_factory=Counter)
    times: list[tuple[str, str]] = field(default_factory=list)

    def moments(self, layout: Layout) -> list[datetime]:
        """The readable times: with a zone where the first one has a zone."""
        times = Times(layout.order, layout.as_clock, layout.short)
        read = []
        for when, clock in self.times:
            try:
                read.append(times.read(joined(when, clock)))
            except ValueError:
                continue  # the line is rejected for it
        zoned = bool(read) and read[0].tzinfo is not None
        return [moment for moment in read if (moment.tzinfo is not None) == zoned]

    def step(self, layout: Layout) -> str:
        """The shortest time between two lines, as a hint."""
        moments = sorted(set(self.moments(layout)))
        steps = [two - one for one, two in pairwise(moments)]
        return str(min(steps)) if steps else "no time"

    def bare(self) -> bool:
        """Whether no line has a time of day but midnight."""
        return all(
            (DAY.fullmatch(when) or re.fullmatch(r"\d{6}", when)) and not clock.strip("0:.")
            for when, clock in self.times
        )


def survey(file: BarFile, every_time: bool) -> Survey:
    """Read a file once for the facts that need all of its lines."""
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
        if found.part is None and {".", ",", "e"} & set(fields.get("traded", "").lower()):
            try:
                volume = Decimal(plain(fields["traded"].strip(), layout.decimal_comma))
                found.part = (number, fields["traded"]) if volume % 1 else None
            except InvalidOperation:
                pass  # the line is rejected for it
        if every_time or len(found.times) < HINTED:
            found.times.append((fields["when"].strip(), fields.get("clock", "").strip()))
    return found
