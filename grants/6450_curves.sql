-- 6450_curves.sql: rights on curves.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.daily_equity, public.trade_series FROM rubi_app;
GRANT SELECT ON
public.daily_equity, public.trade_series
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
