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
    SELECT t.length FROM public.timeframes() AS t WHERE t.name = p_timeframe
$$;
COMMENT ON FUNCTION public.timeframe_length(text) IS
'Length of a bar of an MT5 timeframe; NULL for a name that MT5 does not have.';
REVOKE ALL ON FUNCTION public.timeframe_length(text) FROM public;
