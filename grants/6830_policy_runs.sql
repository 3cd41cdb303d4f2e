-- 6830_policy_runs.sql: rights to see the runs of policies.

CALL deploy.become_owner();

GRANT SELECT ON monitoring.policies, monitoring.policy_runs TO rubi_monitor, rubi_backup;

GRANT EXECUTE ON FUNCTION monitoring.read_policies() TO rubi_monitor, rubi_backup;
