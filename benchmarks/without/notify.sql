-- notify.sql: the schema without notifications, which nobody has subscribed to.
-- transaction: yes
DROP TRIGGER trading_signals_80_notify ON public.trading_signals;
DROP TRIGGER trading_positions_80_notify_opened ON public.trading_positions;
DROP TRIGGER trading_positions_81_notify_closed ON public.trading_positions;
DROP TRIGGER trading_positions_82_notify_changed ON public.trading_positions;
