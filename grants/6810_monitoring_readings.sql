-- 6810_monitoring_readings.sql: rights to take and see readings.

CALL deploy.become_owner();

GRANT SELECT ON monitoring.proof_readings, monitoring.size_readings TO rubi_monitor, rubi_backup;

GRANT EXECUTE ON FUNCTION monitoring.prove_trips(bigint), monitoring.take_readings()
TO rubi_monitor;
