-- 2151_order_guards.sql: what nobody may change of a closed order, or learn of another user's.

CALL deploy.become_owner();

-- Conditions stand in the functions, not in a WHEN: PostgreSQL parses the text of a WHEN for each
-- statement, the longer the dearer. A role that may put triggers on a table may correct its
-- history: only its owner has that right.
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
        OLD.user_id, coalesce(OLD.account_id, NEW.account_id), OLD.symbol, OLD.order_type,
        OLD.volume, OLD.open_price, OLD.close_price, OLD.profit, OLD.commission, OLD.swap,
        OLD.opened_at, OLD.closed_at
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

-- Whose an order is decides what the deals may write of it: a row made from deals is theirs in all
-- columns until the API makes it its own.
CREATE OR REPLACE FUNCTION internal.decide_made_by()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NEW.signal_id IS NOT NULL OR NEW.client_request_id IS NOT NULL THEN
        NEW.made_by := 'api';
        RETURN NEW;
    ELSIF OLD.made_by = 'deals' OR has_table_privilege(TG_RELID, 'TRIGGER') THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'RB025',
        MESSAGE = 'an order of the API can''t be said to be made from deals',
        HINT = 'Leave made_by out: orders made from deals come from ingest_mt5_deals.',
        SCHEMA = 'public',
        TABLE = 'trading_orders',
        CONSTRAINT = 'trading_orders_made_by_is_decided';
END
$$;
COMMENT ON FUNCTION internal.decide_made_by() IS
'Trigger: an order with a signal or a request is the API''s; raises RB025 when another role than the
owner says that one is made from deals.';
REVOKE ALL ON FUNCTION internal.decide_made_by() FROM public;

-- Unique keys answer before foreign keys and check options do: an order for another user's signal
-- that has one already would be "not unique", for a signal that does not exist "no such signal".
-- These triggers look first, with the tenant's eyes, and say the same in both cases. They do
-- nothing for the API and everybody else; a WHEN that said so would be read by each statement.
CREATE OR REPLACE FUNCTION internal.check_parents_of_order()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_constraint text;
BEGIN
    IF current_user <> 'rubi_tenant' THEN
        RETURN NEW;
    END IF;
    -- as row security does, before 05_account looks for orders of that user
    IF NEW.user_id IS DISTINCT FROM public.app_user_id() THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = 'new row violates row-level security policy for table "trading_orders"',
            SCHEMA = 'public',
            TABLE = 'trading_orders';
    END IF;
    IF NEW.signal_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM public.trading_signals AS s
        WHERE s.id = NEW.signal_id AND s.user_id = NEW.user_id
    ) THEN
        v_constraint := 'trading_orders_signal_id_user_id_fkey';
    ELSIF NEW.account_id IS NOT NULL AND NOT EXISTS (
        SELECT FROM public.mt5_accounts AS a
        WHERE a.id = NEW.account_id AND a.user_id = NEW.user_id
    ) THEN
        v_constraint := 'trading_orders_account_id_user_id_fkey';
    ELSE
        RETURN NEW;
    END IF;
    RAISE EXCEPTION USING
        ERRCODE = 'foreign_key_violation',
        MESSAGE = format('no row of this user for %s', v_constraint),
        SCHEMA = 'public',
        TABLE = 'trading_orders',
        CONSTRAINT = v_constraint;
END
$$;
COMMENT ON FUNCTION internal.check_parents_of_order() IS
'Trigger for tenants: raises foreign_key_violation for a signal or account that is not their own,
insufficient_privilege for an order of another user.';
REVOKE ALL ON FUNCTION internal.check_parents_of_order() FROM public;
