"""Trades and accounts of January 2026, whose metrics are asked for."""

from __future__ import annotations

import psycopg

import rows

PERIOD = ("2026-01-01 00:00+00", "2026-02-01 00:00+00")


def trade(
    connection: psycopg.Connection, user: int, day: int, net: object, **values: object
) -> int:
    """An order closed at noon of a day of January that made a net result."""
    values = {
        "opened_at": f"2026-01-{day:02} 10:00+00", "closed_at": f"2026-01-{day:02} 12:00+00",
    } | values  # fmt: skip
    return rows.closed_order(connection, user, profit=net, **values)


def account(connection: psycopg.Connection, user: int, **values: object) -> tuple[int, object]:
    """An account of a user, by a session; answers both."""
    session = rows.session(connection, user, **values)
    return connection.execute(
        "SELECT account_id FROM mt5_sessions WHERE session_id = %s", [session]
    ).fetchone()[0], session
