-- 1510_performance.sql: indexes that results are read by.
-- needs: schema/0150_trading_orders.sql, schema/0530_balance_operations.sql
-- transaction: yes

CALL deploy.become_owner();

-- closed trades of a user, or of one of the user's accounts, over time; idx_orders_strategy_closed
-- serves those of a strategy
CREATE INDEX IF NOT EXISTS idx_orders_user_closed ON public.trading_orders (user_id, closed_at)
WHERE close_price IS NOT NULL;
-- deposits and withdrawals of an account over time, and its foreign key
CREATE INDEX IF NOT EXISTS idx_balance_operations_account
ON public.balance_operations (account_id, occurred_at);
-- those of a user
CREATE INDEX IF NOT EXISTS idx_balance_operations_user ON public.balance_operations (user_id);
