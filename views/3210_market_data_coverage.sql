-- 3210_market_data_coverage.sql: first bar, last bar and number of bars of each series.

CALL deploy.become_owner();

-- The ends come from the key, one descent each, and are right after every deletion. The count is
-- kept.
-- Not security_invoker: the log of changes is read by its owner only.
CREATE OR REPLACE VIEW public.market_data_coverage AS
WITH changes AS (
    SELECT
        c.symbol,
        c.timeframe,
        sum(c.bars) AS bars
    FROM internal.bar_changes AS c
    GROUP BY c.symbol, c.timeframe
    HAVING sum(c.bars) <> 0
),

series AS (
    SELECT
        coalesce(s.symbol, c.symbol) AS symbol,
        coalesce(s.timeframe, c.timeframe) AS timeframe,
        s.source,
        coalesce(s.clock, 'UTC') AS clock,
        (coalesce(s.bars, 0) + coalesce(c.bars, 0))::bigint AS bars
    FROM public.market_series AS s
    FULL JOIN changes AS c ON s.symbol = c.symbol AND s.timeframe = c.timeframe
    WHERE s.timeframe IS DISTINCT FROM 'TICK'
)

SELECT
    s.symbol,
    s.timeframe,
    f.timestamp AS first_timestamp,
    l.timestamp AS last_timestamp,
    s.bars,
    s.source,
    s.clock
FROM series AS s
LEFT JOIN LATERAL (
    SELECT m.timestamp
    FROM public.market_data AS m
    WHERE m.symbol = s.symbol AND m.timeframe = s.timeframe
    ORDER BY m.timestamp
    LIMIT 1
) AS f ON TRUE
LEFT JOIN LATERAL (
    SELECT m.timestamp
    FROM public.market_data AS m
    WHERE m.symbol = s.symbol AND m.timeframe = s.timeframe
    ORDER BY m.timestamp DESC
    LIMIT 1
) AS l ON TRUE;

COMMENT ON VIEW public.market_data_coverage IS
'One row a series: first bar, last bar and number of bars, without reading the bars.';
COMMENT ON COLUMN public.market_data_coverage.symbol IS 'Symbol.';
COMMENT ON COLUMN public.market_data_coverage.timeframe IS 'MT5 timeframe.';
COMMENT ON COLUMN public.market_data_coverage.first_timestamp IS
'Opening of the first bar, UTC; NULL without any.';
COMMENT ON COLUMN public.market_data_coverage.last_timestamp IS
'Opening of the last bar, UTC; NULL without any.';
COMMENT ON COLUMN public.market_data_coverage.bars IS 'Number of bars.';
COMMENT ON COLUMN public.market_data_coverage.source IS 'Deliverer of the bars; NULL unknown.';
COMMENT ON COLUMN public.market_data_coverage.clock IS 'Clock of the source.';
