-- 4120_mt5_accounts.sql: the triggers of trading accounts, in the order in which they fire.

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
