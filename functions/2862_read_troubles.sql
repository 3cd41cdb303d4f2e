-- 2862_read_troubles.sql: what lasts in this moment, each trouble by its name.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION monitoring.read_troubles(p_long interval)
RETURNS TABLE (kind text, subject text, began_at timestamptz, words text)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    -- pg_blocking_pids() stops the lock manager for a moment: it is asked of the 20 longest waits
    WITH pairs AS MATERIALIZED (
        SELECT DISTINCT w.pid, w.waitstart, w.lock, b.pid AS blocker
        FROM (
            SELECT k.pid, k.waitstart,
                format('%s on %s', k.mode, coalesce(k.relation::regclass::text, k.locktype)) AS lock
            FROM pg_locks AS k
            WHERE EXISTS ( -- a look that costs less than pg_locks
                SELECT FROM pg_stat_activity AS a
                WHERE a.wait_event_type = 'Lock' AND a.datname = current_database()
            ) AND NOT k.granted AND k.waitstart <= now() - least(p_long, interval '0.2 seconds')
            ORDER BY k.waitstart
            LIMIT 20
        ) AS w
        INNER JOIN pg_stat_activity AS a ON w.pid = a.pid AND a.datname = current_database()
        CROSS JOIN LATERAL unnest(pg_blocking_pids(w.pid)) AS b (pid)
    ),

    sessions AS MATERIALIZED (
        SELECT a.pid, a.datid, a.usesysid, a.usename, a.application_name, a.state, a.state_change,
            a.backend_start, a.query_start, a.xact_start, a.state = 'active' AS is_active, a.query,
            a.xact_start = min(a.xact_start) FILTER (
                WHERE coalesce(a.backend_xmin, a.backend_xid) IS NOT NULL
                AND a.backend_type <> 'autovacuum worker'
            ) OVER () AS is_oldest,
            format('pid %s (%s) "%s"', a.pid, concat_ws(
                ', ', coalesce(a.usename, a.backend_type), nullif(a.application_name, ''),
                nullif(a.state, 'active')
            ), left(monitoring.plain_statement(left(a.query, 600)), 100)) AS told
        FROM pg_stat_activity AS a
        WHERE a.pid IN (SELECT p.pid FROM pairs AS p UNION SELECT p.blocker FROM pairs AS p)
            OR a.state <> 'idle' AND least(a.xact_start, a.query_start) <= now() - p_long
            AND (a.datname = current_database() OR a.datname IS NULL) AND a.pid <> pg_backend_pid()
    )

    -- a blocker that idles has two causes: the one that somebody can end is named
    SELECT CASE
            WHEN bool_or(w.application_name ~ '^rubi (deploy|install)')
                THEN 'deploy waiting for a lock'
            WHEN p.blocker IN (SELECT o.pid FROM pairs AS o) THEN 'lock queue'
            WHEN p.blocker = 0 THEN 'prepared transactions'
            WHEN b.state LIKE 'idle in transaction%' THEN 'idle in transaction'
            ELSE 'lock wait'
        END, format('blocker %s', p.blocker), min(p.waitstart), format(
            '%s lets %s wait, first for %s', coalesce(b.told, 'a prepared transaction'), count(*),
            (array_agg(format('%s: %s', p.lock, w.told) ORDER BY p.waitstart))[1]
        )
    FROM pairs AS p
    INNER JOIN sessions AS w ON p.pid = w.pid
    LEFT JOIN sessions AS b ON p.blocker = b.pid
    GROUP BY p.blocker, b.state, b.told
    UNION ALL
    SELECT t.kind, format('pid %s', s.pid), t.began_at, s.told
    FROM sessions AS s
    CROSS JOIN LATERAL (
        VALUES
        ('idle in transaction', s.state_change, s.state LIKE 'idle in transaction%'),
        ('long snapshot', s.xact_start, s.is_oldest),
        ('backup running', s.backend_start,
            s.application_name ~ '^(pg_dump|pg_basebackup|rubi backup|pgBackRest)'),
        ('vacuum', s.query_start, s.is_active AND s.query ~* '^(autovacuum: )?vacuum '),
        ('bulk load', s.query_start, s.is_active AND s.query ~* '^copy .* from (stdin|program|'')'),
        ('index build', s.query_start, s.is_active AND s.query ~* '^(create .*index|reindex) ')
    ) AS t (kind, began_at, is_so)
    WHERE t.is_so AND t.began_at <= now() - p_long
    UNION ALL
    SELECT 'statement timeouts', s.usename::text, min(s.query_start), format(
            '%s statements near %s of %s, one is %s', count(*), t.setting, s.usename, min(s.told)
        )
    FROM sessions AS s
    CROSS JOIN LATERAL (
        SELECT c.setting, split_part(c.setting, '=', 2) AS value
        FROM pg_db_role_setting AS d, unnest(d.setconfig) AS c (setting)
        WHERE d.setrole = s.usesysid AND d.setdatabase IN (0, s.datid)
            AND c.setting LIKE 'statement\_timeout=%'
        ORDER BY d.setdatabase DESC
        LIMIT 1
    ) AS t
    WHERE s.is_active AND t.value <> '0' AND now() - s.query_start
        >= 0.7 * regexp_replace(t.value, '^([0-9]+)$', E'\\1 ms')::interval
    GROUP BY s.usename, t.setting;
END
$$;
COMMENT ON FUNCTION monitoring.read_troubles(interval) IS
'What lasts now: waits for locks, and from p_long on idle transactions, the oldest snapshot, loads,
vacuums, index builds, backups, statements near their timeout.';
REVOKE ALL ON FUNCTION monitoring.read_troubles(interval) FROM public;
