"""Symbols and timeframes are compared by their bytes, so that a national locale costs nothing, and
every query still knows by which rule to compare."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing

import psycopg
import pytest

import bars
import conftest
import ephemeral
import rows
from conftest import Address

LOCALE = "LOCALE_PROVIDER icu ICU_LOCALE 'fr-FR' LOCALE 'C.UTF-8' ENCODING 'UTF8'"
NAMES = ["symbol", "canonical_symbol", "timeframe", "from_timeframe"]


@pytest.fixture(scope="module")
def national(server: Address) -> Iterator[psycopg.Connection]:
    """A database of a French server, deployed and with bars and an order."""
    name = "rubi_national"
    with closing(psycopg.connect(server.dsn(), autocommit=True)) as postgres:
        postgres.execute(f"CREATE DATABASE {name} TEMPLATE template0 {LOCALE}")
        try:
            conftest.prepare_database(server.dsn(name))
            ephemeral.deploy_all(server.dsn(name, "rubi_admin"))
            with psycopg.connect(server.dsn(name), autocommit=True) as connection:
                bars.make(connection, "2024-01-02", "2024-01-05")
                bars.make(connection, "2024-01-02", "2024-01-03", symbol="eurusd")
                rows.order(connection, rows.user(connection))
                yield connection
        finally:
            postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_every_symbol_and_timeframe_is_compared_by_bytes(catalog: psycopg.Connection) -> None:
    found = catalog.execute(
        "SELECT format('%%s.%%s', a.attrelid::regclass, a.attname), c.collname"
        " FROM pg_attribute AS a INNER JOIN pg_class AS r ON r.oid = a.attrelid"
        " INNER JOIN pg_collation AS c ON c.oid = a.attcollation"
        " WHERE r.relkind IN ('r', 'p') AND a.attname = ANY (%s)"
        " AND r.relnamespace::regnamespace::text IN ('public', 'internal', 'monitoring', 'audit')",
        [NAMES],
    ).fetchall()
    assert len(found) > 30
    # what a client asked for is kept as it was sent
    assert {name for name, rule in found if rule != "C"} == {"mt5_order_sends.symbol"}


def test_every_view_can_be_read_under_a_national_locale(national: psycopg.Connection) -> None:
    views = national.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relkind = 'v'"
        " AND relnamespace::regnamespace::text IN ('public', 'internal', 'monitoring', 'audit')"
    ).fetchall()
    assert len(views) > 50
    for (view,) in views:
        national.execute(f"SELECT count(*) FROM (SELECT * FROM {view} LIMIT 10) AS v")


def test_series_differ_by_their_bytes(national: psycopg.Connection) -> None:
    assert national.execute(
        "SELECT symbol, bars FROM market_data_coverage ORDER BY symbol"
    ).fetchall() == [("EURUSD", 3 * 1440), ("eurusd", 1440)]


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM market_data WHERE symbol = 'EURUSD' AND timeframe = 'M1'",
        "SELECT m.* FROM market_series AS s INNER JOIN market_data AS m"
        " ON m.symbol = s.symbol AND m.timeframe = s.timeframe",
        "SELECT m.* FROM trading_orders AS o CROSS JOIN LATERAL (SELECT * FROM market_data AS d"
        " WHERE d.symbol = o.symbol AND d.timeframe = 'M1' ORDER BY d.timestamp LIMIT 1) AS m",
        "SELECT m.* FROM unnest(ARRAY['EURUSD']) AS u (symbol) INNER JOIN market_data AS m"
        " ON m.symbol = u.symbol AND m.timeframe = 'M1'",
    ],
    ids=["by texts", "of series", "of orders", "of a list"],
)
def test_bars_are_found_by_their_key(national: psycopg.Connection, query: str) -> None:
    with national.transaction(force_rollback=True):
        for way in ("seqscan", "hashjoin", "mergejoin", "bitmapscan"):
            national.execute(f"SET LOCAL enable_{way} = off")
        plan = "\n".join(row[0] for row in national.execute("EXPLAIN " + query))
    assert "Index Cond: ((symbol = " in plan, plan


def test_market_functions_work_under_a_national_locale(national: psycopg.Connection) -> None:
    rate = {"time": 1704275000, "open": 1, "high": 1, "low": 1, "close": 1}
    with national.transaction(force_rollback=True):
        for query, arguments in (
            ("SELECT ingest_bars('été', 'M1', %s)", [json.dumps([rate])]),
            ("SELECT * FROM last_bars('M1')", []),
            ("SELECT * FROM last_bars('M1', ARRAY['EURUSD', 'eurusd'])", []),
            ("SELECT * FROM resample_bars('EURUSD', 'M1', 'D1', '2024-01-01', '2024-02-01')", []),
            ("SELECT * FROM find_bar_gaps('EURUSD', 'M1', '2024-01-01', '2024-01-09')", []),
            ("SELECT fold_bar_changes()", []),
            ("SELECT count_bars('EURUSD', 'M1')", []),
        ):
            assert national.execute(query, arguments).rowcount > 0, query
