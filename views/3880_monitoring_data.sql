-- 3880_monitoring_data.sql: hypertables, backups, ingest and the latest proofs.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.hypertables
WITH (security_invoker = TRUE) AS
WITH chunks AS MATERIALIZED (
    SELECT
        c.hypertable_schema,
        c.hypertable_name,
        c.chunk_schema,
        c.chunk_name,
        c.range_start,
        c.range_end,
        row_number() OVER (
            PARTITION BY c.hypertable_schema, c.hypertable_name ORDER BY c.range_end DESC
        ) AS position
    FROM timescaledb_information.chunks AS c
    -- without the fences (functions/2170_fence_snapshots.sql) at both ends of time
    WHERE c.range_start > '1970-01-01 00:00:00+00' AND c.range_end < 'infinity'
),

latest AS (
    SELECT
        c.hypertable_schema,
        c.hypertable_name,
        count(*) AS chunks,
        max(c.range_start) AS last_start,
        max(c.range_end) AS last_end,
        max(
            CASE
                WHEN c.position <= 3
                    THEN
                        pg_indexes_size(
                            format('%I.%I', c.chunk_schema, c.chunk_name)::regclass
                        )
            END
        ) AS index_bytes
    FROM chunks AS c
    GROUP BY c.hypertable_schema, c.hypertable_name
)

SELECT
    d.hypertable_schema AS table_schema,
    d.hypertable_name AS table_name,
    coalesce(l.chunks, 0) AS chunks,
    d.time_interval AS chunk_interval,
    l.last_start,
    l.last_end,
    l.last_end - now() AS ahead,
    coalesce(l.index_bytes, 0) AS index_bytes,
    round(
        100.0 * coalesce(l.index_bytes, 0)
        / pg_size_bytes(current_setting('effective_cache_size')), 1
    ) AS percent_of_cache
FROM timescaledb_information.dimensions AS d
LEFT JOIN latest AS l
    ON d.hypertable_schema = l.hypertable_schema AND d.hypertable_name = l.hypertable_name
-- only its policy writes to the table behind a continuous aggregate
WHERE d.dimension_number = 1 AND d.hypertable_schema NOT LIKE '\_timescaledb\_%';

COMMENT ON VIEW monitoring.hypertables IS
'Hypertables: chunks, indexes of the chunk being written against memory, and the reach of chunks
made ahead.';
COMMENT ON COLUMN monitoring.hypertables.table_schema IS 'Schema.';
COMMENT ON COLUMN monitoring.hypertables.table_name IS 'Hypertable.';
COMMENT ON COLUMN monitoring.hypertables.chunks IS 'Number of chunks.';
COMMENT ON COLUMN monitoring.hypertables.chunk_interval IS 'Time that a chunk holds.';
COMMENT ON COLUMN monitoring.hypertables.last_start IS 'Beginning of the latest chunk, UTC.';
COMMENT ON COLUMN monitoring.hypertables.last_end IS 'End of the latest chunk, UTC.';
COMMENT ON COLUMN monitoring.hypertables.ahead IS
'Time until the latest chunk ends; negative when the present has no chunk.';
COMMENT ON COLUMN monitoring.hypertables.index_bytes IS
'Bytes of the indexes of the largest of the latest three chunks.';
COMMENT ON COLUMN monitoring.hypertables.percent_of_cache IS
'index_bytes in percent of effective_cache_size.';

-- Not security_invoker: the view takes the age of the database from deploy.history, which
-- rubi_monitor may not read.
CREATE OR REPLACE VIEW monitoring.backups AS
WITH kinds AS (
    SELECT
        k.kind,
        max(b.finished_at) FILTER (WHERE b.succeeded) AS last_success
    FROM (VALUES ('backup'), ('physical'), ('drill')) AS k (kind)
    LEFT JOIN monitoring.backup_runs AS b ON k.kind = b.kind
    GROUP BY k.kind
)

SELECT
    k.kind,
    k.last_success,
    now() - coalesce(k.last_success, (SELECT min(h.applied_at) FROM deploy.history AS h)) AS age,
    (
        SELECT count(*)
        FROM monitoring.backup_runs AS b
        WHERE
            b.kind = k.kind
            AND NOT b.succeeded
            AND b.finished_at > coalesce(k.last_success, '-infinity')
    ) AS failures_since,
    (
        SELECT b.message
        FROM monitoring.backup_runs AS b
        WHERE b.kind = k.kind
        ORDER BY b.finished_at DESC, b.id DESC
        LIMIT 1
    ) AS last_message,
    (
        SELECT b.bytes
        FROM monitoring.backup_runs AS b
        WHERE b.kind = k.kind AND b.succeeded
        ORDER BY b.finished_at DESC, b.id DESC
        LIMIT 1
    ) AS bytes
FROM kinds AS k;

COMMENT ON VIEW monitoring.backups IS
'Latest successful run of each kind, and the failures since.';
COMMENT ON COLUMN monitoring.backups.kind IS 'backup, physical or drill.';
COMMENT ON COLUMN monitoring.backups.last_success IS
'End of the latest successful run, UTC; NULL for none.';
COMMENT ON COLUMN monitoring.backups.age IS 'Time since this end, or since the installation.';
COMMENT ON COLUMN monitoring.backups.failures_since IS 'Runs that failed since.';
COMMENT ON COLUMN monitoring.backups.last_message IS 'Message of the latest run of all.';
COMMENT ON COLUMN monitoring.backups.bytes IS 'Size of the latest successful one.';

CREATE OR REPLACE VIEW monitoring.ingest_lag
WITH (security_invoker = TRUE) AS
SELECT
    r.kind,
    r.source,
    r.last_at,
    r.overdue
FROM monitoring.read_ingest() AS r;

COMMENT ON VIEW monitoring.ingest_lag IS
'Latest bar, tick, snapshot and ping of each live source, and the delay of the next.';
COMMENT ON COLUMN monitoring.ingest_lag.kind IS 'bar, tick, snapshot or ping.';
COMMENT ON COLUMN monitoring.ingest_lag.source IS
'Source of the series and its calendar, or broker server.';
COMMENT ON COLUMN monitoring.ingest_lag.last_at IS 'Time of the latest one, UTC.';
COMMENT ON COLUMN monitoring.ingest_lag.overdue IS
'Delay of the next one; bars and ticks count open hours only.';

CREATE OR REPLACE VIEW monitoring.latest_proofs
WITH (security_invoker = TRUE) AS
SELECT DISTINCT ON (r.name)
    r.name,
    r.violations,
    r.taken_at,
    r.listed_by
FROM monitoring.proof_readings AS r
ORDER BY r.name ASC, r.taken_at DESC;

COMMENT ON VIEW monitoring.latest_proofs IS 'Results of the proofs at their latest reading.';
COMMENT ON COLUMN monitoring.latest_proofs.name IS 'Proof.';
COMMENT ON COLUMN monitoring.latest_proofs.violations IS 'Rows that contradicted the proof.';
COMMENT ON COLUMN monitoring.latest_proofs.taken_at IS 'Time of the reading, UTC.';
COMMENT ON COLUMN monitoring.latest_proofs.listed_by IS 'View that lists the rows.';
