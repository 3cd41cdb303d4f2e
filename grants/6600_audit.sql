-- 6600_audit.sql: rights to read the audit trail.

CALL deploy.become_owner();

-- The trail is written by its trigger alone.
-- who changed what and when, but not from what to what: names, money and the words of journals
REVOKE SELECT ON audit.changes FROM rubi_monitor;
GRANT SELECT (
    id, changed_at, login, app_user_id, table_name, row_id, action
) ON audit.changes TO rubi_monitor;
GRANT SELECT ON audit.changes TO rubi_app, rubi_backup;
GRANT SELECT ON SEQUENCE audit.changes_id_seq TO rubi_backup;
