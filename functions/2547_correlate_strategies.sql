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
    scaled AS MATERIALIZED (
        SELECT
            d.strategy_id,
            d.closed_on,
            d.net / nullif(max(abs(d.net)) OVER (PARTITION BY d.strategy_id), 0) AS net
        FROM days AS d
    ),

    pairs AS (
        SELECT
            a.strategy_id,
            b.strategy_id AS other_strategy_id,
            a.mixed OR b.mixed AS mixed,
            s.n,
            -- rounded beyond 1 the inverse of tanh would be an error
            CASE WHEN abs(s.correlation) > 1 THEN sign(s.correlation) ELSE s.correlation END
                AS correlation
        FROM chosen AS a
        INNER JOIN chosen AS b ON a.strategy_id < b.strategy_id
        LEFT JOIN (
            SELECT
                x.strategy_id,
                y.strategy_id AS other_strategy_id,
                count(*)::integer AS n,
                corr(x.net, y.net) AS correlation
            FROM scaled AS x
            INNER JOIN scaled AS y
                ON x.closed_on = y.closed_on AND x.strategy_id < y.strategy_id
            GROUP BY 1, 2
        ) AS s ON a.strategy_id = s.strategy_id AND b.strategy_id = s.other_strategy_id
    ),

    judged AS (
        SELECT
            p.strategy_id,
            p.other_strategy_id,
            coalesce(p.n, 0) AS n,
            p.correlation,
            CASE
                WHEN p.mixed THEN 'mixed_currency'
                WHEN coalesce(p.n, 0) < 30 THEN 'too_few'
                WHEN p.correlation IS NULL THEN 'zero_variance'
            END AS reason
        FROM pairs AS p
    )

    SELECT
        j.strategy_id,
        j.other_strategy_id,
        j.correlation,
        j.n,
        tanh(atanh(j.correlation) - v_errors / sqrt(j.n - 3)),
        tanh(atanh(j.correlation) + v_errors / sqrt(j.n - 3)),
        p_level,
        j.reason
    FROM judged AS j
    WHERE j.reason IS NULL
    UNION ALL
    SELECT j.strategy_id, j.other_strategy_id, NULL, j.n, NULL, NULL, p_level, j.reason
    FROM judged AS j
    WHERE j.reason IS NOT NULL
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
