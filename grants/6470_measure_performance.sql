-- 6470_measure_performance.sql: who may measure performance.

CALL deploy.become_owner();

GRANT EXECUTE ON FUNCTION
public.measure_performance(
    bigint, bigint, bigint, bigint, boolean, timestamptz, timestamptz, numeric, numeric, numeric
),
public.performance_events(
    bigint, bigint, boolean, bigint, boolean, timestamptz, timestamptz, numeric, numeric
)
TO rubi_app, rubi_tenant, rubi_readonly;
