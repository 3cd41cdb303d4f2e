-- 6920_gateway_series.sql: who may do what with the gateway's series and watermarks.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON
public.gateway_series, public.gateway_watermarks
TO rubi_app;
GRANT SELECT ON
public.gateway_series, public.gateway_watermarks
TO rubi_tenant, rubi_readonly, rubi_backup;

CALL deploy.set_tenant_policies(
    'public.gateway_series', 'account_id', 'public.check_account_is_open(account_id)'
);
CALL deploy.set_tenant_policies(
    'public.gateway_watermarks', 'account_id', 'public.check_account_is_open(account_id)'
);

GRANT EXECUTE ON FUNCTION
public.advance_gateway_watermark(bigint, text, text, bigint, bigint),
public.find_gateway_account(text, text, text),
public.find_waiting_mt5_orders(bigint),
public.hold_gateway_account(bigint, text, text),
public.read_gateway_streams(bigint),
public.release_gateway_account(bigint, text, text)
TO rubi_app, rubi_ingest;
