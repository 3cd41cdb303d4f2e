-- 2700_lake_files.sql: the files of the lake that hold bars of some series and months.

CALL deploy.become_owner();

-- Readers of the lake ask here and never list the folder: a lost file would be missing from the
-- listing and, unnoticed, from the result. So a month that lies in the hypertable only is an error,
-- too: the files alone would be part of an answer.
CREATE OR REPLACE FUNCTION public.lake_files(
    p_timeframe text,
    p_from date,
    p_to date,
    p_symbols text[] DEFAULT NULL
)
RETURNS TABLE (symbol text, month date, location text, sha256 text, bars bigint)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    v_since date := date_trunc('month', p_from)::date;
    v_missing text;
BEGIN
    SELECT string_agg(
        format('%s %s', s.symbol, to_char(g.month, 'YYYY-MM')), ', ' ORDER BY s.symbol, g.month
    )
    INTO v_missing
    FROM (
        SELECT n.symbol FROM public.market_series AS n
        WHERE n.timeframe = p_timeframe AND (p_symbols IS NULL OR n.symbol = ANY (p_symbols))
        UNION
        SELECT u.symbol FROM unnest(p_symbols) AS u (symbol)
    ) AS s
    CROSS JOIN LATERAL (
        SELECT min(m.timestamp) AS first_at, max(m.timestamp) AS last_at
        FROM public.market_data AS m
        WHERE m.symbol = s.symbol AND m.timeframe = p_timeframe
            AND m.timestamp >= v_since::timestamp AT TIME ZONE 'UTC'
            AND m.timestamp < p_to::timestamp AT TIME ZONE 'UTC'
    ) AS e
    CROSS JOIN LATERAL generate_series(
        date_trunc('month', e.first_at AT TIME ZONE 'UTC'),
        e.last_at AT TIME ZONE 'UTC',
        interval '1 month'
    ) AS g (month)
    WHERE NOT EXISTS (
        SELECT FROM public.market_archives AS a
        WHERE a.symbol = s.symbol AND a.timeframe = p_timeframe AND a.month = g.month::date
    )
    AND EXISTS (
        SELECT FROM public.market_data AS m
        WHERE m.symbol = s.symbol AND m.timeframe = p_timeframe
            AND m.timestamp >= g.month AT TIME ZONE 'UTC'
            AND m.timestamp < (g.month + interval '1 month') AT TIME ZONE 'UTC'
    );
    IF v_missing IS NOT NULL THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB130',
            MESSAGE = format('%s bars lie in the hypertable only: %s', p_timeframe, v_missing),
            HINT = 'Archive these months with archive_bars.py write, or ask for others.';
    END IF;

    RETURN QUERY
    SELECT a.symbol::text, a.month, a.location::text, a.sha256, a.bars
    FROM public.market_archives AS a
    WHERE a.timeframe = p_timeframe
        AND a.month >= v_since
        AND a.month < p_to
        AND (p_symbols IS NULL OR a.symbol = ANY (p_symbols))
    ORDER BY a.symbol, a.month;
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB131',
            MESSAGE = format('the lake holds no %s bars of these series and months', p_timeframe),
            HINT = 'market_series_places has the contents of the lake.';
    END IF;
END
$$;
COMMENT ON FUNCTION public.lake_files(text, date, date, text[]) IS
'Files of the lake with bars of p_timeframe of the months (UTC) from p_from on and before p_to, of
p_symbols or of all. Raises RB130 when a month in question lies in the hypertable only, RB131 when
there is no file at all: the answer is never a part.';
REVOKE ALL ON FUNCTION public.lake_files(text, date, date, text[]) FROM public;
