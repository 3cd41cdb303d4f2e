-- 3870_monitoring_server.sql: replication slots, checkpoints, WAL and temporary files.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.replication_slots
WITH (security_invoker = TRUE) AS
SELECT
    s.slot_name,
    s.slot_type,
    s.active,
    pg_wal_lsn_diff(
        CASE
            WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn()
            ELSE pg_current_wal_lsn()
        END,
        s.restart_lsn
    )::bigint AS retained_bytes,
    s.wal_status
FROM pg_catalog.pg_replication_slots AS s;

COMMENT ON VIEW monitoring.replication_slots IS
'Replication slots and the WAL that each keeps from being removed.';
COMMENT ON COLUMN monitoring.replication_slots.slot_name IS 'Slot.';
COMMENT ON COLUMN monitoring.replication_slots.slot_type IS 'physical or logical.';
COMMENT ON COLUMN monitoring.replication_slots.active IS 'TRUE when a client reads from the slot.';
COMMENT ON COLUMN monitoring.replication_slots.retained_bytes IS 'WAL kept for the slot.';
COMMENT ON COLUMN monitoring.replication_slots.wal_status IS
'reserved, extended, unreserved or lost.';

-- Commands request checkpoints too, DROP DATABASE for one, and a load that is over is no matter:
-- the check of health goes by a day.
CREATE OR REPLACE VIEW monitoring.checkpoints
WITH (security_invoker = TRUE) AS
SELECT
    c.timed,
    c.requested,
    round(100.0 * c.requested / nullif(c.timed + c.requested, 0), 1) AS percent_requested,
    round(c.write_ms::numeric) AS write_ms,
    round(c.sync_ms::numeric) AS sync_ms,
    c.buffers_written,
    c.stats_reset,
    CASE
        WHEN r.counters IS NULL
            THEN
                round(
                    c.requested / greatest(1, extract(EPOCH FROM now() - c.stats_reset) / 86400), 1
                )
        ELSE
            c.requested - CASE
                WHEN c.requested < (r.counters -> 'requested')::bigint THEN 0
                ELSE (r.counters -> 'requested')::bigint
            END + coalesce(
                (
                    SELECT sum((f.figures -> 'requested')::numeric)
                    FROM monitoring.facts AS f
                    WHERE
                        f.kind = 'server'
                        AND f.subject = 'checkpoints'
                        AND f.began_at > now() - interval '1 day'
                ), 0
            )
    END AS requested_a_day
FROM monitoring.read_checkpoints() AS c
LEFT JOIN
    monitoring.counter_readings AS r
    ON r.kind = 'server' AND r.subject = 'checkpoints' AND r.taken_at > now() - interval '1 day';

COMMENT ON VIEW monitoring.checkpoints IS 'Checkpoints since the statistics were reset, one row.';
COMMENT ON COLUMN monitoring.checkpoints.timed IS 'Begun because checkpoint_timeout had passed.';
COMMENT ON COLUMN monitoring.checkpoints.requested IS
'Begun because max_wal_size was reached, or by command.';
COMMENT ON COLUMN monitoring.checkpoints.percent_requested IS 'requested in percent of all.';
COMMENT ON COLUMN monitoring.checkpoints.write_ms IS 'Time of writing, milliseconds.';
COMMENT ON COLUMN monitoring.checkpoints.sync_ms IS 'Time of syncing, milliseconds.';
COMMENT ON COLUMN monitoring.checkpoints.buffers_written IS 'Blocks written by checkpoints.';
COMMENT ON COLUMN monitoring.checkpoints.stats_reset IS 'Beginning of the count, UTC.';
COMMENT ON COLUMN monitoring.checkpoints.requested_a_day IS
'requested of the last day by samples; without samples the mean of a day since stats_reset.';

CREATE OR REPLACE VIEW monitoring.wal
WITH (security_invoker = TRUE) AS
SELECT
    w.wal_records AS records,
    w.wal_fpi AS full_pages,
    w.wal_bytes AS bytes,
    round(w.wal_bytes / greatest(date_part('epoch', now() - w.stats_reset)::numeric / 3600, 1))
        AS bytes_an_hour,
    w.wal_buffers_full AS buffers_full,
    w.stats_reset
FROM pg_catalog.pg_stat_wal AS w;

COMMENT ON VIEW monitoring.wal IS 'WAL written since the statistics were reset, one row.';
COMMENT ON COLUMN monitoring.wal.records IS 'WAL records.';
COMMENT ON COLUMN monitoring.wal.full_pages IS
'Whole pages written because a checkpoint had begun.';
COMMENT ON COLUMN monitoring.wal.bytes IS 'Bytes of WAL.';
COMMENT ON COLUMN monitoring.wal.bytes_an_hour IS 'Bytes of WAL an hour.';
COMMENT ON COLUMN monitoring.wal.buffers_full IS 'Number of times that wal_buffers were full.';
COMMENT ON COLUMN monitoring.wal.stats_reset IS 'Beginning of the count, UTC.';

CREATE OR REPLACE VIEW monitoring.temporary_files
WITH (security_invoker = TRUE) AS
SELECT
    d.datname AS database,
    d.temp_files AS files,
    d.temp_bytes AS bytes,
    round(
        d.temp_bytes / greatest(
            date_part('epoch', now() - coalesce(d.stats_reset, pg_postmaster_start_time()))::numeric
            / 3600, 1
        )
    ) AS bytes_an_hour,
    coalesce(d.stats_reset, pg_postmaster_start_time()) AS counted_since
FROM pg_catalog.pg_stat_database AS d
WHERE d.datname IS NOT NULL;

COMMENT ON VIEW monitoring.temporary_files IS
'Sorts and hashes that did not fit work_mem, by database.';
COMMENT ON COLUMN monitoring.temporary_files.database IS 'Database.';
COMMENT ON COLUMN monitoring.temporary_files.files IS
'Files written since the statistics were reset.';
COMMENT ON COLUMN monitoring.temporary_files.bytes IS 'Bytes of these files.';
COMMENT ON COLUMN monitoring.temporary_files.bytes_an_hour IS
'Bytes an hour, since the statistics were reset or the server started.';
COMMENT ON COLUMN monitoring.temporary_files.counted_since IS 'Beginning of the count, UTC.';
