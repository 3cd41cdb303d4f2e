-- 6800_open_rights.sql: rights to see open rights.

CALL deploy.become_owner();

GRANT SELECT ON monitoring.open_rights TO rubi_monitor, rubi_backup;
