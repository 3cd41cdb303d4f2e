-- audit.sql: the schema without its audit trail.
-- transaction: yes
DROP TRIGGER users_70_audit ON public.users;
DROP TRIGGER mt5_accounts_70_audit ON public.mt5_accounts;
DROP TRIGGER trading_orders_70_audit ON public.trading_orders;
DROP TRIGGER trading_orders_70_audit_insert ON public.trading_orders;
DROP TRIGGER trading_orders_70_audit_update ON public.trading_orders;
DROP TRIGGER trading_strategies_70_audit ON public.trading_strategies;
