-- status.sql: the schema without rules on the status of signals and on closed orders.
-- transaction: yes
DROP TRIGGER trading_signals_10_status_from_pending ON public.trading_signals;
DROP TRIGGER trading_signals_20_executed_at ON public.trading_signals;
DROP TRIGGER trading_orders_05_closed_is_frozen ON public.trading_orders;
