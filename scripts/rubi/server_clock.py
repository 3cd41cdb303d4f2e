"""The clock of a trade server: one rule for its deals and its bars.

A clock is a time zone and the hours it is ahead of it: America/New_York+7 (short NY+7), UTC+3,
Europe/Athens; the grammar is that of the domain server_clock. The rules are in mt5_server_clocks:
deals are read by them, and so are bars whose source is the server, `load_bars.py --source SERVER`.
"""

import re
import sys
from collections.abc import Callable, Iterable
from typing import Any

import psycopg
import typer

from rubi.cli import Failure, console

SHORT = {"NY": "America/New_York", "UTC": "UTC", "GMT": "GMT"}
# Etc/GMT-3 is a zone by its whole name, and the only kind that ends like hours
CLOCK = re.compile(
    r"(?P<whole>Etc/GMT(?:[+-](?:[1-9]|1[0-4]))?)|(?P<zone>(?i:NY|UTC|GMT)|Etc/UTC"
    r"|(?!Etc)[A-Z][A-Za-z_]+(?:/[A-Z][A-Za-z_-]*[A-Za-z]){1,2})(?P<hours>[+-][0-9]{1,2})?"
)
FORMS = "NY+7 (New York time + 7 hours, most brokers), UTC+3, or a zone such as Europe/Athens"


def parse(text: str) -> tuple[str, int]:
    """Zone and hours of a clock. Raises Failure for other texts."""
    match = CLOCK.fullmatch(text.strip())
    if not match or abs(hours := int(match["hours"] or 0)) > 14:
        raise Failure(f"{text} is no clock: {FORMS}", code=2)
    zone = match["whole"] or match["zone"]
    return SHORT.get(zone.upper(), zone), hours


def whole_name(text: str) -> str:
    """A clock as the database takes it: NY+7 is America/New_York+7. Raises Failure as parse()."""
    zone, hours = parse(text)
    return f"{zone}{hours:+d}" if hours else zone


def rules(connection: psycopg.Connection, server: str) -> list[str]:
    """The clocks of a server in the order of their validity."""
    found = connection.execute(
        "SELECT c.clock FROM mt5_server_clocks AS c WHERE c.server = %s ORDER BY c.valid_from",
        [server],
    ).fetchall()
    return [clock for (clock,) in found]


def settle(connection: psycopg.Connection, server: str, given: str) -> str:
    """The server's clock, for the screen; a given clock is kept for a server without a rule.

    Raises Failure where there is no rule and none is given (code 2), and where both differ.
    """
    found = rules(connection, server)
    if not found and not given and sys.stdin.isatty() and console.is_terminal:
        given = typer.prompt(f"By which clock does {server} run? {FORMS}", default="NY+7")
    if not found and not given:
        raise Failure(
            f"by which clock does {server} run? No rule is known yet: add --server-clock with"
            f" {FORMS}; the terminal's Market Watch shows the server's time",
            code=2,
        )
    if given:
        set_rule(connection.execute, server, given)
    return ", then ".join(found or [whole_name(given)])


def set_rule(
    execute: Callable[[str, list[Any]], Iterable[tuple]], server: str, given: str,
    measured: int | None = None,
) -> None:  # fmt: skip
    """Make a clock the rule of a server without one; measured: minutes that it is ahead of UTC.
    Raises Failure for another rule and for an unknown zone, psycopg.Error."""
    clock = whole_name(given)
    try:
        ((holds,),) = execute("SELECT set_mt5_server_clock(%s, %s, %s)", [server, clock, measured])
    except psycopg.errors.InvalidParameterValue as error:
        raise Failure(f"there is no time zone of {given}: {FORMS}", code=2) from error
    if holds != clock:
        raise Failure(
            f"{server} runs by {holds}, not by {given}: docs/guides/my-trades.md, The clock, has"
            " the two statements that correct it and all times that were read by it"
        )


def look_at_bars(connection: psycopg.Connection, account: int, server: str) -> str:
    """The evidence of bars of the deals' minutes on the clock.

    Raises Failure for a new wrong one.
    """
    found = connection.execute(
        "SELECT hours, deals, within FROM find_mt5_clock_shift(%s)", [account]
    ).fetchall()
    now = next((row for row in found if row[0] == 0), None)
    if not found or found[0][1] < 3:
        return ""
    hours, deals, within = found[0]
    share = now[2] / now[1] if now else 0
    if hours and within / deals >= 0.9 and share < 0.5:
        raise Failure(
            f"the clock of {server} is wrong by {hours:+d} hours, or that of its bars: moved"
            f" so, {within} of {deals} deals lie within the bars of their minutes, now"
            f" {now[2] if now else 0} of {now[1] if now else 0}; no row was stored"
        )
    return f"{now[2]} of {now[1]} deals lie within the bars of their minutes" if now else ""
