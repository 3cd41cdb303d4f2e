-- 5890_monitoring_thresholds.sql: thresholds to begin with. Changed ones stay.

CALL deploy.become_owner();

-- Figures and direction are set once; meaning and advice of a check follow this file.
INSERT INTO monitoring.thresholds (name, warning, critical, worse, unit, meaning, action)
VALUES
(
    'connections', 80, 95, 'above', '% of slots',
    'connections in use, of the slots for roles without special rights',
    'find their owners in monitoring.active_connections; put PgBouncer between'
),
(
    'blocked_sessions', 10, 60, 'above', 's',
    'longest wait for a lock',
    'read monitoring.blocking; end the root with pg_cancel_backend or pg_terminate_backend'
),
(
    'idle_transactions', 60, 300, 'above', 's',
    'longest time that a session idles inside a transaction',
    'repair the client: it forgets to commit; end the session with pg_terminate_backend'
),
(
    'long_transactions', 600, 3600, 'above', 's',
    'oldest open transaction, which keeps dead rows and locks',
    'read monitoring.long_transactions; cut the work into smaller transactions'
),
(
    'slow_statements', 1000, 10000, 'above', 'ms',
    'highest mean time of a statement that ran at least five times',
    'read monitoring.slow_statements and its plan with EXPLAIN (ANALYZE, BUFFERS)'
),
(
    'unused_indexes', 1073741824, 10737418240, 'above', 'bytes',
    'indexes that no query has used since the statistics were reset',
    'look at monitoring.unused_indexes on every replica too, then drop them'
),
(
    'duplicate_indexes', 1, 5, 'above', 'indexes',
    'indexes that another one makes redundant',
    'drop those in monitoring.duplicate_indexes'
),
(
    'invalid_indexes', 1, 3, 'above', 'indexes',
    'indexes left by an interrupted build: they cost writing and serve no query',
    'REINDEX INDEX CONCURRENTLY or DROP INDEX those in monitoring.invalid_indexes'
),
(
    'missing_indexes', 1, 5, 'above', 'foreign keys',
    'foreign keys of tables over 1 MB without an index',
    'create an index on the columns in monitoring.foreign_keys_without_index'
),
(
    'cache_hits', 99, 90, 'below', '%',
    'blocks found in shared_buffers',
    'find tables read as a whole in monitoring.cache_hits; add indexes or memory'
),
(
    'bloat', 50, 80, 'above', '%',
    'largest share of a table over 10 MB that its rows do not need, estimated',
    'CALL shrink_tables() where rows are few, else VACUUM FULL in a maintenance window'
),
(
    'dead_rows', 2, 10, 'above', 'x threshold',
    'dead rows against the number at which autovacuum comes',
    'end long transactions, then VACUUM the table; give autovacuum more workers'
),
(
    'wraparound', 500000000, 1000000000, 'above', 'transactions',
    'age of the oldest database; at 2147 million the server stops writing',
    'end long transactions and drop dead slots, then VACUUM (FREEZE) that database'
),
(
    'sequences', 70, 90, 'above', '%',
    'numbers that a sequence has used up',
    'make the column bigint and its sequence too'
),
(
    'replication_lag', 104857600, 1073741824, 'above', 'bytes',
    'WAL that the slowest standby has not replayed',
    'look at network, disk and long queries of the standby'
),
(
    'replication_slots', 1073741824, 10737418240, 'above', 'bytes',
    'WAL that a slot keeps from being removed: it fills the disk',
    'start its reader, or drop the slot in monitoring.replication_slots'
),
(
    'checkpoints', 30, 60, 'above', '%',
    'checkpoints of a day before their time, beside those by time: WAL forced them, or commands',
    'raise max_wal_size, unless it was commands such as DROP DATABASE'
),
(
    'temporary_files', 1073741824, 10737418240, 'above', 'bytes/h',
    'sorts and hashes that did not fit work_mem',
    'find the statements in monitoring.slow_statements; add an index or work_mem for them'
),
(
    'database_size', 75000000000, 90000000000, 'above', 'bytes',
    'size of this database; thresholds for a volume of 100 GB',
    'see monitoring.growth; archive old bars; enlarge the volume and these thresholds'
),
(
    'chunk_count', 1000, 3000, 'above', 'chunks',
    'chunks of the hypertable with the most: planning time grows with them',
    'set_chunk_time_interval for new chunks; archive and drop old ones'
),
(
    'chunk_memory', 33, 66, 'above', '% of cache',
    'indexes of the chunks being written against effective_cache_size',
    'set_chunk_time_interval to a shorter one; add memory'
),
(
    'chunks_ahead', 24, 0, 'below', 'h',
    'time until a hypertable has no chunk for new rows; below 0 the present has none',
    'CALL monitoring.make_chunks_ahead(), and schedule it daily'
),
(
    'policies', 6, 48, 'above', 'h',
    'longest time that a run of a policy of the Timescale licence is overdue',
    'CALL run_timescale_policies() as rubi_admin, and schedule it; see monitoring.policies'
),
(
    'lifecycle', 72, 336, 'above', 'h',
    'longest time that rows which are to be thinned, archived or dropped are overdue',
    'read monitoring.plan_lifecycle(); run scripts/archive.py write, schedule follow_lifecycle(); '
    'or change monitoring.lifecycle: docs/guides/lifecycle.md'
),
(
    'disk_full', 30, 7, 'below', 'days',
    'time until the database has the critical size of database_size, at the growth of 30 days',
    'see monitoring.growth and monitoring.lifecycle; enlarge the volume, then set the sizes of '
    'database_size'
),
(
    'backup_age', 26, 50, 'above', 'h',
    'time since the last backup that succeeded, or since the installation',
    'run scripts/backup.sh and read its output; see monitoring.backups'
),
(
    'backup_rights', 1, 1000, 'above', 'tables',
    'tables and sequences that rubi_backup may not read: its next backup fails',
    'as superuser GRANT pg_read_all_data TO rubi_backup; else let the owner grant: '
    'docs/guides/backups.md'
),
(
    'drill_age', 192, 768, 'above', 'h',
    'time since a backup was last restored and compared, or since the installation',
    'run scripts/restore_drill.sh and read its output; see monitoring.backups'
),
(
    'market_lag', 300, 1800, 'above', 's',
    'longest time that the next bar or tick of a live source is overdue, in open hours',
    'see monitoring.ingest_lag; look at the loader and the terminal of that source'
),
(
    'snapshot_lag', 600, 3600, 'above', 's',
    'longest time without a snapshot from a broker server with active sessions',
    'see monitoring.ingest_lag; look at the gateway, or close sessions that have ended'
),
(
    'ping_lag', 120, 600, 'above', 's',
    'longest time without a heartbeat from a broker server with active sessions',
    'see monitoring.ingest_lag; look at the terminals, or close sessions that have ended'
),
(
    'claims_in_doubt', 1, 10, 'above', 'claims',
    'claims of signals that were sent and never settled: the broker may have the order or not',
    'for each in claims_in_doubt look at the account for its magic number, then settle_signal: '
    'docs/guides/signals.md'
),
(
    'claims_not_taken_up', 300, 3600, 'above', 's',
    'longest time since a lease ended unsent while no worker claims the pending signal again',
    'look at the workers of that account, or give signals a valid_until and run expire_signals()'
),
(
    'proofs', 1, 10, 'above', 'rows',
    'rows that contradict a proof: figures kept twice do not agree',
    'read the views that monitoring.latest_proofs names'
),
(
    'performance_failures', 1, 10, 'above', 'groups',
    'users or strategies whose results the last refresh of a period could not measure',
    'read monitoring.performance_failures; correct the orders it names, refresh the period again'
),
(
    'proof_age', 26, 50, 'above', 'h',
    'time since the proofs were last looked at',
    'SELECT monitoring.take_readings(), and schedule it'
),
(
    'vanished_days', 1, 1, 'above', 'days',
    'days of history that vanished without one of our procedures',
    'see monitoring.vanished_days; find the deleting session, restore the days from a backup; an '
    'intended loss: INSERT INTO monitoring.dropped_ranges (relation, range_start, range_end, '
    'reason)'
),
(
    'server_clocks', 1, 1, 'above', 'servers',
    'trade servers whose clock is not what their rule says: their times are stored wrong',
    'read monitoring.server_clocks; correct mt5_server_clocks, then rederive_mt5_times(server)'
),
(
    'oldest_snapshot', 600, 3600, 'above', 's',
    'oldest transaction whose snapshot keeps dead rows of the whole server',
    'read monitoring.snapshot_holders; end its session, or dump from a standby'
),
(
    'waiting_locks', 5, 20, 'above', 'sessions',
    'sessions that wait for a lock at this moment',
    'read monitoring.blocking; end the root; SELECT monitoring.incident(from, until) for the past'
),
(
    'archiver_failures', 60, 900, 'above', 's',
    'time since WAL was last archived, while archiving fails: WAL fills the disk',
    'read the log of the server for archive_command; look at the repository of the backups'
),
(
    'deadlocks', 1, 20, 'above', 'deadlocks/h',
    'deadlocks of the last hour',
    'SELECT monitoring.incident(from, until); the log has both statements; take locks in one order'
),
(
    'failed_jobs', 1, 3, 'above', 'policies',
    'policies of TimescaleDB whose latest run failed',
    'read monitoring.policies; CALL run_timescale_policies() shows the error'
),
(
    'failed_schedules', 1, 3, 'above', 'jobs',
    'jobs of pg_cron whose latest run failed',
    'read monitoring.schedules; run its command by hand'
),
(
    'prepared_transactions', 300, 3600, 'above', 's',
    'oldest prepared transaction, which keeps locks and dead rows, over a restart too',
    'COMMIT PREPARED or ROLLBACK PREPARED each in pg_prepared_xacts'
),
(
    'checksum_failures', 1, 1, 'above', 'pages',
    'pages that were read from disk damaged',
    'stop writing; look at the disk; restore the database, or a standby in its place'
),
(
    'autovacuum_off', 1, 1000, 'above', 'tables',
    'tables without autovacuum; 1000 and more: the whole server',
    'ALTER TABLE ... RESET (autovacuum_enabled); set autovacuum = on'
),
(
    'extensions_behind', 1, 3, 'above', 'extensions',
    'extensions older in this database than the library of the server',
    'ALTER EXTENSION ... UPDATE, timescaledb first, alone in a new session of psql -X'
),
(
    'collation_versions', 1, 1, 'above', 'collations',
    'collations that the machine''s update changed: indexes on texts may find nothing',
    'REINDEX DATABASE, then ALTER DATABASE ... REFRESH COLLATION VERSION: docs/guides/repairs.md'
),
(
    'sample_age', 60, 600, 'above', 's',
    'time since a sample was taken: what happens now can''t be looked up later',
    'schedule health.py sample or monitoring.take_sample(): docs/guides/monitoring.md'
),
(
    'known_holes', 1, 3, 'above', 'holes',
    'known holes of this version of TimescaleDB that every role may use',
    'have a superuser run grants/6020_extensions.sql, or update TimescaleDB: '
    'docs/guides/security.md'
)
ON CONFLICT (name) DO UPDATE
    SET
        unit = excluded.unit,
        worse = excluded.worse,
        meaning = excluded.meaning,
        action = excluded.action
    WHERE
    (thresholds.unit, thresholds.worse, thresholds.meaning, thresholds.action)
    IS DISTINCT FROM (excluded.unit, excluded.worse, excluded.meaning, excluded.action);
