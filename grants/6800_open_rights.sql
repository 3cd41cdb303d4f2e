-- 6800_open_rights.sql: who may see which rights are open.

CALL deploy.become_owner();

GRANT SELECT ON monitoring.open_rights TO rubi_monitor, rubi_backup;
