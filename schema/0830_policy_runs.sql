-- 0830_policy_runs.sql: runs of TimescaleDB's policies by run_timescale_policies().

CALL deploy.become_owner();

-- TimescaleDB keeps no statistics of a job that a session runs.
CREATE TABLE IF NOT EXISTS monitoring.policy_runs (
    job_id integer NOT NULL,
    enabled_at public.finite_time DEFAULT now() NOT NULL,
    attempted_at public.event_time,
    succeeded_at public.event_time,
    CONSTRAINT policy_runs_pkey PRIMARY KEY (job_id),
    CONSTRAINT policy_runs_success_was_attempted_check CHECK (succeeded_at <= attempted_at)
);
COMMENT ON TABLE monitoring.policy_runs IS
'One row a policy of the Timescale licence. Written by enable_timescale_policies() and
run_timescale_policies().';
COMMENT ON COLUMN monitoring.policy_runs.job_id IS 'Number of the job in TimescaleDB.';
COMMENT ON COLUMN monitoring.policy_runs.enabled_at IS 'Time when the policy was enabled, UTC.';
COMMENT ON COLUMN monitoring.policy_runs.attempted_at IS
'Time when run_timescale_policies() last began the job, UTC; NULL for never.';
COMMENT ON COLUMN monitoring.policy_runs.succeeded_at IS
'Begin of the last run that ended well, UTC; NULL for none.';
