-- 6310_mt5_rights.sql: who may do what with the tables of MT5's history.
-- needs: grants/6020_rights.sql and all tables, views and functions numbered x2NN and x3NN
-- transaction: yes

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON
public.mt5_account_states, public.mt5_codes, public.mt5_deal_types, public.mt5_magic_strategies,
public.mt5_order_sends, public.mt5_orders, public.mt5_rejects, public.mt5_reports,
public.mt5_server_clocks, public.mt5_symbol_map, public.mt5_symbols, public.mt5_trips,
public.trading_deals,
public.mt5_order_send_quality, public.mt5_report_figures, public.mt5_trip_links,
public.mt5_trip_results
TO rubi_app;
GRANT USAGE, SELECT ON SEQUENCE
public.mt5_order_sends_id_seq, public.mt5_rejects_id_seq, public.mt5_reports_id_seq
TO rubi_app;

-- The account holder's name and the raw object that repeats it are nobody's but the API's.
GRANT SELECT ON
public.mt5_codes, public.mt5_deal_types, public.mt5_magic_strategies,
public.mt5_order_sends, public.mt5_orders, public.mt5_rejects, public.mt5_reports,
public.mt5_server_clocks, public.mt5_symbol_map, public.mt5_symbols, public.mt5_trips,
public.trading_deals,
public.mt5_order_send_quality, public.mt5_report_figures, public.mt5_trip_links,
public.mt5_trip_results
TO rubi_readonly;
GRANT SELECT (
    account_id, login, trade_mode, leverage, limit_orders, margin_so_mode, trade_allowed,
    trade_expert, margin_mode, currency_digits, fifo_close, balance, credit, profit, equity, margin,
    margin_free, margin_level, margin_so_call, margin_so_so, margin_initial, margin_maintenance,
    assets, liabilities, commission_blocked, server, currency, company, taken_at,
    positions_taken_at, opening_balance, history_from
) ON public.mt5_account_states TO rubi_readonly;

GRANT SELECT ON
public.mt5_account_states, public.mt5_codes, public.mt5_deal_types, public.mt5_magic_strategies,
public.mt5_order_sends, public.mt5_orders, public.mt5_rejects, public.mt5_reports,
public.mt5_server_clocks, public.mt5_symbol_map, public.mt5_symbols, public.mt5_trips,
public.trading_deals,
public.mt5_order_send_quality, public.mt5_trip_links, public.mt5_trip_results
TO rubi_backup;
GRANT SELECT ON SEQUENCE
public.mt5_order_sends_id_seq, public.mt5_rejects_id_seq, public.mt5_reports_id_seq
TO rubi_backup;

-- The gateway has these functions and nothing else.
GRANT EXECUTE ON FUNCTION public.ingest_mt5_account(bigint, jsonb, timestamptz)
TO rubi_ingest, rubi_app;
GRANT EXECUTE ON FUNCTION public.ingest_mt5_deals(bigint, jsonb, text) TO rubi_ingest, rubi_app;
GRANT EXECUTE ON FUNCTION public.ingest_mt5_orders(bigint, jsonb, text) TO rubi_ingest, rubi_app;
GRANT EXECUTE ON FUNCTION public.ingest_mt5_positions(bigint, jsonb, timestamptz)
TO rubi_ingest, rubi_app;
GRANT EXECUTE ON FUNCTION public.ingest_mt5_report(bigint, jsonb) TO rubi_ingest, rubi_app;
GRANT EXECUTE ON FUNCTION
public.walk_mt5_deals(bigint, bigint, bigint, numeric),
public.measure_mt5_series(bigint, bigint, bigint),
public.measure_mt5_report(bigint, bigint, bigint, numeric)
TO rubi_app, rubi_readonly, rubi_tenant;
GRANT EXECUTE ON FUNCTION public.ingest_mt5_symbols(bigint, jsonb, timestamptz)
TO rubi_ingest, rubi_app;
GRANT EXECUTE ON FUNCTION
public.log_mt5_order_send(bigint, jsonb, jsonb, timestamptz, timestamptz, text)
TO rubi_ingest, rubi_app;
-- Triggers of whoever writes signals and positions ask for subscribers.
GRANT EXECUTE ON FUNCTION public.has_subscribers(text)
TO rubi_app, rubi_tenant, rubi_ingest;
GRANT EXECUTE ON FUNCTION public.subscribe(text) TO rubi_app, rubi_ingest, rubi_readonly;
GRANT EXECUTE ON FUNCTION public.check_account_is_open(bigint) TO rubi_app;
GRANT EXECUTE ON FUNCTION public.rebuild_mt5_trips(bigint) TO rubi_app;
GRANT EXECUTE ON FUNCTION public.rederive_mt5_times(text) TO rubi_app;
GRANT EXECUTE ON FUNCTION public.find_mt5_clock_shift(bigint) TO rubi_app, rubi_readonly;
GRANT EXECUTE ON FUNCTION public.mt5_server_time(text, bigint) TO rubi_app, rubi_readonly;
GRANT EXECUTE ON FUNCTION public.canonical_symbol(bigint, text) TO rubi_app, rubi_readonly;
