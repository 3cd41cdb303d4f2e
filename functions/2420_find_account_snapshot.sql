-- 2420_find_account_snapshot.sql: state and balance of an account at a moment.

CALL deploy.become_owner();

-- plpgsql, not SQL: its plans are kept for the session, an SQL function is planned again by each
-- statement that calls it, chunks and all.
CREATE OR REPLACE FUNCTION public.find_account_snapshot(
    p_account_id bigint,
    p_at timestamptz,
    p_or_first_after boolean DEFAULT FALSE,
    OUT taken_at timestamptz,
    OUT balance numeric,
    OUT equity numeric
)
RETURNS record
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- LATERAL over the sessions: one index descent each, for any number of snapshots. Rows behind
    -- the view's barrier come in no order, so that all of a session, a year of minutes, may be
    -- sorted: only a tenant, who may read nothing else, goes through the view, and no statement can
    -- serve both. BETWEEN adds nothing but an estimate of few rows: where few accounts share a
    -- table, their session's share of it is large, and the index on time alone would be read to its
    -- end for a session that has no row.
    IF current_user = 'rubi_tenant' THEN
        SELECT l.timestamp, l.balance, l.equity INTO taken_at, balance, equity
        FROM public.mt5_sessions AS s
        CROSS JOIN LATERAL (
            SELECT a.timestamp, a.balance, a.equity
            FROM public.snapshots_by_account AS a
            WHERE a.session_id = s.session_id AND a.timestamp < p_at
            ORDER BY a.timestamp DESC
            LIMIT 1
        ) AS l
        WHERE s.account_id = p_account_id
        ORDER BY l.timestamp DESC, s.session_id DESC
        LIMIT 1;
        IF NOT FOUND AND p_or_first_after THEN
            SELECT l.timestamp, l.balance, l.equity INTO taken_at, balance, equity
            FROM public.mt5_sessions AS s
            CROSS JOIN LATERAL (
                SELECT a.timestamp, a.balance, a.equity
                FROM public.snapshots_by_account AS a
                WHERE a.session_id = s.session_id AND a.timestamp >= p_at
                ORDER BY a.timestamp
                LIMIT 1
            ) AS l
            WHERE s.account_id = p_account_id
            ORDER BY l.timestamp, s.session_id
            LIMIT 1;
        END IF;
        RETURN;
    END IF;
    -- Most ask for a moment of these days. The plan for any moment opens and locks each chunk; this
    -- bound, which the planner knows, leaves those of a week.
    IF p_at > now() - interval '6 days' THEN
        SELECT l.timestamp, l.balance, l.equity INTO taken_at, balance, equity
        FROM public.mt5_sessions AS s
        CROSS JOIN LATERAL (
            SELECT a.timestamp, a.balance, a.equity
            FROM public.account_snapshots AS a
            WHERE a.session_id = s.session_id
                AND a.session_id BETWEEN s.session_id AND s.session_id
                AND a.timestamp < p_at
                AND a.timestamp > now() - interval '7 days'
            ORDER BY a.timestamp DESC
            LIMIT 1
        ) AS l
        WHERE s.account_id = p_account_id
        ORDER BY l.timestamp DESC, s.session_id DESC
        LIMIT 1;
        IF FOUND THEN
            RETURN;
        END IF;
    END IF;
    SELECT l.timestamp, l.balance, l.equity INTO taken_at, balance, equity
    FROM public.mt5_sessions AS s
    CROSS JOIN LATERAL (
        SELECT a.timestamp, a.balance, a.equity
        FROM public.account_snapshots AS a
        WHERE a.session_id = s.session_id
            AND a.session_id BETWEEN s.session_id AND s.session_id
            AND a.timestamp < p_at
        ORDER BY a.timestamp DESC
        LIMIT 1
    ) AS l
    WHERE s.account_id = p_account_id
    ORDER BY l.timestamp DESC, s.session_id DESC
    LIMIT 1;
    IF NOT FOUND AND p_or_first_after THEN
        SELECT l.timestamp, l.balance, l.equity INTO taken_at, balance, equity
        FROM public.mt5_sessions AS s
        CROSS JOIN LATERAL (
            SELECT a.timestamp, a.balance, a.equity
            FROM public.account_snapshots AS a
            WHERE a.session_id = s.session_id
                AND a.session_id BETWEEN s.session_id AND s.session_id
                AND a.timestamp >= p_at
            ORDER BY a.timestamp
            LIMIT 1
        ) AS l
        WHERE s.account_id = p_account_id
        ORDER BY l.timestamp, s.session_id
        LIMIT 1;
    END IF;
END
$$;
COMMENT ON FUNCTION public.find_account_snapshot(bigint, timestamptz, boolean) IS
'Latest snapshot of an account before a moment, over all its sessions; without one and with
p_or_first_after TRUE, the first at or after the moment. NULLs without either.';
REVOKE ALL ON FUNCTION public.find_account_snapshot(bigint, timestamptz, boolean) FROM public;

CREATE OR REPLACE FUNCTION public.find_account_balance(p_account_id bigint, p_at timestamptz)
RETURNS numeric
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_state record;
    v_change numeric;
BEGIN
    SELECT
        f.taken_at,
        f.balance
    INTO v_state
    FROM public.find_account_snapshot(p_account_id, p_at, TRUE) AS f;
    IF v_state.taken_at IS NULL THEN
        -- never a snapshot, but deposits: the account began with nothing
        IF NOT EXISTS (
            SELECT FROM public.balance_operations AS b WHERE b.account_id = p_account_id
        ) THEN
            RETURN NULL;
        END IF;
        SELECT
            '-infinity'::timestamptz AS taken_at,
            0 AS balance
        INTO v_state;
    END IF;
    -- From the snapshot to the moment, by trades closed and operations booked between. A snapshot
    -- contains the events of its own time; the balance at the moment does not contain the moment's
    -- events.
    IF v_state.taken_at < p_at THEN
        SELECT sum(c.amount) INTO v_change
        FROM (
            SELECT o.profit + o.commission + o.swap AS amount
            FROM public.mt5_accounts AS a
            INNER JOIN public.trading_orders AS o ON a.user_id = o.user_id AND a.id = o.account_id
            WHERE a.id = p_account_id
                AND o.close_price IS NOT NULL
                AND o.closed_at > v_state.taken_at AND o.closed_at < p_at
            UNION ALL
            SELECT b.amount
            FROM public.balance_operations AS b
            WHERE b.account_id = p_account_id
                AND b.occurred_at > v_state.taken_at AND b.occurred_at < p_at
        ) AS c;
        RETURN v_state.balance + coalesce(v_change, 0);
    END IF;
    SELECT sum(c.amount) INTO v_change
    FROM (
        SELECT o.profit + o.commission + o.swap AS amount
        FROM public.mt5_accounts AS a
        INNER JOIN public.trading_orders AS o ON a.user_id = o.user_id AND a.id = o.account_id
        WHERE a.id = p_account_id
            AND o.close_price IS NOT NULL
            AND o.closed_at >= p_at AND o.closed_at <= v_state.taken_at
        UNION ALL
        SELECT b.amount
        FROM public.balance_operations AS b
        WHERE b.account_id = p_account_id
            AND b.occurred_at >= p_at AND b.occurred_at <= v_state.taken_at
    ) AS c;
    RETURN v_state.balance - coalesce(v_change, 0);
END
$$;
COMMENT ON FUNCTION public.find_account_balance(bigint, timestamptz) IS
'Balance of an account just before a moment, account currency: the nearest snapshot, carried by the
net results of closed orders and the balance operations between; without any snapshot the sum of
both. NULL when there is neither snapshot nor operation.';
REVOKE ALL ON FUNCTION public.find_account_balance(bigint, timestamptz) FROM public;
