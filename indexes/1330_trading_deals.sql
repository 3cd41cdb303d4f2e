-- 1330_trading_deals.sql: indexes of trading_deals.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_deals_account_position
ON public.trading_deals (account_id, position_id);
COMMENT ON INDEX public.idx_deals_account_position IS 'Deals of a position: trips and proofs.';
CREATE INDEX IF NOT EXISTS idx_deals_account_order
ON public.trading_deals (account_id, order_ticket);
COMMENT ON INDEX public.idx_deals_account_order IS
'Deals of an order: both sides of a close by, orders filled without deals.';
CREATE INDEX IF NOT EXISTS idx_deals_account_executed
ON public.trading_deals (account_id, executed_at);
COMMENT ON INDEX public.idx_deals_account_executed IS
'Deals of an account over time, latest first.';
-- one deal in hundreds
CREATE INDEX IF NOT EXISTS idx_deals_not_trades ON public.trading_deals (account_id, ticket)
WHERE type NOT IN (0, 1);
COMMENT ON INDEX public.idx_deals_not_trades IS
'Deals that are no trades: balance operations and their proof.';
