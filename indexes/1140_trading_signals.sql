-- 1140_trading_signals.sql: indexes of trading_signals.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_signals_strategy ON public.trading_signals (strategy_id);
COMMENT ON INDEX public.idx_signals_strategy IS 'Signals of a strategy; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_signals_symbol ON public.trading_signals (symbol);
COMMENT ON INDEX public.idx_signals_symbol IS 'Signals for a symbol.';
-- Without the executed ones, which are nearly all after a year and no reader asks for over all
-- users: their change of state was an eighth dearer with them.
CREATE INDEX IF NOT EXISTS idx_signals_status ON public.trading_signals (status)
WHERE status <> 'EXECUTED';
COMMENT ON INDEX public.idx_signals_status IS
'Signals in a state other than executed, over all users.';
CREATE INDEX IF NOT EXISTS idx_signals_signal_time ON public.trading_signals (signal_time);
COMMENT ON INDEX public.idx_signals_signal_time IS
'Latest signals by the time given, over all users.';
CREATE INDEX IF NOT EXISTS idx_signals_received_at ON public.trading_signals (received_at);
COMMENT ON INDEX public.idx_signals_received_at IS
'Latest signals by the time of receipt, over all users.';
CREATE INDEX IF NOT EXISTS idx_signals_user_status_time
ON public.trading_signals (user_id, status, signal_time);
COMMENT ON INDEX public.idx_signals_user_status_time IS
'Signals of a user, in one state, latest first; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_pending_signals ON public.trading_signals (user_id, received_at)
WHERE status = 'PENDING';
COMMENT ON INDEX public.idx_pending_signals IS
'Signals that wait for a user''s terminal, latest first.';
CREATE INDEX IF NOT EXISTS idx_signals_indicators_gin
ON public.trading_signals USING gin (indicators);
COMMENT ON INDEX public.idx_signals_indicators_gin IS
'Signals by the value of an indicator: indicators @> ''{"rsi": 70}''.';
CREATE INDEX IF NOT EXISTS idx_signals_valid_until ON public.trading_signals (valid_until)
WHERE status = 'PENDING' AND valid_until IS NOT NULL;
COMMENT ON INDEX public.idx_signals_valid_until IS 'What expires next: expire_signals().';
