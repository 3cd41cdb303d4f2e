-- 4120_mt5_accounts.sql: the triggers of trading accounts and magic numbers, in their order.

CALL deploy.become_owner();

CREATE OR REPLACE TRIGGER mt5_accounts_02_user_is_open
BEFORE INSERT OR UPDATE ON public.mt5_accounts
FOR EACH ROW EXECUTE FUNCTION internal.refuse_closed_user();

CREATE OR REPLACE TRIGGER mt5_accounts_70_audit
AFTER INSERT OR UPDATE OR DELETE ON public.mt5_accounts
FOR EACH ROW EXECUTE FUNCTION audit.note_change();

CREATE OR REPLACE TRIGGER mt5_accounts_90_events
AFTER DELETE ON public.mt5_accounts
REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.forget_events_of_account();

CREATE OR REPLACE TRIGGER mt5_magic_strategies_50_inserted
AFTER INSERT ON public.mt5_magic_strategies
REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_magic_numbers();

-- both sides of an update, each by the function's one name for its rows
CREATE OR REPLACE TRIGGER mt5_magic_strategies_50_updated
AFTER UPDATE ON public.mt5_magic_strategies
REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_magic_numbers();

CREATE OR REPLACE TRIGGER mt5_magic_strategies_51_left
AFTER UPDATE ON public.mt5_magic_strategies
REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_magic_numbers();

CREATE OR REPLACE TRIGGER mt5_magic_strategies_50_deleted
AFTER DELETE ON public.mt5_magic_strategies
REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_magic_numbers();
