-- 6390_mt5_rejects.sql: rights on MT5 rejects.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.mt5_rejects TO rubi_app;
GRANT SELECT ON internal.mt5_missed TO rubi_backup;
GRANT SELECT ON public.mt5_rejects TO rubi_tenant, rubi_readonly, rubi_backup;
GRANT USAGE, SELECT ON SEQUENCE public.mt5_rejects_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.mt5_rejects_id_seq TO rubi_backup;

CALL deploy.set_tenant_policies(
    'public.mt5_rejects', 'account_id', 'public.check_account_is_open(account_id)'
);

GRANT EXECUTE ON FUNCTION public.check_account_is_open(bigint) TO rubi_app;
