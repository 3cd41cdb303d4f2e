-- 2322_ingest_mt5_accounts.sql: takes the answers of account_info of many accounts in one call.

CALL deploy.become_owner();

-- Nearly every heartbeat is of an open account whose terms have not changed and whose session is
-- active. Users before accounts, and both by number, as all who lock them do.
CREATE OR REPLACE FUNCTION internal.find_known_mt5_accounts(
    p_user_ids bigint[],
    p_accounts jsonb[],
    p_taken_at timestamptz[]
)
RETURNS TABLE (n bigint, account_id bigint, session_id uuid)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_rows jsonb := to_jsonb(p_accounts);
    v_user text := nullif(current_setting('app.user_id', TRUE), '');
    v_bad bigint[] := '{}';
    v_states jsonb[];
    v_found record;
BEGIN
    IF NOT internal.are_mt5_rows_sound('account', v_rows) THEN
        SELECT coalesce(array_agg(f.n), '{}') INTO v_bad
        FROM internal.find_mt5_faults('account', v_rows) AS f;
    END IF;
    v_states := ARRAY(
        SELECT CASE WHEN g.n <> ALL (v_bad) THEN g.state ELSE '{}' END
        FROM unnest(p_accounts) WITH ORDINALITY AS g (state, n)
        ORDER BY g.n
    );
    PERFORM FROM public.users AS u WHERE u.id = ANY (p_user_ids) ORDER BY u.id FOR KEY SHARE;
    SELECT array_agg(k.n) AS places, array_agg(k.id) AS ids INTO v_found
    FROM (
        SELECT g.n, a.id, count(*) OVER (PARTITION BY a.id) AS times
        FROM unnest(p_user_ids, p_taken_at) WITH ORDINALITY AS g (user_id, taken_at, n)
        INNER JOIN internal.read_mt5_accounts(v_states) AS r ON g.n = r.n
        INNER JOIN public.mt5_accounts AS a
            ON a.user_id = g.user_id
                AND a.server = r.server
                AND a.account_number = r.account_number
        INNER JOIN public.users AS u ON a.user_id = u.id
        WHERE g.taken_at BETWEEN '1990-01-01 00:00:00+00' AND now() + interval '1 minute'
            AND u.closed_at IS NULL
            AND (v_user IS NULL OR a.user_id::text = v_user)
            AND (
                a.broker, a.currency, a.margin_mode, a.trade_mode, a.leverage, a.margin_so_mode,
                a.margin_so_call, a.margin_so_so
            ) IS NOT DISTINCT FROM (
                r.broker, coalesce(r.currency, a.currency),
                coalesce(r.margin_mode, a.margin_mode),
                coalesce(r.trade_mode, a.trade_mode), coalesce(r.leverage, a.leverage),
                coalesce(r.margin_so_mode, a.margin_so_mode),
                coalesce(r.margin_so_call, a.margin_so_call),
                coalesce(r.margin_so_so, a.margin_so_so)
            )
    ) AS k
    WHERE k.times = 1; -- two states of one account go one after the other
    PERFORM FROM public.mt5_accounts AS a
    WHERE a.id = ANY (v_found.ids)
    ORDER BY a.id
    FOR NO KEY UPDATE;
    RETURN QUERY
    SELECT f.n, f.id, s.session_id
    FROM unnest(v_found.places, v_found.ids) AS f (n, id)
    INNER JOIN public.mt5_accounts AS a ON f.id = a.id
    CROSS JOIN LATERAL (
        SELECT o.session_id
        FROM public.mt5_sessions AS o
        WHERE o.account_id = f.id AND o.is_active
        ORDER BY o.last_ping DESC, o.id DESC
        LIMIT 1
    ) AS s
    WHERE a.closed_at IS NULL;
END
$$;
COMMENT ON FUNCTION internal.find_known_mt5_accounts(bigint[], jsonb[], timestamptz[]) IS
'Of the given states those that only append: place in the arrays, from 1, account and session. The
accounts are locked.';
REVOKE ALL ON FUNCTION
internal.find_known_mt5_accounts(bigint[], jsonb[], timestamptz[]) FROM public;

-- A state that can't be stored does not stop the others: its error is answered.
CREATE OR REPLACE FUNCTION public.ingest_mt5_accounts(
    p_user_ids bigint[],
    p_accounts jsonb[],
    p_taken_at timestamptz[]
)
RETURNS TABLE (n bigint, account_id bigint, code text, reason text)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the gateway's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_known record;
BEGIN
    PERFORM internal.check_mt5_rows(coalesce(to_jsonb(p_accounts), '[]'));
    SELECT
        array_agg(k.n ORDER BY k.account_id) AS places,
        array_agg(k.account_id ORDER BY k.account_id) AS ids,
        array_agg(k.session_id ORDER BY k.account_id) AS sessions,
        array_agg(p_accounts[k.n] ORDER BY k.account_id) AS states,
        array_agg(p_taken_at[k.n] ORDER BY k.account_id) AS times
    INTO v_known
    FROM internal.find_known_mt5_accounts(p_user_ids, p_accounts, p_taken_at) AS k;
    IF v_known.ids IS NOT NULL THEN
        PERFORM internal.take_mt5_snapshots(
            v_known.ids, v_known.sessions, v_known.states, v_known.times
        );
    END IF;
    RETURN QUERY
    SELECT k.n, k.id, NULL::text, NULL::text
    FROM unnest(v_known.places, v_known.ids) AS k (n, id);

    FOR n IN
        SELECT g.n
        FROM unnest(p_user_ids, p_accounts, p_taken_at) WITH ORDINALITY AS g (u, a, t, n)
        WHERE g.n <> ALL (coalesce(v_known.places, '{}'))
        ORDER BY g.t, g.n
    LOOP
        code := NULL;
        reason := NULL;
        BEGIN
            account_id := public.ingest_mt5_account(p_user_ids[n], p_accounts[n], p_taken_at[n]);
        EXCEPTION
            WHEN data_exception OR integrity_constraint_violation
                OR SQLSTATE 'RB024' OR SQLSTATE 'RB051' OR SQLSTATE 'RB053' OR SQLSTATE 'RB055'
                THEN
                account_id := NULL;
                code := SQLSTATE;
                reason := SQLERRM;
        END;
        RETURN NEXT;
    END LOOP;
END
$$;
COMMENT ON FUNCTION public.ingest_mt5_accounts(bigint[], jsonb[], timestamptz[]) IS
'Takes many answers of account_info, each with its user and the time of the answer, as
ingest_mt5_account takes one. Answers for each its place in the arrays, from 1, and the account''s
id, or the code and the reason why it was not stored: the others are. Raises RB052.';
REVOKE ALL ON FUNCTION public.ingest_mt5_accounts(bigint[], jsonb[], timestamptz[]) FROM public;
