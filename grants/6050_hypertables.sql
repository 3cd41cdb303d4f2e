-- 6050_hypertables.sql: rights on hypertables and their chunks.

CALL deploy.become_owner();

GRANT EXECUTE ON FUNCTION internal.lift_columnstore_limit() TO rubi_app;
GRANT EXECUTE ON FUNCTION
monitoring.has_columnstore(text), monitoring.timescaledb_edition()
TO rubi_monitor;
