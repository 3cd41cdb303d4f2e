-- 6870_monitoring_server.sql: rights to see the state of the server.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.read_age FROM rubi_app;
GRANT SELECT ON
monitoring.checkpoints, monitoring.replicas, monitoring.replication_slots, monitoring.schedules,
monitoring.server_health, monitoring.snapshot_holders, monitoring.temporary_files, monitoring.wal
TO rubi_monitor, rubi_backup;
GRANT SELECT ON public.read_age TO rubi_app, rubi_readonly, rubi_monitor;

GRANT EXECUTE ON FUNCTION
monitoring.can_see_all(), monitoring.estimate_bloat(), monitoring.read_checkpoints(),
monitoring.read_schedules(), monitoring.read_sequences(), monitoring.read_statements()
TO rubi_monitor, rubi_backup;
