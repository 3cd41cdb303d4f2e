-- 5750_lifecycle.sql: policies to begin with. Changed ways, ages and holds stay.

CALL deploy.become_owner();

-- A row for each table: tests/test_lifecycle.py compares. The reason follows this file.
INSERT INTO monitoring.lifecycle (relation, way, reason)
VALUES
('deploy.history', 'bounded', 'a row a file of the repository and change of it'),
('internal.bar_changes', 'own', 'fold_bar_changes() empties it each minute'),
('internal.expired_bars', 'own', 'drop_expired_bars() empties it'),
('internal.mt5_event_eras', 'bounded', 'a row a restore or failover'),
('internal.mt5_fields', 'bounded', 'a row a field of the terminal'),
(
    'internal.mt5_missed', 'own',
    'the next complete reading of an account''s history removes its rows'
),
('internal.order_claims', 'own', 'the trigger that writes a row removes it'),
(
    'internal.proved_positions', 'kept',
    'a small row a position: what is proved is not proved again each hour'
),
('internal.signal_marks', 'own', 'expire_signals() removes them each minute'),
('internal.signal_queue', 'own', 'expire_signals() removes them each minute'),
('internal.strategy_counter_deltas', 'own', 'folded at the end of each transaction'),
('migration.given_ids', 'bounded', 'moving in ends'),
('migration.leftovers', 'bounded', 'moving in ends'),
('migration.progress', 'bounded', 'moving in ends'),
('migration.proofs', 'bounded', 'moving in ends'),
('migration.rejects', 'bounded', 'moving in ends'),
('monitoring.archives', 'kept', 'the notes without which no archive is known'),
('monitoring.chunk_readings', 'own', 'read_history() removes those of chunks that are gone'),
('monitoring.counter_readings', 'own', 'turn_rings() removes readings that are two days old'),
(
    'monitoring.day_readings', 'kept',
    'a row a hypertable and day that has rows, to notice days that vanish'
),
(
    'monitoring.facts', 'own',
    'a ring: monitoring.turn_rings() empties it before it is written again'
),
('monitoring.lifecycle', 'bounded', 'a row a table'),
('monitoring.performance_failures', 'own', 'the next refresh of the period removes its rows'),
('monitoring.policy_runs', 'bounded', 'a row a policy of the Timescale licence'),
('monitoring.sampled_causes', 'own', 'turn_rings() removes those that no sample names'),
(
    'monitoring.samples', 'own',
    'a ring: monitoring.turn_rings() empties it before it is written again'
),
('monitoring.thinned_days', 'kept', 'two rows a day'),
('monitoring.thresholds', 'bounded', 'a row a check'),
('public.balance_operations', 'kept', 'money: the proofs add them up'),
('public.currency_pairs', 'bounded', 'a row a pair of currencies'),
('public.gateway_series', 'bounded', 'a row a series that the gateway reads'),
('public.gateway_watermarks', 'bounded', 'a row an account'),
('public.journal_answers', 'bounded', 'what users write by hand'),
('public.journal_entries', 'bounded', 'what users write by hand'),
('public.journal_entry_tags', 'bounded', 'what users write by hand'),
('public.journal_questions', 'bounded', 'what users write by hand'),
('public.journal_tags', 'bounded', 'what users write by hand'),
('public.market_archives', 'kept', 'a row a month of a series, without which no archive is known'),
('public.market_calendar_clocks', 'bounded', 'a row a calendar'),
('public.market_calendars', 'bounded', 'a row a symbol'),
('public.market_data', 'own', 'market_retention, archive_bars.py and drop_expired_bars()'),
('public.market_holidays', 'bounded', 'a row a holiday'),
('public.market_retention', 'bounded', 'a row a kind of series'),
('public.market_rollups', 'bounded', 'a row a series'),
('public.market_series', 'bounded', 'a row a series'),
('public.market_sessions', 'bounded', 'hours of a week of a calendar'),
('public.mt5_account_states', 'bounded', 'a row an account'),
('public.mt5_accounts', 'bounded', 'a row an account'),
('public.mt5_clock_readings', 'bounded', 'a row a run of equal readings: a few a year and server'),
('public.mt5_codes', 'bounded', 'a row a code of MT5'),
('public.mt5_deal_types', 'bounded', 'a row a type of MT5'),
('public.mt5_explanations', 'kept', 'money: why a balance is not the sum of the deals'),
('public.mt5_first_stops', 'kept', 'what trades risked is measured by them'),
('public.mt5_magic_strategies', 'bounded', 'a row a magic number'),
('public.mt5_orders', 'kept', 'money: the broker''s own orders, which trips and proofs read'),
('public.mt5_reports', 'kept', 'a row a report that a person loaded'),
('public.mt5_server_clocks', 'bounded', 'a row a server and rule'),
('public.mt5_sessions', 'kept', 'snapshots and positions name their session'),
('public.mt5_symbol_map', 'bounded', 'a row an account and symbol'),
('public.mt5_symbols', 'kept', 'a row a change of the terms of an instrument'),
('public.mt5_tick_values', 'kept', 'what trades risked is measured by them'),
('public.mt5_trips', 'kept', 'money: trades made of the deals'),
('public.performance_metrics', 'kept', 'a row a period of a user or strategy'),
('public.resampled_bars', 'own', 'made of the bars, and leaves with them'),
('public.risk_breaches', 'kept', 'what an account was judged by'),
('public.risk_rules', 'bounded', 'a row a rule'),
('public.risk_states', 'bounded', 'a row a rule'),
('public.risk_templates', 'bounded', 'a row a template'),
('public.signal_claims', 'kept', 'who carried out a signal, once'),
('public.signal_intents', 'kept', 'stays as long as its signal'),
('public.trading_deals', 'kept', 'money: the ledger'),
('public.trading_orders', 'kept', 'money: the trades'),
('public.trading_positions', 'bounded', 'a row an open position'),
('public.trading_signals', 'kept', 'what a trade was made for'),
('public.trading_strategies', 'bounded', 'a row a strategy'),
('public.users', 'bounded', 'a row a user')
ON CONFLICT (relation) DO UPDATE
    SET reason = excluded.reason
    WHERE lifecycle.way = excluded.way AND lifecycle.reason <> excluded.reason;

INSERT INTO monitoring.lifecycle (
    relation, way, time_column, part_column, keep_full, keep_hourly, archive_by, reason
)
VALUES
(
    'audit.changes', 'archived', 'changed_at', NULL, '1 year', NULL, 'month',
    'each change of users, strategies, orders and accounts'
),
(
    'monitoring.backup_runs', 'deleted', 'finished_at', NULL, '5 years', NULL, NULL,
    'a few rows a day'
),
(
    'monitoring.dropped_ranges', 'deleted', 'dropped_at', NULL, '800 days', NULL, NULL,
    'what was dropped on purpose'
),
(
    'monitoring.proof_readings', 'deleted', 'taken_at', NULL, '90 days', NULL, NULL,
    'what the proofs said each hour'
),
(
    'monitoring.size_readings', 'deleted', 'taken_on', NULL, '800 days', NULL, NULL,
    'sizes of each table each day'
),
(
    'public.account_snapshots', 'thinned', 'timestamp', NULL, '30 days', '180 days', NULL,
    'curves, falls and rules need of an hour or day the first, last, highest and lowest'
),
(
    'public.market_ticks', 'archived', 'timestamp', 'symbol', '90 days', NULL, 'day',
    'the largest table of all'
),
(
    'public.mt5_events', 'archived', 'seen_at', NULL, '1 year', NULL, 'month',
    'what changed on the accounts; what began before is not told of by *_as_of()'
),
(
    'public.mt5_order_sends', 'archived', 'sent_at', NULL, '1 year', NULL, 'month',
    'every order_send with its answer'
),
(
    'public.mt5_rejects', 'archived', 'rejected_at', NULL, '180 days', NULL, 'month',
    'elements that could not be stored'
)
ON CONFLICT (relation) DO UPDATE
    SET reason = excluded.reason
    WHERE lifecycle.way = excluded.way AND lifecycle.reason <> excluded.reason;
