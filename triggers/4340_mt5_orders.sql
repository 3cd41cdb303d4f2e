-- 4340_mt5_orders.sql: the triggers of MT5's orders, in the order in which they fire.

CALL deploy.become_owner();

-- the ingest functions, which run as the owner, have locked the account already
CREATE OR REPLACE TRIGGER mt5_orders_10_lock_account
BEFORE INSERT ON public.mt5_orders
FOR EACH ROW
WHEN (current_user <> 'rubi_owner')
EXECUTE FUNCTION internal.lock_account_of_row();

CREATE OR REPLACE TRIGGER mt5_orders_50_inserted
AFTER INSERT ON public.mt5_orders
REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_mt5_orders();

CREATE OR REPLACE TRIGGER mt5_orders_50_updated
AFTER UPDATE ON public.mt5_orders
REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_changed_mt5_orders();

CREATE OR REPLACE TRIGGER mt5_orders_50_deleted
AFTER DELETE ON public.mt5_orders
REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_mt5_orders();

CREATE OR REPLACE TRIGGER mt5_orders_60_event
AFTER UPDATE OR DELETE ON public.mt5_orders
FOR EACH ROW EXECUTE FUNCTION internal.note_order();

CREATE OR REPLACE TRIGGER mt5_orders_61_events_new
AFTER INSERT ON public.mt5_orders
REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.note_new_orders();
