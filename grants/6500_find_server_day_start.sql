-- 6500_find_server_day_start.sql: rights on find_server_day_start().

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.account_risk FROM rubi_app;
GRANT SELECT ON public.account_risk TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;

GRANT EXECUTE ON FUNCTION
public.find_server_day_start(bigint, timestamptz)
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
