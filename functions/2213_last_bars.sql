-- 2213_last_bars.sql: the last bar of each series, at a cost that does not grow with the years.

CALL deploy.become_owner();

-- A statement opens every chunk that its plan can't leave out, at 5 to 9 us each, and a bound that
-- comes from a row is known too late for that. TimescaleDB takes now() for a constant while it
-- plans, so the first search opens the chunks of the last forty days only (a month's bar is 31 days
-- old at most). The last search looks everywhere, for the symbols without a bar in those days, and
-- is not even planned when no such symbol is left. Asking for each symbol which chunks its search
-- can leave out (runtime exclusion, which finds none without a time) would cost a quarter of the
-- whole.
CREATE OR REPLACE FUNCTION public.last_bars(p_timeframe text, p_symbols text[] DEFAULT NULL)
RETURNS TABLE (
    symbol text,
    "timestamp" timestamptz, -- noqa: RF06
    open numeric,
    high numeric,
    low numeric,
    close numeric,
    volume bigint,
    real_volume numeric,
    spread integer
)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, public, pg_temp
SET plan_cache_mode = force_generic_plan
SET "timescaledb.enable_runtime_exclusion" = off
AS $$
#variable_conflict use_column
DECLARE
    v_symbols text[];
    v_found bigint;
BEGIN
    IF p_symbols IS NULL THEN
        SELECT array_agg(s.symbol) INTO v_symbols
        FROM public.market_series AS s
        WHERE s.timeframe = p_timeframe;
    ELSE
        SELECT array_agg(DISTINCT u.symbol) INTO v_symbols FROM unnest(p_symbols) AS u (symbol);
    END IF;

    RETURN QUERY
    SELECT
        s.symbol, b.timestamp, b.open, b.high, b.low, b.close, b.volume, b.real_volume, b.spread
    FROM (
        SELECT u.symbol, p_timeframe AS timeframe FROM unnest(v_symbols) AS u (symbol) OFFSET 0
    ) AS s
    CROSS JOIN LATERAL (
        SELECT
            m.timestamp, m.open, m.high, m.low, m.close, m.volume, m.real_volume, m.spread
        FROM public.market_data AS m
        WHERE m.symbol = s.symbol
            AND m.timeframe = s.timeframe
            AND m.timestamp > now() - interval '40 days'
        ORDER BY m.timestamp DESC
        LIMIT 1
    ) AS b;
    GET DIAGNOSTICS v_found = ROW_COUNT;
    IF v_found = coalesce(cardinality(v_symbols), 0) THEN
        RETURN;
    END IF;

    SELECT array_agg(s.symbol) INTO v_symbols
    FROM (
        SELECT u.symbol, p_timeframe AS timeframe FROM unnest(v_symbols) AS u (symbol) OFFSET 0
    ) AS s
    LEFT JOIN LATERAL (
        SELECT m.timestamp
        FROM public.market_data AS m
        WHERE m.symbol = s.symbol
            AND m.timeframe = s.timeframe
            AND m.timestamp > now() - interval '40 days'
        LIMIT 1
    ) AS b ON TRUE
    WHERE b.timestamp IS NULL;
    RETURN QUERY
    SELECT
        s.symbol, b.timestamp, b.open, b.high, b.low, b.close, b.volume, b.real_volume, b.spread
    FROM (
        SELECT u.symbol, p_timeframe AS timeframe FROM unnest(v_symbols) AS u (symbol) OFFSET 0
    ) AS s
    CROSS JOIN LATERAL (
        SELECT
            m.timestamp, m.open, m.high, m.low, m.close, m.volume, m.real_volume, m.spread
        FROM public.market_data AS m
        WHERE m.symbol = s.symbol AND m.timeframe = s.timeframe
        ORDER BY m.timestamp DESC
        LIMIT 1
    ) AS b;
END
$$;
COMMENT ON FUNCTION public.last_bars(text, text[]) IS
'The last bar, of any age, of each of these symbols in this timeframe, in no order; without symbols,
of every series that market_series knows. A symbol without bars has no row.';
REVOKE ALL ON FUNCTION public.last_bars(text, text[]) FROM public;
