-- 2252_reject_staged_bars.sql: staged lines that break a rule of bars, with their reason.

CALL deploy.become_owner();

-- The verdict of the table's constraints, which name only the first bad row, on every row. One
-- cheap condition finds bad rows; NaN is greater than every number.
CREATE OR REPLACE FUNCTION internal.reject_staged_bars(
    p_timeframe text,
    p_clock public.server_clock
)
RETURNS bigint
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET plan_cache_mode = force_custom_plan -- takes the clock apart once, not for each row
AS $$
DECLARE
    c_price_end CONSTANT numeric := 1000000000000; -- as in the domains of bars
    c_max_volume CONSTANT numeric := 9223372036854775807; -- of bigint
    c_max_real_volume CONSTANT numeric := 18446744073709551615; -- MT5 counts in 64 bits
    c_max_spread CONSTANT numeric := 2147483647; -- of integer
    c_decimals CONSTANT integer := 8; -- of real_volume
    c_second CONSTANT bigint := 1000000; -- in microseconds
    c_day CONSTANT integer := 86400; -- in seconds
    -- microseconds: a part of a second is not where a bar opens either
    v_step bigint := c_second * least(
        date_part('epoch', public.timeframe_length(p_timeframe)), c_day
    );
    v_first_day date := CASE
        WHEN public.is_long_timeframe(p_timeframe) THEN '1700-01-01' ELSE '1970-01-01'
    END;
    v_earliest timestamptz := v_first_day::timestamp AT TIME ZONE 'UTC';
    v_earliest_time timestamp := public.utc_to_clock(v_earliest, p_clock);
    v_latest timestamptz := now() + interval '24 hours';
    v_latest_time timestamp := public.utc_to_clock(v_latest, p_clock);
    v_rejected bigint;
BEGIN
    INSERT INTO pg_temp.staged_rejects (line, reason)
    SELECT
        s.line,
        CASE
            WHEN 'NaN' IN (s.open, s.high, s.low, s.close) THEN 'a price is NaN'
            WHEN s.high >= c_price_end OR s.low <= -c_price_end THEN 'a price is too large'
            WHEN s.high < s.low THEN 'high is below low'
            WHEN s.high < s.open OR s.high < s.close THEN 'high is not the highest price'
            WHEN s.low > s.open OR s.low > s.close THEN 'low is not the lowest price'
            WHEN s.volume NOT BETWEEN 0 AND c_max_volume
                THEN 'volume is negative or too large'
            WHEN s.real_volume NOT BETWEEN 0 AND c_max_real_volume
                THEN 'real volume is negative or too large'
            WHEN s.spread NOT BETWEEN 0 AND c_max_spread THEN 'spread is negative or too large'
            WHEN s.volume <> trunc(s.volume) THEN 'volume is no whole number'
            WHEN s.real_volume <> round(s.real_volume, c_decimals)
                THEN 'real volume has more than 8 decimals'
            WHEN s.spread <> trunc(s.spread) THEN 'spread is no whole number'
            WHEN s.moment > v_latest OR s.day + s.time_of_day > v_latest_time
                THEN 'time is in the future'
            WHEN s.moment < v_earliest OR s.day + s.time_of_day < v_earliest_time
                THEN 'time is before ' || date_part('year', v_first_day)
            ELSE 'time is not where a ' || p_timeframe || ' bar opens'
        END
    FROM pg_temp.staged_bars AS s
    WHERE NOT (
        s.high < c_price_end AND s.low > -c_price_end
        AND s.high >= s.open AND s.high >= s.close AND s.low <= s.open AND s.low <= s.close
        AND s.volume BETWEEN 0 AND c_max_volume
        AND coalesce(s.real_volume BETWEEN 0 AND c_max_real_volume, TRUE)
        AND coalesce(s.spread BETWEEN 0 AND c_max_spread, TRUE)
        AND s.volume = trunc(s.volume)
        AND coalesce(s.real_volume = round(s.real_volume, c_decimals), TRUE)
        AND coalesce(s.spread = trunc(s.spread), TRUE)
        AND CASE
            WHEN s.moment IS NULL THEN
                s.day + s.time_of_day BETWEEN v_earliest_time AND v_latest_time
                AND (date_part('epoch', s.time_of_day) * c_second)::bigint % v_step = 0
            ELSE s.moment BETWEEN v_earliest AND v_latest
                AND (
                    date_part('epoch', public.utc_to_clock(s.moment, p_clock)) * c_second
                )::bigint % v_step = 0
        END
    );
    GET DIAGNOSTICS v_rejected = ROW_COUNT;
    RETURN v_rejected;
END
$$;
COMMENT ON FUNCTION internal.reject_staged_bars(text, public.server_clock) IS
'Notes the staged bars that break a rule in staged_rejects, with the reason; answers their number.';
REVOKE ALL ON FUNCTION internal.reject_staged_bars(text, public.server_clock) FROM public;

CREATE OR REPLACE FUNCTION internal.reject_staged_twins(p_clock public.server_clock)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    INSERT INTO pg_temp.staged_rejects (line, reason)
    SELECT t.line, format('time of line %s again', t.first_line)
    FROM (
        SELECT
            s.line,
            first_value(s.line) OVER (
                PARTITION BY coalesce(
                    s.moment, public.clock_to_utc(s.day + s.time_of_day, p_clock)
                )
                ORDER BY s.line
            ) AS first_line
        FROM pg_temp.staged_bars AS s
        WHERE NOT EXISTS (SELECT FROM pg_temp.staged_rejects AS r WHERE r.line = s.line)
    ) AS t
    WHERE t.line > t.first_line;
END
$$;
COMMENT ON FUNCTION internal.reject_staged_twins(public.server_clock) IS
'Rejects staged lines whose time an earlier line has.';
REVOKE ALL ON FUNCTION internal.reject_staged_twins(public.server_clock) FROM public;
