-- 1130_mt5_sessions.sql: indexes of mt5_sessions. None holds what a heartbeat changes.
-- needs: schema/0130_mt5_sessions.sql
-- transaction: yes

CALL deploy.become_owner();

-- sessions of a user
CREATE INDEX IF NOT EXISTS idx_sessions_user ON public.mt5_sessions (user_id);
-- sessions of a broker login
CREATE INDEX IF NOT EXISTS idx_sessions_account_number ON public.mt5_sessions (account_number);
-- sessions of a trading account, and its foreign key
CREATE INDEX IF NOT EXISTS idx_sessions_account ON public.mt5_sessions (account_id);
-- active sessions, of a user or of all
CREATE INDEX IF NOT EXISTS idx_active_sessions ON public.mt5_sessions (user_id) WHERE is_active;
