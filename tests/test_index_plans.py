"""Each index is used by the query that it is there for, and none is there without a query.

An index costs every insert; the comment on it, in docs/schema, says what it serves. The rows are
generated, so many that the planner has a choice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import psycopg
import pytest

import filled
from conftest import Address

USED_BY = {
    "audit.idx_changes_changed_at": "SELECT FROM audit.changes"
    " WHERE changed_at >= '2026-02-01' AND changed_at < '2026-02-02'",
    "audit.idx_changes_owner": "SELECT FROM audit.changes"
    " WHERE old_values ? 'user_id' AND old_values ->> 'user_id' = '77'",
    "audit.idx_changes_row": "SELECT FROM audit.changes"
    " WHERE table_name = 'users' AND row_id = '77'",
    "migration.idx_rejects_key": "SELECT FROM migration.rejects"
    " WHERE source = 's' AND table_name = 'users' AND key = '77'",
    "internal.idx_signal_queue_lane_xid": "SELECT FROM internal.signal_queue"
    " WHERE -lane = -77 AND in_xid >= '9000' AND ready_at <= '2026-02-01'",
    "idx_active_sessions": "SELECT FROM mt5_sessions WHERE is_active",
    "idx_active_strategies": "SELECT FROM trading_strategies WHERE is_active",
    "idx_balance_operations_account": "SELECT FROM balance_operations"
    " WHERE account_id = 7 AND occurred_at >= '2026-01-02' AND occurred_at < '2026-02-02'",
    "idx_balance_operations_user": "SELECT FROM balance_operations WHERE user_id = 7",
    "idx_deals_account_executed": "SELECT FROM trading_deals"
    " WHERE account_id = 7 ORDER BY executed_at DESC LIMIT 5",
    "idx_deals_account_order": "SELECT FROM trading_deals"
    " WHERE account_id = 7 AND order_ticket = 77",
    "idx_deals_account_position": "SELECT FROM trading_deals"
    " WHERE account_id = 7 AND position_id = 77",
    "idx_deals_not_trades": "SELECT FROM trading_deals WHERE type NOT IN (0, 1)",
    "idx_journal_answers_question": "SELECT FROM journal_answers WHERE question_id = 77",
    "idx_journal_entries_account": "SELECT FROM journal_entries WHERE account_id = 7",
    "idx_journal_entry_tags_tag": "SELECT FROM journal_entry_tags WHERE tag_id = 77",
    "idx_journal_questions_strategy": "SELECT FROM journal_questions WHERE strategy_id = 77",
    "idx_metrics_account": "SELECT FROM performance_metrics WHERE account_id = 7",
    "idx_metrics_period_start": "SELECT FROM performance_metrics"
    " ORDER BY period_start DESC LIMIT 5",
    "idx_metrics_strategy": "SELECT FROM performance_metrics WHERE strategy_id = 77",
    "idx_metrics_user": "SELECT FROM performance_metrics WHERE user_id = 7",
    "idx_mt5_events_reading": "SELECT FROM mt5_events"
    " WHERE (era, xact_id, number) > (1, 77, 0) ORDER BY era, xact_id, number LIMIT 5",
    "idx_mt5_magic_strategies_strategy": "SELECT FROM mt5_magic_strategies WHERE strategy_id = 77",
    "idx_mt5_order_sends_account_sent": "SELECT FROM mt5_order_sends"
    " WHERE account_id = 7 ORDER BY sent_at DESC LIMIT 5",
    "idx_mt5_order_sends_claim": "SELECT FROM mt5_order_sends WHERE claim_id = 77",
    "idx_mt5_order_sends_claimed_order": "SELECT FROM mt5_order_sends"
    " WHERE account_id = 7 AND order_ticket = 77 AND claim_id IS NOT NULL",
    "idx_mt5_order_sends_sent_at": "SELECT FROM mt5_order_sends"
    " WHERE sent_at >= '2026-02-01' AND sent_at < '2026-02-02'",
    "idx_mt5_orders_account_setup": "SELECT FROM mt5_orders"
    " WHERE account_id = 7 ORDER BY setup_at DESC LIMIT 5",
    "idx_mt5_trips_account_closed": "SELECT FROM mt5_trips"
    " WHERE account_id = 7 AND closed_at IS NOT NULL ORDER BY closed_at DESC LIMIT 5",
    "idx_open_orders": "SELECT FROM trading_orders"
    " WHERE user_id = 100 AND closed_at IS NULL ORDER BY opened_at DESC",
    "idx_orders_account_opened": "SELECT FROM trading_orders"
    " WHERE account_id = 7 ORDER BY opened_at DESC LIMIT 5",
    "idx_orders_closed_at": "SELECT FROM trading_orders"
    " WHERE closed_at >= '2026-02-01' AND closed_at < '2026-02-02'",
    "idx_orders_opened_at": "SELECT FROM trading_orders ORDER BY opened_at DESC LIMIT 5",
    "idx_orders_strategy_closed": "SELECT FROM trading_orders"
    " WHERE strategy_id = 77 AND closed_at >= '2026-02-01' AND closed_at < '2026-03-01'",
    "idx_orders_symbol": "SELECT FROM trading_orders WHERE symbol = 'SYM77'",
    "idx_orders_user_closed": "SELECT FROM trading_orders WHERE user_id = 7"
    " AND close_price IS NOT NULL AND closed_at >= '2026-02-01' AND closed_at < '2026-02-05'",
    "idx_orders_user_symbol_opened": "SELECT FROM trading_orders"
    " WHERE user_id = 78 AND symbol = 'SYM77' ORDER BY opened_at DESC LIMIT 5",
    "idx_pending_signals": "SELECT FROM trading_signals"
    " WHERE user_id = 2 AND status = 'PENDING' ORDER BY received_at DESC LIMIT 5",
    "idx_positions_session_symbol": "SELECT FROM trading_positions AS p JOIN mt5_sessions AS s"
    " USING (session_id) WHERE s.id = 77 AND p.symbol = 'SYM76'",
    "idx_risk_breaches_account": "SELECT FROM risk_breaches"
    " WHERE account_id = 7 ORDER BY first_at LIMIT 5",
    "idx_risk_breaches_user": "SELECT FROM risk_breaches WHERE user_id = 7",
    "idx_risk_rules_account": "SELECT FROM risk_rules WHERE account_id = 7",
    "idx_risk_rules_strategy": "SELECT FROM risk_rules WHERE strategy_id = 77",
    "idx_risk_rules_user": "SELECT FROM risk_rules WHERE user_id = 7",
    "idx_sessions_account": "SELECT FROM mt5_sessions WHERE account_id = 7",
    "idx_sessions_account_number": "SELECT FROM mt5_sessions WHERE account_number = '77'",
    "idx_sessions_user": "SELECT FROM mt5_sessions WHERE user_id = 7",
    "idx_signal_claims_account": "SELECT FROM signal_claims"
    " WHERE account_id = 7 ORDER BY claimed_at DESC LIMIT 5",
    "idx_signal_claims_open": "SELECT FROM signal_claims"
    " WHERE outcome IS NULL AND lease_until <= '2026-01-02'",
    "idx_signal_intents_account": "SELECT FROM signal_intents WHERE account_id = 7",
    "idx_signals_indicators_gin": "SELECT FROM trading_signals WHERE indicators @> '{\"rsi\": 77}'",
    "idx_signals_received_at": "SELECT FROM trading_signals ORDER BY received_at DESC LIMIT 5",
    "idx_signals_signal_time": "SELECT FROM trading_signals ORDER BY signal_time DESC LIMIT 5",
    "idx_signals_status": "SELECT FROM trading_signals WHERE status = 'REJECTED'",
    "idx_signals_strategy": "SELECT FROM trading_signals WHERE strategy_id = 77",
    "idx_signals_symbol": "SELECT FROM trading_signals WHERE symbol = 'SYM77'",
    "idx_signals_user_status_time": "SELECT FROM trading_signals"
    " WHERE user_id = 7 AND status = 'EXPIRED' ORDER BY signal_time DESC LIMIT 5",
    "idx_signals_valid_until": "SELECT FROM trading_signals WHERE status = 'PENDING'"
    " AND valid_until IS NOT NULL AND valid_until <= '2026-01-05' ORDER BY valid_until LIMIT 5",
    "idx_snapshots_timestamp": "SELECT FROM account_snapshots ORDER BY timestamp DESC LIMIT 5",
    "idx_strategies_symbols_gin": "SELECT FROM trading_strategies WHERE symbols @> '[\"SYM77\"]'",
    "idx_strategies_user": "SELECT FROM trading_strategies WHERE user_id = 7",
    "journal_tags_user_id_kind_name_lower_key": "SELECT FROM journal_tags"
    " WHERE user_id = 7 AND kind = 'setup' AND lower(name) = 't77'",
    "mt5_rejects_element_key": "INSERT INTO mt5_rejects (account_id, source, reason, element)"
    " VALUES (7, 'deals', 'r', '1') ON CONFLICT (account_id, source,"
    " hashtextextended(element::text, 0), hashtextextended(element::text, 1)) DO NOTHING",
    "mt5_symbols_current_key": "SELECT FROM mt5_symbols"
    " WHERE account_id = 7 AND symbol = 'SYM1' AND valid_to = 'infinity'",
    "performance_metrics_group_period_key": "INSERT INTO performance_metrics"
    " (user_id, period_start, period_end, method_version) VALUES (7, '2026-01-01', '2026-02-01', 1)"
    " ON CONFLICT (user_id, strategy_id, account_id, all_accounts, period_start, period_end)"
    " WHERE method_version IS NOT NULL DO NOTHING",
    "trading_orders_user_id_mt5_order_id_key": "SELECT FROM trading_orders"
    " WHERE user_id = 11 AND mt5_order_id = '10' AND account_id IS NULL",
    "users_email_lower_key": "SELECT FROM users WHERE lower(email) = '77@example.com'",
    "users_username_lower_key": "SELECT FROM users WHERE lower(username) = 'u77'",
}


@pytest.fixture(scope="module")
def full(server: Address, shared_database: str) -> Iterator[psycopg.Connection]:
    with (
        psycopg.connect(server.dsn(shared_database), autocommit=True) as connection,
        filled.database(connection) as filled_connection,
    ):
        yield filled_connection


def test_each_index_that_keeps_no_constraint_has_its_query_here(
    catalog: psycopg.Connection,
) -> None:
    found = catalog.execute(
        "SELECT i.indexrelid::regclass::text FROM pg_index AS i"
        " JOIN pg_class AS c ON i.indrelid = c.oid"
        " WHERE c.relnamespace = ANY ('{public,audit,migration,monitoring,internal,deploy}'"
        "::regnamespace[]) AND NOT EXISTS"
        " (SELECT FROM pg_constraint AS k WHERE k.conindid = i.indexrelid"
        " AND k.contype IN ('p', 'u', 'x'))"
    ).fetchall()
    assert {name for (name,) in found} == set(USED_BY)


@pytest.mark.parametrize("index", USED_BY)
def test_index_serves_its_query(full: psycopg.Connection, index: str) -> None:
    plan = "\n".join(line for (line,) in full.execute(f"EXPLAIN {USED_BY[index]}"))
    if "DeferredChunkAppend" in plan:  # TimescaleDB 2.31 plans its chunks while it runs
        plan = "\n".join(line for (line,) in full.execute(f"EXPLAIN ANALYZE {USED_BY[index]}"))
    assert index.rpartition(".")[2] in plan, plan


def test_the_rules_of_a_strategy_are_read_by_its_orders(full: psycopg.Connection) -> None:
    """risk_state joined all positions with their strategies for each rule: 300 took 25 s."""
    plan = "\n".join(line for (line,) in full.execute("EXPLAIN SELECT * FROM risk_state"))
    assert not re.search(r"(Hash Cond|Merge Cond|Join Filter): .*strategy_id", plan), plan


def test_table_that_grows_has_an_index_for_each_foreign_key(catalog: psycopg.Connection) -> None:
    """From a megabyte on health warns, and a deployment would warn for ever."""
    found = catalog.execute(
        "SELECT k.constraint_name FROM monitoring.foreign_keys_without_index AS k"
        " INNER JOIN monitoring.lifecycle AS l"
        " ON l.relation = k.table_schema || '.' || k.table_name WHERE l.way <> 'bounded'"
    ).fetchall()
    assert found == []


def test_no_index_descends(catalog: psycopg.Connection) -> None:
    """Rows come in the order of time. Pages split in halves where each new entry goes before all
    others, and stay half empty; an index is read backward as well."""
    found = catalog.execute(
        "SELECT i.indexrelid::regclass::text FROM pg_index AS i"
        " JOIN pg_class AS c ON i.indrelid = c.oid"
        " WHERE c.relnamespace = ANY ('{public,audit,migration,monitoring,internal,deploy}'"
        "::regnamespace[]) AND EXISTS (SELECT FROM unnest(i.indoption) AS o WHERE o & 1 = 1)"
    ).fetchall()
    assert found == []
