-- 4180_signal_intents.sql: the triggers of intents, in the order in which they fire.

CALL deploy.become_owner();

CREATE OR REPLACE TRIGGER signal_intents_10_before_claims
BEFORE INSERT ON public.signal_intents
FOR EACH ROW EXECUTE FUNCTION internal.check_intent();

CREATE OR REPLACE TRIGGER signal_intents_70_queue
AFTER INSERT ON public.signal_intents
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.queue_intents();
