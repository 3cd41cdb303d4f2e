-- 2862_read_incidents.sql: what a sample finds beyond waits, and its place in the ring.

CALL deploy.become_owner();

-- A fact that is seen again keeps its begin, in the table of the fortnight of the sample.
CREATE OR REPLACE FUNCTION monitoring.write_fact(
    p_kind text,
    p_subject text,
    p_began_at timestamptz,
    p_seen_at timestamptz,
    p_figure numeric,
    p_detail jsonb
)
RETURNS void
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    EXECUTE format(
        'INSERT INTO monitoring.facts_%s AS f (kind, subject, began_at, seen_at, figure, detail)'
        ' VALUES ($1, $2, least($3, $4), $4, $5, $6)'
        ' ON CONFLICT (kind, subject, began_at) DO UPDATE SET seen_at = excluded.seen_at,'
        ' figure = greatest(f.figure, excluded.figure), detail = excluded.detail',
        CASE
            WHEN p_kind = 'hour' THEN 3 + monitoring.ring_slot(p_began_at, 182)
            ELSE monitoring.ring_slot(p_seen_at, 14)
        END
    ) USING p_kind, left(p_subject, 200), p_began_at, p_seen_at, p_figure,
        coalesce(p_detail, '{}');
END
$$;
COMMENT ON FUNCTION
monitoring.write_fact(text, text, timestamptz, timestamptz, numeric, jsonb) IS
'Stores a fact, or that it still holds.';
REVOKE ALL ON FUNCTION
monitoring.write_fact(text, text, timestamptz, timestamptz, numeric, jsonb) FROM public;

CREATE OR REPLACE FUNCTION monitoring.told_of_session(p_session pg_stat_activity)
RETURNS jsonb
LANGUAGE sql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object(
        'pid', (p_session).pid,
        'role', coalesce((p_session).usename, (p_session).backend_type),
        'application', nullif((p_session).application_name, ''),
        'state', (p_session).state,
        'statement', nullif(coalesce(
            (
                SELECT s.body FROM monitoring.sampled_statements AS s
                WHERE s.statement_id = (p_session).query_id
            ), monitoring.plain_statement(left((p_session).query, 600))
        ), '')
    ))
$$;
COMMENT ON FUNCTION monitoring.told_of_session(pg_stat_activity) IS
'What is kept of a session: role, application, state, and its statement without constants.';
REVOKE ALL ON FUNCTION monitoring.told_of_session(pg_stat_activity) FROM public;

-- pg_blocking_pids() stops the lock manager for a moment: the function is asked of waits over 0.2
-- seconds, and of the 20 longest.
CREATE OR REPLACE FUNCTION monitoring.read_lock_waits(p_long interval)
RETURNS TABLE (kind text, subject text, began_at timestamptz, figure numeric, detail jsonb)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH waiting AS MATERIALIZED (
        SELECT
            k.pid,
            k.waitstart,
            format(
                '%s on %s', k.mode, coalesce(k.relation::regclass::text, k.locktype)
            ) AS lock
        FROM (
            SELECT a.pid FROM pg_stat_activity AS a
            WHERE a.wait_event_type = 'Lock' AND a.datname = current_database()
        ) AS w
        INNER JOIN pg_locks AS k ON w.pid = k.pid
        WHERE NOT k.granted
            AND k.waitstart <= clock_timestamp() - least(p_long, interval '0.2 seconds')
        ORDER BY k.waitstart
        LIMIT 20
    )

    SELECT
        'lock wait',
        format('pid %s waits for pid %s', w.pid, b.pid),
        w.waitstart,
        round(extract(EPOCH FROM clock_timestamp() - w.waitstart), 1),
        jsonb_build_object(
            'lock', w.lock,
            'waiter', monitoring.told_of_session(a),
            'blocker', CASE
                WHEN b.pid = 0 THEN '{"application": "prepared transaction"}'::jsonb
                ELSE monitoring.told_of_session(h)
            END,
            'blocker_waits', EXISTS (SELECT FROM waiting AS o WHERE o.pid = b.pid)
        )
    FROM waiting AS w
    CROSS JOIN LATERAL (
        SELECT DISTINCT u.pid FROM unnest(pg_blocking_pids(w.pid)) AS u (pid)
    ) AS b
    LEFT JOIN pg_stat_activity AS a ON w.pid = a.pid
    LEFT JOIN pg_stat_activity AS h ON b.pid = h.pid
    ORDER BY w.waitstart
    LIMIT 40;
END
$$;
COMMENT ON FUNCTION monitoring.read_lock_waits(interval) IS
'Sessions that wait for a lock and who holds it; figure is in seconds.';
REVOKE ALL ON FUNCTION monitoring.read_lock_waits(interval) FROM public;

CREATE OR REPLACE FUNCTION monitoring.read_incidents(p_long interval)
RETURNS TABLE (kind text, subject text, began_at timestamptz, figure numeric, detail jsonb)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_stat_activity AS a WHERE a.wait_event_type = 'Lock') THEN
        RETURN QUERY SELECT l.kind, l.subject, l.began_at, l.figure, l.detail
            FROM monitoring.read_lock_waits(p_long) AS l;
    END IF;
    RETURN QUERY
    WITH sessions AS MATERIALIZED (
        SELECT
            a.pid,
            a.state,
            a.state_change,
            a.xact_start,
            a.query_start,
            a.backend_start,
            (a.backend_xmin IS NOT NULL OR a.backend_xid IS NOT NULL)
            AND a.backend_type <> 'autovacuum worker' AS holds,
            a.application_name,
            monitoring.told_of_session(a) AS told
        FROM pg_stat_activity AS a
        WHERE a.pid <> pg_backend_pid()
            AND a.state <> 'idle'
            AND least(a.xact_start, a.query_start) <= clock_timestamp() - p_long
    ),

    progress AS (
        SELECT 'vacuum' AS kind, v.pid, v.datid, v.relid, v.heap_blks_total AS size, 'pages' AS unit
        FROM pg_stat_progress_vacuum AS v
        UNION ALL
        SELECT 'load', c.pid, c.datid, c.relid, c.tuples_processed, 'rows so far'
        FROM pg_stat_progress_copy AS c
        WHERE c.command = 'COPY FROM'
        UNION ALL
        SELECT 'index build', i.pid, i.datid, i.relid, i.blocks_total, 'pages'
        FROM pg_stat_progress_create_index AS i
        UNION ALL
        SELECT 'rewrite', r.pid, r.datid, r.relid, r.heap_blks_total, 'pages'
        FROM pg_stat_progress_cluster AS r
        UNION ALL
        SELECT 'backup', b.pid, NULL, NULL, b.backup_total, 'bytes'
        FROM pg_stat_progress_basebackup AS b
    )

    SELECT 'idle in transaction', format('pid %s', s.pid), s.state_change,
        round(extract(EPOCH FROM clock_timestamp() - s.state_change), 1), s.told
    FROM sessions AS s
    WHERE s.state LIKE 'idle in transaction%' AND s.state_change <= clock_timestamp() - p_long
    UNION ALL
    (
        SELECT 'snapshot', format('pid %s', s.pid), s.xact_start,
            round(extract(EPOCH FROM clock_timestamp() - s.xact_start), 1), s.told
        FROM sessions AS s
        WHERE s.holds AND s.xact_start <= clock_timestamp() - p_long
        ORDER BY s.xact_start
        LIMIT 1
    )
    UNION ALL
    SELECT p.kind, coalesce(p.relid::regclass::text, format('pid %s', p.pid)), s.query_start,
        p.size::numeric, s.told || jsonb_build_object('unit', p.unit)
    FROM progress AS p
    INNER JOIN sessions AS s ON p.pid = s.pid
    INNER JOIN pg_database AS d ON d.datname = current_database()
    WHERE p.datid = d.oid OR p.datid IS NULL
    UNION ALL
    SELECT 'backup', s.application_name, s.backend_start,
        round(extract(EPOCH FROM clock_timestamp() - s.backend_start), 1),
        s.told || '{"unit": "s"}'
    FROM sessions AS s
    WHERE s.application_name ~ '^(pg_dump|pg_basebackup|rubi backup|pgBackRest)'
    UNION ALL
    SELECT 'prepared transaction', x.gid, x.prepared,
        round(extract(EPOCH FROM clock_timestamp() - x.prepared), 1),
        jsonb_build_object('role', x.owner)
    FROM pg_prepared_xacts AS x
    WHERE x.prepared <= clock_timestamp() - p_long AND x.database = current_database();
END
$$;
COMMENT ON FUNCTION monitoring.read_incidents(interval) IS
'What lasts now: waits for locks, and from p_long on idle and open transactions, the oldest
snapshot, vacuums, loads, index builds, backups. figure is in seconds, or in the unit of detail.';
REVOKE ALL ON FUNCTION monitoring.read_incidents(interval) FROM public;
