-- 2190_forget_journal.sql: the journal of a closed user is erased.

CALL deploy.become_owner();

-- No law keeps what a person thought of a trade. Deletions leave the words in the audit trail, from
-- where the owner's id on the same rows finds those of all changes before.
CREATE OR REPLACE FUNCTION internal.forget_journal(p_user_id bigint)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    c_words CONSTANT text[] := '{note, name, question}';
BEGIN
    DELETE FROM public.journal_entries AS e WHERE e.user_id = p_user_id;
    DELETE FROM public.journal_tags AS t WHERE t.user_id = p_user_id;
    DELETE FROM public.journal_questions AS q WHERE q.user_id = p_user_id;

    WITH gone AS MATERIALIZED (
        SELECT c.table_name, c.row_id
        FROM audit.changes AS c
        WHERE c.action = 'DELETE'
            AND c.old_values ? 'user_id'
            AND c.table_name IN ('journal_entries', 'journal_tags', 'journal_questions')
            AND c.old_values ->> 'user_id' = p_user_id::text
    )
    UPDATE audit.changes AS c
    SET old_values = c.old_values - c_words, new_values = c.new_values - c_words
    FROM gone AS g
    WHERE c.row_id = g.row_id
        AND c.table_name = g.table_name
        AND (c.old_values ?| c_words OR c.new_values ?| c_words);
END
$$;
COMMENT ON FUNCTION internal.forget_journal(bigint) IS
'Erases the journal of a user, and its words from the audit trail.';
REVOKE ALL ON FUNCTION internal.forget_journal(bigint) FROM public;
