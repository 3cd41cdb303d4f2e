-- 2531_group_r.sql: results in R by strategy, symbol and market session, and what they leave out.

CALL deploy.become_owner();

-- plpgsql, because the view trip_risks comes after the functions.
CREATE OR REPLACE FUNCTION public.group_r(
    p_user_id bigint,
    p_from timestamptz DEFAULT '-infinity',
    p_to timestamptz DEFAULT 'infinity',
    p_of_prices boolean DEFAULT FALSE,
    p_strategy_id bigint DEFAULT NULL,
    p_account_id bigint DEFAULT NULL
)
RETURNS TABLE (
    grouped_by text,
    strategy_id bigint,
    symbol text,
    session text,
    trades bigint,
    left_out bigint,
    left_out_by jsonb,
    total_r numeric,
    expectancy_r numeric,
    deviation_r numeric,
    sqn numeric,
    worst_r numeric,
    best_r numeric
)
LANGUAGE plpgsql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH told AS (
        SELECT
            CASE WHEN p_of_prices THEN t.r_of_prices ELSE t.r END AS r,
            CASE WHEN p_of_prices THEN t.reason_of_prices ELSE t.reason END AS reason,
            t.strategy_id,
            t.symbol::text AS symbol,
            public.name_market_session(t.opened_at) AS session
        FROM public.trip_risks AS t
        WHERE t.user_id = p_user_id
            AND t.closed_at >= p_from AND t.closed_at < p_to
            AND (p_strategy_id IS NULL OR t.strategy_id = p_strategy_id)
            AND (p_account_id IS NULL OR t.account_id = p_account_id)
    ),

    grouped AS (
        SELECT
            -- a bit for each column that does not name the group
            CASE grouping(t.strategy_id, t.symbol, t.session)
                WHEN 7 THEN 'all'
                WHEN 3 THEN 'strategy'
                WHEN 5 THEN 'symbol'
                ELSE 'session'
            END AS grouped_by,
            t.strategy_id,
            t.symbol,
            t.session,
            count(t.r) AS trades,
            count(t.reason) AS left_out,
            array_agg(t.reason) FILTER (WHERE t.reason IS NOT NULL) AS reasons,
            sum(t.r) AS total_r,
            avg(t.r) AS expectancy_r,
            stddev_samp(t.r) AS deviation_r,
            min(t.r) AS worst_r,
            max(t.r) AS best_r
        FROM told AS t
        GROUP BY GROUPING SETS ((), (t.strategy_id), (t.symbol), (t.session))
    )

    SELECT
        g.grouped_by,
        g.strategy_id,
        g.symbol,
        g.session,
        g.trades,
        g.left_out,
        (
            SELECT coalesce(jsonb_object_agg(n.reason, n.times), '{}')
            FROM (
                SELECT u.reason, count(*) AS times
                FROM unnest(g.reasons) AS u (reason)
                GROUP BY u.reason
            ) AS n
        ),
        g.total_r,
        g.expectancy_r,
        g.deviation_r,
        sqrt(g.trades::numeric) * g.expectancy_r / nullif(g.deviation_r, 0),
        g.worst_r,
        g.best_r
    FROM grouped AS g;
END
$$;
COMMENT ON FUNCTION
public.group_r(bigint, timestamptz, timestamptz, boolean, bigint, bigint) IS
'Closed trips of a user in R, optionally of one strategy or account, closed from p_from on and
before p_to: r of trip_risks, or with p_of_prices r_of_prices, which needs no worth of a price. A
row a group; grouped_by names its column: all, strategy, symbol or session (market session of
opening). trades are those with an R; left_out have none, left_out_by counts them by reason.
expectancy_r is the mean, deviation_r the sample deviation, sqn the System Quality Number of Van K.
Tharp: square root of trades x expectancy_r / deviation_r, NULL below two trades or without
deviation. Tharp takes at most 100 for trades.';
REVOKE ALL ON FUNCTION
public.group_r(bigint, timestamptz, timestamptz, boolean, bigint, bigint) FROM public;
