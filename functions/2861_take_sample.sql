-- 2861_take_sample.sql: writes down what the sessions do, each 1 to 10 seconds.

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION monitoring.ring_slot(p_at timestamptz, p_days integer)
RETURNS integer
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (floor(extract(EPOCH FROM p_at) / 86400 / p_days)::bigint % 3)::integer
$$;
COMMENT ON FUNCTION monitoring.ring_slot(timestamptz, integer) IS
'Number of the table of a ring of three, p_days each, that holds a time.';
REVOKE ALL ON FUNCTION monitoring.ring_slot(timestamptz, integer) FROM public;

-- One reading of pg_stat_activity: its waits are those of the moment, a second one would differ.
CREATE OR REPLACE FUNCTION monitoring.sample_sessions(
    OUT sessions integer,
    OUT causes integer[],
    OUT counts integer[],
    OUT ages_ms integer[]
)
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    WITH activity AS MATERIALIZED (
        SELECT
            a.backend_type = 'client backend' AS is_client,
            a.state LIKE 'idle in transaction%' AS is_idle,
            a.state IS DISTINCT FROM 'idle' AND a.pid <> pg_backend_pid() AND (
                a.state IS NOT NULL OR a.backend_type <> 'client backend'
            ) AND a.wait_event_type IS DISTINCT FROM 'Activity' AS is_busy,
            coalesce(a.usename, a.backend_type, 'out of sight') AS role_name,
            coalesce(a.wait_event_type || ':' || a.wait_event, 'CPU') AS event,
            a.query_id,
            a.query,
            a.query_start,
            a.state_change
        FROM pg_stat_activity AS a
        WHERE a.datname = current_database() OR a.datname IS NULL
    ),

    busy AS MATERIALIZED (
        SELECT
            a.role_name,
            CASE WHEN a.is_idle THEN 'idle in transaction' ELSE a.event END AS event,
            CASE
                WHEN coalesce(a.query, '') = '' THEN 0
                ELSE coalesce(
                    a.query_id, hashtextextended(monitoring.plain_statement(a.query), 0)
                )
            END AS statement_id,
            max(a.query) AS query,
            count(*) AS sessions,
            max(extract(
                EPOCH FROM clock_timestamp()
                - CASE WHEN a.is_idle THEN a.state_change ELSE a.query_start END
            )) AS age
        FROM activity AS a
        WHERE a.is_busy
        GROUP BY 1, 2, 3
        -- more would make a storm cost more than it costs already
        ORDER BY sessions DESC, age DESC
        LIMIT 30
    ),

    texts AS (
        INSERT INTO monitoring.sampled_statements (statement_id, body)
        SELECT DISTINCT ON (b.statement_id)
            b.statement_id,
            monitoring.plain_statement(b.query)
        FROM busy AS b
        WHERE b.statement_id <> 0 AND NOT EXISTS (
            SELECT FROM monitoring.sampled_statements AS s
            WHERE s.statement_id = b.statement_id
        )
        ON CONFLICT (statement_id) DO NOTHING
    ),

    added AS (
        INSERT INTO monitoring.sampled_causes AS c (role_name, event, statement_id)
        SELECT b.role_name, b.event, b.statement_id
        FROM busy AS b
        WHERE NOT EXISTS (
            SELECT FROM monitoring.sampled_causes AS k
            WHERE k.role_name = b.role_name AND k.event = b.event
                AND k.statement_id = b.statement_id
        )
        ON CONFLICT (role_name, event, statement_id) DO NOTHING
        RETURNING c.id, c.role_name, c.event, c.statement_id
    )

    SELECT
        (SELECT count(*) FROM activity AS a WHERE a.is_client),
        coalesce(array_agg(coalesce(k.id, n.id)), '{}'),
        coalesce(array_agg(b.sessions), '{}'),
        coalesce(array_agg(least(coalesce(b.age, 0) * 1000, 2147483647)::integer), '{}')
    INTO sessions, causes, counts, ages_ms
    FROM busy AS b
    LEFT JOIN monitoring.sampled_causes AS k
        ON b.role_name = k.role_name AND b.event = k.event AND b.statement_id = k.statement_id
    LEFT JOIN added AS n
        ON b.role_name = n.role_name AND b.event = n.event AND b.statement_id = n.statement_id
    WHERE coalesce(k.id, n.id) IS NOT NULL;
END
$$;
COMMENT ON FUNCTION monitoring.sample_sessions() IS
'Sessions of this database by cause: role, wait event and statement, the 30 most frequent.
monitoring.take_sample() stores them.';
REVOKE ALL ON FUNCTION monitoring.sample_sessions() FROM public;

CREATE OR REPLACE FUNCTION monitoring.is_only_sampler()
RETURNS boolean
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- rubi_monitor may take no advisory lock of its choice
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    RETURN pg_try_advisory_xact_lock(hashtextextended('monitoring.take_sample', 0));
END
$$;
COMMENT ON FUNCTION monitoring.is_only_sampler() IS
'TRUE when no other transaction takes a sample; none can begin one until this transaction ends.';
REVOKE ALL ON FUNCTION monitoring.is_only_sampler() FROM public;

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
    v_begin timestamptz := clock_timestamp();
    v_before timestamptz;
    v_row record;
BEGIN
    IF NOT monitoring.is_only_sampler() THEN
        RETURN FALSE;
    END IF;
    SELECT max(s.taken_at) INTO v_before FROM monitoring.samples AS s;
    IF v_before > v_begin - interval '0.5 seconds' THEN
        RETURN FALSE; -- several came late together
    END IF;
    -- a crash may take the last half second: a flush each second would cost more
    PERFORM set_config('synchronous_commit', 'off', TRUE);
    SELECT r.sessions, r.causes, r.counts, r.ages_ms INTO v_row
    FROM monitoring.sample_sessions() AS r;
    PERFORM monitoring.write_fact(
        e.kind, e.subject, e.began_at, clock_timestamp(), e.figure, e.detail
    )
    FROM monitoring.read_incidents(p_long) AS e;
    EXECUTE format(
        'INSERT INTO monitoring.samples_%s (taken_at, sessions, took_ms, causes, counts, ages_ms)'
        ' VALUES ($1, $2, $3, $4, $5, $6)', monitoring.ring_slot(v_begin, 1)
    ) USING v_begin, v_row.sessions, extract(EPOCH FROM clock_timestamp() - v_begin) * 1000,
        v_row.causes, v_row.counts, v_row.ages_ms;
    IF date_trunc('minute', v_before) IS DISTINCT FROM date_trunc('minute', v_begin) THEN
        BEGIN
            PERFORM monitoring.keep_samples();
        EXCEPTION
            WHEN OTHERS THEN -- what fails once a minute must not end the samples
                PERFORM monitoring.write_fact(
                    'sampling', 'a minute could not be kept', v_begin, clock_timestamp(), NULL,
                    jsonb_build_object('sqlstate', SQLSTATE, 'detail', left(SQLERRM, 300))
                );
        END;
    END IF;
    RETURN TRUE;
END
$$;
COMMENT ON FUNCTION monitoring.take_sample(interval) IS
'Stores what the sessions of this database do, and transactions, loads and the like that last longer
than p_long; in the first call of a minute also what monitoring.keep_samples() does. FALSE when
another sampler is at work or was half a second ago. To be called each 1 to 10 seconds by a role in
pg_monitor.';
REVOKE ALL ON FUNCTION monitoring.take_sample(interval) FROM public;
