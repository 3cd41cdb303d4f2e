-- 6240_mt5_symbols.sql: rights on MT5 symbols.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.mt5_symbol_map, public.mt5_symbols TO rubi_app;
GRANT SELECT ON
public.mt5_symbol_map, public.mt5_symbols
TO rubi_tenant, rubi_readonly, rubi_backup;

CALL deploy.set_tenant_policies(
    'public.mt5_symbols', 'account_id', 'public.check_account_is_open(account_id)'
);
CALL deploy.set_tenant_policies(
    'public.mt5_symbol_map', 'account_id', 'public.check_account_is_open(account_id)'
);

-- written by ingest_mt5_symbols alone
REVOKE INSERT, UPDATE, DELETE ON public.mt5_tick_values FROM rubi_app;
GRANT SELECT ON public.mt5_tick_values TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
CALL deploy.set_tenant_policies('public.mt5_tick_values', 'account_id');

GRANT EXECUTE ON FUNCTION public.canonical_symbol(bigint, text) TO rubi_app, rubi_readonly;
GRANT EXECUTE ON FUNCTION
public.ingest_mt5_symbols(bigint, jsonb, timestamptz)
TO rubi_app, rubi_ingest;
