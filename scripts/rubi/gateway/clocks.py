"""The clock of a trade server, measured: the last tick of a market that moves, against UTC."""

import time
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import psycopg

from rubi.cli import Failure
from rubi.gateway.sending import Database
from rubi.gateway.terminals import Terminal
from rubi.server_clock import FORMS, parse, whole_name

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
    clock = whole_name(given)
    try:
        (holds,) = database.fetch(
            "SELECT set_mt5_server_clock(%s, %s, %s)", [server, clock, measured]
        )[0]
    except psycopg.errors.InvalidParameterValue as error:
        raise Failure(f"there is no time zone of {given}: {FORMS}", 2) from error
    except psycopg.Error as error:
        if error.sqlstate != "RB080":
            raise
        raise Failure(f"{given} does not fit: {proposal(database, server, measured)}") from error
    if holds != clock:
        raise Failure(
            f"{server} runs by {holds}, not by {given}: where that is wrong, correct"
            f" mt5_server_clocks and call rederive_mt5_times('{server}')"
        )
