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
        -- what a gateway had spooled is no heartbeat of now
        INSERT INTO public.mt5_sessions (
            user_id, account_number, broker, server, currency, last_ping
        )
        VALUES (
            p_account.user_id, p_account.account_number, p_account.broker, p_account.server,
            p_account.currency, p_taken_at
        )
        RETURNING session_id INTO v_session_id;
    END IF;
    RETURN v_session_id;
END
$$;
COMMENT ON FUNCTION internal.open_mt5_session(public.mt5_accounts, timestamptz) IS
'The active session of the account with the latest heartbeat, else a new one, last heard of at
that moment.';
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

CREATE OR REPLACE FUNCTION internal.store_mt5_account(p_user_id bigint, p_state jsonb)
RETURNS public.mt5_accounts
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_given record;
    v_server text;
    v_account public.mt5_accounts;
BEGIN
    SELECT * INTO v_given
    FROM jsonb_to_record(p_state) AS r (
        login text, trade_mode integer, leverage integer, margin_mode integer, server text,
        currency text, company text, margin_so_mode integer, margin_so_call numeric,
        margin_so_so numeric
    );
    v_server := coalesce(nullif(btrim(v_given.server), ''), btrim(v_given.company));
    INSERT INTO public.mt5_accounts AS a (
        user_id, server, account_number, broker, currency, margin_mode, trade_mode, leverage,
        margin_so_mode, margin_so_call, margin_so_so
    )
    VALUES (
        p_user_id, v_server, v_given.login, coalesce(nullif(btrim(v_given.company), ''), v_server),
        coalesce(nullif(btrim(v_given.currency), ''), 'USD'), v_given.margin_mode,
        v_given.trade_mode, v_given.leverage, v_given.margin_so_mode, v_given.margin_so_call,
        v_given.margin_so_so
    )
    ON CONFLICT ON CONSTRAINT mt5_accounts_user_id_server_account_number_key DO UPDATE
    SET
        broker = excluded.broker,
        currency = excluded.currency,
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
        excluded.broker, excluded.currency, coalesce(excluded.margin_mode, a.margin_mode),
        coalesce(excluded.trade_mode, a.trade_mode), coalesce(excluded.leverage, a.leverage),
        coalesce(excluded.margin_so_mode, a.margin_so_mode),
        coalesce(excluded.margin_so_call, a.margin_so_call),
        coalesce(excluded.margin_so_so, a.margin_so_so)
    );
    SELECT a.* INTO v_account
    FROM public.mt5_accounts AS a
    WHERE a.user_id = p_user_id
        AND a.server = v_server
        AND a.account_number = v_given.login;
    RETURN internal.lock_open_mt5_account(v_account.id);
END
$$;
COMMENT ON FUNCTION internal.store_mt5_account(bigint, jsonb) IS
'The account of the user that the object describes, found or made, and locked.';
REVOKE ALL ON FUNCTION internal.store_mt5_account(bigint, jsonb) FROM public;

CREATE OR REPLACE FUNCTION internal.store_mt5_account_state(
    p_account_id bigint,
    p_state jsonb,
    p_taken_at timestamptz
)
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO public.mt5_account_states AS s (
        account_id, login, trade_mode, leverage, limit_orders, margin_so_mode, trade_allowed,
        trade_expert, margin_mode, currency_digits, fifo_close, balance, credit, profit, equity,
        margin, margin_free, margin_level, margin_so_call, margin_so_so, margin_initial,
        margin_maintenance, assets, liabilities, commission_blocked, name, server, currency,
        company, raw, taken_at
    )
    SELECT
        p_account_id, r.login, r.trade_mode, r.leverage, r.limit_orders, r.margin_so_mode,
        r.trade_allowed, r.trade_expert, r.margin_mode, coalesce(r.currency_digits, 2),
        r.fifo_close, r.balance, r.credit, r.profit, r.equity, r.margin, r.margin_free,
        r.margin_level, r.margin_so_call, r.margin_so_so, r.margin_initial, r.margin_maintenance,
        r.assets, r.liabilities, r.commission_blocked, r.name, r.server, r.currency, r.company,
        p_state, p_taken_at
    FROM jsonb_to_record(p_state) AS r (
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
            excluded.margin_mode, excluded.currency_digits, excluded.fifo_close, excluded.balance,
            excluded.credit, excluded.profit, excluded.equity, excluded.margin,
            excluded.margin_free, excluded.margin_level, excluded.margin_so_call,
            excluded.margin_so_so, excluded.margin_initial, excluded.margin_maintenance,
            excluded.assets, excluded.liabilities, excluded.commission_blocked, excluded.name,
            excluded.server, excluded.currency, excluded.company, excluded.raw, excluded.taken_at
        )
    WHERE s.taken_at IS NULL OR s.taken_at <= excluded.taken_at;
    RETURN FOUND;
END
$$;
COMMENT ON FUNCTION internal.store_mt5_account_state(bigint, jsonb, timestamptz) IS
'Stores an account''s state; FALSE when the stored one is newer.';
REVOKE ALL ON FUNCTION internal.store_mt5_account_state(bigint, jsonb, timestamptz) FROM public;

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
    v_given record;
    v_session_id uuid;
    v_is_newer boolean;
BEGIN
    PERFORM internal.check_mt5_taken_at(p_taken_at);
    PERFORM internal.check_mt5_account(p_user_id, p_account);
    v_account := internal.store_mt5_account(p_user_id, p_account);
    v_is_newer := internal.store_mt5_account_state(v_account.id, p_account, p_taken_at);
    SELECT
        r.balance,
        r.equity,
        coalesce(r.margin, 0) AS margin,
        coalesce(r.margin_free, 0) AS margin_free,
        coalesce(r.margin_level, 0) AS margin_level,
        coalesce(r.profit, 0) AS profit
    INTO v_given
    FROM jsonb_to_record(p_account) AS r (
        balance numeric, equity numeric, margin numeric, margin_free numeric, margin_level numeric,
        profit numeric
    );

    -- The snapshot goes before the heartbeat: the first snapshot of a week makes a chunk, which
    -- locks mt5_sessions, and two transactions that have updated a session already would deadlock.
    v_session_id := internal.open_mt5_session(v_account, p_taken_at);
    INSERT INTO public.account_snapshots (
        session_id, timestamp, balance, equity, margin, margin_free, margin_level, profit
    )
    VALUES (
        v_session_id, p_taken_at, v_given.balance, v_given.equity, v_given.margin,
        v_given.margin_free, v_given.margin_level, v_given.profit
    )
    ON CONFLICT (session_id, timestamp) DO NOTHING;
    IF v_is_newer THEN
        UPDATE public.mt5_sessions AS s
        SET
            balance = v_given.balance,
            equity = v_given.equity,
            margin = v_given.margin,
            margin_free = v_given.margin_free,
            currency = v_account.currency,
            last_ping = greatest(s.last_ping, p_taken_at)
        WHERE s.session_id = v_session_id;
    END IF;
    PERFORM internal.judge_snapshots(ARRAY[v_account.id]);
    RETURN v_account.id;
END
$$;
COMMENT ON FUNCTION public.ingest_mt5_account(bigint, jsonb, timestamptz) IS
'Takes the answer of account_info: finds or makes the account of the user, opens or refreshes its
session, appends a snapshot, asks the risk rules of it; answers the account''s id. p_taken_at is the
time of the answer. A state older than the stored one adds its snapshot only. Raises RB024, RB051,
RB053 and RB055.';
REVOKE ALL ON FUNCTION public.ingest_mt5_account(bigint, jsonb, timestamptz) FROM public;
