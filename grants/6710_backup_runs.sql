-- 6710_backup_runs.sql: rights on the runs of backups.

CALL deploy.become_owner();

GRANT SELECT, INSERT ON monitoring.backup_runs TO rubi_backup;
GRANT SELECT ON monitoring.backup_runs TO rubi_monitor;
GRANT SELECT ON SEQUENCE monitoring.backup_runs_id_seq TO rubi_backup;
