-- ownership.sql: the schema without keeping users apart: plain foreign keys instead of those that
-- hold the owner, no unique keys for them to point at, no row security, no triggers for tenants.
-- transaction: yes
DROP TRIGGER trading_orders_01_tenant_parents ON public.trading_orders;
DROP TRIGGER account_snapshots_01_tenant_session ON public.account_snapshots;

DO $$
DECLARE
    v_table regclass;
BEGIN
    FOR v_table IN
        SELECT c.oid FROM pg_class AS c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relrowsecurity
    LOOP
        EXECUTE format('ALTER TABLE %s DISABLE ROW LEVEL SECURITY', v_table);
    END LOOP;
END
$$;

ALTER TABLE public.mt5_sessions DROP CONSTRAINT mt5_sessions_account_id_user_id_fkey;
ALTER TABLE public.trading_signals DROP CONSTRAINT trading_signals_strategy_id_user_id_fkey;
ALTER TABLE public.trading_orders DROP CONSTRAINT trading_orders_signal_id_user_id_fkey;
ALTER TABLE public.trading_orders DROP CONSTRAINT trading_orders_strategy_id_user_id_fkey;
ALTER TABLE public.trading_orders DROP CONSTRAINT trading_orders_account_id_user_id_fkey;
ALTER TABLE public.performance_metrics
DROP CONSTRAINT performance_metrics_strategy_id_user_id_fkey;

ALTER TABLE public.trading_strategies DROP CONSTRAINT trading_strategies_id_user_id_key;
ALTER TABLE public.mt5_accounts DROP CONSTRAINT mt5_accounts_id_user_id_key;
ALTER TABLE public.trading_signals DROP CONSTRAINT trading_signals_id_user_id_key;

ALTER TABLE public.mt5_sessions ADD FOREIGN KEY (account_id)
REFERENCES public.mt5_accounts (id) ON DELETE CASCADE;
ALTER TABLE public.trading_signals ADD FOREIGN KEY (strategy_id)
REFERENCES public.trading_strategies (id) ON DELETE SET NULL;
ALTER TABLE public.trading_orders ADD FOREIGN KEY (signal_id)
REFERENCES public.trading_signals (id) ON DELETE SET NULL;
ALTER TABLE public.trading_orders ADD FOREIGN KEY (strategy_id)
REFERENCES public.trading_strategies (id) ON DELETE SET NULL;
ALTER TABLE public.trading_orders ADD FOREIGN KEY (account_id)
REFERENCES public.mt5_accounts (id);
ALTER TABLE public.performance_metrics ADD FOREIGN KEY (strategy_id)
REFERENCES public.trading_strategies (id) ON DELETE SET NULL;
