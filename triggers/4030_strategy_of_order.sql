-- 4030_strategy_of_order.sql: an order counts for the strategy of its signal.
-- needs: schema/0150_trading_orders.sql
-- transaction: yes

CALL deploy.become_owner();

CREATE OR REPLACE FUNCTION public.set_order_strategy()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT s.strategy_id INTO NEW.strategy_id
    FROM public.trading_signals AS s
    WHERE s.id = NEW.signal_id AND s.user_id = NEW.user_id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.set_order_strategy() IS
'Trigger: an order without a strategy takes that of its signal.';
REVOKE ALL ON FUNCTION public.set_order_strategy() FROM public;

CREATE OR REPLACE TRIGGER trading_orders_10_strategy
BEFORE INSERT ON public.trading_orders
FOR EACH ROW
WHEN (NEW.strategy_id IS NULL AND NEW.signal_id IS NOT NULL)
EXECUTE FUNCTION public.set_order_strategy();

-- A signal that is attached later brings its strategy too.
CREATE OR REPLACE TRIGGER trading_orders_11_strategy
BEFORE UPDATE OF signal_id ON public.trading_orders
FOR EACH ROW
WHEN (NEW.strategy_id IS NULL AND NEW.signal_id IS NOT NULL AND OLD.signal_id IS NULL)
EXECUTE FUNCTION public.set_order_strategy();
