-- 6750_lifecycle.sql: rights on the policies and what was done by them.

CALL deploy.become_owner();

GRANT SELECT ON monitoring.archives, monitoring.lifecycle, monitoring.thinned_days
TO rubi_monitor, rubi_backup;

GRANT EXECUTE ON FUNCTION monitoring.lifecycle_steps(), monitoring.plan_lifecycle()
TO rubi_monitor, rubi_backup;
