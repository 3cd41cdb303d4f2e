"""Bytes and WAL a row of the tables that grow, for scripts/capacity.py: prints its COSTS.

Rows come as they do in life: series and accounts interleaved, in the order of time.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import psycopg
import typer

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [
    str(ROOT / "scripts"), str(ROOT / "tests"), str(ROOT / "tests/helpers"),
    str(ROOT / "benchmarks"),
]  # fmt: skip

import year_rows
from loads import deployed
from rubi.cli import console, new_app, run
from rubi.servers import embedded
from year_days import join

app = new_app(__doc__)
SYMBOL = "'SYM' || lpad((n %% %(series)s)::text, 4, '0')"
TIME = "'2026-01-05'::timestamptz + (n / %(series)s)"
FILLS = {
    "market_ticks": (
        "INSERT INTO market_ticks (symbol, timestamp, bid, ask, flags)"
        f" SELECT {SYMBOL}, {TIME} * interval '1.7 seconds', 1.1 + n %% 9973 * 0.00001,"
        " 1.1001 + n %% 9973 * 0.00001, 6"
    ),
    "market_data": (
        "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close, volume,"
        f" real_volume, spread) SELECT {SYMBOL}, 'M1', {TIME} * interval '1 minute',"
        " 1.1 + n %% 9973 * 0.00001, 1.3, 1.0, 1.1 + n %% 9949 * 0.00001, n %% 400, 0, n %% 20"
    ),
    "account_snapshots": (
        "INSERT INTO account_snapshots (session_id, timestamp, balance, equity, margin,"
        " margin_free, margin_level, profit) SELECT lpad((n %% %(series)s + 1)::text, 32, '0')"
        f"::uuid, {TIME} * interval '1 minute', 10000 + n %% 997, 10000 + n %% 9973 * 0.11,"
        " 250.25, 9750 + n %% 9973 * 0.11, 4000 + n %% 97, n %% 9973 * 0.11 - 500"
    ),
    "trading_signals": (
        "INSERT INTO trading_signals (user_id, strategy_id, symbol, signal_type, entry_price,"
        " stop_loss, take_profit, volume, indicators, signal_time, received_at, client_request_id)"
        " SELECT 1001 + n %% %(series)s, 1001 + n %% %(series)s, 'SYM' || n %% 20, 'BUY', 1.1,"
        " 1.09,"
        " 1.12, 0.1, jsonb_build_object('rsi', n %% 100, 'atr', 0.0012),"
        f" {TIME} * interval '1 hour', {TIME} * interval '1 hour', gen_random_uuid()::text"
    ),
}
ACCOUNT = (
    "(SELECT a.id FROM mt5_accounts AS a WHERE a.account_number = (70000 + n %% %(series)s)::text)"
)
FILLS |= {
    "mt5_tick_values": (
        "INSERT INTO mt5_tick_values (account_id, symbol, taken_at, seen_at, currency_profit,"
        " trade_calc_mode, trade_contract_size, trade_tick_size, trade_tick_value,"
        f" trade_tick_value_profit, trade_tick_value_loss) SELECT {ACCOUNT}, 'SYM' || n %% 5,"
        f" {TIME} * interval '12 minutes', {TIME} * interval '12 minutes', 'JPY', 0, 100000, 0.001,"
        " 0.64 + n %% 997 * 0.00001, 0.64 + n %% 997 * 0.00001, 0.64 + n %% 997 * 0.00001"
    ),
    "mt5_first_stops": (
        "INSERT INTO mt5_first_stops (account_id, position_id, taken_at, side, stop, target)"
        f" SELECT {ACCOUNT}, 9000000 + n, {TIME} * interval '1 hour', 'BUY', 1.09, 1.12"
    ),
}
HYPERTABLES = ("market_ticks", "market_data", "account_snapshots", "mt5_events")
ACCOUNTS = (
    "INSERT INTO users (id, email, username, hashed_password)"
    " SELECT 1001 + n, 'u' || n || '@example.com', 'u' || n, '!' FROM generate_series(0, %(n)s) n;"
    "INSERT INTO trading_strategies (id, user_id, name) SELECT 1001 + n, 1001 + n, 's'"
    " FROM generate_series(0, %(n)s) AS n;"
    "INSERT INTO mt5_sessions (user_id, session_id, account_number, broker, server)"
    " SELECT 1001 + n, lpad((n + 1)::text, 32, '0')::uuid, (70000 + n)::text, 'Broker', 'Live'"
    " FROM generate_series(0, %(n)s) AS n;"
    "INSERT INTO trading_positions (session_id, ticket, symbol, type, volume, open_price,"
    " current_price, open_time) SELECT lpad((n + 1)::text, 32, '0')::uuid, (5000 + n)::text, 'A',"
    " 'BUY', 0.1, 1.1, 1.1, now() FROM generate_series(0, %(n)s) AS n"
)


def sizes(connection: psycopg.Connection, table: str) -> tuple[int, int]:
    """Bytes of a table and of its indexes, of all chunks."""
    return connection.execute(
        "SELECT sum(pg_table_size(r))::bigint, sum(pg_indexes_size(r))::bigint FROM ("
        "SELECT %s::regclass AS r UNION ALL SELECT c FROM show_chunks(%s) AS c"
        " WHERE EXISTS (SELECT FROM timescaledb_information.hypertables"
        " WHERE hypertable_name = %s)) AS t",
        [table, table, table],
    ).fetchone() if table in HYPERTABLES else (
        connection.execute(
            "SELECT pg_table_size(%s::regclass), pg_indexes_size(%s::regclass)", [table, table]
        ).fetchone()
    )  # fmt: skip


def wal(connection: psycopg.Connection) -> int:
    """Position in the WAL, bytes."""
    return connection.execute("SELECT pg_current_wal_insert_lsn() - '0/0'::pg_lsn").fetchone()[0]


def fill(
    connection: psycopg.Connection, table: str, rows: int, series: int, batch: int = 500
) -> tuple[float, float, float]:
    """Insert rows in small statements; answers bytes of table, of indexes and of WAL."""
    table_before, index_before = sizes(connection, table)
    began = wal(connection)
    for first in range(0, rows, batch):
        connection.execute(
            f"{FILLS[table]} FROM generate_series(%(first)s::int, %(last)s::int) AS n",
            {"series": series, "first": first, "last": min(first + batch, rows) - 1},
        )
    written = int(wal(connection) - began)
    table_after, index_after = sizes(connection, table)
    return table_after - table_before, index_after - index_before, written


# Doors of an hour of trading, and the tables whose rows they make; the last has the WAL of what
# follows from deals: trips, orders that are closed, the audit of these.
TRADES = {
    "signals": (), "claims": (), "API's orders": ("trading_orders",),
    "positions": ("mt5_events",), "MT5's orders": ("mt5_orders",),
    "deals": ("trading_deals", "mt5_trips", "audit.changes"), "closed positions": (),
}  # fmt: skip


def trade(
    connection: psycopg.Connection, trips: int, accounts: int
) -> dict[str, tuple[int, float, float, float]]:
    """Positions from signal to close, through the doors of API and gateway, and a night's results;
    rows of each table, and bytes a row of table, indexes and WAL."""
    connection.execute(year_rows.SCHEMA)
    connection.execute("INSERT INTO mt5_server_clocks (server, clock) VALUES ('Year-Live', 'UTC')")
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    with connection.transaction():
        join(connection, begin, 1, 1, accounts)
    tables = [*sum(TRADES.values(), ()), "performance_metrics"]
    before = {table: (*sizes(connection, table), rows_of(connection, table)) for table in tables}
    written = dict.fromkeys(tables, 0)
    for hour in range(24):
        values = {"at": begin + timedelta(hours=hour), "day": 1, "hour": hour, "hours": 1}
        values["trips"] = trips
        for door in year_rows.DOORS:
            if door.name in TRADES:
                began = wal(connection)
                with connection.transaction():
                    connection.execute(f"SET LOCAL ROLE {door.role}")
                    connection.execute(door.query, values)
                for table in TRADES[door.name][:1]:
                    written[table] += int(wal(connection) - began)
        # as autovacuum does, so that what an order was before it closed is used again
        connection.execute("VACUUM trading_orders, trading_signals, mt5_orders, trading_deals")
    began = wal(connection)
    connection.execute(
        "SELECT refresh_performance_metrics(%s, %s)", [begin, begin + timedelta(days=1)]
    )
    written["performance_metrics"] = int(wal(connection) - began)
    found = {}
    for table, (table_bytes, index_bytes, rows) in before.items():
        now = sizes(connection, table)
        count = rows_of(connection, table) - rows
        grown = (now[0] - table_bytes, now[1] - index_bytes, written[table])
        found[table] = (count, *(value / count for value in grown))
    return found


def rows_of(connection: psycopg.Connection, table: str) -> int:
    """Number of rows."""
    return connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608


def update_positions(connection: psycopg.Connection, rows: int, accounts: int) -> int:
    """Prices of open positions, one statement each; answers bytes of WAL."""
    began = wal(connection)
    for number in range(rows):
        connection.execute(
            "UPDATE trading_positions SET current_price = %s, profit = %s WHERE ticket = %s",
            [1.1, number % 100, str(5000 + number % accounts)],
        )
    return int(wal(connection) - began)


def write_journal(connection: psycopg.Connection, rows: int) -> tuple[float, float, float]:
    """Entries of 200 letters with a tag each; as fill()."""
    connection.execute(
        "INSERT INTO journal_tags (user_id, kind, name)"
        " SELECT DISTINCT user_id, 'setup', 'breakout' FROM mt5_accounts"
    )
    tables = ("journal_entries", "journal_entry_tags")
    before = [sizes(connection, table) for table in tables]
    began = wal(connection)
    accounts = connection.execute("SELECT id, user_id FROM mt5_accounts ORDER BY id").fetchall()
    for number in range(rows):
        account, user = accounts[number % len(accounts)]
        connection.execute(
            "WITH entry AS (INSERT INTO journal_entries (user_id, account_id, order_ticket, note)"
            " VALUES (%s, %s, %s, repeat('waited for it. ', 13)) RETURNING id, user_id)"
            " INSERT INTO journal_entry_tags (user_id, entry_id, tag_id)"
            " SELECT e.user_id, e.id, t.id FROM entry AS e JOIN journal_tags AS t USING (user_id)",
            [user, account, 9000000 + number],
        )
    return written_since(connection, tables, before, began)


def written_since(
    connection: psycopg.Connection, tables: tuple[str, ...], before: list, began: int
) -> tuple[float, float, float]:
    """Bytes of some tables, of their indexes and of WAL since then."""
    written = int(wal(connection) - began)
    after = [sizes(connection, table) for table in tables]
    table, indexes = (sum(a[n] - b[n] for a, b in zip(after, before, strict=True)) for n in (0, 1))
    return table, indexes, written


REQUEST = (
    '{"action": 1, "symbol": "SYM1", "volume": 0.1, "type": 0, "price": 1.1, "sl": 1.09,'
    ' "tp": 1.12, "deviation": 20, "magic": 7, "type_filling": 1}'
)
RESULT = (
    '{"retcode": 10009, "deal": 0, "order": 0, "volume": 0.1, "price": 1.1, "bid": 1.1,'
    ' "ask": 1.1001, "comment": "Request executed", "request_id": 12, "retcode_external": 0}'
)


def carry_out_signals(connection: psycopg.Connection, rows: int) -> tuple[float, float, float]:
    """Claims of waiting signals with their order_send and outcome, the queue's WAL; as fill()."""
    accounts = connection.execute("SELECT id FROM mt5_accounts ORDER BY id").fetchall()
    tables = ("signal_claims", "mt5_order_sends")
    before = [sizes(connection, table) for table in tables]
    began = wal(connection)
    for number in range(rows):
        (account,) = accounts[number % len(accounts)]
        connection.execute(
            "SELECT mark_signal_sent(c.claim_id, %(request)s), log_mt5_order_send(%(account)s,"
            " %(request)s, %(result)s, clock_timestamp(), clock_timestamp(),"
            " p_claim_id => c.claim_id),"
            " settle_signal(c.claim_id, 'EXECUTED')"
            " FROM claim_signals(%(account)s, 'worker', 1, '30 seconds') AS c",
            {"account": account, "request": REQUEST, "result": RESULT},
        )
    connection.execute("CALL expire_signals()")
    return written_since(connection, tables, before, began)


# what is done row by row, by the calls that do it in life
ACTED = {"signal_claims": carry_out_signals, "journal_entries": write_journal}


@app.command()
def measure(
    rows: Annotated[int, typer.Option(help="of each table")] = 300_000,
    series: Annotated[int, typer.Option(help="symbols, and accounts")] = 100,
    pg: Annotated[int, typer.Option()] = embedded.DEFAULT_MAJOR,
) -> None:
    """Fill each table and print what a row took."""
    with deployed(pg) as server, server.connect("ours") as connection:
        connection.execute("SET client_min_messages = error")
        psycopg.ClientCursor(connection).execute(ACCOUNTS, {"n": series - 1})
        for table in [*FILLS, *ACTED]:
            if table in ACTED:
                rows = min(rows, 10_000)
                found = ACTED[table](connection, rows)
            else:
                found = fill(connection, table, rows, series)
            shown = ", ".join(f"{value / rows:.0f}" for value in found)
            console.print(f'    "{table}": Cost({shown}),', markup=False)
            console.file.flush()
        for table, (_, *found) in trade(connection, min(rows, 10_000), series).items():
            shown = ", ".join(f"{value:.0f}" for value in found)
            console.print(f'    "{table}": Cost({shown}),', markup=False)
        written = update_positions(connection, 5000, series)
        console.print(f'    "position updates": Cost(0, 0, {written / 5000:.0f}),')


if __name__ == "__main__":
    run(app)
