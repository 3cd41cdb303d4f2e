-- examples.sql: calls that scripts/make_docs.py can't guess. Below "-- example: NAME" the statement
-- that views.md or functions.md shows for it; a test runs each on docs/sample.sql.

-- example: calculate_performance_metrics
SELECT total_trades, win_rate, total_profit, sharpe_ratio, reasons
FROM calculate_performance_metrics(1, NULL, '2026-01-01 00:00+00', '2026-02-01 00:00+00');
-- example: daily_equity
SELECT day, balance, equity, drawdown_percent
FROM daily_equity
WHERE user_id = 1 AND day >= '2026-01-01'
ORDER BY day;
-- example: internal.check_market_times
SELECT internal.check_market_times(
    'market_ticks', 'TICK', 'UTC', 1767225600.123, 1767225660, 'time_msc is in milliseconds'
);
-- example: monthly_results
SELECT month, currency, trades, win_rate, net_profit
FROM monthly_results
WHERE user_id = 1
ORDER BY month DESC;
-- example: ingest_mt5_account
SELECT ingest_mt5_account(
    1, '{"login": 7001, "server": "Broker-Live", "company": "Broker Ltd", "name": "A. Trader",
    "currency": "USD", "currency_digits": 2, "balance": 10000, "credit": 0, "profit": 0,
    "equity": 10000, "margin": 0, "margin_free": 10000, "margin_level": 0, "leverage": 100,
    "limit_orders": 200, "trade_mode": 0, "trade_allowed": true, "trade_expert": true,
    "margin_mode": 2, "margin_so_mode": 0, "margin_so_call": 50, "margin_so_so": 30,
    "margin_initial": 0, "margin_maintenance": 0, "assets": 0, "liabilities": 0,
    "commission_blocked": 0, "fifo_close": false}', '2026-01-05 12:00+00'
);
-- example: ingest_mt5_accounts
SELECT n, code, reason FROM ingest_mt5_accounts(
    '{1}', ARRAY['{"login": 7001}'::jsonb], ARRAY['2026-01-05 12:00+00'::timestamptz]
);
-- example: claim_signals
SELECT claim_id, signal_id, symbol, signal_type, volume
FROM claim_signals(1, 'worker 1', 10, '30 seconds');
-- example: release_signal
SELECT release_signal(claim_id, 'market closed') FROM claim_signals(1, 'worker 1');
-- example: settle_signal
SELECT settle_signal(claim_id, 'REJECTED', 'not enough margin') FROM claim_signals(1, 'worker 1');
-- example: mark_signal_sent
SELECT mark_signal_sent(claim_id, '{"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0}')
FROM claim_signals(1, 'worker 1');
-- example: internal.store_order_send
SELECT internal.store_order_send(1, '{"action": 1}', NULL, now(), NULL, 'claim-0', NULL);
-- example: log_mt5_order_send
SELECT log_mt5_order_send(
    1, '{"action": 1, "symbol": "EURUSD", "volume": 0.1, "type": 0, "price": 1.1}',
    '{"retcode": 10009, "deal": 9001, "order": 9001, "volume": 0.1, "price": 1.1001}',
    '2026-01-05 12:00:00+00', '2026-01-05 12:00:00.180+00'
);
-- example: merge_staged_bars
SELECT stage_bars();
SELECT * FROM merge_staged_bars('EURUSD', 'M1', 'Broker', 'America/New_York+7');
-- example: merge_staged_ticks
SELECT stage_ticks();
SELECT * FROM merge_staged_ticks('EURUSD', 'Broker', 'UTC');
-- example: ingest_bars
SELECT *
FROM ingest_bars('EURUSD', 'H1', '[[1767700800, 1.1, 1.102, 1.099, 1.101, 812, 4, 0]]');
-- example: find_bar_gaps
SELECT * FROM find_bar_gaps('EURUSD', 'H1', '2026-01-05 00:00+00', '2026-01-10 00:00+00');
-- example: last_bars
SELECT symbol, timestamp, close FROM last_bars('H1', ARRAY['EURUSD', 'USDJPY']);
-- example: internal.are_mt5_rows_sound
SELECT internal.are_mt5_rows_sound('deals', '[]');
-- example: internal.check_mt5_source
SELECT internal.check_mt5_source('api');
-- example: internal.check_mt5_window
SELECT internal.check_mt5_window('api', 1767571200000, 1767657600000);
-- example: internal.reject_mt5_rows
SELECT internal.reject_mt5_rows(1, 'deals', '[]', 'api');
-- example: internal.mt5_symbol_terms
SELECT internal.mt5_symbol_terms(s) FROM mt5_symbols AS s LIMIT 1;
-- example: internal.open_mt5_session
SELECT internal.open_mt5_session(a, now()) FROM mt5_accounts AS a LIMIT 1;
-- example: internal.reject_staged_twins
SELECT stage_bars();
SELECT internal.reject_staged_twins('America/New_York+7');
-- example: internal.check_conflict_mode
SELECT internal.check_conflict_mode('skip');
-- example: internal.reject_staged_bars
SELECT stage_bars();
SELECT internal.reject_staged_bars('M1', 'America/New_York+7');
-- example: internal.write_staged_bars
SELECT stage_bars();
SELECT *
FROM internal.write_staged_bars('EURUSD', 'M1', 'America/New_York+7', 'skip', 'empty', 0);
-- example: internal.drop_expired_chunk
SELECT d.dropped, d.deleted
FROM timescaledb_information.chunks AS c
CROSS JOIN LATERAL internal.drop_expired_chunk(
    c.chunk_schema, c.chunk_name, c.range_start, c.range_end
) AS d
WHERE c.hypertable_name = 'market_data' AND c.range_end < '1990-01-01';
-- example: lake_files
INSERT INTO market_archives (
    symbol, timeframe, month, location, sha256, bars, price_sum, volume_sum
)
VALUES ('EURUSD', 'H1', '2020-01-01', '/lake/a.parquet', repeat('0', 64), 1, 4, 1);
SELECT * FROM lake_files('H1', '2020-01-01', '2020-02-01', '{EURUSD}');
-- example: subscribe
SELECT subscribe('rubi_signals');
-- example: has_subscribers
SELECT has_subscribers('rubi_signals');
-- example: migration.insert_staged
CREATE TEMPORARY TABLE staged AS
SELECT 1::bigint AS n, 1::bigint AS source_row, 'x'::text AS email;
SELECT * FROM migration.insert_staged('public.users', '{email}');

-- example: migration.stage_rows
SELECT migration.stage_rows('public.users', '{email}');
-- example: migration.leave_moved_rows
SELECT migration.stage_rows('public.users', '{email}');
SELECT migration.leave_moved_rows('public.users', '{email}', 100, '{}');
-- example: migration.leave_orphans
SELECT migration.stage_rows('public.trading_signals', '{user_id}');
SELECT * FROM migration.leave_orphans(
    'sqlite:rubi_studio.db', 'trading_signals', 'user_id', 'users', 'user_id_fkey'
);

-- example: internal.set_columnstore_policy
SELECT internal.set_columnstore_policy('market_ticks', '60 days')
WHERE monitoring.has_columnstore('market_ticks');
-- example: internal.make_market_data_h1
SELECT feature, note FROM public.enable_timescale_policies();

-- example: advance_gateway_watermark
SELECT advance_gateway_watermark(1, 'deals', '', 1767603600000, 1767607200000);
-- example: hold_gateway_account
SELECT hold_gateway_account(1, 'Broker-Live', '5001234');
-- example: release_gateway_account
SELECT hold_gateway_account(1, 'Broker-Live', '5001234');
SELECT release_gateway_account(1, 'Broker-Live', '5001234');
-- example: measure_mt5_clock
SELECT measure_mt5_clock('Broker-Live', 'EURUSD', 120, '2026-01-05 10:00+00');
SELECT * FROM propose_mt5_clocks('Broker-Live');
-- example: set_mt5_server_clock
SELECT set_mt5_server_clock('Broker-Live', 'America/New_York+7');
-- example: internal.note_event
SELECT internal.note_event(1, 'order', 'changed', 7, '{"sl": 1.05}', '{"sl": 1.06}');
-- example: positions_as_of
SELECT * FROM positions_as_of(1, now() - interval '1 hour');
-- example: orders_as_of
SELECT * FROM orders_as_of(1, now() - interval '1 hour');
-- example: apply_risk_template
SELECT apply_risk_template(1, 'two-step challenge', 10000, '2026-01-05 00:00+00');
-- example: internal.tell_positions
SELECT internal.tell_positions(r, 1, now(), 'breach', 9) FROM risk_rules AS r LIMIT 1;
-- example: internal.keep_first_stop
SELECT internal.keep_first_stop(p, now(), 1.09, NULL) FROM trading_positions AS p
WHERE p.identifier IS NOT NULL LIMIT 1;
-- example: group_r
SELECT symbol, trades, left_out_by, expectancy_r, sqn FROM group_r(1) WHERE grouped_by = 'symbol';
-- example: name_market_session
SELECT name_market_session('2026-01-05 14:30+00');
-- example: internal.keep_tick_values
SELECT internal.keep_tick_values(1, now());
-- example: find_risk_basis
SELECT r.name, find_risk_basis(r, 10000, 9990) FROM risk_rules AS r;
-- example: find_risk_level
SELECT r.name, find_risk_level(r, s.opening, s.highest)
FROM risk_rules AS r
INNER JOIN risk_states AS s ON r.id = s.rule_id;
-- example: find_risk_limit
SELECT r.name, find_risk_limit(r, s.opening)
FROM risk_rules AS r
INNER JOIN risk_states AS s ON r.id = s.rule_id;
-- example: is_risk_weekend
SELECT r.name FROM risk_rules AS r WHERE r.kind = 'no_weekend' AND is_risk_weekend(r, now());
-- example: list_strategy_reasons
SELECT list_strategy_reasons(1);
-- example: may_trade
SELECT allowed, reasons FROM may_trade(1);
-- example: draw_number
SELECT k AS draw, draw_number(1, k, 6) AS die FROM generate_series(1, 10) AS k;
-- example: bootstrap_trades
SELECT * FROM bootstrap_trades('{10, -5, 20, -5}', 3, 1);
-- example: bootstrap_returns
SELECT * FROM bootstrap_returns('{0.01, -0.005, 0, 0.002}', 3, 1);
-- example: simulate_drawdowns
SELECT max(fall) FROM simulate_drawdowns('{10, -5, 20, -5}', 100, 1, TRUE) AS s (fall);
-- example: normal_probability
SELECT normal_probability(1.96);
-- example: normal_quantile
SELECT normal_quantile(0.975);
-- example: sharpe_variance
SELECT sharpe_variance(0.458, -2.448, 10.164);
-- example: probabilistic_sharpe
SELECT probabilistic_sharpe(0.458, 0, 24, -2.448, 10.164);
-- example: minimum_track_record
SELECT minimum_track_record(0.458, 0, 0.95, -2.448, 10.164);
-- example: measure_runs
SELECT * FROM measure_runs('{10, 5, -5, 20, -5, -1}');
-- example: list_drawdown_ratios
SELECT * FROM list_drawdown_ratios('{10, -5, 20, -5, 10, -5, 20, -5, 1, 2}', 1);
-- example: list_trade_ratios
SELECT * FROM list_trade_ratios('{10, -5, 20, -5, 10, -5, 20, -5, 1, 2}');
-- example: measure_moments
SELECT * FROM measure_moments('{0.01, -0.005, 0, 0.002}');
-- example: measure_ulcer
SELECT measure_ulcer('{0.01, -0.005, 0, 0.002}');
-- example: list_tail_ratios
SELECT * FROM list_tail_ratios('{0.01, -0.005, 0, 0.002}');
-- example: measure_sharpe
SELECT * FROM measure_sharpe('{0.01, -0.005, 0, 0.002}', 365, 0, 0.95, 1);
-- example: list_return_ratios
SELECT * FROM list_return_ratios('{0.01, -0.005, 0, 0.002}');
-- example: check_ratio_arguments
SELECT check_ratio_arguments(0.95, 0, 30);
-- example: internal.cluster_chunk
SELECT internal.cluster_chunk(c)
FROM public.show_chunks('market_data', newer_than => timestamptz '1971-01-01') AS c
LIMIT 1;
-- example: internal.find_spare_snapshots
SELECT *
FROM internal.find_spare_snapshots('hour', '2026-01-05 00:00+00', '2026-01-06 00:00+00');
-- example: internal.thin_snapshots
SELECT internal.thin_snapshots('hour', '2026-01-05');
-- example: internal.find_expired_ranges
SELECT e.*
FROM monitoring.lifecycle AS l
CROSS JOIN LATERAL internal.find_expired_ranges(l) AS e
WHERE l.relation = 'public.market_ticks';
-- example: internal.find_archived_steps
SELECT s.*
FROM monitoring.lifecycle AS l
CROSS JOIN LATERAL internal.find_archived_steps(l) AS s
WHERE l.relation = 'public.market_ticks';
-- example: internal.find_deleting_steps
SELECT s.*
FROM monitoring.lifecycle AS l
CROSS JOIN LATERAL internal.find_deleting_steps(l) AS s
WHERE l.relation = 'monitoring.size_readings';
-- example: internal.find_thinning_steps
SELECT s.*
FROM monitoring.lifecycle AS l
CROSS JOIN LATERAL internal.find_thinning_steps(l) AS s
WHERE l.relation = 'public.account_snapshots';
-- example: internal.measure_rows
SELECT m.*
FROM monitoring.lifecycle AS l
CROSS JOIN LATERAL internal.measure_rows(
    'market_ticks', l, '2026-01-05 00:00+00', '2026-01-06 00:00+00'
) AS m
WHERE l.relation = 'public.market_ticks';
-- example: internal.count_step
SELECT internal.count_step(l, 'archive', '2020-01-01 00:00+00', now())
FROM monitoring.lifecycle AS l
WHERE l.relation = 'audit.changes';
-- example: internal.delete_old_rows
SELECT internal.delete_old_rows(l, now() - interval '10 years', 10)
FROM monitoring.lifecycle AS l
WHERE l.relation = 'monitoring.size_readings';
-- example: internal.delete_archived_rows
SELECT internal.delete_archived_rows(l, a.range_start, a.range_end)
FROM monitoring.lifecycle AS l
INNER JOIN monitoring.archives AS a ON l.relation = a.relation
WHERE l.relation = 'audit.changes' AND a.dropped_at IS NULL;
-- example: internal.drop_archived_chunk
SELECT internal.drop_archived_chunk(l, s.chunk, s.range_start, s.range_end)
FROM monitoring.lifecycle AS l
INNER JOIN monitoring.lifecycle_steps() AS s ON l.relation = s.relation
WHERE s.step = 'drop' AND s.chunk IS NOT NULL;
-- example: internal.drop_old_chunk
SELECT internal.drop_old_chunk(l, s.range_start, s.range_end)
FROM monitoring.lifecycle AS l
INNER JOIN monitoring.lifecycle_steps() AS s ON s.relation = l.relation AND s.step = 'delete'
WHERE s.chunk IS NOT NULL;

-- example: monitoring.counters_between
SELECT monitoring.counters_between('{"calls": 10, "ms": 4.5}', '{"calls": 12, "ms": 5}');
-- example: monitoring.incident
SELECT monitoring.incident('2026-01-05 02:55+00', '2026-01-05 03:15+00');
-- example: monitoring.incident_json
SELECT monitoring.incident_json('2026-01-05 02:55+00', '2026-01-05 03:15+00') -> 'found';
-- example: monitoring.plain_statement
SELECT monitoring.plain_statement('ALTER ROLE analyst PASSWORD ''secret''');
