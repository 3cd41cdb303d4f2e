-- 6600_audit.sql: rights to read the audit trail.

CALL deploy.become_owner();

-- The trail is written by its trigger alone.
GRANT SELECT ON audit.changes TO rubi_app, rubi_monitor, rubi_backup;
GRANT SELECT ON SEQUENCE audit.changes_id_seq TO rubi_backup;
