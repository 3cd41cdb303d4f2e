"""Tries a backup: restored on a server of its own, proofs asked, used as the API does."""

from __future__ import annotations

from contextlib import suppress
from time import monotonic

import psycopg

from rubi.backups import restoring
from rubi.cli import Failure, step
from rubi.servers import clusters, embedded

DATABASE = "rubi_drill"
# What the API does, in the base's own columns.
SMOKE = (
    "INSERT INTO users (email, username, hashed_password)"
    " VALUES ('drill@example.com', 'restore drill', '$2b$12$' || repeat('x', 53))",
    "INSERT INTO trading_strategies (user_id, name) SELECT id, 'drill' FROM users"
    " WHERE username = 'restore drill'",
    "INSERT INTO mt5_sessions (user_id, account_number, broker, server) SELECT id, '1', 'drill',"
    " 'drill' FROM users WHERE username = 'restore drill'",
    "INSERT INTO trading_signals (user_id, strategy_id, symbol, signal_type, volume, signal_time)"
    " SELECT user_id, id, 'DRILL', 'BUY', 0.1, now() FROM trading_strategies WHERE name = 'drill'",
    "INSERT INTO trading_orders (signal_id, user_id, symbol, order_type, volume, open_price)"
    " SELECT id, user_id, 'DRILL', 'BUY', 0.1, 1 FROM trading_signals WHERE symbol = 'DRILL'",
    "UPDATE trading_orders SET closed_at = now(), close_price = 2, profit = 10"
    " WHERE symbol = 'DRILL'",
    "INSERT INTO trading_positions (session_id, ticket, symbol, type, volume, open_price,"
    " current_price, open_time) SELECT session_id, '1', 'DRILL', 'BUY', 0.1, 1, 1, now()"
    " FROM mt5_sessions WHERE broker = 'drill'",
    "UPDATE trading_positions SET current_price = 2, profit = 5 WHERE symbol = 'DRILL'",
    # now, and a chunk that nothing has touched yet
    "INSERT INTO account_snapshots (session_id, balance, equity, timestamp)"
    " SELECT session_id, 1000, 1005, now() - n * interval '1 day'"
    " FROM mt5_sessions, generate_series(0, 1) AS n WHERE broker = 'drill'",
    "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
    " SELECT 'DRILL', 'M1', n.at, 1, 2, 1, 2"
    " FROM (VALUES (date_trunc('minute', now())), ('1971-01-01 00:00:00+00')) AS n (at)",
)
SMOKE_RESULT = (
    "SELECT s.total_orders, s.total_profit, t.total_trades,"
    " (SELECT count(*) FROM market_data WHERE symbol = 'DRILL')"
    " FROM user_trading_stats AS s INNER JOIN trading_strategies AS t ON s.user_id = t.user_id"
    " WHERE s.username = 'restore drill'"
)


def prove(backup: restoring.Fetched, jobs: int) -> float:
    """Restore and try a backup on a server of its own; seconds that the restore took."""
    major = int(backup.manifest["postgresql"].split(".")[0])
    with step(f"PostgreSQL {major} with TimescaleDB"):
        programs = embedded.binaries(major)
    with clusters.temporary(programs, kind="drill") as cluster:
        began = monotonic()
        restoring.restore_into(backup, cluster.dsn(DATABASE), jobs=jobs)
        seconds = monotonic() - began
        with step("proofs"), cluster.connect(DATABASE) as connection:
            check_proofs(connection)
        with step("rubi_app works"):
            use(cluster.dsn(DATABASE, "rubi_app"))
        with step("proofs hold afterwards"), cluster.connect(DATABASE) as connection:
            check_proofs(connection)
    return seconds


def check_proofs(connection: psycopg.Connection) -> None:
    """Raise Failure when something contradicts a proof of monitoring.proofs."""
    well, line = connection.execute("SELECT is_well, line FROM monitoring.proofs_line").fetchone()
    if not well:
        raise Failure(f"restored, but the proofs fail: {line}")


def use(dsn: str) -> None:
    """Do what the API does. Raises Failure when it can't."""
    with psycopg.connect(dsn, application_name="rubi drill") as connection:
        try:
            for statement in SMOKE:
                connection.execute(statement)
            connection.commit()
            found = connection.execute(SMOKE_RESULT).fetchone()
        except psycopg.Error as error:
            with suppress(psycopg.Error):
                connection.rollback()
            raise Failure(f"restored, but rubi_app can't work: {error.diag.message_primary}") from (
                error
            )
    if found != (1, 10, 1, 2):
        raise Failure(f"restored, but rubi_app reads {found} where it wrote (1, 10, 1, 2)")
