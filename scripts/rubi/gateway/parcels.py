"""Parcels: what one look at a terminal found, stored by one transaction or not at all."""

import json
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

# an ingest function takes 64 MB; a parcel of this many rows is far below, and quick to send again
MOST_ROWS = 1000


def now() -> datetime:
    return datetime.now(UTC)


@dataclass
class Parcel:
    """Calls of the database's functions, in order, for one account at one moment."""

    user: str
    server: str
    login: str
    taken_at: str = field(default_factory=lambda: now().isoformat())
    clock: str = ""
    calls: list[list[Any]] = field(default_factory=list)

    def add(self, kind: str, rows: Any = None, **more: Any) -> None:
        """One call; rows are sent as JSON, more are its other arguments."""
        self.calls.append([kind, {"rows": rows, **more}])

    def encode(self) -> str:
        return json.dumps(asdict(self), separators=(",", ":"))

    @classmethod
    def decode(cls, text: str) -> Self:
        return cls(**json.loads(text))
