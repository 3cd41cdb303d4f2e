-- status.sql: the schema without the rules of signals and of closed orders that triggers keep.
-- transaction: yes
DROP TRIGGER trading_signals_10_status_from_pending ON public.trading_signals;
DROP TRIGGER trading_signals_20_rules ON public.trading_signals;
DROP TRIGGER trading_orders_05_closed_is_frozen ON public.trading_orders;
