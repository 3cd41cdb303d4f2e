-- 2250_merge_staged_bars.sql: bars of a file, staged in a temporary table, merged into market_data.

CALL deploy.become_owner();

-- Columns are wide: a value that does not fit market_data is to be found and named, not to stop
-- COPY.
CREATE OR REPLACE FUNCTION public.stage_bars()
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DROP TABLE IF EXISTS pg_temp.staged_bars, pg_temp.staged_ticks, pg_temp.staged_rejects;
    DROP SEQUENCE IF EXISTS pg_temp.staged_line;
    CREATE TEMPORARY SEQUENCE staged_line CACHE 10000;
    CREATE TEMPORARY TABLE staged_bars (
        line bigint DEFAULT nextval('pg_temp.staged_line') NOT NULL,
        day date,
        time_of_day time DEFAULT '00:00' NOT NULL,
        moment timestamptz,
        open numeric NOT NULL,
        high numeric NOT NULL,
        low numeric NOT NULL,
        close numeric NOT NULL,
        volume numeric DEFAULT 0 NOT NULL,
        real_volume numeric,
        spread numeric
    );
    CREATE TEMPORARY TABLE staged_rejects (line bigint NOT NULL, reason text NOT NULL);
END
$$;
COMMENT ON FUNCTION public.stage_bars() IS
'Makes the empty temporary tables staged_bars, to be filled by COPY, and staged_rejects. A bar has a
day and time_of_day by the clock of its source, or a moment. line is the bar''s line in the file.';
REVOKE ALL ON FUNCTION public.stage_bars() FROM public;

CREATE OR REPLACE FUNCTION internal.check_conflict_mode(p_on_conflict text)
RETURNS void
LANGUAGE plpgsql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF p_on_conflict NOT IN ('skip', 'update', 'error') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB063',
            MESSAGE = format('p_on_conflict is %s', p_on_conflict),
            HINT = 'skip, update or error';
    END IF;
END
$$;
COMMENT ON FUNCTION internal.check_conflict_mode(text) IS
'Refuses a mode of a merge that is not skip, update or error.';
REVOKE ALL ON FUNCTION internal.check_conflict_mode(text) FROM public;

-- Without ON CONFLICT the rows are inserted half again as fast: this way is tried where the series
-- has no bar in the file's time yet. A time given twice in the file ends the attempt.
CREATE OR REPLACE FUNCTION internal.write_staged_bars(
    p_symbol text,
    p_timeframe text,
    p_clock public.server_clock,
    p_on_conflict text,
    p_range tstzrange,
    p_rejected bigint,
    OUT written bigint,
    OUT inserted bigint
)
RETURNS record
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan -- takes the clock apart once, not for each row
AS $$
#variable_conflict use_column
DECLARE
    v_fresh boolean;
BEGIN
    v_fresh := p_on_conflict = 'error' OR (
        p_on_conflict = 'skip' AND NOT EXISTS (
            SELECT FROM public.market_data AS m
            WHERE m.symbol = p_symbol
                AND m.timeframe = p_timeframe
                AND m.timestamp >= lower(p_range)
                AND m.timestamp <= upper(p_range)
        )
    );
    PERFORM set_config('rubi.bars_logged', 'on', TRUE); -- below, and not row by row
    IF v_fresh THEN
        BEGIN
            INSERT INTO public.market_data (
                symbol, timeframe, timestamp, open, high, low, close, volume, real_volume, spread
            )
            SELECT
                p_symbol, p_timeframe,
                coalesce(s.moment, public.clock_to_utc(s.day + s.time_of_day, p_clock)),
                s.open, s.high, s.low, s.close, s.volume, s.real_volume, s.spread
            FROM pg_temp.staged_bars AS s
            WHERE p_rejected = 0
                OR s.line NOT IN (SELECT r.line FROM pg_temp.staged_rejects AS r);
            GET DIAGNOSTICS inserted = ROW_COUNT;
            written := inserted;
        EXCEPTION WHEN unique_violation THEN
            IF p_on_conflict = 'error' THEN
                RAISE;
            END IF;
            v_fresh := FALSE;
        END;
    END IF;

    IF p_on_conflict = 'skip' AND NOT v_fresh THEN
        INSERT INTO public.market_data (
            symbol, timeframe, timestamp, open, high, low, close, volume, real_volume, spread
        )
        SELECT
            p_symbol, p_timeframe,
            coalesce(s.moment, public.clock_to_utc(s.day + s.time_of_day, p_clock)),
            s.open, s.high, s.low, s.close, s.volume, s.real_volume, s.spread
        FROM pg_temp.staged_bars AS s
        WHERE p_rejected = 0
            OR s.line NOT IN (SELECT r.line FROM pg_temp.staged_rejects AS r)
        ON CONFLICT (symbol, timeframe, timestamp) DO NOTHING;
        GET DIAGNOSTICS inserted = ROW_COUNT;
        written := inserted;
    ELSIF p_on_conflict = 'update' THEN
        WITH merged AS (
            INSERT INTO public.market_data AS m (
                symbol, timeframe, timestamp, open, high, low, close, volume, real_volume, spread
            )
            SELECT
                p_symbol, p_timeframe,
                coalesce(s.moment, public.clock_to_utc(s.day + s.time_of_day, p_clock)),
                s.open, s.high, s.low, s.close, s.volume, s.real_volume, s.spread
            FROM pg_temp.staged_bars AS s
            WHERE p_rejected = 0
                OR s.line NOT IN (SELECT r.line FROM pg_temp.staged_rejects AS r)
            ON CONFLICT (symbol, timeframe, timestamp) DO UPDATE SET
                open = excluded.open, high = excluded.high, low = excluded.low,
                close = excluded.close, volume = excluded.volume,
                real_volume = excluded.real_volume, spread = excluded.spread
            WHERE (m.open, m.high, m.low, m.close, m.volume, m.real_volume, m.spread)
                IS DISTINCT FROM (
                    excluded.open, excluded.high, excluded.low, excluded.close, excluded.volume,
                    excluded.real_volume, excluded.spread
                )
            RETURNING m.xmax = 0 AS is_new
        )
        SELECT count(*), count(*) FILTER (WHERE is_new) INTO written, inserted FROM merged;
    END IF;
    PERFORM set_config('rubi.bars_logged', 'off', TRUE);
END
$$;
COMMENT ON FUNCTION internal.write_staged_bars(
    text, text, public.server_clock, text, tstzrange, bigint
) IS
'Writes the staged bars that were not rejected into market_data; answers the number of rows written,
and of new ones among them. p_range holds the time of all, by any clock.';
REVOKE ALL ON FUNCTION internal.write_staged_bars(
    text, text, public.server_clock, text, tstzrange, bigint
) FROM public;

CREATE OR REPLACE FUNCTION public.merge_staged_bars(
    p_symbol text,
    p_timeframe text,
    p_source text DEFAULT NULL,
    p_clock text DEFAULT NULL,
    p_on_conflict text DEFAULT 'skip'
)
RETURNS TABLE (staged bigint, inserted bigint, updated bigint, unchanged bigint, rejected bigint)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
    v_clock public.server_clock := public.open_market_series(
        p_symbol, p_timeframe, p_source, p_clock
    );
    v_staged bigint;
    v_written bigint;
    v_inserted bigint;
    v_rejected bigint;
    v_range tstzrange; -- holds all of the file, by any clock
BEGIN
    PERFORM internal.check_conflict_mode(p_on_conflict);
    PERFORM internal.lift_columnstore_limit();
    SELECT
        count(*),
        tstzrange(
            least(min(s.moment), min(s.day)::timestamptz - interval '2 days'),
            greatest(max(s.moment), max(s.day)::timestamptz + interval '3 days'),
            '[]'
        )
    INTO v_staged, v_range
    FROM pg_temp.staged_bars AS s;

    v_rejected := internal.reject_staged_bars(p_timeframe, v_clock);

    -- The first line of a time counts. In the mode skip, which needs no order, the other lines are
    -- looked for only when fewer bars were inserted than staged.
    IF p_on_conflict = 'update' THEN
        PERFORM internal.reject_staged_twins(v_clock);
        SELECT count(*) INTO v_rejected FROM pg_temp.staged_rejects;
    END IF;

    SELECT w.written, w.inserted INTO v_written, v_inserted
    FROM internal.write_staged_bars(
        p_symbol, p_timeframe, v_clock, p_on_conflict, v_range, v_rejected
    ) AS w;

    IF p_on_conflict = 'skip' AND v_written + v_rejected < v_staged THEN
        PERFORM internal.reject_staged_twins(v_clock);
        SELECT count(*) INTO v_rejected FROM pg_temp.staged_rejects;
    END IF;

    IF v_written > 0 THEN
        PERFORM internal.log_bars_without_trigger(p_symbol, p_timeframe, v_inserted, v_range);
    END IF;
    RETURN QUERY SELECT
        v_staged, v_inserted, v_written - v_inserted, v_staged - v_written - v_rejected, v_rejected;
END
$$;
COMMENT ON FUNCTION public.merge_staged_bars(text, text, text, text, text) IS
'Merges the bars staged by this session. p_on_conflict decides about bars that exist already: skip
keeps them, update replaces them, error raises 23505 and merges none. Lines that break a rule
are left in staged_rejects with the reason. staged = inserted + updated + unchanged + rejected.
Raises RB060 for bars of another source, RB061 for another clock, RB063 for another p_on_conflict.';
REVOKE ALL ON FUNCTION public.merge_staged_bars(text, text, text, text, text) FROM public;

-- SECURITY DEFINER: only its owner has rights on the log.
CREATE OR REPLACE FUNCTION internal.log_bars_without_trigger(
    p_symbol text,
    p_timeframe text,
    p_bars bigint,
    p_range tstzrange
)
RETURNS void
LANGUAGE sql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the log of changes is the owner's alone
SET search_path = pg_catalog, pg_temp
AS $$
    INSERT INTO internal.bar_changes (symbol, timeframe, bars, first_timestamp, last_timestamp)
    SELECT p_symbol, p_timeframe, p_bars, lower(p_range), upper(p_range)
    WHERE NOT EXISTS (
        SELECT FROM pg_catalog.pg_trigger AS t
        WHERE t.tgrelid = 'public.market_data'::regclass
            AND t.tgname = 'market_data_50_inserted'
            AND t.tgnewtable IS NOT NULL
    )
$$;
COMMENT ON FUNCTION internal.log_bars_without_trigger(text, text, bigint, tstzrange) IS
'Logs a change of bars where the trigger would log each row: see rubi.bars_logged in
triggers/4200_market_data.sql.';
REVOKE ALL ON FUNCTION internal.log_bars_without_trigger(text, text, bigint, tstzrange) FROM public;
