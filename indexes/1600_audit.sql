-- 1600_audit.sql: index of the audit trail.
-- needs: schema/0600_audit.sql
-- transaction: yes

CALL deploy.become_owner();

-- history of a row; times follow the primary key
CREATE INDEX IF NOT EXISTS idx_changes_row ON audit.changes (row_id, table_name);
