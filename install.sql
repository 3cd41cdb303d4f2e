-- install.sql: the whole database, in order, for psql:
--     psql -X -v ON_ERROR_STOP=1 -d rubi_trading -f install.sql
-- Run it in the folder of this file. Each file runs in a transaction of its own, together with its
-- row in deploy.history. Running it again is harmless. It stops when a deployment is at work, and at
-- a lock that it does not get within 5 seconds: run it again then.
\set ON_ERROR_STOP on
\set QUIET on
\encoding UTF8
SET client_min_messages = warning;
SET timezone = 'UTC';
SET statement_timeout = 0;
SET lock_timeout = '5s';
\ir scripts/lock.sql

\set file schema/0010_deploy.sql \ir scripts/apply.psql
\set file schema/0020_extensions.sql \ir scripts/apply.psql
\set file schema/0030_schemas.sql \ir scripts/apply.psql
\set file schema/0100_users.sql \ir scripts/apply.psql
\set file schema/0110_trading_strategies.sql \ir scripts/apply.psql
\set file schema/0120_mt5_accounts.sql \ir scripts/apply.psql
\set file schema/0130_mt5_sessions.sql \ir scripts/apply.psql
\set file schema/0140_trading_signals.sql \ir scripts/apply.psql
\set file schema/0150_trading_orders.sql \ir scripts/apply.psql
\set file schema/0160_trading_positions.sql \ir scripts/apply.psql
\set file schema/0170_account_snapshots.sql \ir scripts/apply.psql
\set file schema/0180_market_data.sql \ir scripts/apply.psql
\set file schema/0190_performance_metrics.sql \ir scripts/apply.psql
\set file schema/0200_strategy_counter_deltas.sql \ir scripts/apply.psql
\set file schema/0300_mt5_codes.sql \ir scripts/apply.psql
\set file schema/0310_mt5_server_clocks.sql \ir scripts/apply.psql
\set file schema/0320_mt5_account_states.sql \ir scripts/apply.psql
\set file schema/0330_trading_deals.sql \ir scripts/apply.psql
\set file schema/0340_mt5_orders.sql \ir scripts/apply.psql
\set file schema/0350_trading_positions_mt5.sql \ir scripts/apply.psql
\set file schema/0360_mt5_symbols.sql \ir scripts/apply.psql
\set file schema/0370_mt5_magic_strategies.sql \ir scripts/apply.psql
\set file schema/0380_mt5_trips.sql \ir scripts/apply.psql
\set file schema/0390_mt5_rejects.sql \ir scripts/apply.psql
\set file schema/0395_mt5_order_sends.sql \ir scripts/apply.psql
\set file schema/0400_market_series.sql \ir scripts/apply.psql
\set file schema/0410_market_calendar.sql \ir scripts/apply.psql
\set file schema/0420_market_ticks.sql \ir scripts/apply.psql
\set file schema/0430_market_retention.sql \ir scripts/apply.psql
\set file schema/0510_performance_measures.sql \ir scripts/apply.psql
\set file schema/0520_performance_drawdowns.sql \ir scripts/apply.psql
\set file schema/0530_balance_operations.sql \ir scripts/apply.psql
\set file schema/0540_account_margin_levels.sql \ir scripts/apply.psql
\set file schema/0600_audit.sql \ir scripts/apply.psql
\set file schema/0710_backup_runs.sql \ir scripts/apply.psql
\set file schema/0800_monitoring_thresholds.sql \ir scripts/apply.psql
\set file schema/0810_monitoring_readings.sql \ir scripts/apply.psql
\set file indexes/1110_trading_strategies.sql \ir scripts/apply.psql
\set file indexes/1130_mt5_sessions.sql \ir scripts/apply.psql
\set file indexes/1140_trading_signals.sql \ir scripts/apply.psql
\set file indexes/1150_trading_orders.sql \ir scripts/apply.psql
\set file indexes/1160_trading_positions.sql \ir scripts/apply.psql
\set file indexes/1170_account_snapshots.sql \ir scripts/apply.psql
\set file indexes/1190_performance_metrics.sql \ir scripts/apply.psql
\set file indexes/1330_trading_deals.sql \ir scripts/apply.psql
\set file indexes/1340_mt5_orders.sql \ir scripts/apply.psql
\set file indexes/1350_trading_positions_mt5.sql \ir scripts/apply.psql
\set file indexes/1370_mt5_magic_strategies.sql \ir scripts/apply.psql
\set file indexes/1380_mt5_trips.sql \ir scripts/apply.psql
\set file indexes/1510_performance.sql \ir scripts/apply.psql
\set file indexes/1600_audit.sql \ir scripts/apply.psql
\set file functions/2010_timescaledb_edition.sql \ir scripts/apply.psql
\set file functions/2020_make_chunks_ahead.sql \ir scripts/apply.psql
\set file functions/2210_mt5_server_time.sql \ir scripts/apply.psql
\set file functions/2220_mt5_checks.sql \ir scripts/apply.psql
\set file functions/2230_ingest_mt5_account.sql \ir scripts/apply.psql
\set file functions/2240_compute_mt5_trips.sql \ir scripts/apply.psql
\set file functions/2245_refresh_mt5_trips.sql \ir scripts/apply.psql
\set file functions/2250_ingest_mt5_deals.sql \ir scripts/apply.psql
\set file functions/2260_ingest_mt5_orders.sql \ir scripts/apply.psql
\set file functions/2270_ingest_mt5_positions.sql \ir scripts/apply.psql
\set file functions/2280_ingest_mt5_symbols.sql \ir scripts/apply.psql
\set file functions/2290_rederive_mt5_times.sql \ir scripts/apply.psql
\set file functions/2300_log_mt5_order_send.sql \ir scripts/apply.psql
\set file functions/2400_bar_clock.sql \ir scripts/apply.psql
\set file functions/2410_market_series.sql \ir scripts/apply.psql
\set file functions/2420_merge_staged_bars.sql \ir scripts/apply.psql
\set file functions/2430_ingest_bars.sql \ir scripts/apply.psql
\set file functions/2440_market_ticks.sql \ir scripts/apply.psql
\set file functions/2450_resample_bars.sql \ir scripts/apply.psql
\set file functions/2460_find_bar_gaps.sql \ir scripts/apply.psql
\set file functions/2470_market_retention.sql \ir scripts/apply.psql
\set file functions/2480_enable_timescale_policies.sql \ir scripts/apply.psql
\set file functions/2610_app_user_id.sql \ir scripts/apply.psql
\set file functions/2630_close_user.sql \ir scripts/apply.psql
\set file functions/2800_read_statistics.sql \ir scripts/apply.psql
\set file functions/2810_read_ingest.sql \ir scripts/apply.psql
\set file views/3010_user_trading_stats.sql \ir scripts/apply.psql
\set file views/3020_open_positions_with_session.sql \ir scripts/apply.psql
\set file views/3100_monitoring_proofs.sql \ir scripts/apply.psql
\set file views/3110_monitoring_sizes.sql \ir scripts/apply.psql
\set file views/3120_monitoring_activity.sql \ir scripts/apply.psql
\set file views/3130_monitoring_unused_indexes.sql \ir scripts/apply.psql
\set file views/3210_mt5_trip_results.sql \ir scripts/apply.psql
\set file views/3220_mt5_order_send_quality.sql \ir scripts/apply.psql
\set file views/3230_monitoring_mt5_proofs.sql \ir scripts/apply.psql
\set file views/3400_market_data_coverage.sql \ir scripts/apply.psql
\set file views/3510_account_states.sql \ir scripts/apply.psql
\set file views/3520_measure_performance.sql \ir scripts/apply.psql
\set file views/3530_calculate_performance_metrics.sql \ir scripts/apply.psql
\set file views/3540_closed_trades.sql \ir scripts/apply.psql
\set file views/3550_results.sql \ir scripts/apply.psql
\set file views/3560_curves.sql \ir scripts/apply.psql
\set file views/3570_exposure.sql \ir scripts/apply.psql
\set file views/3580_signals.sql \ir scripts/apply.psql
\set file views/3590_account_risk.sql \ir scripts/apply.psql
\set file views/3610_tenant_hypertables.sql \ir scripts/apply.psql
\set file views/3800_monitoring_connections.sql \ir scripts/apply.psql
\set file views/3810_monitoring_indexes.sql \ir scripts/apply.psql
\set file views/3820_monitoring_tables.sql \ir scripts/apply.psql
\set file views/3830_monitoring_server.sql \ir scripts/apply.psql
\set file views/3840_monitoring_data.sql \ir scripts/apply.psql
\set file views/3880_monitoring_health.sql \ir scripts/apply.psql
\set file views/3890_take_readings.sql \ir scripts/apply.psql
\set file views/3900_monitoring_proofs.sql \ir scripts/apply.psql
\set file triggers/4010_updated_at.sql \ir scripts/apply.psql
\set file triggers/4020_account_of_row.sql \ir scripts/apply.psql
\set file triggers/4030_strategy_of_order.sql \ir scripts/apply.psql
\set file triggers/4040_signal_status.sql \ir scripts/apply.psql
\set file triggers/4050_strategy_counters.sql \ir scripts/apply.psql
\set file triggers/4300_notify.sql \ir scripts/apply.psql
\set file triggers/4310_account_of_order.sql \ir scripts/apply.psql
\set file triggers/4320_balance_operations.sql \ir scripts/apply.psql
\set file triggers/4400_bar_changes.sql \ir scripts/apply.psql
\set file triggers/4610_audit.sql \ir scripts/apply.psql
\set file triggers/4620_frozen_columns.sql \ir scripts/apply.psql
\set file triggers/4630_tenant_parents.sql \ir scripts/apply.psql
\set file seed/5010_administrator.sql \ir scripts/apply.psql
\set file seed/5200_mt5_codes.sql \ir scripts/apply.psql
\set file seed/5400_market_sessions.sql \ir scripts/apply.psql
\set file seed/5800_thresholds.sql \ir scripts/apply.psql
\set file grants/6010_roles.sql \ir scripts/apply.psql
\set file grants/6020_rights.sql \ir scripts/apply.psql
\set file grants/6310_mt5_rights.sql \ir scripts/apply.psql
\set file grants/6320_mt5_row_security.sql \ir scripts/apply.psql
\set file grants/6410_market_data.sql \ir scripts/apply.psql
\set file grants/6510_performance.sql \ir scripts/apply.psql
\set file grants/6610_row_security.sql \ir scripts/apply.psql
\set file grants/6620_tenant_rights.sql \ir scripts/apply.psql
\set file grants/6710_backup_runs.sql \ir scripts/apply.psql
\set file grants/6800_monitoring.sql \ir scripts/apply.psql
