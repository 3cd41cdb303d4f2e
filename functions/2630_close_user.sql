-- 2630_close_user.sql: closes a user and removes the person's traces.

CALL deploy.become_owner();

-- Removed data, and data kept by law: docs/guides/security.md. A second call takes away the traces
-- that the first one did not find.
CREATE OR REPLACE FUNCTION internal.forget_user(p_user public.users, p_accounts bigint[])
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_personal CONSTANT text[] := '{email, username, account_number, name, description}';
    v_user_id CONSTANT text := p_user.id;
    v_strategies bigint[];
    v_sessions text[];
BEGIN
    UPDATE public.trading_strategies AS s
    SET name = 'strategy ' || s.id, description = NULL, is_active = FALSE
    WHERE s.user_id = p_user.id
        AND (s.name <> 'strategy ' || s.id OR s.description IS NOT NULL OR s.is_active);
    UPDATE public.trading_signals AS s
    SET
        status = CASE WHEN s.status = 'PENDING' THEN 'EXPIRED' ELSE s.status END,
        status_message = CASE WHEN s.status = 'PENDING' THEN 'account closed' END
    WHERE s.user_id = p_user.id
        AND (s.status = 'PENDING' OR s.status_message <> 'account closed');

    UPDATE public.risk_rules AS r
    SET name = 'rule ' || r.id, valid_to = least(
        r.valid_to, greatest(now(), r.valid_from + interval '1 microsecond')
    )
    WHERE r.user_id = p_user.id AND (r.name <> 'rule ' || r.id OR r.valid_to > now());

    PERFORM internal.forget_journal(p_user.id);

    -- without a picture of open positions the proofs don't look for positions that deals left open
    UPDATE public.mt5_account_states AS m
    SET login = NULL, name = NULL, raw = NULL, positions_taken_at = NULL
    WHERE m.account_id = ANY (p_accounts);
    DELETE FROM public.trading_positions AS p WHERE p.account_id = ANY (p_accounts);
    DELETE FROM public.mt5_rejects AS r WHERE r.account_id = ANY (p_accounts);
    UPDATE public.mt5_order_sends AS s
    SET
        request = s.request - 'comment',
        result = s.result - '{comment, request}'::text[]
    WHERE s.account_id = ANY (p_accounts);
    PERFORM internal.lift_columnstore_limit();
    UPDATE public.mt5_events AS e
    SET old_values = e.old_values - 'comment', new_values = e.new_values - 'comment'
    WHERE e.account_id = ANY (p_accounts)
        AND (e.old_values ? 'comment' OR e.new_values ? 'comment');

    SELECT array_agg(s.session_id::text) INTO v_sessions
    FROM public.mt5_sessions AS s
    WHERE s.user_id = p_user.id;
    DELETE FROM migration.leftovers AS l
    WHERE l.owner = v_user_id OR l.owner = ANY (v_sessions);
    DELETE FROM migration.leftovers AS l
    USING migration.given_ids AS g
    WHERE l.table_name = 'users'
        AND g.source = l.source
        AND g.table_name = l.table_name
        AND g.source_row = l.source_row
        AND g.id = p_user.id;
    DELETE FROM migration.rejects AS r
    WHERE r.row_values ->> 'user_id' = v_user_id
        OR r.row_values ->> 'session_id' = ANY (v_sessions)
        OR (
            r.table_name = 'users' AND (
                r.row_values ->> 'id' = v_user_id
                OR lower(r.row_values ->> 'email') = lower(p_user.email)
                OR lower(r.row_values ->> 'username') = lower(p_user.username)
            )
        );

    SELECT array_agg(s.id) INTO v_strategies
    FROM public.trading_strategies AS s
    WHERE s.user_id = p_user.id;
    -- By the rows that are there, and by those that left a trace with the user's id: no walk over
    -- the whole trail. Of a row that was given to another user, only the trace that says so.
    WITH lost AS MATERIALIZED (
        SELECT c.id, c.table_name, c.row_id, c.action
        FROM audit.changes AS c
        WHERE c.old_values ? 'user_id'
            AND c.old_values ->> 'user_id' = v_user_id
            AND c.table_name IN ('mt5_accounts', 'trading_strategies')
    ),
    traces AS MATERIALIZED (
        SELECT c.id
        FROM (
            SELECT 'users' AS table_name, p_user.id AS row_id
            UNION ALL
            SELECT 'mt5_accounts', a.id FROM unnest(p_accounts) AS a (id)
            UNION ALL
            SELECT 'trading_strategies', s.id FROM unnest(v_strategies) AS s (id)
            UNION ALL
            SELECT l.table_name, l.row_id FROM lost AS l WHERE l.action = 'DELETE'
        ) AS o
        INNER JOIN audit.changes AS c ON o.row_id = c.row_id AND o.table_name = c.table_name
        UNION
        SELECT l.id FROM lost AS l
    )
    UPDATE audit.changes AS c
    SET old_values = c.old_values - c_personal, new_values = c.new_values - c_personal
    FROM traces AS t
    WHERE c.id = t.id AND (c.old_values ?| c_personal OR c.new_values ?| c_personal);
END
$$;
COMMENT ON FUNCTION internal.forget_user(public.users, bigint[]) IS
'Takes a closed user''s names out of every table except users, mt5_accounts and mt5_sessions.';
REVOKE ALL ON FUNCTION internal.forget_user(public.users, bigint[]) FROM public;

CREATE OR REPLACE FUNCTION public.close_user(p_user_id bigint)
RETURNS timestamptz
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the audit trail is append-only for the caller, and names are taken out of it
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_user public.users;
    v_closed_at timestamptz;
    v_accounts bigint[];
    v_mark text := p_user_id;
BEGIN
    SELECT u.* INTO v_user FROM public.users AS u WHERE u.id = p_user_id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB021',
            MESSAGE = format('there is no user %s', p_user_id),
            HINT = 'Look the id up in users.';
    END IF;
    v_closed_at := coalesce(v_user.closed_at, now());

    -- Somebody may be called closed-202 already; names are unique without regard to case.
    WHILE EXISTS (
        SELECT FROM public.users AS u
        WHERE u.id <> p_user_id AND (
            lower(u.username) = 'closed-' || v_mark
            OR lower(u.email) = 'user-' || v_mark || '@closed.invalid'
        )
    ) LOOP
        v_mark := p_user_id || '-' || left(gen_random_uuid()::text, 8);
    END LOOP;
    UPDATE public.users AS u
    SET
        email = 'user-' || v_mark || '@closed.invalid',
        username = 'closed-' || v_mark,
        hashed_password = '!',
        is_active = FALSE,
        is_superuser = FALSE,
        closed_at = v_closed_at
    WHERE u.id = p_user_id
        AND NOT (
            u.closed_at IS NOT NULL
            AND u.email LIKE 'user-' || p_user_id || '%@closed.invalid'
            AND u.username LIKE 'closed-' || p_user_id || '%'
            AND u.hashed_password = '!'
            AND NOT u.is_superuser
        );

    -- The login at a broker names a person as well. The replacement stays distinct: tickets hang on
    -- the login.
    UPDATE public.mt5_accounts AS a
    SET
        account_number = 'closed-' || a.id || CASE
            WHEN EXISTS (
                SELECT FROM public.mt5_accounts AS x
                WHERE x.user_id = p_user_id
                    AND x.id <> a.id
                    AND x.account_number = 'closed-' || a.id
            ) THEN '-' || left(gen_random_uuid()::text, 8)
            ELSE ''
        END,
        closed_at = v_closed_at
    WHERE a.user_id = p_user_id AND a.closed_at IS NULL;
    SELECT array_agg(a.id) INTO v_accounts
    FROM public.mt5_accounts AS a
    WHERE a.user_id = p_user_id;
    UPDATE public.mt5_sessions AS s
    SET
        account_number = a.account_number,
        is_active = FALSE,
        disconnected_at = coalesce(s.disconnected_at, greatest(now(), s.connected_at))
    FROM public.mt5_accounts AS a
    WHERE a.id = s.account_id
        AND s.user_id = p_user_id
        AND (s.is_active OR s.disconnected_at IS NULL OR s.account_number <> a.account_number);

    PERFORM internal.forget_user(v_user, coalesce(v_accounts, '{}'));
    RETURN v_closed_at;
END
$$;
COMMENT ON FUNCTION public.close_user(bigint) IS
'Closes a user for good: no login, no active strategy or session, pending signals expired, all names
of the person taken out; orders, deals, snapshots and metrics stay. From then on no row is written
for the user. Answers the time of closing; a repeated call completes the work.
Raises RB021 for an unknown id.';
REVOKE ALL ON FUNCTION public.close_user(bigint) FROM public;
