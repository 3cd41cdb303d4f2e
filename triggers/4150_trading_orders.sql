-- 4150_trading_orders.sql: the triggers of orders, in the order in which they fire.

CALL deploy.become_owner();

CREATE OR REPLACE TRIGGER trading_orders_01_tenant_parents
BEFORE INSERT OR UPDATE OF signal_id, account_id, user_id ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION internal.check_parents_of_order();

CREATE OR REPLACE TRIGGER trading_orders_02_user_is_open
BEFORE INSERT OR UPDATE ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION internal.refuse_closed_user();

CREATE OR REPLACE TRIGGER trading_orders_05_account
BEFORE INSERT ON public.trading_orders
FOR EACH ROW
WHEN (NEW.account_id IS NULL AND NEW.mt5_order_id IS NOT NULL)
EXECUTE FUNCTION public.set_order_account();

CREATE OR REPLACE TRIGGER trading_orders_05_closed_is_frozen
BEFORE UPDATE OF user_id, account_id, symbol, order_type, volume, open_price, close_price, profit,
commission, swap, opened_at, closed_at
ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION internal.refuse_change_of_closed_order();

-- After 05_closed_is_frozen, which looks at the API's changes, not at the deals'.
CREATE OR REPLACE TRIGGER trading_orders_06_account
BEFORE UPDATE OF mt5_order_id, account_id ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION public.set_order_account();

-- Orders of the API pay the WHEN only.
CREATE OR REPLACE TRIGGER trading_orders_07_made_by
BEFORE INSERT ON public.trading_orders
FOR EACH ROW WHEN (NEW.made_by = 'deals')
EXECUTE FUNCTION internal.decide_made_by();

CREATE OR REPLACE TRIGGER trading_orders_08_made_by
BEFORE UPDATE OF made_by, signal_id, client_request_id ON public.trading_orders
FOR EACH ROW WHEN (NEW.made_by = 'deals')
EXECUTE FUNCTION internal.decide_made_by();

CREATE OR REPLACE TRIGGER trading_orders_10_strategy
BEFORE INSERT ON public.trading_orders
FOR EACH ROW
WHEN (NEW.strategy_id IS NULL AND NEW.signal_id IS NOT NULL)
EXECUTE FUNCTION public.set_order_strategy();

-- A signal that is attached later brings its strategy too.
CREATE OR REPLACE TRIGGER trading_orders_11_strategy
BEFORE UPDATE OF signal_id ON public.trading_orders
FOR EACH ROW
WHEN (NEW.strategy_id IS NULL AND NEW.signal_id IS NOT NULL AND OLD.signal_id IS NULL)
EXECUTE FUNCTION public.set_order_strategy();

-- A short WHEN costs an order that does not count less than a call. The functions themselves
-- compare old and new values: PostgreSQL parses the text of a WHEN for each statement.
CREATE OR REPLACE TRIGGER trading_orders_60_expect_insert
AFTER INSERT ON public.trading_orders
FOR EACH ROW
WHEN (NEW.strategy_id IS NOT NULL AND NEW.closed_at IS NOT NULL)
EXECUTE FUNCTION internal.expect_counter_change();

CREATE OR REPLACE TRIGGER trading_orders_60_expect_update
AFTER UPDATE OF strategy_id, signal_id, closed_at, close_price, profit, commission, swap,
mt5_order_id, account_id
ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION internal.expect_counter_change();

CREATE OR REPLACE TRIGGER trading_orders_60_expect_delete
AFTER DELETE ON public.trading_orders
FOR EACH ROW
WHEN (OLD.strategy_id IS NOT NULL AND OLD.closed_at IS NOT NULL)
EXECUTE FUNCTION internal.expect_counter_change();

-- At commit. CREATE OR REPLACE does not exist for constraint triggers.
DROP TRIGGER IF EXISTS trading_orders_61_counters_insert ON public.trading_orders;
CREATE CONSTRAINT TRIGGER trading_orders_61_counters_insert
AFTER INSERT ON public.trading_orders
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW
WHEN (NEW.strategy_id IS NOT NULL AND NEW.closed_at IS NOT NULL)
EXECUTE FUNCTION internal.change_counters();

DROP TRIGGER IF EXISTS trading_orders_61_counters_update ON public.trading_orders;
CREATE CONSTRAINT TRIGGER trading_orders_61_counters_update
AFTER UPDATE OF strategy_id, signal_id, closed_at, close_price, profit, commission, swap,
mt5_order_id, account_id
ON public.trading_orders
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION internal.change_counters();

DROP TRIGGER IF EXISTS trading_orders_61_counters_delete ON public.trading_orders;
CREATE CONSTRAINT TRIGGER trading_orders_61_counters_delete
AFTER DELETE ON public.trading_orders
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW
WHEN (OLD.strategy_id IS NOT NULL AND OLD.closed_at IS NOT NULL)
EXECUTE FUNCTION internal.change_counters();

CREATE OR REPLACE TRIGGER trading_orders_65_deleted
AFTER DELETE ON public.trading_orders
REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_deleted_orders();

CREATE OR REPLACE TRIGGER trading_orders_70_audit
AFTER INSERT OR DELETE ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION audit.note_change();

CREATE OR REPLACE TRIGGER trading_orders_70_audit_update
AFTER UPDATE ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION audit.note_change_of_order();
