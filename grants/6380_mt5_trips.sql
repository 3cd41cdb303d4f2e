-- 6380_mt5_trips.sql: rights on MT5 trips.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON
public.mt5_first_stops, public.mt5_trip_links, public.mt5_trip_results, public.mt5_trips
FROM rubi_app;
GRANT SELECT ON public.mt5_trip_links, public.mt5_trip_results
TO rubi_app, rubi_readonly, rubi_backup;
GRANT SELECT ON public.mt5_first_stops, public.mt5_trips
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
GRANT SELECT ON monitoring.trip_violations TO rubi_monitor, rubi_backup;
GRANT SELECT ON internal.proved_positions TO rubi_backup;

CALL deploy.set_tenant_policies('public.mt5_first_stops', 'account_id');
CALL deploy.set_tenant_policies('public.mt5_trips', 'account_id');

GRANT EXECUTE ON FUNCTION public.rebuild_mt5_trips(bigint) TO rubi_app;
