"""Databases of the base system 3.0.0, filled with rows that break a rule and rows that don't."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing

import psycopg
import pytest

import adopt
import deploying
import moving
from conftest import ROOT, Address
from rows import HASH
from rubi.deploying import sqlfiles
from rubi.moving import adopting

ROWS = """
INSERT INTO users (id, email, username, hashed_password)
SELECT n, 'u' || n || '@example.com', 'u' || n, '{hash}' FROM generate_series(2, 21) AS n;
INSERT INTO trading_strategies (user_id, name) SELECT n, 's' FROM generate_series(2, 21) AS n;
INSERT INTO mt5_sessions (user_id, account_number, broker)
SELECT n, n, 'B' FROM generate_series(2, 21) AS n;
INSERT INTO trading_signals (user_id, strategy_id, symbol, signal_type, status, volume, signal_time)
SELECT 2 + n % 20, 1 + n % 20, 'EURUSD', 'BUY', 'EXECUTED', 1, '2025-01-01'
FROM generate_series(1, {rows} / 20) AS n;
INSERT INTO trading_orders (signal_id, user_id, mt5_order_id, symbol, order_type, volume,
    open_price, close_price, profit, opened_at, closed_at)
SELECT n, 2 + n % 20, n, 'EURUSD', 'buy', 0.1, 1.1, 1.2, 10.25, '2025-01-01', '2025-01-02'
FROM generate_series(1, {rows} / 20) AS n;
INSERT INTO trading_positions (session_id, ticket, symbol, type, volume, open_price,
    current_price, open_time)
SELECT session_id, id, 'EURUSD', 'BUY', 1, 1, 1, '2025-01-01' FROM mt5_sessions;
INSERT INTO account_snapshots (session_id, balance, equity, timestamp)
SELECT s.session_id, 1000, 1000 + n, timestamp '2025-01-01' + n * interval '1 minute'
FROM mt5_sessions AS s, generate_series(1, {rows} / 100) AS n;
INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close, volume)
SELECT 'S' || n % 10, 'M1', timestamp '2025-01-01' + n / 10 * interval '1 minute',
    1.1, 1.3, 1.0, 1.2, n
FROM generate_series(1, {rows} * 7 / 10) AS n;
INSERT INTO performance_metrics (user_id, period_start, period_end)
VALUES (2, '2025-01-01', '2025-02-01');
"""
# impossible rows, and the rule each breaks
IMPOSSIBLE = {
    "INSERT INTO users (email, username, hashed_password) VALUES ('nobody', 'x', '{hash}')":
        ("users", "users_email_form_check"),
    "INSERT INTO trading_orders (user_id, symbol, order_type, volume, opened_at, closed_at,"
    " close_price) VALUES (3, 'A', 'BUY', 1, '2025-01-02', '2025-01-01', 1)":
        ("trading_orders", "trading_orders_closed_after_opened_check"),
    "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time, confidence)"
    " VALUES (3, 'A', 'SELL', 1, '2025-01-02', 7)":
        ("trading_signals", "confidence_range_check"),
    "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
    " VALUES ('A', 'H1', '2025-01-01', 1, 0.5, 1, 1)":
        ("market_data", "market_data_high_is_highest_check"),
    "INSERT INTO account_snapshots (session_id, balance, equity, timestamp)"
    " SELECT session_id, 'NaN', 1, '2024-01-01' FROM mt5_sessions WHERE id = 1":
        ("account_snapshots", "amount_not_nan_check"),
    "INSERT INTO performance_metrics (user_id, period_start, period_end, win_rate)"
    " VALUES (3, '2025-01-01', '2025-02-01', 400)":
        ("performance_metrics", "performance_metrics_win_rate_range_check"),
}  # fmt: skip
# their nearest neighbours that break no rule
POSSIBLE = [
    "INSERT INTO users (email, username, hashed_password) VALUES ('n@b.io', 'y', '{hash}')",
    "INSERT INTO trading_orders (user_id, symbol, order_type, volume, opened_at, closed_at,"
    " close_price) VALUES (3, 'A', 'BUY', 1, '2025-01-02', '2025-01-02', 1)",
    "INSERT INTO trading_signals (user_id, symbol, signal_type, volume, signal_time, confidence)"
    " VALUES (3, 'A', 'SELL', 1, '2025-01-02', 1)",
    "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)"
    " VALUES ('B', 'H1', '2025-01-01', 1, 1, 1, 1), ('C', 'h1', '2025-01-01', 1, 1, 1, 1)",
    "INSERT INTO account_snapshots (session_id, balance, equity, timestamp)"
    " SELECT session_id, -1, 1, '2024-01-01' FROM mt5_sessions WHERE id = 2",
    "INSERT INTO performance_metrics (user_id, period_start, period_end, win_rate)"
    " VALUES (3, '2025-01-01', '2025-02-01', 100)",
]
# each breaks a rule by what another row is
HANGING = """
ALTER TABLE market_data DROP CONSTRAINT market_data_symbol_timeframe_timestamp_key;
INSERT INTO users (id, email, username, hashed_password) VALUES (90, 'gone', 'gone', '{hash}');
INSERT INTO mt5_sessions (user_id, account_number, broker) VALUES (90, 90, 'B');
INSERT INTO account_snapshots (session_id, balance, equity, timestamp)
SELECT session_id, 1, 1, '2025-01-01' FROM mt5_sessions WHERE user_id = 90;
INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close)
SELECT 'B', 'H1', '2025-01-01', 1, 3, 1, n FROM generate_series(1, 2) AS n;
"""


def base_text() -> str:
    """benchmarks/base.sql as users really have it: id alone is the key, and a known password."""
    text = (ROOT / "benchmarks/base.sql").read_text()
    text = text.replace(",\n    PRIMARY KEY (id, timestamp)", "")
    text = text.replace("    id serial,", "    id serial PRIMARY KEY,")
    assert text.count("id serial PRIMARY KEY") == 9
    return text.replace("'!', TRUE", f"'{HASH}', TRUE")


def make_base(server: Address, name: str, rows: int = 2000) -> None:
    """Install the base as psql would, going on after what fails, and fill it."""
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as connection:
        if not connection.execute("SELECT FROM pg_roles WHERE rolname = 'rubi_app'").rowcount:
            connection.execute("CREATE ROLE rubi_app LOGIN")
        connection.execute("GRANT rubi_app TO rubi_admin WITH ADMIN OPTION")
        connection.execute("ALTER ROLE rubi_app PASSWORD 'change_me'")
    failed = []
    with closing(psycopg.connect(server.dsn(name, "rubi_admin"), autocommit=True)) as connection:
        connection.execute('CREATE EXTENSION IF NOT EXISTS "uuid-ossp"')
        for _, statement in sqlfiles.statements(base_text()):
            try:
                connection.execute(statement)
            except psycopg.Error as error:
                failed.append((statement.split("'")[1], error.sqlstate))
        connection.execute(ROWS.format(hash=HASH, rows=rows))
        connection.execute("SELECT setval('users_id_seq', max(id)) FROM users")
        for statement in IMPOSSIBLE:
            connection.execute(statement.format(hash=HASH))
    # as they do: a unique index without the time column
    assert failed == [("account_snapshots", "TS103"), ("market_data", "TS103")]


def run(db: psycopg.Connection, *arguments: object) -> moving.Done:
    return moving.run(db, *arguments, script=adopt)


def counts(db: psycopg.Connection, schema: str = "public") -> dict[str, int]:
    return {
        table: db.execute(f"SELECT count(*) FROM {schema}.{table}").fetchone()[0]
        for table in adopting.TABLES
    }


def check_adopted(
    server: Address, db: psycopg.Connection, before: dict[str, int], fresh: str
) -> None:
    """Catalog as a fresh install leaves it; every row here or in quarantine."""
    assert deploying.left_in_catalog(server, db.info.dbname) == deploying.left_in_catalog(
        server, fresh
    )
    assert deploying.run(server, db.info.dbname, "status").stdout.count("applied") == len(
        sqlfiles.read_files()
    )
    quarantine = db.execute(
        "SELECT table_name, count(*) FROM migration.rejects GROUP BY 1"
    ).fetchall()
    here = counts(db)
    assert {t: here[t] + dict(quarantine).get(t, 0) for t in here} == before
    assert dict(db.execute("SELECT table_name, rule FROM migration.rejects").fetchall()) == dict(
        IMPOSSIBLE.values()
    )
    assert db.execute("SELECT bool_and(holds) FROM migration.proofs").fetchone()[0]
    assert db.execute(
        "SELECT count(*) FROM timescaledb_information.hypertables"
        " WHERE hypertable_name IN ('market_data', 'account_snapshots')"
    ).fetchone()[0] == 2  # fmt: skip


@pytest.fixture
def base(server: Address, empty_database: Callable[..., str]) -> Iterator[psycopg.Connection]:
    """The base system with rows, possible and impossible ones."""
    name = empty_database()
    make_base(server, name)
    with closing(psycopg.connect(server.dsn(name), autocommit=True)) as connection:
        yield connection
