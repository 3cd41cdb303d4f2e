-- 2630_close_user.sql: ends a user's account and removes who it was.
-- needs: schema/0150_trading_orders.sql, schema/0320_mt5_account_states.sql,
--        schema/0600_audit.sql
-- transaction: yes

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.close_user(p_user_id bigint)
RETURNS timestamptz
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the audit trail is append-only for the caller, and names are taken out of it
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_closed_at timestamptz;
    v_accounts bigint[];
BEGIN
    SELECT u.closed_at INTO v_closed_at
    FROM public.users AS u
    WHERE u.id = p_user_id
    FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB021',
            MESSAGE = format('there is no user %s', p_user_id),
            HINT = 'Look the id up in users.';
    END IF;
    IF v_closed_at IS NOT NULL THEN
        RETURN v_closed_at;
    END IF;

    UPDATE public.trading_strategies AS s
    SET is_active = FALSE
    WHERE s.user_id = p_user_id AND s.is_active;

    UPDATE public.trading_signals AS s
    SET status = 'EXPIRED', status_message = 'account closed'
    WHERE s.user_id = p_user_id AND s.status = 'PENDING';

    -- The login at a broker names a person as well. It stays distinct: tickets hang on it.
    UPDATE public.mt5_accounts AS a
    SET account_number = 'closed-' || a.id
    WHERE a.user_id = p_user_id;
    UPDATE public.mt5_account_states AS m
    SET login = NULL, name = NULL, raw = NULL
    FROM public.mt5_accounts AS a
    WHERE m.account_id = a.id AND a.user_id = p_user_id;
    UPDATE public.mt5_sessions AS s
    SET
        account_number = 'closed-' || s.account_id,
        is_active = FALSE,
        disconnected_at = coalesce(s.disconnected_at, greatest(now(), s.connected_at))
    WHERE s.user_id = p_user_id;

    UPDATE public.users AS u
    SET
        email = 'user-' || u.id || '@closed.invalid',
        username = 'closed-' || u.id,
        hashed_password = '!',
        is_active = FALSE,
        is_superuser = FALSE,
        closed_at = now()
    WHERE u.id = p_user_id
    RETURNING u.closed_at INTO v_closed_at;

    SELECT array_agg(a.id) INTO v_accounts
    FROM public.mt5_accounts AS a
    WHERE a.user_id = p_user_id;
    UPDATE audit.changes AS c
    SET
        old_values = c.old_values - ARRAY['email', 'username', 'account_number'],
        new_values = c.new_values - ARRAY['email', 'username', 'account_number']
    WHERE (c.table_name = 'users' AND c.row_id = p_user_id)
        OR (c.table_name = 'mt5_accounts' AND c.row_id = ANY (v_accounts));

    RETURN v_closed_at;
END
$$;
COMMENT ON FUNCTION public.close_user(bigint) IS
'Closes a user: no login, no active strategy or session, pending signals expired; e-mail, username
and broker logins replaced, in the audit trail removed. Orders, snapshots, metrics stay. Answers when it
was closed; a repeated call changes nothing. Raises RB021 for an unknown id.';
REVOKE ALL ON FUNCTION public.close_user(bigint) FROM public;
