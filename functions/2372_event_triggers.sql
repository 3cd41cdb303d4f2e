-- 2372_event_triggers.sql: when a position, order, deal or account has an event.

CALL deploy.become_owner();

-- By row: most pictures change few rows in what is told, and an update of prices, which sets none
-- of the columns that the triggers name, never comes here.
CREATE OR REPLACE FUNCTION internal.note_position()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- nobody writes events but the owner
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_old jsonb := CASE WHEN TG_OP <> 'INSERT' THEN internal.told_of_position(OLD) END;
    v_new jsonb := CASE WHEN TG_OP <> 'DELETE' THEN internal.told_of_position(NEW) END;
    v_taken_at timestamptz := internal.picture_taken_at();
    -- a reversal of a netted position, or two of them since the last picture, leave the identifier
    -- and give another ticket
    v_is_same boolean := (OLD.account_id, OLD.identifier, OLD.type, OLD.ticket)
        = (NEW.account_id, NEW.identifier, NEW.type, NEW.ticket);
    -- those that were not there before; 0 is none
    v_stop numeric := CASE WHEN v_is_same AND OLD.sl <> 0 THEN NULL ELSE nullif(NEW.sl, 0) END;
    v_target numeric := CASE WHEN v_is_same AND OLD.tp <> 0 THEN NULL ELSE nullif(NEW.tp, 0) END;
BEGIN
    -- of a row that MT5 knows
    IF NEW.identifier IS NOT NULL AND (v_stop IS NOT NULL OR v_target IS NOT NULL) THEN
        PERFORM internal.keep_first_stop(NEW, v_taken_at, v_stop, v_target);
    END IF;
    IF (OLD.account_id, OLD.identifier) = (NEW.account_id, NEW.identifier) THEN
        PERFORM internal.note_event(
            NEW.account_id, 'position', 'changed', NEW.identifier, v_old, v_new, v_taken_at
        );
        RETURN NULL;
    END IF;
    PERFORM internal.note_event(
        OLD.account_id, 'position', 'closed', OLD.identifier, v_old, NULL, v_taken_at
    );
    PERFORM internal.note_event(
        NEW.account_id, 'position', 'new', NEW.identifier, NULL, v_new, v_taken_at
    );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.note_position() IS
'Trigger: writes the event of a position that appears, changes or leaves; keeps its first stop.';
REVOKE ALL ON FUNCTION internal.note_position() FROM public;

CREATE OR REPLACE FUNCTION internal.note_account_state()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- nobody writes events but the owner
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_old jsonb := CASE WHEN TG_OP <> 'INSERT' THEN internal.told_of_account(OLD) END;
BEGIN
    PERFORM internal.note_event(
        NEW.account_id, 'account', CASE WHEN v_old IS NULL THEN 'new' ELSE 'changed' END,
        NEW.account_id, v_old, internal.told_of_account(NEW), NEW.taken_at
    );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.note_account_state() IS
'Trigger: writes the event of an account whose state is first told or changes.';
REVOKE ALL ON FUNCTION internal.note_account_state() FROM public;

CREATE OR REPLACE FUNCTION internal.is_order_done(p_code integer)
RETURNS boolean
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT p_code IN (2, 4, 5, 6)
$$; -- CANCELED, FILLED, REJECTED, EXPIRED
COMMENT ON FUNCTION internal.is_order_done(integer) IS
'Whether an order in this state of MT5 waits no more.';
REVOKE ALL ON FUNCTION internal.is_order_done(integer) FROM public;

CREATE OR REPLACE FUNCTION internal.note_order()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- nobody writes events but the owner
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_old jsonb;
    v_new jsonb;
    v_what text;
BEGIN
    -- Most updates change the price of a waiting order alone. To compare takes half the time of
    -- making the values.
    IF (
        OLD.time_setup_msc, OLD.time_done_msc, OLD.time_expiration, OLD.type, OLD.type_time,
        OLD.type_filling, OLD.state, OLD.magic, OLD.position_id, OLD.position_by_id, OLD.reason,
        OLD.volume_initial, OLD.volume_current, OLD.price_open, OLD.sl, OLD.tp,
        OLD.price_stoplimit, OLD.symbol, OLD.comment, OLD.external_id, OLD.gone_since
    ) IS NOT DISTINCT FROM (
        NEW.time_setup_msc, NEW.time_done_msc, NEW.time_expiration, NEW.type, NEW.type_time,
        NEW.type_filling, NEW.state, NEW.magic, NEW.position_id, NEW.position_by_id, NEW.reason,
        NEW.volume_initial, NEW.volume_current, NEW.price_open, NEW.sl, NEW.tp,
        NEW.price_stoplimit, NEW.symbol, NEW.comment, NEW.external_id, NEW.gone_since
    ) THEN
        RETURN NULL;
    END IF;
    v_old := internal.told_of_order(OLD);
    v_new := CASE WHEN TG_OP <> 'DELETE' THEN internal.told_of_order(NEW) END;
    IF v_new IS NULL THEN
        v_what := 'deleted';
    ELSIF internal.is_order_done(OLD.state) AND NOT internal.is_order_done(NEW.state) THEN
        v_what := 'new'; -- a report had it done, the terminal has it waiting: told from the start
        v_old := NULL;
    ELSE
        v_what := CASE
            WHEN NOT internal.is_order_done(OLD.state) AND internal.is_order_done(NEW.state)
                THEN 'done'
            WHEN OLD.gone_since IS NULL AND NEW.gone_since IS NOT NULL THEN 'gone'
            WHEN OLD.gone_since IS NOT NULL AND NEW.gone_since IS NULL THEN 'returned'
            ELSE 'changed'
        END;
    END IF;
    PERFORM internal.note_event(OLD.account_id, 'order', v_what, OLD.ticket, v_old, v_new);
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.note_order() IS
'Trigger: writes the event of an order that changes or is deleted.';
REVOKE ALL ON FUNCTION internal.note_order() FROM public;

CREATE OR REPLACE FUNCTION internal.note_deal()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- nobody writes events but the owner
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM internal.note_event(
        OLD.account_id, 'deal',
        CASE
            WHEN TG_OP = 'DELETE' THEN 'deleted'
            WHEN NEW.type IN (13, 14) AND OLD.type NOT IN (13, 14) THEN 'cancelled'
            WHEN OLD.gone_since IS NULL AND NEW.gone_since IS NOT NULL THEN 'gone'
            WHEN OLD.gone_since IS NOT NULL AND NEW.gone_since IS NULL THEN 'returned'
            ELSE 'changed'
        END,
        OLD.ticket, internal.told_of_deal(OLD),
        CASE WHEN TG_OP <> 'DELETE' THEN internal.told_of_deal(NEW) END
    );
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.note_deal() IS
'Trigger: writes the event of a deal that is rewritten, cancelled, gone or deleted.';
REVOKE ALL ON FUNCTION internal.note_deal() FROM public;

-- By statement: a history has a hundred thousand rows. An event tells the fill of a deal, and of an
-- order that is done the outcome: the row has the rest, and the event of a rewritten row says what
-- was there.
CREATE OR REPLACE FUNCTION internal.note_new_orders()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- nobody writes events but the owner
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_era integer;
BEGIN
    IF NOT EXISTS (SELECT FROM changed_rows) THEN
        RETURN NULL;
    END IF;
    v_era := internal.find_mt5_event_era();
    INSERT INTO public.mt5_events (
        account_id, kind, what, id, seen_at, taken_at, era, new_values
    )
    SELECT
        c.account_id,
        'order',
        CASE WHEN internal.is_order_done(c.state) THEN 'done' ELSE 'new' END,
        c.ticket,
        v_now,
        v_now,
        v_era,
        CASE
            WHEN internal.is_order_done(c.state) THEN jsonb_build_object(
                'position_id', c.position_id, 'type', c.type, 'state', c.state,
                'symbol', c.symbol, 'volume_initial', trim_scale(c.volume_initial),
                'volume_current', trim_scale(c.volume_current)
            )
            ELSE internal.told_of_order(c)
        END
    FROM changed_rows AS c;
    PERFORM internal.wake_event_readers();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.note_new_orders() IS
'Trigger: writes an event for each order that is first seen; done, where it waits no more.';
REVOKE ALL ON FUNCTION internal.note_new_orders() FROM public;

CREATE OR REPLACE FUNCTION internal.note_new_deals()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- nobody writes events but the owner
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_now timestamptz := clock_timestamp();
    v_era integer;
BEGIN
    IF NOT EXISTS (SELECT FROM changed_rows) THEN
        RETURN NULL;
    END IF;
    v_era := internal.find_mt5_event_era();
    INSERT INTO public.mt5_events (
        account_id, kind, what, id, seen_at, taken_at, era, new_values
    )
    SELECT
        c.account_id,
        'deal',
        'new',
        c.ticket,
        v_now,
        v_now,
        v_era,
        jsonb_build_object(
            'order_ticket', c.order_ticket, 'position_id', c.position_id, 'type', c.type,
            'entry', c.entry, 'symbol', c.symbol, 'volume', trim_scale(c.volume),
            'price', trim_scale(c.price), 'profit', trim_scale(c.profit)
        )
    FROM changed_rows AS c;
    PERFORM internal.wake_event_readers();
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.note_new_deals() IS
'Trigger: writes an event for each deal that is first seen.';
REVOKE ALL ON FUNCTION internal.note_new_deals() FROM public;

CREATE OR REPLACE FUNCTION internal.forget_events_of_account()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SECURITY DEFINER -- nobody deletes events but the owner
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    DELETE FROM public.mt5_events AS e
    USING changed_rows AS c
    WHERE e.account_id = c.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION internal.forget_events_of_account() IS
'Trigger: events go with their account, as a foreign key would have it.';
REVOKE ALL ON FUNCTION internal.forget_events_of_account() FROM public;
