-- 1330_trading_deals.sql: indexes of trading_deals.
-- needs: schema/0330_trading_deals.sql
-- transaction: yes

CALL deploy.become_owner();

-- deals of a position: trips and proofs
CREATE INDEX IF NOT EXISTS idx_deals_account_position
ON public.trading_deals (account_id, position_id);
-- deals of an order: both sides of a close by, orders filled without deals
CREATE INDEX IF NOT EXISTS idx_deals_account_order
ON public.trading_deals (account_id, order_ticket);
-- deals of an account over time
CREATE INDEX IF NOT EXISTS idx_deals_account_executed
ON public.trading_deals (account_id, executed_at DESC);
