-- 2865_find_incidents.sql: what the samples of a time say, each trouble by its name.

CALL deploy.become_owner();

-- Samples where they still are, else the sums by minute, else by hour.
CREATE OR REPLACE FUNCTION monitoring.find_waits(p_from timestamptz, p_until timestamptz)
RETURNS TABLE (at timestamptz, cause integer, seconds numeric, sessions integer, age_ms integer)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_kind text;
BEGIN
    IF p_from >= (SELECT min(s.taken_at) FROM monitoring.samples AS s) - interval '1 minute' THEN
        RETURN QUERY SELECT w.at, w.cause, w.seconds, w.sessions, w.age_ms
            FROM monitoring.list_waits(p_from, p_until) AS w;
        RETURN;
    END IF;
    v_kind := CASE
        WHEN EXISTS (
            SELECT FROM monitoring.facts AS f
            WHERE f.kind = 'minute' AND f.began_at BETWEEN p_from - interval '1 minute' AND p_until
        ) THEN 'minute' ELSE 'hour'
    END;
    RETURN QUERY
    SELECT
        f.began_at::timestamptz,
        f.subject::integer,
        f.figure::numeric,
        (f.detail -> 'peak')::integer,
        (f.detail -> 'age_ms')::integer
    FROM monitoring.facts AS f
    WHERE f.kind = v_kind AND f.began_at < p_until AND f.seen_at > p_from;
END
$$;
COMMENT ON FUNCTION monitoring.find_waits(timestamptz, timestamptz) IS
'Waits of a time by cause: of each sample while those are kept, else summed up by minute or hour.';
REVOKE ALL ON FUNCTION monitoring.find_waits(timestamptz, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION monitoring.read_deploys(p_from timestamptz, p_until timestamptz)
RETURNS TABLE (began_at timestamptz, ended_at timestamptz, files bigint, told text)
LANGUAGE sql
STABLE
PARALLEL RESTRICTED
SECURITY DEFINER -- rubi_monitor doesn't read the texts in deploy.history
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        min(h.applied_at - h.duration_ms * interval '1 ms'),
        max(h.applied_at),
        count(*),
        format('%s by %s: %s', h.tool, h.applied_by, min(h.path))
    FROM deploy.history AS h
    WHERE h.applied_at >= p_from AND h.applied_at - h.duration_ms * interval '1 ms' < p_until
    GROUP BY h.tool, h.applied_by, date_trunc('minute', h.applied_at)
$$;
COMMENT ON FUNCTION monitoring.read_deploys(timestamptz, timestamptz) IS
'Files that were applied in a time, a row a minute: their number and the first one.';
REVOKE ALL ON FUNCTION monitoring.read_deploys(timestamptz, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION monitoring.told_as_text(p_session jsonb)
RETURNS text
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT concat_ws(
        ' ', 'pid ' || (p_session ->> 'pid'),
        nullif(
            '(' || concat_ws(', ', p_session ->> 'role', p_session ->> 'application') || ')', '()'
        ),
        nullif(p_session ->> 'state', 'active') || ',',
        '"' || nullif(left(p_session ->> 'statement', 100), '') || '"'
    )
$$;
COMMENT ON FUNCTION monitoring.told_as_text(jsonb) IS 'A session of a fact in words.';
REVOKE ALL ON FUNCTION monitoring.told_as_text(jsonb) FROM public;

-- Findings out of the facts about sessions. A session that blocks others and idles has two causes:
-- the one that somebody can end is named.
CREATE OR REPLACE FUNCTION monitoring.find_session_incidents(
    p_from timestamptz, p_until timestamptz
)
RETURNS TABLE (began_at timestamptz, seen_at timestamptz, kind text, what text)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN QUERY
    WITH facts AS MATERIALIZED (
        SELECT
            f.kind,
            f.subject,
            f.began_at::timestamptz AS began_at,
            max(f.seen_at) AS seen_at,
            max(f.figure) AS figure,
            (array_agg(f.detail ORDER BY f.seen_at DESC))[1] AS detail
        FROM monitoring.facts AS f
        WHERE f.kind IN (
            'lock wait', 'idle in transaction', 'snapshot', 'vacuum', 'load', 'index build',
            'rewrite', 'backup', 'prepared transaction', 'sampling'
        ) AND f.began_at < p_until AND f.seen_at >= p_from
        GROUP BY f.kind, f.subject, f.began_at
    ),

    blocked AS (
        SELECT
            min(f.began_at) AS began_at,
            max(f.seen_at) AS seen_at,
            count(DISTINCT f.detail #> '{waiter,pid}') AS sessions,
            max(f.figure) AS longest,
            min(f.detail ->> 'lock') AS lock,
            (array_agg(f.detail -> 'waiter' ORDER BY f.figure DESC))[1] AS waiter,
            (array_agg(f.detail -> 'blocker' ORDER BY f.figure DESC))[1] AS blocker,
            bool_or((f.detail -> 'blocker_waits')::boolean) AS blocker_waits
        FROM facts AS f
        WHERE f.kind = 'lock wait'
        GROUP BY f.detail #> '{blocker,pid}'
    )

    SELECT b.began_at, b.seen_at,
        CASE
            WHEN b.blocker_waits THEN 'lock queue'
            WHEN b.blocker ->> 'state' LIKE 'idle in transaction%' THEN 'idle in transaction'
            WHEN b.blocker ->> 'application' = 'prepared transaction' THEN 'prepared transaction'
            ELSE 'lock wait'
        END,
        format(
            '%s %s %s, up to %s s, first for %s: %s', monitoring.told_as_text(b.blocker),
            CASE WHEN b.blocker_waits THEN 'waits and lets wait' ELSE 'lets wait' END,
            b.sessions, b.longest, b.lock, monitoring.told_as_text(b.waiter)
        )
    FROM blocked AS b
    UNION ALL
    SELECT f.began_at, f.seen_at, 'deploy waiting for a lock',
        format(
            '%s waited %s s for %s of %s', monitoring.told_as_text(f.detail -> 'waiter'),
            f.figure, f.detail ->> 'lock', monitoring.told_as_text(f.detail -> 'blocker')
        )
    FROM facts AS f
    WHERE f.kind = 'lock wait' AND f.detail #>> '{waiter,application}' ~ '^rubi (deploy|install)'
    UNION ALL
    SELECT f.began_at, f.seen_at,
        CASE f.kind
            WHEN 'snapshot' THEN 'long snapshot' WHEN 'load' THEN 'bulk load'
            WHEN 'backup' THEN 'backup running' WHEN 'sampling' THEN 'samples missing'
            ELSE f.kind
        END,
        CASE
            WHEN f.kind = 'prepared transaction'
                THEN format('%s of %s, open for %s s', f.subject, f.detail ->> 'role', f.figure)
            WHEN f.kind = 'sampling' THEN format('%s: %s', f.subject, f.detail ->> 'detail')
            WHEN f.kind IN ('idle in transaction', 'snapshot')
                THEN format('%s for %s s', monitoring.told_as_text(f.detail), f.figure)
            ELSE format(
                '%s, %s %s: %s', f.subject, f.figure, f.detail ->> 'unit',
                monitoring.told_as_text(f.detail)
            )
        END
    FROM facts AS f
    WHERE f.kind <> 'lock wait';
END
$$;
COMMENT ON FUNCTION monitoring.find_session_incidents(timestamptz, timestamptz) IS
'Troubles of a time that sessions made: who blocked whom, old snapshots, loads, vacuums, backups.';
REVOKE ALL ON FUNCTION monitoring.find_session_incidents(timestamptz, timestamptz) FROM public;

-- Levels are of a time of minutes to hours: below them a figure is daily life.
CREATE OR REPLACE FUNCTION monitoring.find_server_incidents(
    p_from timestamptz, p_until timestamptz
)
RETURNS TABLE (began_at timestamptz, seen_at timestamptz, kind text, what text)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_slots integer := current_setting('max_connections')::integer;
BEGIN
    RETURN QUERY
    WITH counted AS MATERIALIZED (
        SELECT
            e.key,
            sum(e.value::numeric) AS total,
            max(e.value::numeric) AS largest,
            min(f.began_at) AS began_at,
            max(f.seen_at) AS seen_at
        FROM monitoring.facts AS f
        CROSS JOIN LATERAL jsonb_each(f.detail) AS e
        WHERE f.kind = 'server' AND f.began_at < p_until AND f.seen_at >= p_from
        GROUP BY e.key
    )

    SELECT c.began_at::timestamptz, c.seen_at::timestamptz, r.kind,
        format(r.words, CASE
            WHEN r.key = 'temp_bytes' THEN pg_size_pretty(c.total) ELSE c.total::text
        END)
    FROM (
        VALUES
        ('deadlocks', 1, 'deadlock', '%s deadlocks'),
        ('failed_count', 1, 'archiver failing', 'WAL could not be archived %s times'),
        ('checksum_failures', 1, 'checksum failures', '%s pages with a wrong checksum'),
        ('requested', 3, 'checkpoint storm', '%s checkpoints before their time'),
        ('temp_bytes', 67108864, 'temporary files', 'sorts and hashes wrote %s to disk')
    ) AS r (key, least, kind, words)
    INNER JOIN counted AS c ON r.key = c.key AND c.total >= r.least
    UNION ALL
    SELECT c.began_at, c.seen_at, 'connection storm',
        format('%s new sessions in a minute, %s slots', c.largest, v_slots)
    FROM counted AS c
    WHERE c.key = 'sessions' AND c.largest * 2 >= v_slots
    UNION ALL
    SELECT c.began_at, c.seen_at, 'rollbacks', format(
        '%s of %s transactions were rolled back', c.total, c.total + o.total
    )
    FROM counted AS c
    CROSS JOIN LATERAL (
        SELECT coalesce(max(k.total), 0) AS total FROM counted AS k WHERE k.key = 'xact_commit'
    ) AS o
    WHERE c.key = 'xact_rollback' AND c.total >= 10 AND c.total * 9 >= o.total
    UNION ALL
    SELECT min(w.at), max(w.at), 'statement timeouts', format(
        '%s reached %s s of its %s: "%s"', k.role_name, round(max(w.age_ms) / 1000.0, 1), t.setting,
        left(min(b.body), 100)
    )
    FROM monitoring.find_waits(p_from, p_until) AS w
    INNER JOIN monitoring.sampled_causes AS k ON w.cause = k.id
    INNER JOIN monitoring.sampled_statements AS b ON k.statement_id = b.statement_id
    INNER JOIN LATERAL (
        SELECT c.setting
        FROM pg_db_role_setting AS s
        INNER JOIN pg_roles AS r ON s.setrole = r.oid
        CROSS JOIN unnest(s.setconfig) AS c (setting)
        WHERE r.rolname = k.role_name AND c.setting LIKE 'statement\_timeout=%'
            AND s.setdatabase IN (
                0, (SELECT d.oid FROM pg_database AS d WHERE d.datname = current_database())
            )
        ORDER BY s.setdatabase DESC
        LIMIT 1
    ) AS t ON TRUE
    WHERE k.event <> 'idle in transaction'
    GROUP BY k.role_name, t.setting, k.statement_id
    HAVING max(w.age_ms) >= 0.7 * 1000 * extract(EPOCH FROM (
        regexp_replace(split_part(t.setting, '=', 2), '^([0-9]+)$', '\1 ms')
    )::interval) AND max(w.age_ms) > 0 AND t.setting <> 'statement_timeout=0';
END
$$;
COMMENT ON FUNCTION monitoring.find_server_incidents(timestamptz, timestamptz) IS
'Troubles of a time that the server''s counters show: deadlocks, checkpoints, temporary files,
timeouts.';
REVOKE ALL ON FUNCTION monitoring.find_server_incidents(timestamptz, timestamptz) FROM public;
