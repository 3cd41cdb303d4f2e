-- 2542_list_daily_returns.sql: the daily returns that ratios rest on.

CALL deploy.become_owner();

-- plpgsql: the query is long, and planned once a session. No set of arguments wants another plan.
CREATE OR REPLACE FUNCTION public.list_daily_returns(
    p_user_id bigint,
    p_strategy_id bigint,
    p_period_start timestamptz,
    p_period_end timestamptz,
    p_initial_balance numeric DEFAULT NULL,
    p_account_id bigint DEFAULT NULL,
    p_open_trades boolean DEFAULT FALSE
)
RETURNS TABLE (day timestamptz, trades bigint, won bigint, net numeric, value numeric)
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
COST 10000
SET search_path = pg_catalog, pg_temp
SET jit = off
SET plan_cache_mode = force_generic_plan
AS $$
#variable_conflict use_column
BEGIN
    PERFORM public.check_performance_period(p_period_start, p_period_end);
    RETURN QUERY
    WITH events AS MATERIALIZED (
        SELECT e.curve, e.at, e.kind, e.change, e.booked, e.side
        FROM public.performance_events(
            p_user_id, p_strategy_id, EXISTS (
                SELECT FROM public.trading_strategies AS s
                WHERE s.id = p_strategy_id AND s.user_id = p_user_id
            ), p_account_id, p_account_id IS NULL, p_period_start, p_period_end,
            p_initial_balance, 0
        ) AS e
        WHERE e.curve < 3
    ),

    -- equity (curve 1) moves by snapshots and holds what is open; the balance by closed trades
    chosen AS (
        SELECT
            max(e.change) FILTER (WHERE e.kind = 0) AS opening,
            min(e.at) FILTER (WHERE e.kind > 0) AS first_at,
            array_agg(
                jsonb_populate_record(
                    NULL::public.trading_day,
                    jsonb_build_object('day', public.utc_day(e.at), 'net', e.change)
                )
            ) FILTER (WHERE e.kind = 2) AS days,
            array_agg(
                jsonb_populate_record(
                    NULL::public.balance_operations,
                    jsonb_build_object('occurred_at', e.at, 'amount', e.booked)
                )
            ) FILTER (WHERE e.kind > 0 AND e.booked <> 0) AS operations
        FROM events AS e
        WHERE e.curve = CASE WHEN p_open_trades THEN 1 ELSE 2 END
    ),

    closed AS (
        SELECT
            public.utc_day(e.at) AS day,
            count(*) AS trades,
            count(*) FILTER (WHERE e.side = 1) AS won,
            sum(e.change) AS net
        FROM events AS e
        WHERE e.curve = 2 AND e.kind = 2
        GROUP BY 1
    )

    SELECT
        r.day,
        coalesce(t.trades, 0),
        coalesce(t.won, 0),
        coalesce(t.net, 0),
        r.value
    FROM chosen AS c
    CROSS JOIN LATERAL public.find_daily_returns(
        c.days, c.operations, c.opening, p_period_start, p_period_end
    ) AS r
    LEFT JOIN closed AS t ON r.day = t.day
    -- before its first change equity is not known
    WHERE p_open_trades IS NOT TRUE OR r.day >= public.utc_day(c.first_at)
    ORDER BY r.day;
END
$$;
COMMENT ON FUNCTION public.list_daily_returns(
    bigint, bigint, timestamptz, timestamptz, numeric, bigint, boolean
) IS
'Every UTC day of [start, end) of a user (strategy NULL) or a strategy: trades closed, those won,
their net result (account currency) and the day''s return as a share of the balance; NULL while the
balance is unknown. p_open_trades: returns of equity, which holds what is open, in place of closed
trades. Other arguments as in calculate_performance_metrics. Raises RB070 for a bad period.';
REVOKE ALL ON FUNCTION public.list_daily_returns(
    bigint, bigint, timestamptz, timestamptz, numeric, bigint, boolean
) FROM public;
