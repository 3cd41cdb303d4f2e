-- 4210_market_series.sql: the triggers of series of bars, in the order in which they fire.

CALL deploy.become_owner();

DROP TRIGGER IF EXISTS market_series_50_clock_changed ON public.market_series;
CREATE TRIGGER market_series_50_clock_changed
AFTER UPDATE OF clock ON public.market_series
FOR EACH ROW WHEN (old.clock <> new.clock) EXECUTE FUNCTION internal.remake_rollups_of_series();

DROP TRIGGER IF EXISTS market_rollups_50_source_changed ON public.market_rollups;
CREATE TRIGGER market_rollups_50_source_changed
BEFORE UPDATE OF from_timeframe ON public.market_rollups
FOR EACH ROW
WHEN (old.from_timeframe <> new.from_timeframe) EXECUTE FUNCTION internal.remake_rollup();
