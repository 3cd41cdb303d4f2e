-- 1380_mt5_trips.sql: indexes of mt5_trips.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_mt5_trips_account_closed
ON public.mt5_trips (account_id, closed_at DESC);
COMMENT ON INDEX public.idx_mt5_trips_account_closed IS
'Closed trips of an account over time, latest first.';
