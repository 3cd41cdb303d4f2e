-- 6130_mt5_sessions.sql: rights on sessions.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.mt5_sessions TO rubi_app;
GRANT SELECT ON public.mt5_sessions TO rubi_tenant, rubi_readonly, rubi_backup;

-- Without the id: a chosen one would tell by a unique violation that another user has it.
GRANT INSERT (
    user_id, account_number, broker, server, balance, equity, margin, margin_free, currency,
    is_active, connected_at, last_ping, disconnected_at
), UPDATE (
    balance, equity, margin, margin_free, currency, is_active, last_ping, disconnected_at
) ON public.mt5_sessions TO rubi_tenant;
GRANT USAGE, SELECT ON SEQUENCE public.mt5_sessions_id_seq TO rubi_app;
GRANT SELECT ON SEQUENCE public.mt5_sessions_id_seq TO rubi_backup;

CALL deploy.set_tenant_policies('public.mt5_sessions', 'user_id');
