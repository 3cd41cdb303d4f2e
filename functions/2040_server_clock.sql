-- 2040_server_clock.sql: the time that a server's clock shows, and the moment at which a clock
-- shows a time.

CALL deploy.become_owner();

-- A clock is a time zone and the hours it is ahead of it. Most MT5 servers run New York time and
-- seven hours, America/New_York+7: their day ends when New York closes, and they change to summer
-- time with the United States. Etc/GMT-3 is a zone by its whole name, and the only kind that ends
-- like hours.
-- Bodies bound at creation instead of a pinned search_path, and not STRICT: the planner takes such
-- functions into the query, and takes a clock apart once instead of for each row. The domain has
-- checked the form: no regular expression is needed.
CREATE OR REPLACE FUNCTION public.clock_zone(p_clock public.server_clock)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT CASE
        WHEN p_clock LIKE 'Etc/GMT%' THEN p_clock ELSE rtrim(p_clock, '+-0123456789')
    END;
END;
COMMENT ON FUNCTION public.clock_zone(public.server_clock) IS
'Time zone of a clock: America/New_York of America/New_York+7.';
REVOKE ALL ON FUNCTION public.clock_zone(public.server_clock) FROM public;

CREATE OR REPLACE FUNCTION public.clock_shift(p_clock public.server_clock)
RETURNS interval
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT make_interval(hours => coalesce(
        nullif(right(p_clock, -char_length(public.clock_zone(p_clock))), ''), '0'
    )::integer);
END;
COMMENT ON FUNCTION public.clock_shift(public.server_clock) IS
'Hours that a clock is ahead of its time zone: 7 hours of America/New_York+7.';
REVOKE ALL ON FUNCTION public.clock_shift(public.server_clock) FROM public;

CREATE OR REPLACE FUNCTION public.clock_to_utc(p_time timestamp, p_clock public.server_clock)
RETURNS timestamptz
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT (p_time - public.clock_shift(p_clock)) AT TIME ZONE public.clock_zone(p_clock);
END;
COMMENT ON FUNCTION public.clock_to_utc(timestamp, public.server_clock) IS
'The moment at which a clock shows a time; the later one of two.';
REVOKE ALL ON FUNCTION public.clock_to_utc(timestamp, public.server_clock) FROM public;

CREATE OR REPLACE FUNCTION public.utc_to_clock(p_utc timestamptz, p_clock public.server_clock)
RETURNS timestamp
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT (p_utc AT TIME ZONE public.clock_zone(p_clock)) + public.clock_shift(p_clock);
END;
COMMENT ON FUNCTION public.utc_to_clock(timestamptz, public.server_clock) IS
'Time that a clock shows at a moment.';
REVOKE ALL ON FUNCTION public.utc_to_clock(timestamptz, public.server_clock) FROM public;

-- PostgreSQL takes the second occurrence of an hour that the clock repeats; such an hour is found
-- by the moment an hour before, which shows the same time.
CREATE OR REPLACE FUNCTION public.is_clock_ambiguous(
    p_time timestamp,
    p_clock public.server_clock
)
RETURNS boolean
LANGUAGE sql
STABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT public.utc_to_clock(
        public.clock_to_utc(p_time, p_clock) - interval '1 hour', p_clock
    ) = p_time;
END;
COMMENT ON FUNCTION public.is_clock_ambiguous(timestamp, public.server_clock) IS
'Whether a clock shows a time twice, an hour apart.';
REVOKE ALL ON FUNCTION public.is_clock_ambiguous(timestamp, public.server_clock) FROM public;

-- Where the clock goes back at midnight (the Azores, Havana) the day begins the first time.
CREATE OR REPLACE FUNCTION public.clock_day_start(p_day timestamp, p_clock public.server_clock)
RETURNS timestamptz
LANGUAGE sql
STABLE
PARALLEL SAFE
BEGIN ATOMIC
    SELECT public.clock_to_utc(p_day, p_clock) - CASE
        WHEN public.is_clock_ambiguous(p_day, p_clock) THEN interval '1 hour'
        ELSE interval '0'
    END;
END;
COMMENT ON FUNCTION public.clock_day_start(timestamp, public.server_clock) IS
'The moment at which a clock shows a time; the earlier one of two.';
REVOKE ALL ON FUNCTION public.clock_day_start(timestamp, public.server_clock) FROM public;
