-- 6820_history_readings.sql: rights to see vanished days of history.

CALL deploy.become_owner();

GRANT SELECT ON
monitoring.absent_days, monitoring.chunk_readings, monitoring.day_readings,
monitoring.dropped_ranges, monitoring.vanished_days
TO rubi_monitor, rubi_backup;
GRANT SELECT ON SEQUENCE monitoring.dropped_ranges_id_seq TO rubi_backup;
