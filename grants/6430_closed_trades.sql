-- 6430_closed_trades.sql: rights on closed trades.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.closed_trades FROM rubi_app;
GRANT SELECT ON public.closed_trades TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
