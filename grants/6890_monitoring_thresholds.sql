-- 6890_monitoring_thresholds.sql: rights to see health and its thresholds.

CALL deploy.become_owner();

GRANT SELECT ON
monitoring.health, monitoring.health_values, monitoring.thresholds
TO rubi_monitor, rubi_backup;
