-- 1600_audit.sql: index of the audit trail.
-- needs: schema/0600_audit.sql
-- transaction: yes

CALL deploy.become_owner();

CREATE INDEX IF NOT EXISTS idx_changes_row ON audit.changes (row_id, table_name);
COMMENT ON INDEX audit.idx_changes_row IS 'History of a row.';
