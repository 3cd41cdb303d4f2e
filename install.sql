-- install.sql: the whole database, in order, for psql:
--     psql -X -v ON_ERROR_STOP=1 -d rubi_trading -f install.sql
-- Run it in the folder of this file. Each file runs in a transaction of its own, together with its
-- row in deploy.history. Run again, it applies what is due: nothing where all is up to date. It
-- stops when a deployment is at work, and at a lock that it does not get within 5 seconds: run it
-- again then.
\set ON_ERROR_STOP on
\set QUIET on
\encoding UTF8
SET client_min_messages = warning;
SET lock_timeout = '5s';
\ir deploy/session.sql
\ir deploy/lock.sql

-- schema: core
\set file schema/0010_deploy.sql \ir deploy/apply.psql
\set file schema/0020_extensions.sql \ir deploy/apply.psql
\set file schema/0030_schemas.sql \ir deploy/apply.psql
\set file schema/0040_value_rules.sql \ir deploy/apply.psql
\set file schema/0041_domains.sql \ir deploy/apply.psql

-- schema: trading
\set file schema/0100_users.sql \ir deploy/apply.psql
\set file schema/0110_trading_strategies.sql \ir deploy/apply.psql
\set file schema/0120_mt5_accounts.sql \ir deploy/apply.psql
\set file schema/0121_mt5_magic_strategies.sql \ir deploy/apply.psql
\set file schema/0130_mt5_sessions.sql \ir deploy/apply.psql
\set file schema/0140_trading_signals.sql \ir deploy/apply.psql
\set file schema/0150_trading_orders.sql \ir deploy/apply.psql
\set file schema/0160_trading_positions.sql \ir deploy/apply.psql
\set file schema/0170_account_snapshots.sql \ir deploy/apply.psql
\set file schema/0180_signal_claims.sql \ir deploy/apply.psql
\set file schema/0181_signal_intents.sql \ir deploy/apply.psql
\set file schema/0182_signal_queue.sql \ir deploy/apply.psql
\set file schema/0190_journal.sql \ir deploy/apply.psql

-- schema: market data
\set file schema/0200_market_data.sql \ir deploy/apply.psql
\set file schema/0210_market_series.sql \ir deploy/apply.psql
\set file schema/0220_market_calendar.sql \ir deploy/apply.psql
\set file schema/0230_market_ticks.sql \ir deploy/apply.psql
\set file schema/0240_mt5_symbols.sql \ir deploy/apply.psql
\set file schema/0241_mt5_tick_values.sql \ir deploy/apply.psql

-- schema: MT5 ledger
\set file schema/0300_mt5_codes.sql \ir deploy/apply.psql
\set file schema/0310_mt5_server_clocks.sql \ir deploy/apply.psql
\set file schema/0311_mt5_clock_readings.sql \ir deploy/apply.psql
\set file schema/0320_mt5_account_states.sql \ir deploy/apply.psql
\set file schema/0330_trading_deals.sql \ir deploy/apply.psql
\set file schema/0340_mt5_orders.sql \ir deploy/apply.psql
\set file schema/0350_mt5_order_sends.sql \ir deploy/apply.psql
\set file schema/0360_mt5_reports.sql \ir deploy/apply.psql
\set file schema/0370_mt5_events.sql \ir deploy/apply.psql
\set file schema/0371_mt5_event_eras.sql \ir deploy/apply.psql
\set file schema/0380_mt5_trips.sql \ir deploy/apply.psql
\set file schema/0381_proved_positions.sql \ir deploy/apply.psql
\set file schema/0382_mt5_first_stops.sql \ir deploy/apply.psql
\set file schema/0390_mt5_rejects.sql \ir deploy/apply.psql
\set file schema/0391_mt5_missed.sql \ir deploy/apply.psql

-- schema: results
\set file schema/0400_performance_metrics.sql \ir deploy/apply.psql
\set file schema/0401_performance_failures.sql \ir deploy/apply.psql
\set file schema/0410_balance_operations.sql \ir deploy/apply.psql
\set file schema/0470_performance_types.sql \ir deploy/apply.psql
\set file schema/0480_mt5_explanations.sql \ir deploy/apply.psql
\set file schema/0490_currency_pairs.sql \ir deploy/apply.psql

-- schema: rules and risk
\set file schema/0520_risk_rules.sql \ir deploy/apply.psql

-- schema: tenants and audit
\set file schema/0600_audit.sql \ir deploy/apply.psql

-- schema: backups, archives and scaling
\set file schema/0710_backup_runs.sql \ir deploy/apply.psql
\set file schema/0720_market_archives.sql \ir deploy/apply.psql
\set file schema/0750_lifecycle.sql \ir deploy/apply.psql

-- schema: monitoring
\set file schema/0810_monitoring_readings.sql \ir deploy/apply.psql
\set file schema/0820_history_readings.sql \ir deploy/apply.psql
\set file schema/0830_policy_runs.sql \ir deploy/apply.psql
\set file schema/0860_samples.sql \ir deploy/apply.psql
\set file schema/0890_monitoring_thresholds.sql \ir deploy/apply.psql

-- schema: moving in
\set file schema/0910_migration.sql \ir deploy/apply.psql
\set file schema/0920_gateway_series.sql \ir deploy/apply.psql
\set file schema/0921_gateway_watermarks.sql \ir deploy/apply.psql

-- indexes: trading
\set file indexes/1110_trading_strategies.sql \ir deploy/apply.psql
\set file indexes/1121_mt5_magic_strategies.sql \ir deploy/apply.psql
\set file indexes/1130_mt5_sessions.sql \ir deploy/apply.psql
\set file indexes/1140_trading_signals.sql \ir deploy/apply.psql
\set file indexes/1150_trading_orders.sql \ir deploy/apply.psql
\set file indexes/1160_trading_positions.sql \ir deploy/apply.psql
\set file indexes/1170_account_snapshots.sql \ir deploy/apply.psql

-- indexes: MT5 ledger
\set file indexes/1330_trading_deals.sql \ir deploy/apply.psql
\set file indexes/1340_mt5_orders.sql \ir deploy/apply.psql
\set file indexes/1370_mt5_events.sql \ir deploy/apply.psql
\set file indexes/1380_mt5_trips.sql \ir deploy/apply.psql

-- indexes: results
\set file indexes/1400_performance_metrics.sql \ir deploy/apply.psql
\set file indexes/1410_balance_operations.sql \ir deploy/apply.psql

-- indexes: tenants and audit
\set file indexes/1600_audit.sql \ir deploy/apply.psql

-- functions: core
\set file functions/2010_comment_columns.sql \ir deploy/apply.psql
\set file functions/2011_fill_column.sql \ir deploy/apply.psql
\set file functions/2040_server_clock.sql \ir deploy/apply.psql
\set file functions/2050_timescaledb_edition.sql \ir deploy/apply.psql
\set file functions/2051_make_chunks_ahead.sql \ir deploy/apply.psql
\set file functions/2060_set_updated_at.sql \ir deploy/apply.psql
\set file functions/2070_subscribe.sql \ir deploy/apply.psql
\set file functions/2080_timeframe_length.sql \ir deploy/apply.psql

-- functions: trading
\set file functions/2100_find_user.sql \ir deploy/apply.psql
\set file functions/2110_strategy_counters.sql \ir deploy/apply.psql
\set file functions/2130_session_triggers.sql \ir deploy/apply.psql
\set file functions/2140_signal_triggers.sql \ir deploy/apply.psql
\set file functions/2150_account_of_order.sql \ir deploy/apply.psql
\set file functions/2151_order_guards.sql \ir deploy/apply.psql
\set file functions/2160_position_triggers.sql \ir deploy/apply.psql
\set file functions/2170_fence_snapshots.sql \ir deploy/apply.psql
\set file functions/2171_snapshot_triggers.sql \ir deploy/apply.psql
\set file functions/2180_signal_queue.sql \ir deploy/apply.psql
\set file functions/2181_queue_signals.sql \ir deploy/apply.psql
\set file functions/2182_claim_signals.sql \ir deploy/apply.psql
\set file functions/2183_settle_signals.sql \ir deploy/apply.psql
\set file functions/2184_expire_signals.sql \ir deploy/apply.psql
\set file functions/2185_link_signals.sql \ir deploy/apply.psql
\set file functions/2186_signal_trace.sql \ir deploy/apply.psql
\set file functions/2190_forget_journal.sql \ir deploy/apply.psql

-- functions: market data
\set file functions/2200_log_bar_changes.sql \ir deploy/apply.psql
\set file functions/2210_market_series.sql \ir deploy/apply.psql
\set file functions/2211_resample_bars.sql \ir deploy/apply.psql
\set file functions/2212_remake_rollups.sql \ir deploy/apply.psql
\set file functions/2213_last_bars.sql \ir deploy/apply.psql
\set file functions/2220_find_bar_gaps.sql \ir deploy/apply.psql
\set file functions/2230_market_ticks.sql \ir deploy/apply.psql
\set file functions/2240_ingest_mt5_symbols.sql \ir deploy/apply.psql
\set file functions/2241_keep_tick_values.sql \ir deploy/apply.psql
\set file functions/2250_merge_staged_bars.sql \ir deploy/apply.psql
\set file functions/2251_ingest_bars.sql \ir deploy/apply.psql
\set file functions/2252_reject_staged_bars.sql \ir deploy/apply.psql

-- functions: MT5 ledger
\set file functions/2310_mt5_server_time.sql \ir deploy/apply.psql
\set file functions/2311_rederive_mt5_times.sql \ir deploy/apply.psql
\set file functions/2312_find_mt5_clock_shift.sql \ir deploy/apply.psql
\set file functions/2313_measure_mt5_clock.sql \ir deploy/apply.psql
\set file functions/2320_ingest_mt5_account.sql \ir deploy/apply.psql
\set file functions/2321_ingest_mt5_positions.sql \ir deploy/apply.psql
\set file functions/2322_ingest_mt5_accounts.sql \ir deploy/apply.psql
\set file functions/2323_merge_double_accounts.sql \ir deploy/apply.psql
\set file functions/2330_ingest_mt5_deals.sql \ir deploy/apply.psql
\set file functions/2331_follow_deals.sql \ir deploy/apply.psql
\set file functions/2340_ingest_mt5_orders.sql \ir deploy/apply.psql
\set file functions/2341_follow_mt5_orders.sql \ir deploy/apply.psql
\set file functions/2350_log_mt5_order_send.sql \ir deploy/apply.psql
\set file functions/2360_ingest_mt5_report.sql \ir deploy/apply.psql
\set file functions/2361_assign_mt5_positions.sql \ir deploy/apply.psql
\set file functions/2362_assign_mt5_netted_deals.sql \ir deploy/apply.psql
\set file functions/2363_measure_mt5_report.sql \ir deploy/apply.psql
\set file functions/2370_note_events.sql \ir deploy/apply.psql
\set file functions/2371_told_values.sql \ir deploy/apply.psql
\set file functions/2372_event_triggers.sql \ir deploy/apply.psql
\set file functions/2373_events_after.sql \ir deploy/apply.psql
\set file functions/2374_states_as_of.sql \ir deploy/apply.psql
\set file functions/2380_link_orders_of_api.sql \ir deploy/apply.psql
\set file functions/2381_refresh_mt5_trips.sql \ir deploy/apply.psql
\set file functions/2382_refresh_trading_orders.sql \ir deploy/apply.psql
\set file functions/2383_keep_first_stop.sql \ir deploy/apply.psql
\set file functions/2384_prove_trips.sql \ir deploy/apply.psql
\set file functions/2390_mt5_checks.sql \ir deploy/apply.psql
\set file functions/2391_lock_mt5_accounts.sql \ir deploy/apply.psql
\set file functions/2392_take_mt5_rows.sql \ir deploy/apply.psql
\set file functions/2393_follow_mt5_history.sql \ir deploy/apply.psql

-- functions: results
\set file functions/2400_calculate_performance_metrics.sql \ir deploy/apply.psql
\set file functions/2410_refresh_balance_operations.sql \ir deploy/apply.psql
\set file functions/2420_find_account_snapshot.sql \ir deploy/apply.psql
\set file functions/2421_find_bookings.sql \ir deploy/apply.psql
\set file functions/2440_group_trades.sql \ir deploy/apply.psql
\set file functions/2441_name_market_session.sql \ir deploy/apply.psql
\set file functions/2470_performance_numbers.sql \ir deploy/apply.psql
\set file functions/2471_performance_trades.sql \ir deploy/apply.psql
\set file functions/2472_performance_returns.sql \ir deploy/apply.psql
\set file functions/2473_performance_events.sql \ir deploy/apply.psql
\set file functions/2474_follow_performance_curves.sql \ir deploy/apply.psql
\set file functions/2475_performance_figures.sql \ir deploy/apply.psql
\set file functions/2476_measure_performance.sql \ir deploy/apply.psql
\set file functions/2480_explain_archived_deals.sql \ir deploy/apply.psql
\set file functions/2490_find_exchange_rate.sql \ir deploy/apply.psql

-- functions: rules and risk
\set file functions/2500_find_server_day_start.sql \ir deploy/apply.psql
\set file functions/2520_risk_levels.sql \ir deploy/apply.psql
\set file functions/2521_judge_snapshots.sql \ir deploy/apply.psql
\set file functions/2522_judge_positions.sql \ir deploy/apply.psql
\set file functions/2523_evaluate_risk.sql \ir deploy/apply.psql
\set file functions/2524_apply_risk_template.sql \ir deploy/apply.psql
\set file functions/2525_keep_ended_rules.sql \ir deploy/apply.psql
\set file functions/2531_group_r.sql \ir deploy/apply.psql
\set file functions/2540_seeded_draws.sql \ir deploy/apply.psql
\set file functions/2541_normal_distribution.sql \ir deploy/apply.psql
\set file functions/2542_list_daily_returns.sql \ir deploy/apply.psql
\set file functions/2543_list_trade_ratios.sql \ir deploy/apply.psql
\set file functions/2544_list_return_ratios.sql \ir deploy/apply.psql
\set file functions/2545_calculate_ratios.sql \ir deploy/apply.psql
\set file functions/2546_roll_ratios.sql \ir deploy/apply.psql
\set file functions/2547_correlate_strategies.sql \ir deploy/apply.psql

-- functions: tenants and audit
\set file functions/2600_note_change.sql \ir deploy/apply.psql
\set file functions/2610_app_user_id.sql \ir deploy/apply.psql
\set file functions/2611_set_tenant_policies.sql \ir deploy/apply.psql
\set file functions/2630_close_user.sql \ir deploy/apply.psql
\set file functions/2631_refuse_closed_users.sql \ir deploy/apply.psql

-- functions: backups, archives and scaling
\set file functions/2700_lake_files.sql \ir deploy/apply.psql
\set file functions/2720_market_archives.sql \ir deploy/apply.psql
\set file functions/2721_drop_expired_bars.sql \ir deploy/apply.psql
\set file functions/2730_enable_timescale_policies.sql \ir deploy/apply.psql
\set file functions/2731_run_timescale_policies.sql \ir deploy/apply.psql
\set file functions/2750_thin_snapshots.sql \ir deploy/apply.psql
\set file functions/2751_archived_rows.sql \ir deploy/apply.psql
\set file functions/2752_lifecycle_steps.sql \ir deploy/apply.psql
\set file functions/2753_follow_lifecycle.sql \ir deploy/apply.psql
\set file functions/2754_shrink_tables.sql \ir deploy/apply.psql

-- functions: monitoring
\set file functions/2810_take_readings.sql \ir deploy/apply.psql
\set file functions/2820_read_history.sql \ir deploy/apply.psql
\set file functions/2830_read_policies.sql \ir deploy/apply.psql
\set file functions/2860_plain_statement.sql \ir deploy/apply.psql
\set file functions/2861_take_sample.sql \ir deploy/apply.psql
\set file functions/2862_read_troubles.sql \ir deploy/apply.psql
\set file functions/2863_take_counters.sql \ir deploy/apply.psql
\set file functions/2864_keep_samples.sql \ir deploy/apply.psql
\set file functions/2865_incident.sql \ir deploy/apply.psql
\set file functions/2870_read_statistics.sql \ir deploy/apply.psql
\set file functions/2871_read_schedules.sql \ir deploy/apply.psql
\set file functions/2880_read_ingest.sql \ir deploy/apply.psql

-- functions: moving in
\set file functions/2910_insert_staged.sql \ir deploy/apply.psql
\set file functions/2911_stage_rows.sql \ir deploy/apply.psql
\set file functions/2920_find_gateway_account.sql \ir deploy/apply.psql
\set file functions/2921_advance_gateway_watermark.sql \ir deploy/apply.psql
\set file functions/2922_hold_gateway_account.sql \ir deploy/apply.psql

-- views: trading
\set file views/3100_user_trading_stats.sql \ir deploy/apply.psql
\set file views/3160_open_positions_with_session.sql \ir deploy/apply.psql
\set file views/3180_signal_claims.sql \ir deploy/apply.psql
\set file views/3190_journal.sql \ir deploy/apply.psql

-- views: market data
\set file views/3210_market_data_coverage.sql \ir deploy/apply.psql

-- views: MT5 ledger
\set file views/3311_server_clock_readings.sql \ir deploy/apply.psql
\set file views/3350_mt5_order_send_quality.sql \ir deploy/apply.psql
\set file views/3360_mt5_report_figures.sql \ir deploy/apply.psql
\set file views/3370_mt5_events.sql \ir deploy/apply.psql
\set file views/3380_mt5_trip_results.sql \ir deploy/apply.psql
\set file views/3381_trips_of_deals.sql \ir deploy/apply.psql
\set file views/3382_orders_of_trips.sql \ir deploy/apply.psql
\set file views/3383_trip_proof.sql \ir deploy/apply.psql

-- views: results
\set file views/3420_snapshots_by_account.sql \ir deploy/apply.psql
\set file views/3430_closed_trades.sql \ir deploy/apply.psql
\set file views/3440_results.sql \ir deploy/apply.psql
\set file views/3450_curves.sql \ir deploy/apply.psql
\set file views/3460_signals.sql \ir deploy/apply.psql
\set file views/3480_account_ledger.sql \ir deploy/apply.psql
\set file views/3481_mt5_reconciliations.sql \ir deploy/apply.psql
\set file views/3490_converted_results.sql \ir deploy/apply.psql

-- views: rules and risk
\set file views/3500_account_risk.sql \ir deploy/apply.psql
\set file views/3510_exposure.sql \ir deploy/apply.psql
\set file views/3520_risk_positions.sql \ir deploy/apply.psql
\set file views/3521_risk_state.sql \ir deploy/apply.psql
\set file views/3530_trip_risks.sql \ir deploy/apply.psql
\set file views/3531_trip_excursions.sql \ir deploy/apply.psql
\set file views/3550_results_by_tag.sql \ir deploy/apply.psql

-- views: tenants and audit
\set file views/3610_tenant_hypertables.sql \ir deploy/apply.psql

-- views: backups, archives and scaling
\set file views/3740_market_series_places.sql \ir deploy/apply.psql

-- views: monitoring
\set file views/3800_open_rights.sql \ir deploy/apply.psql
\set file views/3820_vanished_days.sql \ir deploy/apply.psql
\set file views/3830_monitoring_policies.sql \ir deploy/apply.psql
\set file views/3840_strategy_counter_proof.sql \ir deploy/apply.psql
\set file views/3841_mt5_proofs.sql \ir deploy/apply.psql
\set file views/3842_proofs.sql \ir deploy/apply.psql
\set file views/3850_monitoring_sizes.sql \ir deploy/apply.psql
\set file views/3851_monitoring_tables.sql \ir deploy/apply.psql
\set file views/3852_monitoring_indexes.sql \ir deploy/apply.psql
\set file views/3860_monitoring_connections.sql \ir deploy/apply.psql
\set file views/3861_monitoring_activity.sql \ir deploy/apply.psql
\set file views/3870_monitoring_server.sql \ir deploy/apply.psql
\set file views/3871_replicas.sql \ir deploy/apply.psql
\set file views/3872_server_health.sql \ir deploy/apply.psql
\set file views/3880_monitoring_data.sql \ir deploy/apply.psql
\set file views/3881_data_health.sql \ir deploy/apply.psql
\set file views/3890_monitoring_health.sql \ir deploy/apply.psql
\set file views/3891_installation.sql \ir deploy/apply.psql

-- triggers: trading
\set file triggers/4100_users.sql \ir deploy/apply.psql
\set file triggers/4110_trading_strategies.sql \ir deploy/apply.psql
\set file triggers/4120_mt5_accounts.sql \ir deploy/apply.psql
\set file triggers/4130_mt5_sessions.sql \ir deploy/apply.psql
\set file triggers/4140_trading_signals.sql \ir deploy/apply.psql
\set file triggers/4150_trading_orders.sql \ir deploy/apply.psql
\set file triggers/4160_trading_positions.sql \ir deploy/apply.psql
\set file triggers/4170_account_snapshots.sql \ir deploy/apply.psql
\set file triggers/4180_signal_intents.sql \ir deploy/apply.psql
\set file triggers/4190_journal.sql \ir deploy/apply.psql

-- triggers: market data
\set file triggers/4200_market_data.sql \ir deploy/apply.psql
\set file triggers/4210_market_series.sql \ir deploy/apply.psql

-- triggers: MT5 ledger
\set file triggers/4320_mt5_account_states.sql \ir deploy/apply.psql
\set file triggers/4330_trading_deals.sql \ir deploy/apply.psql
\set file triggers/4340_mt5_orders.sql \ir deploy/apply.psql

-- triggers: results
\set file triggers/4480_mt5_explanations.sql \ir deploy/apply.psql

-- triggers: rules and risk
\set file triggers/4520_risk_rules.sql \ir deploy/apply.psql

-- seed: trading
\set file seed/5100_administrator.sql \ir deploy/apply.psql

-- seed: market data
\set file seed/5220_market_sessions.sql \ir deploy/apply.psql

-- seed: MT5 ledger
\set file seed/5300_mt5_codes.sql \ir deploy/apply.psql

-- seed: results
\set file seed/5490_currency_pairs.sql \ir deploy/apply.psql

-- seed: rules and risk
\set file seed/5520_risk_templates.sql \ir deploy/apply.psql

-- seed: backups, archives and scaling
\set file seed/5750_lifecycle.sql \ir deploy/apply.psql

-- seed: monitoring
\set file seed/5890_monitoring_thresholds.sql \ir deploy/apply.psql

-- grants: core
\set file grants/6000_roles.sql \ir deploy/apply.psql
\set file grants/6010_deploy.sql \ir deploy/apply.psql
\set file grants/6020_extensions.sql \ir deploy/apply.psql
\set file grants/6030_schemas.sql \ir deploy/apply.psql
\set file grants/6040_server_clock.sql \ir deploy/apply.psql
\set file grants/6041_domains.sql \ir deploy/apply.psql
\set file grants/6050_hypertables.sql \ir deploy/apply.psql
\set file grants/6070_subscribe.sql \ir deploy/apply.psql
\set file grants/6080_timeframe_length.sql \ir deploy/apply.psql

-- grants: trading
\set file grants/6100_users.sql \ir deploy/apply.psql
\set file grants/6110_trading_strategies.sql \ir deploy/apply.psql
\set file grants/6120_mt5_accounts.sql \ir deploy/apply.psql
\set file grants/6121_mt5_magic_strategies.sql \ir deploy/apply.psql
\set file grants/6130_mt5_sessions.sql \ir deploy/apply.psql
\set file grants/6140_trading_signals.sql \ir deploy/apply.psql
\set file grants/6150_trading_orders.sql \ir deploy/apply.psql
\set file grants/6160_trading_positions.sql \ir deploy/apply.psql
\set file grants/6170_account_snapshots.sql \ir deploy/apply.psql
\set file grants/6180_signal_claims.sql \ir deploy/apply.psql
\set file grants/6190_journal.sql \ir deploy/apply.psql

-- grants: market data
\set file grants/6200_market_data.sql \ir deploy/apply.psql
\set file grants/6210_market_series.sql \ir deploy/apply.psql
\set file grants/6220_market_calendar.sql \ir deploy/apply.psql
\set file grants/6230_market_ticks.sql \ir deploy/apply.psql
\set file grants/6240_mt5_symbols.sql \ir deploy/apply.psql
\set file grants/6250_staged_bars.sql \ir deploy/apply.psql

-- grants: MT5 ledger
\set file grants/6300_mt5_codes.sql \ir deploy/apply.psql
\set file grants/6310_mt5_server_clocks.sql \ir deploy/apply.psql
\set file grants/6320_mt5_account_states.sql \ir deploy/apply.psql
\set file grants/6330_trading_deals.sql \ir deploy/apply.psql
\set file grants/6340_mt5_orders.sql \ir deploy/apply.psql
\set file grants/6350_mt5_order_sends.sql \ir deploy/apply.psql
\set file grants/6360_mt5_reports.sql \ir deploy/apply.psql
\set file grants/6370_mt5_events.sql \ir deploy/apply.psql
\set file grants/6380_mt5_trips.sql \ir deploy/apply.psql
\set file grants/6390_mt5_rejects.sql \ir deploy/apply.psql

-- grants: results
\set file grants/6400_performance_metrics.sql \ir deploy/apply.psql
\set file grants/6410_balance_operations.sql \ir deploy/apply.psql
\set file grants/6420_snapshots_by_account.sql \ir deploy/apply.psql
\set file grants/6430_closed_trades.sql \ir deploy/apply.psql
\set file grants/6440_results.sql \ir deploy/apply.psql
\set file grants/6450_curves.sql \ir deploy/apply.psql
\set file grants/6460_signals.sql \ir deploy/apply.psql
\set file grants/6470_measure_performance.sql \ir deploy/apply.psql
\set file grants/6480_mt5_explanations.sql \ir deploy/apply.psql
\set file grants/6490_currency.sql \ir deploy/apply.psql

-- grants: rules and risk
\set file grants/6500_find_server_day_start.sql \ir deploy/apply.psql
\set file grants/6510_exposure.sql \ir deploy/apply.psql
\set file grants/6520_risk_rules.sql \ir deploy/apply.psql
\set file grants/6530_trip_risks.sql \ir deploy/apply.psql
\set file grants/6540_ratios.sql \ir deploy/apply.psql
\set file grants/6550_results_by_tag.sql \ir deploy/apply.psql

-- grants: tenants and audit
\set file grants/6600_audit.sql \ir deploy/apply.psql
\set file grants/6610_tenants.sql \ir deploy/apply.psql
\set file grants/6630_close_user.sql \ir deploy/apply.psql

-- grants: backups, archives and scaling
\set file grants/6700_lake_files.sql \ir deploy/apply.psql
\set file grants/6710_backup_runs.sql \ir deploy/apply.psql
\set file grants/6720_market_archives.sql \ir deploy/apply.psql
\set file grants/6740_market_series_places.sql \ir deploy/apply.psql
\set file grants/6750_lifecycle.sql \ir deploy/apply.psql

-- grants: monitoring
\set file grants/6800_open_rights.sql \ir deploy/apply.psql
\set file grants/6810_monitoring_readings.sql \ir deploy/apply.psql
\set file grants/6820_history_readings.sql \ir deploy/apply.psql
\set file grants/6830_policy_runs.sql \ir deploy/apply.psql
\set file grants/6840_proofs.sql \ir deploy/apply.psql
\set file grants/6850_monitoring_sizes.sql \ir deploy/apply.psql
\set file grants/6860_monitoring_connections.sql \ir deploy/apply.psql
\set file grants/6861_samples.sql \ir deploy/apply.psql
\set file grants/6870_monitoring_server.sql \ir deploy/apply.psql
\set file grants/6880_monitoring_data.sql \ir deploy/apply.psql
\set file grants/6890_monitoring_thresholds.sql \ir deploy/apply.psql

-- grants: moving in
\set file grants/6910_migration.sql \ir deploy/apply.psql
\set file grants/6920_gateway_series.sql \ir deploy/apply.psql
