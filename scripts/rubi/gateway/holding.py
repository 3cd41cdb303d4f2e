"""One gateway reads an account: an advisory lock that a session of its own has."""

import threading
import time
from typing import Any

import psycopg

from rubi.cli import Failure
from rubi.connecting import kept_alive

# the holding session of a gateway that was killed a moment ago may still be there
PATIENCE = 5.0
# seconds after which the session is asked whether it lives; one that the server ended is noticed
# without being asked
BEAT = 10.0
# as kept_alive(), on the server's side: the place of a machine that is gone is free after as long
BEGIN = (
    "SELECT set_config('tcp_keepalives_idle', '10', FALSE),"
    " set_config('tcp_keepalives_interval', '5', FALSE),"
    " set_config('tcp_keepalives_count', '3', FALSE),"
    " set_config('idle_session_timeout', '0', FALSE),"
    " current_setting('rubi.pooled', TRUE), s.pid, s.backend_start"
    " FROM pg_stat_activity AS s WHERE s.pid = pg_backend_pid()"
)
# what is left of our own session before, where only the network between ended
END = (
    "SELECT pg_terminate_backend(s.pid, 5000) FROM pg_stat_activity AS s"
    " WHERE s.pid = %s AND s.backend_start = %s"
)
HOLD = "SELECT hold_gateway_account(%s, %s, %s)"
RELEASE = "SELECT release_gateway_account(%s, %s, %s)"
HOLDER = (
    "SELECT coalesce(host(s.client_addr), 'this server''s socket'),"
    " to_char(s.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI')"
    " FROM pg_stat_activity AS s WHERE s.pid = %s AND s.backend_start IS NOT NULL"
)
POOLED = (
    "the connection goes through a pool of transactions, where no session holds an account:"
    " connect to the server directly (behind a pool of sessions: options=-crubi.pooled=off)"
)
Account = tuple[int, str, str]  # user, server, login


class Held(Failure):
    """Another gateway reads the account, or no session can hold it: trying again is no help."""


class Holder:
    """The session, with a lock for each account that this process reads."""

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn
        self.lock = threading.Lock()
        self.connection: psycopg.Connection | None = None
        self.session: tuple[Any, Any] | None = None
        self.held: dict[Account, object] = {}  # which lane has it
        self.beat = 0.0

    def begin(self) -> psycopg.Connection:
        """A new session, which holds nothing yet. Raises Held behind a pool."""
        connection = psycopg.connect(
            self.dsn,
            autocommit=True,
            application_name="rubi gateway holder",
            **kept_alive(self.dsn),
        )
        try:
            *_, pooled, pid, began = connection.execute(BEGIN).fetchone()
            # a pool tells its clients a number of its own
            is_other = connection.info.backend_pid != pid
            if pooled == "on" or (is_other and pooled != "off"):
                raise Held(POOLED)
            if self.session:
                connection.execute(END, self.session)
        except BaseException:
            connection.close()
            raise
        self.session = pid, began
        self.connection = connection
        self.beat = time.monotonic()
        return connection

    def is_there(self) -> bool:
        """Whether the session lives, so far as can be known without asking each time."""
        if self.connection is None:
            return False
        try:
            for _ in range(2):  # the reason that a server gives comes before its end
                self.connection.pgconn.consume_input()
            if time.monotonic() - self.beat >= BEAT:
                self.connection.execute("SELECT 1")
                self.beat = time.monotonic()
        except psycopg.Error:
            self.close()
            return False
        return True

    def hold(self, account: Account, lane: object) -> None:
        """Hold an account for a lane. Raises Held where another gateway has it, or behind a
        pool; Failure where another lane has it; psycopg.Error."""
        with self.lock:
            if self.is_there() and self.held.get(account) is lane:
                return
            try:
                self.take(account, lane)
            except psycopg.Error:
                self.close()
                raise

    def take(self, account: Account, lane: object) -> None:
        """Take an account, over the session there is or a new one; a lane has one account."""
        connection = self.connection or self.begin()
        if self.held.get(account, lane) is not lane:
            raise Failure(f"two terminals are in account {account[2]} at {account[1]}: one waits")
        for other in [one for one, owner in self.held.items() if owner is lane]:
            connection.execute(RELEASE, other)
            del self.held[other]
        waited = 0.0  # by tries: a machine that stood still gave the other no time to end
        while (pid := connection.execute(HOLD, account).fetchone()[0]) is not None:
            if waited > PATIENCE:
                found = connection.execute(HOLDER, [pid]).fetchone()
                since = " from {} since {} UTC".format(*found) if found else ""
                raise Held(
                    f"another gateway reads account {account[2]} at {account[1]}: pid {pid}{since};"
                    " end one of the two"
                )
            time.sleep(0.2)
            waited += 0.2
        self.held[account] = lane

    def close(self) -> None:
        if self.connection is not None:
            self.connection.close()
            self.connection = None
        self.held.clear()
