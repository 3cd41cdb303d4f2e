-- 1130_mt5_sessions.sql: indexes of mt5_sessions. No index holds a column that a heartbeat changes.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_sessions_user ON public.mt5_sessions (user_id);
COMMENT ON INDEX public.idx_sessions_user IS 'Sessions of a user; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_sessions_account_number ON public.mt5_sessions (account_number);
COMMENT ON INDEX public.idx_sessions_account_number IS 'Sessions of a broker login.';
CREATE INDEX IF NOT EXISTS idx_sessions_account ON public.mt5_sessions (account_id);
COMMENT ON INDEX public.idx_sessions_account IS 'Sessions of a trading account; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_active_sessions ON public.mt5_sessions (user_id) WHERE is_active;
COMMENT ON INDEX public.idx_active_sessions IS 'Active sessions, of a user or of all.';
