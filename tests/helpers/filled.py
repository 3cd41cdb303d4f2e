"""A database with enough rows in every indexed table that the planner has a choice.

Rows are written without triggers and foreign keys: only their number and spread matter here.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg

# table: rows, columns, values of row n
ROWS = {
    "users": (2000, "email, username, hashed_password", "n || '@example.com', 'u' || n, '!'"),
    "trading_strategies": (
        2000,
        "user_id, name, symbols, is_active",
        "n % 200 + 1, 's' || n, jsonb_build_array('SYM' || n % 400), n % 50 = 0",
    ),
    "mt5_accounts": (400, "user_id, server, account_number, broker", "n % 200 + 1, 'S', n, 'B'"),
    "mt5_magic_strategies": (
        2000,
        "account_id, user_id, magic, strategy_id",
        "n % 400 + 1, n % 200 + 1, n, n",
    ),
    "mt5_sessions": (
        2000,
        "session_id, user_id, account_id, account_number, broker, is_active",
        "md5(n::text)::uuid, n % 200 + 1, n % 400 + 1, n % 400, 'B', n % 50 = 0",
    ),
    "trading_signals": (
        20000,
        "user_id, strategy_id, symbol, signal_type, status, volume, signal_time, received_at,"
        " indicators, valid_until",
        "n % 200 + 1, n % 2000 + 1, 'SYM' || n % 400, 'BUY',"
        " (CASE WHEN n % 500 = 0 THEN 'REJECTED' WHEN n % 100 = 1 THEN 'PENDING' ELSE 'EXPIRED'"
        " END)::signal_status_enum, 1, t, t, jsonb_build_object('rsi', n % 1000),"
        " CASE WHEN n % 2 = 1 THEN t END",
    ),
    "trading_orders": (
        20000,
        "user_id, strategy_id, account_id, mt5_order_id, symbol, order_type, volume, opened_at,"
        " open_price, closed_at, close_price",
        "n % 200 + 1, n % 2000 + 1, CASE WHEN n % 10 > 0 THEN n % 400 + 1 END, n,"
        " 'SYM' || n % 400, 'BUY', 1, t, 1, CASE WHEN n % 100 > 0 THEN t + interval '1 hour' END,"
        " CASE WHEN n % 100 > 0 THEN 1 END",
    ),
    "trading_positions": (
        4000,
        "session_id, account_id, ticket, symbol, type, volume, open_price, current_price,"
        " open_time",
        "md5((n % 2000 + 1)::text)::uuid, n % 400 + 1, n, 'SYM' || n % 400, 'BUY', 1, 1, 1, t",
    ),
    "risk_rules": (
        4000,
        "user_id, account_id, strategy_id, name, kind, amount, unit, clock",
        "n % 200 + 1, CASE WHEN n % 2 = 0 THEN n % 400 + 1 END, CASE WHEN n % 2 = 1 THEN n % 2000"
        " END, 'r', 'maximum_lots', 1, 'lots', 'UTC'",
    ),
    "risk_breaches": (
        8000,
        "rule_id, user_id, account_id, day, event, level, first_at, first_value, first_evidence,"
        " worst_at, worst_value, worst_evidence",
        "n, n % 200 + 1, n % 400 + 1, '2026-01-06', 'breach', 1, t, 1, '{}', t, 1, '{}'",
    ),
    "journal_entries": (
        8000,
        "user_id, account_id, position_id, leg",
        "n % 200 + 1, n % 400 + 1, n, 1",
    ),
    "journal_tags": (4000, "user_id, kind, name", "n % 200 + 1, 'setup', 't' || n"),
    "journal_entry_tags": (8000, "user_id, entry_id, tag_id", "n % 200 + 1, n, n % 4000 + 1"),
    "journal_questions": (
        4000,
        "user_id, strategy_id, question",
        "n % 200 + 1, n % 2000 + 1, 'q' || n",
    ),
    "journal_answers": (
        8000,
        "user_id, entry_id, question_id, is_kept",
        "n % 200 + 1, n, n % 4000 + 1, TRUE",
    ),
    "account_snapshots": (
        5000,
        "session_id, balance, equity, timestamp",
        "md5((n % 2000 + 1)::text)::uuid, 1, 1,"
        " '2026-01-06 00:00Z'::timestamptz + n * interval '1 minute'",
    ),
    "trading_deals": (
        20000,
        "account_id, ticket, order_ticket, position_id, time, time_msc, executed_at, type,"
        " time_ambiguous, volume, price, commission, swap, profit, fee, symbol, source, raw",
        "n % 400 + 1, n, n / 2, n / 4, 1767225600 + n, (1767225600 + n) * 1000::bigint, t, 0,"
        " FALSE, 1, 1, 0, 0, 0, 0, 'EURUSD', 'api', '{}'",
    ),
    "mt5_orders": (
        10000,
        "account_id, ticket, time_setup, time_setup_msc, setup_at, type, state, time_ambiguous,"
        " volume_initial, volume_current, symbol, source, raw",
        "n % 400 + 1, n, 1767225600 + n, (1767225600 + n) * 1000::bigint, t, 0, 4, FALSE, 1, 0,"
        " 'EURUSD', 'api', '{}'",
    ),
    "signal_claims": (
        10000,
        "signal_id, account_id, lane, attempt, worker, claimed_at, lease_until, outcome, ended_at",
        "n, n % 400 + 1, -1, 1, 'w', t, t + interval '1 minute',"
        " CASE WHEN n % 100 > 0 THEN 'LAPSED' END, CASE WHEN n % 100 > 0 THEN t END",
    ),
    "signal_intents": (5000, "signal_id, account_id, user_id", "n, n % 400 + 1, n % 200 + 1"),
    "internal.signal_queue": (
        10000,
        "lane, ready_at, in_xid, signal_id, attempt",
        "n % 400 + 1, t, n::text::xid8, n, 1",
    ),
    "mt5_order_sends": (
        20000,
        "account_id, sent_at, request, claim_id, order_ticket",
        "n % 400 + 1, t, '{}', CASE WHEN n % 2 = 0 THEN n END, n",
    ),
    "mt5_trips": (
        10000,
        "account_id, position_id, leg, deals, opened_at, closed_at, opened_msc, time_ambiguous,"
        " is_whole, volume_opened, volume_closed, profit, commission, swap, fee, symbol",
        "n % 400 + 1, n, 1, 2, t, t, (1767225600 + n) * 1000::bigint, FALSE, TRUE, 1, 1, 0, 0, 0,"
        " 0, 'EURUSD'",
    ),
    "mt5_symbols": (
        8000,
        "account_id, symbol, valid_from, valid_to, seen_at, digits, trade_contract_size, raw",
        "n % 400 + 1, 'SYM' || n / 2000, t, CASE WHEN n % 2000 < 400 THEN 'infinity'::timestamptz"
        " ELSE t + interval '1 hour' END, t, 5, 1, '{}'",
    ),
    "mt5_rejects": (
        1000,
        "account_id, source, reason, element",
        "n % 400 + 1, 'deals', 'r', to_jsonb(n)",
    ),
    "performance_metrics": (
        5000,
        "user_id, strategy_id, period_start, period_end",
        "n % 200 + 1, n % 2000 + 1, t, t + interval '1 day'",
    ),
    "balance_operations": (
        5000,
        "user_id, account_id, amount, occurred_at",
        "n % 200 + 1, n % 400 + 1, 1, t",
    ),
    "mt5_events": (
        5000,
        "account_id, id, seen_at, taken_at, xact_id, era, kind, what, new_values",
        "n % 400 + 1, n, '2026-01-06 00:00Z'::timestamptz + n * interval '1 minute', t, n, 1,"
        " 'deal', 'new', '{}'",
    ),
    "audit.changes": (
        20000,
        "changed_at, table_name, row_id, action",
        "t, 'users', n, 'INSERT'",
    ),
    "migration.rejects": (
        5000,
        "source, table_name, source_row, rule, key, detail, row_values",
        "'s', 'users', n, 'r', n, 'd', '{}'",
    ),
}
# 15 minutes apart: 20,000 rows are seven months
TIME = "'2026-01-01 00:00Z'::timestamptz + n * interval '15 minutes' AS t"


@contextmanager
def database(connection: psycopg.Connection) -> Iterator[psycopg.Connection]:
    """Fills the tables in a transaction that is rolled back at the end, and analyzes them."""
    with connection.transaction(force_rollback=True):
        connection.execute("SET LOCAL session_replication_role = replica")
        for table, (count, columns, values) in ROWS.items():
            connection.execute(
                f"INSERT INTO {table} ({columns}) SELECT {values} FROM"
                f" (SELECT n, {TIME} FROM generate_series(1, {count}) AS n) AS numbers"
            )
            connection.execute(f"ANALYZE {table}")
        connection.execute("SET LOCAL session_replication_role = origin")
        yield connection
