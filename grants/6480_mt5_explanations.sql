-- 6480_mt5_explanations.sql: who may explain a balance, and who sees what comes of it.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.mt5_explanations TO rubi_app;
GRANT SELECT ON public.mt5_explanations TO rubi_tenant, rubi_readonly, rubi_backup;
GRANT USAGE, SELECT ON SEQUENCE public.mt5_explanations_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.mt5_explanations_id_seq TO rubi_backup;
REVOKE INSERT, UPDATE, DELETE ON
public.account_ledger, public.broker_archived_deals, public.mt5_reconciliations
FROM rubi_app;
GRANT SELECT ON
public.account_ledger, public.broker_archived_deals, public.mt5_reconciliations
TO rubi_app, rubi_readonly, rubi_backup;

CALL deploy.set_tenant_policies(
    'public.mt5_explanations', 'account_id', 'public.check_account_is_open(account_id)'
);
