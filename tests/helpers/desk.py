"""A desk of workers that claim signals, as the tests of claims use it."""

from __future__ import annotations

from collections.abc import Callable

import psycopg
import pytest

import mt5
import rows

Connect = Callable[..., psycopg.Connection]


class Desk:
    """A user with two accounts, a strategy and workers that claim for them."""

    def __init__(self, db: psycopg.Connection, connect_as: Connect) -> None:
        self.db = db
        self.user = rows.user(db)
        self.accounts = [mt5.open_account(db, self.user, login=login) for login in (1, 2)]
        self.strategy = rows.strategy(db, self.user)
        self.worker = connect_as("rubi_ingest")

    def signal(self, **values: object) -> int:
        return rows.signal(self.db, self.user, strategy_id=self.strategy, **values)

    def copied(self, **values: object) -> int:
        """A signal that names both accounts."""
        with self.db.transaction():
            signal = self.signal(**values)
            self.db.execute(
                "INSERT INTO signal_intents (signal_id, account_id)"
                " SELECT %s, unnest(%s::bigint[])",
                [signal, self.accounts],
            )
        return signal

    def claim(self, account: int = 0, limit: int = 1, lease: str = "1 minute") -> list[tuple]:
        """Claim and signal."""
        return self.worker.execute(
            "SELECT claim_id, signal_id FROM claim_signals(%s, 'worker', %s, %s)",
            [self.accounts[account], limit, lease],
        ).fetchall()

    def sent(self, claim: int) -> int:
        return self.worker.execute("SELECT mark_signal_sent(%s, '{}')", [claim]).fetchone()[0]

    def settle(self, claim: int, outcome: str, message: str | None = None) -> str:
        return self.worker.execute(
            "SELECT settle_signal(%s, %s, %s)", [claim, outcome, message]
        ).fetchone()[0]

    def release(self, claim: int) -> None:
        self.worker.execute("SELECT release_signal(%s)", [claim])

    def end_lease(self, claim: int) -> None:
        """As if the lease had been shorter: the row and the chance that it leaves."""
        with self.db.transaction():
            self.db.execute(
                "UPDATE signal_claims SET claimed_at = now() - interval '1 hour',"
                " lease_until = now() - interval '1 second' WHERE id = %s", [claim],
            )  # fmt: skip
            self.db.execute(
                "UPDATE internal.signal_queue AS q SET ready_at = now() - interval '1 second',"
                " in_xid = pg_current_xact_id()"  # whatever mark was made meanwhile
                " FROM signal_claims AS c WHERE c.id = %s AND q.signal_id = c.signal_id"
                " AND q.lane = c.lane AND q.attempt = c.attempt + 1", [claim],
            )  # fmt: skip

    def status(self, signal: int) -> str:
        return self.db.execute(
            "SELECT status FROM trading_signals WHERE id = %s", [signal]
        ).fetchone()[0]


def assert_refused(code: str, work: Callable[[], object]) -> None:
    with pytest.raises(psycopg.Error) as caught:
        work()
    assert caught.value.sqlstate == code
