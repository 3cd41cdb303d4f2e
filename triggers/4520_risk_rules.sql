-- 4520_risk_rules.sql: the triggers of rules and breaches, in the order in which they fire.

CALL deploy.become_owner();

CREATE OR REPLACE TRIGGER risk_rules_02_user_is_open
BEFORE INSERT OR UPDATE ON public.risk_rules
FOR EACH ROW EXECUTE FUNCTION internal.refuse_closed_user();

CREATE OR REPLACE TRIGGER risk_rules_10_ended
BEFORE UPDATE OF valid_to ON public.risk_rules
FOR EACH ROW WHEN (OLD.valid_to <= now() AND NEW.valid_to <> OLD.valid_to)
EXECUTE FUNCTION internal.keep_ended_rules();

CREATE OR REPLACE TRIGGER risk_rules_70_audit
AFTER INSERT OR UPDATE OR DELETE ON public.risk_rules
FOR EACH ROW EXECUTE FUNCTION audit.note_change();

-- A breach that became worse is an update, and no news.
CREATE OR REPLACE TRIGGER risk_breaches_80_notify
AFTER INSERT ON public.risk_breaches
REFERENCING NEW TABLE AS new_rows
FOR EACH STATEMENT EXECUTE FUNCTION internal.notify_risk();
