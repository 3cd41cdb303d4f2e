-- 2470_performance_numbers.sql: division and days of performance figures.

CALL deploy.become_owner();

-- These become a part of the query or expression that calls them, so they have no search_path of
-- their own.

-- 30 decimals: a ratio of sums of any scale is exact far below the digits that people read.
CREATE OR REPLACE FUNCTION public.exact_ratio(p_part numeric, p_whole numeric)
RETURNS numeric
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT round(p_part, 30) / nullif(p_whole, 0)
$$;
COMMENT ON FUNCTION public.exact_ratio(numeric, numeric) IS
'Part over whole with at least 30 decimals; NULL when the whole is 0.';
REVOKE ALL ON FUNCTION public.exact_ratio(numeric, numeric) FROM public;

CREATE OR REPLACE FUNCTION public.percent_of(p_part numeric, p_whole numeric)
RETURNS numeric
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT CASE WHEN p_whole > 0 THEN round(p_part, 30) / p_whole * 100 END
$$;
COMMENT ON FUNCTION public.percent_of(numeric, numeric) IS
'Part in percent of the whole, 100 for all of it; NULL unless the whole is positive.';
REVOKE ALL ON FUNCTION public.percent_of(numeric, numeric) FROM public;

CREATE OR REPLACE FUNCTION public.utc_day(p_at timestamptz)
RETURNS timestamptz
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT date_bin('1 day', p_at, '2000-01-01 00:00+00')
$$;
COMMENT ON FUNCTION public.utc_day(timestamptz) IS 'Start of the UTC day of a moment.';
REVOKE ALL ON FUNCTION public.utc_day(timestamptz) FROM public;
