-- 6880_monitoring_data.sql: who may see how fresh the data is.

CALL deploy.become_owner();

GRANT SELECT ON
monitoring.backups, monitoring.hypertables, monitoring.ingest_lag, monitoring.latest_proofs
TO rubi_monitor, rubi_backup;

GRANT EXECUTE ON FUNCTION monitoring.read_ingest() TO rubi_monitor, rubi_backup;
