-- 1510_performance.sql: indexes that results are read by.
-- needs: schema/0150_trading_orders.sql, schema/0530_balance_operations.sql
-- transaction: yes

CALL deploy.become_owner();

-- closed trades of a user, or of one of the user's accounts, over time; idx_orders_strategy_closed
-- serves those of a strategy
CREATE INDEX IF NOT EXISTS idx_orders_user_closed ON public.trading_orders (user_id, closed_at)
WHERE close_price IS NOT NULL;
COMMENT ON INDEX public.idx_orders_user_closed IS
'Closed trades of a user, or of one of the user''s accounts, over time.';
CREATE INDEX IF NOT EXISTS idx_balance_operations_account
ON public.balance_operations (account_id, occurred_at);
COMMENT ON INDEX public.idx_balance_operations_account IS
'Deposits and withdrawals of an account over time; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_balance_operations_user ON public.balance_operations (user_id);
COMMENT ON INDEX public.idx_balance_operations_user IS
'Deposits and withdrawals of a user; the foreign key.';
