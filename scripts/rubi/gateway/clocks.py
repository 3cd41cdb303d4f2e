"""The clock of a trade server, measured: the last tick of a market that moves, against UTC."""

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg

from rubi.cli import Failure
from rubi.gateway.sending import Database
from rubi.gateway.terminals import Terminal
from rubi.server_clock import FORMS, parse, set_rule

QUARTER = 900
# a tick that came between two looks so far apart is no older than that
LONGEST_LOOK = 10
# beyond this neither a slow tick nor a slow network explains the rest
MOST_REST = 60


class Pulse:
    """Looks at ticks until one moves, and tells by it how far the server's clock is ahead."""

    def __init__(self, terminal: Terminal) -> None:
        self.terminal = terminal
        self.symbols: list[str] = []
        self.seen: dict[str, tuple[int, float]] = {}
        self.symbol = ""
        self.rest = 0.0

    def watch(self, names: list[str]) -> None:
        """Symbols to look at; without any, the five of Market Watch with the latest prices."""
        if not names:
            found = [row for row in self.terminal.rows("symbols_get") if row.get("visible", True)]
            found.sort(key=lambda row: row.get("time", 0), reverse=True)
            names = [row["name"] for row in found[:5]]
        self.symbols = names

    def look(self) -> int | None:
        """Minutes ahead of UTC, a quarter of an hour at least apart; None while nothing moves."""
        for symbol in self.symbols:
            found = self.terminal.unpacked("symbol_info_tick", symbol)
            if not found or not found[1]:
                continue
            tick = dict(zip(found[0], found[1][0], strict=True))
            at, here = int(tick["time_msc"]), time.time()
            before = self.seen.get(symbol)
            self.seen[symbol] = at, here
            if before is None or before[0] == at or here - before[1] > LONGEST_LOOK:
                continue
            ahead = at / 1000 - here
            minutes = round(ahead / QUARTER) * 15
            self.symbol, self.rest = symbol, ahead - minutes * 60
            return minutes
        return None

    def wait(self, seconds: float) -> int | None:
        """Look until a tick moves, but no longer."""
        end = time.monotonic() + seconds
        while (found := self.look()) is None and time.monotonic() < end:
            time.sleep(0.2)
        return found


def proposal(database: Database, server: str, minutes: int | None) -> str:
    """What to say where a server has no rule: what was measured, and what to type."""
    if minutes is None:
        return (
            f"by which clock does {server} run? No rule is known and no price moves to tell it: add"
            f" --server-clock with {FORMS}; the terminal's Market Watch shows the server's time"
        )
    shown = f"{'-' if minutes < 0 else '+'}{abs(minutes) // 60}:{abs(minutes) % 60:02d}"
    fitting = [row[0] for row in database.fetch("SELECT propose_mt5_clocks(%s)", [server])]
    if not fitting:
        return (
            f"the clock of {server} is UTC{shown}, which no clock fits that is known here: name the"
            " IANA zone of the broker with --server-clock; half hours are zones such as"
            " Asia/Kolkata"
        )
    first, *others = (name.replace("America/New_York", "NY", 1) for name in fitting)
    also = f"; {', '.join(others[:3])} would fit as well" if others else ""
    return (
        f"the clock of {server} is UTC{shown} now and has no rule: where the broker runs by"
        f" {first}, add --server-clock {first}{also}"
    )


def minutes_now(clock: str) -> int:
    """How far a clock is ahead of UTC now: for a dry run, which stores no rule to ask."""
    zone, hours = parse(clock)
    offset = datetime.now(ZoneInfo(zone)).utcoffset() or timedelta()
    return hours * 60 + int(offset.total_seconds()) // 60


def settle(database: Database, server: str, given: str, measured: int | None) -> None:
    """Make the clock that was given the server's, where there is no rule. Raises Failure."""
    try:
        set_rule(database.fetch, server, given, measured)
    except psycopg.Error as error:
        if error.sqlstate != "RB080":
            raise
        raise Failure(f"{given} does not fit: {proposal(database, server, measured)}") from error


class Timing:
    """The part of a worker that knows its server's clock: the rule, and what ticks say of it."""

    def settle_clock(self) -> None:
        """Know the server's clock. Raises Failure, with what to type, where there is no rule."""
        server = (self.reader.identity or ("", ""))[0]
        measured = None
        if self.clock.minutes is None:
            self.watch()
            measured = self.pulse.wait(self.options.patience)
            self.report_clock(measured)
            if self.options.dry_run and (measured is not None or self.options.server_clock):
                self.clock.minutes = (
                    minutes_now(self.options.server_clock) if measured is None else measured
                )
            elif self.options.server_clock:
                self.set_clock(measured)
            else:
                raise Failure(proposal(self.delivery.database, server, measured), 2)
        elif self.options.server_clock and not self.delivery.away:
            self.set_clock(None)

    def set_clock(self, measured: int | None) -> None:
        """Make the clock that was given the server's. Raises Failure where another one holds."""
        settle(self.delivery.database, self.parcel().server, self.options.server_clock, measured)
        user_and_account = self.delivery.database.find(self.user, *(self.reader.identity or ()))
        self.clock.rule, self.clock.minutes = user_and_account[2:]
        self.load_streams()

    def watch(self) -> None:
        asked = {symbol for _, symbol in self.streams if symbol}
        held = {row["symbol"] for row in (self.reader.last.positions if self.reader.last else [])}
        self.pulse.watch(sorted(held | asked))

    def report_clock(self, minutes: int | None) -> None:
        """Store what was measured, and say where the rule does not fit."""
        if minutes is None:
            return
        self.reader.account()  # another server's ticks tell another clock
        if abs(self.pulse.rest) > MOST_REST:
            self.delivery.fault(
                f"ticks are {self.pulse.rest:+.0f} s off a quarter of an hour: is the clock of this"
                " machine right?"
            )
            return
        parcel = self.parcel()
        parcel.add("clock", symbol=self.pulse.symbol, minutes=minutes)
        self.deliver(parcel)
        self.misfit = ""
        if minutes != self.clock.minutes and not self.delivery.away:
            # summer time may have begun or ended since the rule was asked
            found = self.delivery.database.find(self.user, *(self.reader.identity or ()))
            self.clock.rule, self.clock.minutes = found[2:]
        if self.clock.minutes is not None and minutes != self.clock.minutes:
            self.misfit = (
                f"the clock of {parcel.server} is {minutes} minutes ahead of UTC, its rule"
                f" {self.clock.rule} says {self.clock.minutes}: correct mt5_server_clocks and call"
                f" rederive_mt5_times('{parcel.server}')"
            )
            self.delivery.fault(self.misfit)

    def read_clock(self) -> None:
        """The server's clock, where it is time and a price moves."""
        if time.monotonic() < self.due.get("clock", 0):
            return
        if not self.pulse.symbols:
            self.watch()
        if (minutes := self.pulse.look()) is not None:
            self.report_clock(minutes)
            self.watch()
            self.is_due("clock")
