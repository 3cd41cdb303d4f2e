-- 4310_account_of_order.sql: an order that came from deals first is not stored twice.
-- needs: schema/0150_trading_orders.sql
-- transaction: yes

CALL deploy.become_owner();

-- The API's old inserts name no account. When the order's deals were quicker, its row is there with
-- one, and only with the same account do the unique key and ON CONFLICT see that it is the same.
CREATE OR REPLACE FUNCTION public.set_order_account()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    SELECT o.account_id INTO NEW.account_id
    FROM public.trading_orders AS o
    WHERE o.mt5_order_id = NEW.mt5_order_id
        AND o.account_id IS NOT NULL
        AND o.user_id = NEW.user_id
        AND o.symbol = NEW.symbol
    ORDER BY o.account_id
    LIMIT 1;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.set_order_account() IS
'Trigger: an order without an account takes that of the user''s order with its number and symbol.';
REVOKE ALL ON FUNCTION public.set_order_account() FROM public;

CREATE OR REPLACE TRIGGER trading_orders_05_account
BEFORE INSERT ON public.trading_orders
FOR EACH ROW
WHEN (NEW.account_id IS NULL AND NEW.mt5_order_id IS NOT NULL)
EXECUTE FUNCTION public.set_order_account();
