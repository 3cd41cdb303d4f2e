-- 6320_mt5_row_security.sql: a tenant sees the MT5 history of its own accounts only.
-- needs: grants/6010_roles.sql, functions/2610_app_user_id.sql, the tables numbered 03NN
-- transaction: yes

CALL deploy.become_owner();

-- Written by the gateway's functions alone, so a tenant reads. The policies are those of
-- 6610_row_security.sql: rubi_tenant by its user, the other roles as far as their rights reach.
-- What the API writes past the gateway's functions is refused here for a closed user (RB024).

ALTER TABLE public.trading_deals ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS trading_deals_tenant ON public.trading_deals;
CREATE POLICY trading_deals_tenant ON public.trading_deals TO rubi_tenant
USING (
    account_id IN (
        SELECT a.id
        FROM public.mt5_accounts AS a
        WHERE a.user_id = (SELECT public.app_user_id())
    )
);
DROP POLICY IF EXISTS trading_deals_others ON public.trading_deals;
CREATE POLICY trading_deals_others ON public.trading_deals
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (public.check_account_is_open(account_id));

ALTER TABLE public.mt5_orders ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS mt5_orders_tenant ON public.mt5_orders;
CREATE POLICY mt5_orders_tenant ON public.mt5_orders TO rubi_tenant
USING (
    account_id IN (
        SELECT a.id
        FROM public.mt5_accounts AS a
        WHERE a.user_id = (SELECT public.app_user_id())
    )
);
DROP POLICY IF EXISTS mt5_orders_others ON public.mt5_orders;
CREATE POLICY mt5_orders_others ON public.mt5_orders
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (public.check_account_is_open(account_id));

ALTER TABLE public.mt5_account_states ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS mt5_account_states_tenant ON public.mt5_account_states;
CREATE POLICY mt5_account_states_tenant ON public.mt5_account_states TO rubi_tenant
USING (
    account_id IN (
        SELECT a.id
        FROM public.mt5_accounts AS a
        WHERE a.user_id = (SELECT public.app_user_id())
    )
);
DROP POLICY IF EXISTS mt5_account_states_others ON public.mt5_account_states;
CREATE POLICY mt5_account_states_others ON public.mt5_account_states
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (public.check_account_is_open(account_id));

ALTER TABLE public.mt5_symbols ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS mt5_symbols_tenant ON public.mt5_symbols;
CREATE POLICY mt5_symbols_tenant ON public.mt5_symbols TO rubi_tenant
USING (
    account_id IN (
        SELECT a.id
        FROM public.mt5_accounts AS a
        WHERE a.user_id = (SELECT public.app_user_id())
    )
);
DROP POLICY IF EXISTS mt5_symbols_others ON public.mt5_symbols;
CREATE POLICY mt5_symbols_others ON public.mt5_symbols
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (public.check_account_is_open(account_id));

ALTER TABLE public.mt5_symbol_map ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS mt5_symbol_map_tenant ON public.mt5_symbol_map;
CREATE POLICY mt5_symbol_map_tenant ON public.mt5_symbol_map TO rubi_tenant
USING (
    account_id IN (
        SELECT a.id
        FROM public.mt5_accounts AS a
        WHERE a.user_id = (SELECT public.app_user_id())
    )
);
DROP POLICY IF EXISTS mt5_symbol_map_others ON public.mt5_symbol_map;
CREATE POLICY mt5_symbol_map_others ON public.mt5_symbol_map
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (public.check_account_is_open(account_id));

ALTER TABLE public.mt5_trips ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS mt5_trips_tenant ON public.mt5_trips;
CREATE POLICY mt5_trips_tenant ON public.mt5_trips TO rubi_tenant
USING (
    account_id IN (
        SELECT a.id
        FROM public.mt5_accounts AS a
        WHERE a.user_id = (SELECT public.app_user_id())
    )
);
DROP POLICY IF EXISTS mt5_trips_others ON public.mt5_trips;
CREATE POLICY mt5_trips_others ON public.mt5_trips
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (TRUE);

ALTER TABLE public.mt5_rejects ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS mt5_rejects_tenant ON public.mt5_rejects;
CREATE POLICY mt5_rejects_tenant ON public.mt5_rejects TO rubi_tenant
USING (
    account_id IN (
        SELECT a.id
        FROM public.mt5_accounts AS a
        WHERE a.user_id = (SELECT public.app_user_id())
    )
);
DROP POLICY IF EXISTS mt5_rejects_others ON public.mt5_rejects;
CREATE POLICY mt5_rejects_others ON public.mt5_rejects
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (public.check_account_is_open(account_id));

ALTER TABLE public.mt5_reports ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS mt5_reports_tenant ON public.mt5_reports;
CREATE POLICY mt5_reports_tenant ON public.mt5_reports TO rubi_tenant
USING (
    account_id IN (
        SELECT a.id
        FROM public.mt5_accounts AS a
        WHERE a.user_id = (SELECT public.app_user_id())
    )
);
DROP POLICY IF EXISTS mt5_reports_others ON public.mt5_reports;
CREATE POLICY mt5_reports_others ON public.mt5_reports
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (public.check_account_is_open(account_id));

ALTER TABLE public.mt5_order_sends ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS mt5_order_sends_tenant ON public.mt5_order_sends;
CREATE POLICY mt5_order_sends_tenant ON public.mt5_order_sends TO rubi_tenant
USING (
    account_id IN (
        SELECT a.id
        FROM public.mt5_accounts AS a
        WHERE a.user_id = (SELECT public.app_user_id())
    )
);
DROP POLICY IF EXISTS mt5_order_sends_others ON public.mt5_order_sends;
CREATE POLICY mt5_order_sends_others ON public.mt5_order_sends
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (public.check_account_is_open(account_id));

ALTER TABLE public.mt5_magic_strategies ENABLE ROW LEVEL SECURITY;
DROP POLICY IF EXISTS mt5_magic_strategies_tenant ON public.mt5_magic_strategies;
CREATE POLICY mt5_magic_strategies_tenant ON public.mt5_magic_strategies TO rubi_tenant
USING (user_id = (SELECT public.app_user_id()));
DROP POLICY IF EXISTS mt5_magic_strategies_others ON public.mt5_magic_strategies;
CREATE POLICY mt5_magic_strategies_others ON public.mt5_magic_strategies
TO rubi_app, rubi_ingest, rubi_readonly, rubi_backup
USING (TRUE) WITH CHECK (TRUE);

GRANT SELECT ON
public.trading_deals, public.mt5_orders, public.mt5_symbols, public.mt5_symbol_map,
public.mt5_trips, public.mt5_rejects, public.mt5_reports, public.mt5_order_sends,
public.mt5_magic_strategies, public.mt5_codes, public.mt5_deal_types, public.mt5_report_figures
TO rubi_tenant;
