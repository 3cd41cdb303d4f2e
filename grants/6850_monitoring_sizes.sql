-- 6850_monitoring_sizes.sql: rights to see sizes of tables and indexes.

CALL deploy.become_owner();

GRANT SELECT ON
monitoring.bloat, monitoring.cache_hits, monitoring.chunk_sizes, monitoring.database_size,
monitoring.dead_rows, monitoring.duplicate_indexes, monitoring.foreign_keys_without_index,
monitoring.growth, monitoring.index_sizes, monitoring.invalid_indexes, monitoring.sequences,
monitoring.stored_hypertables, monitoring.stored_indexes, monitoring.stored_tables,
monitoring.table_sizes, monitoring.unused_indexes, monitoring.wraparound
TO rubi_monitor, rubi_backup;
