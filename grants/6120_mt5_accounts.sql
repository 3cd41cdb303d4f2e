-- 6120_mt5_accounts.sql: rights on trading accounts.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.mt5_accounts TO rubi_app;
GRANT SELECT ON public.mt5_accounts TO rubi_tenant, rubi_readonly, rubi_backup;

-- Without the id: a chosen one would tell by a unique violation that another user has it.
GRANT INSERT (
    user_id, server, account_number, broker, currency, margin_mode, trade_mode, leverage,
    obeys_rules
), UPDATE (
    broker, currency, margin_mode, trade_mode, leverage, obeys_rules
) ON public.mt5_accounts TO rubi_tenant;
GRANT USAGE, SELECT ON SEQUENCE public.mt5_accounts_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.mt5_accounts_id_seq TO rubi_backup;

CALL deploy.set_tenant_policies('public.mt5_accounts', 'user_id');
