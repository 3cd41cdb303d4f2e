-- 3830_monitoring_policies.sql: TimescaleDB's policies and their overdue runs.

CALL deploy.become_owner();

CREATE OR REPLACE VIEW monitoring.policies
WITH (security_invoker = TRUE) AS
SELECT
    p.job_id,
    p.policy,
    p.table_name,
    p.schedule_interval,
    p.last_success,
    p.overdue,
    p.failures,
    p.last_error
FROM monitoring.read_policies() AS p;

COMMENT ON VIEW monitoring.policies IS
'Policies of the Timescale licence: last success and overdue time of each.';
COMMENT ON COLUMN monitoring.policies.job_id IS 'Number of the job in TimescaleDB.';
COMMENT ON COLUMN monitoring.policies.policy IS 'Procedure that the job runs.';
COMMENT ON COLUMN monitoring.policies.table_name IS 'Hypertable or continuous aggregate.';
COMMENT ON COLUMN monitoring.policies.schedule_interval IS 'Time from one run to the next.';
COMMENT ON COLUMN monitoring.policies.last_success IS
'Latest run that succeeded, by TimescaleDB''s scheduler or run_timescale_policies(), UTC.';
COMMENT ON COLUMN monitoring.policies.overdue IS
'Time that the next run is overdue, counted from the enabling of the policy where none succeeded.';
COMMENT ON COLUMN monitoring.policies.failures IS 'Runs that failed under the scheduler.';
COMMENT ON COLUMN monitoring.policies.last_error IS
'Message of the scheduler''s latest failure since the last success.';
