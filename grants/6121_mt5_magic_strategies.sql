-- 6121_mt5_magic_strategies.sql: rights on MT5 magic strategies.

CALL deploy.become_owner();

GRANT SELECT, INSERT, UPDATE, DELETE ON public.mt5_magic_strategies TO rubi_app;
GRANT SELECT ON public.mt5_magic_strategies TO rubi_tenant, rubi_readonly, rubi_backup;

CALL deploy.set_tenant_policies('public.mt5_magic_strategies', 'user_id');
