-- 6400_performance_metrics.sql: rights on performance metrics.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.performance_metrics TO rubi_app;
GRANT SELECT ON monitoring.performance_failures TO rubi_monitor, rubi_backup;
GRANT SELECT ON public.performance_metrics TO rubi_tenant, rubi_readonly, rubi_backup;
GRANT USAGE, SELECT ON SEQUENCE public.performance_metrics_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.performance_metrics_id_seq TO rubi_backup;

CALL deploy.set_tenant_policies('public.performance_metrics', 'user_id');

GRANT EXECUTE ON FUNCTION
public.calculate_performance_metrics(
    bigint, bigint, timestamptz, timestamptz, numeric, numeric, numeric, bigint
),
public.check_performance_period(timestamptz, timestamptz)
TO rubi_app, rubi_tenant, rubi_readonly;
GRANT EXECUTE ON FUNCTION public.refresh_performance_metrics(timestamptz, timestamptz) TO rubi_app;
