-- 2171_snapshot_triggers.sql: the users whose snapshots are taken, and the rows that only make a
-- chunk.

CALL deploy.become_owner();

-- Makes chunks possible before the first session, and without a row that replicas would see. A
-- function without WHEN: PostgreSQL parses the text of a WHEN for each statement.
CREATE OR REPLACE FUNCTION internal.leave_chunk_row_out()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
AS $$
BEGIN
    IF NEW.id = -9223372036854775808 THEN
        RETURN NULL;
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION internal.leave_chunk_row_out() IS
'Trigger: a snapshot with the least id makes its chunk and is not stored.';
REVOKE ALL ON FUNCTION internal.leave_chunk_row_out() FROM public;

CREATE OR REPLACE FUNCTION internal.check_session_of_snapshot()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_user = 'rubi_app' THEN
        PERFORM public.check_account_is_open(s.account_id)
        FROM public.mt5_sessions AS s
        -- a closed user's sessions have ended
        WHERE s.session_id = NEW.session_id AND s.disconnected_at IS NOT NULL;
        RETURN NEW;
    ELSIF current_user <> 'rubi_tenant' THEN
        RETURN NEW;
    END IF;
    IF NOT EXISTS (
        SELECT FROM public.mt5_sessions AS s
        WHERE s.session_id = NEW.session_id
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'with_check_option_violation',
            MESSAGE = 'no session of this user for the snapshot',
            SCHEMA = 'public',
            TABLE = 'my_account_snapshots';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION internal.check_session_of_snapshot() IS
'Trigger: raises with_check_option_violation for a tenant''s snapshot of a foreign session, RB024
for the API''s snapshot of a closed user.';
REVOKE ALL ON FUNCTION internal.check_session_of_snapshot() FROM public;
