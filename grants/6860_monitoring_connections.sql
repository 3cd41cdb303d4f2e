-- 6860_monitoring_connections.sql: rights to see connections and statements.

CALL deploy.become_owner();

GRANT SELECT ON
monitoring.active_connections, monitoring.blind_spots, monitoring.blocking,
monitoring.connection_usage, monitoring.frequent_statements, monitoring.long_transactions,
monitoring.slow_statements
TO rubi_monitor, rubi_backup;
