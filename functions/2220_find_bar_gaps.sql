-- 2220_find_bar_gaps.sql: places where bars are missing although the market was open.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.open_hours(
    p_calendar text,
    p_from timestamptz,
    p_to timestamptz
)
RETURNS tstzmultirange
LANGUAGE sql
STABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    WITH days AS (
        SELECT
            k.clock,
            d.day::date AS day
        FROM public.market_calendar_clocks AS k
        CROSS JOIN LATERAL generate_series(
            date_trunc('day', public.utc_to_clock(p_from, k.clock)),
            public.utc_to_clock(p_to, k.clock),
            interval '1 day'
        ) AS d (day)
        WHERE k.calendar = p_calendar AND isfinite(p_from) AND isfinite(p_to)
    ),

    hours AS (
        SELECT
            d.clock,
            d.day,
            s.opens,
            s.closes
        FROM days AS d
        INNER JOIN public.market_sessions AS s
            ON s.calendar = p_calendar AND s.weekday = date_part('isodow', d.day)
        WHERE NOT EXISTS (
            SELECT FROM public.market_holidays AS h
            WHERE h.calendar = p_calendar AND h.day = d.day
        )
        UNION ALL
        SELECT
            d.clock,
            d.day,
            h.opens,
            h.closes
        FROM days AS d
        INNER JOIN public.market_holidays AS h ON h.calendar = p_calendar AND h.day = d.day
        WHERE h.opens IS NOT NULL
    )

    SELECT coalesce(
        range_agg(tstzrange(
            public.clock_to_utc(h.day + h.opens, h.clock),
            public.clock_to_utc(h.day + h.closes, h.clock)
        )) * tstzmultirange(tstzrange(p_from, p_to)),
        '{}'
    )
    FROM hours AS h
$$;
COMMENT ON FUNCTION public.open_hours(text, timestamptz, timestamptz) IS
'Times between two moments when a calendar is open. No row for a calendar without sessions, or when
one of the moments is infinite.';
REVOKE ALL ON FUNCTION public.open_hours(text, timestamptz, timestamptz) FROM public;

-- A gap is measured in trading time: from the end of a bar to the beginning of the next, less the
-- hours the market is closed. Up to D1 that makes weekends and holidays vanish.
CREATE OR REPLACE FUNCTION public.find_bar_gaps(
    p_symbol text,
    p_timeframe text,
    p_from timestamptz,
    p_to timestamptz,
    p_minimum interval DEFAULT NULL
)
RETURNS TABLE (gap_from timestamptz, gap_to timestamptz, missing_bars bigint, open_time interval)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
    -- in hours: a day of the session's time zone may have 23
    v_length interval := date_part('epoch', public.timeframe_length(p_timeframe))
        * interval '1 second';
    v_minimum interval := coalesce(p_minimum, v_length);
    v_calendar text := coalesce(
        (SELECT c.calendar FROM public.market_calendars AS c WHERE c.symbol = p_symbol), 'forex'
    );
    v_open tstzmultirange;
    v_from timestamptz := p_from;
    v_to timestamptz := least(p_to, now());
    v_gap record;
BEGIN
    IF v_length IS NULL OR v_length > interval '1 day' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB065',
            MESSAGE = format('gaps are found in bars of M1 to D1, not of %s', p_timeframe);
    END IF;
    IF NOT EXISTS (SELECT FROM public.market_sessions AS s WHERE s.calendar = v_calendar) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'RB066',
            MESSAGE = format('calendar %s of %s has no sessions', v_calendar, p_symbol),
            HINT = 'Insert its trading hours into market_sessions.';
    END IF;
    IF v_from = '-infinity' THEN
        SELECT m.timestamp INTO v_from
        FROM public.market_data AS m
        WHERE m.symbol = p_symbol AND m.timeframe = p_timeframe
        ORDER BY m.timestamp
        LIMIT 1;
    END IF;
    IF v_from < v_to IS NOT TRUE THEN
        RETURN;
    END IF;
    v_open := public.open_hours(v_calendar, v_from, v_to);
    FOR v_gap IN
        SELECT
            b.ended,
            b.opened
        FROM (
            SELECT
                coalesce(
                    lag(t.at) OVER (ORDER BY t.at) + v_length, v_from
                ) AS ended,
                t.at AS opened
            FROM (
                SELECT m.timestamp AS at
                FROM public.market_data AS m
                WHERE m.symbol = p_symbol
                    AND m.timeframe = p_timeframe
                    AND m.timestamp > v_from - v_length -- a bar that reaches into the time
                    AND m.timestamp < v_to
                UNION ALL
                SELECT v_to
            ) AS t
        ) AS b
        WHERE b.opened > b.ended AND b.opened - b.ended >= v_minimum
        ORDER BY b.ended
    LOOP
        SELECT
            lower(g.missing),
            upper(g.missing),
            g.open_time,
            round((date_part('epoch', g.open_time) / date_part('epoch', v_length))::numeric)
        INTO gap_from, gap_to, open_time, missing_bars
        FROM (
            SELECT
                x.missing,
                (
                    SELECT sum(upper(r.part) - lower(r.part))
                    FROM unnest(x.missing) AS r (part)
                ) AS open_time
            FROM (
                SELECT v_open * tstzmultirange(tstzrange(v_gap.ended, v_gap.opened)) AS missing
            ) AS x
        ) AS g;
        IF open_time >= v_minimum AND missing_bars > 0 THEN
            RETURN NEXT;
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION public.find_bar_gaps(text, text, timestamptz, timestamptz, interval) IS
'Stretches without bars of at least p_minimum of trading time (by default one bar), up to now and,
with -infinity, from the first bar on: begin and end, bars missing, trading time. A minute without a
tick makes no bar, so on M1 a minimum of some minutes finds the bars that a broker did not deliver.
Raises RB065 for W1 and MN1, RB066 for a calendar without sessions.';
REVOKE ALL ON FUNCTION
public.find_bar_gaps(text, text, timestamptz, timestamptz, interval) FROM public;
