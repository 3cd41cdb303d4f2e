-- 2871_read_schedules.sql: the last runs of pg_cron's jobs.

CALL deploy.become_owner();

-- pg_cron shows runs to the role that scheduled them, by row security: a superuser may let
-- rubi_monitor see all (docs/guides/monitoring.md). Else a single row has the reason.
CREATE OR REPLACE FUNCTION monitoring.read_schedules()
RETURNS TABLE (job text, succeeded boolean, ended_at timestamptz, message text)
LANGUAGE plpgsql
STABLE
PARALLEL RESTRICTED
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_runs oid := (
        SELECT c.oid
        FROM pg_class AS c
        INNER JOIN pg_namespace AS n ON c.relnamespace = n.oid
        WHERE n.nspname = 'cron' AND c.relname = 'job_run_details'
    );
BEGIN
    IF v_runs IS NULL THEN
        RETURN; -- pg_cron is not here, or in another database
    END IF;
    -- The runs have no index but their number's. A week of samples, a run each 5 seconds, has
    -- 140,000: a weekly job that failed is still seen then.
    RETURN QUERY EXECUTE format(
        'SELECT coalesce(j.jobname, j.command)::text, d.status = ''succeeded'', d.end_time,'
        ' d.return_message::text FROM %1$I.job AS j CROSS JOIN LATERAL ('
        'SELECT r.status, r.end_time, r.return_message FROM %1$I.job_run_details AS r'
        ' WHERE r.jobid = j.jobid AND r.status IN (''succeeded'', ''failed'') AND r.runid >'
        ' (SELECT max(m.runid) - 200000 FROM %1$I.job_run_details AS m)'
        ' ORDER BY r.runid DESC LIMIT 1) AS d'
        ' WHERE j.active AND j.database = current_database()',
        (SELECT c.relnamespace::regnamespace::name FROM pg_class AS c WHERE c.oid = v_runs)
    );
    IF NOT FOUND AND row_security_active(v_runs) AND NOT EXISTS (
        SELECT FROM pg_policy AS p
        CROSS JOIN unnest(p.polroles) AS r (id)
        WHERE p.polrelid = v_runs AND r.id <> 0 AND pg_has_role(current_user, r.id, 'USAGE')
    ) THEN
        message := 'not visible: a policy on the tables of pg_cron, docs/guides/monitoring.md';
        RETURN NEXT;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        message := format('not visible: %s', SQLERRM);
        RETURN NEXT;
END
$$;
COMMENT ON FUNCTION monitoring.read_schedules() IS
'Jobs of pg_cron in this database and how the latest run of each ended; no row where pg_cron is in
another database, a single one with the reason in message where the runs can''t be seen.';
REVOKE ALL ON FUNCTION monitoring.read_schedules() FROM public;
