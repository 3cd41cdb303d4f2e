-- 2230_market_ticks.sql: ticks of a file or of the live feed, into market_ticks.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.stage_ticks()
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
    CREATE TEMPORARY TABLE staged_ticks (
        line bigint DEFAULT nextval('pg_temp.staged_line') NOT NULL,
        day date NOT NULL,
        time_of_day time NOT NULL,
        bid numeric,
        ask numeric,
        last numeric,
        volume numeric,
        flags integer DEFAULT 0 NOT NULL
    );
    CREATE TEMPORARY TABLE staged_rejects (line bigint NOT NULL, reason text NOT NULL);
END
$$;
COMMENT ON FUNCTION public.stage_ticks() IS
'Makes the empty temporary tables staged_ticks, to be filled by COPY, and staged_rejects. Times are
by the clock of the source. A price of NULL has not changed. line is the tick''s line in the file.';
REVOKE ALL ON FUNCTION public.stage_ticks() FROM public;

CREATE OR REPLACE FUNCTION public.merge_staged_ticks(
    p_symbol text,
    p_source text DEFAULT NULL,
    p_clock text DEFAULT NULL,
    p_on_conflict text DEFAULT 'skip'
)
RETURNS TABLE (staged bigint, inserted bigint, updated bigint, unchanged bigint, rejected bigint)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan -- takes the clock apart once, not for each row
AS $$
#variable_conflict use_column
DECLARE
    c_price_end CONSTANT numeric := 1000000000000; -- numeric(20, 8): 12 digits
    c_max_number CONSTANT bigint := 9223372036854775807; -- of bigint
    v_clock public.server_clock := public.open_market_series(p_symbol, 'TICK', p_source, p_clock);
    v_latest timestamp := public.utc_to_clock(now() + interval '24 hours', v_clock);
    v_earliest timestamp := public.utc_to_clock('1990-01-01 00:00:00+00', v_clock);
    v_staged bigint;
    v_written bigint;
    v_inserted bigint;
    v_rejected bigint;
BEGIN
    PERFORM internal.check_conflict_mode(p_on_conflict);
    PERFORM internal.lift_columnstore_limit();
    INSERT INTO pg_temp.staged_rejects (line, reason)
    SELECT
        s.line,
        CASE
            WHEN 'NaN' IN (s.bid, s.ask, s.last, s.volume) THEN 'a value is NaN'
            WHEN s.volume < 0 THEN 'volume is negative'
            WHEN s.day + s.time_of_day > v_latest THEN 'time is in the future'
            WHEN s.day + s.time_of_day < v_earliest THEN 'time is before 1990'
            ELSE 'a value is too large'
        END
    FROM pg_temp.staged_ticks AS s
    WHERE NOT (
        coalesce(abs(s.bid) < c_price_end, TRUE)
        AND coalesce(abs(s.ask) < c_price_end, TRUE)
        AND coalesce(abs(s.last) < c_price_end, TRUE)
        AND coalesce(s.volume >= 0 AND s.volume < c_max_number, TRUE)
        AND s.day + s.time_of_day BETWEEN v_earliest AND v_latest
    );

    -- A missing price equals the one before: MT5 leaves out unchanged prices in exports.
    WITH counted AS (
        SELECT
            s.line,
            public.clock_to_utc(s.day + s.time_of_day, v_clock) AS at,
            s.bid, s.ask, s.last, s.volume, s.flags,
            count(s.bid) OVER (ORDER BY s.line) AS bids,
            count(s.ask) OVER (ORDER BY s.line) AS asks,
            count(s.last) OVER (ORDER BY s.line) AS lasts
        FROM pg_temp.staged_ticks AS s
        WHERE s.line NOT IN (SELECT r.line FROM pg_temp.staged_rejects AS r)
    ),

    filled AS (
        SELECT
            c.line,
            c.at,
            first_value(c.bid) OVER (PARTITION BY c.bids ORDER BY c.line) AS bid,
            first_value(c.ask) OVER (PARTITION BY c.asks ORDER BY c.line) AS ask,
            first_value(c.last) OVER (PARTITION BY c.lasts ORDER BY c.line) AS last,
            coalesce(c.volume, 0) AS volume,
            c.flags,
            row_number() OVER (PARTITION BY c.at ORDER BY c.line) - 1 AS seq
        FROM counted AS c
    ),

    merged AS (
        INSERT INTO public.market_ticks AS m (
            symbol, timestamp, seq, bid, ask, last, volume, volume_real, flags
        )
        SELECT
            p_symbol, f.at, f.seq, f.bid, f.ask, f.last, trunc(f.volume), f.volume, f.flags
        FROM filled AS f
        WHERE coalesce(f.bid, f.ask, f.last) IS NOT NULL
        ON CONFLICT (symbol, timestamp, seq) DO UPDATE SET
            bid = excluded.bid, ask = excluded.ask, last = excluded.last,
            volume = excluded.volume, volume_real = excluded.volume_real, flags = excluded.flags
        WHERE p_on_conflict = 'update'
            AND (m.bid, m.ask, m.last, m.volume_real, m.flags) IS DISTINCT FROM (
                excluded.bid, excluded.ask, excluded.last, excluded.volume_real, excluded.flags
            )
        RETURNING m.xmax = 0 AS is_new
    )

    SELECT count(*), count(*) FILTER (WHERE g.is_new) INTO v_written, v_inserted FROM merged AS g;

    INSERT INTO pg_temp.staged_rejects (line, reason)
    SELECT s.line, 'no price so far'
    FROM pg_temp.staged_ticks AS s
    WHERE s.line < (
        SELECT coalesce(min(p.line), c_max_number)
        FROM pg_temp.staged_ticks AS p
        WHERE coalesce(p.bid, p.ask, p.last) IS NOT NULL
            AND p.line NOT IN (SELECT r.line FROM pg_temp.staged_rejects AS r)
    ) AND s.line NOT IN (SELECT r.line FROM pg_temp.staged_rejects AS r);
    SELECT count(*) INTO v_staged FROM pg_temp.staged_ticks;
    SELECT count(*) INTO v_rejected FROM pg_temp.staged_rejects;
    IF p_on_conflict = 'error' AND v_inserted + v_rejected < v_staged THEN
        RAISE EXCEPTION USING
            ERRCODE = 'unique_violation',
            MESSAGE = format(
                '%s ticks of %s are there already', v_staged - v_inserted - v_rejected, p_symbol
            );
    END IF;
    RETURN QUERY SELECT
        v_staged, v_inserted, v_written - v_inserted, v_staged - v_written - v_rejected, v_rejected;
END
$$;
COMMENT ON FUNCTION public.merge_staged_ticks(text, text, text, text) IS
'Merges the ticks staged by this session, as merge_staged_bars does with bars. Ticks of one
millisecond are numbered in the order of their lines: a file is to hold a millisecond whole.';
REVOKE ALL ON FUNCTION public.merge_staged_ticks(text, text, text, text) FROM public;

-- SECURITY DEFINER: the gateway's role may only call such functions.
CREATE OR REPLACE FUNCTION public.ingest_ticks(
    p_symbol text,
    p_ticks jsonb,
    p_source text DEFAULT NULL,
    p_clock text DEFAULT NULL
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- the gateway may only call such functions
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_clock public.server_clock;
    v_inserted bigint;
BEGIN
    IF p_ticks IS NULL OR jsonb_typeof(p_ticks) <> 'array' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB062',
            MESSAGE = 'p_ticks must be an array of ticks',
            HINT = 'Objects with time_msc, bid, ask, last, volume, flags and volume_real.';
    END IF;
    v_clock := public.open_market_series(p_symbol, 'TICK', p_source, p_clock);
    PERFORM internal.check_market_times(
        'market_ticks', 'TICK', v_clock, min(t.at) / 1000, max(t.at) / 1000,
        'time_msc is in milliseconds, not seconds, by the clock of the source, at most a day ahead.'
    )
    FROM (
        SELECT (e.tick ->> 'time_msc')::numeric AS at
        FROM jsonb_array_elements(p_ticks) AS e (tick)
    ) AS t;
    PERFORM internal.lift_columnstore_limit();

    WITH ticks AS (
        SELECT
            public.clock_to_utc(
                timestamp 'epoch' + (e.tick ->> 'time_msc')::bigint * interval '1 millisecond',
                v_clock
            ) AS at,
            e.tick,
            e.number
        FROM jsonb_array_elements(p_ticks) WITH ORDINALITY AS e (tick, number)
    ),

    -- 0 stands for a price that does not exist
    merged AS (
        INSERT INTO public.market_ticks AS m (
            symbol, timestamp, seq, bid, ask, last, volume, volume_real, flags
        )
        SELECT
            p_symbol,
            t.at,
            row_number() OVER (PARTITION BY t.at ORDER BY t.number) - 1,
            nullif((t.tick ->> 'bid')::numeric, 0),
            nullif((t.tick ->> 'ask')::numeric, 0),
            nullif((t.tick ->> 'last')::numeric, 0),
            coalesce((t.tick ->> 'volume')::bigint, 0),
            coalesce((t.tick ->> 'volume_real')::numeric, (t.tick ->> 'volume')::numeric, 0),
            coalesce((t.tick ->> 'flags')::integer, 0)
        FROM ticks AS t
        ON CONFLICT (symbol, timestamp, seq) DO NOTHING
        RETURNING 1
    )

    SELECT count(*) INTO v_inserted FROM merged AS g;
    RETURN v_inserted;
END
$$;
COMMENT ON FUNCTION public.ingest_ticks(text, jsonb, text, text) IS
'Stores what copy_ticks returned, as objects with time_msc, bid, ask, last, volume, flags and
volume_real; answers the number of new ones. Time by the clock of the source. Ticks of one
millisecond are numbered in their order, so a call is to hold a millisecond whole. All or nothing: a
bad tick raises the constraint of market_ticks it breaks. Raises RB060, RB061, RB062.';
REVOKE ALL ON FUNCTION public.ingest_ticks(text, jsonb, text, text) FROM public;
