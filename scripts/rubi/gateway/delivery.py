"""Delivery: parcels to the database, in order; into the spool while it is away."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from rubi.gateway.parcels import Parcel
from rubi.gateway.sending import Away, Database, Forgotten, Refused
from rubi.gateway.spool import Damaged, Spool, SpoolError

# between two tries to reach a database that is away
SHORTEST_PAUSE, LONGEST_PAUSE = 1, 30
# seconds of sending what waited, before the terminal is read again
TURN = 2.0
Answer = TypeVar("Answer")


@dataclass
class Delivery:
    database: Database
    spool: Spool
    dry_run: bool = False
    counts: Counter[str] = field(default_factory=Counter)
    counted: set[tuple[str, object]] = field(default_factory=set)
    faults: list[str] = field(default_factory=list)
    waiting: int = 0
    away: str = ""
    pause: float = 0.0
    next_try: float = 0.0

    def begin(self, days: float) -> None:
        """Look at what an earlier run left. Raises SpoolError for parcels older than days."""
        self.waiting = self.guarded(lambda: len(self.spool)) or 0
        if self.waiting and self.spool.is_older_than(days):
            raise SpoolError(
                f"{self.spool.path} holds {self.waiting:,} parcels, the oldest of"
                f" {self.spool.oldest():%Y-%m-%d %H:%M} UTC, which is more than {days:g} days ago:"
                " send them with a longer --spool-days, or move the file away"
            )

    def fault(self, text: str) -> None:
        """Something that is to be said, once."""
        if text not in self.faults[-20:]:
            self.faults.append(text)

    def guarded(self, work: Callable[[], Answer]) -> Answer | None:
        """Work on the spool. Where the file is damaged the answer is None: the file is kept aside,
        a new one begun, and what was in it read again as far as the terminal still has it."""
        try:
            return work()
        except Damaged as error:
            self.fault(f"{error}; kept aside as {self.spool.set_aside()}")
            self.waiting = 0
            return None

    def keep(self, parcel: Parcel, reason: str = "") -> None:
        """Put a parcel into the spool, or, with a reason, beside those that wait."""

        def work() -> bool:
            if reason:
                self.spool.refuse(parcel, reason)
            else:
                self.spool.put(parcel)
            return True

        if not self.guarded(work):
            work()

    def count(self, parcel: Parcel) -> None:
        """Count what is in a parcel, a row that comes again once."""
        for kind, given in parcel.calls:
            rows = given["rows"] if isinstance(given["rows"], list) else []
            keys = {(kind, row.get("ticket") or row.get("time_msc") or str(row)) for row in rows}
            self.counts[kind] += len(keys - self.counted)
            self.counted |= keys

    def accept(self, parcel: Parcel) -> None:
        """Take a parcel: stored, or kept in the spool. Raises SpoolError where neither worked: then
        nothing of it may be taken for read. Raises Closed, Held, and
        Forgotten where the account has to be read from its beginning."""
        if self.dry_run:
            self.count(parcel)
            return
        if not self.waiting and not self.away:
            try:
                self.counts.update(self.database.send(parcel, self))
                return
            except Refused as error:
                self.fault(str(error))
                self.keep(parcel, str(error))
                return
            except Away as error:
                self.is_away(error)
        self.keep(parcel)
        self.waiting += 1
        self.drain()

    def is_away(self, error: Away) -> None:
        """The database is away: try again after a while, each time a longer one."""
        if not self.away:
            self.fault(f"the database is away: {error}")
        self.away = str(error)
        self.pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, self.pause * 2))
        self.next_try = time.monotonic() + self.pause

    def drain(self, all_of_it: bool = False) -> None:
        """Send what waits, the oldest first, for a turn, or all of it."""
        if not all_of_it and time.monotonic() < self.next_try:
            return
        end = time.monotonic() + TURN
        while self.waiting and (all_of_it or time.monotonic() < end):
            found = self.guarded(self.spool.first)
            if found is None:
                self.waiting = 0
                break
            number, parcel = found
            reason = ""
            try:
                self.counts.update(self.database.send(parcel, self))
            except Refused as error:
                reason = str(error)
                self.fault(reason)
            except Away as error:
                self.is_away(error)
                return
            except Forgotten as error:
                self.spool.drop(number, str(error))
                self.waiting -= 1
                raise
            self.spool.drop(number, reason)
            self.waiting -= 1
            self.away, self.pause = "", 0.0
        if not self.waiting:
            self.away, self.pause = "", 0.0


def spool_path(folder: Path, name: str) -> Path:
    """The spool of a terminal: its name, as a file's name may be."""
    return folder / ("".join(sign if sign.isalnum() else "-" for sign in name) + ".sqlite")
