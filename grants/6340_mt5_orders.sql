-- 6340_mt5_orders.sql: rights on MT5's orders.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.mt5_orders TO rubi_app;
GRANT SELECT ON public.mt5_orders TO rubi_tenant, rubi_readonly, rubi_backup;

CALL deploy.set_tenant_policies(
    'public.mt5_orders', 'account_id', 'public.check_account_is_open(account_id)'
);

GRANT EXECUTE ON FUNCTION public.ingest_mt5_orders(bigint, jsonb, text, bigint, bigint)
TO rubi_app, rubi_ingest;
