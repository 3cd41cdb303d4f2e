-- 2374_states_as_of.sql: positions and orders as they were at a moment, by their events.

CALL deploy.become_owner();

-- Runs as its caller, as events_after() does.
CREATE OR REPLACE FUNCTION public.mt5_states_as_of(
    p_account_id bigint,
    p_kind text,
    p_at timestamptz
)
RETURNS TABLE (id bigint, changed_at timestamptz, state jsonb)
LANGUAGE plpgsql
STABLE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        $states$
            WITH live AS MATERIALIZED (
                SELECT
                    e.id,
                    max(e.number) FILTER (WHERE e.old_values IS NULL) AS first,
                    max(e.taken_at) AS changed_at
                FROM public.%1$I AS e
                WHERE e.account_id = $1 AND e.kind = $2 AND e.taken_at <= $3
                GROUP BY e.id
                HAVING max(e.number) FILTER (WHERE e.what = 'new') > coalesce(
                    max(e.number) FILTER (WHERE e.what IN ('closed', 'done', 'deleted')), 0
                )
            )
            SELECT
                l.id,
                l.changed_at,
                -- the last value of a name stays
                jsonb_strip_nulls(jsonb_object_agg(v.key, v.value ORDER BY e.number))
            FROM live AS l
            CROSS JOIN LATERAL (
                SELECT x.number, x.new_values
                FROM public.%1$I AS x
                WHERE x.account_id = $1
                    AND x.kind = $2
                    AND x.id = l.id
                    AND x.number >= l.first
                    AND x.taken_at <= $3
            ) AS e
            CROSS JOIN LATERAL jsonb_each(e.new_values) AS v
            GROUP BY l.id, l.changed_at
        $states$,
        CASE
            WHEN nullif(current_setting('app.user_id', TRUE), '') IS NULL
                AND has_table_privilege('public.mt5_events', 'SELECT')
                THEN 'mt5_events'
            ELSE 'my_mt5_events'
        END
    ) USING p_account_id, p_kind, p_at;
END
$$;
COMMENT ON FUNCTION public.mt5_states_as_of(bigint, text, timestamptz) IS
'What events tell of an account''s positions or waiting orders at a moment (p_kind position or
order): when each last changed, and its values by name.';
REVOKE ALL ON FUNCTION public.mt5_states_as_of(bigint, text, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION public.positions_as_of(
    p_account_id bigint,
    p_at timestamptz DEFAULT now()
)
RETURNS TABLE (
    identifier bigint,
    ticket text,
    symbol text,
    type text,
    volume numeric,
    open_price numeric,
    sl numeric,
    tp numeric,
    time_msc bigint,
    magic bigint,
    reason integer,
    comment text,
    external_id text,
    changed_at timestamptz
)
LANGUAGE sql
STABLE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        s.id,
        v.ticket,
        v.symbol,
        v.type,
        v.volume,
        v.open_price,
        v.sl,
        v.tp,
        v.time_msc,
        v.magic,
        v.reason,
        v.comment,
        v.external_id,
        s.changed_at
    FROM public.mt5_states_as_of(p_account_id, 'position', p_at) AS s
    CROSS JOIN LATERAL jsonb_to_record(s.state) AS v (
        ticket text, symbol text, type text, volume numeric, open_price numeric, sl numeric,
        tp numeric, time_msc bigint, magic bigint, reason integer, comment text, external_id text
    )
    ORDER BY s.id
$$;
COMMENT ON FUNCTION public.positions_as_of(bigint, timestamptz) IS
'Positions of an account that were open at a moment, UTC, as pictures taken until then showed them;
columns as in trading_positions. changed_at is when the position last changed.';
REVOKE ALL ON FUNCTION public.positions_as_of(bigint, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION public.orders_as_of(
    p_account_id bigint,
    p_at timestamptz DEFAULT now()
)
RETURNS TABLE (
    ticket bigint,
    symbol text,
    type integer,
    state integer,
    volume_initial numeric,
    volume_current numeric,
    price_open numeric,
    price_stoplimit numeric,
    sl numeric,
    tp numeric,
    time_setup_msc bigint,
    time_expiration bigint,
    type_time integer,
    type_filling integer,
    magic bigint,
    position_id bigint,
    position_by_id bigint,
    reason integer,
    comment text,
    external_id text,
    changed_at timestamptz
)
LANGUAGE sql
STABLE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        s.id,
        v.symbol,
        v.type,
        v.state,
        v.volume_initial,
        v.volume_current,
        v.price_open,
        v.price_stoplimit,
        v.sl,
        v.tp,
        v.time_setup_msc,
        v.time_expiration,
        v.type_time,
        v.type_filling,
        v.magic,
        v.position_id,
        v.position_by_id,
        v.reason,
        v.comment,
        v.external_id,
        s.changed_at
    FROM public.mt5_states_as_of(p_account_id, 'order', p_at) AS s
    CROSS JOIN LATERAL jsonb_to_record(s.state) AS v (
        symbol text, type integer, state integer, volume_initial numeric, volume_current numeric,
        price_open numeric, price_stoplimit numeric, sl numeric, tp numeric, time_setup_msc bigint,
        time_expiration bigint, type_time integer, type_filling integer, magic bigint,
        position_id bigint, position_by_id bigint, reason integer, comment text, external_id text
    )
    ORDER BY s.id
$$;
COMMENT ON FUNCTION public.orders_as_of(bigint, timestamptz) IS
'Orders of an account that were waiting at a moment, UTC, as the database knew them then; columns as
in mt5_orders. changed_at is when the order last changed.';
REVOKE ALL ON FUNCTION public.orders_as_of(bigint, timestamptz) FROM public;
