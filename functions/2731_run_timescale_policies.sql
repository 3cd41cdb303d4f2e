-- 2731_run_timescale_policies.sql: the policies, run where TimescaleDB's scheduler can't.

CALL deploy.become_owner();

-- PostgreSQL 15.20 and 17.12 refuse the last step of TimescaleDB's scheduler in each job (24000,
-- TimescaleDB 2.11 to 2.29); in a session such a job succeeds. A job that the scheduler has run
-- within two of its intervals is left to the scheduler. A handler of errors would forbid the
-- commits of a job: the attempt is noted before, and the job that was tried longest ago comes
-- first, so that a failing job holds up the others for one call only. The path is set in the body,
-- as a procedure with a SET clause may not COMMIT.
CREATE OR REPLACE PROCEDURE public.run_timescale_policies()
LANGUAGE plpgsql
AS $$
DECLARE
    v_job integer;
BEGIN
    SET LOCAL search_path = pg_catalog, pg_temp;
    FOR v_job IN
        SELECT j.job_id
        FROM timescaledb_information.jobs AS j
        LEFT JOIN timescaledb_information.job_stats AS s ON j.job_id = s.job_id
        LEFT JOIN monitoring.policy_runs AS r ON j.job_id = r.job_id
        WHERE j.job_id >= 1000 -- lower numbers are TimescaleDB's own jobs
            AND j.scheduled
            AND pg_catalog.pg_has_role(j.owner, 'USAGE')
            AND coalesce(
                s.last_successful_finish < pg_catalog.now() - 2 * j.schedule_interval, TRUE
            )
            AND coalesce(r.succeeded_at <= pg_catalog.now() - j.schedule_interval, TRUE)
        ORDER BY r.attempted_at NULLS FIRST, j.job_id
    LOOP
        INSERT INTO monitoring.policy_runs (job_id, attempted_at)
        VALUES (v_job, pg_catalog.clock_timestamp())
        ON CONFLICT (job_id) DO UPDATE SET attempted_at = excluded.attempted_at;
        COMMIT;
        CALL public.run_job(v_job);
        COMMIT;
        UPDATE monitoring.policy_runs SET succeeded_at = attempted_at WHERE job_id = v_job;
        COMMIT;
    END LOOP;
END
$$;
COMMENT ON PROCEDURE public.run_timescale_policies () IS
'Runs the policies that are due and that TimescaleDB''s scheduler has not run, in this session. A
policy that fails ends the call, and the next call begins with the others. Commits after each, so
call it outside a transaction, as the owner, every ten minutes. Does nothing without policies.';
REVOKE ALL ON PROCEDURE public.run_timescale_policies() FROM public;
