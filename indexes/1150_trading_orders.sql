-- 1150_trading_orders.sql: indexes of trading_orders.
-- needs: schema/0150_trading_orders.sql
-- transaction: yes

CALL deploy.become_owner();

-- orders in a symbol
CREATE INDEX IF NOT EXISTS idx_orders_symbol ON public.trading_orders (symbol);
-- latest orders over all users
CREATE INDEX IF NOT EXISTS idx_orders_opened_at ON public.trading_orders (opened_at DESC);
CREATE INDEX IF NOT EXISTS idx_orders_closed_at ON public.trading_orders (closed_at DESC);
-- results of a strategy over time, and its foreign key
CREATE INDEX IF NOT EXISTS idx_orders_strategy_closed
ON public.trading_orders (strategy_id, closed_at);
-- orders of an account over time, and its foreign key
CREATE INDEX IF NOT EXISTS idx_orders_account_opened
ON public.trading_orders (account_id, opened_at DESC);
-- orders of a user, in one symbol, latest first
CREATE INDEX IF NOT EXISTS idx_orders_user_symbol_opened
ON public.trading_orders (user_id, symbol, opened_at DESC);
-- open orders of a user
CREATE INDEX IF NOT EXISTS idx_open_orders ON public.trading_orders (user_id, opened_at DESC)
WHERE closed_at IS NULL;
