"""The database's side: a few connections, and parcels sent over them, all of one or nothing."""

from __future__ import annotations

import json
import queue
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors

from rubi.cli import Failure, one_line
from rubi.gateway.parcels import Parcel

INGEST = "SELECT * FROM ingest_mt5_{}(%(account)s, %(rows)s::jsonb, {})"
WINDOW = "'api', %(window_from)s, %(window_to)s"
STATEMENTS = {
    "account": "SELECT ingest_mt5_account(%(user)s, %(rows)s::jsonb, %(taken_at)s)",
    "positions": INGEST.format("positions", "%(taken_at)s"),
    "symbols": INGEST.format("symbols", "%(taken_at)s"),
    "orders": INGEST.format("orders", WINDOW),
    "deals": INGEST.format("deals", WINDOW),
    "bars": "SELECT i.inserted, i.updated, i.unchanged, 0 FROM ingest_bars("
    "%(symbol)s, %(timeframe)s, %(rows)s::jsonb, %(server)s, %(clock)s) AS i",
    "ticks": "SELECT ingest_ticks(%(symbol)s, %(rows)s::jsonb, %(server)s, %(clock)s)",
    "advance": "SELECT advance_gateway_watermark("
    "%(account)s, %(stream)s, %(symbol)s, %(advance_from)s, %(advance_to)s)",
    "clock": "SELECT measure_mt5_clock(%(server)s, %(symbol)s, %(minutes)s, %(taken_at)s)",
}
FIND = "SELECT f.user_id, f.account_id, f.clock, f.minutes FROM find_gateway_account(%s, %s, %s) f"
COUNTS = ("inserted", "updated", "unchanged", "rejected")
# errors of the rows themselves: sent again, the same rows would be refused again
REFUSED = ("21", "22", "23", "RB")
AGAIN = (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)
TRIES = 5
# a dead network is noticed within half a minute: a thread that waits for it reads no terminal
ALIVE = {
    "connect_timeout": 10,
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class Away(Exception):
    """The database can't take anything now; what was to be sent is kept."""


class Refused(Exception):
    """The database takes other parcels, but not this one."""


class Closed(Exception):
    """The account's user is closed: nothing of theirs is stored any more."""


class Database:
    """Sends parcels, from several threads."""

    def __init__(self, dsn: str, connections: int = 4) -> None:
        self.dsn = dsn
        self.free: queue.LifoQueue[psycopg.Connection | None] = queue.LifoQueue()
        for _ in range(connections):
            self.free.put(None)
        self.accounts: dict[tuple[str, str, str], tuple[int, int | None]] = {}

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection]:
        """A connection of the few. Raises Away where the database can't be reached."""
        connection = self.free.get()
        try:
            if connection is None or connection.closed:
                connection = psycopg.connect(
                    self.dsn,
                    autocommit=True,
                    application_name="rubi gateway",
                    **ALIVE,
                )
            yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError, errors.InternalError) as error:
            if connection is not None and not isinstance(error, AGAIN):
                connection.close()
            raise Away(one_line(error)) from error
        finally:
            self.free.put(connection)

    def find(self, user: str, server: str, login: str) -> tuple[int, int | None, str, int | None]:
        """The user's id, the account's where there is one, the server's clock and its minutes."""
        with self.connection() as connection:
            row = connection.execute(FIND, [user, server, login]).fetchone()
        if row is None:
            raise Failure(
                f"there is no user {user}: docs/guides/my-trades.md has the statement that makes"
                " one"
            )
        self.accounts[user, server, login] = row[0], row[1]
        return row[0], row[1], row[2] or "", row[3]

    def fetch(self, query: str, values: list[Any]) -> list[tuple]:
        """Rows of a query."""
        with self.connection() as connection:
            return connection.execute(query, values).fetchall()

    def send(self, parcel: Parcel) -> Counter[str]:
        """Store a parcel; answers counts such as "deals inserted".

        Raises Away where it is to be sent later, Refused where it never will be taken, Closed.
        """
        for attempt in range(1, TRIES + 1):
            try:
                return self.send_once(parcel)
            except Away as error:
                if attempt == TRIES or not isinstance(error.__cause__, AGAIN):
                    raise
                time.sleep(0.05 * 2**attempt)
            except psycopg.Error as error:
                code = error.sqlstate or ""
                if code == "RB024":
                    raise Closed(one_line(error)) from error
                if code.startswith(REFUSED):
                    raise Refused(f"{one_line(error)} ({code})") from error
                raise Away(f"{one_line(error)} ({code})") from error
        raise AssertionError

    def send_once(self, parcel: Parcel) -> Counter[str]:
        key = parcel.user, parcel.server, parcel.login
        user, account = self.accounts.get(key) or self.find(*key)[:2]
        counts: Counter[str] = Counter()
        with self.connection() as connection, connection.transaction():
            for kind, given in parcel.calls:
                values = self.values(parcel, given) | {"user": user, "account": account}
                if account is None and kind not in ("account", "clock"):
                    raise Refused(f"account {parcel.login} at {parcel.server} is not known yet")
                row = connection.execute(STATEMENTS[kind], values).fetchone()
                if kind == "account":
                    account = row[0]
                elif kind == "ticks":
                    counts["ticks inserted"] += row[0]
                elif len(row) == len(COUNTS):
                    for name, number in zip(COUNTS, row, strict=True):
                        counts[f"{kind} {name}"] += number
        self.accounts[key] = user, account
        return counts

    @staticmethod
    def values(parcel: Parcel, given: dict[str, Any]) -> dict[str, Any]:
        """The parameters of one call."""
        window = given.get("window") or (None, None)
        span = given.get("span") or (None, None)
        return {
            "server": parcel.server,
            "taken_at": parcel.taken_at,
            "clock": parcel.clock or None,
            "window_from": window[0],
            "window_to": window[1],
            "advance_from": span[0],
            "advance_to": span[1],
            **{name: value for name, value in given.items() if name != "rows"},
            "rows": json.dumps(given["rows"], separators=(",", ":")),
        }

    def close(self) -> None:
        """Close every connection that is not in use."""
        while not self.free.empty():
            if connection := self.free.get_nowait():
                connection.close()
