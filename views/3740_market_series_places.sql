-- 3740_market_series_places.sql: places of the bars of a series: hypertable, lake, or both.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW public.market_series_places
WITH (security_invoker = TRUE) AS
WITH lake AS (
    SELECT
        a.symbol,
        a.timeframe,
        min(a.month) AS first_month,
        max(a.month) AS last_month,
        count(*) FILTER (WHERE a.dropped_at IS NULL) AS months_in_both,
        count(*) FILTER (WHERE a.dropped_at IS NOT NULL) AS months_in_lake_only,
        sum(a.bars)::bigint AS bars,
        coalesce(sum(a.bars) FILTER (WHERE a.dropped_at IS NOT NULL), 0)::bigint AS bars_only
    FROM public.market_archives AS a
    GROUP BY a.symbol, a.timeframe
)

SELECT
    coalesce(c.symbol, l.symbol) AS symbol,
    coalesce(c.timeframe, l.timeframe) AS timeframe,
    CASE
        WHEN c.bars > 0 AND l.bars > 0 THEN 'both'
        WHEN c.bars > 0 THEN 'hypertable'
        WHEN l.bars > 0 THEN 'lake'
        ELSE 'nowhere'
    END AS place,
    coalesce(c.bars, 0) AS bars_in_hypertable,
    coalesce(l.bars, 0) AS bars_in_lake,
    coalesce(l.bars_only, 0) AS bars_in_lake_only,
    coalesce(l.months_in_both, 0) AS months_in_both,
    coalesce(l.months_in_lake_only, 0) AS months_in_lake_only,
    c.first_timestamp,
    c.last_timestamp,
    l.first_month AS lake_first_month,
    l.last_month AS lake_last_month
FROM public.market_data_coverage AS c
FULL JOIN lake AS l ON c.symbol = l.symbol AND c.timeframe = l.timeframe;

COMMENT ON VIEW public.market_series_places IS
'One row a series: whether its bars lie in the hypertable, in the lake (market_archives), or both.';
COMMENT ON COLUMN public.market_series_places.symbol IS 'Symbol.';
COMMENT ON COLUMN public.market_series_places.timeframe IS 'MT5 timeframe.';
COMMENT ON COLUMN public.market_series_places.place IS
'hypertable, lake, both, or nowhere for a series without bars.';
COMMENT ON COLUMN public.market_series_places.bars_in_hypertable IS 'Bars in market_data.';
COMMENT ON COLUMN public.market_series_places.bars_in_lake IS 'Bars in files of the lake.';
COMMENT ON COLUMN public.market_series_places.bars_in_lake_only IS
'Bars in files whose month was dropped from market_data.';
COMMENT ON COLUMN public.market_series_places.months_in_both IS
'Months that were archived and are still in market_data.';
COMMENT ON COLUMN public.market_series_places.months_in_lake_only IS
'Months that were archived and dropped from market_data.';
COMMENT ON COLUMN public.market_series_places.first_timestamp IS
'Opening of the first bar in market_data, UTC; NULL without any.';
COMMENT ON COLUMN public.market_series_places.last_timestamp IS
'Opening of the last bar in market_data, UTC; NULL without any.';
COMMENT ON COLUMN public.market_series_places.lake_first_month IS
'First day of the first month in the lake, UTC; NULL without any.';
COMMENT ON COLUMN public.market_series_places.lake_last_month IS
'First day of the last month in the lake, UTC; NULL without any.';
