-- 2547_correlate_strategies.sql: whether strategies win and lose on the same days.

CALL deploy.become_owner();

-- plpgsql, because the view closed_trades comes after the functions.
CREATE OR REPLACE FUNCTION public.correlate_strategies(
    p_user_id bigint,
    p_period_start timestamptz,
    p_period_end timestamptz,
    p_account_id bigint DEFAULT NULL,
    p_level numeric DEFAULT 0.95
)
RETURNS TABLE (
    strategy_id bigint,
    other_strategy_id bigint,
    correlation double precision,
    n integer,
    low double precision,
    high double precision,
    level numeric,
    reason text
)
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
COST 100000
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_errors CONSTANT double precision :=
        public.normal_quantile((1 + p_level)::double precision / 2);
BEGIN
    PERFORM public.check_performance_period(p_period_start, p_period_end);
    PERFORM public.check_ratio_arguments(p_level, 0, 30);
    RETURN QUERY
    WITH days AS MATERIALIZED (
        SELECT
            t.strategy_id,
            t.closed_on,
            count(*) AS trades,
            sum(t.net)::double precision AS net,
            min(coalesce(t.currency, '')) AS lowest_currency,
            max(coalesce(t.currency, '')) AS highest_currency
        FROM public.closed_trades AS t
        WHERE t.user_id = p_user_id AND t.strategy_id IS NOT NULL
            AND t.closed_at >= p_period_start AND t.closed_at < p_period_end
            AND (p_account_id IS NULL OR t.account_id = p_account_id)
        GROUP BY t.strategy_id, t.closed_on
    ),

    -- fifty make 1,225 pairs
    chosen AS MATERIALIZED (
        SELECT
            d.strategy_id,
            min(d.lowest_currency) < max(d.highest_currency) AS mixed
        FROM days AS d
        GROUP BY d.strategy_id
        ORDER BY sum(d.trades) DESC, d.strategy_id
        LIMIT 50
    ),

    -- in units of the largest: squares of money of any size fit the type
    scaled AS (
        SELECT
            d.strategy_id,
            d.closed_on,
            d.net / nullif(max(abs(d.net)) OVER (PARTITION BY d.strategy_id), 0) AS net
        FROM days AS d
        WHERE d.strategy_id IN (SELECT c.strategy_id FROM chosen AS c)
    ),

    -- A row a day: a join of the days with themselves is planned as if they were few, and compares
    -- each with each.
    together AS MATERIALIZED (
        SELECT
            count(*)::integer AS strategies,
            array_agg(s.strategy_id ORDER BY s.strategy_id) AS ids,
            array_agg(s.net ORDER BY s.strategy_id) AS nets
        FROM scaled AS s
        GROUP BY s.closed_on
    ),

    pairs AS (
        SELECT
            a.strategy_id,
            b.strategy_id AS other_strategy_id,
            coalesce(s.n, 0) AS n,
            -- rounded beyond 1 the inverse of tanh would be an error
            CASE WHEN abs(s.correlation) > 1 THEN sign(s.correlation) ELSE s.correlation END
                AS correlation,
            CASE
                WHEN a.mixed OR b.mixed THEN 'mixed_currency'
                WHEN coalesce(s.n, 0) < 30 THEN 'too_few'
                WHEN s.correlation IS NULL THEN 'zero_variance'
            END AS reason
        FROM chosen AS a
        INNER JOIN chosen AS b ON a.strategy_id < b.strategy_id
        LEFT JOIN (
            SELECT
                t.ids[x.place] AS strategy_id,
                t.ids[y.place] AS other_strategy_id,
                count(*)::integer AS n,
                corr(t.nets[x.place], t.nets[y.place]) AS correlation
            FROM together AS t
            CROSS JOIN LATERAL generate_series(1, t.strategies) AS x (place)
            CROSS JOIN LATERAL generate_series(x.place + 1, t.strategies) AS y (place)
            GROUP BY 1, 2
        ) AS s ON a.strategy_id = s.strategy_id AND b.strategy_id = s.other_strategy_id
    )

    SELECT
        p.strategy_id,
        p.other_strategy_id,
        CASE WHEN p.reason IS NULL THEN p.correlation END,
        p.n,
        CASE WHEN p.reason IS NULL THEN tanh(atanh(p.correlation) - v_errors / sqrt(p.n - 3)) END,
        CASE WHEN p.reason IS NULL THEN tanh(atanh(p.correlation) + v_errors / sqrt(p.n - 3)) END,
        p_level,
        p.reason
    FROM pairs AS p
    ORDER BY 1, 2;
END
$$;
COMMENT ON FUNCTION public.correlate_strategies(
    bigint, timestamptz, timestamptz, bigint, numeric
) IS
'Correlation of the daily net results of each two strategies of a user, over the n UTC days on which
both closed a trade, with Fisher''s interval; NULL with a reason below 30 such days. The fifty
strategies with most trades in [start, end). Raises RB070, RB074.';
REVOKE ALL ON FUNCTION public.correlate_strategies(
    bigint, timestamptz, timestamptz, bigint, numeric
) FROM public;
