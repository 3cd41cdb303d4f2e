-- 2865_incident.sql: one page about a time: its time line, its rows, and these as JSON and text.

CALL deploy.become_owner();

-- Levels are of a time of minutes to hours: below them a figure is daily life.
CREATE OR REPLACE FUNCTION monitoring.find_incidents(p_from timestamptz, p_until timestamptz)
RETURNS TABLE (began_at timestamptz, seen_at timestamptz, name text, words text)
LANGUAGE sql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
    WITH facts AS MATERIALIZED (
        SELECT f.kind, f.subject, f.began_at, f.seen_at, f.words, f.figures
        FROM monitoring.facts AS f
        WHERE f.began_at < p_until AND f.seen_at >= p_from
            AND f.kind NOT IN ('minute', 'hour', 'io', 'statement')
    )

    SELECT min(f.began_at), max(f.seen_at), CASE
            WHEN f.subject IN ('market_lag', 'snapshot_lag') THEN 'ingest lag'
            WHEN f.kind = 'health' THEN replace(f.subject, '_', ' ')
            ELSE f.kind
        END, (array_agg(f.words ORDER BY f.seen_at DESC))[1]
    FROM facts AS f
    WHERE f.words <> ''
    GROUP BY f.kind, f.subject
    UNION ALL
    -- counters of tables are read hourly: the rows may be of before or after the time asked for
    SELECT min(f.began_at), max(f.seen_at), r.name, format(r.words, CASE
            WHEN r.counter LIKE '%bytes' THEN pg_size_pretty(sum(v.value)) ELSE sum(v.value)::text
        END, f.subject)
    FROM (
        VALUES
        ('server', 'deadlocks', 1, FALSE, 'deadlocks', '%s deadlocks'),
        ('server', 'failed_count', 1, FALSE, 'archiver failures', 'WAL stayed %s times'),
        ('server', 'requested', 3, FALSE, 'checkpoint storm', '%s checkpoints before their time'),
        ('server', 'requested', 1, TRUE, 'checkpoint', '%s requested'),
        ('server', 'timed', 1, TRUE, 'checkpoint', '%s by time'),
        ('server', 'temp_bytes', 67108864, FALSE, 'temporary files', 'sorts and hashes wrote %s'),
        ('server', 'sessions', current_setting('max_connections')::numeric / 2, TRUE,
            'connection storm', '%s new sessions in a minute'),
        ('server', 'xact_rollback', (
            SELECT greatest(10, sum((f.figures -> 'xact_commit')::numeric) / 9) FROM facts AS f
        ), FALSE, 'rollbacks', '%s transactions, a tenth of all or more'),
        ('chunk', 'newest', 1, TRUE, 'chunk made', 'of %2$s'),
        ('table', 'seq_tup_read', 1000000, TRUE, 'sequential scans', '%s rows of %s'),
        ('table', 'n_tup_ins', 100000, TRUE, 'bulk load', '%s rows into %s')
    ) AS r (kind, counter, least, is_each, name, words)
    INNER JOIN facts AS f ON r.kind = f.kind
    CROSS JOIN LATERAL (SELECT (f.figures -> r.counter)::numeric AS value) AS v
    GROUP BY f.subject, r.counter, r.name, r.words, r.least, CASE WHEN r.is_each THEN f.began_at END
    HAVING sum(v.value) >= r.least
    UNION ALL
    SELECT b.started_at, b.finished_at, 'backup running', format(
        '%s %s', b.kind, CASE WHEN b.succeeded THEN 'succeeded' ELSE 'failed: ' || b.message END
    )
    FROM monitoring.backup_runs AS b
    WHERE b.started_at < p_until AND b.finished_at >= p_from
    UNION ALL
    SELECT min(h.applied_at - h.duration_ms * interval '1 ms'), max(h.applied_at), 'deploy', format(
        '%s files from %s on, by %s', count(*),
        (array_agg(h.path ORDER BY h.applied_at))[1], h.applied_by
    )
    FROM deploy.history AS h
    WHERE h.applied_at >= p_from AND h.applied_at - h.duration_ms * interval '1 ms' < p_until
    GROUP BY h.applied_by, date_trunc('minute', h.applied_at)
$$;
COMMENT ON FUNCTION monitoring.find_incidents(timestamptz, timestamptz) IS
'Time line from p_from on and before p_until: troubles by their name, chunks, checkpoints, backups,
deploys.';
REVOKE ALL ON FUNCTION monitoring.find_incidents(timestamptz, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION monitoring.incident_rows(p_from timestamptz, p_until timestamptz)
RETURNS TABLE (
    part text, place bigint, began_at timestamptz, seen_at timestamptz, figures jsonb, name text,
    words text
)
LANGUAGE sql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
    WITH waits AS MATERIALIZED (
        SELECT w.at, w.sessions, w.seconds, w.age_ms, c.role_name, c.event, c.statement
        FROM monitoring.list_waits(p_from, p_until) AS w
        INNER JOIN monitoring.sampled_causes AS c ON w.cause = c.id
    ),

    peaks AS (
        SELECT s.taken_at AS at, 'connected' AS name, s.sessions FROM monitoring.samples AS s
        WHERE s.taken_at >= p_from AND s.taken_at < p_until
        UNION ALL
        SELECT w.at, g.name, sum(w.sessions)
        FROM waits AS w
        INNER JOIN (
            VALUES ('busy', '^[^i]'), ('waiting for a lock', '^Lock:'),
            ('idle in transaction', '^i')
        ) AS g (name, events) ON w.event ~ g.events
        GROUP BY w.at, g.name
    )

    SELECT 'samples', 1, min(s.taken_at), max(s.taken_at), jsonb_build_object(
        'samples', count(*), 'ms_longest_gap', coalesce(max(s.gap_ms), 0)
    ), 'taken', ''
    FROM monitoring.samples AS s
    WHERE s.taken_at >= p_from AND s.taken_at < p_until
    UNION ALL
    (
        SELECT DISTINCT ON (p.name) 'peaks', 1, p.at, p.at,
            jsonb_build_object('sessions', p.sessions), p.name, ''
        FROM peaks AS p
        ORDER BY p.name, p.sessions DESC, p.at
    )
    UNION ALL
    SELECT 'time line', row_number() OVER (ORDER BY i.began_at, i.name), i.began_at, i.seen_at,
        '{}', i.name, i.words
    FROM monitoring.find_incidents(p_from, p_until) AS i
    UNION ALL
    SELECT 'waits', row_number() OVER (ORDER BY sum(w.seconds) DESC), NULL, NULL,
        jsonb_build_object(
            'seconds', sum(w.seconds), 'sessions', max(w.sessions),
            'percent', round(100 * sum(w.seconds) / nullif(sum(sum(w.seconds)) OVER (), 0), 1)
        ), w.event, ''
    FROM waits AS w
    GROUP BY w.event
    UNION ALL
    SELECT 'statements', row_number() OVER (ORDER BY sum(w.seconds) DESC), NULL, NULL,
        jsonb_build_object('seconds', sum(w.seconds), 'ms_longest', max(w.age_ms)), format(
            '%s, %s', mode() WITHIN GROUP (ORDER BY w.event), string_agg(DISTINCT w.role_name, ', ')
        ), w.statement
    FROM waits AS w
    WHERE w.statement <> '' AND w.event <> 'idle in transaction'
    GROUP BY w.statement
    UNION ALL
    SELECT 'statements of the hour', row_number() OVER (
            ORDER BY (f.figures -> 'ms')::numeric DESC
        ), f.began_at, f.seen_at, f.figures, f.subject, f.words
    FROM monitoring.facts AS f
    WHERE f.kind = 'statement' AND f.began_at < p_until AND f.seen_at >= p_from
$$;
COMMENT ON FUNCTION monitoring.incident_rows(timestamptz, timestamptz) IS
'What is stored of the time from p_from on and before p_until, a row a line of the page: peaks, time
line, waits and statements by the seconds of all sessions, statements as counted by the hour.';
REVOKE ALL ON FUNCTION monitoring.incident_rows(timestamptz, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION monitoring.incident_json(p_from timestamptz, p_until timestamptz)
RETURNS jsonb
LANGUAGE sql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('from', p_from, 'until', p_until, 'found', coalesce(
        jsonb_agg(DISTINCT r.name) FILTER (WHERE r.part = 'time line' AND r.name <> 'checkpoint'),
        '[]'
    ), 'rows', jsonb_agg(to_jsonb(r) ORDER BY r.part, r.place) FILTER (WHERE r.place <= 200))
    FROM monitoring.incident_rows(p_from, p_until) AS r
$$;
COMMENT ON FUNCTION monitoring.incident_json(timestamptz, timestamptz) IS
'The page about the time from p_from on and before p_until, for programs: names of the troubles
found, and the rows of monitoring.incident_rows(), 200 a part at most.';
REVOKE ALL ON FUNCTION monitoring.incident_json(timestamptz, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION monitoring.incident(p_from timestamptz, p_until timestamptz)
RETURNS text
LANGUAGE sql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
    WITH lines AS (
        SELECT r.part, r.place, r.name, format('  %s%s: %s', (
            SELECT string_agg(to_char(t.at AT TIME ZONE 'UTC', 'HH24:MI:SS  '), '' ORDER BY t.at)
            FROM unnest(ARRAY[r.began_at, r.seen_at]) AS t (at)
        ), r.name, concat_ws('  ', (
            SELECT string_agg(format('%s %s', f.value, replace(f.key, '_', ' ')), ', ')
            FROM jsonb_each_text(r.figures) AS f
        ), left(r.words, 230))) AS line
        FROM monitoring.incident_rows(p_from, p_until) AS r
    )

    SELECT concat_ws(E'\n', format(
        '%s to %s UTC', to_char(p_from AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
        to_char(p_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
    ), 'Found: ' || coalesce((
        SELECT string_agg(DISTINCT l.name, ', ') FROM lines AS l
        WHERE l.part = 'time line' AND l.name <> 'checkpoint'
    ), CASE
        WHEN EXISTS (
            SELECT FROM monitoring.samples AS s
            WHERE s.taken_at >= p_from AND s.taken_at < p_until
        ) THEN 'nothing'
        ELSE 'nothing, as no sample was taken'
    END), (
        SELECT string_agg(
            format(E'\n%s: %s\n%s', initcap(p.part), p.count, p.lines), E'\n' ORDER BY p.number
        )
        FROM (
            SELECT l.part, count(*) AS count, string_agg(l.line, E'\n' ORDER BY l.place) FILTER (
                    WHERE l.place <= CASE l.part WHEN 'time line' THEN 30 ELSE 8 END
                ) AS lines,
                array_position(ARRAY['samples', 'peaks', 'time line', 'waits'], l.part) AS number
            FROM lines AS l
            GROUP BY l.part
        ) AS p
    ))
$$;
COMMENT ON FUNCTION monitoring.incident(timestamptz, timestamptz) IS
'The page about the time from p_from on and before p_until, for people: 30 lines of the time line,
8 of each other part.';
REVOKE ALL ON FUNCTION monitoring.incident(timestamptz, timestamptz) FROM public;
