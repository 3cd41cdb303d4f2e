-- 4150_trading_orders.sql: the triggers of orders, in the order in which they fire.

CALL deploy.become_owner();

CREATE OR REPLACE TRIGGER trading_orders_01_tenant_parents
BEFORE INSERT OR UPDATE OF signal_id, account_id, user_id ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION internal.check_parents_of_order();

CREATE OR REPLACE TRIGGER trading_orders_02_user_is_open
BEFORE INSERT OR UPDATE ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION internal.refuse_closed_user();

CREATE OR REPLACE TRIGGER trading_orders_03_rules
BEFORE INSERT OR UPDATE ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION internal.check_order();

-- After 03_rules, which looks at the API's changes, not at the deals'.
CREATE OR REPLACE TRIGGER trading_orders_05_account
BEFORE INSERT ON public.trading_orders
FOR EACH ROW
WHEN (NEW.account_id IS NULL AND NEW.mt5_order_id IS NOT NULL)
EXECUTE FUNCTION public.set_order_account();

CREATE OR REPLACE TRIGGER trading_orders_06_account
BEFORE UPDATE OF mt5_order_id, account_id ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION public.set_order_account();

-- A short WHEN costs an order that does not count less than a call. The functions themselves
-- compare old and new values: PostgreSQL parses the text of a WHEN for each statement.
CREATE OR REPLACE TRIGGER trading_orders_60_expect_delete
AFTER DELETE ON public.trading_orders
FOR EACH ROW
WHEN (OLD.closed_at IS NOT NULL)
EXECUTE FUNCTION internal.expect_counter_changes('many');

-- At commit. CREATE OR REPLACE does not exist for constraint triggers.
DROP TRIGGER IF EXISTS trading_orders_61_counters_insert ON public.trading_orders;
CREATE CONSTRAINT TRIGGER trading_orders_61_counters_insert
AFTER INSERT ON public.trading_orders
DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW
WHEN (NEW.closed_at IS NOT NULL)
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
WHEN (OLD.closed_at IS NOT NULL)
EXECUTE FUNCTION internal.change_counters();

CREATE OR REPLACE TRIGGER trading_orders_65_deleted
AFTER DELETE ON public.trading_orders
REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_deleted_orders();

CREATE OR REPLACE TRIGGER trading_orders_70_audit
AFTER DELETE ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION audit.note_change();

CREATE OR REPLACE TRIGGER trading_orders_70_audit_insert
AFTER INSERT ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION audit.note_new_order();

CREATE OR REPLACE TRIGGER trading_orders_70_audit_update
AFTER UPDATE ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION audit.note_change_of_order();
