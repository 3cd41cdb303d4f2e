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

-- Deals move the balance when they are done: the commission of an opening and a partial close long
-- before the order is closed. Orders and operations count where no deal tells of them.
CREATE OR REPLACE FUNCTION public.find_account_balance(p_account_id bigint, p_at timestamptz)
RETURNS numeric
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_balance numeric;
    v_since timestamptz;
    v_until timestamptz := p_at;
    v_change numeric;
BEGIN
    -- a snapshot contains the events of its own time, the balance at a moment not the moment's
    SELECT
        f.balance,
        f.taken_at + interval '1 microsecond'
    INTO v_balance, v_since
    FROM public.find_account_snapshot(p_account_id, p_at, TRUE) AS f;
    IF v_since IS NULL THEN
        -- never a snapshot, but deposits: the account began with nothing
        IF NOT EXISTS (
            SELECT FROM public.balance_operations AS b WHERE b.account_id = p_account_id
        ) THEN
            RETURN NULL;
        END IF;
        v_balance := 0;
        v_since := '-infinity';
    ELSIF v_since > p_at THEN
        v_until := v_since;
        v_since := p_at;
    END IF;
    SELECT sum(c.amount) INTO v_change
    FROM (
        SELECT d.profit + d.commission + d.swap + d.fee AS amount
        FROM public.trading_deals AS d
        LEFT JOIN public.mt5_deal_types AS t ON d.type = t.code
        -- one that stands for archived deals, which are still here
        LEFT JOIN public.mt5_explanations AS e
            ON d.account_id = e.account_id AND d.ticket = e.deal_ticket AND e.is_explained
        WHERE d.account_id = p_account_id
            AND d.executed_at >= v_since AND d.executed_at < v_until
            AND t.effect IS DISTINCT FROM 'credit'
            AND e.id IS NULL
        UNION ALL
        SELECT o.profit + o.commission + o.swap
        FROM public.mt5_accounts AS a
        INNER JOIN public.trading_orders AS o ON a.user_id = o.user_id AND a.id = o.account_id
        WHERE a.id = p_account_id
            AND o.close_price IS NOT NULL
            AND o.closed_at >= v_since AND o.closed_at < v_until
            AND NOT EXISTS (SELECT FROM public.mt5_trips AS r WHERE r.trading_order_id = o.id)
        UNION ALL
        SELECT b.amount
        FROM public.balance_operations AS b
        WHERE b.account_id = p_account_id
            AND b.occurred_at >= v_since AND b.occurred_at < v_until
            AND NOT EXISTS (
                SELECT FROM public.trading_deals AS d
                WHERE d.account_id = b.account_id
                    AND d.ticket = CASE
                        WHEN b.mt5_deal_id ~ '^[0-9]{1,19}$'
                            THEN least(b.mt5_deal_id::numeric, 9223372036854775807)::bigint
                    END
            )
    ) AS c;
    RETURN v_balance + coalesce(v_change, 0) * CASE WHEN v_since = p_at THEN -1 ELSE 1 END;
END
$$;
COMMENT ON FUNCTION public.find_account_balance(bigint, timestamptz) IS
'Balance of an account just before a moment, account currency: the nearest snapshot, carried by the
deals between, and by closed orders and balance operations that no deal tells of; without any
snapshot the sum of these. NULL when there is neither snapshot nor operation.';
REVOKE ALL ON FUNCTION public.find_account_balance(bigint, timestamptz) FROM public;
