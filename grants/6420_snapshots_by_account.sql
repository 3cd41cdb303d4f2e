-- 6420_snapshots_by_account.sql: rights on snapshots by account.

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.snapshots_by_account FROM rubi_app;
GRANT SELECT ON public.snapshots_by_account TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;

GRANT EXECUTE ON FUNCTION
public.find_account_balance(bigint, timestamptz),
public.find_account_snapshot(bigint, timestamptz, boolean)
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
