-- 4630_tenant_parents.sql: a tenant does not learn from an error whether another's row exists.
-- needs: schema/0150_trading_orders.sql, schema/0170_account_snapshots.sql,
--        functions/2610_app_user_id.sql, functions/2220_mt5_checks.sql
-- transaction: yes

CALL deploy.become_owner();

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

CREATE OR REPLACE TRIGGER trading_orders_01_tenant_parents
BEFORE INSERT OR UPDATE OF signal_id, account_id, user_id ON public.trading_orders
FOR EACH ROW EXECUTE FUNCTION internal.check_parents_of_order();

CREATE OR REPLACE FUNCTION internal.check_session_of_snapshot()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF current_user = 'rubi_app' THEN
        PERFORM public.check_account_is_open(s.account_id)
        FROM public.mt5_sessions AS s
        -- a closed user's sessions have ended
        WHERE s.session_id = NEW.session_id AND s.disconnected_at IS NOT NULL;
        RETURN NEW;
    ELSIF current_user <> 'rubi_tenant' THEN
        RETURN NEW;
    END IF;
    IF NOT EXISTS (
        SELECT FROM public.mt5_sessions AS s
        WHERE s.session_id = NEW.session_id
    ) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'with_check_option_violation',
            MESSAGE = 'no session of this user for the snapshot',
            SCHEMA = 'public',
            TABLE = 'my_account_snapshots';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION internal.check_session_of_snapshot() IS
'Trigger: raises with_check_option_violation for a tenant''s snapshot of a session that is not their
own, RB024 for the API''s of a closed user.';
REVOKE ALL ON FUNCTION internal.check_session_of_snapshot() FROM public;

CREATE OR REPLACE TRIGGER account_snapshots_01_tenant_session
BEFORE INSERT ON public.account_snapshots
FOR EACH ROW EXECUTE FUNCTION internal.check_session_of_snapshot();
