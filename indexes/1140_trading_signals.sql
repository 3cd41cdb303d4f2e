-- 1140_trading_signals.sql: indexes of trading_signals.
-- needs: schema/0140_trading_signals.sql
-- transaction: yes

CALL deploy.become_owner();

-- signals of a strategy
CREATE INDEX IF NOT EXISTS idx_signals_strategy ON public.trading_signals (strategy_id);
-- signals for a symbol
CREATE INDEX IF NOT EXISTS idx_signals_symbol ON public.trading_signals (symbol);
-- rare states over all users
CREATE INDEX IF NOT EXISTS idx_signals_status ON public.trading_signals (status);
-- latest signals over all users
CREATE INDEX IF NOT EXISTS idx_signals_signal_time ON public.trading_signals (signal_time DESC);
CREATE INDEX IF NOT EXISTS idx_signals_received_at ON public.trading_signals (received_at DESC);
-- signals of a user, in one state, latest first
CREATE INDEX IF NOT EXISTS idx_signals_user_status_time
ON public.trading_signals (user_id, status, signal_time DESC);
-- what waits for a user's terminal
CREATE INDEX IF NOT EXISTS idx_pending_signals ON public.trading_signals (user_id, received_at DESC)
WHERE status = 'PENDING';
-- signals by an indicator's value: indicators @> '{"rsi": 70}'
CREATE INDEX IF NOT EXISTS idx_signals_indicators_gin
ON public.trading_signals USING gin (indicators);
