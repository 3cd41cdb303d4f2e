-- 3872_server_health.sql: what holds back, locks, fails or is left behind, and the checks of it.

CALL deploy.become_owner();

-- Autovacuum's own snapshots hold back nothing.
CREATE OR REPLACE VIEW monitoring.snapshot_holders
WITH (security_invoker = TRUE) AS
SELECT
    'session' AS kind,
    format('pid %s', a.pid) AS holder,
    a.usename AS username,
    a.application_name,
    a.state,
    clock_timestamp() - a.xact_start AS age,
    greatest(age(a.backend_xmin), age(a.backend_xid)) AS transactions,
    a.query
FROM pg_catalog.pg_stat_activity AS a
WHERE
    (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
    AND a.backend_type <> 'autovacuum worker'
    AND a.pid <> pg_backend_pid()
UNION ALL
SELECT
    'prepared transaction' AS kind,
    p.gid AS holder,
    p.owner AS username,
    NULL AS application_name,
    NULL AS state,
    clock_timestamp() - p.prepared AS age,
    age(p.transaction) AS transactions,
    NULL AS query
FROM pg_catalog.pg_prepared_xacts AS p
UNION ALL
SELECT
    'slot' AS kind,
    s.slot_name AS holder,
    NULL AS username,
    NULL AS application_name,
    CASE WHEN s.active THEN 'active' ELSE 'not read' END AS state,
    NULL AS age,
    greatest(age(s.xmin), age(s.catalog_xmin)) AS transactions,
    NULL AS query
FROM pg_catalog.pg_replication_slots AS s
WHERE s.xmin IS NOT NULL OR s.catalog_xmin IS NOT NULL
ORDER BY age DESC NULLS LAST;

COMMENT ON VIEW monitoring.snapshot_holders IS
'What keeps dead rows from being removed, the oldest first. Sessions of other roles need
pg_monitor.';
COMMENT ON COLUMN monitoring.snapshot_holders.kind IS 'session, prepared transaction or slot.';
COMMENT ON COLUMN monitoring.snapshot_holders.holder IS
'Process, name of the prepared transaction or of the slot.';
COMMENT ON COLUMN monitoring.snapshot_holders.username IS 'Role; NULL for a slot.';
COMMENT ON COLUMN monitoring.snapshot_holders.application_name IS
'Name that the client gives itself.';
COMMENT ON COLUMN monitoring.snapshot_holders.state IS 'active, idle in transaction, not read ...';
COMMENT ON COLUMN monitoring.snapshot_holders.age IS
'Time since the transaction began; NULL for a slot.';
COMMENT ON COLUMN monitoring.snapshot_holders.transactions IS
'Transactions that began since: their dead rows stay.';
COMMENT ON COLUMN monitoring.snapshot_holders.query IS 'Latest statement of a session.';

CREATE OR REPLACE VIEW monitoring.schedules
WITH (security_invoker = TRUE) AS
SELECT
    r.job,
    r.succeeded,
    r.ended_at,
    r.message
FROM monitoring.read_schedules() AS r;

COMMENT ON VIEW monitoring.schedules IS
'Jobs of pg_cron in this database and how the latest run of each ended.';
COMMENT ON COLUMN monitoring.schedules.job IS
'Name of the job, or its command; NULL where runs are out of sight.';
COMMENT ON COLUMN monitoring.schedules.succeeded IS 'Whether its latest run succeeded.';
COMMENT ON COLUMN monitoring.schedules.ended_at IS 'End of this run, UTC.';
COMMENT ON COLUMN monitoring.schedules.message IS
'Answer or error of this run, or why runs are out of sight.';

-- monitoring.health_values has these rows too: a view of all checks would be longer than a page.
CREATE OR REPLACE VIEW monitoring.server_health
WITH (security_invoker = TRUE) AS
SELECT
    'oldest_snapshot' AS name,
    CASE
        WHEN monitoring.can_see_all()
            THEN coalesce(round(date_part('epoch', max(h.age))::numeric, 1), 0)
    END AS value,
    CASE
        WHEN NOT monitoring.can_see_all() THEN 'not visible without pg_monitor'
        ELSE coalesce(
            (array_agg(
                concat_ws(', ', h.holder, h.username, nullif(h.application_name, ''), h.state)
                ORDER BY h.age DESC NULLS LAST
            ))[1],
            'none'
        )
    END AS detail
FROM monitoring.snapshot_holders AS h
UNION ALL
SELECT
    'waiting_locks' AS name,
    count(DISTINCT k.pid) AS value,
    coalesce(
        'most for ' || mode() WITHIN GROUP (ORDER BY coalesce(c.relname, k.locktype)), 'none'
    ) AS detail
FROM pg_catalog.pg_locks AS k
LEFT JOIN pg_catalog.pg_class AS c ON k.relation = c.oid
WHERE NOT k.granted
UNION ALL
SELECT
    'archiver_failures' AS name,
    CASE
        WHEN a.last_failed_time > coalesce(a.last_archived_time, '-infinity') OR c.is_empty
            THEN round(date_part(
                'epoch', clock_timestamp() - coalesce(a.last_archived_time, a.stats_reset)
            )::numeric, 1)
        ELSE 0
    END AS value,
    CASE
        WHEN c.is_empty THEN 'archive_command and archive_library are empty: WAL stays for ever'
        WHEN a.last_failed_time > coalesce(a.last_archived_time, '-infinity')
            THEN format('%s could not be archived', a.last_failed_wal)
        WHEN current_setting('archive_mode') = 'off' THEN 'archive_mode is off'
        ELSE format('%s segments archived', a.archived_count)
    END AS detail
FROM pg_catalog.pg_stat_archiver AS a
-- the server counts no failure where it has no command; of standbys only one with always archives
CROSS JOIN (
    VALUES (
        current_setting('archive_command') = ''
        AND current_setting('archive_library') = ''
        AND current_setting('archive_mode') IN (
            'always', CASE WHEN NOT pg_is_in_recovery() THEN 'on' END
        )
    )
) AS c (is_empty)
UNION ALL
SELECT
    'deadlocks' AS name,
    coalesce(
        (
            SELECT sum((f.figures -> 'deadlocks')::numeric)
            FROM monitoring.facts AS f
            WHERE f.kind = 'server' AND f.subject = '' AND f.began_at > now() - interval '1 hour'
        ), 0
    ) + CASE
        WHEN r.counters IS NULL OR d.deadlocks < (r.counters -> 'deadlocks')::bigint
            THEN d.deadlocks
        ELSE d.deadlocks - (r.counters -> 'deadlocks')::bigint
    END AS value,
    CASE
        WHEN r.counters IS NULL THEN 'counted since the statistics were reset: no sample yet'
        ELSE format('%s since the statistics were reset', d.deadlocks)
    END AS detail
FROM pg_catalog.pg_stat_database AS d
LEFT JOIN monitoring.counter_readings AS r ON r.kind = 'server' AND r.subject = ''
WHERE d.datname = current_database()
UNION ALL
SELECT
    'failed_jobs' AS name,
    count(*) FILTER (WHERE p.last_error IS NOT NULL) AS value,
    coalesce(
        min(format('%s of %s: %s', p.policy, p.table_name, p.last_error))
        FILTER (WHERE p.last_error IS NOT NULL),
        format('%s policies', count(*))
    ) AS detail
FROM monitoring.policies AS p
UNION ALL
SELECT
    'failed_schedules' AS name,
    CASE
        WHEN NOT coalesce(bool_or(s.job IS NULL), FALSE)
            THEN count(*) FILTER (WHERE NOT s.succeeded)
    END AS value,
    coalesce(
        min(s.message) FILTER (WHERE s.job IS NULL),
        min(format('%s: %s', s.job, s.message)) FILTER (WHERE NOT s.succeeded),
        format('%s jobs of pg_cron in this database', count(*))
    ) AS detail
FROM monitoring.schedules AS s
UNION ALL
SELECT
    'prepared_transactions' AS name,
    coalesce(round(date_part('epoch', max(clock_timestamp() - p.prepared))::numeric, 1), 0)
        AS value,
    format(
        '%s open%s', count(*),
        coalesce(', ' || (array_agg(p.gid || ' of ' || p.owner ORDER BY p.prepared))[1], '')
    ) AS detail
FROM pg_catalog.pg_prepared_xacts AS p
UNION ALL
SELECT
    'checksum_failures' AS name,
    coalesce(sum(d.checksum_failures), 0) AS value,
    CASE
        WHEN current_setting('data_checksums') = 'off' THEN 'checksums are off'
        ELSE coalesce(
            'in ' || string_agg(d.datname, ', ') FILTER (WHERE d.checksum_failures > 0), 'none'
        )
    END AS detail
FROM pg_catalog.pg_stat_database AS d
UNION ALL
-- one for each table, a thousand for the whole server
SELECT
    'autovacuum_off' AS name,
    count(c.oid) + CASE
        WHEN current_setting('autovacuum') = 'off' OR current_setting('track_counts') = 'off'
            THEN 1000
        ELSE 0
    END AS value,
    CASE
        WHEN current_setting('autovacuum') = 'off' THEN 'for the whole server'
        WHEN current_setting('track_counts') = 'off' THEN 'track_counts is off'
        ELSE coalesce(string_agg(c.relname, ', ' ORDER BY c.relname), 'no table')
    END AS detail
FROM pg_catalog.pg_class AS c
WHERE c.reloptions && ARRAY['autovacuum_enabled=false', 'autovacuum_enabled=off']
UNION ALL
SELECT
    'extensions_behind' AS name,
    count(*) FILTER (WHERE e.extversion <> a.default_version) AS value,
    coalesce(
        string_agg(
            format('%s %s, its library is %s', e.extname, e.extversion, a.default_version), '; '
        ) FILTER (WHERE e.extversion <> a.default_version),
        'none'
    ) AS detail
FROM pg_catalog.pg_extension AS e
INNER JOIN pg_catalog.pg_available_extensions AS a ON e.extname = a.name
UNION ALL
-- an update of the machine sorts texts otherwise: an index on them finds nothing, or two of one
SELECT
    'collation_versions' AS name,
    count(*) AS value,
    coalesce(string_agg(v.what, ', ' ORDER BY v.what), 'as the indexes were made') AS detail
FROM (
    SELECT 'database ' || d.datname AS what
    FROM pg_catalog.pg_database AS d
    WHERE
        d.datname = current_database()
        AND d.datcollversion <> pg_database_collation_actual_version(d.oid)
    UNION ALL
    SELECT 'collation ' || c.collname AS what
    FROM pg_catalog.pg_collation AS c
    WHERE
        c.oid IN (
            SELECT p.refobjid FROM pg_catalog.pg_depend AS p
            WHERE p.refclassid = 'pg_catalog.pg_collation'::regclass
        )
        AND c.collversion <> pg_collation_actual_version(c.oid)
) AS v
UNION ALL
SELECT
    'sample_age' AS name,
    round(date_part('epoch', clock_timestamp() - max(s.taken_at))::numeric, 1) AS value,
    coalesce('last ' || max(s.taken_at), 'none yet: docs/guides/monitoring.md') AS detail
FROM monitoring.samples AS s
UNION ALL
SELECT
    'replication_lag' AS name,
    CASE
        WHEN NOT coalesce(bool_or(r.bytes_behind IS NULL), FALSE)
            THEN coalesce(max(r.bytes_behind), 0)
    END AS value,
    CASE
        WHEN bool_or(r.bytes_behind IS NULL) THEN 'not visible without pg_monitor'
        ELSE format('%s standbys', count(*))
    END AS detail
FROM monitoring.replicas AS r
UNION ALL
SELECT
    'replication_slots' AS name,
    coalesce(max(s.retained_bytes), 0) AS value,
    format('%s slots, %s not read', count(*), count(*) FILTER (WHERE NOT s.active))
    || coalesce(
        ', most kept for '
        || (array_agg(s.slot_name ORDER BY s.retained_bytes DESC NULLS LAST))[1], ''
    ) AS detail
FROM monitoring.replication_slots AS s
UNION ALL
SELECT
    'checkpoints' AS name,
    round(
        100 * c.requested_a_day / (
            c.requested_a_day
            + 86400 / extract(EPOCH FROM current_setting('checkpoint_timeout')::interval)
        ), 1
    ) AS value,
    format(
        '%s a day before their time, one by time each %s',
        round(c.requested_a_day), current_setting('checkpoint_timeout')
    ) AS detail
FROM monitoring.checkpoints AS c
UNION ALL
SELECT
    'temporary_files' AS name,
    t.bytes_an_hour AS value,
    format('%s files', t.files) AS detail
FROM monitoring.temporary_files AS t
WHERE t.database = current_database();

COMMENT ON VIEW monitoring.server_health IS
'The checks of monitoring.health that are about the server.';
COMMENT ON COLUMN monitoring.server_health.name IS 'Check.';
COMMENT ON COLUMN monitoring.server_health.value IS
'Worst value now, in the unit of monitoring.thresholds; NULL when unknown.';
COMMENT ON COLUMN monitoring.server_health.detail IS
'Place of the value, or the reason why it is unknown.';
