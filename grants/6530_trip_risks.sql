-- 6530_trip_risks.sql: who may read what trades risked.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.trip_excursions, public.trip_risks FROM rubi_app;
GRANT SELECT ON public.trip_risks TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
-- over a hypertable: not for tenants
GRANT SELECT ON public.trip_excursions TO rubi_app, rubi_readonly, rubi_backup;

GRANT EXECUTE ON FUNCTION
public.group_r(bigint, timestamptz, timestamptz, boolean, bigint, bigint)
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
