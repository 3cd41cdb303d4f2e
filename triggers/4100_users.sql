-- 4100_users.sql: the triggers of users, in the order in which they fire.

CALL deploy.become_owner();

CREATE OR REPLACE TRIGGER users_02_user_is_open
BEFORE UPDATE ON public.users
FOR EACH ROW
WHEN (OLD.closed_at IS NOT NULL)
EXECUTE FUNCTION internal.refuse_change_of_closed_user();

CREATE OR REPLACE TRIGGER users_90_updated_at
BEFORE UPDATE ON public.users
FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();

CREATE OR REPLACE TRIGGER users_70_audit
AFTER INSERT OR UPDATE OR DELETE ON public.users
FOR EACH ROW EXECUTE FUNCTION audit.note_change();
