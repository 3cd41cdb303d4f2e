-- 6880_monitoring_data.sql: rights to see the age of the data.

CALL deploy.become_owner();

GRANT SELECT ON
monitoring.backups, monitoring.data_health, monitoring.hypertables, monitoring.ingest_lag,
monitoring.latest_proofs
TO rubi_monitor, rubi_backup;

GRANT EXECUTE ON FUNCTION monitoring.read_ingest() TO rubi_monitor, rubi_backup;
