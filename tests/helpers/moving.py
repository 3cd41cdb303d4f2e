"""SQLite files for tests of moving in: the truth as Python values, and the forms it is kept in."""

from __future__ import annotations

import csv
import json
import sqlite3
import uuid
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg

import migrate_csv
import migrate_sqlite
import running
from rows import HASH
from rubi.moving.sources import ROWS
from running import Done

Form = Callable[[Any], Any]
SESSIONS = [uuid.UUID(int=0xA1B2C3D4 << 64 | n) for n in (1, 2)]
D = Decimal


def at(text: str) -> datetime:
    """A time in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def truth() -> dict[str, list[dict[str, Any]]]:
    """Rows of all nine tables, as they shall stand in the database."""
    made = {"created_at": at("2025-03-01 00:00"), "updated_at": at("2025-03-02 00:00")}
    return {
        "users": [
            {"id": 7, "email": "ann@example.com", "username": "ann", "hashed_password": HASH,
             "is_active": True, "is_superuser": False, **made},
            {"id": 9, "email": "bob@example.com", "username": "böb", "hashed_password": HASH,
             "is_active": False, "is_superuser": True, **made},
        ],
        "trading_strategies": [
            {"id": 3, "user_id": 7, "name": "Trend\tfollower \\ 1", "description": None,
             "symbols": ["EURUSD", "XAUUSD"], "timeframes": ["H1"], "max_positions": 5,
             "risk_per_trade": D("0.0125"), "is_active": True, **made},
            {"id": 4, "user_id": 9, "name": "Breakout", "description": "two\nlines",
             "symbols": [], "timeframes": ["M5", "D1"], "max_positions": 1,
             "risk_per_trade": D("1"), "is_active": False, **made},
        ],
        "mt5_sessions": [
            {"id": 1, "user_id": 7, "session_id": SESSIONS[0], "account_number": "5001234",
             "broker": "Broker", "server": "Broker-Live", "balance": D("10000.1"),
             "equity": D("98765432.1"), "margin": D("0.3"), "margin_free": D("-5.55"),
             "currency": "EUR", "is_active": True, "connected_at": at("2025-03-03 00:00"),
             "last_ping": at("2025-03-04 00:00"), "disconnected_at": None, **made},
            {"id": 2, "user_id": 9, "session_id": SESSIONS[1], "account_number": "77",
             "broker": "Other", "server": None, "balance": D("0"), "equity": D("0"),
             "margin": D("0"), "margin_free": D("0"), "currency": "USD", "is_active": False,
             "connected_at": at("2025-03-03 00:00"), "last_ping": at("2025-03-04 00:00"),
             "disconnected_at": at("2025-03-05 00:00"), **made},
        ],
        "trading_signals": [
            {"id": 11, "user_id": 7, "strategy_id": 3, "symbol": "EURUSD", "signal_type": "BUY",
             "status": "EXECUTED", "entry_price": D("1.1"), "stop_loss": D("1.09"),
             "take_profit": D("1.12345678"), "volume": D("0.01"), "timeframe": "H1",
             "confidence": D("0.87"), "indicators": {"rsi": D("55.5"), "trend": "up"},
             "signal_time": at("2025-03-10 00:00"), "received_at": at("2025-03-11 00:00"),
             "executed_at": at("2025-03-12 00:00"), "status_message": None},
            {"id": 12, "user_id": 9, "strategy_id": None, "symbol": "Volatility 75 (1s) Index",
             "signal_type": "CLOSE_SELL", "status": "PENDING", "entry_price": None,
             "stop_loss": None, "take_profit": None, "volume": D("2"), "timeframe": "M15",
             "confidence": D("0.5"), "indicators": {}, "signal_time": at("2025-03-10 00:00"),
             "received_at": at("2025-03-11 00:00"), "executed_at": None,
             "status_message": "waiting"},
        ],
        "trading_orders": [
            {"id": 21, "signal_id": 11, "user_id": 7, "mt5_order_id": "900001",
             "mt5_position_id": "900001", "symbol": "EURUSD", "order_type": "BUY",
             "volume": D("0.01"), "open_price": D("1.1"), "close_price": D("1.12"),
             "stop_loss": None, "take_profit": None, "profit": D("20.3"), "commission": D("-0.1"),
             "swap": D("-0.2"), "opened_at": at("2025-03-10 00:00"),
             "closed_at": at("2025-03-14 00:00")},
            {"id": 22, "signal_id": None, "user_id": 9, "mt5_order_id": None,
             "mt5_position_id": None, "symbol": "BTCUSD", "order_type": "BUY_STOP_LIMIT",
             "volume": D("0.00000001"), "open_price": D("65000.12345678"), "close_price": None,
             "stop_loss": None, "take_profit": None, "profit": D("0"), "commission": D("0"),
             "swap": D("0"), "opened_at": at("2025-03-10 00:00"), "closed_at": None},
        ],
        "trading_positions": [
            {"id": 31, "session_id": SESSIONS[0], "ticket": "42", "symbol": "EURUSD",
             "type": "SELL", "volume": D("1.5"), "open_price": D("1.1"),
             "current_price": D("1.0999"), "sl": None, "tp": D("1.05"), "profit": D("15"),
             "swap": D("0"), "commission": D("-7"), "open_time": at("2025-03-10 00:00"),
             "updated_at": at("2025-03-11 00:00")},
        ],
        "account_snapshots": [
            {"id": 51 + n, "session_id": SESSIONS[n % 2], "balance": D("1000.1") + n,
             "equity": D("999.9"), "margin": D("12.5"), "margin_free": D("987.4"),
             "margin_level": D("7999.2"), "profit": D("-0.2"),
             "timestamp": at(f"2025-03-1{n} 00:00")} for n in range(4)
        ],
        "market_data": [
            {"id": 61 + n, "symbol": "EURUSD", "timeframe": "D1",
             "timestamp": at(f"2025-03-1{n} 00:00"), "open": D("1.1"), "high": D("1.3"),
             "low": D("1.00001"), "close": D("1.2") + n * D("0.01"), "volume": 100 + n}
            for n in range(5)
        ],
        "performance_metrics": [
            {"id": 71, "user_id": 7, "strategy_id": 3, "period_start": at("2025-03-01 00:00"),
             "period_end": at("2025-04-01 00:00"), "total_trades": 3, "winning_trades": 2,
             "losing_trades": 1, "win_rate": D("66.67"), "total_profit": D("100.5"),
             "average_profit": D("33.5"), "max_profit": D("90"), "max_loss": D("-10"),
             "max_drawdown": D("10"), "sharpe_ratio": D("1.25"), "profit_factor": D("11.05"),
             "calculated_at": at("2025-04-02 00:00")},
        ],
    }  # fmt: skip


def iso(moment: datetime) -> str:
    """The commonest form of a time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


PLAIN: dict[type, Form] = {
    datetime: iso, bool: int, Decimal: float, uuid.UUID: str, list: json.dumps,
    dict: lambda value: json.dumps(value, default=float),
}  # fmt: skip


def write_csv(
    folder: Path, rows: dict[str, list[dict[str, Any]]], delimiter: str = ",",
    encoding: str = "utf-8",
) -> list[Path]:  # fmt: skip
    """A file for each table."""
    forms = {datetime: iso, uuid.UUID: str, list: json.dumps,
             dict: lambda value: json.dumps(value, default=float)}  # fmt: skip
    paths = []
    for table, records in rows.items():
        paths.append(folder / f"{table}.csv")
        with paths[-1].open("w", encoding=encoding, newline="") as file:
            writer = csv.writer(file, delimiter=delimiter)
            writer.writerow(records[0])
            for record in records:
                values = [forms.get(type(v), lambda value: value)(v) for v in record.values()]
                writer.writerow(values)
    return paths


def build(
    path: Path, rows: dict[str, list[dict[str, Any]]], forms: dict[Any, Form] | None = None
) -> Path:
    """A SQLite file; forms say by type or column how a value is kept. Columns have no affinity."""
    chosen = PLAIN | (forms or {})
    with closing(sqlite3.connect(path)) as connection:
        for table, records in rows.items():
            names = list(dict.fromkeys(name for record in records for name in record)) or ["id"]
            key = [f'"{n}"' + (" INTEGER PRIMARY KEY" if n == "id" else "") for n in names]
            connection.execute(f"CREATE TABLE {table} ({', '.join(key)})")
            for record in records:
                values = []
                for name in names:
                    value = record.get(name)
                    form = chosen.get(name) or chosen.get(type(value))
                    values.append(form(value) if form else value)
                marks = ", ".join("?" * len(names))
                connection.execute(f"INSERT INTO {table} VALUES ({marks})", values)
        connection.commit()
    return path


def run(db: psycopg.Connection, *arguments: object, script: Any = migrate_sqlite) -> Done:
    """Run the script within this process, which saves the start of Python."""
    info = db.info
    variables = {
        "PGHOST": info.host, "PGPORT": str(info.port), "PGUSER": "rubi_admin",
        "PGDATABASE": info.dbname, "COLUMNS": "100",
    }  # fmt: skip
    done = running.run(script.__name__, *arguments, env=variables)
    assert done.returncode == 2 or len(done.stderr.splitlines()) <= 1, done
    return done


def run_csv(db: psycopg.Connection, *arguments: object) -> Done:
    """migrate_csv.py in the same way."""
    return run(db, *arguments, script=migrate_csv)


def stored(db: psycopg.Connection, table: str, names: list[str]) -> list[dict[str, Any]]:
    """Rows of ours by id, as Python values."""
    columns = ", ".join(f'"{name}"' for name in names)
    cursor = db.execute(f"SELECT {columns} FROM public.{table} ORDER BY id")
    return [dict(zip(names, row, strict=True)) for row in cursor]


def same(db: psycopg.Connection, expected: dict[str, list[dict[str, Any]]]) -> None:
    """The database holds exactly these rows, and our own administrator."""
    db.execute("SET timezone = 'UTC'")
    for table, rows in expected.items():
        names = list(dict.fromkeys(name for row in rows for name in row)) or ["id"]
        found = stored(db, table, names)
        if table == "users":
            own = ("admin@rubi-studio.com", None)
            found = [row for row in found if row.get("email") not in own]
        assert found == [
            {name: row.get(name) for name in names} for row in sorted(rows, key=lambda r: r["id"])
        ], table


def rejects(db: psycopg.Connection) -> dict[tuple[str, int], str]:
    """Rejected rows and their rules."""
    cursor = db.execute("SELECT table_name, source_row, rule FROM migration.rejects")
    return {(table, row): rule for table, row, rule in cursor}


def bars(path: Path, more: list[tuple]) -> Path:
    """More than a batch of plain bars, then others: symbol, open, volume."""
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(
            "CREATE TABLE market_data (id INTEGER PRIMARY KEY, symbol, timeframe, timestamp,"
            " open, high, low, close, volume)"
        )
        plain = [("EURUSD", 1.1, 7)] * (ROWS + 10)
        connection.executemany(
            "INSERT INTO market_data (symbol, timeframe, timestamp, open, high, low, close, volume)"
            " VALUES (?, 'M1', datetime('2024-02-28', ? || ' minutes'), ?, 9e5, -1.5, 0, ?)",
            [(symbol, n, price, count) for n, (symbol, price, count) in enumerate(plain + more)],
        )
    return path
