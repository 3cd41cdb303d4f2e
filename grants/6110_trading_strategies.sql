-- 6110_trading_strategies.sql: rights on strategies.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.trading_strategies TO rubi_app;
GRANT SELECT, DELETE ON public.trading_strategies TO rubi_tenant;
GRANT SELECT ON internal.strategy_counter_deltas TO rubi_backup;
GRANT SELECT ON public.trading_strategies TO rubi_readonly, rubi_backup;

-- Without the id: a chosen one would tell by a unique violation that another user has it.
GRANT INSERT (
    user_id, name, description, symbols, timeframes, max_positions, risk_per_trade, is_active
), UPDATE (
    name, description, symbols, timeframes, max_positions, risk_per_trade, is_active
) ON public.trading_strategies TO rubi_tenant;
GRANT USAGE, SELECT ON SEQUENCE public.trading_strategies_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE
internal.strategy_counter_deltas_id_seq, public.trading_strategies_id_seq
TO rubi_backup;

CALL deploy.set_tenant_policies('public.trading_strategies', 'user_id');
