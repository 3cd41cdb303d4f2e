-- 2830_read_policies.sql: the state of TimescaleDB's policies.

CALL deploy.become_owner();

-- Jobs below 1000 are TimescaleDB's own; on the Apache edition one of them fails hourly, without
-- harm.
CREATE OR REPLACE FUNCTION monitoring.read_policies()
RETURNS TABLE (
    job_id integer,
    policy text,
    table_name text,
    schedule_interval interval,
    last_success timestamptz,
    overdue interval,
    failures bigint,
    last_error text
)
LANGUAGE sql
STABLE
PARALLEL RESTRICTED
SECURITY DEFINER -- errors of a job are shown to its owner
SET search_path = pg_catalog, pg_temp
AS $$
    SELECT
        j.job_id,
        j.proc_name::text,
        coalesce(c.view_name, j.hypertable_name)::text,
        j.schedule_interval,
        l.at,
        greatest(now() - coalesce(l.at, r.enabled_at) - j.schedule_interval, interval '0'),
        coalesce(s.total_failures, 0),
        e.err_message
    FROM timescaledb_information.jobs AS j
    -- old versions name the table behind an aggregate
    LEFT JOIN timescaledb_information.continuous_aggregates AS c
        ON j.hypertable_name = c.materialization_hypertable_name
    LEFT JOIN timescaledb_information.job_stats AS s ON j.job_id = s.job_id
    LEFT JOIN monitoring.policy_runs AS r ON j.job_id = r.job_id
    CROSS JOIN LATERAL (
        SELECT
            greatest(nullif(s.last_successful_finish, '-infinity'), r.succeeded_at) AS at
    ) AS l
    LEFT JOIN LATERAL (
        SELECT o.err_message
        FROM timescaledb_information.job_errors AS o
        WHERE o.job_id = j.job_id AND o.finish_time > coalesce(l.at, '-infinity')
        ORDER BY o.finish_time DESC
        LIMIT 1
    ) AS e ON TRUE
    WHERE j.job_id >= 1000 AND j.scheduled
$$;
COMMENT ON FUNCTION monitoring.read_policies() IS
'Policies and the last success of each, by TimescaleDB''s scheduler or run_timescale_policies().';
REVOKE ALL ON FUNCTION monitoring.read_policies() FROM public;
