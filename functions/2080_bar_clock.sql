-- 2080_bar_clock.sql: the clock of a source of bars, and the length of timeframes.

CALL deploy.become_owner();

-- A clock is a time zone and the hours it is ahead of it. Most MT5 servers run New York time and
-- seven hours, America/New_York+7: their day ends when New York closes, and they change to summer
-- time with the United States. Etc/GMT-3 is a zone by its whole name, and the only kind that ends
-- like hours.
CREATE OR REPLACE FUNCTION public.bar_clock_time(p_timestamp timestamptz, p_clock text)
RETURNS timestamp
LANGUAGE sql
STABLE
PARALLEL SAFE
STRICT
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (
        p_timestamp
        AT TIME ZONE regexp_replace(p_clock, '(?i)(?<!^etc/gmt)[+-][0-9]{1,2}$', '')
    )
        + make_interval(
            hours => coalesce(
                substring(p_clock FROM '(?i)(?<!^etc/gmt)[+-][0-9]{1,2}$'), '0'
            )::integer
        )
$$;
COMMENT ON FUNCTION public.bar_clock_time(timestamptz, text) IS
'What a clock, such as America/New_York+7, shows at a moment. Raises 22023 for an unknown zone.';
REVOKE ALL ON FUNCTION public.bar_clock_time(timestamptz, text) FROM public;

CREATE OR REPLACE FUNCTION public.bar_clock_moment(p_time timestamp, p_clock text)
RETURNS timestamptz
LANGUAGE sql
STABLE
PARALLEL SAFE
STRICT
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (
        p_time
        - make_interval(
            hours => coalesce(
                substring(p_clock FROM '(?i)(?<!^etc/gmt)[+-][0-9]{1,2}$'), '0'
            )::integer
        )
    ) AT TIME ZONE regexp_replace(p_clock, '(?i)(?<!^etc/gmt)[+-][0-9]{1,2}$', '')
$$;
COMMENT ON FUNCTION public.bar_clock_moment(timestamp, text) IS
'The moment at which a clock shows a time; the later one where it shows it twice.';
REVOKE ALL ON FUNCTION public.bar_clock_moment(timestamp, text) FROM public;

CREATE OR REPLACE FUNCTION public.timeframe_length(p_timeframe text)
RETURNS interval
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
STRICT
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE
        WHEN p_timeframe = 'MN1' THEN interval '1 month'
        WHEN p_timeframe = 'W1' THEN interval '7 days'
        WHEN p_timeframe = 'D1' THEN interval '1 day'
        WHEN p_timeframe ~ '^H(1|2|3|4|6|8|12)$' THEN
            make_interval(hours => substr(p_timeframe, 2)::integer)
        WHEN p_timeframe ~ '^M([1-6]|10|12|15|20|30)$' THEN
            make_interval(mins => substr(p_timeframe, 2)::integer)
    END
$$;
COMMENT ON FUNCTION public.timeframe_length(text) IS
'How long a bar of an MT5 timeframe lasts; NULL for a name MT5 does not have.';
REVOKE ALL ON FUNCTION public.timeframe_length(text) FROM public;
