-- 1150_trading_orders.sql: indexes of trading_orders.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_orders_symbol ON public.trading_orders (symbol);
COMMENT ON INDEX public.idx_orders_symbol IS 'Orders in a symbol.';
CREATE INDEX IF NOT EXISTS idx_orders_opened_at ON public.trading_orders (opened_at);
COMMENT ON INDEX public.idx_orders_opened_at IS 'Latest orders by opening, over all users.';
CREATE INDEX IF NOT EXISTS idx_orders_closed_at ON public.trading_orders (closed_at);
COMMENT ON INDEX public.idx_orders_closed_at IS 'Latest orders by closing, over all users.';
CREATE INDEX IF NOT EXISTS idx_orders_strategy_closed
ON public.trading_orders (strategy_id, closed_at);
COMMENT ON INDEX public.idx_orders_strategy_closed IS
'Results of a strategy over time; the foreign key.';
-- without the API's orders of no account, which are written twice each
CREATE INDEX IF NOT EXISTS idx_orders_account_opened
ON public.trading_orders (account_id, opened_at)
WHERE account_id IS NOT NULL;
COMMENT ON INDEX public.idx_orders_account_opened IS
'Orders of an account over time; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_orders_user_symbol_opened
ON public.trading_orders (user_id, symbol, opened_at);
COMMENT ON INDEX public.idx_orders_user_symbol_opened IS
'Orders of a user, in one symbol, latest first; the foreign key.';
CREATE INDEX IF NOT EXISTS idx_open_orders ON public.trading_orders (user_id, opened_at)
WHERE closed_at IS NULL;
COMMENT ON INDEX public.idx_open_orders IS 'Open orders of a user, latest first.';
-- closed trades of a user, or of one of the user's accounts, over time; idx_orders_strategy_closed
-- serves a strategy's trades
CREATE INDEX IF NOT EXISTS idx_orders_user_closed ON public.trading_orders (user_id, closed_at)
WHERE close_price IS NOT NULL;
COMMENT ON INDEX public.idx_orders_user_closed IS
'Closed trades of a user, or of one of the user''s accounts, over time.';
