"""What a run of the gateway is asked for."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from rubi.gateway.parcels import now

# seconds between two readings of a kind
EVERY = {
    "state": 1.0,  # positions, waiting orders and, where something changed, the history
    "heartbeat": 15.0,  # the account's figures, though nothing changed
    "history": 60.0,
    "series": 5.0,
    "clock": 300.0,
    "symbols": 3600.0,
    "whole": 86_400.0,  # the whole history once more: brokers archive
}


@dataclass
class Options:
    every: dict[str, float] = field(default_factory=dict)
    overlap_days: float = 3.0
    since: datetime | None = None
    server_clock: str = ""
    spool_days: float = 7.0
    dry_run: bool = False
    patience: float = 5.0  # seconds for a price to move
    present: Callable[[], datetime] = now  # a terminal that plays the past has its own

    def seconds(self, kind: str) -> float:
        return self.every.get(kind, EVERY[kind])
