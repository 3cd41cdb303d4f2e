"""What the command was asked for, as the gateway takes it. Secrets come from the environment or a
file descriptor, never from an argument, which every user of a machine can read."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from rubi.cli import Failure
from rubi.gateway import terminals
from rubi.gateway.parcels import now
from rubi.gateway.terminals import Terminal

PASSWORD = "RUBI_MT5_PASSWORD"
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


def intervals(given: list[str]) -> dict[str, float]:
    """KIND=SECONDS of --every. Raises Failure."""
    found = {}
    for text in given:
        kind, _, seconds = text.partition("=")
        try:
            found[kind] = float(seconds)
        except ValueError as error:
            raise Failure(f"--every {text}: KIND=SECONDS, such as state=0.5", 2) from error
        if kind not in EVERY or not 0.05 <= found[kind] <= 30 * 86_400:
            raise Failure(f"--every {text}: one of {', '.join(EVERY)}, 0.05 s to 30 days", 2)
    return found


def since(text: str) -> datetime | None:
    """A day on the server's clock, as if in UTC. Raises Failure."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise Failure(f"--since {text} is no day: 2026-01-31", 2) from error
    if found.tzinfo:
        raise Failure(f"--since {text} names a zone: the server's clock is meant, 2026-01-31", 2)
    return found.replace(tzinfo=UTC)


def passwords(descriptor: int | None) -> dict[str, str]:
    """Passwords by login; "" for the one of a single terminal. From a descriptor: LOGIN=PASSWORD or
    PASSWORD a line."""
    found = {
        name.removeprefix(PASSWORD).removeprefix("_"): value
        for name, value in os.environ.items()
        if name == PASSWORD or name.startswith(f"{PASSWORD}_")
    }
    if descriptor is None:
        return found
    try:
        with os.fdopen(descriptor, encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError as error:
        raise Failure(f"--password-fd {descriptor}: {error.strerror}", 2) from error
    for line in filter(None, lines):
        login, sign, password = line.partition("=")
        found.update({login: password} if sign and login.isdigit() else {"": line})
    return found


def pairs(
    specs: list[str], users: list[str], logins: list[str], descriptor: int | None
) -> list[tuple[Terminal, str]]:
    """Terminals with their users: one user for all, or one each; the same of logins."""
    if len(users) not in (1, len(specs)):
        raise Failure("give one --user for all terminals, or one for each, in the same order", 2)
    if logins and len(logins) != len(specs):
        raise Failure("give one --login for each terminal, in the same order, or none", 2)
    known = passwords(descriptor)
    found = []
    for number, spec in enumerate(specs):
        terminal = terminals.terminal(spec)
        if logins:
            login, _, server = logins[number].partition("@")
            if not login.isdigit():
                raise Failure(f"--login {logins[number]}: NUMBER or NUMBER@SERVER", 2)
            terminal.login = {"login": int(login)} | ({"server": server} if server else {})
            if password := known.get(login, known.get("")):
                terminal.login["password"] = password
        found.append((terminal, users[number] if len(users) > 1 else users[0]))
    return found


def spool_folder(given: str) -> Path:
    """Where spools lie: what was given, $STATE_DIRECTORY of systemd, else the user's own state.

    Raises Failure where the user has no home.
    """
    if given or os.environ.get("STATE_DIRECTORY"):
        return Path(given or os.environ["STATE_DIRECTORY"])
    if home := os.environ.get("XDG_STATE_HOME"):
        return Path(home) / "rubi-gateway"
    try:
        return Path.home() / ".local/state/rubi-gateway"
    except RuntimeError as error:
        raise Failure("this user has no home: name a folder with --spool", 2) from error
