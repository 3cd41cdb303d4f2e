-- 2212_remake_rollups.sql: resampled bars are made again when their clock or their source changes.

CALL deploy.become_owner();

-- A corrected clock moves the bars made by it, another source of bars changes all of them.
CREATE OR REPLACE FUNCTION internal.remake_rollups_of_series()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    UPDATE public.market_rollups SET pending = '{(,)}'
    WHERE symbol = NEW.symbol AND from_timeframe = NEW.timeframe;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.remake_rollups_of_series() IS
'Trigger: has resampled bars made again when the clock of their source changes.';
REVOKE ALL ON FUNCTION internal.remake_rollups_of_series() FROM public;

CREATE OR REPLACE FUNCTION internal.remake_rollup()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    NEW.pending := '{(,)}';
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION internal.remake_rollup() IS
'Trigger: has resampled bars made again when their source becomes another timeframe.';
REVOKE ALL ON FUNCTION internal.remake_rollup() FROM public;
