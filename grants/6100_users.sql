-- 6100_users.sql: rights on users.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.user_trading_stats, public.users TO rubi_app;
GRANT SELECT ON public.user_trading_stats TO rubi_tenant, rubi_readonly, rubi_backup;
GRANT SELECT ON public.users TO rubi_backup;

-- Columns are named where a role must not have all of them: hashes are read by the API only, and no
-- user makes himself superuser.
GRANT SELECT (
    id, email, username, is_active, is_superuser, created_at, updated_at, closed_at,
    reporting_currency
), UPDATE (email, username, hashed_password, reporting_currency) ON public.users TO rubi_tenant;
GRANT SELECT (
    id, email, username, is_active, is_superuser, created_at, updated_at, closed_at,
    reporting_currency
) ON public.users TO rubi_readonly;
GRANT USAGE, SELECT ON SEQUENCE public.users_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.users_id_seq TO rubi_backup;

CALL deploy.set_tenant_policies('public.users', 'id');

GRANT EXECUTE ON FUNCTION public.find_user(text)
TO rubi_app, rubi_tenant, rubi_readonly, rubi_backup;
