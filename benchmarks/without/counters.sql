-- counters.sql: the schema without strategy counters.
-- transaction: yes
DROP TRIGGER trading_orders_60_expect_delete ON public.trading_orders;
DROP TRIGGER trading_orders_61_counters_insert ON public.trading_orders;
DROP TRIGGER trading_orders_61_counters_update ON public.trading_orders;
DROP TRIGGER trading_orders_61_counters_delete ON public.trading_orders;
DROP TRIGGER trading_strategies_05_counters_insert ON public.trading_strategies;
DROP TRIGGER trading_strategies_05_counters_update ON public.trading_strategies;
