-- 2867_incident.sql: one page about a time, as JSON and as text.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION monitoring.incident_json(p_from timestamptz, p_until timestamptz)
RETURNS jsonb
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_timeline jsonb;
    v_samples jsonb;
BEGIN
    SELECT coalesce(jsonb_agg(to_jsonb(e) ORDER BY e.began_at, e.kind, e.what), '[]')
    INTO v_timeline
    FROM (
        SELECT t.began_at, t.seen_at, t.kind, t.what
        FROM (
            SELECT s.began_at, s.seen_at, s.kind, s.what
            FROM monitoring.find_session_incidents(p_from, p_until) AS s
            UNION ALL
            SELECT s.began_at, s.seen_at, s.kind, s.what
            FROM monitoring.find_server_incidents(p_from, p_until) AS s
            UNION ALL
            SELECT s.began_at, s.seen_at, s.kind, s.what
            FROM monitoring.find_data_incidents(p_from, p_until) AS s
            UNION ALL
            SELECT f.began_at, f.seen_at, 'checkpoint', format(
                '%s by time, %s requested, %s of WAL', coalesce(f.detail ->> 'timed', '0'),
                coalesce(f.detail ->> 'requested', '0'),
                pg_size_pretty(coalesce((f.detail -> 'wal_bytes')::numeric, 0))
            )
            FROM monitoring.facts AS f
            WHERE f.kind = 'server' AND f.began_at < p_until AND f.seen_at >= p_from
                AND f.detail ?| '{timed,requested}'
        ) AS t
        ORDER BY t.began_at
        LIMIT 200
    ) AS e;
    SELECT jsonb_build_object(
        'count', count(*), 'sessions', max(s.sessions),
        'sessions_at', (array_agg(s.taken_at ORDER BY s.sessions DESC))[1],
        'longest_gap_s', round(extract(EPOCH FROM max(s.gap))), 'took_ms', round(avg(s.took_ms), 1)
    ) INTO v_samples
    FROM (
        SELECT r.taken_at, r.sessions, r.took_ms,
            r.taken_at - lag(r.taken_at) OVER (ORDER BY r.taken_at) AS gap
        FROM monitoring.samples AS r
        WHERE r.taken_at >= p_from AND r.taken_at < p_until
    ) AS s;
    RETURN jsonb_build_object(
        'from', p_from, 'until', p_until,
        'samples', v_samples,
        'found', (
            SELECT coalesce(jsonb_agg(DISTINCT e.value ->> 'kind'), '[]')
            FROM jsonb_array_elements(v_timeline) AS e
            WHERE e.value ->> 'kind' <> 'checkpoint'
        ),
        'timeline', v_timeline,
        'counted_statements', (
            SELECT coalesce(jsonb_agg(jsonb_build_object(
                'began_at', c.began_at, 'seen_at', c.seen_at, 'statement', c.body,
                'calls', c.detail -> 'calls', 'ms', c.figure
            ) ORDER BY c.figure DESC), '[]')
            FROM (
                SELECT f.began_at, f.seen_at, f.figure, f.detail, t.body
                FROM monitoring.facts AS f
                LEFT JOIN monitoring.sampled_statements AS t ON f.subject = t.statement_id::text
                WHERE f.kind = 'statement' AND f.began_at < p_until AND f.seen_at >= p_from
                ORDER BY f.figure DESC
                LIMIT 10
            ) AS c
        )
    ) || monitoring.sum_waits(p_from, p_until);
END
$$;
COMMENT ON FUNCTION monitoring.incident_json(timestamptz, timestamptz) IS
'What the samples say of the time from p_from on and before p_until: troubles found, time line,
peaks, waits, statements.';
REVOKE ALL ON FUNCTION monitoring.incident_json(timestamptz, timestamptz) FROM public;

CREATE OR REPLACE FUNCTION monitoring.incident(p_from timestamptz, p_until timestamptz)
RETURNS text
LANGUAGE sql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
    WITH page AS MATERIALIZED (
        SELECT monitoring.incident_json(p_from, p_until) AS p
    )

    SELECT array_to_string(ARRAY[
        format(
            '%s to %s UTC, %s samples, longest gap %s s',
            to_char(p_from AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
            to_char(p_until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS'),
            p #>> '{samples,count}', coalesce(p #>> '{samples,longest_gap_s}', '-')
        ),
        'Found: ' || coalesce(
            (
                SELECT string_agg(f.kind, ', ')
                FROM jsonb_array_elements_text(p -> 'found') AS f (kind)
            ),
            'nothing'
        ),
        format(
            'Peaks: %s sessions, %s busy at %s, %s waiting for a lock, %s idle in transaction',
            coalesce(p #>> '{samples,sessions}', '-'), coalesce(p ->> 'busy', '0'),
            coalesce(
                to_char((p ->> 'busy_at')::timestamptz AT TIME ZONE 'UTC', 'HH24:MI:SS'), '-'
            ), coalesce(p ->> 'waiting_for_lock', '0'), coalesce(p ->> 'idle_in_transaction', '0')
        ),
        E'\nTime line',
        (
            SELECT string_agg(format(
                '  %s  %s  %s: %s',
                to_char((e.value ->> 'began_at')::timestamptz AT TIME ZONE 'UTC', 'HH24:MI:SS'),
                to_char((e.value ->> 'seen_at')::timestamptz AT TIME ZONE 'UTC', 'HH24:MI:SS'),
                e.value ->> 'kind', left(e.value ->> 'what', 230)
            ), E'\n' ORDER BY e.place)
            FROM jsonb_array_elements(p -> 'timeline') WITH ORDINALITY AS e (value, place)
            WHERE e.place <= 30
        ),
        nullif(format(
            '  and %s more: monitoring.incident_json()', jsonb_array_length(p -> 'timeline') - 30
        ), CASE WHEN jsonb_array_length(p -> 'timeline') <= 30 THEN format(
            '  and %s more: monitoring.incident_json()', jsonb_array_length(p -> 'timeline') - 30
        ) END),
        E'\nWaits: seconds of all sessions, percent, most sessions',
        (
            SELECT string_agg(format(
                '  %s  %s  %s  %s', lpad(e.value ->> 'seconds', 9), lpad(e.value ->> 'percent', 5),
                lpad(e.value ->> 'peak', 4), e.value ->> 'event'
            ), E'\n' ORDER BY e.place)
            FROM jsonb_array_elements(p -> 'waits') WITH ORDINALITY AS e (value, place)
        ),
        E'\nStatements: seconds of all sessions, longest run in seconds, most frequent wait',
        (
            SELECT string_agg(format(
                '  %s  %s  %s  %s: %s', lpad(e.value ->> 'seconds', 9),
                lpad(e.value ->> 'longest', 7), e.value ->> 'event', e.value ->> 'roles',
                left(e.value ->> 'statement', 120)
            ), E'\n' ORDER BY e.place)
            FROM jsonb_array_elements(p -> 'statements') WITH ORDINALITY AS e (value, place)
        ),
        E'\nStatements of the hours around, as counted: milliseconds, calls',
        (
            SELECT string_agg(format(
                '  %s  %s  %s', lpad(e.value ->> 'ms', 11), lpad(e.value ->> 'calls', 8),
                left(e.value ->> 'statement', 120)
            ), E'\n' ORDER BY e.place)
            FROM jsonb_array_elements(p -> 'counted_statements') WITH ORDINALITY AS e (value, place)
            WHERE e.place <= 5
        )
    ], E'\n')
    FROM page
$$;
COMMENT ON FUNCTION monitoring.incident(timestamptz, timestamptz) IS
'One page about the time from p_from on and before p_until, for people. incident_json() has the same
for programs.';
REVOKE ALL ON FUNCTION monitoring.incident(timestamptz, timestamptz) FROM public;
