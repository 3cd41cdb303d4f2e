-- 6140_trading_signals.sql: rights on signals.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.trading_signals TO rubi_app;
GRANT SELECT, DELETE ON public.trading_signals TO rubi_tenant;
GRANT SELECT ON public.trading_signals TO rubi_readonly, rubi_backup;

-- Without the id: a chosen one would tell by a unique violation that another user has it.
GRANT INSERT (
    user_id, strategy_id, symbol, signal_type, status, entry_price, stop_loss, take_profit, volume,
    timeframe, confidence, indicators, signal_time, received_at, executed_at, status_message,
    client_request_id
), UPDATE (
    strategy_id, status, entry_price, stop_loss, take_profit, volume, confidence, indicators,
    executed_at, status_message
) ON public.trading_signals TO rubi_tenant;
GRANT USAGE, SELECT ON SEQUENCE public.trading_signals_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.trading_signals_id_seq TO rubi_backup;

CALL deploy.set_tenant_policies('public.trading_signals', 'user_id');
