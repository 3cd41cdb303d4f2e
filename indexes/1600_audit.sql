-- 1600_audit.sql: indexes of the audit trail.

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_changes_row ON audit.changes (row_id, table_name);
COMMENT ON INDEX audit.idx_changes_row IS 'History of a row.';
-- Deletions, and rows that changed hands: few.
CREATE INDEX IF NOT EXISTS idx_changes_owner ON audit.changes ((old_values ->> 'user_id'))
WHERE old_values ? 'user_id';
COMMENT ON INDEX audit.idx_changes_owner IS
'Rows that a user had and has no more; whose traces close_user empties.';
-- Rows come in the order of time: ranges of blocks suffice, and an insert pays almost nothing.
CREATE INDEX IF NOT EXISTS idx_changes_changed_at ON audit.changes
USING brin (changed_at) WITH (autosummarize = on);
COMMENT ON INDEX audit.idx_changes_changed_at IS 'Changes between two times.';
