-- 2861_take_sample.sql: writes down what the sessions do, each 1 to 10 seconds.

CALL deploy.become_owner();

-- One sampler at a time, and none that waits: a server in trouble is not given more to do.
CREATE OR REPLACE FUNCTION monitoring.take_sample(p_long interval DEFAULT '5 seconds')
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '100ms'
AS $$
DECLARE
    v_now timestamptz;
    v_before timestamptz;
    v_age integer;
BEGIN
    PERFORM FROM monitoring.counter_readings AS r
    WHERE r.kind = 'sampler' AND r.subject = ''
    FOR NO KEY UPDATE SKIP LOCKED;
    IF NOT FOUND AND EXISTS (
        SELECT FROM monitoring.counter_readings AS r WHERE r.kind = 'sampler' AND r.subject = ''
    ) THEN
        RETURN FALSE; -- another sampler holds the row
    END IF;
    -- read after the lock, so that a sample later than now is of before the clock was set back
    v_now := clock_timestamp();
    SELECT s.taken_at, age(s.xmin) INTO v_before, v_age FROM monitoring.samples AS s
    ORDER BY s.taken_at DESC
    LIMIT 1;
    IF v_before > v_now THEN
        -- these minutes come a second time: of their samples, those written later are of now
        SELECT max(s.taken_at) INTO v_before FROM monitoring.samples AS s
        WHERE s.taken_at BETWEEN v_now - interval '1 minute' AND v_now AND age(s.xmin) < v_age;
    END IF;
    IF v_before > v_now - interval '0.5 seconds' THEN
        RETURN FALSE; -- several came late together
    END IF;
    -- a crash may take the last half second: a flush each second would cost more
    PERFORM set_config('synchronous_commit', 'off', TRUE);
    -- one reading: the waits are those of the moment, a second one would differ
    WITH sessions AS MATERIALIZED (
        SELECT coalesce(a.usename, a.backend_type, 'out of sight') AS role_name, CASE
                WHEN a.state LIKE 'idle in transaction%' THEN 'idle in transaction'
                ELSE coalesce(a.wait_event_type || ':' || a.wait_event, 'CPU')
            END AS event,
            CASE WHEN a.state LIKE 'idle%' THEN a.state_change ELSE a.query_start END AS since,
            a.query_id, a.query, a.backend_type = 'client backend' AS is_client,
            a.pid <> pg_backend_pid() AND a.state IS DISTINCT FROM 'idle'
            AND (a.state IS NOT NULL OR a.backend_type <> 'client backend')
            AND a.wait_event_type IS DISTINCT FROM 'Activity' AS is_busy
        FROM pg_stat_activity AS a
        WHERE a.datname = current_database() OR a.datname IS NULL
    ),

    busy AS MATERIALIZED (
        SELECT hashtextextended(concat_ws(E'\n', s.role_name, s.event, coalesce(
                s.query_id::text, monitoring.plain_statement(s.query)
            )), 0) AS cause, s.role_name, s.event, max(s.query) AS query, count(*) AS count,
            max(coalesce(extract(EPOCH FROM clock_timestamp() - s.since), 0)) AS age
        FROM sessions AS s
        WHERE s.is_busy
        GROUP BY 1, 2, 3
        -- more would make a storm cost more than it costs already
        ORDER BY count DESC, age DESC
        LIMIT 30
    ),

    causes AS (
        INSERT INTO monitoring.sampled_causes AS c (id, role_name, event, statement)
        SELECT b.cause, b.role_name, b.event, monitoring.plain_statement(b.query)
        FROM busy AS b
        WHERE NOT EXISTS (
            SELECT FROM monitoring.sampled_causes AS k
            WHERE k.id = b.cause AND k.seen_on = current_date
        )
        ON CONFLICT (id) DO UPDATE SET seen_on = excluded.seen_on
    )

    INSERT INTO monitoring.samples (taken_at, gap_ms, sessions, causes, counts, ages_ms)
    SELECT v_now, least(extract(EPOCH FROM v_now - coalesce(v_before, v_now)) * 1000, 2147483647),
        (SELECT count(*) FROM sessions AS s WHERE s.is_client), coalesce(array_agg(b.cause), '{}'),
        coalesce(array_agg(b.count), '{}'),
        coalesce(array_agg(least(b.age * 1000, 2147483647)::integer), '{}')
    FROM busy AS b;
    BEGIN
        INSERT INTO monitoring.facts (kind, subject, began_at, seen_at, words)
        SELECT t.kind, t.subject, t.began_at, clock_timestamp(), t.words
        FROM monitoring.read_troubles(p_long) AS t
        ON CONFLICT (kind, subject, began_at, slot) DO UPDATE
            SET seen_at = excluded.seen_at, words = excluded.words;
    EXCEPTION
        -- what the sessions do is kept; OTHERS leaves a timeout out
        WHEN query_canceled OR OTHERS THEN
            INSERT INTO monitoring.facts (kind, subject, began_at, seen_at, words)
            VALUES ('samples missing', 'troubles', v_now, clock_timestamp(),
                format('no troubles: %s (%s)', left(SQLERRM, 300), SQLSTATE));
    END;
    IF date_trunc('minute', v_before) IS DISTINCT FROM date_trunc('minute', v_now) THEN
        PERFORM monitoring.keep_samples();
    END IF;
    RETURN TRUE;
END
$$;
COMMENT ON FUNCTION monitoring.take_sample(interval) IS
'Stores what the sessions of this database do, and what lasts longer than p_long; once a minute does
what monitoring.keep_samples() does. FALSE when another sampler is at work or was half a second ago.
To be called each 1 to 10 seconds by a role in pg_monitor.';
REVOKE ALL ON FUNCTION monitoring.take_sample(interval) FROM public;
