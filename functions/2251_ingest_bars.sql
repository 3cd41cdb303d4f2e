-- 2251_ingest_bars.sql: bars of the live feed, as MT5's copy_rates gives them.

CALL deploy.become_owner();

-- SECURITY DEFINER: the gateway's role may only call such functions. The bar still forming comes
-- again and again: a changed bar is updated, an unchanged one is not written.
CREATE OR REPLACE FUNCTION public.ingest_bars(
    p_symbol text,
    p_timeframe text,
    p_rates jsonb,
    p_source text DEFAULT NULL,
    p_clock text DEFAULT NULL
)
RETURNS TABLE (inserted bigint, updated bigint, unchanged bigint)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the gateway may only call such functions
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_clock public.server_clock;
    v_range tstzrange;
BEGIN
    IF p_rates IS NULL OR jsonb_typeof(p_rates) <> 'array' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB062',
            MESSAGE = 'p_rates must be an array of bars',
            HINT = 'Objects with time, open, high, low, close and so on, or arrays in this order.';
    END IF;
    v_clock := public.open_market_series(p_symbol, p_timeframe, p_source, p_clock);
    PERFORM internal.check_market_times(
        'market_data', p_timeframe, v_clock, min(t.at), max(t.at),
        'time is in seconds by the clock of the source, and at most a day ahead.'
    )
    FROM (
        SELECT (
            CASE jsonb_typeof(e.bar) WHEN 'array' THEN e.bar ->> 0 ELSE e.bar ->> 'time' END
        )::numeric AS at
        FROM jsonb_array_elements(p_rates) AS e (bar)
    ) AS t;
    PERFORM internal.lift_columnstore_limit();

    PERFORM set_config('rubi.bars_logged', 'on', TRUE); -- below, and not row by row
    WITH rates AS (
        SELECT
            public.clock_to_utc(
                to_timestamp((b.bar ->> 'time')::bigint) AT TIME ZONE 'UTC', v_clock
            ) AS at,
            (b.bar ->> 'open')::numeric AS open,
            (b.bar ->> 'high')::numeric AS high,
            (b.bar ->> 'low')::numeric AS low,
            (b.bar ->> 'close')::numeric AS close,
            coalesce((b.bar ->> 'tick_volume')::bigint, 0) AS volume,
            (b.bar ->> 'real_volume')::numeric AS real_volume,
            (b.bar ->> 'spread')::integer AS spread
        FROM (
            SELECT CASE jsonb_typeof(e.bar)
                WHEN 'array' THEN jsonb_build_object(
                    'time', e.bar -> 0, 'open', e.bar -> 1, 'high', e.bar -> 2,
                    'low', e.bar -> 3, 'close', e.bar -> 4, 'tick_volume', e.bar -> 5,
                    'spread', e.bar -> 6, 'real_volume', e.bar -> 7
                )
                ELSE e.bar
            END AS bar
            FROM jsonb_array_elements(p_rates) AS e (bar)
        ) AS b
    ),

    merged AS (
        INSERT INTO public.market_data AS m (
            symbol, timeframe, timestamp, open, high, low, close, volume, real_volume, spread
        )
        SELECT
            p_symbol, p_timeframe, r.at, r.open, r.high, r.low, r.close, r.volume, r.real_volume,
            r.spread
        FROM rates AS r
        ORDER BY r.at -- two feeds of one series lock its bars in the same order
        ON CONFLICT (symbol, timeframe, timestamp) DO UPDATE SET
            open = excluded.open, high = excluded.high, low = excluded.low,
            close = excluded.close, volume = excluded.volume,
            real_volume = excluded.real_volume, spread = excluded.spread
        WHERE (m.open, m.high, m.low, m.close, m.volume, m.real_volume, m.spread)
            IS DISTINCT FROM (
                excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume,
                excluded.real_volume, excluded.spread
            )
        RETURNING m.xmax = 0 AS is_new, m.timestamp AS at
    )

    SELECT
        count(*) FILTER (WHERE g.is_new),
        count(*) FILTER (WHERE NOT g.is_new),
        jsonb_array_length(p_rates) - count(*),
        tstzrange(min(g.at), max(g.at), '[]')
    INTO inserted, updated, unchanged, v_range
    FROM merged AS g;
    PERFORM set_config('rubi.bars_logged', 'off', TRUE);
    IF inserted + updated > 0 THEN
        PERFORM internal.log_bars_without_trigger(p_symbol, p_timeframe, inserted, v_range);
    END IF;
    RETURN NEXT;
END
$$;
COMMENT ON FUNCTION public.ingest_bars(text, text, jsonb, text, text) IS
'Stores the answer of copy_rates: objects or arrays of time, open, high, low, close, tick_volume,
spread, real_volume; time in seconds by the clock of the source. An existing bar is updated. All
or nothing: a bad bar raises the constraint of market_data it breaks. Raises RB060 for another
source, RB061 for another clock, RB062 when p_rates is no array, 21000 for a time given twice.';
REVOKE ALL ON FUNCTION public.ingest_bars(text, text, jsonb, text, text) FROM public;
