-- 4480_mt5_explanations.sql: the triggers of explanations, in the order in which they fire.

CALL deploy.become_owner();

CREATE OR REPLACE TRIGGER mt5_explanations_50_inserted
AFTER INSERT ON public.mt5_explanations
REFERENCING NEW TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_mt5_explanations();

CREATE OR REPLACE TRIGGER mt5_explanations_50_updated
AFTER UPDATE ON public.mt5_explanations
REFERENCING OLD TABLE AS old_rows NEW TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_mt5_explanations();

CREATE OR REPLACE TRIGGER mt5_explanations_50_deleted
AFTER DELETE ON public.mt5_explanations
REFERENCING OLD TABLE AS changed_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.follow_mt5_explanations();
