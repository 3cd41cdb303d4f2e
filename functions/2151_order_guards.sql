-- 2151_order_guards.sql: what nobody may change of a closed order, or learn of another user's.

CALL deploy.become_owner();

-- One function for all that is looked at before an order is written, without a path of its own: a
-- trigger for each rule cost more than the rules (benchmarks/rules.py). Conditions stand in the
-- function, not in a WHEN: PostgreSQL parses the text of a WHEN for each statement, the longer the
-- dearer. PL/pgSQL prepares each expression once a transaction: long ones stand where few
-- transactions come. A role that may put triggers on a table may correct its history: only its
-- owner has that right. Whose an order is decides what the deals may write of it: a row made from
-- deals is theirs in all columns until the API makes it its own.
CREATE OR REPLACE FUNCTION internal.check_order()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
AS $$
DECLARE
    v_counting pg_catalog.text;
BEGIN
    IF OLD.closed_at IS NOT NULL OR NEW.made_by = 'deals' THEN
        -- an account that was unknown may be named
        IF OLD.closed_at IS NOT NULL AND (
            OLD.user_id, coalesce(OLD.account_id, NEW.account_id), OLD.symbol, OLD.order_type,
            OLD.volume, OLD.open_price, OLD.close_price, OLD.profit, OLD.commission, OLD.swap,
            OLD.opened_at, OLD.closed_at
        ) IS DISTINCT FROM (
            NEW.user_id, NEW.account_id, NEW.symbol, NEW.order_type, NEW.volume, NEW.open_price,
            NEW.close_price, NEW.profit, NEW.commission, NEW.swap, NEW.opened_at, NEW.closed_at
        ) AND NOT pg_catalog.has_table_privilege(TG_RELID, 'TRIGGER') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'RB020',
                MESSAGE = pg_catalog.format(
                    'order %s is closed: its money, prices and times are history', OLD.id
                ),
                HINT = 'The database''s owner corrects history; the audit trail keeps what it was.',
                SCHEMA = 'public',
                TABLE = 'trading_orders',
                CONSTRAINT = 'trading_orders_closed_is_frozen';
        ELSIF NEW.made_by IS DISTINCT FROM 'deals' THEN
            NULL;
        ELSIF NEW.signal_id IS NOT NULL OR NEW.client_request_id IS NOT NULL THEN
            NEW.made_by := 'api';
        ELSIF OLD.made_by IS DISTINCT FROM 'deals'
            AND NOT pg_catalog.has_table_privilege(TG_RELID, 'TRIGGER') THEN
            RAISE EXCEPTION USING
                ERRCODE = 'RB025',
                MESSAGE = 'an order of the API can''t be said to be made from deals',
                HINT = 'Leave made_by out: orders made from deals come from ingest_mt5_deals.',
                SCHEMA = 'public',
                TABLE = 'trading_orders',
                CONSTRAINT = 'trading_orders_made_by_is_decided';
        END IF;
    END IF;

    -- a signal that is attached later brings its strategy too, also in place of a magic number's
    IF NEW.signal_id IS NOT NULL AND OLD.signal_id IS NULL AND (
        NEW.strategy_id IS NULL
        OR OLD.made_by = 'deals' AND NEW.strategy_id IS NOT DISTINCT FROM OLD.strategy_id
    ) THEN
        NEW.strategy_id := coalesce(
            (
                SELECT s.strategy_id
                FROM public.trading_signals AS s
                WHERE s.id = NEW.signal_id AND s.user_id = NEW.user_id
            ),
            NEW.strategy_id
        );
    END IF;

    IF NEW.closed_at IS NOT NULL OR OLD.closed_at IS NOT NULL THEN
        -- for internal.change_counters(); an order that 06_account closes has deleted another
        v_counting := pg_catalog.set_config(
            'rubi.counting',
            CASE coalesce(pg_catalog.current_setting('rubi.counting', TRUE), '')
                WHEN '' THEN 'one' WHEN 'again' THEN 'again' ELSE 'many'
            END,
            TRUE
        );
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION internal.check_order() IS
'Trigger: an order without a strategy of its own takes that of its signal, and one with a signal or
a request is the API''s. Says for the end of the transaction whether one order may change counters,
or many. Raises RB020 when another role than the owner changes a closed order''s money or times,
RB025 when it says that an order is made from deals.';
REVOKE ALL ON FUNCTION internal.check_order() FROM public;

-- Unique keys answer before foreign keys and check options do: an order for another user's signal
-- that has one already would be "not unique", for a signal that does not exist "no such signal".
-- This trigger looks first, with the tenant's eyes, and says the same in both cases. It does
-- nothing for the API and everybody else; a WHEN that said so would be parsed for each statement.
CREATE OR REPLACE FUNCTION internal.check_parents_of_order()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
AS $$
DECLARE
    v_constraint pg_catalog.text;
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
        MESSAGE = pg_catalog.format('no row of this user for %s', v_constraint),
        SCHEMA = 'public',
        TABLE = 'trading_orders',
        CONSTRAINT = v_constraint;
END
$$;
COMMENT ON FUNCTION internal.check_parents_of_order() IS
'Trigger for tenants: raises foreign_key_violation for a signal or account that is not their own,
insufficient_privilege for an order of another user.';
REVOKE ALL ON FUNCTION internal.check_parents_of_order() FROM public;
