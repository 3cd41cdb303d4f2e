-- 6420_find_account_state.sql: rights on find_account_state().

CALL deploy.become_owner();

REVOKE INSERT, UPDATE, DELETE ON public.account_states FROM rubi_app;
GRANT SELECT ON public.account_states TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;

GRANT EXECUTE ON FUNCTION
public.find_account_balance(bigint, timestamptz),
public.find_account_state(bigint, timestamptz, boolean)
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
