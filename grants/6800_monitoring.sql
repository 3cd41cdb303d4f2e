-- 6800_monitoring.sql: rubi_monitor reads the monitoring views and records readings.
-- needs: grants/6010_roles.sql, views/3880_monitoring_health.sql, views/3890_take_readings.sql
-- transaction: yes

CALL deploy.become_owner();

GRANT USAGE ON SCHEMA monitoring TO rubi_monitor, rubi_backup;
GRANT SELECT ON
monitoring.backups, monitoring.blind_spots, monitoring.bloat, monitoring.blocking,
monitoring.cache_hits, monitoring.checkpoints, monitoring.chunk_sizes, monitoring.connection_usage,
monitoring.dead_rows, monitoring.duplicate_indexes, monitoring.foreign_keys_without_index,
monitoring.frequent_statements, monitoring.growth, monitoring.health, monitoring.health_values,
monitoring.hypertables, monitoring.index_sizes, monitoring.ingest_lag, monitoring.invalid_indexes,
monitoring.latest_proofs, monitoring.long_transactions, monitoring.policies, monitoring.policy_runs,
monitoring.proof_readings,
monitoring.replication, monitoring.replication_slots, monitoring.sequences,
monitoring.size_readings, monitoring.stored_indexes, monitoring.stored_tables,
monitoring.temporary_files, monitoring.thresholds, monitoring.wal, monitoring.wraparound,
monitoring.absent_days, monitoring.day_readings, monitoring.dropped_ranges,
monitoring.open_rights, monitoring.vanished_days
TO rubi_monitor, rubi_backup;
GRANT EXECUTE ON FUNCTION
monitoring.can_see_all(),
monitoring.estimate_bloat(),
monitoring.read_checkpoints(),
monitoring.read_ingest(),
monitoring.read_policies(),
monitoring.read_sequences(),
monitoring.read_statements()
TO rubi_monitor, rubi_backup;
GRANT EXECUTE ON FUNCTION monitoring.take_readings() TO rubi_monitor;
