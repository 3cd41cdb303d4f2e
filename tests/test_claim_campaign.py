"""50 workers claim while workers and the server are killed: sent twice 0, lost 0, forgotten 0.

A broker of the test's own counts what reaches it, which the database can't undo.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import conftest
import ephemeral
import rows
from rubi.deploying import open_rights
from rubi.servers import clusters, embedded
from rubi.waiting import until

DATABASE = "claims"
WORKERS = 50
SIGNALS = 300
DEADLINE = 240


class Killed(Exception):
    """The worker dies here."""


class Broker:
    """Counts the orders that reach it."""

    def __init__(self) -> None:
        self.orders: Counter[int] = Counter()
        self.lock = threading.Lock()

    def order_send(self, intent: int) -> None:
        with self.lock:
            self.orders[intent] += 1


@pytest.fixture(scope="module")
def trading(request: pytest.FixtureRequest) -> Iterator[clusters.Cluster]:
    """A server that keeps what it has acknowledged, with the schema and a user's accounts."""
    binaries = embedded.binaries(request.config.getoption("--pg"))
    cluster = clusters.Cluster(
        clusters.new_folder("claims"), binaries,
        {
            "shared_preload_libraries": "timescaledb,pg_stat_statements",
            "max_connections": "150",
            "restart_after_crash": "on",
        },
    )  # fmt: skip
    try:
        cluster.create()
        cluster.start()
        parts = conninfo_to_dict(cluster.dsn())
        conftest.make_administrator(
            conftest.Address(parts["host"], int(parts["port"]), "postgres", None, binaries)
        )
        with cluster.connect() as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        conftest.prepare_database(cluster.dsn(DATABASE))
        ephemeral.deploy_all(cluster.dsn(DATABASE, "rubi_admin"))
        with cluster.connect(DATABASE) as connection:
            open_rights.close(connection)
        yield cluster
    finally:
        cluster.remove()


class Campaign:
    """One run: signals of one user, workers on ten accounts, faults at random."""

    def __init__(self, cluster: clusters.Cluster, seed: int) -> None:
        self.cluster = cluster
        self.random = random.Random(seed)
        self.broker = Broker()
        self.ended = threading.Event()
        with cluster.connect(DATABASE) as connection:
            self.user = rows.user(connection, email=f"{seed}@example.com", username=f"trader{seed}")
            self.accounts = [
                rows.insert(
                    connection, "mt5_accounts", user_id=self.user, server="s",
                    account_number=str(number), broker="b",
                )
                for number in range(10)
            ]  # fmt: skip

    def store_signals(self) -> None:
        """In parts, each of a transaction; every third part names two accounts."""
        with self.cluster.connect(DATABASE) as connection:
            for part in range(SIGNALS // 10):
                with connection.transaction():
                    for _ in range(10):
                        stored = rows.signal(connection, self.user)
                        if part % 3 == 0:
                            connection.execute(
                                "INSERT INTO signal_intents (signal_id, account_id)"
                                " SELECT %s, unnest(%s::bigint[])", [stored, self.accounts[:2]],
                            )  # fmt: skip

    def work(self, number: int, seed: int) -> None:
        """A worker that dies again and again, and is started again with nothing in its memory."""
        chance = random.Random(seed)
        account = self.accounts[number % len(self.accounts)]
        while not self.ended.is_set():
            try:
                with psycopg.connect(
                    self.cluster.dsn(DATABASE, "rubi_ingest"), autocommit=True, connect_timeout=10
                ) as connection:
                    while not self.ended.is_set():
                        self.carry_out(connection, account, chance)
            except (psycopg.OperationalError, psycopg.errors.InternalError, Killed):
                time.sleep(0.05)

    def carry_out(
        self, connection: psycopg.Connection, account: int, chance: random.Random
    ) -> None:
        """Claim, mark, send, settle; the worker may die between any two of these."""

        def die(share: float) -> None:
            if chance.random() < share and not self.ended.is_set():
                raise Killed

        claims = connection.execute(
            "SELECT claim_id, signal_id FROM claim_signals(%s, 'worker', %s, '2 seconds')",
            [account, chance.choice([1, 3])],
        ).fetchall()
        if not claims:
            time.sleep(0.1)
        for claim, stored in claims:
            die(0.08)
            if chance.random() < 0.05:
                connection.execute("SELECT release_signal(%s)", [claim])
                continue
            try:
                connection.execute("SELECT mark_signal_sent(%s, '{}')", [claim])
            except psycopg.Error as error:
                if error.sqlstate in ("RB031", "RB032"):
                    continue
                raise
            die(0.04)
            self.broker.order_send(self.intent(stored, account))
            die(0.04)
            connection.execute("SELECT settle_signal(%s, 'EXECUTED')", [claim])

    def intent(self, stored: int, account: int) -> tuple[int, int]:
        """A copied signal is to be carried out once on each account, another once in all."""
        named = (stored - self.first) // 10 % 3 == 0
        return stored, account if named else 0

    def strike(self) -> bool:
        """Kill a backend: the server ends all its connections and recovers. FALSE while it does."""
        try:
            with self.cluster.connect(DATABASE) as connection:
                found = connection.execute(
                    "SELECT pid FROM pg_stat_activity WHERE usename = 'rubi_ingest'"
                ).fetchall()
        except psycopg.OperationalError:
            return False
        if found:
            try:
                os.kill(self.random.choice(found)[0], signal.SIGKILL)
            except ProcessLookupError:  # its worker closed it meanwhile
                return False
        return bool(found)

    def run(self) -> None:
        self.store_signals()
        with self.cluster.connect(DATABASE) as connection:
            (self.first,) = connection.execute(
                "SELECT min(id) FROM trading_signals WHERE user_id = %s", [self.user]
            ).fetchone()
        threads = [
            threading.Thread(target=self.work, args=(number, self.random.randrange(2**32)))
            for number in range(WORKERS)
        ]
        for thread in threads:
            thread.start()
        try:
            for _ in range(2):
                time.sleep(self.random.uniform(0.3, 1.5))
                until("a worker's backend is killed", self.strike, 120)
            until("each intent is sent or in doubt", self.is_done, DEADLINE, 0.5)
        finally:
            self.ended.set()
            for thread in threads:
                thread.join(60)

    def is_done(self) -> bool:
        """No claim is open but those that a person must look at, and no intent waits."""
        try:
            return self.counts()[0] == 0
        except psycopg.OperationalError:
            return False

    def counts(self) -> tuple[int, int, int]:
        """Intents without a sent claim, claims in doubt, intents with two sent claims."""
        with self.cluster.connect(DATABASE) as connection:
            return connection.execute(
                "WITH intents AS (SELECT s.id, coalesce(i.account_id, -s.user_id) AS lane"
                " FROM trading_signals AS s LEFT JOIN signal_intents AS i ON s.id = i.signal_id"
                " WHERE s.user_id = %s), sent AS (SELECT n.id, n.lane, count(c.id) AS claims,"
                " count(c.id) FILTER (WHERE c.outcome IS NULL) AS doubt FROM intents AS n"
                " LEFT JOIN signal_claims AS c ON n.id = c.signal_id AND n.lane = c.lane"
                " AND c.sent_at IS NOT NULL GROUP BY n.id, n.lane)"
                " SELECT count(*) FILTER (WHERE claims = 0), sum(doubt)::integer,"
                " count(*) FILTER (WHERE claims > 1) FROM sent",
                [self.user],
            ).fetchone()

    def check(self) -> None:
        """What the broker has against what the database says."""
        lost, doubt, twice = self.counts()
        assert (lost, twice) == (0, 0)
        assert [intent for intent, orders in self.broker.orders.items() if orders > 1] == []
        intents = SIGNALS + len([part for part in range(SIGNALS // 10) if part % 3 == 0]) * 10
        # an order that the broker does not have is one that a person is told of
        assert intents - len(self.broker.orders) <= doubt
        with self.cluster.connect(DATABASE) as connection:
            until(
                "leases of claims in doubt are over",
                lambda: connection.execute(
                    "SELECT count(*) = %s FROM claims_in_doubt WHERE user_id = %s",
                    [doubt, self.user],
                ).fetchone()[0],
            )
            open_claims = connection.execute(
                "SELECT count(*) FROM signal_claims AS c JOIN trading_signals AS s"
                " ON c.signal_id = s.id WHERE s.user_id = %s AND c.outcome IS NULL"
                " AND c.sent_at IS NULL AND s.status = 'PENDING' AND c.lease_until < now()"
                " AND NOT EXISTS (SELECT FROM signal_claims AS n WHERE n.signal_id = c.signal_id"
                " AND n.lane = c.lane AND n.attempt > c.attempt)",
                [self.user],
            ).fetchone()
            assert open_claims == (0,)


def seeds(count: int) -> list[int]:
    """RUBI_SEED repeats a run; the seed is in the test's name."""
    given = os.environ.get("RUBI_SEED")
    return [int(given)] if given else [1 + number for number in range(count)]


@pytest.mark.parametrize("seed", seeds(1))
def test_nothing_is_sent_twice_or_lost(trading: clusters.Cluster, seed: int) -> None:
    campaign = Campaign(trading, seed)
    campaign.run()
    campaign.check()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1000 + seed for seed in seeds(100)])
def test_nothing_is_sent_twice_or_lost_in_100_runs(trading: clusters.Cluster, seed: int) -> None:
    campaign = Campaign(trading, seed)
    campaign.run()
    campaign.check()
