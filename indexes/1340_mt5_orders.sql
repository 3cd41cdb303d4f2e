-- 1340_mt5_orders.sql: index of mt5_orders.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_mt5_orders_account_setup
ON public.mt5_orders (account_id, setup_at);
COMMENT ON INDEX public.idx_mt5_orders_account_setup IS
'Orders of an account over time, latest first.';
