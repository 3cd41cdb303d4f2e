-- 1370_mt5_events.sql: index of mt5_events.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_mt5_events_reading
ON public.mt5_events (era, xact_id, number);
COMMENT ON INDEX public.idx_mt5_events_reading IS 'events_after().';
