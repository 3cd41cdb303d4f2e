-- 6010_deploy.sql: rights on the history of deployments.

CALL deploy.become_owner();

GRANT SELECT ON deploy.history TO rubi_backup;
GRANT SELECT ON SEQUENCE deploy.history_id_seq TO rubi_backup;

-- What was applied and when, for monitoring.incident(); not the texts.
GRANT SELECT (path, applied_by, applied_at, duration_ms) ON deploy.history TO rubi_monitor;
