-- 1380_mt5_trips.sql: indexes of mt5_trips.

CALL deploy.become_owner();

-- Partial, so that it can't serve the look-up of a position: while the table is small, any index
-- that begins with the account seems as good as the key.
CREATE INDEX IF NOT EXISTS idx_mt5_trips_account_closed
ON public.mt5_trips (account_id, closed_at)
WHERE closed_at IS NOT NULL;
COMMENT ON INDEX public.idx_mt5_trips_account_closed IS
'Closed trips of an account over time, latest first.';
