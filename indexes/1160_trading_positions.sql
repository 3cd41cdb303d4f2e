-- 1160_trading_positions.sql: index of trading_positions. None holds what a tick changes.
-- needs: schema/0160_trading_positions.sql
-- transaction: yes

CALL deploy.become_owner();

-- positions of a session, or one symbol of it
CREATE INDEX IF NOT EXISTS idx_positions_session_symbol
ON public.trading_positions (session_id, symbol);
