-- 1110_trading_strategies.sql: indexes of trading_strategies.
-- needs: schema/0110_trading_strategies.sql
-- transaction: yes

CALL deploy.become_owner();

-- strategies of a user
CREATE INDEX IF NOT EXISTS idx_strategies_user ON public.trading_strategies (user_id);
-- active strategies, of a user or of all
CREATE INDEX IF NOT EXISTS idx_active_strategies ON public.trading_strategies (user_id)
WHERE is_active;
-- strategies that trade a symbol: symbols @> '["EURUSD"]'
CREATE INDEX IF NOT EXISTS idx_strategies_symbols_gin ON public.trading_strategies USING gin (
    symbols
);
