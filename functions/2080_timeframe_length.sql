-- 2080_timeframe_length.sql: the length of timeframes.

CALL deploy.become_owner();

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
