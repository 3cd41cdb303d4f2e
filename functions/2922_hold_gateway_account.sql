-- 2922_hold_gateway_account.sql: one gateway at a time reads an account.

CALL deploy.become_owner();

-- By user, server and login, since a gateway holds an account before its first row is there.
CREATE OR REPLACE FUNCTION internal.gateway_lock(p_user_id bigint, p_server text, p_login text)
RETURNS bigint
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
SELECT hashtextextended(format('gateway %s %s %s', p_user_id, p_login, p_server), 0)
$$;
COMMENT ON FUNCTION internal.gateway_lock(bigint, text, text) IS
'Key of the advisory lock that the session of an account''s gateway has.';
REVOKE ALL ON FUNCTION internal.gateway_lock(bigint, text, text) FROM public;

-- A lock of the session ends with its connection: a gateway that was killed, or a server that was,
-- leaves nothing to clean up, and no lease to wait for. A function of the owner, since gateways
-- must not take the locks of deployments and backups (grants/6020_extensions.sql).
CREATE OR REPLACE FUNCTION public.hold_gateway_account(
    p_user_id bigint,
    p_server text,
    p_login text
)
RETURNS integer
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the gateway's role may take no advisory lock
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_most CONSTANT integer := 1000; -- far below what all sessions together may lock
    v_key bigint := internal.gateway_lock(p_user_id, p_server, p_login);
    v_pid integer;
BEGIN
    IF p_user_id::text <> nullif(current_setting('app.user_id', TRUE), '') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB051',
            MESSAGE = format(
                'app.user_id is %s, the account is one of user %s',
                current_setting('app.user_id'), p_user_id
            ),
            HINT = 'Hold accounts of the user that app.user_id names, or leave it empty.';
    END IF;
    -- Behind a pool of transactions the lock would stay with a session that serves strangers.
    IF current_setting('rubi.pooled', TRUE) = 'on' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB058',
            MESSAGE = 'a connection through a pool of transactions can''t hold an account',
            HINT = 'Connect to the server directly, or through a pool of sessions.';
    END IF;
    -- the holder may end between the two looks
    FOR v_try IN 1..100 LOOP
        IF pg_try_advisory_lock(v_key) THEN
            IF (
                SELECT count(*) > c_most
                FROM pg_locks AS l
                WHERE l.pid = pg_backend_pid() AND l.locktype = 'advisory'
            ) THEN
                PERFORM pg_advisory_unlock(v_key);
                RAISE EXCEPTION USING
                    ERRCODE = 'RB076',
                    MESSAGE = format('a session holds at most %s accounts', c_most),
                    HINT = 'Let go of accounts that are not read, or begin another session.';
            END IF;
            RETURN NULL;
        END IF;
        SELECT l.pid INTO v_pid
        FROM pg_locks AS l
        WHERE l.locktype = 'advisory'
            AND l.database = (
                SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database()
            )
            AND l.classid = ((v_key >> 32) & 4294967295)::oid
            AND l.objid = (v_key & 4294967295)::oid
            AND l.objsubid = 1
            AND l.granted;
        EXIT WHEN FOUND;
    END LOOP;
    RETURN coalesce(v_pid, 0);
END
$$;
COMMENT ON FUNCTION public.hold_gateway_account(bigint, text, text) IS
'Holds a user''s account, by server and login, for the gateway of this session, until the session
ends or release_gateway_account is called as often. NULL: held; else the process id of the
session that has it, see pg_stat_activity. Raises RB051 when app.user_id is set to another user,
RB058 behind a pool of transactions that sets rubi.pooled, RB076 when the session holds 1000.';
REVOKE ALL ON FUNCTION public.hold_gateway_account(bigint, text, text) FROM public;

CREATE OR REPLACE FUNCTION public.release_gateway_account(
    p_user_id bigint,
    p_server text,
    p_login text
)
RETURNS boolean
LANGUAGE sql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- as hold_gateway_account
SET search_path = pg_catalog, pg_temp
AS $$
SELECT pg_advisory_unlock(internal.gateway_lock(p_user_id, p_server, p_login))
$$;
COMMENT ON FUNCTION public.release_gateway_account(bigint, text, text) IS
'Lets go of an account that this session holds; FALSE, with a warning, where it does not.';
REVOKE ALL ON FUNCTION public.release_gateway_account(bigint, text, text) FROM public;
