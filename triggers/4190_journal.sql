-- 4190_journal.sql: the triggers of the journal, in the order in which they fire.

CALL deploy.become_owner();

CREATE OR REPLACE TRIGGER journal_entries_02_user_is_open
BEFORE INSERT OR UPDATE ON public.journal_entries
FOR EACH ROW EXECUTE FUNCTION internal.refuse_closed_user();

CREATE OR REPLACE TRIGGER journal_entries_70_audit
AFTER INSERT OR UPDATE OR DELETE ON public.journal_entries
FOR EACH ROW EXECUTE FUNCTION audit.note_change();

CREATE OR REPLACE TRIGGER journal_entries_90_updated_at
BEFORE UPDATE ON public.journal_entries
FOR EACH ROW EXECUTE FUNCTION public.set_updated_at();

CREATE OR REPLACE TRIGGER journal_tags_02_user_is_open
BEFORE INSERT OR UPDATE ON public.journal_tags
FOR EACH ROW EXECUTE FUNCTION internal.refuse_closed_user();

CREATE OR REPLACE TRIGGER journal_tags_70_audit
AFTER INSERT OR UPDATE OR DELETE ON public.journal_tags
FOR EACH ROW EXECUTE FUNCTION audit.note_change();

-- Tags and answers hang on an entry, which a closed user has none of.
CREATE OR REPLACE TRIGGER journal_entry_tags_70_audit
AFTER INSERT OR UPDATE OR DELETE ON public.journal_entry_tags
FOR EACH ROW EXECUTE FUNCTION audit.note_change();

CREATE OR REPLACE TRIGGER journal_questions_02_user_is_open
BEFORE INSERT OR UPDATE ON public.journal_questions
FOR EACH ROW EXECUTE FUNCTION internal.refuse_closed_user();

CREATE OR REPLACE TRIGGER journal_questions_70_audit
AFTER INSERT OR UPDATE OR DELETE ON public.journal_questions
FOR EACH ROW EXECUTE FUNCTION audit.note_change();

CREATE OR REPLACE TRIGGER journal_answers_70_audit
AFTER INSERT OR UPDATE OR DELETE ON public.journal_answers
FOR EACH ROW EXECUTE FUNCTION audit.note_change();
