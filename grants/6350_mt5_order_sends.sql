-- 6350_mt5_order_sends.sql: rights on MT5 order sends.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.mt5_order_send_quality FROM rubi_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.mt5_order_sends TO rubi_app;
GRANT SELECT ON public.mt5_order_send_quality TO rubi_app, rubi_readonly, rubi_backup;
GRANT SELECT ON public.mt5_order_sends TO rubi_tenant, rubi_readonly, rubi_backup;
GRANT USAGE, SELECT ON SEQUENCE public.mt5_order_sends_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.mt5_order_sends_id_seq TO rubi_backup;

CALL deploy.set_tenant_policies(
    'public.mt5_order_sends', 'account_id', 'public.check_account_is_open(account_id)'
);

GRANT EXECUTE ON FUNCTION
public.log_mt5_order_send(bigint, jsonb, jsonb, timestamptz, timestamptz, text, bigint)
TO rubi_app, rubi_ingest;
