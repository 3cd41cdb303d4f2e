-- 1110_trading_strategies.sql: indexes of trading_strategies.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_strategies_user ON public.trading_strategies (user_id);
COMMENT ON INDEX public.idx_strategies_user IS 'Strategies of a user; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_active_strategies ON public.trading_strategies (user_id)
WHERE is_active;
COMMENT ON INDEX public.idx_active_strategies IS 'Active strategies, of a user or of all.';
CREATE INDEX IF NOT EXISTS idx_strategies_symbols_gin ON public.trading_strategies USING gin (
    symbols
);
COMMENT ON INDEX public.idx_strategies_symbols_gin IS
'Strategies that trade a symbol: symbols @> ''["EURUSD"]''.';
