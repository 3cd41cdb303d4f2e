-- 4020_account_of_row.sql: sessions and positions get their trading account.
-- needs: schema/0120_mt5_accounts.sql, schema/0130_mt5_sessions.sql,
--        schema/0160_trading_positions.sql
-- transaction: yes

CALL deploy.become_owner();

-- The API names broker, server and login, as it always did. Runs as the caller: who may write
-- sessions may write accounts.
CREATE OR REPLACE FUNCTION public.set_session_account()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_server text := coalesce(nullif(btrim(NEW.server), ''), NEW.broker);
BEGIN
    -- twice: the account may be committed by another session between SELECT and INSERT
    FOR v_attempt IN 1..2 LOOP
        SELECT a.id INTO NEW.account_id
        FROM public.mt5_accounts AS a
        WHERE a.user_id = NEW.user_id
            AND a.server = v_server
            AND a.account_number = NEW.account_number;
        EXIT WHEN FOUND;

        INSERT INTO public.mt5_accounts (user_id, server, account_number, broker, currency)
        VALUES (NEW.user_id, v_server, NEW.account_number, NEW.broker, NEW.currency)
        ON CONFLICT ON CONSTRAINT mt5_accounts_user_id_server_account_number_key DO NOTHING
        RETURNING id INTO NEW.account_id;
        EXIT WHEN FOUND;
    END LOOP;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.set_session_account() IS
'Trigger: finds or makes the account of user, server (broker where it is missing) and login.';
REVOKE ALL ON FUNCTION public.set_session_account() FROM public;

CREATE OR REPLACE TRIGGER mt5_sessions_10_account
BEFORE INSERT OR UPDATE OF user_id, server, broker, account_number ON public.mt5_sessions
FOR EACH ROW EXECUTE FUNCTION public.set_session_account();

CREATE OR REPLACE FUNCTION public.set_position_account()
RETURNS trigger
LANGUAGE plpgsql
VOLATILE
PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    v_account_id bigint;
    v_closed_at timestamptz;
BEGIN
    IF NEW.session_id IS NULL THEN
        RETURN NEW;
    END IF;
    SELECT
        a.id,
        a.closed_at
    INTO v_account_id, v_closed_at
    FROM public.mt5_sessions AS s
    INNER JOIN public.mt5_accounts AS a ON s.account_id = a.id
    WHERE s.session_id = NEW.session_id;
    -- Without an account the row would fail by account_id, which its writer never named.
    IF NOT FOUND THEN
        RAISE EXCEPTION USING
            ERRCODE = 'foreign_key_violation',
            MESSAGE = format('there is no session %s', NEW.session_id),
            SCHEMA = 'public',
            TABLE = 'trading_positions',
            CONSTRAINT = 'trading_positions_session_id_fkey';
    ELSIF v_closed_at IS NOT NULL AND NOT has_table_privilege(TG_RELID, 'TRIGGER') THEN
        PERFORM public.check_account_is_open(v_account_id);
    END IF;
    NEW.account_id := v_account_id;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION public.set_position_account() IS
'Trigger: a position belongs to the account of its session. Raises foreign_key_violation where there
is none, RB024 when its user is closed.';
REVOKE ALL ON FUNCTION public.set_position_account() FROM public;

CREATE OR REPLACE TRIGGER trading_positions_10_account
BEFORE INSERT OR UPDATE OF session_id, account_id ON public.trading_positions
FOR EACH ROW EXECUTE FUNCTION public.set_position_account();
