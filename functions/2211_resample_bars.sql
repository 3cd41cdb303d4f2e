-- 2211_resample_bars.sql: bars of a higher timeframe, made of those of a lower one.

CALL deploy.become_owner();

-- Up to H1 a bar begins at the same moment by every clock of whole hours. Above, days are the
-- clock's, so the bars are grouped by the time that the clock showed; a week begins on Sunday, as
-- in MT5. Where a clock shows an hour twice and a bar would begin in it, the bar begins in the hour
-- of its trades. A plan made for the actual arguments leaves out the chunks not needed; the other
-- settings let workers hand over bars rather than rows: a year of M1 to H1 took
-- 220 ms on two cores instead of 360. After ANALYZE of the hypertable itself, which autovacuum does
-- not do, the planner expects a bar for each row and takes one process: 320 ms.
CREATE OR REPLACE FUNCTION public.resample_bars(
    p_symbol text,
    p_from_timeframe text,
    p_to_timeframe text,
    p_from timestamptz,
    p_to timestamptz,
    p_clock text DEFAULT NULL
)
RETURNS TABLE (
    "timestamp" timestamptz, -- noqa: RF06
    open numeric,
    high numeric,
    low numeric,
    close numeric,
    volume bigint,
    real_volume numeric,
    spread integer,
    bars integer
)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, public, pg_temp
SET plan_cache_mode = force_custom_plan
SET parallel_setup_cost = 100
SET parallel_tuple_cost = 1
SET min_parallel_index_scan_size = '64kB'
SET min_parallel_table_scan_size = '1MB'
SET enable_gathermerge = off
AS $$
#variable_conflict use_column
DECLARE
    c_widest_step CONSTANT interval := '3 hours'; -- of a clock at a change, and an hour to spare
    v_length interval := public.timeframe_length(p_to_timeframe);
    v_clock public.server_clock;
    v_origin timestamp := timestamp '2000-01-02'; -- a Sunday
    v_time timestamp;
    v_since timestamptz;
    v_until timestamptz;
BEGIN
    IF NOT public.timeframe_divides(p_from_timeframe, p_to_timeframe) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB064',
            MESSAGE = format(
                '%s bars can''t be made of %s bars', p_to_timeframe, p_from_timeframe
            ),
            HINT = 'A bar must be made of whole bars of a lower timeframe, M1 to MN1.';
    END IF;

    IF v_length <= interval '1 hour' THEN
        v_until := time_bucket(v_length, p_to - interval '1 microsecond') + v_length;
        v_since := time_bucket(v_length, p_from - interval '1 microsecond') + v_length;
        RETURN QUERY
        SELECT
            b.bucket,
            first(b.open, b.at),
            max(b.high),
            min(b.low),
            last(b.close, b.at),
            sum(b.volume)::bigint,
            sum(b.real_volume),
            min(b.spread),
            count(*)::integer
        FROM (
            SELECT
                time_bucket(v_length, m.timestamp) AS bucket,
                m.timestamp AS at, m.open, m.high, m.low, m.close, m.volume, m.real_volume, m.spread
            FROM public.market_data AS m
            WHERE m.symbol = p_symbol
                AND m.timeframe = p_from_timeframe
                AND m.timestamp >= v_since
                AND m.timestamp < v_until
        ) AS b
        GROUP BY b.bucket
        ORDER BY b.bucket;
        RETURN;
    END IF;

    v_clock := coalesce(p_clock, (
        SELECT s.clock
        FROM public.market_series AS s
        WHERE s.symbol = p_symbol AND s.timeframe = p_from_timeframe
    ), 'UTC');
    v_time := public.utc_to_clock(p_to - interval '1 microsecond', v_clock);
    v_time := CASE p_to_timeframe
        WHEN 'MN1' THEN date_trunc('month', v_time)
        ELSE time_bucket(v_length, v_time, v_origin)
    END;
    v_until := public.clock_to_utc(v_time + v_length, v_clock);
    RETURN QUERY
    SELECT
        t.bucket, t.open, t.high, t.low, t.close, t.volume, t.real_volume, t.spread, t.bars
    FROM (
        SELECT
            CASE
                WHEN public.clock_to_utc(b.bucket, v_clock) > min(b.at)
                    THEN min(b.at) - (public.utc_to_clock(min(b.at), v_clock) - b.bucket)
                ELSE public.clock_to_utc(b.bucket, v_clock)
            END AS bucket,
            first(b.open, b.at) AS open,
            max(b.high) AS high,
            min(b.low) AS low,
            last(b.close, b.at) AS close,
            sum(b.volume)::bigint AS volume,
            sum(b.real_volume) AS real_volume,
            min(b.spread) AS spread,
            count(*)::integer AS bars
        FROM (
            SELECT
                CASE p_to_timeframe
                    WHEN 'MN1' THEN date_trunc('month', public.utc_to_clock(m.timestamp, v_clock))
                    ELSE time_bucket(
                        v_length, public.utc_to_clock(m.timestamp, v_clock), v_origin
                    )
                END AS bucket,
                m.timestamp AS at, m.open, m.high, m.low, m.close, m.volume, m.real_volume, m.spread
            FROM public.market_data AS m
            WHERE m.symbol = p_symbol
                AND m.timeframe = p_from_timeframe
                -- else the rest of a bar that began in the first of two equal hours would pass for
                -- a bar
                AND m.timestamp >= p_from - c_widest_step
                AND m.timestamp < v_until
        ) AS b
        GROUP BY b.bucket
    ) AS t
    WHERE t.bucket >= p_from AND t.bucket < p_to
    ORDER BY t.bucket;
END
$$;
COMMENT ON FUNCTION public.resample_bars(text, text, text, timestamptz, timestamptz, text) IS
'Bars of p_to_timeframe that open from p_from on and before p_to, made of bars of p_from_timeframe:
open of the first, close of the last, sums of volumes, smallest spread, number of bars. The last bar
may still grow. Above H1 bars begin by p_clock, else the clock of the series, else UTC.
Raises RB064 when bars of the one timeframe don''t make whole bars of the other.';
REVOKE ALL ON FUNCTION
public.resample_bars(text, text, text, timestamptz, timestamptz, text) FROM public;

-- Each series in a transaction of its own. The pending ranges are taken and the bars made in one
-- snapshot; a bar that is written meanwhile is in the log, and the next call takes it up.
CREATE OR REPLACE PROCEDURE public.refresh_resampled_bars()
LANGUAGE plpgsql
AS $$
DECLARE
    c_widest_step CONSTANT interval := '3 hours'; -- as in resample_bars()
    v_rollup public.market_rollups;
    v_range tstzrange;
    v_margin interval;
BEGIN
    PERFORM public.fold_bar_changes();
    COMMIT;
    FOR v_rollup IN
        SELECT r.symbol, r.timeframe, r.from_timeframe, r.pending, r.refreshed_at
        FROM public.market_rollups AS r
        WHERE r.pending <> '{}'
        ORDER BY r.symbol, r.timeframe
    LOOP
        UPDATE public.market_rollups AS r
        SET pending = '{}', refreshed_at = pg_catalog.now()
        FROM (
            SELECT o.pending
            FROM public.market_rollups AS o
            WHERE o.symbol = v_rollup.symbol AND o.timeframe = v_rollup.timeframe
            FOR UPDATE
        ) AS old
        WHERE r.symbol = v_rollup.symbol AND r.timeframe = v_rollup.timeframe
        RETURNING old.pending INTO v_rollup.pending;
        -- The bar that a change falls into began at most its length and a change of clocks before.
        -- 31 March less a month would be the last of February.
        v_margin := c_widest_step + CASE v_rollup.timeframe
            WHEN 'MN1' THEN interval '31 days'
            ELSE public.timeframe_length(v_rollup.timeframe)
        END;
        FOR v_range IN
            SELECT u.range
            FROM pg_catalog.unnest((
                SELECT pg_catalog.range_agg(pg_catalog.tstzrange(
                    pg_catalog.lower(p.range) - v_margin, pg_catalog.upper(p.range) + v_margin
                ))
                FROM pg_catalog.unnest(v_rollup.pending) AS p (range)
            )) AS u (range)
        LOOP
            CALL internal.make_resampled_bars(
                v_rollup.symbol, v_rollup.from_timeframe, v_rollup.timeframe,
                coalesce(pg_catalog.lower(v_range), '-infinity'),
                coalesce(pg_catalog.upper(v_range), 'infinity')
            );
        END LOOP;
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE public.refresh_resampled_bars () IS
'Makes the bars of market_rollups again where bars changed. Commits after each series, so call it
outside a transaction, every minute or so.';
REVOKE ALL ON PROCEDURE public.refresh_resampled_bars() FROM public;

CREATE OR REPLACE PROCEDURE internal.make_resampled_bars(
    p_symbol text,
    p_from_timeframe text,
    p_to_timeframe text,
    p_from timestamptz,
    p_to timestamptz
)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_longest_bar CONSTANT interval := '32 days'; -- a month, and a day for the clock
    v_first timestamptz;
    v_last timestamptz;
BEGIN
    -- a range without end means the range that has bars
    SELECT min(e.at), max(e.at) INTO v_first, v_last
    FROM (
        (
            SELECT m.timestamp AS at
            FROM public.market_data AS m
            WHERE m.symbol = p_symbol AND m.timeframe = p_from_timeframe
            ORDER BY m.timestamp
            LIMIT 1
        )
        UNION ALL
        (
            SELECT m.timestamp
            FROM public.market_data AS m
            WHERE m.symbol = p_symbol AND m.timeframe = p_from_timeframe
            ORDER BY m.timestamp DESC
            LIMIT 1
        )
    ) AS e;
    DELETE FROM public.resampled_bars AS r
    WHERE r.symbol = p_symbol
        AND r.timeframe = p_to_timeframe
        AND r.timestamp >= p_from
        AND r.timestamp < p_to;
    INSERT INTO public.resampled_bars (
        symbol, timeframe, timestamp, open, high, low, close, volume, real_volume, spread, bars
    )
    SELECT
        p_symbol, p_to_timeframe, b.timestamp, b.open, b.high, b.low, b.close, b.volume,
        b.real_volume, b.spread, b.bars
    FROM public.resample_bars(
        p_symbol, p_from_timeframe, p_to_timeframe,
        greatest(p_from, v_first - c_longest_bar), least(p_to, v_last + interval '1 second')
    ) AS b
    WHERE v_first IS NOT NULL;
END
$$;
COMMENT ON PROCEDURE internal.make_resampled_bars (text, text, text, timestamptz, timestamptz) IS
'Makes the stored bars of one series that open in a range of time again.';
REVOKE ALL ON PROCEDURE
internal.make_resampled_bars(text, text, text, timestamptz, timestamptz) FROM public;
