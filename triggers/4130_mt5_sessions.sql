-- 4130_mt5_sessions.sql: the triggers of sessions, in the order in which they fire.

CALL deploy.become_owner();

-- A closed user's sessions have ended, so that the heartbeats of all others are not looked at.
CREATE OR REPLACE TRIGGER mt5_sessions_02_user_is_open
BEFORE INSERT ON public.mt5_sessions
FOR EACH ROW EXECUTE FUNCTION internal.refuse_closed_user();

CREATE OR REPLACE TRIGGER mt5_sessions_03_user_is_open
BEFORE UPDATE ON public.mt5_sessions
FOR EACH ROW
WHEN (OLD.disconnected_at IS NOT NULL)
EXECUTE FUNCTION internal.refuse_closed_user();

CREATE OR REPLACE TRIGGER mt5_sessions_10_account
BEFORE INSERT OR UPDATE OF user_id, server, broker, account_number ON public.mt5_sessions
FOR EACH ROW EXECUTE FUNCTION public.set_session_account();

CREATE OR REPLACE TRIGGER mt5_sessions_20_times
BEFORE INSERT OR UPDATE OF connected_at, disconnected_at ON public.mt5_sessions
FOR EACH ROW EXECUTE FUNCTION internal.check_session_times();

CREATE OR REPLACE TRIGGER mt5_sessions_90_updated_at
BEFORE UPDATE ON public.mt5_sessions
FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();
