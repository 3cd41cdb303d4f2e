-- 2312_find_mt5_clock_shift.sql: bars that tell whether a server's clock is right.

CALL deploy.become_owner();

-- A deal's price lies within the bar of its minute, one spread and a little slippage apart: a
-- quarter of the bar's height and 0.02 percent on either side are allowed. By hours only, as rules
-- of clocks are. In a market that stands still deals fit a wrong hour by chance, so each hour's
-- count is answered.
CREATE OR REPLACE FUNCTION public.find_mt5_clock_shift(p_account_id bigint)
RETURNS TABLE (hours integer, deals bigint, within bigint)
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        h.hours,
        count(*) AS deals,
        count(*) FILTER (
            WHERE d.price BETWEEN b.low - s.slack AND b.high + s.slack
        ) AS within
    FROM generate_series(-14, 14) AS h (hours)
    CROSS JOIN (
        SELECT
            x.executed_at,
            x.price,
            public.canonical_symbol(p_account_id, x.symbol) AS symbol
        FROM public.trading_deals AS x
        WHERE x.account_id = p_account_id AND x.type IN (0, 1)
        ORDER BY x.executed_at DESC
        LIMIT 200
    ) AS d
    INNER JOIN public.market_data AS b
        ON b.symbol = d.symbol
        AND b.timeframe = 'M1'
        AND b.timestamp
        = date_trunc('minute', d.executed_at) - make_interval(hours => h.hours)
    CROSS JOIN LATERAL (
        SELECT (b.high - b.low) / 4 + b.high * 0.0002 AS slack
    ) AS s
    GROUP BY h.hours
    ORDER BY within DESC, abs(h.hours), h.hours
$$;
COMMENT ON FUNCTION public.find_mt5_clock_shift(bigint) IS
'Number of an account''s latest 200 deals that would lie within the M1 bar of their minute, if its
server''s clock were so many hours further ahead than its rule: best first. No row without such
bars.';
REVOKE ALL ON FUNCTION public.find_mt5_clock_shift(bigint) FROM public;
