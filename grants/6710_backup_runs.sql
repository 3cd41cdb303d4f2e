-- 6710_backup_runs.sql: rubi_backup writes its runs, rubi_monitor reads them.
-- needs: grants/6010_roles.sql, schema/0710_backup_runs.sql
-- transaction: yes

CALL deploy.become_owner();

GRANT USAGE ON SCHEMA monitoring TO rubi_backup;
GRANT SELECT, INSERT ON monitoring.backup_runs TO rubi_backup;
GRANT SELECT ON monitoring.backup_runs TO rubi_monitor;
