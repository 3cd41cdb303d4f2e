-- 2210_market_series.sql: a series has one source and one clock; its count is kept.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.open_market_series(
    p_symbol text,
    p_timeframe text,
    p_source text DEFAULT NULL,
    p_clock text DEFAULT NULL
)
RETURNS public.server_clock
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_clock public.server_clock := p_clock;
    v_series public.market_series;
BEGIN
    INSERT INTO public.market_series (symbol, timeframe, source, clock)
    VALUES (p_symbol, p_timeframe, p_source, coalesce(v_clock, 'UTC'))
    ON CONFLICT (symbol, timeframe) DO NOTHING
    RETURNING * INTO v_series;
    IF FOUND THEN
        RETURN v_series.clock;
    END IF;

    SELECT s.symbol, s.timeframe, s.source, s.clock, s.bars, s.created_at INTO v_series
    FROM public.market_series AS s
    WHERE s.symbol = p_symbol AND s.timeframe = p_timeframe;
    IF v_series.source <> p_source THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB060',
            MESSAGE = format(
                'bars of %s %s come from %s, not from %s',
                p_symbol, p_timeframe, v_series.source, p_source
            ),
            HINT = format('Name the series apart, such as %s.%s.', p_symbol, p_source);
    END IF;
    IF v_series.clock <> v_clock THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB061',
            MESSAGE = format(
                'bars of %s %s go by the clock %s, not %s',
                p_symbol, p_timeframe, v_series.clock, p_clock
            ),
            HINT = 'Give the clock of the series, or name the series apart.';
    END IF;
    IF v_series.source IS NULL AND p_source IS NOT NULL THEN
        UPDATE public.market_series SET source = p_source
        WHERE symbol = p_symbol AND timeframe = p_timeframe;
    END IF;
    RETURN v_series.clock;
END
$$;
COMMENT ON FUNCTION public.open_market_series(text, text, text, text) IS
'Registers a series before bars are written, and answers its clock. A new series goes by p_clock,
else by UTC. Raises 22023 for an unknown zone, RB060 when its bars have another source, RB061 when
they go by another clock.';
REVOKE ALL ON FUNCTION public.open_market_series(text, text, text, text) FROM public;

-- A hypertable makes the chunk of a row before its CHECKs look at the row: values from JSON are
-- checked before, by the rule and the name of the table's CHECK. Far values become ends of a range
-- that timestamptz still holds.
CREATE OR REPLACE FUNCTION internal.check_market_times(
    p_table text,
    p_timeframe text,
    p_clock public.server_clock,
    p_first numeric,
    p_last numeric,
    p_hint text
)
RETURNS void
LANGUAGE plpgsql
STABLE
STRICT -- without rows there is neither a first nor a last time
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_first timestamptz := public.clock_to_utc(
        to_timestamp(greatest(least(p_first, 1e10), -1e10)) AT TIME ZONE 'UTC', p_clock
    );
    v_last timestamptz := public.clock_to_utc(
        to_timestamp(greatest(least(p_last, 1e10), -1e10)) AT TIME ZONE 'UTC', p_clock
    );
    v_earliest timestamptz := CASE
        WHEN p_table = 'market_ticks' THEN '1990-01-01 00:00:00+00'
        WHEN public.is_long_timeframe(p_timeframe) THEN '1700-01-01 00:00:00+00'
        ELSE '1970-01-01 00:00:00+00'
    END;
BEGIN
    IF v_first < v_earliest OR v_last > now() + interval '24 hours' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'check_violation',
            MESSAGE = format(
                'new row for relation "%s" violates check constraint "%1$s_timestamp_range_check"',
                p_table
            ),
            DETAIL = format(
                'The times go from %s to %s; allowed are times from %s to a day ahead.',
                v_first, v_last, v_earliest
            ),
            HINT = p_hint,
            SCHEMA = 'public',
            TABLE = p_table,
            CONSTRAINT = p_table || '_timestamp_range_check';
    END IF;
END
$$;
COMMENT ON FUNCTION
internal.check_market_times(text, text, public.server_clock, numeric, numeric, text) IS
'Raises check_violation (23514) with the name of the table''s CHECK when the first or the last time,
seconds since 1970 on the clock p_clock, lies outside the table''s range.';
REVOKE ALL ON FUNCTION
internal.check_market_times(text, text, public.server_clock, numeric, numeric, text) FROM public;

-- Rows of the log that other transactions have not committed are not seen, and stay for the next
-- call: no change is lost in any order of commits. SECURITY DEFINER: only its owner has rights on
-- the log.
CREATE OR REPLACE FUNCTION public.fold_bar_changes()
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the log of changes is the owner's alone
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_series bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('fold_bar_changes', 6));
    WITH taken AS (
        DELETE FROM internal.bar_changes AS c
        RETURNING c.symbol, c.timeframe, c.bars, c.first_timestamp, c.last_timestamp
    ),

    days AS ( -- where each bar is logged there are as many ranges as bars
        SELECT
            t.symbol,
            t.timeframe,
            sum(t.bars) AS bars,
            tstzrange(min(t.first_timestamp), max(t.last_timestamp), '[]') AS changed
        FROM taken AS t
        GROUP BY t.symbol, t.timeframe, date_trunc('day', t.first_timestamp)
    ),

    series AS (
        SELECT d.symbol, d.timeframe, sum(d.bars) AS bars, range_agg(d.changed) AS changed
        FROM days AS d
        GROUP BY d.symbol, d.timeframe
    ),

    counted AS (
        INSERT INTO public.market_series AS m (symbol, timeframe, bars)
        SELECT s.symbol, s.timeframe, s.bars
        FROM series AS s
        WHERE s.bars <> 0 -- a bar written and deleted again makes no series
        ORDER BY s.symbol, s.timeframe
        ON CONFLICT (symbol, timeframe) DO UPDATE SET bars = m.bars + excluded.bars
    ),

    marked AS (
        UPDATE public.market_rollups AS r
        SET pending = r.pending + s.changed
        FROM series AS s
        WHERE r.symbol = s.symbol AND r.from_timeframe = s.timeframe
    )

    SELECT count(*) INTO v_series FROM series;
    RETURN v_series;
END
$$;
COMMENT ON FUNCTION public.fold_bar_changes() IS
'Takes up the log of changes: counts of market_series, ranges to refresh of market_rollups. Answers
the number of series that changed. To be called every minute or so; more calls do no harm.';
REVOKE ALL ON FUNCTION public.fold_bar_changes() FROM public;

-- For bars that vanished without the log: chunks dropped by hand. SECURITY DEFINER: only its owner
-- has rights on the log.
CREATE OR REPLACE FUNCTION public.count_bars(p_symbol text, p_timeframe text)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the log of changes is the owner's alone
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_bars bigint;
BEGIN
    LOCK TABLE public.market_data IN SHARE MODE; -- a writer between count and log would count twice
    PERFORM public.fold_bar_changes();
    SELECT count(*) INTO v_bars
    FROM public.market_data AS m
    WHERE m.symbol = p_symbol AND m.timeframe = p_timeframe;
    INSERT INTO public.market_series (symbol, timeframe, bars)
    VALUES (p_symbol, p_timeframe, v_bars)
    ON CONFLICT (symbol, timeframe) DO UPDATE SET bars = excluded.bars;
    RETURN v_bars;
END
$$;
COMMENT ON FUNCTION public.count_bars(text, text) IS
'Counts the bars of a series by reading them, stores and answers the count. Writers wait.';
REVOKE ALL ON FUNCTION public.count_bars(text, text) FROM public;
