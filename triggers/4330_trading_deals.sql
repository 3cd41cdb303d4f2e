-- 4330_trading_deals.sql: the triggers of deals, in the order in which they fire.

CALL deploy.become_owner();

CREATE OR REPLACE TRIGGER trading_deals_50_balance_operation
AFTER INSERT OR UPDATE ON public.trading_deals
FOR EACH ROW
WHEN (NEW.type > 1)
EXECUTE FUNCTION internal.note_balance_operation();
