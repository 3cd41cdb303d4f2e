-- 6610_row_security.sql: a tenant sees and writes its own user's rows only.
-- needs: grants/6010_roles.sql, functions/2610_app_user_id.sql, views/3610_tenant_hypertables.sql
-- transaction: yes

CALL deploy.become_owner();

-- The API becomes a tenant for one transaction:
--     SET LOCAL ROLE rubi_tenant; SET LOCAL app.user_id = '42';
-- Policies bind rubi_tenant. The other roles see all rows that their rights reach; the owner is not
-- bound by row security. Hypertables have no policies: rubi_tenant has no right on them.

ALTER TABLE public.users ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS users_tenant ON public.users;
CREATE POLICY users_tenant ON public.users TO rubi_tenant
USING (id = (SELECT public.app_user_id()));
DROP POLICY IF EXISTS users_others ON public.users;
CREATE POLICY users_others ON public.users
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (TRUE);

ALTER TABLE public.trading_strategies ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS trading_strategies_tenant ON public.trading_strategies;
CREATE POLICY trading_strategies_tenant ON public.trading_strategies TO rubi_tenant
USING (user_id = (SELECT public.app_user_id()));
DROP POLICY IF EXISTS trading_strategies_others ON public.trading_strategies;
CREATE POLICY trading_strategies_others ON public.trading_strategies
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (TRUE);

ALTER TABLE public.mt5_accounts ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS mt5_accounts_tenant ON public.mt5_accounts;
CREATE POLICY mt5_accounts_tenant ON public.mt5_accounts TO rubi_tenant
USING (user_id = (SELECT public.app_user_id()));
DROP POLICY IF EXISTS mt5_accounts_others ON public.mt5_accounts;
CREATE POLICY mt5_accounts_others ON public.mt5_accounts
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (TRUE);

ALTER TABLE public.mt5_sessions ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS mt5_sessions_tenant ON public.mt5_sessions;
CREATE POLICY mt5_sessions_tenant ON public.mt5_sessions TO rubi_tenant
USING (user_id = (SELECT public.app_user_id()));
DROP POLICY IF EXISTS mt5_sessions_others ON public.mt5_sessions;
CREATE POLICY mt5_sessions_others ON public.mt5_sessions
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (TRUE);

ALTER TABLE public.trading_signals ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS trading_signals_tenant ON public.trading_signals;
CREATE POLICY trading_signals_tenant ON public.trading_signals TO rubi_tenant
USING (user_id = (SELECT public.app_user_id()));
DROP POLICY IF EXISTS trading_signals_others ON public.trading_signals;
CREATE POLICY trading_signals_others ON public.trading_signals
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (TRUE);

ALTER TABLE public.trading_orders ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS trading_orders_tenant ON public.trading_orders;
CREATE POLICY trading_orders_tenant ON public.trading_orders TO rubi_tenant
USING (user_id = (SELECT public.app_user_id()));
DROP POLICY IF EXISTS trading_orders_others ON public.trading_orders;
CREATE POLICY trading_orders_others ON public.trading_orders
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (TRUE);

-- A position belongs to the user of its session.
ALTER TABLE public.trading_positions ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS trading_positions_tenant ON public.trading_positions;
CREATE POLICY trading_positions_tenant ON public.trading_positions TO rubi_tenant
USING (
    session_id IN (
        SELECT s.session_id
        FROM public.mt5_sessions AS s
        WHERE s.user_id = (SELECT public.app_user_id())
    )
);
DROP POLICY IF EXISTS trading_positions_others ON public.trading_positions;
CREATE POLICY trading_positions_others ON public.trading_positions
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (TRUE);

ALTER TABLE public.performance_metrics ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS performance_metrics_tenant ON public.performance_metrics;
CREATE POLICY performance_metrics_tenant ON public.performance_metrics TO rubi_tenant
USING (user_id = (SELECT public.app_user_id()));
DROP POLICY IF EXISTS performance_metrics_others ON public.performance_metrics;
CREATE POLICY performance_metrics_others ON public.performance_metrics
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (TRUE);

ALTER TABLE public.balance_operations ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS balance_operations_tenant ON public.balance_operations;
CREATE POLICY balance_operations_tenant ON public.balance_operations TO rubi_tenant
USING (user_id = (SELECT public.app_user_id()));
DROP POLICY IF EXISTS balance_operations_others ON public.balance_operations;
CREATE POLICY balance_operations_others ON public.balance_operations
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (TRUE);
