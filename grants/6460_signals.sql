-- 6460_signals.sql: rights on signals.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON
public.execution_quality, public.signal_executions, public.signal_funnel
FROM rubi_app;
GRANT SELECT ON
public.execution_quality, public.signal_executions, public.signal_funnel
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
