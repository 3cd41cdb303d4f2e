-- 6620_tenant_rights.sql: what a tenant may do with its own rows, and rights of the audit trail.
-- needs: grants/6610_row_security.sql
-- transaction: yes

CALL deploy.become_owner();

GRANT EXECUTE ON FUNCTION public.app_user_id()
TO rubi_app, rubi_tenant, rubi_ingest, rubi_readonly, rubi_backup;
GRANT EXECUTE ON FUNCTION public.close_user(bigint) TO rubi_app;

-- Columns are named where a tenant must not choose all of them. Ids are left to the database: a
-- chosen one would tell by a unique violation that another user has it. Nobody makes themselves
-- superuser, and hashes are read by the API only.
GRANT SELECT (
    id, email, username, is_active, is_superuser, created_at, updated_at, closed_at
) ON public.users TO rubi_tenant;
GRANT UPDATE (email, username, hashed_password) ON public.users TO rubi_tenant;

GRANT SELECT, DELETE ON public.trading_strategies TO rubi_tenant;
GRANT INSERT (
    user_id, name, description, symbols, timeframes, max_positions, risk_per_trade, is_active
), UPDATE (
    name, description, symbols, timeframes, max_positions, risk_per_trade, is_active
) ON public.trading_strategies TO rubi_tenant;

GRANT SELECT ON public.mt5_accounts TO rubi_tenant;
GRANT INSERT (
    user_id, server, account_number, broker, currency, margin_mode, trade_mode, leverage
), UPDATE (
    broker, currency, margin_mode, trade_mode, leverage
) ON public.mt5_accounts TO rubi_tenant;

GRANT SELECT ON public.mt5_sessions TO rubi_tenant;
GRANT INSERT (
    user_id, account_number, broker, server, balance, equity, margin, margin_free, currency,
    is_active, connected_at, last_ping, disconnected_at
), UPDATE (
    balance, equity, margin, margin_free, currency, is_active, last_ping, disconnected_at
) ON public.mt5_sessions TO rubi_tenant;

GRANT SELECT, DELETE ON public.trading_signals TO rubi_tenant;
GRANT INSERT (
    user_id, strategy_id, symbol, signal_type, status, entry_price, stop_loss, take_profit, volume,
    timeframe, confidence, indicators, signal_time, received_at, executed_at, status_message,
    client_request_id
), UPDATE (
    strategy_id, status, entry_price, stop_loss, take_profit, volume, confidence, indicators,
    executed_at, status_message
) ON public.trading_signals TO rubi_tenant;

GRANT SELECT ON public.trading_orders TO rubi_tenant;
GRANT INSERT (
    signal_id, user_id, strategy_id, account_id, mt5_order_id, mt5_position_id, symbol, order_type,
    volume, open_price, close_price, stop_loss, take_profit, profit, commission, swap, opened_at,
    closed_at, time_ambiguous, client_request_id
), UPDATE (
    signal_id, strategy_id, account_id, mt5_order_id, mt5_position_id, close_price, stop_loss,
    take_profit, profit, commission, swap, closed_at, time_ambiguous
) ON public.trading_orders TO rubi_tenant;

GRANT SELECT, DELETE ON public.trading_positions TO rubi_tenant;
GRANT INSERT (
    session_id, ticket, symbol, type, volume, open_price, current_price, sl, tp, profit, swap,
    commission, open_time
), UPDATE (
    volume, current_price, sl, tp, profit, swap, commission
) ON public.trading_positions TO rubi_tenant;

GRANT SELECT ON public.performance_metrics TO rubi_tenant;
GRANT SELECT, INSERT ON public.my_account_snapshots TO rubi_tenant;
GRANT SELECT ON
public.balance_operations, public.account_states, public.closed_trades, public.daily_results,
public.monthly_results, public.symbol_results, public.strategy_results, public.session_results,
public.weekday_results, public.hour_results, public.daily_equity, public.trade_series,
public.exposure_by_symbol, public.exposure_by_currency, public.signal_executions,
public.execution_quality, public.signal_funnel, public.account_risk
TO rubi_tenant;
GRANT SELECT ON
public.user_trading_stats, public.open_positions_with_session, public.market_bars
TO rubi_tenant;

-- The same view of bars for the API and analysts.
GRANT SELECT ON public.market_bars TO rubi_app, rubi_readonly;

-- The trail is written by its trigger alone.
GRANT USAGE ON SCHEMA audit TO rubi_app, rubi_monitor, rubi_backup;
GRANT SELECT ON audit.changes TO rubi_app, rubi_monitor, rubi_backup;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA audit TO rubi_backup;
