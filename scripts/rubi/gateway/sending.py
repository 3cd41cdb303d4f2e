"""The database's side: a few connections, and parcels sent over them, all of one or nothing."""

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
from rubi.connecting import kept_alive
from rubi.gateway.holding import Holder
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
NO_ACCOUNT = "RB051"
REFUSED = ("21", "22", "23", "RB")
# seconds that an account's id counts: its user may delete it, or another user get it
KNOWN_FOR = 60.0
AGAIN = (errors.DeadlockDetected, errors.SerializationFailure, errors.LockNotAvailable)
# what another transaction stored or deleted meanwhile: the next try sees it
MEANWHILE = (errors.ForeignKeyViolation, errors.UniqueViolation)
TRIES = 5


class Away(Exception):
    """The database can't take anything now; what was to be sent is kept."""


class Refused(Exception):
    """The database takes other parcels, but not this one."""


class Forgotten(Failure):
    """The account is not the row that it was: everything is to be read from the beginning."""


class Closed(Exception):
    """The account's user is closed: nothing of theirs is stored any more."""


class Database:
    """Sends parcels, from several threads."""

    def __init__(self, dsn: str, connections: int = 4) -> None:
        self.dsn = dsn
        self.free: queue.LifoQueue[psycopg.Connection | None] = queue.LifoQueue()
        for _ in range(connections):
            self.free.put(None)
        # user's id, account's id, known since when
        self.accounts: dict[tuple[str, str, str], tuple[int, int | None, float]] = {}
        self.holder = Holder(dsn)

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
                    **kept_alive(self.dsn),
                )
            yield connection
        except (psycopg.OperationalError, psycopg.InterfaceError, errors.InternalError) as error:
            if connection is not None and not isinstance(error, AGAIN):
                connection.close()
            raise Away(one_line(error)) from error
        finally:
            self.free.put(connection)

    def find(self, user: str, server: str, login: str) -> tuple[int, int | None, str, int | None]:
        """The user's id, the account's where there is one, the server's clock and its minutes.
        Raises Away, and Failure without such a user."""
        row = next(iter(self.fetch(FIND, [user, server, login])), None)
        if row is None:
            raise Failure(
                f"there is no user {user}: docs/guides/my-trades.md has the statement that makes"
                " one"
            )
        self.accounts[user, server, login] = row[0], row[1], time.monotonic()
        return row[0], row[1], row[2] or "", row[3]

    def hold(self, user: str, server: str, login: str, lane: object) -> None:
        """Keep other gateways, and other lanes, from an account while this one lives. Raises Away,
        Held where another gateway has it, Failure."""
        try:
            self.holder.hold((self.known(user, server, login)[0], server, login), lane)
        except psycopg.Error as error:
            raise Away(one_line(error)) from error

    def known(self, user: str, server: str, login: str) -> tuple[int, int | None]:
        """Ids of user and account, asked for again after a while. Raises Forgotten where the
        account is another row by now."""
        was = self.accounts.get((user, server, login))
        if was is None or time.monotonic() - was[2] > KNOWN_FOR:
            found = self.find(user, server, login)
            self.check_same((user, server, login), was and was[1], found[1])
            return found[0], found[1]
        return was[0], was[1]

    @staticmethod
    def check_same(key: tuple[str, str, str], was: int | None, found: int | None) -> None:
        """Raise Forgotten where an account that was known is another row by now, or none."""
        if was not in (None, found):
            user, server, login = key
            raise Forgotten(
                f"account {login} at {server} is no longer row {was} of user {user}: its history"
                " is read from the beginning"
            )

    def fetch(self, query: str, values: list[Any]) -> list[tuple]:
        """Rows of a query. Raises Away, also while a deployment has taken away what is called."""
        try:
            with self.connection() as connection:
                return connection.execute(query, values).fetchall()
        except psycopg.ProgrammingError as error:
            raise Away(f"{one_line(error)} ({error.sqlstate})") from error

    def send(self, parcel: Parcel, lane: object) -> Counter[str]:
        """Store a parcel of a lane, which holds its account; answers counts such as "deals
        inserted".

        Raises Away where it is to be sent later, Refused where it never will be taken, Closed, and
        what hold() raises.
        """
        self.hold(parcel.user, parcel.server, parcel.login, lane)
        for attempt in range(1, TRIES + 1):
            try:
                return self.send_once(parcel)
            except Away as error:
                if attempt == TRIES or not isinstance(error.__cause__, AGAIN):
                    raise
                time.sleep(0.05 * 2**attempt)
            except psycopg.Error as error:
                code = error.sqlstate or ""
                if isinstance(error, MEANWHILE) and attempt < TRIES:
                    time.sleep(0.05 * 2**attempt)
                    continue
                if code == "RB024":
                    raise Closed(one_line(error)) from error
                if code == NO_ACCOUNT:
                    self.forget(parcel)
                if code.startswith(REFUSED) or isinstance(error, psycopg.DataError):
                    raise Refused(f"{one_line(error)} ({code})") from error
                raise Away(f"{one_line(error)} ({code})") from error
        raise AssertionError

    def send_once(self, parcel: Parcel) -> Counter[str]:
        key = parcel.user, parcel.server, parcel.login
        user, account = self.known(*key)
        counts: Counter[str] = Counter()
        with self.connection() as connection, connection.transaction():
            for kind, given in parcel.calls:
                values = self.values(parcel, given) | {"user": user, "account": account}
                if account is None and kind not in ("account", "clock"):
                    raise Refused(f"account {parcel.login} at {parcel.server} is not known yet")
                row = connection.execute(STATEMENTS[kind], values).fetchone()
                if kind == "account":
                    self.check_same(key, account, row[0])
                    account = row[0]
                elif kind == "ticks":
                    counts["ticks inserted"] += row[0]
                elif len(row) == len(COUNTS):
                    for name, number in zip(COUNTS, row, strict=True):
                        counts[f"{kind} {name}"] += number
        self.accounts[key] = user, account, self.accounts[key][2]
        return counts

    def forget(self, parcel: Parcel) -> None:
        """The database knows the account no longer. Raises Forgotten where it was known before."""
        key = parcel.user, parcel.server, parcel.login
        if (was := self.accounts.get(key)) and was[1] is not None:
            self.accounts[key] = was[0], was[1], -KNOWN_FOR * 2
            self.known(*key)

    @staticmethod
    def values(parcel: Parcel, given: dict[str, Any]) -> dict[str, Any]:
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
        """Close every connection that is not in use, and let go of the accounts."""
        self.holder.close()
        while not self.free.empty():
            if connection := self.free.get_nowait():
                connection.close()
