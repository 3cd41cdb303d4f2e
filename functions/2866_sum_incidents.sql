-- 2866_sum_incidents.sql: what the facts about data say, and sums of the waits.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION monitoring.find_data_incidents(
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
    SELECT f.began_at::timestamptz, max(f.seen_at)::timestamptz,
        coalesce(n.words, replace(f.subject, '_', ' ')), format(
            '%s is %s: %s', f.subject, max(f.detail ->> 'status'), max(f.detail ->> 'detail')
        )
    FROM monitoring.facts AS f
    LEFT JOIN (
        VALUES
        ('archiver_failures', 'archiver failing'), ('failed_jobs', 'failed job'),
        ('failed_schedules', 'failed job'), ('market_lag', 'ingest lag'),
        ('snapshot_lag', 'ingest lag'), ('ping_lag', 'terminal away'),
        ('prepared_transactions', 'prepared transaction'),
        ('replication_slots', 'slot left behind'), ('connections', 'connection storm')
    ) AS n (check_name, words) ON f.subject = n.check_name
    WHERE f.kind = 'health' AND f.began_at < p_until AND f.seen_at >= p_from
    GROUP BY f.subject, f.began_at, n.words
    UNION ALL
    SELECT min(f.began_at), max(f.seen_at), 'chunk made', format(
        '%s of %s: %s', count(*), f.detail ->> 'hypertable', min(f.subject)
    )
    FROM monitoring.facts AS f
    WHERE f.kind = 'chunk' AND f.began_at < p_until AND f.seen_at >= p_from
    GROUP BY f.detail ->> 'hypertable'
    UNION ALL
    -- counters of tables are read hourly: the rows may be of before or after the time asked for
    SELECT f.began_at, f.seen_at, r.kind, format(
        '%s: %s rows in the time from %s', f.subject, sum(e.value::numeric),
        to_char(f.began_at AT TIME ZONE 'UTC', 'HH24:MI')
    )
    FROM monitoring.facts AS f
    CROSS JOIN LATERAL jsonb_each(f.detail) AS e
    INNER JOIN (
        VALUES ('seq_tup_read', 1000000, 'sequential scans'), ('n_tup_ins', 100000, 'bulk load')
    ) AS r (key, least, kind) ON e.key = r.key AND e.value::numeric >= r.least
    WHERE f.kind = 'table' AND f.began_at < p_until AND f.seen_at >= p_from
    GROUP BY f.subject, f.began_at, f.seen_at, r.kind
    UNION ALL
    SELECT b.started_at, b.finished_at, 'backup running', format(
        '%s %s', b.kind, CASE WHEN b.succeeded THEN 'succeeded' ELSE 'failed: ' || b.message END
    )
    FROM monitoring.backup_runs AS b
    WHERE b.started_at < p_until AND b.finished_at >= p_from
    UNION ALL
    SELECT d.began_at, d.ended_at, 'deploy', format('%s files, %s', d.files, d.told)
    FROM monitoring.read_deploys(p_from, p_until) AS d;
END
$$;
COMMENT ON FUNCTION monitoring.find_data_incidents(timestamptz, timestamptz) IS
'Troubles and events of a time around the data: checks that were not ok, chunks, loads, scans,
backups, deploys.';
REVOKE ALL ON FUNCTION monitoring.find_data_incidents(timestamptz, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION monitoring.sum_waits(p_from timestamptz, p_until timestamptz)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_answer jsonb;
BEGIN
    WITH waits AS MATERIALIZED (
        SELECT
            w.at,
            w.seconds,
            w.sessions,
            w.age_ms,
            c.role_name,
            c.event,
            c.statement_id
        FROM monitoring.find_waits(p_from, p_until) AS w
        INNER JOIN monitoring.sampled_causes AS c ON w.cause = c.id
    ),

    events AS (
        SELECT
            w.event,
            sum(w.seconds) AS seconds,
            max(w.sessions) AS peak,
            round(100 * sum(w.seconds) / sum(sum(w.seconds)) OVER (), 1) AS percent
        FROM waits AS w
        GROUP BY w.event
        ORDER BY seconds DESC
        LIMIT 10
    ),

    statements AS (
        SELECT
            w.statement_id,
            sum(w.seconds) AS seconds,
            round(max(w.age_ms) / 1000.0, 1) AS longest,
            mode() WITHIN GROUP (ORDER BY w.event) AS event,
            string_agg(DISTINCT w.role_name, ', ') AS roles
        FROM waits AS w
        WHERE w.statement_id <> 0 AND w.event <> 'idle in transaction'
        GROUP BY w.statement_id
        ORDER BY seconds DESC
        LIMIT 10
    ),

    moments AS (
        SELECT
            w.at,
            sum(w.sessions) FILTER (WHERE w.event <> 'idle in transaction') AS busy,
            sum(w.sessions) FILTER (WHERE w.event LIKE 'Lock:%') AS locked,
            sum(w.sessions) FILTER (WHERE w.event = 'idle in transaction') AS idle
        FROM waits AS w
        GROUP BY w.at
    )

    SELECT jsonb_build_object(
        'busy', (SELECT max(m.busy) FROM moments AS m),
        'waiting_for_lock', (SELECT max(m.locked) FROM moments AS m),
        'idle_in_transaction', (SELECT max(m.idle) FROM moments AS m),
        'busy_at', (SELECT m.at FROM moments AS m ORDER BY m.busy DESC NULLS LAST LIMIT 1),
        'waits', coalesce((SELECT jsonb_agg(to_jsonb(e)) FROM events AS e), '[]'),
        'statements', coalesce((
            SELECT jsonb_agg(
                to_jsonb(s) - 'statement_id'
                || jsonb_build_object('statement', t.body, 'statement_id', s.statement_id::text)
            )
            FROM statements AS s
            LEFT JOIN monitoring.sampled_statements AS t ON s.statement_id = t.statement_id
        ), '[]')
    ) INTO v_answer;
    RETURN v_answer;
END
$$;
COMMENT ON FUNCTION monitoring.sum_waits(timestamptz, timestamptz) IS
'Peaks, waits and statements of a time: seconds are those of all sessions together.';
REVOKE ALL ON FUNCTION monitoring.sum_waits(timestamptz, timestamptz) FROM public;
