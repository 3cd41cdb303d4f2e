-- 6330_trading_deals.sql: rights on deals.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.trading_deals TO rubi_app;
GRANT SELECT ON public.trading_deals TO rubi_tenant, rubi_readonly, rubi_backup;

CALL deploy.set_tenant_policies(
    'public.trading_deals', 'account_id', 'public.check_account_is_open(account_id)'
);

GRANT EXECUTE ON FUNCTION public.ingest_mt5_deals(bigint, jsonb, text, bigint, bigint)
TO rubi_app, rubi_ingest;
