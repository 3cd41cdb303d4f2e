-- 1160_trading_positions.sql: index of trading_positions. The index holds no column that a tick
-- changes.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_positions_session_symbol
ON public.trading_positions (session_id, symbol);
COMMENT ON INDEX public.idx_positions_session_symbol IS
'Positions of a session, or one symbol of it; the foreign key.';
