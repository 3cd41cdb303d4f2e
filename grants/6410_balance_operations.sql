-- 6410_balance_operations.sql: rights on balance operations.

CALL deploy.become_owner();

-- made from deals; users without a gateway book a deposit as a deal, by ingest_mt5_deals()
REVOKE INSERT, UPDATE, DELETE ON public.balance_operations FROM rubi_app;
GRANT SELECT ON public.balance_operations TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
GRANT USAGE, SELECT ON SEQUENCE public.balance_operations_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.balance_operations_id_seq TO rubi_backup;

CALL deploy.set_tenant_policies('public.balance_operations', 'user_id');
