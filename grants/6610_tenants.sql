-- 6610_tenants.sql: rights on rows of tenants.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.market_bars, public.my_account_snapshots FROM rubi_app;
GRANT SELECT, INSERT ON public.my_account_snapshots TO rubi_tenant;
GRANT SELECT ON public.market_bars TO rubi_app, rubi_tenant, rubi_readonly;

GRANT EXECUTE ON FUNCTION
public.app_user_id()
TO rubi_app, rubi_tenant, rubi_ingest, rubi_readonly, rubi_backup;
