-- 1380_mt5_trips.sql: indexes of mt5_trips.
-- needs: schema/0380_mt5_trips.sql
-- transaction: yes

CALL deploy.become_owner();

-- closed trips of an account over time
CREATE INDEX IF NOT EXISTS idx_mt5_trips_account_closed
ON public.mt5_trips (account_id, closed_at DESC);
