-- status.sql: the schema without the rules of signals, closed orders and closed users that triggers
-- keep.
-- transaction: yes
DROP TRIGGER trading_signals_20_rules ON public.trading_signals;
DROP TRIGGER trading_orders_03_rules ON public.trading_orders;
DROP TRIGGER users_02_user_is_open ON public.users;
DROP TRIGGER mt5_accounts_02_user_is_open ON public.mt5_accounts;
DROP TRIGGER trading_strategies_02_user_is_open ON public.trading_strategies;
DROP TRIGGER trading_signals_02_user_is_open ON public.trading_signals;
DROP TRIGGER trading_orders_02_user_is_open ON public.trading_orders;
DROP TRIGGER mt5_sessions_02_user_is_open ON public.mt5_sessions;
DROP TRIGGER mt5_sessions_03_user_is_open ON public.mt5_sessions;
