"""What a worker knows of its server's clock: the rule, and what the terminal's ticks say of it."""

import time
from collections.abc import Callable

from rubi.cli import Failure
from rubi.gateway import clocks
from rubi.gateway.delivery import Delivery
from rubi.gateway.history import Clock, Stream
from rubi.gateway.options import Options
from rubi.gateway.parcels import Parcel
from rubi.gateway.reading import Reader


class Timing:
    """The clock's part of a worker."""

    user: str
    options: Options
    delivery: Delivery
    reader: Reader
    pulse: clocks.Pulse
    clock: Clock
    streams: dict[tuple[str, str], Stream]
    due: dict[str, float]
    misfit: str
    parcel: Callable[[], Parcel]
    deliver: Callable[[Parcel], None]
    load_streams: Callable[[], None]
    is_due: Callable[[str], bool]

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
                    clocks.minutes_now(self.options.server_clock) if measured is None else measured
                )
            elif self.options.server_clock:
                self.set_clock(measured)
            else:
                raise Failure(clocks.proposal(self.delivery.database, server, measured), 2)
        elif self.options.server_clock and not self.delivery.away:
            self.set_clock(None)

    def set_clock(self, measured: int | None) -> None:
        """Make the clock that was given the server's. Raises Failure where another one holds."""
        clocks.settle(
            self.delivery.database, self.parcel().server, self.options.server_clock, measured
        )
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
        if abs(self.pulse.rest) > clocks.MOST_REST:
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
