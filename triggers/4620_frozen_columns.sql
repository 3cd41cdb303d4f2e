-- 4620_frozen_columns.sql: what the API may no longer change.
-- needs: schema/0110_trading_strategies.sql, schema/0150_trading_orders.sql
-- transaction: yes

CALL deploy.become_owner();

-- What would be a WHEN stands in the functions: PostgreSQL reads the text of a WHEN anew for each
-- statement, the longer the dearer. Who may put triggers on a table may correct its history: its
-- owner, as nobody else has been given that right.
CREATE OR REPLACE FUNCTION internal.refuse_change_of_closed_order()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF OLD.closed_at IS NULL THEN
        RETURN NEW;
    END IF;
    -- an account that was unknown may be named
    IF (
        OLD.user_id, coalesce(OLD.account_id, NEW.account_id), OLD.symbol, OLD.order_type, OLD.volume, OLD.open_price,
        OLD.close_price, OLD.profit, OLD.commission, OLD.swap, OLD.opened_at, OLD.closed_at
    ) IS NOT DISTINCT FROM (
        NEW.user_id, NEW.account_id, NEW.symbol, NEW.order_type, NEW.volume, NEW.open_price,
        NEW.close_price, NEW.profit, NEW.commission, NEW.swap, NEW.opened_at, NEW.closed_at
    ) THEN
        RETURN NEW;
    END IF;
    IF has_table_privilege(TG_RELID, 'TRIGGER') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'RB020',
        MESSAGE = format('order %s is closed: its money, prices and times are history', OLD.id),
        HINT = 'The database''s owner corrects history; the audit trail keeps what it was.',
        SCHEMA = 'public',
        TABLE = 'trading_orders',
        CONSTRAINT = 'trading_orders_closed_is_frozen';
END
$$;
COMMENT ON FUNCTION internal.refuse_change_of_closed_order() IS
'Trigger: raises RB020 when another role than the owner changes a closed order''s money or times.';
REVOKE ALL ON FUNCTION internal.refuse_change_of_closed_order() FROM public;

CREATE OR REPLACE TRIGGER trading_orders_05_closed_is_frozen
BEFORE UPDATE OF user_id, account_id, symbol, order_type, volume, open_price, close_price, profit,
commission, swap, opened_at, closed_at
ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION internal.refuse_change_of_closed_order();

CREATE OR REPLACE FUNCTION internal.refuse_change_of_counters()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (OLD.total_trades, OLD.winning_trades, OLD.total_profit)
            IS NOT DISTINCT FROM (NEW.total_trades, NEW.winning_trades, NEW.total_profit) THEN
            RETURN NEW;
        END IF;
    ELSIF (NEW.total_trades, NEW.winning_trades, NEW.total_profit)
        IS NOT DISTINCT FROM (0, 0, 0) THEN
        RETURN NEW;
    END IF;
    IF has_table_privilege(TG_RELID, 'TRIGGER') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'RB022',
        MESSAGE = 'total_trades, winning_trades and total_profit are counted by the database',
        HINT = 'Leave them out: they follow the strategy''s closed orders.',
        SCHEMA = 'public',
        TABLE = 'trading_strategies',
        CONSTRAINT = 'trading_strategies_counters_are_counted';
END
$$;
COMMENT ON FUNCTION internal.refuse_change_of_counters() IS
'Trigger: raises RB022 when another role than the owner writes a strategy''s counters.';
REVOKE ALL ON FUNCTION internal.refuse_change_of_counters() FROM public;

CREATE OR REPLACE TRIGGER trading_strategies_05_counters_insert
BEFORE INSERT ON public.trading_strategies
FOR EACH ROW EXECUTE FUNCTION internal.refuse_change_of_counters();

CREATE OR REPLACE TRIGGER trading_strategies_05_counters_update
BEFORE UPDATE OF total_trades, winning_trades, total_profit ON public.trading_strategies
FOR EACH ROW EXECUTE FUNCTION internal.refuse_change_of_counters();
