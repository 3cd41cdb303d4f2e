-- 6190_journal.sql: who may do what with the journal.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON
public.journal_answers, public.journal_entries, public.journal_entry_tags,
public.journal_questions, public.journal_tags
TO rubi_app;
GRANT SELECT, DELETE ON
public.journal_answers, public.journal_entries, public.journal_entry_tags,
public.journal_questions, public.journal_tags
TO rubi_tenant;
GRANT SELECT ON
public.journal_answers, public.journal_entries, public.journal_entry_tags,
public.journal_questions, public.journal_tags
TO rubi_backup;

-- Analysts count tags and answers. Notes are a person's own words, which no result needs.
GRANT SELECT ON
public.journal_answers, public.journal_entry_tags, public.journal_questions, public.journal_tags
TO rubi_readonly;
GRANT SELECT (
    id, user_id, account_id, position_id, leg, order_ticket, day, clock, created_at, updated_at
) ON public.journal_entries TO rubi_readonly;

-- Without the ids: a chosen one would tell by a unique violation that another user has it. A
-- subject may be named again, because trips can be made again under another key.
GRANT INSERT (
    user_id, account_id, position_id, leg, order_ticket, day, clock, note
), UPDATE (
    account_id, position_id, leg, order_ticket, day, clock, note
) ON public.journal_entries TO rubi_tenant;
GRANT INSERT (user_id, kind, name), UPDATE (kind, name) ON public.journal_tags TO rubi_tenant;
GRANT INSERT (user_id, entry_id, tag_id) ON public.journal_entry_tags TO rubi_tenant;
GRANT INSERT (
    user_id, strategy_id, place, question
), UPDATE (
    strategy_id, place, question, retired_at
) ON public.journal_questions TO rubi_tenant;
GRANT INSERT (
    user_id, entry_id, question_id, is_kept
), UPDATE (is_kept) ON public.journal_answers TO rubi_tenant;
GRANT USAGE, SELECT ON SEQUENCE
public.journal_answers_id_seq, public.journal_entries_id_seq, public.journal_entry_tags_id_seq,
public.journal_questions_id_seq, public.journal_tags_id_seq
TO rubi_app;
GRANT SELECT ON SEQUENCE
public.journal_answers_id_seq, public.journal_entries_id_seq, public.journal_entry_tags_id_seq,
public.journal_questions_id_seq, public.journal_tags_id_seq
TO rubi_backup;

CALL deploy.set_tenant_policies('public.journal_answers', 'user_id');
CALL deploy.set_tenant_policies('public.journal_entries', 'user_id');
CALL deploy.set_tenant_policies('public.journal_entry_tags', 'user_id');
CALL deploy.set_tenant_policies('public.journal_questions', 'user_id');
CALL deploy.set_tenant_policies('public.journal_tags', 'user_id');

REVOKE INSERT, UPDATE, DELETE ON public.journal, public.journal_trades FROM rubi_app;
GRANT SELECT ON public.journal TO rubi_app, rubi_tenant, rubi_backup;
GRANT SELECT ON public.journal_trades TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
