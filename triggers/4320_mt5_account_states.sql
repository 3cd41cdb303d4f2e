-- 4320_mt5_account_states.sql: the trigger of account states.

CALL deploy.become_owner();

CREATE OR REPLACE TRIGGER mt5_account_states_70_event
AFTER INSERT OR UPDATE OF taken_at ON public.mt5_account_states
FOR EACH ROW EXECUTE FUNCTION internal.note_account_state();
