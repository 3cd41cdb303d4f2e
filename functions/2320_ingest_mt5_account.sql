-- 2320_ingest_mt5_account.sql: takes the answer of account_info.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION internal.open_mt5_session(
    p_account public.mt5_accounts,
    p_taken_at timestamptz
)
RETURNS uuid
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_session_id uuid;
BEGIN
    SELECT s.session_id INTO v_session_id
    FROM public.mt5_sessions AS s
    WHERE s.account_id = p_account.id AND s.is_active
    ORDER BY s.last_ping DESC, s.id DESC
    LIMIT 1;
    IF NOT FOUND THEN
        -- What a gateway had spooled is no heartbeat of now. Until the first heartbeat the account
        -- stands as it was seen last: an equity of 0 would be the loss of everything.
        INSERT INTO public.mt5_sessions (
            user_id, account_number, broker, server, currency, last_ping, balance, equity, margin,
            margin_free
        )
        SELECT
            p_account.user_id, p_account.account_number, p_account.broker, p_account.server,
            p_account.currency, p_taken_at, coalesce(s.balance, 0), coalesce(s.equity, 0),
            coalesce(s.margin, 0), coalesce(s.margin_free, 0)
        FROM (SELECT p_account.id AS account_id) AS a
        LEFT JOIN public.mt5_account_states AS s ON a.account_id = s.account_id
        RETURNING session_id INTO v_session_id;
    END IF;
    RETURN v_session_id;
END
$$;
COMMENT ON FUNCTION internal.open_mt5_session(public.mt5_accounts, timestamptz) IS
'The active session of the account with the latest heartbeat, else a new one, last heard of at
that moment, with the figures of the latest state.';
REVOKE ALL ON FUNCTION internal.open_mt5_session(public.mt5_accounts, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION internal.check_mt5_account(p_user_id bigint, p_state jsonb)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_most_bytes CONSTANT integer := 256 * 1024; -- as the domain json_document
    v_user text := nullif(current_setting('app.user_id', TRUE), '');
    v_fault text;
    v_closed_at timestamptz;
BEGIN
    IF jsonb_typeof(p_state) IS DISTINCT FROM 'object' THEN
        v_fault := format(
            'a JSON object is needed, not %s', coalesce(jsonb_typeof(p_state), 'NULL')
        );
    ELSIF pg_column_size(p_state) > c_most_bytes THEN
        v_fault := 'more than 256 kB';
    ELSE
        SELECT f.reason INTO v_fault
        FROM internal.find_mt5_faults('account', jsonb_build_array(p_state)) AS f;
    END IF;
    IF v_fault IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB055',
            MESSAGE = format('the account can''t be stored: %s', v_fault),
            HINT = 'Send the answer of account_info as a JSON object.';
    END IF;
    IF p_user_id::text <> v_user THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB051',
            MESSAGE = format(
                'app.user_id is %s, the account is sent for user %s', v_user, p_user_id
            );
    END IF;

    -- A closed user's login is no longer known and would come back as a new account. KEY SHARE, as
    -- the foreign key takes it, waits for the end of close_user.
    SELECT u.closed_at INTO v_closed_at
    FROM public.users AS u
    WHERE u.id = p_user_id
    FOR KEY SHARE;
    IF v_closed_at IS NOT NULL THEN
        PERFORM internal.refuse_closed(p_user_id);
    END IF;
END
$$;
COMMENT ON FUNCTION internal.check_mt5_account(bigint, jsonb) IS
'Raises RB055 when the object is no account, RB051 when it is sent for another user than
app.user_id, RB024 when the user is closed.';
REVOKE ALL ON FUNCTION internal.check_mt5_account(bigint, jsonb) FROM public;

CREATE OR REPLACE FUNCTION internal.read_mt5_accounts(p_states jsonb[])
RETURNS TABLE (
    n bigint,
    account_number text,
    server text,
    broker text,
    currency text,
    margin_mode integer,
    trade_mode integer,
    leverage integer,
    margin_so_mode integer,
    margin_so_call numeric,
    margin_so_so numeric
)
LANGUAGE plpgsql -- its plan is kept
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    SELECT
        g.n,
        r.login,
        btrim(CASE WHEN public.is_filled(r.server) THEN r.server ELSE r.company END),
        btrim(CASE WHEN public.is_filled(r.company) THEN r.company ELSE r.server END),
        nullif(btrim(r.currency), ''),
        r.margin_mode, r.trade_mode, r.leverage, r.margin_so_mode, r.margin_so_call, r.margin_so_so
    FROM unnest(p_states) WITH ORDINALITY AS g (state, n)
    CROSS JOIN LATERAL jsonb_to_record(g.state) AS r (
        login text, trade_mode integer, leverage integer, margin_mode integer, server text,
        currency text, company text, margin_so_mode integer, margin_so_call numeric,
        margin_so_so numeric
    );
END
$$;
COMMENT ON FUNCTION internal.read_mt5_accounts(jsonb[]) IS
'What answers of account_info say about the accounts themselves, as mt5_accounts keeps it.';
REVOKE ALL ON FUNCTION internal.read_mt5_accounts(jsonb[]) FROM public;

CREATE OR REPLACE FUNCTION internal.store_mt5_account(p_user_id bigint, p_state jsonb)
RETURNS public.mt5_accounts
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_given record;
    v_account public.mt5_accounts;
BEGIN
    SELECT r.* INTO v_given
    FROM internal.read_mt5_accounts(ARRAY[p_state]) AS r;
    INSERT INTO public.mt5_accounts AS a (
        user_id, server, account_number, broker, currency, margin_mode, trade_mode, leverage,
        margin_so_mode, margin_so_call, margin_so_so
    )
    VALUES (
        p_user_id, v_given.server, v_given.account_number, v_given.broker,
        coalesce(v_given.currency, 'USD'), v_given.margin_mode, v_given.trade_mode,
        v_given.leverage, v_given.margin_so_mode, v_given.margin_so_call, v_given.margin_so_so
    )
    ON CONFLICT ON CONSTRAINT mt5_accounts_user_id_server_account_number_key DO UPDATE
    SET
        broker = excluded.broker,
        -- a terminal that has just logged in may not know it yet
        currency = coalesce(v_given.currency, a.currency),
        margin_mode = coalesce(excluded.margin_mode, a.margin_mode),
        trade_mode = coalesce(excluded.trade_mode, a.trade_mode),
        leverage = coalesce(excluded.leverage, a.leverage),
        margin_so_mode = coalesce(excluded.margin_so_mode, a.margin_so_mode),
        margin_so_call = coalesce(excluded.margin_so_call, a.margin_so_call),
        margin_so_so = coalesce(excluded.margin_so_so, a.margin_so_so)
    WHERE (
        a.broker, a.currency, a.margin_mode, a.trade_mode, a.leverage, a.margin_so_mode,
        a.margin_so_call, a.margin_so_so
    ) IS DISTINCT FROM (
        excluded.broker, coalesce(v_given.currency, a.currency),
        coalesce(excluded.margin_mode, a.margin_mode),
        coalesce(excluded.trade_mode, a.trade_mode), coalesce(excluded.leverage, a.leverage),
        coalesce(excluded.margin_so_mode, a.margin_so_mode),
        coalesce(excluded.margin_so_call, a.margin_so_call),
        coalesce(excluded.margin_so_so, a.margin_so_so)
    );
    SELECT a.* INTO v_account
    FROM public.mt5_accounts AS a
    WHERE a.user_id = p_user_id
        AND a.server = v_given.server
        AND a.account_number = v_given.account_number;
    RETURN internal.lock_open_mt5_account(v_account.id);
END
$$;
COMMENT ON FUNCTION internal.store_mt5_account(bigint, jsonb) IS
'The account of the user that the object describes, found or made, and locked.';
REVOKE ALL ON FUNCTION internal.store_mt5_account(bigint, jsonb) FROM public;

CREATE OR REPLACE FUNCTION internal.store_mt5_account_states(
    p_account_ids bigint[],
    p_states jsonb[],
    p_taken_at timestamptz[]
)
RETURNS SETOF bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    INSERT INTO public.mt5_account_states AS s (
        account_id, login, trade_mode, leverage, limit_orders, margin_so_mode, trade_allowed,
        trade_expert, margin_mode, currency_digits, fifo_close, balance, credit, profit, equity,
        margin, margin_free, margin_level, margin_so_call, margin_so_so, margin_initial,
        margin_maintenance, assets, liabilities, commission_blocked, name, server, currency,
        company, raw, taken_at
    )
    SELECT
        g.account_id, r.login, r.trade_mode, r.leverage, r.limit_orders, r.margin_so_mode,
        r.trade_allowed, r.trade_expert, r.margin_mode, coalesce(r.currency_digits, 2),
        r.fifo_close, r.balance, r.credit, r.profit, r.equity, r.margin, r.margin_free,
        r.margin_level, r.margin_so_call, r.margin_so_so, r.margin_initial, r.margin_maintenance,
        r.assets, r.liabilities, r.commission_blocked, r.name, r.server, r.currency, r.company,
        g.state, g.taken_at
    FROM unnest(p_account_ids, p_states, p_taken_at) AS g (account_id, state, taken_at)
    CROSS JOIN LATERAL jsonb_to_record(g.state) AS r (
        login bigint, trade_mode integer, leverage bigint, limit_orders bigint,
        margin_so_mode integer, trade_allowed boolean, trade_expert boolean, margin_mode integer,
        currency_digits integer, fifo_close boolean, balance numeric, credit numeric,
        profit numeric, equity numeric, margin numeric, margin_free numeric, margin_level numeric,
        margin_so_call numeric, margin_so_so numeric, margin_initial numeric,
        margin_maintenance numeric, assets numeric, liabilities numeric,
        commission_blocked numeric, name text, server text, currency text, company text
    )
    ON CONFLICT ON CONSTRAINT mt5_account_states_pkey DO UPDATE
    SET
        (
            login, trade_mode, leverage, limit_orders, margin_so_mode, trade_allowed, trade_expert,
            margin_mode, currency_digits, fifo_close, balance, credit, profit, equity, margin,
            margin_free, margin_level, margin_so_call, margin_so_so, margin_initial,
            margin_maintenance, assets, liabilities, commission_blocked, name, server, currency,
            company, raw, taken_at
        ) = (
            excluded.login, excluded.trade_mode, excluded.leverage, excluded.limit_orders,
            excluded.margin_so_mode, excluded.trade_allowed, excluded.trade_expert,
            excluded.margin_mode,
            CASE
                WHEN excluded.raw ? 'currency_digits' THEN excluded.currency_digits
                ELSE s.currency_digits
            END,
            excluded.fifo_close, excluded.balance, excluded.credit, excluded.profit,
            excluded.equity, excluded.margin,
            excluded.margin_free, excluded.margin_level, excluded.margin_so_call,
            excluded.margin_so_so, excluded.margin_initial, excluded.margin_maintenance,
            excluded.assets, excluded.liabilities, excluded.commission_blocked, excluded.name,
            excluded.server, excluded.currency, excluded.company, excluded.raw, excluded.taken_at
        )
    WHERE s.taken_at IS NULL OR s.taken_at <= excluded.taken_at
    RETURNING s.account_id;
END
$$;
COMMENT ON FUNCTION internal.store_mt5_account_states(bigint[], jsonb[], timestamptz[]) IS
'Stores the states of accounts, each once; answers the accounts whose stored state was not newer.';
REVOKE ALL ON FUNCTION
internal.store_mt5_account_states(bigint[], jsonb[], timestamptz[]) FROM public;

-- The snapshots go before the heartbeats: the first snapshot of a week makes a chunk, which locks
-- mt5_sessions, and two transactions that have updated a session already would deadlock.
CREATE OR REPLACE FUNCTION internal.take_mt5_snapshots(
    p_account_ids bigint[],
    p_session_ids uuid[],
    p_states jsonb[],
    p_taken_at timestamptz[]
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_newer bigint[];
BEGIN
    SELECT array_agg(n.account_id) INTO v_newer
    FROM internal.store_mt5_account_states(p_account_ids, p_states, p_taken_at) AS n (account_id);
    INSERT INTO public.account_snapshots (
        session_id, timestamp, balance, equity, margin, margin_free, margin_level, profit
    )
    SELECT
        g.session_id, g.taken_at, r.balance, r.equity, coalesce(r.margin, 0),
        coalesce(r.margin_free, 0), coalesce(r.margin_level, 0), coalesce(r.profit, 0)
    FROM unnest(p_session_ids, p_states, p_taken_at) AS g (session_id, state, taken_at)
    CROSS JOIN LATERAL jsonb_to_record(g.state) AS r (
        balance numeric, equity numeric, margin numeric, margin_free numeric, margin_level numeric,
        profit numeric
    )
    ON CONFLICT (session_id, timestamp) DO NOTHING;
    UPDATE public.mt5_sessions AS s
    SET
        balance = r.balance,
        equity = r.equity,
        margin = r.margin,
        margin_free = r.margin_free,
        currency = a.currency,
        last_ping = greatest(s.last_ping, g.taken_at)
    FROM unnest(p_account_ids, p_session_ids, p_states, p_taken_at)
        AS g (account_id, session_id, state, taken_at)
    INNER JOIN public.mt5_accounts AS a ON g.account_id = a.id
    CROSS JOIN LATERAL (
        SELECT
            t.balance,
            t.equity,
            coalesce(t.margin, 0) AS margin,
            coalesce(t.margin_free, 0) AS margin_free
        FROM jsonb_to_record(g.state) AS t (
            balance numeric, equity numeric, margin numeric, margin_free numeric
        )
    ) AS r
    WHERE s.session_id = g.session_id AND g.account_id = ANY (v_newer);
    PERFORM internal.judge_snapshots(p_account_ids);
END
$$;
COMMENT ON FUNCTION internal.take_mt5_snapshots(bigint[], uuid[], jsonb[], timestamptz[]) IS
'Stores the states of accounts, each once: appends a snapshot to the session of each, refreshes the
session unless the stored state is newer, and asks the risk rules.';
REVOKE ALL ON FUNCTION
internal.take_mt5_snapshots(bigint[], uuid[], jsonb[], timestamptz[]) FROM public;

CREATE OR REPLACE FUNCTION public.ingest_mt5_account(
    p_user_id bigint,
    p_account jsonb,
    p_taken_at timestamptz DEFAULT now()
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the gateway's role has no rights on tables
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account public.mt5_accounts;
BEGIN
    PERFORM internal.check_mt5_taken_at(p_taken_at);
    PERFORM internal.check_mt5_account(p_user_id, p_account);
    v_account := internal.store_mt5_account(p_user_id, p_account);
    PERFORM internal.take_mt5_snapshots(
        ARRAY[v_account.id], ARRAY[internal.open_mt5_session(v_account, p_taken_at)],
        ARRAY[p_account], ARRAY[p_taken_at]
    );
    RETURN v_account.id;
END
$$;
COMMENT ON FUNCTION public.ingest_mt5_account(bigint, jsonb, timestamptz) IS
'Takes the answer of account_info: finds or makes the account of the user, opens or refreshes its
session, appends a snapshot, asks the risk rules of it; answers the account''s id. p_taken_at is the
time of the answer. A state older than the stored one adds its snapshot only. Raises RB024, RB051,
RB053 and RB055.';
REVOKE ALL ON FUNCTION public.ingest_mt5_account(bigint, jsonb, timestamptz) FROM public;
