-- 4330_trading_deals.sql: the triggers of deals, in the order in which they fire.

CALL deploy.become_owner();

-- the ingest functions, which run as the owner, have locked the account already
CREATE OR REPLACE TRIGGER trading_deals_10_lock_account
BEFORE INSERT ON public.trading_deals
FOR EACH ROW
WHEN (current_user <> 'rubi_owner')
EXECUTE FUNCTION internal.lock_account_of_row();

CREATE OR REPLACE TRIGGER trading_deals_50_inserted
AFTER INSERT ON public.trading_deals
REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_deals();

CREATE OR REPLACE TRIGGER trading_deals_50_updated
AFTER UPDATE ON public.trading_deals
REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_changed_deals();

CREATE OR REPLACE TRIGGER trading_deals_50_deleted
AFTER DELETE ON public.trading_deals
REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_deals();

CREATE OR REPLACE TRIGGER trading_deals_60_event
AFTER UPDATE OR DELETE ON public.trading_deals
FOR EACH ROW EXECUTE FUNCTION internal.note_deal();

CREATE OR REPLACE TRIGGER trading_deals_61_events_new
AFTER INSERT ON public.trading_deals
REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.note_new_deals();
