-- 2600_note_change.sql: changes of users, strategies, orders and more leave a trace.

CALL deploy.become_owner();

-- Changed columns only. A password hash never leaves its table: the trail notes the change alone.
CREATE OR REPLACE FUNCTION audit.note_change()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- only the owner writes the trail
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_old jsonb;
    v_new jsonb;
    v_changed text[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        INSERT INTO audit.changes (app_user_id, table_name, row_id, action)
        VALUES (nullif(current_setting('app.user_id', TRUE), ''), TG_TABLE_NAME, NEW.id, 'INSERT');
        RETURN NULL;
    END IF;

    v_old := to_jsonb(OLD);
    IF TG_OP = 'UPDATE' THEN
        v_new := to_jsonb(NEW);
        -- none where all columns changed, and jsonb less NULL would be NULL
        SELECT coalesce(array_agg(k.key), '{}') INTO v_changed
        FROM jsonb_each(v_new) AS k
        WHERE k.value = v_old -> k.key OR k.key = 'updated_at';
        v_old := v_old - v_changed;
        v_new := v_new - v_changed;
        IF v_new = '{}' THEN
            RETURN NULL; -- an update that changed nothing
        END IF;
    END IF;
    IF v_old ? 'hashed_password' THEN
        v_old := jsonb_set(v_old, '{hashed_password}', '"(not kept)"');
        v_new := jsonb_set(v_new, '{hashed_password}', '"(not kept)"');
    END IF;
    INSERT INTO audit.changes (app_user_id, table_name, row_id, action, old_values, new_values)
    VALUES (
        nullif(current_setting('app.user_id', TRUE), ''), TG_TABLE_NAME, OLD.id, TG_OP,
        v_old, v_new
    );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION audit.note_change() IS
'Trigger: notes a change in audit.changes, with the values of the changed columns.';
REVOKE ALL ON FUNCTION audit.note_change() FROM public;

-- Orders that follow deals, within a trigger of these, are noted together by the statement that
-- makes them (internal.make_orders_of_trips): a statement for each took a twentieth of the ingest
-- of deals.
CREATE OR REPLACE FUNCTION audit.note_new_order()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- only the owner writes the trail
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.made_by = 'deals' AND pg_trigger_depth() > 1 THEN
        RETURN NULL;
    END IF;
    INSERT INTO audit.changes (app_user_id, table_name, row_id, action)
    VALUES (nullif(current_setting('app.user_id', TRUE), ''), 'trading_orders', NEW.id, 'INSERT');
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION audit.note_new_order() IS
'Trigger: notes a new order in audit.changes, unless the statement that made it from deals does.';
REVOKE ALL ON FUNCTION audit.note_new_order() FROM public;

-- An order's closing and every change of its money: the columns that nearly all changes of orders
-- are limited to are compared one by one, in a third of the time that a comparison as JSON takes. A
-- row that differs elsewhere goes the way of all others. A test changes each column.
CREATE OR REPLACE FUNCTION audit.note_change_of_order()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- only the owner writes the trail
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_old jsonb;
    v_new jsonb;
    v_same text[];
BEGIN
    IF (
        OLD.id, OLD.signal_id, OLD.user_id, OLD.strategy_id, OLD.account_id, OLD.mt5_order_id,
        OLD.mt5_position_id, OLD.symbol, OLD.order_type, OLD.volume, OLD.open_price,
        OLD.stop_loss, OLD.take_profit, OLD.opened_at, OLD.time_ambiguous,
        OLD.client_request_id, OLD.made_by
    ) IS DISTINCT FROM (
        NEW.id, NEW.signal_id, NEW.user_id, NEW.strategy_id, NEW.account_id, NEW.mt5_order_id,
        NEW.mt5_position_id, NEW.symbol, NEW.order_type, NEW.volume, NEW.open_price,
        NEW.stop_loss, NEW.take_profit, NEW.opened_at, NEW.time_ambiguous,
        NEW.client_request_id, NEW.made_by
    ) THEN
        v_old := to_jsonb(OLD);
        v_new := to_jsonb(NEW);
        SELECT jsonb_object_agg(e.key, v_old -> e.key), jsonb_object_agg(e.key, e.value)
        INTO v_old, v_new
        FROM jsonb_each(v_new) AS e
        WHERE e.value <> v_old -> e.key;
    ELSE
        v_same := ARRAY[
            CASE WHEN OLD.close_price IS NOT DISTINCT FROM NEW.close_price THEN 'close_price' END,
            CASE WHEN OLD.closed_at IS NOT DISTINCT FROM NEW.closed_at THEN 'closed_at' END,
            CASE WHEN OLD.profit = NEW.profit THEN 'profit' END,
            CASE WHEN OLD.commission = NEW.commission THEN 'commission' END,
            CASE WHEN OLD.swap = NEW.swap THEN 'swap' END
        ];
        v_new := jsonb_build_object(
            'close_price', NEW.close_price, 'closed_at', NEW.closed_at, 'profit', NEW.profit,
            'commission', NEW.commission, 'swap', NEW.swap
        ) - v_same;
        IF v_new = '{}' THEN
            RETURN NULL; -- an update that changed nothing
        END IF;
        v_old := jsonb_build_object(
            'close_price', OLD.close_price, 'closed_at', OLD.closed_at, 'profit', OLD.profit,
            'commission', OLD.commission, 'swap', OLD.swap
        ) - v_same;
    END IF;
    INSERT INTO audit.changes (app_user_id, table_name, row_id, action, old_values, new_values)
    VALUES (
        nullif(current_setting('app.user_id', TRUE), ''), 'trading_orders', OLD.id, 'UPDATE',
        v_old, v_new
    );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION audit.note_change_of_order() IS
'Trigger: notes the update of an order in audit.changes, with the values of the changed columns.';
REVOKE ALL ON FUNCTION audit.note_change_of_order() FROM public;
